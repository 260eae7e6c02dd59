"""Decisions on intervals: is it above zero, is it no difference, and how often may one ask?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

from sdlib.errors import ConfigError
from sdlib.metrics.intervals import Interval

__all__ = ["equivalent", "holm", "one_sided_p"]


TINY = 1e-12  # standard errors below it are rounding: all values were equal


def _scale(interval: Interval) -> tuple[float, float]:
    """Standard error of a mean, and degrees of freedom: infinite for the normal distribution."""
    if np.isfinite(interval.sd):
        return interval.sd / np.sqrt(interval.n), interval.n - 1
    # Of an interval that is not over seeds (bootstrap, DeLong): 1.96 standard errors to a side.
    return (interval.high - interval.low) / (2 * special.ndtri(0.975)), np.inf


def one_sided_p(interval: Interval) -> float:
    """Probability of such a mean or a larger one if the true mean is 0.

    Parameters
    ----------
    interval : Interval
        Of :func:`sdlib.metrics.mean_interval` (Student's t), or with an SD of NaN and a 95 %
        interval from elsewhere (normal).

    Returns
    -------
    float
        In [0, 1]; NaN where there is no interval.

    Examples
    --------
    >>> round(one_sided_p(Interval(5, 0.02, 0.02, -0.005, 0.045)), 3)
    0.045
    """
    error, freedom = _scale(interval)
    if not np.isfinite(interval.low):
        return float("nan")
    if error < TINY:
        return 0.0 if interval.mean > 0 else 1.0
    # scipy.special's functions, those behind scipy.stats: simulations call this very often.
    return float(special.stdtr(freedom, -interval.mean / error))


def equivalent(interval: Interval, margin: float, level: float = 0.05) -> bool:
    """Whether two one-sided tests say that the true mean lies within ``margin`` of 0.

    Parameters
    ----------
    interval : Interval
        As for :func:`one_sided_p`.
    margin : float
        Above 0, in the unit of the mean.
    level : float
        Of either test: at .05 the 90 % interval has to lie within the margin.

    Returns
    -------
    bool
        False where there is no interval: nothing is tested there.

    Raises
    ------
    ConfigError
        The margin is not above 0.

    Examples
    --------
    >>> equivalent(Interval(5, 0.0, 0.01, -0.0124, 0.0124), margin=0.02)
    True
    """
    if not margin > 0:
        raise ConfigError(f"expected a margin above 0, got {margin}")
    if not np.isfinite(interval.low):
        return False
    error, freedom = _scale(interval)
    half = error * special.stdtrit(freedom, 1 - level)
    return bool(interval.mean - half > -margin and interval.mean + half < margin)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's adjustment: p-values that may be compared with one level, however many there are.

    Parameters
    ----------
    p_values : sequence of float
        (n,), each in [0, 1]; NaN stays NaN and counts as no test.

    Returns
    -------
    numpy.ndarray
        float64 (n,), at least the value before, at most 1.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, np.float64)
    adjusted = np.full(len(values), np.nan)
    tested = np.flatnonzero(np.isfinite(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * values[place]))
        adjusted[place] = highest
    return adjusted
