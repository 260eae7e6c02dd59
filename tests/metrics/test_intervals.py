"""Intervals over seeds and the smallest effect against SciPy and simulated experiments."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from sdlib.errors import ConfigError
from sdlib.metrics import mean_interval, smallest_effect


@given(st.lists(st.floats(-10, 10), min_size=3, max_size=12), st.floats(0.5, 0.99))
def test_interval_is_students(values, level):
    found = mean_interval(values, level)
    assert (found.n, found.mean) == (len(values), pytest.approx(np.mean(values)))
    assert found.sd == pytest.approx(np.std(values, ddof=1))
    low, high = (
        stats.t.interval(level, len(values) - 1, np.mean(values), stats.sem(values))
        if found.sd > 0
        else (found.mean, found.mean)
    )
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_interval_contains_zero_exactly_where_the_t_test_does_not_reject():
    rng = np.random.default_rng(1)
    verdicts = set()
    for _ in range(40):
        differences = rng.normal(0.5, 1, 6)
        found, p = mean_interval(differences), stats.ttest_1samp(differences, 0).pvalue
        assert (found.low > 0 or found.high < 0) == (p < 0.05)
        verdicts.add(p < 0.05)
    assert verdicts == {True, False}


def test_one_seed_has_no_spread():
    found = mean_interval([0.7])
    assert (found.n, found.mean) == (1, 0.7)
    assert all(math.isnan(value) for value in (found.sd, found.low, found.high))


@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(0.5, 0.99))
def test_two_seeds_have_a_spread_but_no_interval(one, other, level):
    found = mean_interval([one, other], level)
    assert (found.n, found.mean) == (2, pytest.approx((one + other) / 2))
    assert found.sd == pytest.approx(abs(one - other) / np.sqrt(2))
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize("values", [[], [[0.1, 0.2]]])
def test_interval_of_nothing(values):
    with pytest.raises(ConfigError, match="n >= 1, got"):
        mean_interval(values)


@pytest.mark.parametrize("n", [3, 5, 10, 30])
@pytest.mark.parametrize("power", [0.8, 0.9, 0.95])
def test_a_paired_t_test_finds_the_smallest_effect_with_the_given_power(n, power):
    shift = smallest_effect(0.02, n, power) / 0.02 * np.sqrt(n)
    critical = stats.t.ppf(0.975, n - 1)
    found = stats.nct.sf(critical, n - 1, shift) + stats.nct.cdf(-critical, n - 1, shift)
    assert found == pytest.approx(power, abs=0.05)  # the usual sum of two quantiles


def test_simulated_experiments_find_the_smallest_effect():
    rng, n = np.random.default_rng(0), 5
    trials = rng.normal(smallest_effect(0.02, n), 0.02, (4000, n))
    found = stats.ttest_1samp(trials, 0, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.03)


@given(st.floats(0.001, 0.2), st.integers(2, 20))
@settings(max_examples=30, deadline=None)
def test_the_smallest_effect_grows_with_the_spread_and_falls_with_seeds(sd, n):
    assert smallest_effect(2 * sd, n) == pytest.approx(2 * smallest_effect(sd, n))
    assert smallest_effect(sd, n + 1) < smallest_effect(sd, n)


def test_one_seed_finds_nothing():
    assert np.isnan(smallest_effect(0.1, 1))


@pytest.mark.parametrize("level", [95, 0, 1, -0.95, math.nan, "0.95"])
def test_a_level_that_is_no_probability_is_refused(level):
    """95 instead of .95 gave an interval from NaN to NaN."""
    with pytest.raises(ConfigError, match="expected a level above 0 and below 1, got"):
        mean_interval([0.1, 0.2, 0.3], level)


@pytest.mark.parametrize("power", [80, 0, 1, math.nan])
def test_a_power_that_is_no_probability_is_refused(power):
    with pytest.raises(ConfigError, match="expected a power above 0 and below 1, got"):
        smallest_effect(0.02, 5, power)


@pytest.mark.parametrize("sd", [-0.02, math.nan, math.inf])
def test_a_spread_below_0_or_without_a_value_is_refused(sd):
    with pytest.raises(ConfigError, match="expected a standard deviation of at least 0"):
        smallest_effect(sd, 5)


def test_one_seed_finds_nothing_though_it_has_no_spread():
    assert np.isnan(smallest_effect(math.nan, 1))
