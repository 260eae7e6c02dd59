"""DeLong's test: whether two sets of scores for the same examples have different AUROCs.

DeLong, DeLong and Clarke-Pearson (Biometrics 1988) estimate the variance of an AUROC from one value
per example, its placement: the share of the other class's examples that it is ranked correctly
against. Sun and Xu (IEEE Signal Processing Letters 2014) read all placements off ranks, in
O(n log n) instead of one comparison per pair. Here placements and their squares are summed in whole
numbers, so that nothing is rounded before the last division, however many examples there are.

The test takes examples as independent. Several images of one patient are not: they resemble each
other, so the standard error is too small, and z and p promise too much. Where patients have several
images, :func:`sdlib.metrics.bootstrap_difference` with ``groups`` gives an honest interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from sdlib.errors import ConfigError
from sdlib.metrics.classification import check_scores
from sdlib.metrics.kernels import count_wins, gains

__all__ = ["Alternative", "DeLong", "delong_test"]

Alternative = Literal["two-sided", "greater", "less"]
MANY = 2**30  # examples: twice as many wins do not fit into 32 bits
QUANTILE = float(special.ndtri(0.975))  # standard errors to either side of a 95 % interval


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
        Scores that rank every pair alike have z = 0, a two-sided p of 1 and the interval [0, 0].
        One example alone in a class has no spread: unless the scores rank alike, all but the areas
        is then NaN.

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
    targets, score_b = check_scores(targets, score_b)
    positive = targets == 1
    n = len(positive)
    n_positive = int(np.count_nonzero(positive))
    n_negative = n - n_positive

    # Both rankings work in the same memory, and as little of it as will do: fresh memory is slow.
    whole = np.int32 if n < MANY else np.int64
    keys, orders = np.empty((2, n), np.uint64), np.empty((2, n), whole)
    wins = np.empty((2, n), whole)
    for scores, own in zip((score_a, score_b), wins, strict=True):
        # Kernels are compiled anew for every other layout: views, and memory that is read only.
        scores = np.require(scores, requirements=["C", "W"])
        count_wins(scores, positive, n_positive, keys, orders, own)
    sums, squares = gains(wins[0], wins[1], positive)
    won_a, won_b = (int(total) for total in sums)
    double_pairs = 2 * n_positive * n_negative
    # Python's whole numbers have no limit, and their quotient is rounded once.
    difference = (won_a - won_b) / double_pairs
    error = math.sqrt(_variance(won_a - won_b, squares, n_negative, n_positive))
    z = _ratio(difference, error)
    log_p = _log_p(z, alternative)
    # The interval is not cut off at -1 and 1, so that it stays symmetric about the difference.
    half = QUANTILE * error
    return DeLong(
        auc_a=won_a / double_pairs,
        auc_b=won_b / double_pairs,
        z=z,
        p=math.exp(log_p),
        log10_p=log_p / math.log(10),
        low=difference - half,
        high=difference + half,
    )


def _variance(total: int, squares: np.ndarray, n_negative: int, n_positive: int) -> float:
    """Variance of the difference, by the spread of gained wins over negatives and over positives.

    NaN where a class has one example, for one has no spread; 0 where no example gained a win.
    """
    of_negative, of_positive = ((int(upper) << 64) + int(lower) for upper, lower in squares)
    if of_negative == of_positive == 0:
        return 0.0
    if min(n_negative, n_positive) == 1:
        return math.nan
    variance = 0.0
    classes = (of_negative, n_negative, n_positive), (of_positive, n_positive, n_negative)
    for square, n, n_other in classes:
        # Gains are halved, shared among the examples of the other class, and averaged over n.
        spread = n * square - total**2
        variance += spread / (4 * n**2 * (n - 1) * n_other**2)
    return variance


def _ratio(difference: float, error: float) -> float:
    """The difference in standard errors; 0 where both are 0, infinite where only the error is."""
    if error != 0:
        return difference / error
    return math.copysign(math.inf, difference) if difference else 0.0


def _log_p(z: float, alternative: Alternative) -> float:
    """Natural logarithm of the p value: it is finite where the p value itself underflows."""
    if alternative == "greater":
        return float(special.log_ndtr(-z))
    if alternative == "less":
        return float(special.log_ndtr(z))
    log_p = math.log(2) + float(special.log_ndtr(-abs(z)))
    return 0.0 if log_p > 0 else log_p  # rounding at z = 0; NaN stays NaN
