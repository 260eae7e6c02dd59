"""The check of images: what passes, what is refused, and whether the advice helps."""

import numpy as np
import pytest

from sdlib.checks import check_rgb
from sdlib.errors import ConfigError

IMAGE = np.zeros((4, 5, 3), np.uint8)
BATCH = np.zeros((2, 4, 5, 3), np.uint8)


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (IMAGE, {}),
        (IMAGE[::-1, :, ::-1], {}),
        (IMAGE[:1, :1], {}),
        (IMAGE, {"batches": True}),
        (BATCH, {"batches": True}),
        (BATCH[:0], {"batches": True}),
        (np.zeros((3, 3, 3), np.uint8), {}),
        (IMAGE[..., 0], {"grey": True}),
        (IMAGE, {"grey": True}),
        (BATCH, {"batches": True, "grey": True}),
    ],
)
def test_images_of_bytes_pass(image, options):
    image.flags.writeable = False
    assert check_rgb(image, **options) is None


def test_a_memory_map_passes(tmp_path):
    np.save(tmp_path / "tiles.npy", BATCH)
    check_rgb(np.load(tmp_path / "tiles.npy", mmap_mode="r"), batches=True)


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        ([[[0, 0, 0]]], {}, r"RGB \(H, W, 3\), got list: .*np.asarray"),
        ("tile.png", {"batches": True}, "got str"),
        (None, {}, "got NoneType"),
        (IMAGE.astype(float), {}, r"got float64 \(4, 5, 3\): scale the values to 0 to 255"),
        (IMAGE.astype(np.int8), {"batches": True}, r"got int8 \(4, 5, 3\)"),
        (IMAGE[..., 0], {}, r"got uint8 \(4, 5\): repeat the grey image"),
        (IMAGE[..., 0], {"batches": True}, r"got uint8 \(4, 5\)"),
        (BATCH, {}, r"got uint8 \(2, 4, 5, 3\): pass the images of the batch one at a time"),
        (BATCH[None], {"batches": True}, r"got uint8 \(1, 2, 4, 5, 3\): remove or add axes"),
        (IMAGE[0, 0], {"grey": True}, r"got uint8 \(3,\): remove or add axes"),
        (IMAGE[..., :1], {"grey": True}, r"the last axis must hold R, G and B"),
        (IMAGE[:0], {"batches": True}, r"got uint8 \(0, 5, 3\): .* at least one pixel"),
        (BATCH[:, :, :0], {"batches": True}, "at least one pixel"),
        (IMAGE[:0, :, 0], {"grey": True}, "at least one pixel"),
    ],
)
def test_everything_else_is_refused_in_one_sentence(image, options, message):
    with pytest.raises(ConfigError, match=message) as refusal:
        check_rgb(image, **options)
    sentence = str(refusal.value)
    assert sentence.startswith("expected ")
    assert "\n" not in sentence
    assert ("(N, H, W, 3)" in sentence) == options.get("batches", False)
    assert ("grey (H, W)" in sentence) == options.get("grey", False)


def advice(image, **options):
    with pytest.raises(ConfigError) as refusal:
        check_rgb(image, **options)
    return str(refusal.value).partition(": ")[2]


def test_the_advice_leads_to_an_image_that_passes():
    grey = IMAGE[..., 0]
    assert "np.stack([image] * 3, axis=-1)" in advice(grey)
    check_rgb(np.stack([grey] * 3, axis=-1))

    channels_first = IMAGE.transpose(2, 0, 1)
    assert "np.moveaxis(image, 0, -1)" in advice(channels_first)
    check_rgb(np.moveaxis(channels_first, 0, -1))

    batch_first = BATCH.transpose(0, 3, 1, 2)
    assert "np.moveaxis(image, 1, -1)" in advice(batch_first, batches=True)
    check_rgb(np.moveaxis(batch_first, 1, -1), batches=True)

    transparent = np.zeros((4, 5, 4), np.uint8)
    assert "image[..., :3]" in advice(transparent)
    check_rgb(transparent[..., :3])
