"""A linearised network over time: continuous dual ascent and continuous gradient descent.

The names u, s, lam and penalty are those of :mod:`sdlib.theory.dual`, whose fixed points are where
both flows end.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.special import expit, logit

from sdlib.errors import ConfigError
from sdlib.theory.linearised import Array, Penalty, check_problem, margin_kernel

__all__ = ["dual_flow", "primal_flow"]


def dual_flow(
    u: ArrayLike,
    s: ArrayLike,
    lam: float,
    penalty: Penalty,
    times: ArrayLike,
    start: float = 1e-6,
) -> Array:
    """Follow the dual variables in continuous dual ascent.

    A start near 0 makes the first responses almost 0, as in a network that has learned nothing.

    Parameters
    ----------
    u, s, lam, penalty
        As for :func:`sdlib.theory.dual.fixed_point`.
    times : array_like
        (times,), increasing, at least 0.
    start : float
        The value of every dual variable at time 0, between 0 and 1.

    Returns
    -------
    numpy.ndarray
        float64 (times, n), dual variables.

    Raises
    ------
    ConfigError
        Bad features, strengths, penalties, times or starts.

    Examples
    --------
    >>> from sdlib.theory.dual import coupled_pair, response
    >>> alpha = dual_flow(coupled_pair(0.5), [3, 2], 0.01, "sd", times=[0.0, 1e-3, 1.0])
    >>> response(coupled_pair(0.5), [3, 2], 0.01, alpha, "sd").round(2)
    array([[0.  , 0.  ],
           [0.78, 0.21],
           [4.59, 1.23]])
    """
    if not 0 < start < 1:
        raise ConfigError(f"expected start between 0 and 1, got {start!r}")
    kernel = margin_kernel(*check_problem(u, s, lam, penalty), lam, penalty)

    def ascend(_: float, log_odds: Array) -> Array:
        # In log-odds alpha cannot leave (0, 1): d log_odds = d alpha / (alpha (1 - alpha)).
        alpha = expit(log_odds)
        return (-log_odds - kernel @ alpha) / (alpha * (1 - alpha))

    log_odds = _integrate(ascend, np.full(len(kernel), logit(start)), times)
    return expit(log_odds)


def primal_flow(
    u: ArrayLike, s: ArrayLike, lam: float, penalty: Penalty, times: ArrayLike
) -> Array:
    """Follow the responses of the features in gradient flow on the parameters, from 0.

    Under spectral decoupling the strengths s set the speed of the flow, but not where it ends.

    Parameters
    ----------
    u, s, lam, penalty
        As for :func:`sdlib.theory.dual.fixed_point`.
    times : array_like
        (times,), increasing, at least 0.

    Returns
    -------
    numpy.ndarray
        float64 (times, n), responses z.

    Raises
    ------
    ConfigError
        Bad features, strengths, penalties or times.

    Examples
    --------
    >>> from sdlib.theory.dual import coupled_pair
    >>> primal_flow(coupled_pair(0.5), [3, 2], 0.01, "sd", [0.0, 1e3]).round(2)
    array([[0.  , 0.  ],
           [4.59, 1.23]])
    """
    u, s = check_problem(u, s, lam, penalty)
    # The penalty acts on the parameters in weight decay, on the outputs in spectral decoupling.
    shrink = np.ones_like(s) if penalty == "weight_decay" else s**2

    def descend(_: float, z: Array) -> Array:
        return s**2 * (expit(-u @ z) @ u) - lam * shrink * z

    return _integrate(descend, np.zeros_like(s), times)


def _integrate(
    derivative: Callable[[float, Array], Array], start: Array, times: ArrayLike
) -> Array:
    """Integrate an ordinary differential equation from time 0; float64 (times, n)."""
    times = np.asarray(times, dtype=float)
    if times.ndim != 1 or not (np.diff(times) > 0).all() or (times < 0).any():
        raise ConfigError("expected times as an increasing sequence from 0 on")
    # Strengths of different sizes make the equation stiff; LSODA changes its method by itself.
    solved = solve_ivp(derivative, (0, times[-1]), start, "LSODA", times, rtol=1e-8, atol=1e-10)
    return solved.y.T
