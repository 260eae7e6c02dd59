"""Films of every kind of file become the same grey square."""

import pickle

import cv2
import numpy as np
import pytest
from PIL import Image

from sdlib.datasets.film_store import FilmStore, cached_films, cached_whole_films, read_film
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


# -- Squares that are kept


def test_kept_squares_are_those_of_the_store(store, tmp_path):
    kept = cached_films(store, "toy", tmp_path / "cache")
    rows = np.arange(5)
    np.testing.assert_array_equal(kept.batch(rows), store.batch(rows))


def test_damaged_films_are_listed_and_black(store, tmp_path):
    store.path(3).write_bytes(store.path(3).read_bytes()[:-30])
    for _ in range(2):
        kept, damaged = cached_whole_films(store, "toy", tmp_path / "cache")
        assert list(damaged) == [3]
        assert "3.png (row 5 of a.csv) cannot be decoded" in damaged[3]
        assert not kept.batch(np.array([3])).any()
        np.testing.assert_array_equal(kept.batch(np.array([4])), store.batch(np.array([4])))
    with pytest.raises(DataError, match=r"3.png \(row 5 of a.csv\)"):
        cached_films(store, "toy", tmp_path / "cache")


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', None])
def test_squares_without_their_list_are_decoded_again(store, tmp_path, content):
    store.path(3).unlink()
    cached_whole_films(store, "toy", tmp_path / "cache")
    notes = next((tmp_path / "cache").glob("*.json"))
    notes.unlink()
    if content is not None:
        notes.write_text(content)
    assert list(cached_whole_films(store, "toy", tmp_path / "cache")[1]) == [3]
    assert '"3"' in notes.read_text()


def test_a_film_that_was_replaced_is_decoded_again(store, tmp_path):
    cached_films(store, "toy", tmp_path / "cache")
    Image.fromarray(255 - GREY).save(store.path(0))
    kept = cached_films(store, "toy", tmp_path / "cache")
    np.testing.assert_array_equal(kept.batch(np.array([0]))[0], square_film(255 - GREY, 16))
