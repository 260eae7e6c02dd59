"""Gradient starvation in a linearised network: dual dynamics, fixed points, responses.

Labels y in {-1, 1}, outputs ``yhat = Phi theta``, ``Y = diag(y)`` and ``Y Phi = U S V^T``. The
response of feature i is ``z_i = (U^T Y yhat)_i``; the margins are ``Y yhat = U z``. With the loss
summed over examples, each example has one dual variable ``alpha = sigmoid(-margin)`` in (0, 1):

- weight decay, ``CE + lam/2 ||theta||^2``:
  ``alpha' = ln((1 - alpha) / alpha) - U S^2 U^T alpha / lam`` and ``z = S^2 U^T alpha / lam``;
- spectral decoupling, ``CE + lam/2 ||yhat||^2``:
  ``alpha' = ln((1 - alpha) / alpha) - alpha / lam`` and ``z = U^T alpha / lam``, without S.

Feature i starves feature j when ``d z_j* / d (s_i^2) < 0`` (Pezeshki et al., arXiv 2011.09468).

Throughout, ``u`` is an orthogonal ``(n, n)`` array, ``s`` holds n positive singular values, ``lam``
is positive and everything is float64. Bad values raise :class:`sdlib.errors.ConfigError`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.special import expit, lambertw, logit

from sdlib.errors import ConfigError
from sdlib.theory.optima import check_lambda

__all__ = [
    "coupled_pair",
    "dual_flow",
    "fixed_point",
    "lambert_response",
    "primal_flow",
    "response",
    "starvation",
]

Penalty = Literal["weight_decay", "sd"]
Array = NDArray[np.float64]


def coupled_pair(d: float) -> Array:
    """Two examples, two features: U with columns ``(c, d)`` and ``(-d, c)``, ``c^2 + d^2 = 1``.

    At ``d = 0`` each example has a feature of its own; otherwise the first feature helps both and
    the second helps one and hurts the other a little.

    >>> coupled_pair(0.5).round(3)
    array([[ 0.866, -0.5  ],
           [ 0.5  ,  0.866]])
    """
    if not 0 <= d < 1:
        raise ConfigError(f"expected a coupling d of at least 0 and below 1, got {d!r}")
    c = np.sqrt(1 - d**2)
    return np.array([[c, -d], [d, c]])


def fixed_point(u: ArrayLike, s: ArrayLike, lam: float, penalty: Penalty) -> Array:
    """The dual variables alpha ``(n,)``, each in (0, 1), at which the dual dynamics stop.

    They are ``sigmoid(-u @ z)`` at the minimum over z of the primal loss, which is strictly convex
    and, unlike the dual, has no boundary: Newton's method finds it, with steps cut back until the
    loss falls.

    >>> alpha = fixed_point(coupled_pair(0.5), [3, 2], 0.01, "weight_decay")
    >>> response(coupled_pair(0.5), [3, 2], 0.01, alpha, "weight_decay").round(3)
    array([7.068, 1.583])
    """
    u, s = _checked(u, s, lam, penalty)
    weight = lam / s**2 if penalty == "weight_decay" else np.full_like(s, lam)
    z = np.zeros_like(s)

    def loss(at: Array) -> float:
        return np.logaddexp(0, -u @ at).sum() + weight @ at**2 / 2

    for _ in range(200):
        alpha = expit(-u @ z)
        hessian = (u.T * (alpha * (1 - alpha))) @ u + np.diag(weight)
        step = np.linalg.solve(hessian, alpha @ u - weight * z)
        if np.abs(step).max() < 1e-8:
            return expit(-u @ (z + step))
        size = 1.0
        # The tolerance keeps the loss's own rounding from stopping the last steps.
        while loss(z + size * step) > loss(z) * (1 + 1e-12):
            size /= 2
        z = z + size * step
    raise ArithmeticError("the dual fixed point did not converge in 200 Newton steps")


def response(u: ArrayLike, s: ArrayLike, lam: float, alpha: ArrayLike, penalty: Penalty) -> Array:
    """Responses z of the features for dual variables ``alpha`` ``(n,)`` or ``(times, n)``."""
    u, s = _checked(u, s, lam, penalty)
    return np.asarray(alpha) @ _kernel(u, s, lam, penalty) @ u


def starvation(u: ArrayLike, s: ArrayLike, lam: float, penalty: Penalty) -> Array:
    """The matrix of ``d z_j* / d (s_i^2)``, row j, column i; negative where i starves j.

    >>> starvation(coupled_pair(0.5), [3, 2], 0.01, "weight_decay").round(3)
    array([[ 0.136, -0.018],
           [-0.016,  0.11 ]])
    """
    u, s = _checked(u, s, lam, penalty)
    if penalty == "sd":
        return np.zeros_like(u)
    alpha = fixed_point(u, s, lam, penalty)
    # Differentiate margin = K alpha(margin), where d alpha / d margin = -alpha (1 - alpha).
    kernel = _kernel(u, s, lam, penalty)
    system = np.eye(len(u)) + kernel * (alpha * (1 - alpha))
    return u.T @ np.linalg.solve(system, u * (alpha @ u) / lam)


def lambert_response(s: ArrayLike, lam: float) -> Array:
    """``W(s^2 / lam)``: weight decay's responses when no features are coupled and alpha is small.

    >>> lambert_response([2.0, 4.0], 0.01).round(2)
    array([4.49, 5.65])
    """
    _check_positive(lam)
    return lambertw(np.asarray(s, dtype=float) ** 2 / lam).real


def dual_flow(
    u: ArrayLike,
    s: ArrayLike,
    lam: float,
    penalty: Penalty,
    times: ArrayLike,
    start: float = 1e-6,
) -> Array:
    """Continuous dual ascent from every alpha at ``start``: alpha ``(times, n)``.

    A start near 0 puts the responses near 0, as in a network that has learned nothing.

    >>> times = [0.0, 1e-3, 1.0]
    >>> alpha = dual_flow(coupled_pair(0.5), [3, 2], 0.01, "sd", times)
    >>> response(coupled_pair(0.5), [3, 2], 0.01, alpha, "sd").round(2)
    array([[0.  , 0.  ],
           [0.78, 0.21],
           [4.59, 1.23]])
    """
    if not 0 < start < 1:
        raise ConfigError(f"expected start between 0 and 1, got {start!r}")
    kernel = _kernel(*_checked(u, s, lam, penalty), lam, penalty)

    def ascend(_: float, log_odds: Array) -> Array:
        # In log-odds alpha cannot leave (0, 1): d log_odds = d alpha / (alpha (1 - alpha)).
        alpha = expit(log_odds)
        return (-log_odds - kernel @ alpha) / (alpha * (1 - alpha))

    return expit(_integrate(ascend, np.full(len(kernel), logit(start)), times))


def primal_flow(
    u: ArrayLike, s: ArrayLike, lam: float, penalty: Penalty, times: ArrayLike
) -> Array:
    """Gradient flow on theta from 0, seen through the responses: z ``(times, n)``.

    Spectral decoupling's speed keeps the factor ``s^2``; only where it ends is free of it.

    >>> primal_flow(coupled_pair(0.5), [3, 2], 0.01, "sd", [0.0, 1e3]).round(2)
    array([[0.  , 0.  ],
           [4.59, 1.23]])
    """
    u, s = _checked(u, s, lam, penalty)
    shrink = np.ones_like(s) if penalty == "weight_decay" else s**2

    def descend(_: float, z: Array) -> Array:
        return s**2 * (expit(-u @ z) @ u) - lam * shrink * z

    return _integrate(descend, np.zeros_like(s), times)


def _integrate(derivative, start: Array, times: ArrayLike) -> Array:
    times = np.asarray(times, dtype=float)
    if times.ndim != 1 or not (np.diff(times) > 0).all() or (times < 0).any():
        raise ConfigError("expected times as an increasing sequence from 0 on")
    solved = solve_ivp(derivative, (0, times[-1]), start, "LSODA", times, rtol=1e-8, atol=1e-10)
    return solved.y.T


def _kernel(u: Array, s: Array, lam: float, penalty: Penalty) -> Array:
    """The margins are this matrix times alpha."""
    return ((u * s**2) @ u.T if penalty == "weight_decay" else np.eye(len(u))) / lam


def _checked(u: ArrayLike, s: ArrayLike, lam: float, penalty: Penalty) -> tuple[Array, Array]:
    u, s = np.asarray(u, dtype=float), np.asarray(s, dtype=float)
    if penalty not in ("weight_decay", "sd"):
        raise ConfigError(f"expected penalty 'weight_decay' or 'sd', got {penalty!r}")
    _check_positive(lam)
    if s.ndim != 1 or u.shape != (len(s), len(s)) or not np.allclose(u.T @ u, np.eye(len(s))):
        raise ConfigError(
            f"expected n values in s and an orthogonal (n, n) u, got shapes {s.shape}, {u.shape}"
        )
    if not (s > 0).all() or not np.isfinite(s).all():
        raise ConfigError(f"expected positive, finite singular values, got {s}")
    return u, s


def _check_positive(lam: float) -> None:
    check_lambda(lam)
    if lam == 0:
        raise ConfigError("expected a positive lam: without a penalty there is no fixed point")
