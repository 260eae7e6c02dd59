"""The linearised network behind the dual variables and the flows: penalties, kernel, checks."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sdlib.errors import ConfigError
from sdlib.theory.optima import check_lambda

__all__ = ["Array", "Penalty", "check_positive", "check_problem", "margin_kernel"]

Penalty = Literal["weight_decay", "sd"]
Array = NDArray[np.float64]


def margin_kernel(u: Array, s: Array, lam: float, penalty: Penalty) -> Array:
    """The matrix, float64 (n, n), that turns dual variables into margins.

    Parameters
    ----------
    u, s, lam, penalty
        As :func:`check_problem` returns and takes them.
    """
    kernel = (u * s**2) @ u.T if penalty == "weight_decay" else np.eye(len(u))
    return kernel / lam


def check_problem(u: ArrayLike, s: ArrayLike, lam: float, penalty: Penalty) -> tuple[Array, Array]:
    """Return features and strengths as arrays, or raise an error where they make no problem.

    Parameters
    ----------
    u : array_like
        (n, n), orthogonal.
    s : array_like
        (n,), singular values, positive and finite.
    lam : float
        Strength of the penalty, positive and finite.
    penalty : {"weight_decay", "sd"}
        Which penalty.

    Returns
    -------
    u, s : numpy.ndarray
        float64 (n, n) and (n,).

    Raises
    ------
    ConfigError
        Anything else.
    """
    u, s = np.asarray(u, dtype=float), np.asarray(s, dtype=float)
    if penalty not in ("weight_decay", "sd"):
        raise ConfigError(f"expected penalty 'weight_decay' or 'sd', got {penalty!r}")
    check_positive(lam)
    if s.ndim != 1 or u.shape != (len(s), len(s)) or not np.allclose(u.T @ u, np.eye(len(s))):
        raise ConfigError(
            f"expected n values in s and an orthogonal (n, n) u, got shapes {s.shape}, {u.shape}"
        )
    if not (s > 0).all() or not np.isfinite(s).all():
        raise ConfigError(f"expected positive, finite singular values, got {s}")
    return u, s


def check_positive(lam: float) -> None:
    """Raise ConfigError unless the strength of a penalty is one positive, finite number."""
    check_lambda(lam)
    if lam == 0:
        raise ConfigError("expected a positive lam: without a penalty there is no fixed point")
