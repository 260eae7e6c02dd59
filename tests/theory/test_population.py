"""The population optimum against brute force, and what cut-off it is worth."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from scipy.optimize import minimize_scalar

from sdlib.errors import ConfigError
from sdlib.theory.optima import resting_logits
from sdlib.theory.population import cutoff_worth, population_logits

PAPER = (0.0969, 0.000698), (1.83, 2.61)
FILMS = (0.01, 0.001), (0.0, 1.0)
EQ1 = (0.01, 0.01), (0.0, 0.0)
LAM = st.tuples(st.floats(1e-5, 2), st.floats(1e-5, 2))
GAMMA = st.tuples(st.floats(-4, 4), st.floats(-4, 4))


def risk(f, eta, lam, gamma):
    """The risk as it is written down: cross-entropy and penalty of either class."""
    positive = np.logaddexp(0, -f) + lam[1] / 2 * (f - gamma[1]) ** 2
    negative = np.logaddexp(0, f) + lam[0] / 2 * (f - gamma[0]) ** 2
    return eta * positive + (1 - eta) * negative


def ordered(lam, gamma):
    negative, positive = resting_logits(lam, gamma)
    return negative < positive - 1e-3


@pytest.mark.parametrize(("lam", "gamma"), [PAPER, FILMS, EQ1])
@pytest.mark.parametrize("eta", [0.0, 0.02, 0.3914, 0.5, 0.9, 1.0])
def test_logits_minimise_the_risk(lam, gamma, eta):
    found = population_logits([eta], lam, gamma)[0]
    least = minimize_scalar(risk, args=(eta, lam, gamma), bounds=(-40, 40), method="bounded")
    assert risk(found, eta, lam, gamma) <= least.fun + 1e-12
    around = np.linspace(found - 3, found + 3, 2001)
    assert (risk(around, eta, lam, gamma) >= risk(found, eta, lam, gamma) - 1e-12).all()


@settings(deadline=None)
@given(LAM, GAMMA)
def test_logits_rise_from_the_negatives_rest_to_the_positives(lam, gamma):
    assume(ordered(lam, gamma))
    found = population_logits(np.linspace(0, 1, 51), lam, gamma)
    assert (np.diff(found) > 0).all()
    assert found[[0, -1]] == pytest.approx(resting_logits(lam, gamma), abs=1e-8)


@settings(deadline=None)
@given(st.floats(1e-6, 5), st.floats(0, 1))
def test_equation_1_decides_as_the_posterior_does_whatever_lambda(lam, eta):
    assert cutoff_worth(lam) == 0.5
    logit = population_logits([eta], lam)[0]
    if abs(eta - 0.5) > 1e-6:
        assert (logit > 0) == (eta > 0.5)


@settings(deadline=None)
@given(LAM, GAMMA)
def test_a_cutoff_is_worth_what_the_logits_decide(lam, gamma):
    assume(ordered(lam, gamma))
    cutoff = cutoff_worth(lam, gamma)
    for eta in (cutoff - 1e-4, cutoff + 1e-4):
        if 0 <= eta <= 1:
            assert (population_logits([eta], lam, gamma)[0] > 0) == (eta > cutoff)


def test_the_papers_values_are_worth_a_cutoff():
    (lam_neg, lam_pos), (gamma_neg, gamma_pos) = PAPER
    pushed = lam_neg * gamma_neg
    expected = (0.5 - pushed) / (1 + lam_pos * gamma_pos - pushed)
    assert cutoff_worth(*PAPER) == pytest.approx(expected, rel=1e-12)
    assert round(expected, 3) == 0.391
    assert population_logits([expected], *PAPER)[0] == pytest.approx(0, abs=1e-9)


def test_where_even_sure_negatives_are_called_positive():
    assert cutoff_worth((1.0, 0.001), (1.0, 2.0)) == 0.0
    assert cutoff_worth((0.001, 1.0), (-2.0, -1.0)) == 1.0


def test_bad_values():
    with pytest.raises(ConfigError, match="from 0 to 1, got -0\\.1 to 2"):
        population_logits([-0.1, 2.0], 0.01)
    with pytest.raises(ConfigError, match="expected posteriors"):
        population_logits([math.nan], 0.01)
    for call in (cutoff_worth, lambda lam, gamma: population_logits([0.5], lam, gamma)):
        with pytest.raises(ConfigError, match="expected positives to rest above negatives"):
            call((5.0, 5.0), (3.0, -3.0))
    with pytest.raises(ConfigError, match="above 0"):
        population_logits([0.5], 0.0)
