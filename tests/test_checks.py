"""The checks of images and numbers: what passes, what is refused, where, and with which advice."""

import sys
from fractions import Fraction

import numpy as np
import pytest

from sdlib.augment import UniformAugment
from sdlib.augment.operations import OPERATIONS, examples, sharpness_as_blur
from sdlib.augment.stain import StainAugment
from sdlib.checks import check_number, check_rgb, check_square_batch, is_number
from sdlib.cutouts import add_cutouts
from sdlib.errors import ConfigError
from sdlib.lab import disturb
from sdlib.metrics import laplacian_variance
from sdlib.shifts import Level, apply, blur, fade_stain, iter_levels, sharpen
from sdlib.stain import MacenkoNormaliser, estimate_macenko, scale_stains, separate

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


# -- Every door


#: Functions of one image or of a batch, each image for itself.
OF_BATCHES = {
    "blur": lambda images: blur(images, 4),
    "a blur that is not whole": lambda images: blur(images, 2.6),
    "sharpen": lambda images: sharpen(images, 0.5),
    "fade_stain": lambda images: fade_stain(images, 0.5, 0.5),
    "apply": lambda images: apply(images, Level("blur", 20)),
    "iter_levels": lambda images: [shifted for _, shifted in iter_levels(images)][-1],
    "MacenkoNormaliser.transform": lambda images: MacenkoNormaliser().transform(images),
}
DRAWN = {
    "MacenkoNormaliser.fit": lambda images: MacenkoNormaliser().fit(images),
    "StainAugment": lambda images: StainAugment()(images, np.random.default_rng(0)),
    "UniformAugment": lambda images: UniformAugment(8, True, True)(
        images, np.random.default_rng(0)
    ),
}
OF_ONE = {
    "add_cutouts": lambda image: add_cutouts(image, 2, 3, 0),
    "estimate_macenko": estimate_macenko,
    "separate": separate,
    "scale_stains": lambda image: scale_stains(image, 0.5, 1.5),
    "examples": examples,
    "sharpness_as_blur": sharpness_as_blur,
    "laplacian_variance": laplacian_variance,
    "disturb": disturb,
    **{
        name: lambda image, one=operation: one(image, one.magnitude(0.3))
        for name, operation in OPERATIONS.items()
    },
}
NOISE = np.random.default_rng(0).integers(0, 256, (3, 10, 24, 3), dtype=np.uint8)
#: In no function's range, whether it takes batches or not.
WRONG = {
    "floats from 0 to 1": NOISE[0] / 255,
    "single precision": (NOISE[0] / 255).astype(np.float32),
    "uint16": NOISE[0].astype(np.uint16) * 256,
    "truth values": NOISE[0] > 100,
    "objects": NOISE[0].astype(object),
    "0 x 0 px": NOISE[0, :0, :0],
    "0 rows": NOISE[0, :0],
    "a batch of 0 x 0 px": NOISE[:, :0, :0],
    "0 tiles of 0 x 0 px": NOISE[:0, :0, :0],
    "transparency": np.zeros((10, 24, 4), np.uint8),
    "channels first": NOISE[0].transpose(2, 0, 1),
    "a batch of batches": NOISE[None],
    "a line": NOISE[0, 0, 0],
    "one number": np.array(3, np.uint8),
    "a list": [NOISE[0], NOISE[1]],
    "nothing": None,
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("door", [*OF_BATCHES, *DRAWN, *OF_ONE])
def test_wrong_images_are_refused_at_every_door(door, wrong):
    function = {**OF_BATCHES, **DRAWN, **OF_ONE}[door]
    with pytest.raises(ConfigError, match=r"expected .*uint8 images?, RGB") as refusal:
        function(WRONG[wrong])
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("door", OF_ONE)
def test_batches_are_refused_where_one_image_is_right(door):
    for batch in (NOISE, NOISE[:0]):
        with pytest.raises(ConfigError, match="pass the images of the batch one at a time"):
            OF_ONE[door](batch)


@pytest.mark.parametrize("door", OF_BATCHES)
def test_oblong_batches_are_done_image_by_image(door):
    function = OF_BATCHES[door]
    done = function(NOISE)
    np.testing.assert_array_equal(done, np.stack([function(image) for image in NOISE]))
    assert function(NOISE[:0]).shape == (0, 10, 24, 3)


def test_oblong_batches_are_augmented_tile_by_tile():
    augment = DRAWN["UniformAugment"]
    assert augment(NOISE).shape == NOISE.shape
    np.testing.assert_array_equal(augment(NOISE)[0], augment(NOISE[0]))
    assert augment(NOISE[:0]).shape == (0, 10, 24, 3)


@pytest.mark.parametrize("door", OF_ONE)
def test_oblong_images_pass(door):
    image = np.random.default_rng(1).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    done = OF_ONE[door](image)
    if isinstance(done, np.ndarray):
        assert done.shape == image.shape
        assert done.dtype == np.uint8


# -- Batches of squares, and numbers


@pytest.mark.parametrize("batch", [BATCH[:, :, :4], BATCH[:0, :, :4], BATCH[:1, :1, :1]])
def test_batches_of_squares_pass(batch):
    assert check_square_batch(batch) is None


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (BATCH, r"\(N, S, S, 3\), got uint8 \(2, 4, 5, 3\): crop the images to squares"),
        (IMAGE[:, :4], r"got uint8 \(4, 4, 3\): make a batch of the image with image\[None\]"),
        (BATCH / 255, "got float64"),
        (None, "got NoneType"),
    ],
)
def test_everything_but_batches_of_squares_is_refused(images, message):
    with pytest.raises(ConfigError, match=message):
        check_square_batch(images)


@pytest.mark.parametrize("value", [0, 0.0, 1, 0.3, np.float32(1), np.int8(1), np.uint64(0)])
def test_numbers_within_a_range_pass(value):
    check_number("alpha", value, 0, 1)
    check_number("alpha", value, 0)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.5, "1.5"),
        (-1, "-1"),
        (np.nan, "nan"),
        (np.float64(-np.inf), "-inf"),
        (np.float32(2), "2.0"),
        (10**400, "1000"),
        (True, "True"),
        (np.True_, "True"),
        ("0.5", "'0.5'"),
        (None, "NoneType"),
        (np.array(0.5), "ndarray"),
        ([0.5], "list"),
        (1 + 0j, "complex"),
        (np.timedelta64(1), "timedelta64"),
        (Fraction(1, 2), "Fraction"),
    ],
)
def test_everything_else_is_no_number_within_the_range(value, shown):
    with pytest.raises(ConfigError, match=r"expected alpha from 0 to 1, got ") as refusal:
        check_number("alpha", value, 0, 1)
    found = str(refusal.value).partition("got ")[2]
    assert found.startswith(shown)
    assert len(found) < 50


def test_whole_numbers_are_of_a_type_for_them():
    check_number("n", np.int16(3), 0, whole=True)
    for value in (3.0, np.float64(3), True, 2.5):
        with pytest.raises(ConfigError, match="expected n of at least 0, a whole number, got"):
            check_number("n", value, 0, whole=True)


@pytest.mark.parametrize(
    "value", [np.inf, np.float32(np.inf), 10**400, 2**1024], ids=lambda value: str(value)[:5]
)
def test_what_is_beyond_floats_is_a_number_but_in_no_range(value):
    assert is_number(value)
    said = r"expected n of at least 0 and at most 1\.8e\+308, got (inf|\d+\.\.\.\d+)$"
    with pytest.raises(ConfigError, match=said):
        check_number("n", value, 0)
    if not isinstance(value, int):
        return
    with pytest.raises(ConfigError, match=r"at most 1\.8e\+308, a whole number, got"):
        check_number("n", value, 0, whole=True)


def test_the_largest_floats_pass():
    for value in (sys.float_info.max, int(sys.float_info.max), np.finfo(np.float16).max):
        check_number("n", value, 0)
