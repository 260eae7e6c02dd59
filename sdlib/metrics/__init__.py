"""Metrics of a binary classifier, intervals over seeds, tests of two AUROCs, sharpness of images.

- :mod:`sdlib.metrics.classification`: accuracy, recall, AUROC, cut-offs, calibration.
- :mod:`sdlib.metrics.intervals`: intervals of a mean over seeds, and the smallest effect they find.
- :mod:`sdlib.metrics.decisions`: tests of one side, of no difference, and of several at once.
- :mod:`sdlib.metrics.delong`: whether two AUROCs on the same examples differ.
- :mod:`sdlib.metrics.bootstrap`: intervals of an AUROC, and of a difference of two, by resampling
  examples or patients.
- :mod:`sdlib.metrics.margins`: margins of predictions, beside the cap that a penalty sets.
- :mod:`sdlib.metrics.kernels`: the compiled loops behind these two.
- :mod:`sdlib.metrics.categories`: what a category alone, such as the scanner, tells of the target.
- :mod:`sdlib.metrics.sharpness`: the variance of an image's Laplacian.

Targets are 0 (negative, such as benign) or 1 (positive, such as cancer); scores are probabilities
of the positive class.
"""

from sdlib.metrics.bootstrap import (
    Bootstrap,
    bootstrap_auroc,
    bootstrap_difference,
    resample_counts,
)
from sdlib.metrics.categories import category_auroc
from sdlib.metrics.classification import (
    auroc,
    balanced_accuracy,
    best_cutoff,
    expected_calibration_error,
    recall,
    reliability,
    summary,
)
from sdlib.metrics.decisions import equivalent, holm, one_sided_p
from sdlib.metrics.delong import DeLong, delong_test
from sdlib.metrics.intervals import FEWEST_SEEDS, Interval, mean_interval, smallest_effect
from sdlib.metrics.margins import MarginReading, margins, read_margins
from sdlib.metrics.sharpness import laplacian_variance

__all__ = [
    "FEWEST_SEEDS",
    "Bootstrap",
    "DeLong",
    "Interval",
    "MarginReading",
    "auroc",
    "balanced_accuracy",
    "best_cutoff",
    "bootstrap_auroc",
    "bootstrap_difference",
    "category_auroc",
    "delong_test",
    "equivalent",
    "expected_calibration_error",
    "holm",
    "laplacian_variance",
    "margins",
    "mean_interval",
    "one_sided_p",
    "read_margins",
    "recall",
    "reliability",
    "resample_counts",
    "smallest_effect",
    "summary",
]
