"""Gradient starvation in a linearised network: dual variables, fixed points, responses.

Labels y in {-1, 1}, outputs ``yhat = Phi theta``, ``Y = diag(y)`` and ``Y Phi = U S V^T``. The
response of feature i is ``z_i = (U^T Y yhat)_i``; the margins are ``Y yhat = U z``. With the loss
summed over examples, each example has one dual variable ``alpha = sigmoid(-margin)`` in (0, 1):

- weight decay, ``CE + lam/2 ||theta||^2``:
  ``alpha' = ln((1 - alpha) / alpha) - U S^2 U^T alpha / lam`` and ``z = S^2 U^T alpha / lam``;
- spectral decoupling, ``CE + lam/2 ||yhat||^2``:
  ``alpha' = ln((1 - alpha) / alpha) - alpha / lam`` and ``z = U^T alpha / lam``, without S.

Feature i starves feature j when ``d z_j* / d (s_i^2) < 0`` (Pezeshki et al., arXiv 2011.09468).

Throughout, ``u`` is an orthogonal (n, n) array, ``s`` holds n positive singular values, ``lam`` is
positive, ``penalty`` is ``"weight_decay"`` or ``"sd"``, and everything is float64. Bad values raise
:class:`sdlib.errors.ConfigError`. The dynamics over time, :func:`dual_flow` and
:func:`primal_flow`, are in :mod:`sdlib.theory.flows` and can be imported from here too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, lambertw

from sdlib.errors import ConfigError
from sdlib.theory.flows import dual_flow, primal_flow
from sdlib.theory.linearised import (
    Array,
    Penalty,
    check_positive,
    check_problem,
    margin_kernel,
)

__all__ = [
    "coupled_pair",
    "dual_flow",
    "fixed_point",
    "lambert_response",
    "primal_flow",
    "response",
    "starvation",
]

MAX_STEPS = 200  # Newton steps after which the search gives up


def coupled_pair(d: float) -> Array:
    """The features of two examples, coupled by ``d``: U with columns (c, d) and (-d, c).

    At ``d = 0`` each example has a feature of its own. Otherwise the first feature helps both
    examples, and the second helps one and hurts the other a little.

    Parameters
    ----------
    d : float
        Coupling, from 0 to below 1; ``c^2 + d^2 = 1``.

    Returns
    -------
    numpy.ndarray
        float64 (2, 2), orthogonal.

    Raises
    ------
    ConfigError
        A coupling outside [0, 1).

    Examples
    --------
    >>> coupled_pair(0.5).round(3)
    array([[ 0.866, -0.5  ],
           [ 0.5  ,  0.866]])
    """
    if not 0 <= d < 1:
        raise ConfigError(f"expected a coupling d of at least 0 and below 1, got {d!r}")
    c = np.sqrt(1 - d**2)
    return np.array([[c, -d], [d, c]])


def fixed_point(u: ArrayLike, s: ArrayLike, lam: float, penalty: Penalty) -> Array:
    """Find the dual variables at which the dual dynamics stop.

    They are ``sigmoid(-u @ z)`` at the minimum of the primal loss over z. Unlike the dual loss, it
    is strictly convex without a boundary, so Newton's method finds the minimum, with steps cut back
    until the loss falls.

    Parameters
    ----------
    u : array_like
        (n, n), orthogonal: column i holds feature i.
    s : array_like
        (n,), strengths of the features, positive.
    lam : float
        Strength of the penalty, positive.
    penalty : {"weight_decay", "sd"}
        Which penalty.

    Returns
    -------
    numpy.ndarray
        float64 (n,), each in (0, 1).

    Raises
    ------
    ConfigError
        Values outside these ranges.
    ArithmeticError
        Newton's method did not converge.

    Examples
    --------
    >>> alpha = fixed_point(coupled_pair(0.5), [3, 2], 0.01, "weight_decay")
    >>> response(coupled_pair(0.5), [3, 2], 0.01, alpha, "weight_decay").round(3)
    array([7.068, 1.583])
    """
    u, s = check_problem(u, s, lam, penalty)
    # In terms of z, weight decay is lighter on strong features; spectral decoupling is not.
    weight = lam / s**2 if penalty == "weight_decay" else np.full_like(s, lam)
    z = np.zeros_like(s)

    def loss(at: Array) -> float:
        return np.logaddexp(0, -u @ at).sum() + weight @ at**2 / 2

    for _ in range(MAX_STEPS):
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
    raise ArithmeticError(f"the dual fixed point did not converge in {MAX_STEPS} Newton steps")


def response(u: ArrayLike, s: ArrayLike, lam: float, alpha: ArrayLike, penalty: Penalty) -> Array:
    """Compute the responses of the features for given dual variables.

    Parameters
    ----------
    u, s, lam, penalty
        As for :func:`fixed_point`.
    alpha : array_like
        (n,) or (times, n), dual variables.

    Returns
    -------
    numpy.ndarray
        float64 of the shape of ``alpha``, responses z.

    Raises
    ------
    ConfigError
        As :func:`fixed_point`.

    Examples
    --------
    >>> response(np.eye(2), [3, 2], 0.5, [0.1, 0.2], "sd")
    array([0.2, 0.4])
    """
    u, s = check_problem(u, s, lam, penalty)
    return np.asarray(alpha) @ margin_kernel(u, s, lam, penalty) @ u


def starvation(u: ArrayLike, s: ArrayLike, lam: float, penalty: Penalty) -> Array:
    """How each feature's final response changes with the strength of each feature.

    Parameters
    ----------
    u, s, lam, penalty
        As for :func:`fixed_point`.

    Returns
    -------
    numpy.ndarray
        float64 (n, n), ``d z_j* / d (s_i^2)`` in row j and column i; negative where feature i
        starves feature j, and 0 everywhere under spectral decoupling.

    Raises
    ------
    ConfigError
        As :func:`fixed_point`.

    Examples
    --------
    >>> starvation(coupled_pair(0.5), [3, 2], 0.01, "weight_decay").round(3)
    array([[ 0.136, -0.018],
           [-0.016,  0.11 ]])
    """
    u, s = check_problem(u, s, lam, penalty)
    if penalty == "sd":
        return np.zeros_like(u)
    alpha = fixed_point(u, s, lam, penalty)
    # Differentiate margin = K alpha(margin), where d alpha / d margin = -alpha (1 - alpha).
    kernel = margin_kernel(u, s, lam, penalty)
    system = np.eye(len(u)) + kernel * (alpha * (1 - alpha))
    return u.T @ np.linalg.solve(system, u * (alpha @ u) / lam)


def lambert_response(s: ArrayLike, lam: float) -> Array:
    """The responses under weight decay when no features are coupled and alpha is small.

    They have a closed form, ``W(s^2 / lam)``, where W is Lambert's function.

    Parameters
    ----------
    s : array_like
        (n,), strengths of the features.
    lam : float
        Strength of weight decay, positive.

    Returns
    -------
    numpy.ndarray
        float64 (n,).

    Raises
    ------
    ConfigError
        ``lam`` is not a positive, finite number.

    Examples
    --------
    >>> lambert_response([2.0, 4.0], 0.01).round(2)
    array([4.49, 5.65])
    """
    check_positive(lam)
    return lambertw(np.asarray(s, dtype=float) ** 2 / lam).real
