"""Tiles of a run: balanced, disjoint by patient, the same whenever they are asked for."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, strategies as st

from sdlib.datasets import sources
from sdlib.datasets.sources import balanced
from sdlib.datasets.tiles import TileSet
from sdlib.errors import DataError
from sdlib.experiments import EXPERIMENTS, PROFILES, Run
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
        everything = sources.generate(160, 32, 0)
        monkeypatch.setattr(sources, "generate", lambda *args, **kwargs: everything)
        other = dataclasses.replace(EXPERIMENTS["cutout"], data_seed=1)
        monkeypatch.setitem(EXPERIMENTS, "cutout", other)
        assert set(load_tiles(RUN)["test"].groups) != set(parts["test"].groups)


class TestFiles:
    @pytest.mark.parametrize(
        ("source", "loader"), [("open", "load_open_pcam"), ("pcam", "load_pcam")]
    )
    def test_sizes_and_splits(self, monkeypatch, source, loader):
        asked = []

        def load(split, size):
            asked.append((split, size))
            return tiles_of([0, 1] * 60 + [0] * 9)

        monkeypatch.setattr(sources, loader, load)
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

        monkeypatch.setattr(sources, "load_open_pcam", load)
        run = Run(f"stain_{cluster.lower()}", "sd_eq1_none", 0, "smoke", "open")
        parts = load_tiles(run)
        colours = {part: set(tiles.images[:, 0, 0, 0].tolist()) for part, tiles in parts.items()}
        own, other = (0, 20) if cluster == "A" else (20, 0)
        assert colours == {
            "train": {own},
            "validation": {70 + own},
            "test": {140 + own},
            "across": {70 + other, 140 + other},  # never a training tile
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
