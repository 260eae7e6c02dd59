"""Tiles of a run: balanced, disjoint by patient, the same whenever they are asked for."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, strategies as st

from sdlib import datasets
from sdlib.datasets import phantom_cohorts
from sdlib.datasets.normalised import fit_to_training
from sdlib.datasets.source import balanced
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError
from sdlib.experiments import EXPERIMENTS, PROFILES, Run
from sdlib.experiments.cohorts import Cohort, Preparation
from sdlib.training import data, lungs
from sdlib.training.data import load_tiles

RUN = Run("cutout", "weight_decay", 0, "smoke")


def tiles_of(targets):
    n = len(targets)
    images = np.zeros((n, 2, 2, 3), np.uint8)
    images[:, 0, 0, 0] = np.arange(n)
    return TileSet(images, np.array(targets, np.int64), np.arange(n).astype(str))


@given(
    st.lists(st.integers(0, 1), min_size=1, max_size=60),
    st.integers(0, 2**32),
    st.none() | st.integers(0, 80),
)
def test_balanced(targets, seed, most):
    tiles = tiles_of(targets)
    found = balanced(tiles, seed, most)
    each = min(targets.count(0), targets.count(1))
    each = min(each, most // 2) if most is not None else each
    assert np.bincount(found.targets, minlength=2).tolist() == [each, each]
    numbers = found.images[:, 0, 0, 0]
    assert (np.diff(numbers.astype(int)) > 0).all()  # in order, none twice
    np.testing.assert_array_equal(found.targets, tiles.targets[numbers])
    np.testing.assert_array_equal(found.groups, tiles.groups[numbers])
    np.testing.assert_array_equal(balanced(tiles, seed, most).images, found.images)


def test_balanced_draws_by_its_seed_and_from_all():
    tiles = tiles_of([0] * 10 + [1] * 90)
    drawn = [set(balanced(tiles, seed).images[10:, 0, 0, 0].tolist()) for seed in range(60)]
    assert len({frozenset(each) for each in drawn}) > 50
    assert set.union(*drawn) == set(range(10, 100))


class TestPhantom:
    @pytest.fixture
    def parts(self, smoke):
        tiles = load_tiles(RUN, prepared=False)
        return {name: tiles[name] for name in ("train", "validation", "test")}

    def test_patients_are_dealt_as_in_the_paper(self, parts):
        patients = {part: set(tiles.groups) for part, tiles in parts.items()}
        assert list(parts) == ["train", "validation", "test"]
        assert sum(map(len, patients.values())) == len(set.union(*patients.values()))
        assert [len(p) for p in patients.values()] <= [21, 4, 5]
        assert len(patients["train"]) > 15

    def test_balanced_and_at_the_profiles_size(self, parts):
        for tiles in parts.values():
            assert tiles.targets.mean() == 0.5
            assert tiles.size == PROFILES["smoke"].size
            assert "gland_size" in tiles.factors
        assert sum(map(len, parts.values())) <= PROFILES["smoke"].tiles

    def test_the_same_for_every_arm_and_seed(self, parts):
        again = load_tiles(Run("cutout", "control", 7, "smoke"), prepared=False)
        for part, tiles in parts.items():
            np.testing.assert_array_equal(tiles.images, again[part].images)

    def test_the_data_seed_deals_the_patients(self, parts, monkeypatch):
        everything = phantom_cohorts.generate(160, 32, 0)
        monkeypatch.setattr(phantom_cohorts, "generate", lambda *args, **kwargs: everything)
        other = dataclasses.replace(EXPERIMENTS["cutout"], data_seed=1)
        monkeypatch.setitem(EXPERIMENTS, "cutout", other)
        assert set(load_tiles(RUN)["test"].groups) != set(parts["test"].groups)


class TestOnly:
    """Some cohorts alone, and preparations that are fitted on the training tiles."""

    def test_no_other_cohort_is_loaded(self, smoke, monkeypatch):
        whole, asked = load_tiles(RUN), []
        real = data.load_cohort

        def watched(cohort, *arguments):
            asked.append(cohort.parts)
            return real(cohort, *arguments)

        monkeypatch.setattr(data, "load_cohort", watched)
        found = load_tiles(RUN, only=["clean", "validation"])
        assert set(found) == {"train", "clean", "validation"}
        assert sorted(asked) == [("test",), ("train",), ("validation",)]
        for name, tiles in found.items():
            np.testing.assert_array_equal(tiles.images, whole[name].images)
            np.testing.assert_array_equal(tiles.targets, whole[name].targets)
        assert set(load_tiles(RUN, only=["train"])) == {"train"}

    def test_a_cohort_that_there_is_not_is_refused(self, smoke):
        with pytest.raises(
            ConfigError, match="unknown cohort of cutout 'tset'; expected one of: tr"
        ):
            load_tiles(RUN, only=["tset"])

    def test_a_fitted_preparation_gets_the_training_tiles_as_they_were(self, smoke, monkeypatch):
        """The training tiles are prepared, too: what is fitted must not see that."""
        given = []

        def prepare(tiles, seed, training):
            given.append((seed, training))
            return tiles

        dark = Preparation("dark", lambda tiles, seed: tiles.subset(slice(0, 4)))
        fitted = Preparation("fitted", prepare, fitted=True)
        evaluation = {
            "validation": Cohort(("validation",)),
            "test": Cohort(("test",), prepare=fitted),
            "again": Cohort(("validation",), prepare=fitted),
        }
        other = dataclasses.replace(
            EXPERIMENTS["cutout"],
            training=Cohort(("train",), prepare=dark),
            evaluation=evaluation,
            measurements=(),
            data_seed=0,
        )
        before = load_tiles(RUN, prepared=False)["train"]
        monkeypatch.setitem(EXPERIMENTS, "cutout", other)
        found = load_tiles(RUN)
        assert len(found["train"]) == 4
        assert [seed for seed, _ in given] == [0, 0]
        for _, training in given:
            np.testing.assert_array_equal(training.images, before.images)

    def test_normalised_cohorts_have_the_training_tiles_stains(self, smoke):
        run = Run("prostate", "sd_eq1_none", 0, "smoke")
        found = load_tiles(run, only=["external", "external_normalised"])
        normaliser = fit_to_training(found["train"], 0)
        expected = normaliser.transform(found["external"].images)
        np.testing.assert_array_equal(found["external_normalised"].images, expected)
        np.testing.assert_array_equal(
            found["external_normalised"].targets, found["external"].targets
        )


class TestFiles:
    @pytest.mark.parametrize(
        ("source", "loader"), [("open", "load_open_pcam"), ("pcam", "load_pcam")]
    )
    def test_sizes_and_splits(self, monkeypatch, source, loader):
        asked = []

        def load(split, size):
            asked.append((split, size))
            return tiles_of([0, 1] * 60 + [0] * 9)

        monkeypatch.setattr(datasets, loader, load)
        parts = load_tiles(dataclasses.replace(RUN, source=source))
        parts = {part: parts[part] for part in ("train", "validation", "test")}
        assert asked == [(split, 32) for split in ("train", "validation", "test")]
        # At most 160 tiles, 21 : 4 : 5, and never more than there are.
        assert {part: len(tiles) for part, tiles in parts.items()} == {
            "train": 112,
            "validation": 20,
            "test": 26,
        }
        assert all(tiles.targets.mean() == 0.5 for tiles in parts.values())

    @pytest.mark.parametrize("cluster", ["A", "B"])
    def test_one_stain_cluster_and_the_other(self, monkeypatch, cluster):
        def load(split, size):
            tiles = tiles_of([0, 1] * 60)
            column = np.array(["A", "B", ""])[np.arange(120) // 2 % 3]
            offset = ("train", "validation", "test").index(split) * 70
            images = np.full((120, size, size, 3), offset, np.uint8)
            shades = np.array([0, 20, 40], np.uint8)
            images[..., 0] += shades[np.arange(120) // 2 % 3, None, None]
            return TileSet(images, tiles.targets, tiles.groups, {"stain_cluster": column})

        monkeypatch.setattr(datasets, "load_open_pcam", load)
        run = Run(f"stain_{cluster.lower()}", "sd_eq1_none", 0, "smoke", "open")
        parts = load_tiles(run, prepared=False)
        colours = {part: set(tiles.images[:, 0, 0, 0].tolist()) for part, tiles in parts.items()}
        own, other = (0, 20) if cluster == "A" else (20, 0)
        assert colours == {
            "train": {own},
            "validation": {70 + own},
            "test": {140 + own},
            "across": {70 + other, 140 + other},  # never a training tile
            "across_normalised": {70 + other, 140 + other},
        }
        assert all(tiles.targets.mean() == 0.5 for tiles in parts.values())

    @pytest.mark.parametrize(("source", "folder"), [("open", "open-pcam"), ("pcam", "pcam")])
    def test_not_at_hand(self, outputs, monkeypatch, tmp_path, source, folder):
        run = dataclasses.replace(RUN, source=source)
        with pytest.raises(DataError, match=f"{folder}.*SDLIB_DATA"):
            load_tiles(run)
        monkeypatch.setenv("SDLIB_DATA", str(tmp_path))
        with pytest.raises(DataError, match=rf"{folder}.*found no such folder"):
            load_tiles(run)


class TestLungs:
    """The network that finds lungs is trained where parts of real films are hidden."""

    @pytest.fixture
    def ensured(self, outputs, monkeypatch, toy_tiles):
        """What happens, in order: the network is ensured, films are loaded with what is visible."""
        happened = []
        films = toy_tiles(8, 32)

        def load(cohort, *arguments):
            happened.append(cohort.where.get("visible", "all"))
            return films

        monkeypatch.setattr(data, "load_cohort", load)
        monkeypatch.setattr(lungs, "ensure_lungs", lambda: happened.append("ensured"))
        return happened

    @pytest.mark.parametrize("only", [(), ("lungs",), ("test", "surroundings")])
    def test_before_the_first_films(self, ensured, only):
        load_tiles(Run("covid", "sd_eq2", 0, "laptop", "open"), only=only)
        assert ensured[0] == "ensured"
        assert ensured.count("ensured") == 1
        assert {"lungs", "surroundings"} & set(ensured)

    @pytest.mark.parametrize(
        ("experiment", "source", "only"),
        [
            ("covid", "open", ("test", "external")),
            ("covid", "phantom", ()),
            ("covid", "bimcv", ()),
            ("cutout", "open", ()),
        ],
    )
    def test_not_where_nothing_is_hidden_or_masks_are_known(
        self, ensured, monkeypatch, experiment, source, only
    ):
        run = Run(experiment, "sd_eq2", 0, "smoke" if source == "phantom" else "paper", source)
        load_tiles(run, prepared=False, only=only)
        assert "ensured" not in ensured
        hidden = {"lungs", "surroundings"} & set(ensured)
        assert bool(hidden) == (source == "phantom")
