"""Grouped splits: properties, and scikit-learn's splitter as a yardstick."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from sdlib.datasets.splits import FRACTIONS, grouped_split
from sdlib.errors import ConfigError, DataError


def cohort(n_groups: int, seed: int, purity: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Patients with 1 to 30 tiles each and their own share of cancer."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 31, n_groups)
    shares = rng.beta(purity, purity, n_groups)
    groups = np.repeat([f"p{i:03d}" for i in range(n_groups)], sizes)
    return (rng.random(len(groups)) < np.repeat(shares, sizes)).astype(int), groups


def deviation(targets: np.ndarray, parts: dict, fractions: dict) -> float:
    """Largest difference of a part's share of a class from what it should be."""
    return max(
        abs((targets[parts[name]] == label).sum() / (targets == label).sum() - share)
        for name, share in fractions.items()
        for label in (0, 1)
    )


@settings(deadline=None)
@given(st.integers(6, 60), st.integers(0, 10_000), st.integers(0, 3))
def test_no_group_is_divided_and_nothing_is_lost(n_groups, cohort_seed, seed):
    targets, groups = cohort(n_groups, cohort_seed)
    try:
        parts = grouped_split(targets, groups, seed=seed)
    except DataError:
        assume(False)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(len(targets)))
    members = [set(groups[part]) for part in parts.values()]
    assert all(a.isdisjoint(b) for a, b in itertools.combinations(members, 2))
    assert all(set(targets[part]) == {0, 1} for part in parts.values())


@pytest.mark.parametrize("seed", range(5))
def test_class_shares_are_kept(seed):
    targets, groups = cohort(200, seed)
    assert deviation(targets, grouped_split(targets, groups, seed=seed), FRACTIONS) < 0.02


def test_more_even_than_scikit_learn():
    fractions = dict.fromkeys("abcde", 0.2)
    ours, theirs = [], []
    for seed in range(20):
        targets, groups = cohort(40, seed)
        ours.append(deviation(targets, grouped_split(targets, groups, fractions, seed), fractions))
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        parts = [test for _, test in folds.split(targets, targets, groups)]
        theirs.append(deviation(targets, dict(zip("abcde", parts, strict=True)), fractions))
    assert np.mean(ours) < np.mean(theirs)


def test_single_tiles_give_the_exact_sizes():
    targets = np.repeat([0, 1], [300, 100])
    parts = grouped_split(targets, np.arange(400).astype(str))
    counts = {name: np.bincount(targets[part]).tolist() for name, part in parts.items()}
    assert counts == {"train": [210, 70], "validation": [45, 15], "test": [45, 15]}


def test_groups_of_one_class_are_still_stratified():
    targets = np.repeat([0, 1], 50)
    parts = grouped_split(targets, np.repeat(np.arange(20).astype(str), 5), {"a": 0.5, "b": 0.5})
    assert [np.bincount(targets[part]).tolist() for part in parts.values()] == [[25, 25]] * 2


def test_seed_decides_and_the_order_of_rows_does_not():
    targets, groups = cohort(60, 3)
    home = {name: set(groups[part]) for name, part in grouped_split(targets, groups).items()}
    order = np.random.default_rng(0).permutation(len(targets))
    shuffled = grouped_split(targets[order], groups[order])
    assert home == {name: set(groups[order][part]) for name, part in shuffled.items()}
    again, other = grouped_split(targets, groups, seed=0), grouped_split(targets, groups, seed=1)
    assert home == {name: set(groups[part]) for name, part in again.items()}
    assert home != {name: set(groups[part]) for name, part in other.items()}


@pytest.mark.parametrize(
    ("targets", "groups"),
    [
        ([0, 1, 0, 1], ["a", "a", "b", "b"]),  # two groups cannot fill three parts
        ([0, 0, 0, 1], ["a", "b", "c", "d"]),  # one cancer case cannot be in three parts
    ],
)
def test_too_few_groups_are_explained(targets, groups):
    with pytest.raises(DataError, match="groups are too few"):
        grouped_split(np.array(targets), np.array(groups))


@pytest.mark.parametrize("fractions", [{"a": 0.5, "b": 0.6}, {"a": 1.2, "b": -0.2}, {}])
def test_bad_fractions_are_refused(fractions):
    with pytest.raises(ConfigError, match="add up to 1"):
        grouped_split(np.array([0, 1]), np.array(["a", "b"]), fractions)


def test_a_group_for_every_target():
    message = r"one group per target, got groups of shape \(2,\) and targets of shape \(3,\)"
    with pytest.raises(ConfigError, match=message):
        grouped_split(np.array([0, 1, 1]), np.array(["a", "b"]))


def test_two_spellings_of_a_patient_are_in_one_part():
    targets = np.tile([0, 1], 60)
    plain = np.repeat([str(i) for i in range(30)], 4)
    spelt = plain.astype("U9")
    spelt[1::4] = [f"{name}.0" for name in plain[1::4]]
    spelt[2::4] = [f"\u00a0{name}\u200b" for name in plain[2::4]]
    for seed in range(10):
        expected = grouped_split(targets, plain, seed=seed)
        found = grouped_split(targets, spelt, seed=seed)
        assert {name: part.tolist() for name, part in found.items()} == {
            name: part.tolist() for name, part in expected.items()
        }
