"""Metrics of a binary classifier: accuracy, recall, AUROC, the best cut-off, calibration.

Targets are 0 (negative) or 1 (positive), scores probabilities of the positive class in [0, 1]. An
example is predicted positive where its score is at least the cut-off.

Probabilities should be float64. In float32 the sigmoid of every logit above 17 is exactly 1, which
makes ties of examples that a network tells apart: AUROC is best taken from the logits themselves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit
from sklearn import metrics as sk

from sdlib.checks import check_number
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

ROUNDING = 1e-6  # how far the mean of float32 probabilities may lie outside [0, 1]


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
    positive, negative = targets == 1, targets == 0
    if not (positive | negative).all() or positive.all() or negative.all():
        raise ConfigError(f"expected both targets 0 and 1, got {np.unique(targets)[:5].tolist()}")
    if not np.isfinite(scores).all():
        raise ConfigError(f"expected finite scores, got {int((~np.isfinite(scores)).sum())} others")
    return targets, scores


def _check_probabilities(scores: np.ndarray) -> None:
    """Raise an error where scores cannot be probabilities: logits or percentages, say."""
    if scores.min() < -ROUNDING or scores.max() > 1 + ROUNDING:
        raise ConfigError(
            f"expected probabilities from 0 to 1, got scores from {scores.min():.4g} to "
            f"{scores.max():.4g}: turn logits into probabilities with scipy.special.expit, "
            "divide percentages by 100"
        )


def _checked(targets: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Targets and probabilities as :func:`check_scores` returns them."""
    targets, scores = check_scores(targets, scores)
    _check_probabilities(scores)
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
        As :func:`check_scores`; scores that are no probabilities, such as logits.

    Examples
    --------
    >>> balanced_accuracy([0, 0, 0, 1], [0.1, 0.2, 0.9, 0.8])
    0.8333333333333333
    """
    targets, scores = _checked(targets, scores)
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
        As :func:`balanced_accuracy`.

    Examples
    --------
    >>> recall([0, 1, 1], [0.1, 0.4, 0.8])
    0.5
    """
    targets, scores = _checked(targets, scores)
    return float(sk.recall_score(targets, scores >= cutoff))


def auroc(targets: ArrayLike, scores: ArrayLike) -> float:
    """Area under the receiver operating characteristic curve, by scikit-learn.

    It is the share of pairs of a positive and a negative example in which the positive has the
    higher score; ties count a half.

    Parameters
    ----------
    targets, scores
        As for :func:`balanced_accuracy`; scores need not be probabilities, and logits are better:
        none of them are made equal by rounding.

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
        As :func:`balanced_accuracy`.

    Examples
    --------
    >>> best_cutoff([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4])
    0.25
    """
    targets, scores = _checked(targets, scores)
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

    Examples of equal scores each count as their share of positives, so that it does not matter in
    which order they come, nor which of them is in which bin.

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
        As :func:`balanced_accuracy`.

    Examples
    --------
    >>> expected_calibration_error([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], n_bins=1)
    0.0
    """
    targets, scores = _checked(targets, scores)
    gaps = [
        abs(mean_score.mean() - share.mean()) * len(share)
        for mean_score, share in _bins(targets, scores, n_bins)
    ]
    return float(np.sum(gaps) / len(targets))


def _bins(
    targets: np.ndarray, scores: np.ndarray, n_bins: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Scores, and the shares of positives among those of equal score, in equally filled bins."""
    check_number("n_bins", n_bins, 1, whole=True)
    _, level, count = np.unique(scores, return_inverse=True, return_counts=True)
    shares = np.bincount(level, weights=targets) / count
    order = np.argsort(scores)
    bins = np.array_split(order, min(n_bins, len(order)))
    return [(scores[one], shares[level[one]]) for one in bins]


def reliability(
    targets: ArrayLike, scores: ArrayLike, n_bins: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """Mean score and share of positives in equally filled bins, for a reliability diagram.

    The bins are those of :func:`expected_calibration_error`, in which examples of equal scores each
    count as their share of positives.

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
        Different shapes, more than one axis, no examples, targets outside {0, 1}, scores that are
        no probabilities.

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
    if not np.isin(targets, (0, 1)).all():
        raise ConfigError(f"expected targets of 0 and 1, got {np.unique(targets)[:5].tolist()}")
    if not np.isfinite(scores).all():
        raise ConfigError(f"expected finite scores, got {int((~np.isfinite(scores)).sum())} others")
    _check_probabilities(scores)
    bins = _bins(targets, scores, n_bins)
    mean_score = np.array([own.mean() for own, _ in bins])
    share = np.array([own.mean() for _, own in bins])
    return mean_score, share


def summary(targets: ArrayLike, scores: ArrayLike, from_logits: bool = False) -> dict[str, float]:
    """Every metric that a recorded row holds, at the paper's cut-off of .5.

    Parameters
    ----------
    targets : array_like
        (n,), 0 or 1; both must occur.
    scores : array_like
        (n,), float64 probabilities of the positive class; logits of any precision with
        ``from_logits``.
    from_logits : bool
        Whether ``scores`` are logits, as networks predict them. Their ranks are then used as they
        are, and the probabilities are computed in float64.

    Returns
    -------
    dict of str to float
        ``accuracy`` (balanced), ``recall``, ``specificity``, ``auroc``, ``brier`` and
        ``calibration_error``.

    Raises
    ------
    ConfigError
        As :func:`balanced_accuracy`.

    Examples
    --------
    >>> sorted(summary([0, 1], [0.2, 0.9]))
    ['accuracy', 'auroc', 'brier', 'calibration_error', 'recall', 'specificity']
    >>> summary([0, 1, 1], [41.0, 42.0, 43.0], from_logits=True)["auroc"]
    1.0
    """
    targets, ranked = check_scores(targets, scores)
    scores = expit(ranked) if from_logits else ranked
    sensitivity = recall(targets, scores)
    accuracy = balanced_accuracy(targets, scores)
    return {
        "accuracy": accuracy,
        "recall": sensitivity,
        # Balanced accuracy is the mean of the two.
        "specificity": 2 * accuracy - sensitivity,
        # Logits beyond 36 have a probability of 1 even in float64; their order is kept.
        "auroc": auroc(targets, ranked),
        # scikit-learn refuses scores outside [0, 1], where averaging may put them by rounding.
        "brier": float(sk.brier_score_loss(targets, np.clip(scores, 0, 1))),
        "calibration_error": expected_calibration_error(targets, scores),
    }
