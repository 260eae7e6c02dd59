"""Films of every kind of file become the same grey square."""

import pickle

import cv2
import numpy as np
import pytest
from PIL import Image

from sdlib.datasets.film_store import FilmStore, read_film
from sdlib.datasets.image_stores import ImageStore
from sdlib.errors import DataError
from sdlib.films import square_film

GREY = np.random.default_rng(0).integers(0, 256, (40, 30), dtype=np.uint8)


@pytest.mark.parametrize(
    ("ending", "image"),
    [
        ("png", Image.fromarray(GREY)),
        ("png", Image.fromarray(GREY.astype(np.uint16) * 257)),
        ("tif", Image.fromarray(GREY.astype(np.uint16) * 257)),
        ("png", Image.fromarray(np.repeat(GREY[:, :, None], 3, axis=2))),
        ("png", Image.fromarray(GREY).convert("LA")),
        ("png", Image.fromarray(GREY).convert("RGBA")),
        ("gif", Image.fromarray(GREY)),
        ("bmp", Image.fromarray(GREY)),
    ],
    ids=lambda value: value if isinstance(value, str) else value.mode,
)
def test_every_kind_of_file_is_its_8_bit_twin(tmp_path, ending, image):
    path = tmp_path / f"film.{ending}"
    image.save(path)
    np.testing.assert_array_equal(read_film(path), GREY)


def test_16_bits_are_scaled_over_the_whole_range_of_the_type(tmp_path):
    """Dark films stay dark: what a film's own range was is not looked at."""
    values = np.random.default_rng(1).integers(0, 4096, (20, 20)).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "film.png")
    found = read_film(tmp_path / "film.png")
    np.testing.assert_array_equal(found, np.rint(values / 257))
    # The high byte, which is what DeGrave et al. take, differs by one grey level at most.
    assert np.abs(found.astype(int) - (values >> 8)).max() <= 1


def test_colour_becomes_luma(tmp_path):
    colours = np.random.default_rng(2).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "film.png")
    wanted = colours @ np.array([0.299, 0.587, 0.114])
    assert np.abs(read_film(tmp_path / "film.png") - wanted).max() <= 0.51


@pytest.fixture
def store(tmp_path):
    for number in range(5):
        Image.fromarray(GREY[number:]).save(tmp_path / f"{number}.png")
    return FilmStore(tmp_path, [f"{number}.png" for number in range(5)], 16, range(2, 7), "a.csv")


def test_squares_are_those_of_the_regimen_in_any_order(store):
    assert isinstance(store, ImageStore)
    rows = np.array([4, 0, 0, 2])
    wanted = [square_film(GREY[number:], 16) for number in rows]
    np.testing.assert_array_equal(store.batch(rows), wanted)
    # The short side is resized before the square is cut, not after.
    whole = cv2.resize(GREY, (16, 21), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(store.batch(np.array([0]))[0, :, :, 1], whole[2:18])


def test_an_empty_batch_and_a_journey_to_another_process(store):
    assert store.batch(np.array([], int)).shape == (0, 16, 16, 3)
    again = pickle.loads(pickle.dumps(store))
    rows = np.array([3, 1])
    np.testing.assert_array_equal(again.batch(rows), store.batch(rows))


def test_a_missing_film_is_named_with_its_row(store):
    store.path(3).unlink()
    with pytest.raises(DataError, match=r"3.png \(row 5 of a.csv\), found none"):
        store.batch(np.array([1, 3]))
