"""Metrics of a binary classifier: accuracy, recall, AUROC, the best cut-off, calibration.

Targets are 0 (negative) or 1 (positive), scores probabilities of the positive class in [0, 1]. An
example is predicted positive where its score is at least the cut-off.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn import metrics as sk

from sdlib.errors import ConfigError

__all__ = [
    "auroc",
    "balanced_accuracy",
    "best_cutoff",
    "check_scores",
    "expected_calibration_error",
    "recall",
    "reliability",
    "summary",
]


def check_scores(targets: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return targets and scores as arrays, or raise an error where no metric is defined.

    Parameters
    ----------
    targets : array_like
        (n,), 0 or 1; both must occur.
    scores : array_like
        (n,), finite numbers.

    Returns
    -------
    targets : numpy.ndarray
        (n,), the dtype as it came.
    scores : numpy.ndarray
        float64 (n,).

    Raises
    ------
    ConfigError
        Different shapes, more than one axis, targets of one class only or outside {0, 1}, scores
        that are not finite.

    Examples
    --------
    >>> check_scores([0, 1], [0.25, 1])
    (array([0, 1]), array([0.25, 1.  ]))
    """
    targets = np.asarray(targets)
    scores = np.asarray(scores, np.float64)
    if targets.shape != scores.shape or targets.ndim != 1:
        raise ConfigError(
            f"expected targets and scores of one shape (n,), got {targets.shape}, {scores.shape}"
        )
    if not np.isin(targets, (0, 1)).all() or len(np.unique(targets)) < 2:
        raise ConfigError(f"expected both targets 0 and 1, got {np.unique(targets)[:5].tolist()}")
    if not np.isfinite(scores).all():
        raise ConfigError(f"expected finite scores, got {int((~np.isfinite(scores)).sum())} others")
    return targets, scores


def balanced_accuracy(targets: ArrayLike, scores: ArrayLike, cutoff: float = 0.5) -> float:
    """Mean of the recalls of the two classes, by scikit-learn.

    Parameters
    ----------
    targets : array_like
        (n,), 0 or 1; both must occur.
    scores : array_like
        (n,), probabilities of the positive class.
    cutoff : float
        Scores from here on are predicted positive.

    Returns
    -------
    float
        0 to 1; guessing gives .5.

    Raises
    ------
    ConfigError
        As :func:`check_scores`.

    Examples
    --------
    >>> balanced_accuracy([0, 0, 0, 1], [0.1, 0.2, 0.9, 0.8])
    0.8333333333333333
    """
    targets, scores = check_scores(targets, scores)
    return float(sk.balanced_accuracy_score(targets, scores >= cutoff))


def recall(targets: ArrayLike, scores: ArrayLike, cutoff: float = 0.5) -> float:
    """Share of the positive examples that are predicted positive, by scikit-learn.

    Parameters
    ----------
    targets, scores, cutoff
        As for :func:`balanced_accuracy`.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    ConfigError
        As :func:`check_scores`.

    Examples
    --------
    >>> recall([0, 1, 1], [0.1, 0.4, 0.8])
    0.5
    """
    targets, scores = check_scores(targets, scores)
    return float(sk.recall_score(targets, scores >= cutoff))


def auroc(targets: ArrayLike, scores: ArrayLike) -> float:
    """Area under the receiver operating characteristic curve, by scikit-learn.

    It is the share of pairs of a positive and a negative example in which the positive has the
    higher score; ties count a half.

    Parameters
    ----------
    targets, scores
        As for :func:`balanced_accuracy`; scores need not be probabilities.

    Returns
    -------
    float
        0 to 1; guessing gives .5.

    Raises
    ------
    ConfigError
        As :func:`check_scores`.

    Examples
    --------
    >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    return float(sk.roc_auc_score(*check_scores(targets, scores)))


def best_cutoff(targets: ArrayLike, scores: ArrayLike) -> float:
    """The cut-off of highest balanced accuracy, midway between two neighbouring scores.

    A method whose strength is tuned on labels has to be compared with this: with the same labels,
    the cut-off of any network can be tuned too.

    Parameters
    ----------
    targets, scores
        As for :func:`balanced_accuracy`.

    Returns
    -------
    float
        Where several cut-offs are equally good, the one nearest to .5.

    Raises
    ------
    ConfigError
        As :func:`check_scores`.

    Examples
    --------
    >>> best_cutoff([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4])
    0.25
    """
    targets, scores = check_scores(targets, scores)
    # Dropping collinear points of the curve, as is the default, would drop equally good cut-offs.
    false_rate, true_rate, thresholds = sk.roc_curve(targets, scores, drop_intermediate=False)
    gain = true_rate - false_rate
    # Rates are rounded, so equally good cut-offs may differ in the last digits.
    tied = np.flatnonzero(gain >= gain.max() - 1e-12)
    levels = np.concatenate([np.unique(scores), [np.inf]])
    below = np.searchsorted(levels, thresholds[tied]) - 1
    lower = np.where(below >= 0, levels[np.maximum(below, 0)], 0.0)
    upper = np.minimum(thresholds[tied], 1.0)
    middle = (lower + upper) / 2
    # Neighbours may have no number between them, and nothing may lie above a score of 1.
    stuck = (below >= 0) & (middle <= lower)
    middle = np.where(stuck, np.nextafter(lower, np.inf), middle)
    return float(middle[np.argmin(np.abs(middle - 0.5))])


def expected_calibration_error(targets: ArrayLike, scores: ArrayLike, n_bins: int = 10) -> float:
    """Mean gap between the scores and the share of positives, over equally filled bins.

    Parameters
    ----------
    targets, scores
        As for :func:`balanced_accuracy`.
    n_bins : int
        Number of bins, at least 1; at most one per example is used.

    Returns
    -------
    float
        0 (calibrated) to 1; each bin counts by the number of its examples.

    Raises
    ------
    ConfigError
        As :func:`check_scores`.

    Examples
    --------
    >>> expected_calibration_error([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], n_bins=1)
    0.0
    """
    targets, scores = check_scores(targets, scores)
    # A stable order makes the bins of equal scores the same on every machine.
    order = np.argsort(scores, kind="stable")
    bins = np.array_split(order, min(n_bins, len(order)))
    gaps = [abs(scores[b].mean() - targets[b].mean()) * len(b) for b in bins]
    return float(np.sum(gaps) / len(targets))


def reliability(
    targets: ArrayLike, scores: ArrayLike, n_bins: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """Mean score and share of positives in equally filled bins, for a reliability diagram.

    The bins are those of :func:`expected_calibration_error`.

    Parameters
    ----------
    targets : array_like
        (n,), 0 or 1; one class alone is allowed.
    scores : array_like
        (n,), probabilities of the positive class.
    n_bins : int
        Number of bins, at least 1; at most one per example is used.

    Returns
    -------
    mean_score, share : numpy.ndarray
        float64 (min(n_bins, n),) each, in the order of rising scores.

    Raises
    ------
    ConfigError
        Different shapes, more than one axis, no examples.

    Examples
    --------
    >>> reliability([0, 1, 1, 1], [0.2, 0.4, 0.6, 0.8], n_bins=2)
    (array([0.3, 0.7]), array([0.5, 1. ]))
    """
    targets, scores = np.asarray(targets), np.asarray(scores, np.float64)
    if targets.shape != scores.shape or targets.ndim != 1 or not len(targets):
        raise ConfigError(
            f"expected targets and scores of one shape (n,), got {targets.shape}, {scores.shape}"
        )
    # Unlike `check_scores`, this allows targets of one class: a curve needs no second class.
    bins = np.array_split(np.argsort(scores, kind="stable"), min(n_bins, len(scores)))
    mean_score = np.array([scores[one].mean() for one in bins])
    share = np.array([targets[one].mean() for one in bins])
    return mean_score, share


def summary(targets: ArrayLike, scores: ArrayLike) -> dict[str, float]:
    """Every metric that a recorded row holds, at the paper's cut-off of .5.

    Parameters
    ----------
    targets, scores
        As for :func:`balanced_accuracy`.

    Returns
    -------
    dict of str to float
        ``accuracy`` (balanced), ``recall``, ``specificity``, ``auroc``, ``brier`` and
        ``calibration_error``.

    Raises
    ------
    ConfigError
        As :func:`check_scores`.

    Examples
    --------
    >>> sorted(summary([0, 1], [0.2, 0.9]))
    ['accuracy', 'auroc', 'brier', 'calibration_error', 'recall', 'specificity']
    """
    targets, scores = check_scores(targets, scores)
    sensitivity = recall(targets, scores)
    accuracy = balanced_accuracy(targets, scores)
    return {
        "accuracy": accuracy,
        "recall": sensitivity,
        # Balanced accuracy is the mean of the two.
        "specificity": 2 * accuracy - sensitivity,
        "auroc": auroc(targets, scores),
        # scikit-learn refuses scores outside [0, 1], where averaging may put them by rounding.
        "brier": float(sk.brier_score_loss(targets, np.clip(scores, 0, 1))),
        "calibration_error": expected_calibration_error(targets, scores),
    }
