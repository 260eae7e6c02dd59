"""Macenko normalisation: every image with the stains of one target."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from sdlib.checks import check_rgb
from sdlib.errors import DataError
from sdlib.stain.estimate import (
    IO,
    REFERENCE,
    StainEstimate,
    analyse,
    estimate_macenko,
    pseudo_inverse,
)
from sdlib.stain.kernels import LOG2_E, remix

__all__ = ["MacenkoNormaliser"]


class MacenkoNormaliser:
    """Give images the stains of a target: its stain vectors and its 99th percentiles.

    The residual is dropped and grey levels are rounded down, as in torchstain. Images with too
    little tissue are treated as if they had the stains of the reference.

    Attributes
    ----------
    target : StainEstimate
        ``REFERENCE`` until :meth:`fit` is called.

    Examples
    --------
    >>> from sdlib.phantoms import draw_tiles, render
    >>> ours, theirs = (render(draw_tiles(1, 0, c)[0], 64) for c in ("development", "external"))
    >>> MacenkoNormaliser().fit(ours).transform(theirs).shape
    (64, 64, 3)
    """

    def __init__(self) -> None:
        self.target = REFERENCE

    def fit(self, target: np.ndarray) -> MacenkoNormaliser:
        """Estimate the stains of a target and keep them.

        Parameters
        ----------
        target : numpy.ndarray
            uint8 (H, W, 3) or (N, H, W, 3), RGB. Of several images the median of their stains is
            kept: of each entry of the matrix, whose rows become unit vectors again, and of the
            maximal concentrations. Images with too little tissue are left out.

        Returns
        -------
        MacenkoNormaliser
            This object.

        Raises
        ------
        ConfigError
            Another shape or dtype.
        DataError
            Too little tissue to estimate stains from.
        """
        check_rgb(target, batches=True)
        images = target if target.ndim == 4 else target[None]
        estimates = [estimate_macenko(image) for image in images]
        found = [estimate for estimate in estimates if not estimate.fallback]
        if not found:
            raise DataError(
                "expected a target with both stains, got too little tissue: take another"
            )
        self.target = found[0] if len(found) == 1 else _median(found)
        return self

    def transform(self, images: np.ndarray) -> np.ndarray:
        """Normalise an image or a batch, each image from its own stains to the target's.

        Parameters
        ----------
        images : numpy.ndarray
            uint8 (H, W, 3) or (N, H, W, 3), RGB.

        Returns
        -------
        numpy.ndarray
            uint8 of the same shape, a new array.

        Raises
        ------
        ConfigError
            Another shape or dtype.
        """
        check_rgb(images, batches=True)
        if images.ndim == 4:
            normalised = np.empty_like(images)
            for image, place in zip(images, normalised, strict=True):
                place[:] = self.transform(image)
            return normalised
        estimate, planes = analyse(images)
        # Unmixing, scaling and mixing again are one 3 x 3 matrix on optical densities.
        scale = self.target.max_concentrations / estimate.max_concentrations
        weights = self.target.matrix.T * scale @ pseudo_inverse(estimate.matrix)
        levels = np.empty((3, *images.shape[:2]), np.uint8)
        mixing = (-LOG2_E * weights).astype(np.float32)
        remix(planes, mixing, np.float32(IO), levels.reshape(3, -1))
        return cv2.merge(levels)


def _median(estimates: Sequence[StainEstimate]) -> StainEstimate:
    """The median stains of several images."""
    matrix = np.median([estimate.matrix for estimate in estimates], axis=0)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    most = np.median([estimate.max_concentrations for estimate in estimates], axis=0)
    return StainEstimate(matrix, most)
