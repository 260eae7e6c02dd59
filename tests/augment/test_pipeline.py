"""Augmentation: pixels are moved, never lost; every symmetry occurs; the generator decides all."""

import pickle

import numpy as np
import pytest
from hypothesis import given, strategies as st
from torch.utils.data import DataLoader

from sdlib.augment import AUGMENTATIONS, augmentation
from sdlib.errors import ConfigError
from sdlib.training.loop import Batches, Schedule


def noise(n, side, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def symmetries(image):
    """The square's eight symmetries, by their coordinates rather than by rotations."""
    for part in (image, image.transpose(1, 0, 2)):
        yield from (part, part[::-1], part[:, ::-1], part[::-1, ::-1])


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_shape_dtype_and_generator(name):
    images, augment = noise(40, 12), augmentation(name)
    first, again, other = (
        augment(images.copy(), np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert first.shape == images.shape
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert (first == other).all() == (name == "none")


@given(st.integers(0, 6), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_dihedral_moves_pixels_and_loses_none(n, side, seed):
    # Every pixel is its own number, so that equal sets of pixels mean a bijection.
    pixels = np.arange(n * side * side * 3).astype(np.uint8).reshape(n, side, side, 3)
    changed = augmentation("dihedral")(pixels.copy(), np.random.default_rng(seed))
    for before, after in zip(pixels, changed, strict=True):
        assert any(np.array_equal(after, each) for each in symmetries(before))
        assert sorted(map(tuple, after.reshape(-1, 3))) == sorted(map(tuple, before.reshape(-1, 3)))


def test_all_eight_symmetries_occur_alike():
    image, n = noise(1, 5), 4000
    changed = augmentation("dihedral")(np.repeat(image, n, axis=0), np.random.default_rng(0))
    found = np.array([(changed == each).all(axis=(1, 2, 3)) for each in symmetries(image[0])])
    assert (found.sum(axis=0) == 1).all()
    counts = found.sum(axis=1)
    # Chi squared with 7 degrees of freedom: above 24.3 in one of a thousand seeds.
    assert ((counts - n / 8) ** 2 / (n / 8)).sum() < 24.3


def test_crop_flip_keeps_what_it_promises():
    """On a ramp, the span of an image is the crop's side and its direction the flip."""
    side, n = 64, 200
    ramp = np.linspace(0, 255, side).astype(np.uint8)
    images = np.broadcast_to(ramp[None, None, :, None], (n, side, side, 3)).copy()
    changed = augmentation("crop_flip")(images, np.random.default_rng(0)).astype(int)
    span = (changed[:, 0, -1, 0] - changed[:, 0, 0, 0]) / 255
    assert 0.25 < (span < 0).mean() < 0.75
    side_of_crop = np.abs(span)
    # Sides are the roots of areas from .64 to 1; resizing blurs half a pixel at either end.
    assert 0.77 < side_of_crop.min() < 0.83
    assert 0.97 < side_of_crop.max() <= 1
    assert np.ptp(changed, axis=1).max() <= 1  # nothing is rotated


@pytest.mark.parametrize("names", [("dihedral", "uniform"), ("none", "crop_flip", "uniform_blur")])
def test_parts_are_applied_in_order_from_one_generator(names):
    images, rng = noise(30, 16), np.random.default_rng(1)
    expected = images.copy()
    for name in names:
        expected = augmentation(name)(expected, rng)
    composed = augmentation("+".join(names))
    np.testing.assert_array_equal(composed(images.copy(), np.random.default_rng(1)), expected)
    again = pickle.loads(pickle.dumps(composed))
    np.testing.assert_array_equal(again(images.copy(), np.random.default_rng(1)), expected)
    other_way = augmentation("+".join(reversed(names)))(images.copy(), np.random.default_rng(1))
    assert (other_way != expected).any()


def test_processes_that_prepare_batches_get_the_same(toy_tiles):
    plan = Schedule(1, 16, augment="dihedral+uniform")
    batches = Batches(toy_tiles(64, 12), plan, epoch=0)
    loader = DataLoader(batches, batch_size=None, num_workers=1, multiprocessing_context="fork")
    for (images, _), (expected, _) in zip(loader, batches, strict=True):
        np.testing.assert_array_equal(images, expected)


@pytest.mark.parametrize("name", ["dihedral", "crop_flip", "dihedral+uniform"])
@pytest.mark.parametrize(
    ("shape", "advice"),
    [((4, 12, 10, 3), "crop the images to squares"), ((12, 12, 3), r"with image\[None\]")],
)
def test_only_batches_of_squares_are_turned_and_cropped(name, shape, advice):
    """Turning an oblong tile would change its shape, and one tile is no batch of its rows."""
    with pytest.raises(ConfigError, match=rf"RGB \(N, S, S, 3\), got uint8 .*: .*{advice}"):
        augmentation(name)(np.zeros(shape, np.uint8), np.random.default_rng(0))


@pytest.mark.parametrize("name", ["sepia", "dihedral+sepia", "sepia+uniform"])
def test_unknown_name(name):
    with pytest.raises(ConfigError, match=r"unknown augmentation 'sepia'.*dihedral.*uniform"):
        augmentation(name)


@pytest.mark.parametrize("name", ["", "dihedral+", "dihedral +uniform"])
def test_names_are_taken_as_they_are(name):
    with pytest.raises(ConfigError, match="unknown augmentation"):
        augmentation(name)
