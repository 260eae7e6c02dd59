"""Resampled AUROCs against scikit-learn on the same resamples, DeLong's interval, and coverage."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from sdlib.errors import ConfigError
from sdlib.metrics import (
    bootstrap_auroc,
    bootstrap_difference,
    delong_test,
    resample_counts,
)

WAYS = ["examples", "stratified", "groups"]


def drawn(seed, n, levels=None):
    """Targets, scores of two related networks, and groups of unequal size."""
    rng = np.random.default_rng(seed)
    y_true = rng.integers(0, 2, n)
    y_true[:2] = [0, 1]
    common = y_true + rng.normal(size=n)
    scores = common + rng.normal(size=n), common + rng.normal(size=n)
    if levels:
        scores = tuple(np.round(levels * stats.norm.cdf(score)) for score in scores)
    groups = np.array([f"patient{k}" for k in rng.geometric(3 / n, n)])
    return y_true, *scores, groups


def options(way, groups):
    return {"examples": {}, "stratified": {"stratified": True}, "groups": {"groups": groups}}[way]


def resampled_by_sklearn(y_true, score, counts):
    """The AUROC of each resample, its examples repeated; NaN where one class is missing."""
    aurocs = []
    for row in counts:
        examples = np.repeat(np.arange(len(y_true)), row)
        both = len(np.unique(y_true[examples])) == 2
        aurocs.append(roc_auc_score(y_true[examples], score[examples]) if both else math.nan)
    return np.array(aurocs)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("levels", [None, 40, 3])
@pytest.mark.parametrize("n", [6, 61, 700])
def test_equals_a_loop_of_scikit_learn_on_the_same_resamples(n, levels, way):
    y_true, score, other, groups = drawn(n, n, levels)
    chosen = {"n_resamples": 60, "seed": 11, **options(way, groups)}
    found = bootstrap_auroc(y_true, score, **chosen)
    counts = resample_counts(y_true, **chosen)
    expected = resampled_by_sklearn(y_true, score, counts)
    np.testing.assert_allclose(found.resampled, expected, rtol=0, atol=1e-12)
    assert found.estimate == pytest.approx(roc_auc_score(y_true, score), abs=1e-12)
    assert found.one_class == np.isnan(expected).sum()
    ends = np.nanpercentile(expected, [2.5, 97.5])
    np.testing.assert_allclose((found.low, found.high), ends, rtol=0, atol=1e-12)

    paired = bootstrap_difference(y_true, score, other, **chosen)
    expected = expected - resampled_by_sklearn(y_true, other, counts)
    np.testing.assert_allclose(paired.resampled, expected, rtol=0, atol=1e-12)
    assert paired.one_class == found.one_class
    estimate = roc_auc_score(y_true, score) - roc_auc_score(y_true, other)
    assert paired.estimate == pytest.approx(estimate, abs=1e-12)


def test_examples_are_drawn_whatever_their_class():
    y_true = drawn(0, 50)[0]
    counts = resample_counts(y_true, 400)
    assert counts.shape == (400, 50)
    assert (counts.sum(axis=1) == 50).all()
    assert len(set(counts[:, y_true == 1].sum(axis=1).tolist())) > 5
    # Of 20,000 draws each example has 400, give or take 20.
    assert abs(counts.sum(axis=0) - 400).max() < 100


def test_classes_keep_their_sizes_when_stratified():
    y_true = drawn(1, 50)[0]
    counts = resample_counts(y_true, 400, stratified=True)
    for label in (0, 1):
        size = (y_true == label).sum()
        assert (counts[:, y_true == label].sum(axis=1) == size).all()
    assert abs(counts.sum(axis=0) - 400).max() < 100


def test_groups_are_drawn_with_all_their_examples():
    y_true, _, _, groups = drawn(2, 50)
    counts = resample_counts(y_true, 400, groups=groups)
    names, first = np.unique(groups, return_index=True)
    for name in names:
        own = counts[:, groups == name]
        assert (own == own[:, :1]).all()
    of_group = counts[:, first]
    assert (of_group.sum(axis=1) == len(names)).all()
    assert abs(of_group.sum(axis=0) - 400).max() < 100


@pytest.mark.parametrize("way", ["examples", "stratified"])
def test_the_spread_is_the_one_of_the_whole_distribution_of_resamples(way):
    """Four examples have so few resamples that all can be listed, with their probabilities."""
    y_true, score = np.array([0, 1, 0, 1]), np.array([1, 2, 3, 4])
    everything = np.stack(np.meshgrid(*[range(4)] * 4), axis=-1).reshape(-1, 4)
    if way == "stratified":
        of_classes = np.sort(y_true[everything], axis=1) == [0, 0, 1, 1]
        everything = everything[of_classes.all(axis=1)]
    counts = np.array([np.bincount(row, minlength=4) for row in everything])
    expected = resampled_by_sklearn(y_true, score, counts)
    found = bootstrap_auroc(y_true, score, 40_000, seed=1, **options(way, None)).resampled
    for value in (0, 0.25, 0.5, 0.75, 1):
        share = np.mean(expected == value)
        error = math.sqrt(share * (1 - share) / len(found))
        assert np.mean(found == value) == pytest.approx(share, abs=5 * error + 1e-9)
    assert np.isnan(found).mean() == pytest.approx(np.isnan(expected).mean(), abs=0.01)


def test_the_interval_of_a_difference_is_close_to_delongs():
    y_true, score_a, score_b, _ = drawn(3, 3000)
    test = delong_test(y_true, score_a, score_b)
    found = bootstrap_difference(y_true, score_a, score_b, 4000)
    half = (test.high - test.low) / 2
    assert found.estimate == test.auc_a - test.auc_b
    assert found.low == pytest.approx(test.low, abs=0.1 * half)
    assert found.high == pytest.approx(test.high, abs=0.1 * half)


def test_copies_of_images_tell_groups_nothing_new():
    y_true, score, _, _ = drawn(4, 80)
    patients = np.arange(80)
    once = bootstrap_auroc(y_true, score, groups=patients)
    four = [np.repeat(values, 4) for values in (y_true, score, patients)]
    copied = bootstrap_auroc(*four[:2], groups=four[2])
    np.testing.assert_array_equal(copied.resampled, once.resampled)
    assert (copied.low, copied.high) == (once.low, once.high)
    # Images drawn one by one make the interval half as long: four times as many, it seems.
    plain = bootstrap_auroc(*four[:2])
    assert (plain.high - plain.low) / (once.high - once.low) == pytest.approx(0.5, abs=0.06)


def test_intervals_cover_the_truth_where_patients_are_drawn():
    """80 patients of 1 to 7 images; an image's score is its patient's and a little of its own."""
    rng = np.random.default_rng(5)
    true = stats.norm.cdf(1 / math.sqrt(2))
    covered = {"patients": 0, "images": 0}
    n_studies = 200
    for study in range(n_studies):
        patients = np.repeat(np.arange(80), rng.integers(1, 8, 80))
        y_true = patients % 2
        score = y_true + math.sqrt(0.9) * rng.normal(size=80)[patients]
        score += math.sqrt(0.1) * rng.normal(size=len(score))
        for name, groups in (("patients", patients), ("images", None)):
            found = bootstrap_auroc(y_true, score, 300, groups=groups, seed=study)
            covered[name] += found.low <= true <= found.high
    # Within three standard errors of 95 %, less a little for so few patients.
    assert covered["patients"] / n_studies > 0.88
    assert covered["images"] / n_studies < 0.8


def test_resamples_of_one_class_are_counted_and_left_out():
    y_true, score = [0, 1], [0.2, 0.1]
    found = bootstrap_auroc(y_true, score, 1000)
    one_class = (resample_counts(y_true, 1000) == 2).any(axis=1)
    assert 400 < one_class.sum() < 600
    assert found.one_class == one_class.sum()
    np.testing.assert_array_equal(np.isnan(found.resampled), one_class)
    assert (found.estimate, found.low, found.high) == (0, 0, 0)
    assert bootstrap_auroc(y_true, score, 1000, stratified=True).one_class == 0
    assert bootstrap_auroc(y_true, score, 1000, groups=["a", "a"]).one_class == 0


def test_there_is_no_interval_where_no_resample_has_both_classes():
    seed = next(s for s in range(9) if (resample_counts([0, 1], 1, seed=s) == 2).any())
    found = bootstrap_auroc([0, 1], [0.2, 0.1], 1, seed=seed)
    assert found.one_class == 1
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert str(found) == "0.000 (nan to nan; 1 of 1 resamples have one class only)"


def test_seeds_repeat_and_differ_and_more_resamples_add_to_fewer():
    y_true, score, _, _ = drawn(6, 40)
    once, again, other = (bootstrap_auroc(y_true, score, seed=seed).resampled for seed in (3, 3, 4))
    np.testing.assert_array_equal(once, again)
    assert (once != other).mean() > 0.9
    np.testing.assert_array_equal(bootstrap_auroc(y_true, score, 50, seed=3).resampled, once[:50])
    # Neighbouring seeds are unrelated: no part of one's resamples is in the other's.
    assert not {*map(bytes, resample_counts(y_true, seed=3))} & {
        *map(bytes, resample_counts(y_true, seed=4))
    }


@given(st.integers(0, 10**6), st.sampled_from([None, 3]), st.sampled_from(["examples", "groups"]))
def test_exchanging_the_classes_and_turning_the_scores_changes_nothing(seed, levels, way):
    y_true, score, _, groups = drawn(seed, 25, levels)
    chosen = {"n_resamples": 20, "seed": seed, **options(way, groups)}
    there = bootstrap_auroc(y_true, score, **chosen)
    back = bootstrap_auroc(1 - y_true, -score, **chosen)
    np.testing.assert_array_equal(back.resampled, there.resampled)


@given(st.integers(0, 10**6), st.sampled_from(WAYS))
def test_rising_functions_change_nothing_and_chance_is_half(seed, way):
    y_true, score, _, groups = drawn(seed, 25)
    chosen = {"n_resamples": 20, "seed": seed, **options(way, groups)}
    there = bootstrap_auroc(y_true, score, **chosen).resampled
    np.testing.assert_array_equal(bootstrap_auroc(y_true, np.exp(score), **chosen).resampled, there)
    equal = bootstrap_auroc(y_true, np.zeros(25), **chosen).resampled
    assert set(equal[~np.isnan(equal)]) <= {0.5}


def test_a_perfect_ranking_is_exactly_one_and_never_above():
    rng = np.random.default_rng(0)
    y_true = (rng.random(30_000) < 0.1).astype(int)
    found = bootstrap_auroc(y_true, y_true + 0.9 * rng.random(30_000), 200)
    assert (found.estimate, found.low, found.high) == (1, 1, 1)
    assert (found.resampled == 1).all()


def test_levels_nest():
    y_true, score, _, _ = drawn(8, 60)
    wide, narrow = (bootstrap_auroc(y_true, score, level=level) for level in (0.99, 0.8))
    assert wide.low < narrow.low < narrow.estimate < narrow.high < wide.high


@pytest.mark.parametrize(
    "groups",
    [
        [3, 3, 5, 9],
        ["a", "a", "b", "c"],
        np.array(["a", "a", "b", "c"]),
        pd.Series(["a", "a", "b", "c"], index=[7, 3, 2, 2]),
        pd.Categorical(["a", "a", "b", "c"]),
        [1, 1, "1", 2.5],
    ],
)
def test_groups_may_be_named_by_anything(groups):
    expected = resample_counts([0, 1, 0, 1], 50, groups=[0, 0, 1, 2])
    np.testing.assert_array_equal(resample_counts([0, 1, 0, 1], 50, groups=groups), expected)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"score": [0.1]}, r"one shape \(n,\), got \(4,\), \(1,\)"),
        ({"y_true": [1, 1, 1, 1]}, r"both targets 0 and 1, got \[1\]"),
        ({"score": [0.1, math.nan, 1, 2]}, "finite scores, got 1 others"),
        ({"n_resamples": 0}, "n_resamples of at least 1, a whole number, got 0"),
        ({"n_resamples": 10.0}, r"n_resamples of at least 1, a whole number, got 10\.0"),
        ({"seed": -1}, "seed of at least 0, a whole number, got -1"),
        ({"seed": None}, "seed of at least 0, a whole number, got NoneType"),
        ({"level": 1}, "a level above 0 and below 1, got 1"),
        ({"level": 95}, "a level above 0 and below 1, got 95"),
        ({"level": math.nan}, "a level above 0 and below 1, got nan"),
        ({"level": "0.95"}, "a level above 0 and below 1, got '0.95'"),
        ({"groups": ["a", "b"]}, r"groups of shape \(4,\), one per target, got \(2,\)"),
        ({"groups": "patient"}, r"groups of shape \(4,\), one per target, got \(\)"),
        ({"groups": [["a"] * 4]}, r"groups of shape \(4,\), one per target, got \(1, 4\)"),
        ({"groups": ["a", None, "b", None]}, "got none for 2, the first of them example 1"),
        ({"groups": [1, 2, math.nan, 2]}, "got none for 1, the first of them example 2"),
        ({"groups": ["a", "b", "c", ""]}, "got none for 1, the first of them example 3"),
        ({"groups": ["a", "a", "b", "b"], "stratified": True}, "stratified or groups, got both"),
    ],
)
def test_bad_input_is_refused(changed, sentence):
    arguments = {"y_true": [0, 1, 0, 1], "score": [0.1, 0.2, 0.3, 0.4], **changed}
    with pytest.raises(ConfigError, match=sentence):
        bootstrap_auroc(**arguments)
    if not {"score", "level"} & set(changed):
        others = {name: arguments[name] for name in arguments if name != "score"}
        with pytest.raises(ConfigError, match=sentence):
            resample_counts(**others)
    arguments["score_a"] = arguments["score_b"] = arguments.pop("score")
    with pytest.raises(ConfigError, match=sentence):
        bootstrap_difference(**arguments)
