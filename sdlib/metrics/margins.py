"""Margins of predictions, and whether the penalty of Equation 1 holds them back.

What to watch while a network is trained with spectral decoupling: below the cap of
:func:`sdlib.theory.heads.margin_cap` cross-entropy pulls harder than the penalty, beyond it the
penalty does. Where hardly an example is beyond the cap, the penalty has hardly acted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sdlib.errors import ConfigError
from sdlib.theory.heads import margin_cap, probability_at

__all__ = ["MarginReading", "margins", "read_margins"]

HARDLY = 0.05  # share of examples beyond the cap from which we say that the penalty acts


def margins(logits: ArrayLike, targets: ArrayLike) -> np.ndarray:
    """Compute the margin of every example: above 0 where the prediction is right.

    Parameters
    ----------
    logits : array_like
        Finite, (n,) or (n, 1) of a single logit, or (n, C) of a softmax with C of 2 or more.
    targets : array_like
        Whole numbers, (n,) or (n, 1): 0 or 1; for a softmax 0 to C - 1.

    Returns
    -------
    numpy.ndarray
        float64 (n,): the logit of a positive, minus the logit of a negative; for a softmax the
        logit of the true class minus the largest other one.

    Raises
    ------
    ConfigError
        Other shapes, no examples, logits that are not finite, targets out of range.

    Examples
    --------
    >>> margins([2.0, -1.0, 0.5], [1, 0, 0]).tolist()
    [2.0, 1.0, -0.5]
    >>> margins([[3.0, 1.0, 2.5]], [0]).tolist()
    [0.5]
    """
    f = np.asarray(logits, np.float64)
    if f.ndim == 2 and f.shape[1] == 1:
        f = f[:, 0]
    if f.ndim not in (1, 2) or not f.size:
        raise ConfigError(f"expected logits of shape (n,) or (n, C), got {f.shape}")
    if not np.isfinite(f).all():
        raise ConfigError("expected finite logits, got NaN or infinite ones")
    classes = _classes(targets, f)
    if f.ndim == 1:
        return np.where(classes == 1, f, -f)
    rows = np.arange(len(f))
    others = f.copy()
    others[rows, classes] = -np.inf
    return f[rows, classes] - others.max(axis=1)


def _classes(targets: ArrayLike, f: np.ndarray) -> np.ndarray:
    """Targets as whole numbers (n,), within what the logits allow."""
    found = np.asarray(targets)
    if found.shape not in ((len(f),), (len(f), 1)):
        raise ConfigError(
            f"expected one target for each of {len(f)} examples, got shape {found.shape}"
        )
    found = found.reshape(-1)
    highest = 1 if f.ndim == 1 else f.shape[1] - 1
    wrong = found[~np.isin(found, np.arange(highest + 1))]
    if len(wrong):
        raise ConfigError(f"expected targets from 0 to {highest}, got {wrong[0]}")
    return found.astype(np.int64)


@dataclass(frozen=True)
class MarginReading:
    """Margins beside their cap; ``str()`` says how many are beyond it.

    Parameters
    ----------
    n : int
        Number of examples.
    mean, highest : float
        Of the margins.
    cap : float
        The margin at which cross-entropy and the penalty balance.
    beyond : float
        Share of examples whose margin is larger than the cap, 0 to 1.
    wrong : float
        Share of examples whose margin is not above 0, 0 to 1.
    probability : float
        What is predicted for the true class at the cap.
    """

    n: int
    mean: float
    highest: float
    cap: float
    beyond: float
    wrong: float
    probability: float

    def __str__(self) -> str:
        found = (
            f"{self.beyond:.0%} of {self.n:,} margins are beyond the cap of {self.cap:.2f} "
            f"(probability {self.probability:.3f})"
        )
        if np.isinf(self.cap):
            return f"no cap: without a penalty margins only grow (mean {self.mean:.2f})"
        if self.beyond < HARDLY:
            return f"{found}: a penalty of this strength hardly acts"
        return found


def read_margins(
    found: ArrayLike, lam: float, classes: int = 1, smoothing: float = 0.0
) -> MarginReading:
    """Compare margins with the cap of a lambda.

    Parameters
    ----------
    found : array_like
        What :func:`margins` returns, (n,); at least one.
    lam, classes, smoothing
        As for :func:`sdlib.theory.heads.margin_cap`.

    Returns
    -------
    MarginReading

    Raises
    ------
    ConfigError
        No margins, or a number that is out of its range.

    Examples
    --------
    >>> reading = read_margins([1.0, 4.0], lam=0.01)
    >>> reading.beyond, round(reading.cap, 2)
    (0.5, 3.36)
    """
    values = np.asarray(found, np.float64)
    if values.ndim != 1 or not len(values):
        raise ConfigError(f"expected margins of shape (n,), at least one, got {values.shape}")
    cap = margin_cap(lam, classes, smoothing)
    return MarginReading(
        n=len(values),
        mean=float(values.mean()),
        highest=float(values.max()),
        cap=cap,
        beyond=float((values > cap).mean()),
        wrong=float((values <= 0).mean()),
        probability=probability_at(cap, classes),
    )
