"""Experiments on real hospitals: which tiles of which source each cohort holds."""

import numpy as np
import pytest

from sdlib import datasets
from sdlib.datasets.source import Request
from sdlib.datasets.sources import SOURCES
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError
from sdlib.experiments import EXPERIMENTS, Run, runs_of
from sdlib.experiments.cohorts import Cohort, load_cohort
from sdlib.experiments.hospitals import SEEDS
from sdlib.training import run as training
from sdlib.training.data import load_tiles


def with_factors(tiles, **factors):
    """The same tiles with a constant value per factor, and groups that bear the values."""
    columns = {name: np.full(len(tiles), value) for name, value in factors.items()}
    prefix = "-".join(map(str, factors.values()))
    groups = np.array([f"{prefix}-{group}" for group in tiles.groups])
    return TileSet(tiles.images, tiles.targets, groups, columns)


@pytest.fixture
def camelyon17(monkeypatch, toy_tiles):
    """In place of the data set: noise, whose centre says which split was asked for."""

    def load(split, size):
        return with_factors(toy_tiles(64, size, len(split)), centre=split)

    monkeypatch.setattr(datasets, "load_camelyon17", load)


@pytest.fixture
def panda(monkeypatch, toy_tiles):
    """In place of the data set: noise of either provider, sixty tiles of thirty biopsies each."""

    def load(provider, size):
        providers = [provider] if provider else ["karolinska", "radboud"]
        parts = [with_factors(toy_tiles(60, size, len(p)), centre=p) for p in providers]
        return TileSet.joined(parts)

    monkeypatch.setattr(datasets, "load_panda", load)


@pytest.fixture
def peso(monkeypatch, toy_tiles):
    monkeypatch.setattr(
        datasets, "load_peso", lambda size: with_factors(toy_tiles(40, size, 9), centre="peso")
    )


def centres(tiles):
    return {name: set(one.factors["centre"]) for name, one in tiles.items()}


def test_hospitals_train_and_test_where_wilds_does(outputs, camelyon17):
    tiles = load_tiles(Run("hospitals", "sd_eq1_uniform", 0, "smoke", "camelyon17"))
    assert centres(tiles) == {
        "train": {"train"},
        "validation": {"validation"},
        "inside": {"id_validation"},
        "test": {"test"},
        "test_normalised": {"test"},
    }
    assert len(tiles["test"]) == 64  # all of them, whatever the profile's number of tiles
    assert len(tiles["validation"]) < 64
    assert (tiles["test"].images != tiles["test_normalised"].images).any()


def test_the_design_has_twenty_seeds_and_every_training_patch():
    runs = runs_of("hospitals", "paper", "camelyon17")
    assert {run.seed for run in runs} == set(range(SEEDS))
    settings = runs[0].settings
    assert settings.size == 96
    assert SOURCES["camelyon17"].most("train", settings.tiles) == 302_436


@pytest.mark.parametrize(
    ("trained", "other"), [("karolinska", "radboud"), ("radboud", "karolinska")]
)
def test_panda_trains_in_one_centre_and_tests_in_both(outputs, panda, trained, other):
    tiles = load_tiles(Run(f"panda_{trained}", "sd_eq1_uniform", 0, "smoke", "panda"))
    inside, outside = {trained}, {other}
    assert centres(tiles) == {
        "train": inside,
        "validation": inside,
        "test": inside,
        "across": outside,
        "across_normalised": outside,
    }
    biopsies = [set(tiles[name].groups) for name in ("train", "validation", "test")]
    assert not set.intersection(*biopsies)
    assert sum(map(len, biopsies)) == len(set.union(*biopsies))


def test_parts_of_panda_are_dealt_as_the_papers_cases(panda):
    source = SOURCES["panda"]
    where = {"centre": "radboud"}
    parts = [source.tiles(Request(p, 32, 0, 0, where)) for p in ("train", "validation", "test")]
    assert [len(set(part.groups)) for part in parts] == [21, 4, 5]
    with pytest.raises(ConfigError, match="unknown centre 'oslo'; expected one of: karolinska"):
        source.tiles(Request("train", 32, 0, 0, {"centre": "oslo"}))


def test_peso_tests_the_networks_of_karolinska(smoke, recorded, panda, peso):
    lender = Run("panda_karolinska", "sd_eq1_uniform", 0, "smoke", "panda")
    training.execute(lender, log=lambda line: None)
    row = training.execute(
        Run("peso", "sd_eq1_uniform", 0, "smoke", "panda"), log=lambda line: None
    )
    assert row["network_of"] == lender.id
    tiles = load_tiles(Run("peso", "sd_eq1_uniform", 0, "smoke", "panda"))
    assert centres(tiles)["test"] == {"peso"}
    assert centres(tiles)["train"] == {"karolinska"}


def test_a_cohorts_own_source_goes_before_the_runs(panda, peso):
    cohort = Cohort(("test",), source="peso", whole=True)
    tiles = load_cohort(cohort, SOURCES["panda"], 32, 160, 0)
    assert set(tiles.factors["centre"]) == {"peso"}
    assert not cohort.same_tiles(Cohort(("test",), whole=True))


def test_nothing_else_is_trained_on_these_sources():
    for source in ("camelyon17", "panda"):
        here = {name for name in EXPERIMENTS if runs_of(name, "paper", source)}
        assert here == {name for name, one in EXPERIMENTS.items() if one.sources == (source,)}
