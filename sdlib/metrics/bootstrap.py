"""Bootstrap intervals of an AUROC, and of the difference of two on the same resamples.

A resample draws as many examples as there are, with replacement. There are three ways:

- examples, whatever their class, as in the paper: the number of positives varies, too;
- by class (``stratified``): as many positives and as many negatives as there are;
- by group (``groups``): patients are drawn, each with all their images.

The first two take examples as independent. Several images of one patient are not, and these
intervals are then mostly too narrow: drawing patients is the honest way. Of simulated studies of 80
patients with one to seven images that resemble each other, 95 % intervals over patients include the
true AUROC in 95 %, intervals over images in 64 %.

No way widens an interval for what was not sampled, such as other hospitals or other seeds of a
network. A bootstrap needs many units of either class: with a handful of patients its interval is
too narrow, and an AUROC of exactly 1 has the interval [1, 1].

Resamples depend on the seed, the targets and the way alone, not on the scores: two calls with equal
arguments but other scores are paired.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sdlib.checks import check_number, check_probability
from sdlib.errors import ConfigError
from sdlib.metrics.classification import check_scores
from sdlib.metrics.kernels import count_draws, count_pairs, resample

__all__ = ["Bootstrap", "bootstrap_auroc", "bootstrap_difference", "resample_counts"]


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """A statistic with its percentile interval over resamples.

    Attributes
    ----------
    estimate : float
        The statistic of all examples as they are.
    low, high : float
        Ends of the interval: percentiles of the resamples that have both classes; NaN if none has.
    resampled : numpy.ndarray
        float64 (n_resamples,), the statistic of each resample; NaN where it has one class only.
    one_class : int
        The number of resamples with one class only. They have no AUROC and are left out of the
        interval; none is drawn anew.
    """

    estimate: float
    low: float
    high: float
    resampled: np.ndarray
    one_class: int

    def __str__(self) -> str:
        text = f"{self.estimate:.3f} ({self.low:.3f} to {self.high:.3f}"
        if self.one_class:
            text += f"; {self.one_class} of {len(self.resampled)} resamples have one class only"
        return text + ")"


def bootstrap_auroc(
    y_true: ArrayLike,
    score: ArrayLike,
    n_resamples: int = 1000,
    level: float = 0.95,
    stratified: bool = False,
    groups: ArrayLike | None = None,
    seed: int = 0,
) -> Bootstrap:
    """Percentile interval of an AUROC over resampled examples, or over resampled groups of them.

    Parameters
    ----------
    y_true : array_like
        (n,), 0 (negative) or 1 (positive); both must occur.
    score : array_like
        (n,), finite numbers, higher for the positive class; they need not be probabilities.
    n_resamples : int
        Number of resamples, at least 1.
    level : float
        Confidence level, above 0 and below 1.
    stratified : bool
        Whether to draw within each class, so that every resample has as many of either.
    groups : array_like, optional
        (n,), the group of each example, such as its patient: whole groups are drawn, as many as
        there are. The size of a resample then varies.
    seed : int
        Of the draws, at least 0.

    Returns
    -------
    Bootstrap
        The AUROC, its interval and the resampled AUROCs, in which ties count a half.

    Raises
    ------
    ConfigError
        Different shapes, one class only, scores that are not finite, groups that are missing, both
        ``stratified`` and ``groups``, a number outside its range.

    Examples
    --------
    >>> y_true, score = [0, 0, 0, 0, 1, 1, 1, 1], [0.1, 0.2, 0.6, 0.3, 0.5, 0.8, 0.9, 0.4]
    >>> print(bootstrap_auroc(y_true, score, stratified=True))
    0.875 (0.500 to 1.000)
    """
    targets, score = check_scores(y_true, score)
    check_probability("a level", level)
    plan = _Plan.of(targets, stratified, groups)
    return _summary(*_resample(targets, score, plan, n_resamples, seed), level)


def bootstrap_difference(
    y_true: ArrayLike,
    score_a: ArrayLike,
    score_b: ArrayLike,
    n_resamples: int = 1000,
    level: float = 0.95,
    stratified: bool = False,
    groups: ArrayLike | None = None,
    seed: int = 0,
) -> Bootstrap:
    """Percentile interval of the difference of two AUROCs, a minus b, on the same resamples.

    Parameters
    ----------
    y_true, n_resamples, level, stratified, groups, seed
        As for :func:`bootstrap_auroc`, whose resamples with equal arguments are the same.
    score_a, score_b : array_like
        (n,), finite numbers, higher for the positive class.

    Returns
    -------
    Bootstrap
        The difference, its interval and the resampled differences, -1 to 1.

    Raises
    ------
    ConfigError
        As :func:`bootstrap_auroc`.

    Examples
    --------
    >>> y_true, score = [0, 0, 0, 0, 1, 1, 1, 1], [0.1, 0.2, 0.6, 0.3, 0.5, 0.8, 0.9, 0.4]
    >>> print(bootstrap_difference(y_true, score, [2 * s for s in score], stratified=True))
    0.000 (0.000 to 0.000)
    """
    targets, score_a = check_scores(y_true, score_a)
    targets, score_b = check_scores(targets, score_b)
    check_probability("a level", level)
    plan = _Plan.of(targets, stratified, groups)
    auroc_a, resampled_a = _resample(targets, score_a, plan, n_resamples, seed)
    auroc_b, resampled_b = _resample(targets, score_b, plan, n_resamples, seed)
    return _summary(auroc_a - auroc_b, resampled_a - resampled_b, level)


def resample_counts(
    y_true: ArrayLike,
    n_resamples: int = 1000,
    stratified: bool = False,
    groups: ArrayLike | None = None,
    seed: int = 0,
) -> np.ndarray:
    """How often each example is in each resample of :func:`bootstrap_auroc`, for other statistics.

    Parameters
    ----------
    y_true, n_resamples, stratified, groups, seed
        As for :func:`bootstrap_auroc`.

    Returns
    -------
    numpy.ndarray
        int32 (n_resamples, n). As ``sample_weight``, a row makes a metric of scikit-learn the
        metric of the resample; ``np.repeat(np.arange(n), row)`` are its examples.

    Raises
    ------
    ConfigError
        As :func:`bootstrap_auroc`.

    Examples
    --------
    >>> counts = resample_counts([0, 0, 1, 1], n_resamples=3, groups=["a", "a", "b", "c"])
    >>> bool((counts[:, 0] == counts[:, 1]).all())
    True
    """
    targets, _ = check_scores(y_true, np.zeros(np.shape(y_true)))
    plan = _Plan.of(targets, stratified, groups)
    state = _state(n_resamples, seed)
    counts = np.empty((n_resamples, plan.bounds[-1]), np.int32)
    count_draws(plan.bounds, state, counts)
    return counts[:, plan.unit]


@dataclass(frozen=True)
class _Plan:
    """What is drawn: K units in strata, and the unit, int64 (n,), that each example belongs to."""

    unit: np.ndarray
    bounds: np.ndarray

    @classmethod
    def of(cls, targets: np.ndarray, stratified: bool, groups: ArrayLike | None) -> _Plan:
        """The plan of one of the three ways."""
        n = len(targets)
        if groups is not None:
            if stratified:
                raise ConfigError(
                    "expected stratified or groups, got both: leave stratified out, for a group "
                    "may have examples of both classes"
                )
            unit, n_groups = _group_numbers(groups, n)
            return cls(unit, np.array([0, n_groups]))
        if not stratified:
            return cls(np.arange(n), np.array([0, n]))
        # Units of a stratum are neighbours: first all negatives, then all positives.
        unit = np.empty(n, np.int64)
        unit[np.argsort(targets, kind="stable")] = np.arange(n)
        return cls(unit, np.array([0, np.count_nonzero(targets == 0), n]))


def _group_numbers(groups: ArrayLike, n: int) -> tuple[np.ndarray, int]:
    """A number for each example's group, from 0 on, and how many groups there are."""
    # An array of NumPy's own would turn a missing value into a text beside texts.
    groups = pd.Series(groups, dtype=object) if np.ndim(groups) == 1 else np.asarray(groups)
    if groups.shape != (n,):
        raise ConfigError(f"expected groups of shape ({n},), one per target, got {groups.shape}")
    unit, names = pd.factorize(groups)
    # An empty text is what tables have where nothing is known: not one patient with many images.
    missing = (unit < 0) | (groups == "").to_numpy()
    if missing.any():
        first = int(np.flatnonzero(missing)[0])
        raise ConfigError(
            f"expected a group for every example, got none for {int(missing.sum())}, the first of "
            f"them example {first}: give each unknown one a name of its own, or leave it out"
        )
    return unit.astype(np.int64), len(names)


def _state(n_resamples: int, seed: int) -> np.uint64:
    """The generator's first state, after a check of both numbers."""
    check_number("n_resamples", n_resamples, 1, whole=True)
    check_number("seed", seed, 0, whole=True)
    # Seeds that are neighbours become states that are far apart.
    return np.random.SeedSequence(int(seed)).generate_state(1, np.uint64)[0]


def _resample(
    targets: np.ndarray, score: np.ndarray, plan: _Plan, n_resamples: int, seed: int
) -> tuple[float, np.ndarray]:
    """The AUROC of all examples, and that of each resample, float64 (n_resamples,)."""
    state = _state(n_resamples, seed)
    # Sorted once: a resample is a count for each unit, and leaves the examples in their order.
    order = np.lexsort((-targets.astype(np.int64), score))
    ranked, positive = score[order], targets[order] == 1
    ranking = plan.unit[order], -positive.astype(np.int64), _mixed_ties(ranked, positive)
    once = np.ones(plan.bounds[-1], np.int32)
    totals = np.empty((n_resamples, 3), np.int64)
    resample(*ranking, plan.bounds, state, totals)
    return float(_auroc(*count_pairs(*ranking, once))), _auroc(*totals.T)


def _auroc(wins: ArrayLike, negatives: ArrayLike, positives: ArrayLike) -> np.ndarray:
    """Shares of won pairs; NaN where there is no pair."""
    double_pairs = 2 * np.multiply(negatives, positives)
    return np.where(double_pairs > 0, wins / np.maximum(double_pairs, 1), np.nan)


def _mixed_ties(ranked: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Where runs of equal scores of both classes begin and end, int64 (T, 2)."""
    begins = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    ends = np.append(begins[1:], len(ranked))
    # Positives come first in a run, so a run of both classes begins with one and ends without.
    mixed = positive[begins] & ~positive[ends - 1]
    return np.stack([begins[mixed], ends[mixed]], axis=1)


def _summary(estimate: float, resampled: np.ndarray, level: float) -> Bootstrap:
    """The statistic and its percentiles over the resamples that have both classes."""
    defined = resampled[~np.isnan(resampled)]
    low = high = float("nan")
    if len(defined):
        low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return Bootstrap(estimate, low, high, resampled, len(resampled) - len(defined))
