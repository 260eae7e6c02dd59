"""Dual fixed points and dynamics against published numbers, direct minimisation and differences."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings, strategies as st
from scipy.optimize import minimize
from scipy.special import expit

from sdlib.errors import ConfigError
from sdlib.losses import resting_logits
from sdlib.theory.dual import (
    coupled_pair,
    dual_flow,
    fixed_point,
    lambert_response,
    primal_flow,
    response,
    starvation,
)

HALF = coupled_pair(0.5)


def rest(u, s, lam, penalty):
    return response(u, s, lam, fixed_point(u, s, lam, penalty), penalty)


def rotation(n, seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]


@pytest.mark.parametrize(
    ("s_1", "z_2"), [(2.001, 1.640), (3, 1.583), (4, 1.467), (5, 1.329), (6, 1.185)]
)
def test_a_stronger_first_feature_starves_the_second_under_weight_decay_only(s_1, z_2):
    assert rest(HALF, [s_1, 2], 0.01, "weight_decay")[1] == pytest.approx(z_2, abs=5e-4)
    assert rest(HALF, [s_1, 2], 0.01, "sd") == pytest.approx([4.5889, 1.2296], abs=5e-5)


def test_uncoupled_features_do_not_notice_each_other():
    at = [rest(coupled_pair(0), [s_1, 2], 0.01, "weight_decay") for s_1 in (1, 3, 9)]
    np.testing.assert_allclose([z[1] for z in at], at[0][1], rtol=1e-9)
    assert at[0][0] < at[1][0] < at[2][0]


seeds, strengths = st.integers(0, 2**16), st.lists(st.floats(0.1, 30), min_size=1, max_size=6)


@settings(deadline=None)
@example(0, [0.25, 2.0, 3.0, 4.0], 1e-4, "weight_decay")  # a margin above 50
@given(seeds, strengths, st.floats(1e-4, 10), st.sampled_from(["weight_decay", "sd"]))
def test_fixed_points_are_fixed_and_alpha_is_the_sigmoid_of_minus_the_margin(seed, s, lam, penalty):
    u = rotation(len(s), seed)
    alpha = fixed_point(u, s, lam, penalty)
    margins = u @ response(u, s, lam, alpha, penalty)
    np.testing.assert_allclose(alpha, expit(-margins), rtol=1e-6)


@settings(deadline=None)
@given(seeds, strengths, st.floats(1e-4, 10))
def test_spectral_decoupling_rests_every_margin_where_the_loss_does(seed, s, lam):
    u = rotation(len(s), seed)
    margin = resting_logits(lam)[1]
    np.testing.assert_allclose(rest(u, s, lam, "sd"), margin * u.sum(axis=0), rtol=1e-8, atol=1e-8)
    assert not starvation(u, s, lam, "sd").any()


@pytest.mark.parametrize("penalty", ["weight_decay", "sd"])
def test_the_dual_fixed_point_is_the_minimum_of_the_primal_loss(penalty):
    u, s, lam = rotation(4, 3), np.array([3.0, 2.0, 1.0, 0.5]), 0.05
    features = (u * s) @ rotation(4, 4).T  # Y Phi

    def loss(theta):
        margins = features @ theta
        penalised = theta if penalty == "weight_decay" else margins
        return np.logaddexp(0, -margins).sum() + lam / 2 * penalised @ penalised

    theta = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-9}).x
    np.testing.assert_allclose(
        u.T @ features @ theta, rest(u, s, lam, penalty), rtol=1e-4, atol=1e-4
    )


def test_starvation_is_the_derivative_of_the_resting_response():
    u, s, lam = rotation(4, 0), np.array([3.0, 2.0, 1.5, 0.7]), 0.01
    found, step = starvation(u, s, lam, "weight_decay"), 1e-5
    for i in range(4):
        squares = [s**2 + sign * step * (np.arange(4) == i) for sign in (1, -1)]
        up, down = (rest(u, np.sqrt(square), lam, "weight_decay") for square in squares)
        np.testing.assert_allclose(found[:, i], (up - down) / (2 * step), atol=1e-6)


def test_each_of_two_coupled_features_starves_the_other():
    derivatives = starvation(HALF, [3, 2], 0.01, "weight_decay")
    assert (np.diag(derivatives) > 0).all()
    assert (derivatives[[0, 1], [1, 0]] < 0).all()


def test_lambert_w_is_the_uncoupled_response_as_lambda_vanishes():
    errors = []
    for lam in (1e-1, 1e-2, 1e-3, 1e-4):
        exact = rest(coupled_pair(0), [3, 2], lam, "weight_decay")
        errors.append(np.abs(lambert_response([3, 2], lam) / exact - 1).max())
    # alpha is about lam * z / s^2, and so is the error of leaving it out.
    assert all(later < earlier / 5 for earlier, later in itertools.pairwise(errors))
    assert errors[-1] < 1e-4


@pytest.mark.parametrize("penalty", ["weight_decay", "sd"])
def test_both_flows_end_at_the_fixed_point(penalty):
    expected = rest(HALF, [3, 2], 0.05, penalty)
    alpha = dual_flow(HALF, [3, 2], 0.05, penalty, [0, 1, 50])
    ends = response(HALF, [3, 2], 0.05, alpha, penalty)[-1]
    np.testing.assert_allclose(ends, expected, rtol=1e-4)
    descended = primal_flow(HALF, [3, 2], 0.05, penalty, [0, 1, 2000])
    np.testing.assert_allclose(descended[-1], expected, rtol=1e-4)
    assert not descended[0].any()


@pytest.mark.parametrize("penalty", ["weight_decay", "sd"])
def test_the_primal_flow_is_gradient_descent_with_small_steps(penalty):
    u, s, lam, rate, steps = HALF, np.array([3.0, 2.0]), 0.05, 1e-4, 5000
    features = torch.tensor((u * s) @ rotation(2, 5).T)
    theta = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    for _ in range(steps):
        margins = features @ theta
        penalised = theta if penalty == "weight_decay" else margins
        loss = torch.nn.functional.softplus(-margins).sum() + lam / 2 * penalised.square().sum()
        (gradient,) = torch.autograd.grad(loss, theta)
        theta = (theta - rate * gradient).detach().requires_grad_()
    expected = u.T @ (features @ theta).detach().numpy()
    flow = primal_flow(u, s, lam, penalty, [0, rate * steps])[-1]
    np.testing.assert_allclose(flow, expected, rtol=1e-3)


def test_the_dual_flow_is_dual_ascent_with_small_steps():
    u, s, lam, rate, steps, start = HALF, np.array([3.0, 2.0]), 0.5, 1e-4, 2000, 0.1
    kernel, alpha = (u * s**2) @ u.T / lam, np.full(2, start)
    for _ in range(steps):
        alpha = alpha + rate * (np.log((1 - alpha) / alpha) - kernel @ alpha)
    flow = dual_flow(u, s, lam, "weight_decay", [0, rate * steps], start)[-1]
    np.testing.assert_allclose(flow, alpha, rtol=1e-3)


def test_strengths_change_the_speed_of_descent_but_not_the_dual_dynamics_of_sd():
    times = [0.0, 1e-3, 1e-2]
    dual = [dual_flow(HALF, [s_1, 2], 0.01, "sd", times) for s_1 in (2.5, 6)]
    np.testing.assert_array_equal(*dual)
    slow, fast = (primal_flow(HALF, [s_1, 2], 0.01, "sd", [0, 0.05])[-1] for s_1 in (2.5, 6))
    assert fast[0] > 2 * slow[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lam": 0.0}, "positive lam"),
        ({"lam": -1.0}, "at least 0"),
        ({"lam": np.nan}, "at least 0"),
        ({"s": [3.0]}, "orthogonal"),
        ({"s": [3.0, 0.0]}, "positive, finite"),
        ({"s": [3.0, np.inf]}, "positive, finite"),
        ({"u": np.ones((2, 2))}, "orthogonal"),
        ({"penalty": "dropout"}, "'dropout'"),
    ],
)
def test_bad_problems_are_refused(changes, message):
    problem = {"u": HALF, "s": [3.0, 2.0], "lam": 0.1, "penalty": "weight_decay"} | changes
    with pytest.raises(ConfigError, match=message):
        fixed_point(**problem)
    with pytest.raises(ConfigError, match=message):
        primal_flow(**problem, times=[0, 1])


def test_bad_couplings_times_and_starts_are_refused():
    with pytest.raises(ConfigError, match="coupling d"):
        coupled_pair(1.0)
    for times in ([1.0, 0.5], [-1.0, 1.0], 3.0):
        with pytest.raises(ConfigError, match="increasing"):
            primal_flow(HALF, [3, 2], 0.1, "sd", times)
    with pytest.raises(ConfigError, match="start"):
        dual_flow(HALF, [3, 2], 0.1, "sd", [0, 1], start=0)
    with pytest.raises(ConfigError, match="positive lam"):
        lambert_response([2.0], 0)
