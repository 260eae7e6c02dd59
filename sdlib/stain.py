"""Haematoxylin and eosin: Macenko's estimate, separation, recombination.

A pixel's optical density is ``-ln((I + 1) / io)`` for each of R, G, B; stains add up in it.
Macenko et al. (ISBI 2009) take the extremes of a tile's own colours, in the plane of their two main
components, for the stains. Constants are torchstain's, and so are the results wherever its rules
define one. Elsewhere one rule holds: **a tile with too little to estimate from is separated by the
reference matrix, and its estimate says** ``fallback=True``. Too little is

- tissue (optical density of at least ``beta`` in every colour) in fewer than 100 pixels or 1 % of
  the tile: percentiles would be those of single pixels, or of glass;
- colours on one line, as of a grey or two-coloured tile, or stains less than 0.05 rad (3 degrees)
  apart: there is no plane, or no difference (real stains are 10 to 40 degrees apart);
- extremes 90 degrees from the mean colour, or a 99th percentile of a concentration that is not
  above 0: the plane does not hold the tile's colours.

Concentrations keep their sign: pixels beyond the extremes have less than none of a stain. What both
stains do not explain, the residual, stays when one is taken out, ``(I + 1) exp(taken) - 1``: nothing
taken gives the image back exactly. Work is in float32; against float64 less than one of a thousand
bytes differs, by one grey level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from sdlib.errors import DataError
from sdlib.stain_kernels import fade, remix

__all__ = [
    "REFERENCE",
    "MacenkoNormaliser",
    "Separation",
    "StainEstimate",
    "estimate_macenko",
    "fade_levels",
    "recombine",
    "separate",
]

IO, ALPHA, BETA, TOP_PERCENTILE = 240.0, 1.0, 0.15, 99.0
MIN_TISSUE, MIN_TISSUE_SHARE = 100, 0.01
MIN_ANGLE = 0.05  # rad
LINE = 1e-6  # second variance over the first
SAMPLE = 2048  # values that tell where a percentile is to be sought
LOG2_E = 1 / np.log(2)


@dataclass(frozen=True, eq=False)
class StainEstimate:
    """The stains of a tile.

    Attributes:
        matrix: float64 (2, 3), optical densities in R, G, B of haematoxylin (which absorbs more
            red) and eosin: unit vectors, rounded to four places in ``REFERENCE``.
        max_concentrations: float64 (2,), 99th percentiles over the whole tile, above 0.
        fallback: whether there was too little tissue, so that these are the reference's.
    """

    matrix: np.ndarray
    max_concentrations: np.ndarray
    fallback: bool = False


REFERENCE = StainEstimate(
    np.array([[0.5626, 0.7201, 0.4062], [0.2159, 0.8012, 0.5581]]), np.array([1.9705, 1.0308]), True
)
"""The stains of the target image that Macenko normalisers share."""
REFERENCE.matrix.flags.writeable = REFERENCE.max_concentrations.flags.writeable = False


@dataclass(frozen=True, eq=False)
class Separation:
    """An image and how much of either stain is in its pixels.

    Attributes:
        image: uint8 (H, W, 3), RGB; the array that was given, not a copy.
        concentrations: float32 (2, H, W) of haematoxylin and eosin, signed.
        estimate: the stains.
        io: grey level of light without tissue.
    """

    image: np.ndarray
    concentrations: np.ndarray
    estimate: StainEstimate
    io: float = IO

    @property
    def residual(self) -> np.ndarray:
        """Optical density that the stains do not explain, float32 (H, W, 3)."""
        explained = np.einsum("shw,sc->hwc", self.concentrations, self.estimate.matrix)
        return (_densities(self.io)[self.image] - explained).astype(np.float32)


def estimate_macenko(
    image: np.ndarray, io: float = IO, alpha: float = ALPHA, beta: float = BETA
) -> StainEstimate:
    """Stains by Macenko's method, or the reference's where there is too little tissue (above).

    Args:
        image: uint8 (H, W, 3), RGB.
        io: grey level of light without tissue, above 0.
        alpha: percentile of the extreme colours, from 0 to below 50.
        beta: least optical density of tissue, at least 0.

    Raises:
        ConfigError: another shape or dtype, or numbers outside these ranges.

    >>> from sdlib.phantoms import draw_tiles, render
    >>> estimate_macenko(render(draw_tiles(1, seed=0)[0], 64)).matrix.round(1).tolist()
    [[0.6, 0.7, 0.4], [0.2, 0.9, 0.4]]
    >>> estimate_macenko(np.full((64, 64, 3), 255, np.uint8)).fallback
    True
    """
    check_rgb(image)
    return _analyse(image, io, alpha, beta)[0]


def separate(
    image: np.ndarray, estimate: StainEstimate | None = None, io: float = IO
) -> Separation:
    """How much of either stain is in each pixel: least squares in optical density.

    Args:
        image: uint8 (H, W, 3), RGB.
        estimate: the stains, by default those of this image.
        io: grey level of light without tissue, above 0.

    Raises:
        ConfigError: another shape or dtype, ``io`` not above 0, a matrix that is not of two stains.

    >>> separate(np.zeros((2, 4, 3), np.uint8)).concentrations.shape
    (2, 2, 4)
    """
    check_rgb(image)
    if estimate is None:
        estimate, _, concentrations = _analyse(image, io)
    else:
        planes, _ = _optical_density(image, io, BETA)
        concentrations = _unmix(planes, estimate.matrix)
    return Separation(image, concentrations.reshape(2, *image.shape[:2]), estimate, io)


def recombine(
    separation: Separation, haematoxylin: float = 1.0, eosin: float = 1.0
) -> np.ndarray:
    """The image with either stain's concentrations multiplied, the residual kept.

    Args:
        haematoxylin, eosin: multipliers from 0 (the stain is gone) to 1.

    Returns:
        uint8 (H, W, 3), a new array; with multipliers of 1 it equals the image.

    Raises:
        ConfigError: multipliers outside [0, 1].

    >>> image = np.full((1, 1, 3), (150, 80, 160), np.uint8)
    >>> recombine(separate(image), eosin=0.5).tolist()
    [[[165, 115, 207]]]
    """
    return fade_levels(separation, [(haematoxylin, eosin)])[0]


def fade_levels(
    separation: Separation, multipliers: Sequence[tuple[float, float]]
) -> np.ndarray:
    """What :func:`recombine` gives for each pair of multipliers; fastest from 1 down by tenths.

    Args:
        multipliers: L pairs (haematoxylin, eosin) from 0 to 1.

    Returns:
        uint8 (L, H, W, 3).

    Raises:
        ConfigError: multipliers outside [0, 1].

    >>> image = np.full((1, 1, 3), (150, 80, 160), np.uint8)
    >>> fade_levels(separate(image), [(1, 1), (0.9, 1), (0.8, 1)])[:, 0, 0, 0].tolist()
    [150, 155, 159]
    """
    at_once = np.zeros((len(multipliers), 2), np.float32)
    stain, steps = np.zeros((2, len(multipliers)), np.int64)
    for k, pair in enumerate(multipliers):
        check_multipliers(*pair)
        if max(pair) < 1:
            at_once[k] = 1 - np.array(pair)
        else:
            # A level is the same number of equal steps, whichever levels are asked for beside it.
            stain[k] = int(pair[1] < 1)
            tenths = round(10 * (1 - min(pair)), 6)
            steps[k] = int(tenths)
            at_once[k, stain[k]] = (tenths - int(tenths)) / 10
    image, concentrations = separation.image, separation.concentrations.reshape(2, -1)
    matrix = (separation.estimate.matrix * LOG2_E).astype(np.float32)
    faded = np.empty((len(multipliers), *image.shape), np.uint8)
    flat = faded.reshape(len(multipliers), -1)
    fade(_flat(image), concentrations, matrix, at_once, stain, steps, flat)
    return faded


class MacenkoNormaliser:
    """Give images the stains of a target: its directions, and its 99th percentiles of both.

    The residual is dropped and grey levels are rounded down, as in torchstain. Images with too
    little tissue are normalised from the reference stains.

    Attributes:
        target: the target's :class:`StainEstimate`, ``REFERENCE`` until :meth:`fit`.

    >>> from sdlib.phantoms import draw_tiles, render
    >>> ours, theirs = (render(draw_tiles(1, 0, c)[0], 64) for c in ("development", "external"))
    >>> looks_like_ours = MacenkoNormaliser().fit(ours).transform(theirs)
    """

    def __init__(self) -> None:
        self.target = REFERENCE

    def fit(self, target: np.ndarray) -> MacenkoNormaliser:
        """Take the stains of a target, uint8 (H, W, 3).

        Raises:
            ConfigError: another shape or dtype.
            DataError: too little tissue to estimate stains from.
        """
        estimate = estimate_macenko(target)
        if estimate.fallback:
            raise DataError("expected a target with both stains, got too little tissue: use another")
        self.target = estimate
        return self

    def transform(self, images: np.ndarray) -> np.ndarray:
        """Normalise an image (H, W, 3) or a batch (N, H, W, 3), uint8, each from its own stains.

        Returns:
            uint8 of the same shape, a new array.

        Raises:
            ConfigError: another shape or dtype.
        """
        check_rgb(images, batches=True)
        if images.ndim == 4:
            return each_image(images, self.transform)
        estimate, planes, _ = _analyse(images)
        scale = self.target.max_concentrations / estimate.max_concentrations
        weights = self.target.matrix.T * scale @ _pseudo_inverse(estimate.matrix)
        levels = np.empty((3, *images.shape[:2]), np.uint8)
        weights = (-LOG2_E * weights).astype(np.float32)
        remix(planes, weights, np.float32(IO), levels.reshape(3, -1))
        return cv2.merge(levels)
