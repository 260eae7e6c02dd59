"""Metrics of a classifier against brute force and scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import example, given, strategies as st
from sklearn import metrics as sk

from sdlib.errors import ConfigError
from sdlib.metrics import (
    auroc,
    balanced_accuracy,
    best_cutoff,
    expected_calibration_error,
    recall,
    reliability,
    summary,
)

# Few levels make ties; the others reach the ends and numbers with nothing between them.
SCORES = st.one_of(
    st.integers(0, 6).map(lambda k: k / 6),
    st.floats(0, 1),
    st.sampled_from([0.0, 1.0, 0.5, math.nextafter(0.5, 1), math.nextafter(1, 0), 5e-324]),
)


@st.composite
def scored(draw):
    """Targets of both classes, with scores."""
    scores = draw(st.lists(SCORES, min_size=2, max_size=25))
    targets = draw(st.lists(st.integers(0, 1), min_size=len(scores), max_size=len(scores)))
    targets[:2] = draw(st.permutations([0, 1]))
    return np.array(targets), np.array(scores)


def rates(targets, scores, cutoff):
    positive = scores >= cutoff
    return positive[targets == 1].mean(), (~positive)[targets == 0].mean()


@given(scored(), st.floats(0, 1))
def test_recall_and_balanced_accuracy(data, cutoff):
    targets, scores = data
    sensitivity, specificity = rates(targets, scores, cutoff)
    assert recall(targets, scores, cutoff) == pytest.approx(sensitivity)
    expected = (sensitivity + specificity) / 2
    assert balanced_accuracy(targets, scores, cutoff) == pytest.approx(expected)


@given(scored())
def test_auroc_counts_pairs(data):
    targets, scores = data
    cancer, benign = scores[targets == 1, None], scores[None, targets == 0]
    pairs = (cancer > benign) + 0.5 * (cancer == benign)
    assert auroc(targets, scores) == pytest.approx(pairs.mean())


@given(scored())
@example((np.array([1, 0]), np.array([0.0, 1.0])))  # nothing lies above a score of 1
@example((np.array([0, 1]), np.array([0.5, math.nextafter(0.5, 1)])))  # nothing between
def test_best_cutoff_beats_every_other(data):
    targets, scores = data
    levels = np.unique(scores)
    tried = [-1.0, *(levels[:-1] + levels[1:]) / 2, *levels, 2.0]
    best = max(sum(rates(targets, scores, cutoff)) / 2 for cutoff in tried)
    cutoff = best_cutoff(targets, scores)
    assert balanced_accuracy(targets, scores, cutoff) == pytest.approx(best)
    assert balanced_accuracy(targets, scores, cutoff) >= balanced_accuracy(targets, scores) - 1e-12


def test_best_cutoff_lies_midway_and_ties_go_towards_a_half():
    assert best_cutoff([0, 1], [0.2, 0.6]) == pytest.approx(0.4)
    # .15 and .65 both reach 3/4.
    assert best_cutoff([0, 1, 0, 1], [0.1, 0.2, 0.6, 0.7]) == pytest.approx(0.65)
    # Nothing beats calling all benign: the cut-off lies between the highest score and 1.
    assert best_cutoff([1, 0], [0.2, 0.6]) == pytest.approx(0.8)


def test_calibration_error_by_hand():
    # Bins of two: |.15 - .5|, |.55 - .5|, |.9 - 1|, each with a third of the tiles.
    scores, targets = [0.9, 0.1, 0.2, 0.6, 0.5, 0.9], [1, 0, 1, 0, 1, 1]
    expected = (0.35 + 0.05 + 0.1) / 3
    assert expected_calibration_error(targets, scores, n_bins=3) == pytest.approx(expected)


@given(scored())
def test_calibration_error_with_a_tile_a_bin_is_the_mean_gap(data):
    targets, scores = data
    expected = np.abs(scores - targets).mean()
    assert expected_calibration_error(targets, scores, n_bins=100) == pytest.approx(expected)
    assert expected_calibration_error(targets, scores) <= expected + 1e-12


def test_calibration_error_of_a_calibrated_network_vanishes():
    rng = np.random.default_rng(0)
    scores = rng.random(200_000)
    targets = (rng.random(200_000) < scores).astype(int)
    assert expected_calibration_error(targets, scores) < 0.005
    assert expected_calibration_error(targets, scores**3) > 0.1


@given(scored())
def test_summary_agrees_with_scikit_learn(data):
    targets, scores = data
    found, called = summary(targets, scores), scores >= 0.5
    assert found["accuracy"] == pytest.approx(sk.balanced_accuracy_score(targets, called))
    assert found["recall"] == pytest.approx(sk.recall_score(targets, called))
    assert found["specificity"] == pytest.approx(sk.recall_score(targets, called, pos_label=0))
    assert found["auroc"] == pytest.approx(sk.roc_auc_score(targets, scores))
    assert found["brier"] == pytest.approx(np.mean((scores - targets) ** 2))
    assert found["calibration_error"] == expected_calibration_error(targets, scores)
    assert all(type(value) is float for value in found.values())  # JSON takes nothing else


@pytest.mark.parametrize("metric", [balanced_accuracy, recall, auroc, best_cutoff, summary])
@pytest.mark.parametrize(
    ("targets", "scores", "sentence"),
    [
        ([0, 1], [0.1], r"one shape \(n,\), got \(2,\), \(1,\)"),
        ([[0, 1]], [[0.1, 0.2]], r"one shape \(n,\)"),
        ([0, 0], [0.1, 0.2], r"both targets 0 and 1, got \[0\]"),
        ([0, 1, 2], [0.1, 0.2, 0.3], r"both targets 0 and 1, got \[0, 1, 2\]"),
        ([0, 1], [0.1, float("nan")], "finite scores, got 1 others"),
    ],
)
def test_bad_input(metric, targets, scores, sentence):
    with pytest.raises(ConfigError, match=sentence):
        metric(targets, scores)


@given(scored(), st.integers(1, 12))
def test_reliability_has_the_bins_of_the_calibration_error(data, n_bins):
    targets, scores = data
    n = len(targets)
    mean_score, share = reliability(targets, scores, n_bins)
    sizes = [len(one) for one in np.array_split(np.arange(n), min(n_bins, n))]
    assert len(mean_score) == len(share) == len(sizes)
    gap = np.sum(np.abs(mean_score - share) * sizes) / n
    assert gap == pytest.approx(expected_calibration_error(targets, scores, n_bins), abs=1e-9)
    assert (np.diff(mean_score) >= -1e-12).all()


def test_reliability_takes_one_class_alone():
    mean_score, share = reliability([1, 1, 1], [0.2, 0.9, 0.4], n_bins=3)
    assert mean_score.tolist() == [0.2, 0.4, 0.9]
    assert share.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("targets", "scores"), [([0, 1], [0.5]), ([], []), ([[0, 1]], [[0.1, 0.2]])]
)
def test_reliability_refuses_other_shapes(targets, scores):
    with pytest.raises(ConfigError, match="expected targets and scores of one shape"):
        reliability(targets, scores)
