"""The AUROC of a rule that knows nothing of an example but its category, from counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["category_auroc"]


def category_auroc(negative: ArrayLike, positive: ArrayLike) -> np.ndarray:
    """AUROC of the share of positive examples of each one's category.

    No other rule that sees the category alone has a higher one in these very examples, so that it
    is .5 at least.

    Parameters
    ----------
    negative, positive : array_like
        Whole numbers (..., k): the examples of each class in each of k categories. Leading axes
        are many countings at once, such as random ones.

    Returns
    -------
    numpy.ndarray
        float64 (...): .5 to 1; NaN where a class has no example.

    Examples
    --------
    >>> float(category_auroc([2, 0], [1, 1]))
    0.75
    """
    negative, positive = np.asarray(negative, np.float64), np.asarray(positive, np.float64)
    shares = positive / np.maximum(negative + positive, 1)
    order = np.argsort(shares, axis=-1)
    negative = np.take_along_axis(negative, order, -1)
    positive = np.take_along_axis(positive, order, -1)
    # Where two categories have one share, either order gives what half a win per pair would.
    below = np.cumsum(negative, axis=-1) - negative / 2
    pairs = negative.sum(axis=-1) * positive.sum(axis=-1)
    wins = (positive * below).sum(axis=-1)
    return np.divide(wins, pairs, out=np.full(np.shape(pairs), np.nan), where=pairs > 0)
