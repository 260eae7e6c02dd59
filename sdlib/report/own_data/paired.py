"""Paired differences with an interval over seeds *and* over test patients.

Seeds alone would say how another training differs; whoever asks whether a method helps asks of
other patients, too. The error over seeds is that of a mean; the error over patients is a jackknife
(everything is measured again without each patient). Their squares are added, and the interval is
Student's with the degrees of freedom of the fewer of the two. It errs on the wide side, for what
a seed and a patient do together is counted in both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from sdlib.metrics import FEWEST_SEEDS, Interval, mean_interval

__all__ = ["MOST_BLOCKS", "Paired", "blocks_of", "paired_differences"]

#: Above this number of patients, several are left out together: the error is nearly the same, and
#: the time is limited.
MOST_BLOCKS = 100
POWER = 0.8  # of the smallest difference that could have been found

#: Targets (n,) and what networks say of the images (n, ...) to a number for each measure (m,).
Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Paired:
    """A measure of a method and of its rival, and their difference.

    Parameters
    ----------
    own, rival : Interval
        Over seeds.
    over_seeds : Interval
        Of the difference, over seeds alone.
    patient_error : float
        Standard error of the difference over test patients.
    patients : int
        Patients, or blocks of them, that the jackknife has left out one by one.
    """

    own: Interval
    rival: Interval
    over_seeds: Interval
    patient_error: float
    patients: int

    @property
    def mean(self) -> float:
        """The mean difference, method minus rival."""
        return self.over_seeds.mean

    @property
    def seed_error(self) -> float:
        """Standard error of the difference over seeds; NaN with one seed."""
        return self.over_seeds.sd / np.sqrt(self.over_seeds.n)

    @property
    def error(self) -> float:
        """Standard error of the difference over seeds and patients."""
        return float(np.hypot(self.seed_error, self.patient_error))

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the interval."""
        return min(self.over_seeds.n, self.patients) - 1

    def _half(self) -> float:
        if self.over_seeds.n < FEWEST_SEEDS:
            return float("nan")
        return float(stats.t.ppf(0.975, self.freedom) * self.error)

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval; NaN with fewer than three seeds."""
        return self.mean - self._half()

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval; NaN with fewer than three seeds."""
        return self.mean + self._half()

    @property
    def detectable(self) -> float:
        """The smallest true difference that such an interval leaves out 0 at in 4 of 5 cases."""
        if self.over_seeds.n < FEWEST_SEEDS:
            return float("nan")
        quantiles = stats.t.ppf(0.975, self.freedom) + stats.t.ppf(POWER, self.freedom)
        return float(quantiles * self.error)


def blocks_of(targets: np.ndarray, groups: np.ndarray, most: int = MOST_BLOCKS) -> np.ndarray:
    """Number of the block that each image's patient is in: a patient each, or several.

    Parameters
    ----------
    targets : numpy.ndarray
        (n,), 0 or 1. Patients with similar shares of positive images are in different blocks, so
        that no block holds all patients of one class.
    groups : numpy.ndarray
        Patients, (n,).
    most : int
        The largest number of blocks.

    Returns
    -------
    numpy.ndarray
        int64 (n,), from 0.

    Examples
    --------
    >>> blocks_of(np.array([0, 0, 1, 1, 1]), np.array([7, 7, 8, 9, 9])).tolist()
    [0, 0, 1, 2, 2]
    """
    _, group = np.unique(groups, return_inverse=True)
    positive = np.bincount(group, weights=targets) / np.bincount(group)
    rank = np.empty(len(positive), np.int64)
    rank[np.argsort(positive, kind="stable")] = np.arange(len(positive))
    return (rank % most)[group]


def paired_differences(
    measure: Measure,
    targets: np.ndarray,
    groups: np.ndarray,
    own: Sequence[np.ndarray],
    rival: Sequence[np.ndarray],
) -> list[Paired]:
    """Measure a method and its rival on the same images, seed by seed.

    Parameters
    ----------
    measure : callable
        Targets and what one network says of the images to a number per measure, (m,).
    targets, groups : numpy.ndarray
        Of the test images, (n,); each class has at least two groups.
    own, rival : sequence of numpy.ndarray
        What each network of the method, and of the rival, says of the images, (n,), for instance
        logits; the same seeds in the same order.

    Returns
    -------
    list of Paired
        One per measure.

    Examples
    --------
    >>> targets, groups = np.array([0, 0, 1, 1]), np.arange(4)
    >>> def accuracy(targets, right):
    ...     return np.array([right.mean()])
    >>> rights = [np.array([1.0, 1, 1, 0]), np.array([1.0, 1, 1, 1])]
    >>> found = paired_differences(accuracy, targets, groups, rights, [np.ones(4), np.ones(4)])
    >>> found[0].mean, found[0].patients
    (-0.125, 4)
    """
    blocks = blocks_of(targets, groups)

    def measured(scores: Sequence[np.ndarray], kept: np.ndarray) -> np.ndarray:
        """(seeds, measures)."""
        return np.array([measure(targets[kept], one[kept]) for one in scores])

    everything = np.ones(len(targets), bool)
    owns, rivals = measured(own, everything), measured(rival, everything)
    without = []
    for block in range(blocks.max() + 1):
        kept = blocks != block
        without.append((measured(own, kept) - measured(rival, kept)).mean(axis=0))
    errors = _jackknife_errors(np.array(without))
    return [
        Paired(
            mean_interval(owns[:, k]),
            mean_interval(rivals[:, k]),
            mean_interval(owns[:, k] - rivals[:, k]),
            float(errors[k]),
            len(without),
        )
        for k in range(owns.shape[1])
    ]


def _jackknife_errors(without: np.ndarray) -> np.ndarray:
    """Standard errors from what is measured without each block, (blocks, m): float64 (m,)."""
    count = len(without)
    spread = ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    return np.sqrt((count - 1) / count * spread)
