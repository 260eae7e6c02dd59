"""The closed-form optima against LBFGS on the losses themselves, and every lambda convention."""

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.nn import functional as F

from sdlib.losses import (
    LAMBDA_CONVENTIONS,
    SpectralDecouplingLoss,
    convert_lambda,
    resting_logits,
)

PAPER_EQ2 = [((0.0969, 0.000698), (1.83, 2.61)), ((0.01, 0.001), (0.0, 1.0))]
UNEQUAL = torch.tensor([0, 0, 0, 1, 0, 0, 1, 0, 0, 0])


def minimise(loss, logits):
    """The logits at the minimum of a convex loss."""
    logits = logits.clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [logits],
        lr=1,
        max_iter=2000,
        tolerance_grad=1e-13,
        tolerance_change=1e-16,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimiser.zero_grad()
        value = loss(logits)
        value.backward()
        return value

    optimiser.step(closure)
    return logits.detach()


@pytest.mark.parametrize(
    ("lam", "gamma"),
    [(0.01, None), (0.1, None), (1.0, None), *PAPER_EQ2, ((0.5, 2.0), (-3.0, -1.0))],
)
def test_the_minimum_is_the_resting_logits_whatever_the_class_shares(lam, gamma):
    criterion = SpectralDecouplingLoss(lam, gamma)
    found = minimise(lambda f: criterion(f, UNEQUAL), torch.zeros(10, dtype=torch.float64))
    negative, positive = resting_logits(lam, gamma or (0, 0))
    expected = torch.where(UNEQUAL == 1, positive, negative).to(torch.float64)
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=1e-6)


@pytest.mark.parametrize(("lam", "margin"), [(0.01, 3.3593), (0.1, 1.6335), (1.0, 0.4011)])
def test_resting_logits_of_equation_1(lam, margin):
    negative, positive = resting_logits(lam)
    assert negative == -positive
    assert positive == pytest.approx(margin, abs=5e-5)


@settings(deadline=None)
@given(
    st.tuples(st.floats(1e-7, 100), st.floats(1e-7, 100)),
    st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
)
def test_resting_logits_solve_their_equations(lam, gamma):
    negative, positive = resting_logits(lam, gamma)
    assert lam[1] * (positive - gamma[1]) == pytest.approx(1 / (1 + math.exp(positive)), abs=1e-9)
    assert lam[0] * (negative - gamma[0]) == pytest.approx(-1 / (1 + math.exp(-negative)), abs=1e-9)
    assert positive > gamma[1] or positive == pytest.approx(gamma[1])
    assert negative < gamma[0] or negative == pytest.approx(gamma[0])


def test_without_a_penalty_nothing_rests():
    assert resting_logits(0) == (-math.inf, math.inf)


def written_out(name, value, logits):
    """Each convention's penalty, from its row in the table of facts; logits (N, 1 or 2)."""
    squares = logits.square()
    return {
        "algorithm_1": lambda: value / 2 * squares.mean(),
        "algorithm_1_two_logits": lambda: value / 2 * squares.mean(),
        "equation_1_two_logits": lambda: value / 2 * squares.sum(dim=1).mean(),
        "coefficient": lambda: value * squares.mean(),
        "coefficient_two_logits": lambda: value * squares.mean(),
    }[name]()


@pytest.mark.parametrize("name", LAMBDA_CONVENTIONS)
def test_every_lambda_convention_rests_at_the_margin_its_row_promises(name):
    value, n_logits = 0.07, 2 if "two_logits" in name else 1
    targets = UNEQUAL

    def loss(flat):
        logits = flat.view(10, n_logits)
        if n_logits == 2:
            return F.cross_entropy(logits, targets) + written_out(name, value, logits)
        cross_entropy = F.binary_cross_entropy_with_logits(logits[:, 0], targets.double())
        return cross_entropy + written_out(name, value, logits)

    found = minimise(loss, torch.zeros(10 * n_logits, dtype=torch.float64)).view(10, n_logits)
    margins = found[:, -1] - found[:, 0] if n_logits == 2 else found[:, 0]
    negative, positive = resting_logits(convert_lambda(value, name))
    expected = torch.where(targets == 1, positive, negative).to(torch.float64)
    torch.testing.assert_close(margins, expected, atol=2e-6, rtol=1e-6)


def test_domainbed_default_in_the_other_conventions():
    assert convert_lambda(0.1, "coefficient_two_logits") == pytest.approx(0.05)
    assert convert_lambda(0.1, "coefficient_two_logits", "algorithm_1_two_logits") == pytest.approx(
        0.2
    )
    assert convert_lambda(0.003, "coefficient") == pytest.approx(0.006)


@settings(deadline=None)
@given(st.sampled_from(list(LAMBDA_CONVENTIONS)), st.sampled_from(list(LAMBDA_CONVENTIONS)))
def test_converting_there_and_back_changes_nothing(a, b):
    assert convert_lambda(convert_lambda(0.3, a, b), b, a) == pytest.approx(0.3)
