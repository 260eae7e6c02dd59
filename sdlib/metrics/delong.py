"""DeLong's test: whether two sets of scores for the same examples have different AUROCs.

DeLong, DeLong and Clarke-Pearson (Biometrics 1988) estimate the variance of an AUROC from one value
per example, its placement: the share of the other class's examples that it is ranked correctly
against. Sun and Xu (IEEE Signal Processing Letters 2014) read all placements off midranks, in
O(n log n) instead of one comparison per pair.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from sdlib.errors import ConfigError
from sdlib.metrics.classification import check_scores

__all__ = ["Alternative", "DeLong", "delong_test"]

Alternative = Literal["two-sided", "greater", "less"]


@dataclass(frozen=True)
class DeLong:
    """The result of DeLong's test of two AUROCs on the same examples.

    Attributes
    ----------
    auc_a, auc_b : float
        The two areas, 0 to 1; ties count a half.
    z : float
        Their difference, a minus b, in standard errors.
    p : float
        Its p value, which is 0 where it is below about 1e-308.
    log10_p : float
        The decimal logarithm of the p value, exact also where ``p`` is 0.
    low, high : float
        The 95 % interval of ``auc_a - auc_b``; both ends are finite and may exceed [-1, 1].
    """

    auc_a: float
    auc_b: float
    z: float
    p: float
    log10_p: float
    low: float
    high: float


def delong_test(
    y_true: ArrayLike,
    score_a: ArrayLike,
    score_b: ArrayLike,
    alternative: Alternative = "two-sided",
) -> DeLong:
    """Test whether two sets of scores for the same examples have the same AUROC.

    Parameters
    ----------
    y_true : array_like
        (n,), 0 (negative) or 1 (positive); both must occur.
    score_a, score_b : array_like
        (n,), finite numbers, higher for the positive class; they need not be probabilities.
    alternative : {"two-sided", "greater", "less"}
        ``"greater"`` tests whether the AUROC of a is greater than that of b.

    Returns
    -------
    DeLong
        Scores that rank every example alike have z = 0, a two-sided p of 1 and the interval
        [0, 0]. One example alone in a class has no spread: unless the scores rank alike, all but
        the areas is then NaN.

    Raises
    ------
    ConfigError
        Different shapes, one class only, scores that are not finite, an unknown alternative.

    Examples
    --------
    >>> y_true = [0, 0, 0, 1, 1, 1]
    >>> test = delong_test(y_true, [0.1, 0.2, 0.6, 0.5, 0.8, 0.9], [0.6, 0.2, 0.7, 0.1, 0.8, 0.9])
    >>> round(test.auc_a, 3), round(test.auc_b, 3), round(test.z, 3), round(test.p, 3)
    (0.889, 0.667, 0.894, 0.371)
    """
    if alternative not in get_args(Alternative):
        allowed = ", ".join(get_args(Alternative))
        raise ConfigError(f"expected an alternative of {allowed}, got {alternative!r}")
    targets, score_a = check_scores(y_true, score_a)
    targets, score_b = check_scores(y_true, score_b)
    positive = targets == 1
    n_positive = int(positive.sum())
    n_negative = len(targets) - n_positive

    won_a = _wins(score_a, positive)
    won_b = _wins(score_b, positive)
    # Wins are whole or half numbers: their differences and sums are exact, so scores that rank
    # alike give an exact zero, and nothing cancels as in var(a) + var(b) - 2 cov(a, b).
    gained = won_a - won_b
    pairs = n_positive * n_negative
    difference = float(gained[positive].sum() / pairs)
    variance = (
        _variance(gained[positive]) / n_negative**2 / n_positive
        + _variance(gained[~positive]) / n_positive**2 / n_negative
    )
    error = math.sqrt(variance)
    z = _ratio(difference, error)
    log_p = _log_p(z, alternative)
    # The interval is not cut off at -1 and 1, so that it stays symmetric about the difference.
    half = stats.norm.ppf(0.975) * error
    return DeLong(
        auc_a=float(won_a[positive].sum() / pairs),
        auc_b=float(won_b[positive].sum() / pairs),
        z=z,
        p=math.exp(log_p),
        log10_p=log_p / math.log(10),
        low=float(difference - half),
        high=float(difference + half),
    )


def _wins(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """How many examples of the other class each example is ranked correctly against.

    A midrank among all examples less the midrank within the own class counts the examples of the
    other class that lie below, ties as halves.
    """
    below = stats.rankdata(scores)
    below[positive] -= stats.rankdata(scores[positive])
    below[~positive] -= stats.rankdata(scores[~positive])
    # A negative example is ranked correctly against the positives above it.
    return np.where(positive, below, positive.sum() - below)


def _variance(gained: np.ndarray) -> float:
    """Variance with n - 1 degrees of freedom; NaN for one value, unless it is 0."""
    if not gained.any():
        return 0.0
    return float(gained.var(ddof=1)) if len(gained) > 1 else math.nan


def _ratio(difference: float, error: float) -> float:
    """The difference in standard errors; 0 where both are 0, infinite where only the error is."""
    if error != 0:
        return difference / error
    return math.copysign(math.inf, difference) if difference else 0.0


def _log_p(z: float, alternative: Alternative) -> float:
    """Natural logarithm of the p value: it is finite where the p value itself underflows."""
    if alternative == "greater":
        return float(stats.norm.logsf(z))
    if alternative == "less":
        return float(stats.norm.logsf(-z))
    return float(math.log(2) + stats.norm.logsf(abs(z)))
