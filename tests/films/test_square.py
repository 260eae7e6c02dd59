"""The square of a film: known pixels, the regimen's geometry, and inputs that are no film."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from torchvision import transforms

from sdlib.errors import ConfigError
from sdlib.films import square_film


def test_pixels_by_hand():
    film = np.array([[0, 10, 20, 30, 40, 50], [4, 14, 24, 34, 44, 54]], np.uint8)
    # The short side is 2 already: the two central columns are left.
    np.testing.assert_array_equal(square_film(film, 2)[..., 0], [[20, 30], [24, 34]])
    # One pixel is the mean of a block of 2 x 2; the three of them are cropped to the middle one.
    np.testing.assert_array_equal(square_film(film, 1)[..., 0], [[27]])
    np.testing.assert_array_equal(square_film(film.T, 2)[..., 0], [[20, 24], [30, 34]])


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 24))
def test_the_square_lies_where_torchvision_puts_it(height, width, size):
    short, long = min(height, width), max(height, width)
    resized = size * long // short
    assert transforms.functional._compute_resized_output_size((height, width), [size]) == (
        [size, resized] if height <= width else [resized, size]
    )
    rng = np.random.default_rng(height * 1000 + width)
    film = rng.integers(0, 256, (height, width), dtype=np.uint8)
    square = square_film(film, size)
    assert square.shape == (size, size, 3)
    sides = (resized, size) if width >= height else (size, resized)
    whole = film if short == size else cv2.resize(film, sides, interpolation=cv2.INTER_AREA)
    start = (resized - size) // 2
    expected = whole[:, start : start + size] if width >= height else whole[start : start + size]
    for channel in range(3):
        np.testing.assert_array_equal(square[..., channel], expected)


@given(st.integers(0, 255), st.integers(1, 30), st.integers(1, 30), st.integers(1, 20))
def test_a_film_of_one_grey_keeps_it(level, height, width, size):
    square = square_film(np.full((height, width), level, np.uint8), size)
    assert (square == level).all()


def test_the_film_is_left_alone_and_the_square_may_be_written_to():
    film = np.full((4, 4), 9, np.uint8)
    film.flags.writeable = False
    square = square_film(film, 4)
    square[:] = 0
    assert (film == 9).all()


def test_a_view_that_runs_backwards():
    film = np.arange(32, dtype=np.uint8).reshape(4, 8)
    turned = square_film(film[::-1, ::-1], 2)
    np.testing.assert_array_equal(turned, square_film(film, 2)[::-1, ::-1])


@pytest.mark.parametrize(
    ("image", "size", "said"),
    [
        (np.zeros((4, 4), np.uint16), 2, "got uint16"),
        (np.zeros((4, 4, 3), np.uint8), 2, r"expected a grey uint8 film \(H, W\).*one channel"),
        (np.zeros((0, 4), np.uint8), 2, "at least one pixel"),
        (np.zeros((4, 4), np.uint8), 0, "expected size of at least 1"),
        (np.zeros((4, 4), np.uint8), 2.0, "a whole number"),
    ],
)
def test_what_is_no_film(image, size, said):
    with pytest.raises(ConfigError, match=said):
        square_film(image, size)
