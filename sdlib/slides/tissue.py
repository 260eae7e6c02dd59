"""Tissue and glass on a slide, told apart by brightness on a thumbnail.

A pixel is tissue if its grey level (OpenCV's weights, after a slight blur) is at most a threshold.
The threshold is Otsu's, kept from 190 to 240: Otsu's method parts any picture in two, also one
that is all tissue or all glass.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sdlib.checks import check_number, check_rgb
from sdlib.slides.slide import Slide

__all__ = ["Tissue", "find_tissue", "otsu_threshold"]

DOWNSAMPLE = 32  # pixels of level 0 in a pixel of the thumbnail: 256 of them in a tile of 512 px
LIMITS = (190, 240)  # grey levels between which Otsu's threshold is kept
BLUR = (3, 3)


@dataclass(frozen=True)
class Tissue:
    """Which parts of a slide are tissue.

    Parameters
    ----------
    mask : numpy.ndarray
        bool, shape ``(h, w)``: true where there is tissue.
    downsample : float
        Pixels of level 0 in a pixel of the mask.
    threshold : float
        The brightest grey level of tissue.
    """

    mask: np.ndarray
    downsample: float
    threshold: float

    def background(self, x: int, y: int, size: int) -> float:
        """Share of a square that is background.

        Parameters
        ----------
        x, y, size : int
            Upper left corner and side, in pixels of level 0.

        Returns
        -------
        float
            From 0 to 1: the share of the mask's pixels that the square touches. What lies beyond
            the slide is background.

        Examples
        --------
        >>> tissue = Tissue(np.array([[True, False], [False, False]]), 32, 210)
        >>> tissue.background(0, 0, 32), tissue.background(0, 0, 64), tissue.background(0, -32, 64)
        (0.0, 0.75, 0.75)
        """
        left, top = (int(side // self.downsample) for side in (x, y))
        right, bottom = (int(-(-(side + size) // self.downsample)) for side in (x, y))
        window = self.mask[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        return 1 - int(np.count_nonzero(window)) / ((right - left) * (bottom - top))


def otsu_threshold(image: np.ndarray) -> float:
    """Grey level that parts tissue from glass, by Otsu's method, kept from 190 to 240.

    Parameters
    ----------
    image : numpy.ndarray
        uint8, shape ``(H, W, 3)``, RGB.

    Returns
    -------
    float
        Tissue is at most as bright as this.

    Raises
    ------
    ConfigError
        Another shape or dtype.

    Examples
    --------
    >>> image = np.full((8, 8, 3), 245, np.uint8)
    >>> image[:4] = 120
    >>> 120 <= otsu_threshold(image) < 245
    True
    """
    check_rgb(image)
    otsu, _ = cv2.threshold(_grey(image), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return float(np.clip(otsu, *LIMITS))


def find_tissue(slide: Slide, threshold: float | None = None) -> Tissue:
    """Find the tissue of a slide on a thumbnail.

    Parameters
    ----------
    slide : Slide
        The slide.
    threshold : float, optional
        The brightest grey level of tissue, 0 to 255; by default :func:`otsu_threshold` of the
        thumbnail.

    Returns
    -------
    Tissue
        Its mask has a pixel for 32 x 32 pixels of level 0.

    Raises
    ------
    ConfigError
        A threshold out of its range.
    DataError
        A region of the slide cannot be read.
    """
    if threshold is not None:
        check_number("threshold", threshold, 0, 255)
    thumbnail = slide.thumbnail(DOWNSAMPLE)
    if threshold is None:
        threshold = otsu_threshold(thumbnail)
    return Tissue(_grey(thumbnail) <= threshold, DOWNSAMPLE, float(threshold))


def _grey(image: np.ndarray) -> np.ndarray:
    """Grey levels, blurred so that single pixels do not count."""
    return cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), BLUR, 0)
