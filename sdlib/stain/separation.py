"""How much haematoxylin and eosin is in each pixel, and the image with less of them.

Concentrations keep their sign: they are negative in pixels beyond the extreme colours. Taking stain
out of an image gives ``(I + 1) exp(taken) - 1``: the residual, which the two stains do not explain,
is kept, and with nothing taken the image comes back exactly. Work is in float32; compared with
float64 less than one byte in a thousand differs, by one grey level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sdlib.checks import check_number, check_rgb
from sdlib.errors import ConfigError
from sdlib.stain.estimate import (
    IO,
    StainEstimate,
    analyse,
    flat_pixels,
    measure_densities,
    separate_planes,
)
from sdlib.stain.kernels import LOG2_E, fade

__all__ = [
    "Separation",
    "check_multipliers",
    "fade_levels",
    "recombine",
    "scale_stains",
    "separate",
]

WORST_CONDITION = 1e4  # condition number up to which float32 can invert a stain matrix
MOST_ADDED = 1e6  # shares of a stain: with more, too, whatever has some of it is black


@dataclass(frozen=True, eq=False)
class Separation:
    """An image and how much of either stain is in its pixels.

    Attributes
    ----------
    image : numpy.ndarray
        uint8 (H, W, 3), RGB; the array that was given, not a copy.
    concentrations : numpy.ndarray
        float32 (2, H, W) of haematoxylin and eosin, signed.
    estimate : StainEstimate
        The stains.
    io : float
        Grey level of light without tissue.
    """

    image: np.ndarray
    concentrations: np.ndarray
    estimate: StainEstimate
    io: float = IO

    @property
    def residual(self) -> np.ndarray:
        """Optical density that the stains do not explain, float32 (H, W, 3)."""
        density = -np.log((self.image + 1.0) / self.io)
        explained = np.einsum("shw,sc->hwc", self.concentrations, self.estimate.matrix)
        return (density - explained).astype(np.float32)


def separate(
    image: np.ndarray, estimate: StainEstimate | None = None, io: float = IO
) -> Separation:
    """Find how much of either stain is in each pixel, by least squares in optical density.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 (H, W, 3), RGB.
    estimate : StainEstimate, optional
        The stains, by default those of this image.
    io : float
        Grey level of light without tissue, above 0.

    Returns
    -------
    Separation
        The image, not copied, with its concentrations.

    Raises
    ------
    ConfigError
        Another shape or dtype, ``io`` not above 0, a matrix that is not of two stains.

    Examples
    --------
    >>> separate(np.zeros((2, 4, 3), np.uint8)).concentrations.shape
    (2, 2, 4)
    """
    if estimate is None:
        estimate, planes = analyse(image, io)
    else:
        check_rgb(image)
        _check_matrix(estimate.matrix)
        planes = measure_densities(image, io)[0]
    concentrations = separate_planes(planes, estimate.matrix).reshape(2, *image.shape[:2])
    return Separation(image, concentrations, estimate, io)


def recombine(separation: Separation, haematoxylin: float = 1.0, eosin: float = 1.0) -> np.ndarray:
    """Multiply the concentrations of the stains in a separated image; the residual is kept.

    Parameters
    ----------
    separation : Separation
        From :func:`separate`.
    haematoxylin, eosin : float
        Multipliers from 0 (the stain is gone) to 1.

    Returns
    -------
    numpy.ndarray
        uint8 (H, W, 3), RGB, a new array; with multipliers of 1 it equals the image.

    Raises
    ------
    ConfigError
        Multipliers outside [0, 1].

    Examples
    --------
    >>> image = np.full((1, 1, 3), (150, 80, 160), np.uint8)
    >>> recombine(separate(image), eosin=0.5).tolist()
    [[[159, 100, 186]]]
    """
    return fade_levels(separation, [(haematoxylin, eosin)])[0]


def fade_levels(separation: Separation, multipliers: Sequence[tuple[float, float]]) -> np.ndarray:
    """Do as :func:`recombine` for many pairs of multipliers at once.

    This is fastest where one stain falls from 1 by tenths.

    Parameters
    ----------
    separation : Separation
        From :func:`separate`.
    multipliers : sequence of tuple of float
        L pairs (haematoxylin, eosin) from 0 to 1.

    Returns
    -------
    numpy.ndarray
        uint8 (L, H, W, 3), RGB.

    Raises
    ------
    ConfigError
        Multipliers outside [0, 1].

    Examples
    --------
    >>> image = np.full((1, 1, 3), (150, 80, 160), np.uint8)
    >>> fade_levels(separate(image), [(1, 1), (1, 0.9), (1, 0.8)])[:, 0, 0, 1].tolist()
    [80, 84, 87]
    """
    at_once = np.zeros((len(multipliers), 2), np.float32)
    stain, steps = np.zeros((2, len(multipliers)), np.int64)
    for k, (haematoxylin, eosin) in enumerate(multipliers):
        check_multipliers(haematoxylin, eosin)
        if haematoxylin < 1 and eosin < 1:
            at_once[k] = 1 - haematoxylin, 1 - eosin
            continue
        # A level always goes by the same tenths, so that its pixels do not depend on the levels
        # that are computed with it.
        tenths = round(10 * (1 - min(haematoxylin, eosin)), 6)
        stain[k], steps[k] = eosin < 1, tenths
        at_once[k, stain[k]] = (tenths - steps[k]) / 10
    matrix = (LOG2_E * separation.estimate.matrix).astype(np.float32)
    concentrations = separation.concentrations.reshape(2, -1)
    faded = np.empty((len(steps), *separation.image.shape), np.uint8)
    pixels, out = flat_pixels(separation.image), faded.reshape(len(steps), separation.image.size)
    fade(pixels, concentrations, matrix, at_once, stain, steps, out)
    return faded


def scale_stains(image: np.ndarray, haematoxylin: float, eosin: float) -> np.ndarray:
    """Multiply the concentrations of both stains of an image, which may become stronger.

    As :func:`recombine`, with multipliers above 1 as well.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 (H, W, 3), RGB.
    haematoxylin, eosin : float
        Multipliers, at least 0.

    Returns
    -------
    numpy.ndarray
        uint8 (H, W, 3), RGB, a new array; with multipliers of 1 it equals the image.

    Raises
    ------
    ConfigError
        Another shape or dtype, or a negative multiplier.

    Examples
    --------
    >>> image = np.full((1, 1, 3), (150, 80, 160), np.uint8)
    >>> scale_stains(image, 1, 1.5).tolist()
    [[[141, 64, 137]]]
    """
    for stain, value in (("haematoxylin", haematoxylin), ("eosin", eosin)):
        check_number(f"a multiplier of {stain}", value, 0)
    separation = separate(image)
    shares = np.array([[1 - haematoxylin, 1 - eosin]])
    taken = np.maximum(shares, -MOST_ADDED).astype(np.float32)
    matrix = (LOG2_E * separation.estimate.matrix).astype(np.float32)
    concentrations = separation.concentrations.reshape(2, -1)
    scaled, none = np.empty(image.shape, np.uint8), np.zeros(1, np.int64)
    pixels, out = flat_pixels(image), scaled.reshape(1, image.size)
    fade(pixels, concentrations, matrix, taken, none, none, out)
    return scaled


def _check_matrix(matrix: np.ndarray) -> None:
    """Raise an error unless the matrix holds two different stains."""
    right = np.shape(matrix) == (2, 3) and np.isfinite(matrix).all()
    if not right or np.linalg.cond(matrix) > WORST_CONDITION:
        raise ConfigError(f"expected a matrix (2, 3) of two different stains, got {matrix}")


def check_multipliers(haematoxylin: float, eosin: float) -> None:
    """Raise an error unless both multipliers of stain are numbers from 0 to 1.

    Parameters
    ----------
    haematoxylin, eosin : float
        The multipliers.

    Raises
    ------
    ConfigError
        The message names the stain and the value.

    Examples
    --------
    >>> check_multipliers(0.5, 1)
    """
    for stain, value in (("haematoxylin", haematoxylin), ("eosin", eosin)):
        check_number(f"a multiplier of {stain}", value, 0, 1)
