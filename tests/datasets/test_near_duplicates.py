"""Copies of films are found whatever was done to them; other films are not."""

import csv
import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from sdlib.datasets import near_duplicates as module
from sdlib.datasets.film_store import FilmStore
from sdlib.datasets.near_duplicates import join_near_duplicates, near_duplicates
from sdlib.datasets.store import data_folder
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError

SIZE = 96


def film(seed, size=SIZE):
    """Smooth noise: as much structure as there is in a film at this size."""
    noise = np.random.default_rng(seed).normal(size=(12, 12)).astype(np.float32)
    smooth = cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    return np.rint(60 + 120 * smooth).astype(np.uint8)


def tiles(films, groups=None):
    images = np.stack([np.repeat(image[:, :, None], 3, axis=2) for image in films])
    names = [f"p{number}" for number in range(len(films))] if groups is None else groups
    return TileSet(images, np.zeros(len(films), np.int64), np.array(names))


def as_jpeg(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=40)
    return np.asarray(Image.open(stream))


COPIES = {
    "itself": lambda image: image,
    "brighter": lambda image: image + 40,
    "of less contrast": lambda image: (image // 2 + 50).astype(np.uint8),
    "a JPEG": as_jpeg,
    "from half the size": lambda image: cv2.resize(cv2.resize(image, (48, 48)), (SIZE, SIZE)),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_found(how):
    films = [film(0), film(1), COPIES[how](film(0)), film(2)]
    assert near_duplicates(tiles(films)).tolist() == [[0, 2]]


@pytest.mark.parametrize(
    "other", [lambda image: 255 - image, lambda image: image[:, ::-1], lambda image: image.T]
)
def test_what_is_no_copy(other):
    assert near_duplicates(tiles([film(0), np.ascontiguousarray(other(film(0)))])).tolist() == []


def test_films_of_one_grey_are_nobodys_copies():
    grey = np.full((SIZE, SIZE), 7, np.uint8)
    assert near_duplicates(tiles([grey, grey, film(0)])).tolist() == []


@pytest.mark.parametrize("block", [1, 3, 100])
def test_as_by_brute_force(monkeypatch, block):
    monkeypatch.setattr(module, "BLOCK", block)
    films = [film(seed % 7, 64) for seed in range(20)]
    thumbnails = [cv2.resize(one, (32, 32), interpolation=cv2.INTER_AREA).ravel() for one in films]
    correlations = np.corrcoef(thumbnails)
    wanted = [[i, j] for i in range(20) for j in range(i + 1, 20) if correlations[i, j] >= 0.98]
    assert near_duplicates(tiles(films)).tolist() == wanted
    assert len(wanted) == 19


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abcdef")), min_size=1, max_size=10))
def test_no_film_is_in_two_groups_and_none_is_lost(rows):
    films = tiles([film(seed, 32) for seed, _ in rows], [group for _, group in rows])
    joined = join_near_duplicates(films)
    for seed in {seed for seed, _ in rows}:
        of_film = [number for number, (other, _) in enumerate(rows) if other == seed]
        assert len({joined.groups[number] for number in of_film}) == 1
        copies = [bool(joined.factors["is_copy"][number]) for number in of_film]
        assert copies == [False] + [True] * (len(of_film) - 1)
    for group in {group for _, group in rows}:
        assert len({joined.groups[i] for i, (_, other) in enumerate(rows) if other == group}) == 1
    np.testing.assert_array_equal(joined.images, films.images)


def test_groups_stay_as_they_are_without_copies():
    films = tiles([film(0), film(1), film(2)], ["a", "b", "a"])
    joined = join_near_duplicates(films)
    assert joined.groups.tolist() == ["a", "b", "a"]
    assert not joined.factors["is_copy"].any()


@pytest.mark.parametrize("threshold", [0, -1, 1.1, float("nan")])
def test_thresholds_out_of_range(threshold):
    with pytest.raises(ConfigError, match="expected threshold from"):
        near_duplicates(tiles([film(0)]), threshold)


def test_the_copies_that_are_marked_in_the_open_films():
    try:
        folder = data_folder("open-cxr")
    except DataError as error:
        pytest.skip(str(error))
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["source"] in ("cohen", "figure1")]
    files = [row["file"] for row in rows]
    pairs = near_duplicates(FilmStore(folder, files, 128))
    found = {files[second]: files[first] for first, second in pairs}
    assert found == {row["file"]: row["duplicate_of"] for row in rows if row["duplicate_of"]}
