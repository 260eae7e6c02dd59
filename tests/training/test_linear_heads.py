"""The study of linear heads: whole patients, theory beside measurement, what theory demands."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn.metrics import roc_auc_score

from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError
from sdlib.experiments import PROFILES
from sdlib.experiments.measurements import LINEAR_HEADS
from sdlib.results.key import THIS_RUN, PlaceKey
from sdlib.results.linear_heads import (
    ALL_FILMS,
    AUROCS,
    HEAD_COLUMNS,
    STAGES,
    read_heads,
    read_source_heads,
)
from sdlib.training import linear_heads
from sdlib.training.features import frozen_features
from sdlib.training.linear_heads import DECAYS, LAMBDAS, SCALES, draw_patients, make, measured

LOAD = linear_heads._load
FILMS = {"train": 60, "validation": 30, "inside": 30, "outside": 30}


def film_set(part, deal, situation):
    """Films of noise, brighter where there is disease; of two sources where they are added."""
    rng = np.random.default_rng([deal, len(situation), list(FILMS).index(part)])
    n = FILMS[part]
    targets = np.arange(n) % 2
    images = rng.integers(0, 200, (n, 32, 32, 3)) + 20 * targets[:, None, None, None]
    source = np.where(np.arange(n) % 3 < 1, "a", "b" if situation == "added" else "a")
    patients = np.array([f"{part} {number // 2}" for number in range(n)])
    return TileSet(images.astype(np.uint8), targets, patients, {"source": source})


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Small films of noise, and a random miniature network in the place of the pretrained one."""
    cache = tmp_path_factory.mktemp("features")

    def load(source, scale, deal, situation):
        return {part: film_set(part, deal, situation) for part in FILMS}

    def features(films, network):
        return frozen_features(films, "test_efficientnet", pretrained=False, cache=cache)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(linear_heads, "_load", load)
        patched.setattr(linear_heads, "frozen_features", features)
        yield features


@pytest.fixture(scope="module")
def heads(small):
    return measured("smoke", "phantom", log=lambda line: None)[0]


class TestTheStudy:
    def test_every_arm_stage_and_strength_is_there(self, heads):
        assert list(heads.columns) == list(HEAD_COLUMNS)
        subsets = heads.groupby(["situation", "films", "deal", "subset"])
        assert len(subsets) == 2 * (SCALES["smoke"].subsets + 1)
        # Either penalty has as many strengths as the other.
        assert len(LAMBDAS) == len(DECAYS)
        for _, lines in subsets:
            counts = lines.groupby(["arm", "stage"]).size().to_dict()
            assert counts == {
                ("sd_eq1", "rest"): len(LAMBDAS),
                ("sd_eq1", "steps"): len(LAMBDAS),
                ("sd_eq1", "theory"): len(LAMBDAS),
                ("sd_eq2", "rest"): 1,
                ("weight_decay", "rest"): len(DECAYS),
                ("weight_decay", "steps"): len(DECAYS),
                ("weight_decay", "theory"): 1,
            }
        assert set(heads["stage"]) == set(STAGES)

    def test_at_rest_all_is_as_theory_has_it(self, heads):
        names = ["situation", "films", "deal", "subset"]
        for _, lines in heads[heads["arm"] == "sd_eq1"].groupby(names):
            rest, theory = (lines[lines["stage"] == stage] for stage in ("rest", "theory"))
            columns = [*AUROCS, "weak_share"]
            np.testing.assert_allclose(rest[columns], theory[columns], atol=1e-6)
            # Neither the ranking nor the direction depends on lambda.
            np.testing.assert_allclose(rest[columns].std(), 0, atol=1e-6)
            np.testing.assert_allclose(rest["margin_sd"], 0, atol=1e-6)
        decay = heads[(heads["arm"] == "weight_decay") & (heads["stage"] == "rest")]
        assert decay["margin_sd"].min() > 0.01

    def test_equation_2_ranks_as_equation_1(self, heads):
        names = ["situation", "films", "deal", "subset"]
        rest = heads[heads["stage"] == "rest"].set_index(names)
        second = rest[rest["arm"] == "sd_eq2"]
        first = rest[(rest["arm"] == "sd_eq1") & (rest["strength"] == 1.0)]
        columns = [*AUROCS, "weak_share"]
        np.testing.assert_allclose(first[columns], second[columns], atol=1e-6)

    def test_it_comes_out_alike_each_time(self, heads, small):
        again = measured("smoke", "phantom", log=lambda line: None)[0]
        assert again.equals(heads)

    def test_films_are_counted(self, heads):
        few, all_of_them = (heads[heads["films"] == films] for films in (20, ALL_FILMS))
        assert few["used"].between(20, 21).all()
        assert (all_of_them["used"] == FILMS["train"]).all()


def test_more_films_than_features_have_no_theory_but_rest(small, monkeypatch):
    monkeypatch.setattr(linear_heads, "frozen_features", lambda *given: small(*given)[:, :20])
    heads = measured("smoke", "phantom", log=lambda line: None)[0]
    whole = heads[(heads["films"] == ALL_FILMS) & (heads["arm"] == "sd_eq1")]
    assert set(whole["stage"]) == {"rest", "steps"}
    assert whole["margin_sd"].min() > 0.01


@pytest.mark.parametrize("situation", ["shared", "added"])
def test_the_phantoms_films(situation, outputs, tmp_path, monkeypatch):
    monkeypatch.setenv("SDLIB_CACHE", str(tmp_path))
    few = dataclasses.replace(SCALES["smoke"], count=60)
    sets = LOAD("phantom", few, 0, situation)
    sources = {part: set(films.factors["source"]) for part, films in sets.items()}
    inside = {"a", "b"} if situation == "added" else {"a"}
    assert sources == dict.fromkeys(("train", "validation", "inside"), inside) | {"outside": {"c"}}
    patients = [set(sets[part].groups) for part in ("train", "validation", "inside")]
    assert len(set.union(*patients)) == sum(map(len, patients))


def test_a_film_of_several_sets_is_read_once(small, monkeypatch):
    read = []

    def features(films, network):
        read.append(len(films))
        return np.arange(len(films), dtype=np.float32)[:, None]

    monkeypatch.setattr(linear_heads, "frozen_features", features)
    one, other = film_set("train", 0, "shared"), film_set("inside", 0, "shared")
    found = linear_heads._features({"x": one.subset([3, 5]), "y": one, "z": other.subset([0])})
    assert read == [FILMS["train"] + 1]
    np.testing.assert_array_equal(found["x"], found["y"][[3, 5]])
    assert len({*found["y"].ravel(), *found["z"].ravel()}) == FILMS["train"] + 1


def test_it_is_made_and_read_back(small, outputs, recorded):
    lines = []
    make("robustness", "smoke", "phantom", log=lines.append)
    key = PlaceKey("robustness", "smoke", "phantom", THIS_RUN)
    heads, sources = read_heads(key), read_source_heads(key)
    assert len(heads) == 2 * 3 * (3 * len(LAMBDAS) + 2 * len(DECAYS) + 2)
    assert sources[["situation", "source", "films"]].to_numpy().tolist() == [
        ["added", "a", 40],
        ["added", "b", 80],
    ]
    assert lines[0] == "features of 300 films, each one read once"
    assert LINEAR_HEADS.done_file("robustness", "smoke", "phantom").exists()


def test_aurocs_are_scikit_learns():
    rng = np.random.default_rng(0)
    targets, scores = np.append(rng.integers(0, 2, 38), [0, 1]), rng.integers(0, 9, (40, 5))
    expected = [roc_auc_score(targets, column) for column in scores.T]
    np.testing.assert_allclose(linear_heads._aurocs(targets, scores), expected, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 100), films=st.integers(2, 40))
def test_patients_are_drawn_whole(seed, films):
    rng = np.random.default_rng(seed)
    patients = rng.integers(0, 25, 60).astype(str)
    targets = np.append(rng.integers(0, 2, 58), [0, 1])
    rows = draw_patients(patients, targets, films, rng)
    others = np.setdiff1d(np.arange(60), rows)
    assert not set(patients[rows]) & set(patients[others])
    assert len(np.unique(targets[rows])) == 2
    assert len(rows) >= films
    # No patient too many: without the largest there would be too few films.
    assert len(rows) - max(np.unique(patients[rows], return_counts=True)[1]) < films


class TestBadInput:
    def test_too_many_films(self):
        with pytest.raises(ConfigError, match="at most 4 films, of both classes, got 5 of 2"):
            draw_patients(np.array(list("abcd")), np.array([0, 1, 0, 1]), 5, None)

    def test_one_class(self):
        with pytest.raises(ConfigError, match="at most 4 films, of both classes, got 2 of 1"):
            draw_patients(np.array(list("abcd")), np.zeros(4), 2, None)

    def test_a_source_without_films(self):
        with pytest.raises(DataError, match="the source pcam has no films with their sources"):
            measured("smoke", "pcam")

    def test_real_films_that_are_not_at_hand(self, outputs):
        with pytest.raises(DataError, match="SDLIB_DATA"):
            LOAD("open", SCALES["smoke"], 0, "shared")


def test_every_profile_has_a_scale():
    assert set(SCALES) == set(PROFILES)
