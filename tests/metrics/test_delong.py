"""DeLong's test against every pair compared one by one, and what must hold by symmetry."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from scipy import stats

from sdlib.errors import ConfigError
from sdlib.metrics import auroc, delong, delong_test

ALTERNATIVES = ["two-sided", "greater", "less"]
NUMBERS = ["auc_a", "auc_b", "z", "p", "log10_p", "low", "high"]


def naive(y_true, score_a, score_b, alternative="two-sided"):
    """The published formulas over a matrix of all pairs, O(m n)."""
    positive, negative = y_true == 1, y_true == 0
    m, n = positive.sum(), negative.sum()
    won = []
    for score in (score_a, score_b):
        above, below = score[positive, None], score[None, negative]
        won.append((above > below) + 0.5 * (above == below))
    won = np.array(won)
    auc = won.mean(axis=(1, 2))
    by_positive, by_negative = won.mean(axis=2), won.mean(axis=1)
    covariance = np.cov(by_positive) / m + np.cov(by_negative) / n
    error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    difference = auc[0] - auc[1]
    z = difference / error
    tails = {
        "two-sided": 2 * stats.norm.sf(abs(z)),
        "greater": stats.norm.sf(z),
        "less": stats.norm.cdf(z),
    }
    half = stats.norm.ppf(0.975) * error
    p = tails[alternative]
    return [*auc, z, p, math.log10(p), difference - half, difference + half]


def drawn(seed, n, levels=None):
    """Targets, and scores of two related networks; ``levels`` of them, so that many tie."""
    rng = np.random.default_rng(seed)
    y_true = rng.integers(0, 2, n)
    y_true[:4] = [0, 1, 0, 1]
    common = y_true + rng.normal(size=n)
    score_a, score_b = common + rng.normal(size=n), 0.5 * common + rng.normal(size=n)
    if levels:
        score_a, score_b = (np.round(levels * stats.norm.cdf(s)) for s in (score_a, score_b))
    return y_true, score_a, score_b


def numbers(test):
    return [getattr(test, name) for name in NUMBERS]


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("levels", [None, 6])
@pytest.mark.parametrize("n", [12, 60, 301])
@pytest.mark.parametrize("seed", range(3))
def test_equals_the_comparison_of_all_pairs(seed, n, levels, alternative):
    data = drawn(seed, n, levels)
    expected = naive(*data, alternative)
    np.testing.assert_allclose(numbers(delong_test(*data, alternative)), expected, 1e-12, 1e-12)


def test_the_areas_are_aurocs():
    for levels in (None, 4):
        y_true, score_a, score_b = drawn(5, 80, levels)
        test = delong_test(y_true, score_a, score_b)
        assert test.auc_a == pytest.approx(auroc(y_true, score_a), abs=1e-12)
        assert test.auc_b == pytest.approx(auroc(y_true, score_b), abs=1e-12)


def double_wins(y_true, score):
    """Twice the pairs that each example wins, by binary search among the other class."""
    order = np.argsort(score)
    positive, negative = score[order][y_true[order] == 1], score[order][y_true[order] == 0]
    wins = np.empty(len(score), int)
    for label, other in ((1, negative), (0, positive)):
        mine = order[y_true[order] == label]
        below, up_to = (np.searchsorted(other, score[mine], side) for side in ("left", "right"))
        wins[mine] = below + up_to if label else 2 * len(other) - below - up_to
    return wins


def exact_variance(y_true, gained):
    """DeLong's variance of the difference, in fractions; squares fit into 64 bits up to 10 ** 6."""
    m, n = int((y_true == 1).sum()), int((y_true == 0).sum())
    variance = Fraction(0)
    for label, own, other in ((1, m, n), (0, n, m)):
        mine = gained[y_true == label]
        spread = Fraction(int((mine * mine).sum()) * own - int(mine.sum()) ** 2, own * (own - 1))
        variance += spread / (4 * other**2 * own)
    return variance


# confidenceinterval 1.0.4, with midranks in float32, gives a perfect ranking of 20,000 or 150,000
# examples an AUROC of 1.0000001, and one of 1,000,000 an AUROC of .99999994.
@pytest.mark.parametrize(("n", "share"), [(150_000, 0.5), (150_000, 0.1), (1_000_000, 0.3)])
def test_many_examples_are_counted_exactly(n, share):
    rng = np.random.default_rng(n)
    y_true = (rng.random(n) < share).astype(int)
    pairs = int(y_true.sum()) * int((1 - y_true).sum())
    # Logits of two networks; the second's have a few digits only, so that many tie.
    score_a, score_b = (y_true + rng.normal(size=n) for _ in range(2))
    score_b = score_b.round(3)
    test = delong_test(y_true, score_a, score_b)
    won_a, won_b = double_wins(y_true, score_a), double_wins(y_true, score_b)
    total_a, total_b = (int(won[y_true == 1].sum()) for won in (won_a, won_b))
    assert test.auc_a == float(Fraction(total_a, 2 * pairs))
    assert test.auc_b == float(Fraction(total_b, 2 * pairs))
    z = total_a - total_b
    z /= 2 * pairs * math.sqrt(exact_variance(y_true, won_a - won_b))
    assert test.z == pytest.approx(z, rel=1e-14)


@pytest.mark.parametrize("n", [20_000, 150_000, 1_000_000])
def test_an_area_is_never_above_one(n):
    rng = np.random.default_rng(n)
    y_true = (rng.random(n) < 0.1).astype(int)
    test = delong_test(y_true, y_true + 0.9 * rng.random(n), -y_true)
    assert (test.auc_a, test.auc_b) == (1, 0)


def test_more_examples_than_fit_into_32_bits_take_64(monkeypatch):
    data = drawn(1, 200, levels=9)
    expected = delong_test(*data)
    monkeypatch.setattr(delong, "MANY", 0)
    assert delong_test(*data) == expected


def test_layout_and_type_of_the_scores_do_not_matter():
    y_true, score_a, score_b = drawn(3, 90, levels=5)
    expected = delong_test(y_true, score_a, score_b)
    fixed = score_a.copy()
    fixed.flags.writeable = False
    assert delong_test(y_true == 1, fixed, np.repeat(score_b, 2)[::2]) == expected
    assert delong_test(y_true.tolist(), score_a.astype(int), score_b.astype(">f4")) == expected
    # Zeros of either sign tie.
    signed = np.where(score_a == 3, -0.0, score_a - 3)
    signed[np.flatnonzero(score_a == 3)[::2]] = 0.0
    assert delong_test(y_true, signed, score_b) == expected


@pytest.mark.parametrize("label", [0, 1])
def test_one_example_of_a_class_has_areas_but_no_spread(label):
    y_true = np.full(9, 1 - label)
    y_true[4] = label
    rng = np.random.default_rng(label)
    score_a, score_b = rng.random(9), rng.random(9)
    test = delong_test(y_true, score_a, score_b)
    assert test.auc_a == pytest.approx(auroc(y_true, score_a), abs=1e-12)
    assert test.auc_b == pytest.approx(auroc(y_true, score_b), abs=1e-12)
    assert test.auc_a != test.auc_b
    assert all(math.isnan(value) for value in numbers(test)[2:])
    same = delong_test(y_true, score_a, score_a)
    assert numbers(same)[2:] == [0, 1, 0, 0, 0]


@pytest.mark.parametrize("label", [0, 1])
def test_one_example_that_gains_nothing_has_no_spread_either(label):
    y_true = np.full(5, 1 - label)
    y_true[2] = label
    # The one example beats as many by either score, but not the same.
    test = delong_test(y_true, [1, 2, 3, 4, 5], [4, 5, 3, 1, 2])
    assert test.auc_a == test.auc_b == 0.5
    assert all(math.isnan(value) for value in numbers(test)[2:])


@given(st.integers(0, 10**6), st.integers(6, 40), st.sampled_from([None, 3]))
def test_exchanging_the_scores_turns_the_signs(seed, n, levels):
    y_true, score_a, score_b = drawn(seed, n, levels)
    there, back = delong_test(y_true, score_a, score_b), delong_test(y_true, score_b, score_a)
    assert (there.auc_a, there.auc_b) == (back.auc_b, back.auc_a)
    assert (there.z, there.low, there.high) == (-back.z, -back.high, -back.low)
    assert (there.p, there.log10_p) == (back.p, back.log10_p)
    greater = delong_test(y_true, score_a, score_b, "greater")
    assert greater.p == delong_test(y_true, score_b, score_a, "less").p
    assert greater.p + delong_test(y_true, score_a, score_b, "less").p == pytest.approx(1)


@given(st.integers(0, 10**6), st.sampled_from([None, 3]))
def test_exchanging_the_classes_and_turning_the_scores_changes_nothing(seed, levels):
    y_true, score_a, score_b = drawn(seed, 25, levels)
    expected = numbers(delong_test(y_true, score_a, score_b))
    found = numbers(delong_test(1 - y_true, -score_a, -score_b))
    np.testing.assert_allclose(found, expected, 1e-12, 1e-12)


@given(st.integers(0, 10**6))
def test_order_and_rising_functions_of_the_scores_change_nothing(seed):
    y_true, score_a, score_b = drawn(seed, 30)
    expected = numbers(delong_test(y_true, score_a, score_b))
    order = np.random.default_rng(seed).permutation(30)
    again = delong_test(y_true[order], np.exp(score_a[order]), 3 * score_b[order] - 1)
    np.testing.assert_allclose(numbers(again), expected, 1e-12, 1e-12)


@given(st.integers(0, 10**6), st.sampled_from([None, 3]))
def test_equal_predictors_do_not_differ(seed, levels):
    y_true, score, _ = drawn(seed, 20, levels)
    test = delong_test(y_true, score, 2 * score + 1)
    assert (test.z, test.p, test.log10_p, test.low, test.high) == (0, 1, 0, 0, 0)
    for alternative in ("greater", "less"):
        assert delong_test(y_true, score, score, alternative).p == pytest.approx(0.5)


@given(st.integers(0, 10**6))
def test_the_interval_excludes_zero_exactly_where_p_is_below_five_percent(seed):
    test = delong_test(*drawn(seed, 40))
    assume(abs(test.p - 0.05) > 1e-9)
    assert (test.low > 0 or test.high < 0) == (test.p < 0.05)


def test_p_values_that_underflow_keep_their_logarithm():
    rng = np.random.default_rng(0)
    y_true = np.repeat([0, 1], 4000)
    good, bad = y_true + 0.2 * rng.normal(size=8000), rng.normal(size=8000)
    test = delong_test(y_true, good, bad)
    assert test.z > 60
    assert test.p == 0
    # The leading terms of Mills' ratio; the next is of the order of 1 / z ** 4.
    z = test.z
    tail = -(z**2) / 2 - math.log(z * math.sqrt(2 * math.pi)) - 1 / z**2
    assert test.log10_p == pytest.approx((math.log(2) + tail) / math.log(10), rel=1e-9)
    assert delong_test(y_true, good, bad, "less").log10_p == 0
    assert delong_test(y_true, bad, good, "less").log10_p == pytest.approx(
        test.log10_p - math.log10(2)
    )


def log10_tail(z):
    """Decimal logarithm of the normal tail beyond z > 1, by Laplace's continued fraction."""
    fraction = z
    for k in range(400, 0, -1):
        fraction = z + k / fraction
    return (-(z**2) / 2 - math.log(math.sqrt(2 * math.pi) * fraction)) / math.log(10)


@pytest.mark.parametrize("z", [1.5, 2, 5, 8, 15.914, 37.5, 40, 100])
def test_the_logarithm_of_p_is_exact_far_out(z, monkeypatch):
    """Z = -15.914 is the paper's; p itself is 0 beyond z = 38."""
    y_true, score_a, score_b = drawn(7, 50)
    monkeypatch.setattr(delong, "_ratio", lambda difference, error: z)
    greater, both, less = (
        delong_test(y_true, score_a, score_b, one) for one in ("greater", "two-sided", "less")
    )
    assert greater.log10_p == pytest.approx(log10_tail(z), rel=1e-12)
    assert both.log10_p == pytest.approx(math.log10(2) + log10_tail(z), rel=1e-12)
    other_tail = math.log1p(-(10 ** log10_tail(z))) / math.log(10)
    assert less.log10_p == pytest.approx(other_tail, rel=1e-12, abs=0)


def test_opposite_rankings_without_spread_are_infinitely_far_apart():
    y_true = np.array([0, 0, 1, 1])
    test = delong_test(y_true, [1, 2, 3, 4], [4, 3, 2, 1])
    assert (test.auc_a, test.auc_b, test.z) == (1, 0, math.inf)
    assert (test.p, test.log10_p, test.low, test.high) == (0, -math.inf, 1, 1)
    assert delong_test(y_true, [4, 3, 2, 1], [1, 2, 3, 4]).z == -math.inf


def test_true_null_hypotheses_are_rejected_as_often_as_stated():
    rng = np.random.default_rng(2)
    rejected = 0
    for _ in range(400):
        y_true = np.repeat([0, 1], [60, 40])
        common = y_true + rng.normal(size=100)
        score_a, score_b = common + rng.normal(size=100), common + rng.normal(size=100)
        rejected += delong_test(y_true, score_a, score_b).p < 0.05
    # A binomial of 400 at 5 % lies within 8 to 33 in 999 of 1000 cases.
    assert 8 <= rejected <= 33


@pytest.mark.parametrize(
    ("y_true", "score_a", "score_b", "sentence"),
    [
        ([0, 1], [0.1], [0.1, 0.2], r"one shape \(n,\), got \(2,\), \(1,\)"),
        ([0, 1], [0.1, 0.2], [0.1], r"one shape \(n,\), got \(2,\), \(1,\)"),
        ([[0, 1]], [[0.1, 0.2]], [[0.1, 0.2]], r"one shape \(n,\)"),
        ([1, 1], [0.1, 0.2], [0.1, 0.2], r"both targets 0 and 1, got \[1\]"),
        ([0, 1, 2], [0.1, 0.2, 0.3], [0.1, 0.2, 0.3], r"both targets 0 and 1"),
        ([0, 1], [0.1, math.nan], [0.1, 0.2], "finite scores, got 1 others"),
        ([0, 1], [0.1, 0.2], [math.nan, math.inf], "finite scores, got 2 others"),
    ],
)
def test_bad_input_is_refused(y_true, score_a, score_b, sentence):
    with pytest.raises(ConfigError, match=sentence):
        delong_test(y_true, score_a, score_b)


def test_an_unknown_alternative_is_refused():
    with pytest.raises(ConfigError, match="two-sided, greater, less, got 'larger'"):
        delong_test([0, 1], [0.1, 0.2], [0.1, 0.2], "larger")
