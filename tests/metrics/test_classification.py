"""Metrics of a classifier against brute force and scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from scipy.special import expit
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


def shares_of(targets, scores):
    """Of each example: the share of positives among those of its score."""
    return np.array([targets[scores == score].mean() for score in scores])


@given(scored())
def test_calibration_error_with_a_tile_a_bin_is_the_mean_gap(data):
    targets, scores = data
    expected = np.abs(scores - shares_of(targets, scores)).mean()
    assert expected_calibration_error(targets, scores, n_bins=100) == pytest.approx(expected)
    assert expected_calibration_error(targets, scores) <= expected + 1e-12


def test_calibration_error_of_a_calibrated_network_vanishes():
    rng = np.random.default_rng(0)
    scores = rng.random(200_000)
    targets = (rng.random(200_000) < scores).astype(int)
    assert expected_calibration_error(targets, scores) < 0.005
    assert expected_calibration_error(targets, scores**3) > 0.1


@pytest.mark.parametrize("order", ["alternating", "sorted", "random"])
def test_equal_scores_of_which_half_are_positive_are_calibrated(order):
    """Whatever the order of the rows; ten bins would otherwise each have one class."""
    targets = np.arange(100) % 2
    if order == "sorted":
        targets = np.sort(targets)
    if order == "random":
        targets = np.random.default_rng(0).permutation(targets)
    scores = np.full(100, 0.5)
    assert expected_calibration_error(targets, scores) == 0
    mean_score, share = reliability(targets, scores)
    assert mean_score.tolist() == share.tolist() == [0.5] * 10


@given(scored(), st.integers(1, 12), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_calibration(data, n_bins, random):
    targets, scores = data
    order = random.sample(range(len(targets)), len(targets))
    moved, again = (targets[order], scores[order]), expected_calibration_error
    assert again(*moved, n_bins) == again(targets, scores, n_bins)
    for ours, theirs in zip(reliability(*moved, n_bins), reliability(*data, n_bins), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@given(scored())
def test_calibration_without_equal_scores_is_of_plain_bins(data):
    targets, scores = data
    scores = (np.argsort(np.argsort(scores, kind="stable")) + scores) / (len(scores) + 1)
    bins = np.array_split(np.argsort(scores), min(10, len(scores)))
    gaps = [abs(scores[b].mean() - targets[b].mean()) * len(b) for b in bins]
    found = expected_calibration_error(targets, scores)
    assert found == pytest.approx(np.sum(gaps) / len(scores), abs=1e-12)


class TestLogits:
    #: Eight of nine pairs are in order. In float32 every sigmoid of them is 1.
    LOGITS = np.array([17, 19, 22.5, 21, 25, 30], np.float32)
    TARGETS = np.array([0, 0, 0, 1, 1, 1])

    def test_large_logits_keep_their_ranks(self):
        assert auroc(self.TARGETS, expit(self.LOGITS)) == 0.5  # what is gone by then
        found = summary(self.TARGETS, self.LOGITS, from_logits=True)
        assert found["auroc"] == pytest.approx(8 / 9)

    def test_logits_with_a_probability_of_one_even_in_float64(self):
        found = summary(self.TARGETS, 10 * self.LOGITS, from_logits=True)
        assert found["auroc"] == pytest.approx(8 / 9)

    def test_brier_and_calibration_are_of_float64(self):
        logits = np.array([-18.5, -17.25, 17.25, 18.5], np.float32)
        exact = [1 / (1 + math.exp(-value)) for value in logits.tolist()]
        targets = np.array([0, 0, 1, 1])
        found = summary(targets, logits, from_logits=True)
        gaps = [abs(score - target) for score, target in zip(exact, targets, strict=True)]
        assert found["brier"] == pytest.approx(np.mean(np.square(gaps)), rel=1e-6)
        assert found["calibration_error"] == pytest.approx(np.mean(gaps), rel=1e-6)

    @settings(deadline=None)
    @given(scored())
    def test_otherwise_logits_and_probabilities_say_the_same(self, data):
        targets, scores = data
        logits = 8 * (np.round(scores, 3) - 0.5)  # neighbours would become equal
        found = summary(targets, logits, from_logits=True)
        assert found == pytest.approx(summary(targets, expit(logits)), abs=1e-9)


@pytest.mark.parametrize(
    "metric",
    [balanced_accuracy, recall, best_cutoff, expected_calibration_error, reliability, summary],
)
@pytest.mark.parametrize(
    ("scores", "sentence"),
    [
        ([-2.0, 3.0], "from -2 to 3: turn logits into probabilities with scipy.special.expit"),
        ([1.0, 99.0], "from 1 to 99: .* divide percentages by 100"),
    ],
)
def test_what_is_no_probability_is_refused(metric, scores, sentence):
    with pytest.raises(ConfigError, match=f"expected probabilities from 0 to 1, got .*{sentence}"):
        metric([0, 1], scores)


def test_ranks_need_no_probabilities_and_rounding_is_let_pass():
    assert auroc([0, 1], [-2.0, 99.0]) == 1
    barely = np.nextafter(np.float32(1), np.float32(2))
    assert summary([0, 1], [0.0, barely])["brier"] == 0


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


@pytest.mark.parametrize(
    ("targets", "scores", "sentence"),
    [
        ([1, 2], [0.1, 0.2], r"targets of 0 and 1, got \[1, 2\]"),
        ([1, 1], [0.1, float("nan")], "finite scores, got 1 others"),
    ],
)
def test_reliability_refuses_other_values(targets, scores, sentence):
    with pytest.raises(ConfigError, match=sentence):
        reliability(targets, scores)


@pytest.mark.parametrize("n_bins", [0, -1, 2.5, True])
@pytest.mark.parametrize("metric", [expected_calibration_error, reliability])
def test_a_number_of_bins_that_cannot_be(metric, n_bins):
    with pytest.raises(ConfigError, match="expected n_bins of at least 1, a whole number, got"):
        metric([0, 1], [0.1, 0.2], n_bins=n_bins)
