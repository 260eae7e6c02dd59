"""Decisions against scipy, Holm's definition written out, and simulated error rates."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from sdlib.errors import ConfigError
from sdlib.metrics import Interval, equivalent, holm, mean_interval, one_sided_p

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("n", [3, 5, 20])
def test_one_sided_p_is_scipys(n):
    values = RNG.normal(0.3, 1, n)
    expected = stats.ttest_1samp(values, 0, alternative="greater").pvalue
    assert one_sided_p(mean_interval(values)) == pytest.approx(expected)


def test_an_interval_from_elsewhere_counts_as_normal():
    interval = Interval(5, 0.03, float("nan"), 0.03 - 1.96 * 0.01, 0.03 + 1.96 * 0.01)
    assert one_sided_p(interval) == pytest.approx(stats.norm.sf(3), rel=1e-3)


def test_values_without_spread():
    assert one_sided_p(mean_interval([0.1, 0.1, 0.1])) == 0
    assert one_sided_p(mean_interval([0.0, 0.0, 0.0])) == 1


def test_equivalence_is_two_one_sided_tests():
    values = RNG.normal(0.01, 0.05, 8)
    for margin in (0.01, 0.03, 0.05, 0.1):
        upper = stats.ttest_1samp(values, margin, alternative="less").pvalue
        lower = stats.ttest_1samp(values, -margin, alternative="greater").pvalue
        assert equivalent(mean_interval(values), margin) == (max(upper, lower) < 0.05)
    with pytest.raises(ConfigError, match="expected a margin above 0, got 0"):
        equivalent(mean_interval(values), 0)


def test_without_an_interval_nothing_is_tested():
    """Two values that agree to the last digit show no equivalence."""
    for values in ([0.0], [0.0, 0.0], [0.0, 0.0005]):
        interval = mean_interval(values)
        assert np.isnan(one_sided_p(interval))
        assert equivalent(interval, 0.02) is False
    assert equivalent(mean_interval([0.0, 0.0, 0.0005]), 0.02) is True


def by_definition(p_values):
    """Holm step-down, one p-value after the other."""
    order = np.argsort(p_values)
    adjusted, highest = np.empty(len(p_values)), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, (len(p_values) - rank) * p_values[place])
        adjusted[place] = min(1.0, highest)
    return adjusted


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_by_its_definition(p_values):
    np.testing.assert_allclose(holm(p_values), by_definition(np.array(p_values)))


def test_holm_leaves_tests_out_that_were_not_made():
    np.testing.assert_array_equal(holm([0.02, np.nan, 0.01]), [0.02, np.nan, 0.02])


def test_holm_keeps_the_error_over_all_tests():
    """Without any effect, one of four is found in 2.5 % of experiments, not in 10 %."""
    rng = np.random.default_rng(1)
    p_values = [
        [one_sided_p(mean_interval(values)) for values in rng.normal(0, 1, (4, 5))]
        for _ in range(2000)
    ]
    plain = np.mean([min(ps) < 0.025 for ps in p_values])
    adjusted = np.mean([holm(ps).min() < 0.025 for ps in p_values])
    assert plain > 0.07
    assert adjusted < 0.035
