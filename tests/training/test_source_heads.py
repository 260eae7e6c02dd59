"""Heads that predict the source: sure where it shows, no better than chance where it does not."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from sdlib.datasets.tiles import TileSet
from sdlib.errors import DataError
from sdlib.training.source_heads import source_aurocs

N = 240


def films(sources, per_patient=2, factors=None):
    images = np.zeros((N, 8, 8, 3), np.uint8)
    patients = np.repeat(np.arange(N // per_patient), per_patient).astype(str)
    factors = {"source": sources} if factors is None else factors
    return TileSet(images, np.arange(N) % 2, patients, factors)


SOURCES = np.repeat(["a", "b", "c"], N // 3)


def features(seed=0):
    return np.random.default_rng(seed).normal(size=(N, 6))


def test_a_source_that_shows_is_found_and_the_others_are_not_alike():
    shown = features()
    shown[:, 0] += 9 * (SOURCES == "b")
    found = source_aurocs(films(SOURCES), shown).set_index("source")
    assert found["films"].to_dict() == {"a": 80, "b": 80, "c": 80}
    assert found.loc["b", "auroc"] == 1.0
    # Of the other 160 films, those of b are told apart, a half of what there is.
    assert 0.6 < found.loc["a", "auroc"] < 0.9


def test_a_known_distance():
    """Normals one SD apart: AUROC is Phi(1 / sqrt 2) = .760, a little less with few films."""
    sources = np.tile(["a", "a", "b", "b"], N // 4)
    found = []
    for seed in range(3):
        shown = features(seed)
        shown[:, 0] += sources == "b"
        found.append(source_aurocs(films(sources), shown)["auroc"].iloc[0])
        best = roc_auc_score(sources == "b", shown[:, 0])
        assert found[-1] < best + 0.03
    assert np.mean(found) == pytest.approx(0.75, abs=0.04)


def test_noise_is_chance():
    sources = np.tile(["a", "a", "b", "b"], N // 4)
    found = [source_aurocs(films(sources), features(seed))["auroc"].mean() for seed in range(3)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.05)


def test_patients_are_new():
    """Features that name the patient tell nothing about another one."""
    rng = np.random.default_rng(0)
    sources = np.repeat(rng.permutation(np.repeat(["a", "b"], N // 24)), 12)
    own = np.repeat(rng.normal(size=(N // 12, 30)), 12, axis=0)
    found = source_aurocs(films(sources, per_patient=12), own)["auroc"].mean()
    assert found < 0.8  # with a patient's other films to learn from it would be 1


def test_one_source_leaves_nothing_to_tell():
    found = source_aurocs(films(np.full(N, "a")), features())
    assert list(found.columns) == ["source", "films", "auroc"]
    assert found.empty


def test_folds_without_the_source_are_left_out():
    """Two patients have most films of a, and most have films of both: a fold has no film of b."""
    counts = np.ravel([[40, 1, 1, 0, 1, 40], [5, 1, 20, 5, 20, 0]], order="F")
    sources = np.repeat(np.tile(["a", "b"], 6), counts)
    patients = np.repeat(np.arange(12) // 2, counts).astype(str)
    images = np.zeros((len(sources), 8, 8, 3), np.uint8)
    some = TileSet(images, np.arange(len(sources)) % 2, patients, {"source": sources})
    shown = features()[: len(sources)] + 9 * (sources == "a")[:, None]
    assert source_aurocs(some, shown)["auroc"].tolist() == [1, 1]


class TestBadInput:
    def test_no_source(self):
        with pytest.raises(DataError, match="a factor 'source', got the factors: view"):
            source_aurocs(films(None, factors={"view": SOURCES}), features())

    def test_features_of_other_films(self):
        with pytest.raises(DataError, match="expected features of 240 films, got 3"):
            source_aurocs(films(SOURCES), features()[:3])

    def test_a_source_of_few_patients(self):
        sources = np.where(np.arange(N) < 8, "rare", "a")
        with pytest.raises(DataError, match="at least 5 patients of rare, one per fold, got 4"):
            source_aurocs(films(sources), features())
