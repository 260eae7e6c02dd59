"""Sharpness of an image, as the variance of its Laplacian."""

from __future__ import annotations

import cv2
import numpy as np

from sdlib.checks import check_rgb

__all__ = ["laplacian_variance"]


def laplacian_variance(image: np.ndarray) -> float:
    """Variance of an image after the Laplacian: high where the image is sharp.

    Section 2.3.2 and Figure 2 of the paper compare scanners by it.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 RGB (H, W, 3), turned to grey by OpenCV's weights, or uint8 grey (H, W).

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
    check_rgb(image, grey=True)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    # A Laplacian is negative on one side of every edge, so its values need more than 8 bits.
    return float(cv2.Laplacian(grey, cv2.CV_64F, ksize=1).var())
