"""Cohorts: all images or as many of each class, on some sources, or from one of their own."""

import dataclasses

import numpy as np
import pytest

from sdlib import datasets
from sdlib.datasets.sources import FILMS, SOURCES, TILES, source_of
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError
from sdlib.experiments.cohorts import Cohort, Preparation, load_cohort

TARGETS = np.array([0] * 30 + [1] * 10)


@pytest.fixture
def unequal(monkeypatch):
    """Thirty negative and ten positive tiles in place of every part of `open`."""
    images = np.zeros((40, 8, 8, 3), np.uint8) + np.arange(40, dtype=np.uint8)[:, None, None, None]
    tiles = TileSet(images, TARGETS, np.arange(40).astype(str))
    monkeypatch.setattr(datasets, "load_open_pcam", lambda part, size: tiles)


@pytest.mark.parametrize(
    ("cohort", "expected"),
    [
        (Cohort(("test",), whole=True), [10, 10]),
        (Cohort(("test",)), [8, 8]),  # the test part's share of 100 tiles is 17
        (Cohort(("test",), most=6), [3, 3]),
        (Cohort(("test",), most=60), [8, 8]),
        (Cohort(("test",), most=60, whole=True), [10, 10]),
        (Cohort(("test",), balanced=False), [30, 10]),
        (Cohort(("test",), whole=True, balanced=False), [30, 10]),
        (Cohort(("validation", "test"), balanced=False), [60, 20]),
    ],
)
def test_classes_are_balanced_unless_a_cohort_says_otherwise(unequal, cohort, expected):
    tiles = load_cohort(cohort, SOURCES["open"], 8, 100, 0)
    assert np.bincount(tiles.targets).tolist() == expected


def test_a_cohort_that_is_not_balanced_keeps_the_order(unequal):
    tiles = load_cohort(Cohort(("test",), balanced=False), SOURCES["open"], 8, 100, 0)
    assert tiles.images[:, 0, 0, 0].tolist() == list(range(40))


@pytest.mark.parametrize(
    "other",
    [
        Cohort(("test",), balanced=False),
        Cohort(("test",), sources=("open",)),
        Cohort(("test",), {"visible": "lungs"}),
        Cohort(("test",), source="peso"),
    ],
)
def test_what_may_hold_other_tiles_has_targets_of_its_own(other):
    assert not Cohort(("test",)).same_tiles(other)
    assert other.same_tiles(dataclasses.replace(other, prepare=Preparation("new", list)))


def test_a_cohorts_own_source_is_of_the_experiments_images(monkeypatch, toy_tiles):
    """Both kinds of images have a source `open`."""
    of_tiles, of_films = toy_tiles(seed=0), toy_tiles(seed=1)
    monkeypatch.setattr(datasets, "load_open_pcam", lambda part, size: of_tiles)
    monkeypatch.setattr(datasets, "load_open_cxr", lambda part, **settings: of_films)
    cohort = Cohort(("test",), source="open", balanced=False)
    run_source = SOURCES["phantom"]
    assert load_cohort(cohort, run_source, 8, 64, 0, FILMS) is of_films
    assert load_cohort(cohort, run_source, 8, 64, 0, TILES) is of_tiles
    assert load_cohort(cohort, run_source, 8, 64, 0) is of_tiles


def test_an_unknown_kind_of_images():
    with pytest.raises(ConfigError, match="unknown kind of images 'slides'; expected one of: til"):
        source_of("phantom", "slides")
