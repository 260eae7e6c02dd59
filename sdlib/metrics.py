"""Metrics of a binary classifier and intervals over seeds.

Scores are probabilities of cancer in [0, 1]; targets are 0 (benign) or 1 (cancer).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import stats
from sklearn import metrics as sk

from sdlib.errors import ConfigError

__all__ = [
    "Interval",
    "auroc",
    "balanced_accuracy",
    "best_cutoff",
    "expected_calibration_error",
    "laplacian_variance",
    "mean_interval",
    "recall",
    "summary",
]


def _checked(targets: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    targets, scores = np.asarray(targets), np.asarray(scores, np.float64)
    if targets.shape != scores.shape or targets.ndim != 1:
        raise ConfigError(
            f"expected targets and scores of one shape (n,), got {targets.shape}, {scores.shape}"
        )
    if not np.isin(targets, (0, 1)).all() or len(np.unique(targets)) < 2:
        raise ConfigError(f"expected both targets 0 and 1, got {np.unique(targets)[:5].tolist()}")
    if not np.isfinite(scores).all():
        raise ConfigError(f"expected finite scores, got {int((~np.isfinite(scores)).sum())} others")
    return targets, scores


def balanced_accuracy(targets: np.ndarray, scores: np.ndarray, cutoff: float = 0.5) -> float:
    """Mean of the two classes' recalls at ``score >= cutoff`` (scikit-learn).

    >>> balanced_accuracy([0, 0, 0, 1], [0.1, 0.2, 0.9, 0.8])
    0.8333333333333333
    """
    targets, scores = _checked(targets, scores)
    return float(sk.balanced_accuracy_score(targets, scores >= cutoff))


def recall(targets: np.ndarray, scores: np.ndarray, cutoff: float = 0.5) -> float:
    """Share of cancer tiles with ``score >= cutoff`` (scikit-learn).

    >>> recall([0, 1, 1], [0.1, 0.4, 0.8])
    0.5
    """
    targets, scores = _checked(targets, scores)
    return float(sk.recall_score(targets, scores >= cutoff))


def auroc(targets: np.ndarray, scores: np.ndarray) -> float:
    """Area under the receiver operating characteristic curve (scikit-learn); ties count a half.

    >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    return float(sk.roc_auc_score(*_checked(targets, scores)))


def best_cutoff(targets: np.ndarray, scores: np.ndarray) -> float:
    """The cut-off of highest balanced accuracy, midway between neighbouring scores.

    The honest rival of a method that needs tuning: with the same access to labels, a network's
    cut-off can be tuned too. Ties go to the cut-off nearest to .5.

    >>> best_cutoff([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4])
    0.25
    """
    targets, scores = _checked(targets, scores)
    false_rate, true_rate, thresholds = sk.roc_curve(targets, scores, drop_intermediate=False)
    gain = true_rate - false_rate
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


def expected_calibration_error(targets: np.ndarray, scores: np.ndarray, n_bins: int = 10) -> float:
    """Mean gap between score and share of cancer over equally filled bins, weighted by size.

    >>> expected_calibration_error([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], n_bins=1)
    0.0
    """
    targets, scores = _checked(targets, scores)
    order = np.argsort(scores, kind="stable")
    bins = np.array_split(order, min(n_bins, len(order)))
    gaps = [abs(scores[b].mean() - targets[b].mean()) * len(b) for b in bins]
    return float(np.sum(gaps) / len(targets))


def summary(targets: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Every metric of a row: accuracy is balanced, the cut-off .5, as in the paper.

    >>> sorted(summary([0, 1], [0.2, 0.9]))
    ['accuracy', 'auroc', 'brier', 'calibration_error', 'recall', 'specificity']
    """
    targets, scores = _checked(targets, scores)
    sensitivity, accuracy = recall(targets, scores), balanced_accuracy(targets, scores)
    return {
        "accuracy": accuracy,
        "recall": sensitivity,
        "specificity": 2 * accuracy - sensitivity,
        "auroc": auroc(targets, scores),
        "brier": float(sk.brier_score_loss(targets, np.clip(scores, 0, 1))),
        "calibration_error": expected_calibration_error(targets, scores),
    }


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its spread: ``n``, ``mean``, ``sd`` and the interval's ends."""

    n: int
    mean: float
    sd: float
    low: float
    high: float

    def __str__(self) -> str:
        return (
            f"{self.mean:.3f} (SD {self.sd:.3f}; {self.low:.3f} to {self.high:.3f}; n = {self.n})"
        )


def laplacian_variance(image: np.ndarray) -> float:
    """Variance of an image after the Laplacian: high where it is sharp (section 2.3.2, Figure 2).

    Parameters
    ----------
    image : numpy.ndarray
        uint8 RGB (H, W, 3), turned to grey by OpenCV's weights, or grey (H, W).

    Returns
    -------
    float
        Grey levels squared; the kernel is ``[[0, 1, 0], [1, -4, 1], [0, 1, 0]]``, the border
        reflected without repeating the edge (OpenCV's default).

    Raises
    ------
    ConfigError
        Another shape or dtype.

    Examples
    --------
    >>> laplacian_variance(np.full((8, 8, 3), 200, np.uint8))
    0.0
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or not (image.ndim == 2 or image.shape[2:] == (3,)):
        raise ConfigError(
            f"expected a uint8 image (H, W, 3) or (H, W), got {image.dtype} {image.shape}"
        )
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    return float(cv2.Laplacian(grey, cv2.CV_64F, ksize=1).var())


def mean_interval(values: np.ndarray, level: float = 0.95) -> Interval:
    """Student's t interval of a mean, for instance of paired differences over seeds.

    With one value, SD and interval are NaN: one seed has no spread.

    >>> print(mean_interval([0.7, 0.8, 0.9]))
    0.800 (SD 0.100; 0.552 to 1.048; n = 3)
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not len(values):
        raise ConfigError(f"expected values of shape (n,), n >= 1, got {values.shape}")
    n, mean = len(values), float(values.mean())
    sd = float(values.std(ddof=1)) if n > 1 else float("nan")
    half = sd / np.sqrt(n) * stats.t.ppf((1 + level) / 2, n - 1) if n > 1 else float("nan")
    return Interval(n, mean, sd, float(mean - half), float(mean + half))
