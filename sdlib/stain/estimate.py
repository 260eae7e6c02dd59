"""Macenko's estimate of the stains of a tile, and the rule for tiles with too little tissue.

The optical density of a pixel is ``-ln((I + 1) / io)`` for each of R, G, B; the densities of stains
add up. Macenko et al. (ISBI 2009) look at the colours of a tile in the plane of their two main
components and take the extreme ones for the stains. The constants are those of torchstain, and so
are the results wherever its rules define one. Elsewhere one rule holds: **a tile with too little
tissue to estimate from takes the stains of the reference, and its estimate has**
``fallback=True``. There is too little where

- tissue (optical density of at least ``beta`` in every colour) is in fewer than 100 pixels or 1 %
  of the tile: percentiles would be those of single pixels, or of glass;
- the colours lie on one line, as in a grey or two-coloured tile, or the stains are less than
  0.05 rad (3 degrees) apart: there is no plane, or no difference (real stains are 10 to 40 degrees
  apart);
- the extremes are 90 degrees from the mean colour, or the 99th percentile of a concentration is
  not above 0: the plane does not hold the tile's colours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sdlib.checks import check_number, check_rgb, describe_value, is_number
from sdlib.errors import ConfigError
from sdlib.stain.extremes import find_neighbours
from sdlib.stain.kernels import optical_density, unmix

__all__ = [
    "IO",
    "REFERENCE",
    "StainEstimate",
    "analyse",
    "estimate_macenko",
    "flat_pixels",
    "measure_densities",
    "pseudo_inverse",
    "separate_planes",
]

# Macenko's and torchstain's constants.
IO, ALPHA, BETA, TOP_PERCENTILE = 240.0, 1.0, 0.15, 99.0
MIN_TISSUE, MIN_TISSUE_SHARE = 100, 0.01
LINE = 1e-6  # colours with less variance across a line, relative to that along it, lie on it
MIN_ANGLE = 0.05  # rad, between the stains


@dataclass(frozen=True, eq=False)
class StainEstimate:
    """The stains of a tile, as Macenko's method finds them.

    Attributes
    ----------
    matrix : numpy.ndarray
        float64 (2, 3), optical densities in R, G, B of haematoxylin (which absorbs more red) and
        eosin: unit vectors, rounded to four places in ``REFERENCE``.
    max_concentrations : numpy.ndarray
        float64 (2,), 99th percentiles of the concentrations over the whole tile, above 0.
    fallback : bool
        Whether there was too little tissue, so that these are the stains of the reference.
    """

    matrix: np.ndarray
    max_concentrations: np.ndarray
    fallback: bool = False


REFERENCE = StainEstimate(
    np.array([[0.5626, 0.7201, 0.4062], [0.2159, 0.8012, 0.5581]]), np.array([1.9705, 1.0308]), True
)
"""The stains of the target image that implementations of Macenko's method share."""
# Many estimates share these arrays: a change in one would reach all.
REFERENCE.matrix.flags.writeable = False
REFERENCE.max_concentrations.flags.writeable = False


def estimate_macenko(
    image: np.ndarray, io: float = IO, alpha: float = ALPHA, beta: float = BETA
) -> StainEstimate:
    """Estimate the stains of a tile by Macenko's method.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 (H, W, 3), RGB.
    io : float
        Grey level of light without tissue, above 0.
    alpha : float
        Percentile of the extreme colours, from 0 to below 50.
    beta : float
        Least optical density of tissue, at least 0.

    Returns
    -------
    StainEstimate
        The stains of the reference where there is too little tissue (see the module).

    Raises
    ------
    ConfigError
        Another shape or dtype, or numbers outside these ranges.

    Examples
    --------
    >>> from sdlib.phantoms import draw_tiles, render
    >>> estimate_macenko(render(draw_tiles(1, seed=0)[0], 64)).matrix.round(1).tolist()
    [[0.5, 0.7, 0.5], [0.2, 0.8, 0.5]]
    >>> estimate_macenko(np.full((64, 64, 3), 255, np.uint8)).fallback
    True
    """
    return analyse(image, io, alpha, beta)[0]


def analyse(
    image: np.ndarray, io: float = IO, alpha: float = ALPHA, beta: float = BETA
) -> tuple[StainEstimate, np.ndarray]:
    """Estimate the stains of a tile and return its optical densities with them.

    Parameters
    ----------
    image, io, alpha, beta
        As for :func:`estimate_macenko`.

    Returns
    -------
    estimate : StainEstimate
        As from :func:`estimate_macenko`.
    planes : numpy.ndarray
        float32 (3, H W), optical densities of R, G, B.

    Raises
    ------
    ConfigError
        As :func:`estimate_macenko`.
    """
    check_rgb(image)
    if not (is_number(alpha) and 0 <= alpha < 50):
        raise ConfigError(f"expected alpha from 0 to below 50, got {describe_value(alpha)}")
    check_number("beta", beta, 0)
    planes, moments, beta = measure_densities(image, io, beta)
    matrix = _find_matrix(planes, moments, beta, alpha)
    if matrix is not None:
        n = planes.shape[1]
        axes = np.zeros((3, 3), np.float32)  # the search wants three rows; two are used here
        axes[:2] = pseudo_inverse(matrix)
        tops = find_neighbours(planes, axes, False, beta, n, TOP_PERCENTILE)
        tops = _between(tops, n, TOP_PERCENTILE)
        if min(tops) > 0:
            return StainEstimate(matrix, tops), planes
    return REFERENCE, planes


def _find_matrix(
    planes: np.ndarray, moments: np.ndarray, beta: np.float32, alpha: float
) -> np.ndarray | None:
    """The stains float64 (2, 3), or None where there is too little to estimate from."""
    n = int(moments[0])
    if n < max(MIN_TISSUE, MIN_TISSUE_SHARE * planes.shape[1]):
        return None
    mean = moments[1:4] / n
    rr, gg, bb, rg, rb, gb = moments[4:] / n
    second = np.array([[rr, rg, rb], [rg, gg, gb], [rb, gb, bb]])
    variances, vectors = np.linalg.eigh(second - np.outer(mean, mean))
    x, y = mean @ vectors[:, 1:]
    length = math.hypot(x, y)
    if variances[1] <= LINE * variances[2] or length == 0:
        return None
    # Angles from the mean colour grow with their tangents, whatever the signs of the vectors.
    turn = np.array([[y, -x], [-y, x], [x, y]]) / length
    axes = turn @ vectors[:, 1:].T
    percent = 100.0 - alpha
    tangents = find_neighbours(planes, axes.astype(np.float32), True, beta, n, percent)
    low, high = _between(np.arctan(tangents), n, percent)
    if low + high < MIN_ANGLE or max(low, high) >= math.pi / 2:
        return None
    ends = [
        math.cos(angle) * axes[2] + math.sin(angle) * axis
        for angle, axis in zip((low, high), axes, strict=False)
    ]
    return np.array(ends if ends[0][0] > ends[1][0] else ends[::-1])


def _between(neighbours: np.ndarray, n: int, percent: float) -> np.ndarray:
    """The percentile between two neighbours in rank, by linear interpolation as in NumPy."""
    share = (n - 1) * percent / 100 % 1
    return neighbours[:, 0] + share * (neighbours[:, 1] - neighbours[:, 0])


def measure_densities(
    image: np.ndarray, io: float = IO, beta: float = BETA
) -> tuple[np.ndarray, np.ndarray, np.float32]:
    """Turn an image into optical densities and sum up those of its tissue.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 (H, W, 3), RGB.
    io : float
        Grey level of light without tissue, above 0.
    beta : float
        Least optical density of tissue.

    Returns
    -------
    planes : numpy.ndarray
        float32 (3, H W), optical densities of R, G, B.
    moments : numpy.ndarray
        float64 (10,), as from :func:`sdlib.stain.kernels.optical_density`.
    beta : numpy.float32
        The least density of tissue that a pixel can have.

    Raises
    ------
    ConfigError
        ``io`` is not above 0.
    """
    if not (is_number(io) and 0 < io < np.inf):
        found = describe_value(io)
        raise ConfigError(
            f"expected io, the grey level of light without tissue, above 0, got {found}"
        )
    table = -np.log((np.arange(256) + 1) / io)
    # A threshold that a pixel can have exactly: rounding to float32 moves no pixel across it.
    beta = table[table >= beta].min(initial=np.inf)
    planes = np.empty((3, image.shape[0] * image.shape[1]), np.float32)
    moments = optical_density(flat_pixels(image), table, beta, planes)
    return planes, moments, np.float32(beta)


def separate_planes(planes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Least-squares concentrations of two stains, float32 (2, N), of optical densities (3, N)."""
    concentrations = np.empty((2, planes.shape[1]), np.float32)
    unmix(planes, pseudo_inverse(matrix).astype(np.float32), concentrations)
    return concentrations


def pseudo_inverse(matrix: np.ndarray) -> np.ndarray:
    """The weights of optical densities in least-squares concentrations, float64 (2, 3).

    ``matrix`` is float64 (2, 3), one row per stain.
    """
    (hh, he), (_, ee) = matrix @ matrix.T
    return np.array([[ee, -he], [-he, hh]]) @ matrix / (hh * ee - he * he)


def flat_pixels(image: np.ndarray) -> np.ndarray:
    """The bytes of an image, uint8 (3 H W,), in the one form that kernels are compiled for."""
    # Read-only arrays, other strides and memory maps would each be another type to numba.
    return np.require(image, requirements="CWE").reshape(-1)
