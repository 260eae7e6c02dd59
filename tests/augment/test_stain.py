"""Stain augmentation: random amounts of stain in every tile, and the same tissue."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from sdlib.augment.pipeline import AUGMENTATIONS, augmentation
from sdlib.augment.stain import StainAugment
from sdlib.errors import ConfigError
from sdlib.phantoms import draw_tiles, render
from sdlib.stain import scale_stains


@pytest.fixture(scope="module")
def images():
    return np.stack([render(tile, 32) for tile in draw_tiles(6, seed=4)])


class Drawn:
    """A generator that hands out given factors, and checks how they are drawn."""

    def __init__(self, factors):
        self.factors = np.array(factors, float)

    def uniform(self, low, high, shape):
        assert (low, high) == (0.5, 1.5)
        assert shape == self.factors.shape
        return self.factors


def test_every_tile_has_its_own_factors_for_either_stain(images):
    factors = [(0.5, 1.5), (1.5, 0.5), (1, 1), (1.2, 1.2), (0.5, 0.5), (1, 0.7)]
    found = StainAugment()(images, Drawn(factors))
    for image, scaled, (haematoxylin, eosin) in zip(images, found, factors, strict=True):
        np.testing.assert_array_equal(scaled, scale_stains(image, haematoxylin, eosin))
    np.testing.assert_array_equal(found[2], images[2])


def test_factors_are_uniform_and_independent(images, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "sdlib.augment.stain.scale_stains",
        lambda image, h, e: drawn.append((h, e)) or image,
    )
    many = np.broadcast_to(images[:1], (4000, *images.shape[1:]))
    StainAugment(0.25, 2.0)(many, np.random.default_rng(0))
    factors = np.array(drawn)
    assert factors.shape == (4000, 2)
    for stain in factors.T:
        # Quarters of the range hold a quarter each: four standard errors are 110 of 1,000.
        counts = np.histogram(stain, 4, (0.25, 2.0))[0]
        assert counts.sum() == 4000
        assert np.abs(counts - 1000).max() < 110
    assert abs(np.corrcoef(factors.T)[0, 1]) < 0.07


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_a_seed_gives_the_same_tiles_and_the_input_stays(seed):
    images = np.stack([render(tile, 16) for tile in draw_tiles(2, seed=4)])
    before = images.copy()
    first, second = (StainAugment()(images, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(images, before)
    assert first.dtype == np.uint8
    assert first is not images


def test_one_tile_is_as_a_batch_of_one(images):
    alone = StainAugment()(images[0], np.random.default_rng(7))
    batch = StainAugment()(images[:1], np.random.default_rng(7))
    np.testing.assert_array_equal(alone, batch[0])


def test_a_range_without_width_scales_all_tiles_alike(images):
    found = StainAugment(0.8, 0.8)(images, np.random.default_rng(0))
    expected = np.stack([scale_stains(image, 0.8, 0.8) for image in images])
    np.testing.assert_array_equal(found, expected)
    same = StainAugment(1, 1)(images, np.random.default_rng(0))
    np.testing.assert_array_equal(same, images)


def test_an_empty_batch_stays_empty(images):
    assert StainAugment()(images[:0], np.random.default_rng(0)).shape == (0, 32, 32, 3)


def test_it_is_an_augmentation_by_name_alone_and_behind_others(images):
    assert AUGMENTATIONS["stain"] == StainAugment()
    both = augmentation("uniform+stain")
    found = both(images, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    expected = StainAugment()(AUGMENTATIONS["uniform"](images, rng), rng)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 1), (-1, 1), (1.2, 1.1), (float("nan"), 1), (0.5, float("inf")), ("0.5", 1)],
)
def test_impossible_ranges_are_refused(low, high):
    with pytest.raises(ConfigError, match=r"expected (low|high)"):
        StainAugment(low, high)


@pytest.mark.parametrize("images", [np.zeros((4, 4), np.uint8), np.zeros((2, 4, 4, 3)), [[1]]])
def test_wrong_images_are_refused(images):
    with pytest.raises(ConfigError, match="uint8"):
        StainAugment()(images, np.random.default_rng(0))
