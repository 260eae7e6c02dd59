"""Probabilities of lung, with networks whose answer is known, and masks made of them."""

import numpy as np
import pytest
import torch
from scipy.special import expit

from sdlib.errors import ConfigError
from sdlib.films.lungs import LUNG_SIZE, LungUNet, lung_mask_of, predict_lungs


def rgb(grey):
    return np.repeat(grey[..., None], 3, axis=-1)


@pytest.mark.parametrize("n", [0, 1, 33])
def test_probabilities_of_a_known_network(n):
    grey = np.random.default_rng(0).integers(0, 256, (n, LUNG_SIZE, LUNG_SIZE), dtype=np.uint8)
    found = predict_lungs(lambda films: films / 64 - 2, rgb(grey))
    assert found.dtype == np.uint8
    np.testing.assert_allclose(found, 255 * expit(grey / 64 - 2), atol=0.51)


def test_chunks_do_not_matter():
    rng = np.random.default_rng(0)
    films = rgb(rng.integers(0, 256, (35, LUNG_SIZE, LUNG_SIZE), dtype=np.uint8))
    torch.manual_seed(0)
    network = LungUNet().eval()
    alone = predict_lungs(network, films[33:34])[0]
    np.testing.assert_allclose(predict_lungs(network, films)[33].astype(int), alone, atol=1)


@pytest.mark.parametrize("shape", [(1, 64, 64, 3), (96, 96, 3), (1, 96, 96)])
def test_films_of_another_size_are_refused(shape):
    with pytest.raises(ConfigError, match="expected"):
        predict_lungs(lambda films: films, np.zeros(shape, np.uint8))


def squares(*boxes, size=24):
    """Full probability in boxes (top, bottom, left, right)."""
    probability = np.zeros((size, size), np.uint8)
    for top, bottom, left, right in boxes:
        probability[top:bottom, left:right] = 255
    return probability


def test_the_two_largest_regions_are_kept():
    lungs, speck = [(2, 20, 2, 9), (3, 19, 13, 21)], (21, 23, 10, 13)
    np.testing.assert_array_equal(
        lung_mask_of(squares(*lungs, speck), 24), squares(*lungs).astype(bool)
    )
    np.testing.assert_array_equal(lung_mask_of(squares(speck), 24), squares(speck).astype(bool))


def test_holes_are_filled():
    probability = squares((2, 20, 2, 20))
    probability[8:12, 8:12] = 0
    np.testing.assert_array_equal(lung_mask_of(probability, 24), squares((2, 20, 2, 20)) > 0)


@pytest.mark.parametrize("factor", [2, 3])
def test_masks_grow_with_the_film(factor):
    found = lung_mask_of(squares((4, 20, 4, 10), (4, 20, 14, 20)), 24 * factor)
    expected = squares((4, 20, 4, 10), (4, 20, 14, 20)).repeat(factor, 0).repeat(factor, 1) > 0
    # Interpolation rounds the corners alone.
    assert found.shape == expected.shape
    assert (found ^ expected).sum() <= 8 * factor**2


def test_a_half_is_the_limit_and_nothing_is_nothing():
    assert not lung_mask_of(np.full((8, 8), 127, np.uint8), 8).any()
    assert lung_mask_of(np.full((8, 8), 128, np.uint8), 8).all()
    assert lung_mask_of(np.zeros((8, 8), np.uint8), 20).shape == (20, 20)


@pytest.mark.parametrize("size", [0, -1, 8.5, "8"])
def test_sizes_that_cannot_be(size):
    with pytest.raises(ConfigError, match="size"):
        lung_mask_of(np.zeros((8, 8), np.uint8), size)
