"""Distribution shifts of section 3.2: blur, sharpening and fading stains.

The paper defines its shifts at the 224 px input of its networks: blur by the mean over n x n
pixels, n = 2 to 20; sharpening by a 3 x 3 kernel, blended in by alpha; haematoxylin or eosin
multiplied by 1.0 to 0.0 after Macenko's separation. With the unchanged end of each scale there
are 52 levels. At another input size S a blur keeps its share of the side, n S / 224. The sharpening
kernel is 3 x 3 at every size. This is our choice: no kernel is smaller, and scaled to 64 px it
would do nothing.

Every function takes one image, uint8 (H, W, 3), or a batch, uint8 (N, H, W, 3), RGB, does not
change it, and returns a new array of the same shape and dtype. The images of a batch do not affect
each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np

from sdlib.checks import check_number, check_rgb
from sdlib.cutouts import add_cutouts
from sdlib.errors import ConfigError
from sdlib.stain import Separation, check_multipliers, recombine, separate

__all__ = [
    "LEVELS",
    "STAINS",
    "Level",
    "Shift",
    "add_cutouts",
    "apply",
    "blur",
    "blur_width",
    "fade_stain",
    "iter_levels",
    "sharpen",
]

PAPER_SIZE = 224  # px, side of the images that the paper's networks take
WIDEST = 2**15  # px, of a blur: OpenCV runs out of memory on windows much larger than its images
# The edge pixel is not repeated: dcb|abcd|cba.
BORDER = cv2.BORDER_REFLECT_101
SHARPENING = np.array([[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]], np.float32)

Shift = Literal["blur", "sharpen", "haematoxylin", "eosin"]
STAINS = ("haematoxylin", "eosin")


@dataclass(frozen=True)
class Level:
    """One strength of one shift.

    Attributes
    ----------
    shift : {"blur", "sharpen", "haematoxylin", "eosin"}
        Kind of the change to an image.
    strength : float
        n in pixels of a 224 px image, alpha, or the multiplier of the stain.

    Examples
    --------
    >>> Level("blur", 5).name, Level("sharpen", 0.3).name
    ('blur-05', 'sharpen-0.3')
    """

    shift: Shift
    strength: float

    @property
    def name(self) -> str:
        """Shift and strength as one word, for tables and files; names sort by strength."""
        strength = f"{self.strength:02.0f}" if self.shift == "blur" else f"{self.strength:.1f}"
        return f"{self.shift}-{strength}"


_TENTHS = tuple(k / 10 for k in range(11))
LEVELS: tuple[Level, ...] = (
    *(Level("blur", n) for n in range(2, 21)),
    *(Level("sharpen", alpha) for alpha in _TENTHS),
    *(Level("haematoxylin", multiplier) for multiplier in reversed(_TENTHS)),
    *(Level("eosin", multiplier) for multiplier in reversed(_TENTHS)),
)
"""The paper's 52 levels, each shift from its weakest level to its strongest."""


def blur_width(n: float, size: float) -> float:
    """Scale the width of a blur from the paper's 224 px to another image size.

    Parameters
    ----------
    n : float
        Width at a side of 224 px, px, at least 1.
    size : float
        Side of the image, px, at least 1.

    Returns
    -------
    float
        Width at that side, px, at least 1.

    Raises
    ------
    ConfigError
        n or size below 1 or not finite.

    Examples
    --------
    >>> [blur_width(n, 64) for n in (2, 7, 20)]
    [1.0, 2.0, 5.714285714285714]
    """
    # Without the check, `max` would make 1, which is no blur, of NaN and of negative numbers.
    check_number("a blur n in px", n, 1, WIDEST)
    check_number("a side in px", size, 1)
    return max(1.0, n * size / PAPER_SIZE)


def blur(images: np.ndarray, n: float) -> np.ndarray:
    """Blur images by the mean over n x n pixels.

    The border is reflected without repeating the edge pixel. A whole n is OpenCV's ``blur``: odd
    windows are centred, even ones have one pixel more to the left and above; OpenCV's rounding may,
    for an even n, go up from 1/n**2 below the half. Any other n, as from :func:`blur_width`, is a
    centred window n pixels wide whose outermost pixels count by the share that is inside, rounded
    half to even. Even windows are thus half a pixel off centre, and blur a little less than the
    widths next to them.

    Parameters
    ----------
    images : numpy.ndarray
        uint8 (H, W, 3) or (N, H, W, 3), RGB.
    n : float
        Width of the window, px, from 1 to 32,768; at 1 the result equals ``images``.

    Returns
    -------
    numpy.ndarray
        uint8 of the same shape, a new array.

    Raises
    ------
    ConfigError
        Images of another shape or dtype, n outside its range.

    Examples
    --------
    >>> image = np.zeros((5, 5, 3), np.uint8)
    >>> image[2, 2] = 90
    >>> blur(image, 3)[:, 2, 0].tolist()
    [0, 10, 10, 10, 0]
    """
    check_rgb(images, batches=True)
    check_number("a blur n in px", n, 1, WIDEST)
    if n == 1:
        return images.copy()
    # The paper's widths are whole, and OpenCV's `blur` takes no others.
    if n == int(n):
        width = (int(n), int(n))
        return _each(images, lambda image: cv2.blur(image, width, borderType=BORDER))
    reach = int(np.ceil((n - 1) / 2))
    weights = np.clip(n / 2 + 0.5 - abs(np.arange(-reach, reach + 1)), 0, 1) / n

    def mean(image: np.ndarray) -> np.ndarray:
        """The mean over a window whose width is not whole."""
        # With 8-bit results, OpenCV would round the weights to 1/256.
        sums = cv2.sepFilter2D(image, cv2.CV_32F, weights, weights, borderType=BORDER)
        return np.rint(sums, out=sums).astype(np.uint8)

    return _each(images, mean)


def sharpen(images: np.ndarray, alpha: float) -> np.ndarray:
    """Sharpen images by blending them with their sharpened selves.

    The result is ``(1 - alpha) x + alpha x_sharp``, rounded. ``x_sharp`` is the image filtered by
    the paper's kernel, 9 in the middle and -1 around, and clipped to 0 to 255 before blending (our
    choice: the paper blends two images).

    Parameters
    ----------
    images : numpy.ndarray
        uint8 (H, W, 3) or (N, H, W, 3), RGB.
    alpha : float
        From 0, which returns an equal image, to 1.

    Returns
    -------
    numpy.ndarray
        uint8 of the same shape, a new array.

    Raises
    ------
    ConfigError
        Images of another shape or dtype, alpha outside [0, 1].

    Examples
    --------
    >>> image = np.full((3, 3, 3), 100, np.uint8)
    >>> image[1, 1] = 101
    >>> sharpen(image, 0.5)[1, 1, 0]
    np.uint8(105)
    """
    check_rgb(images, batches=True)
    check_number("alpha", alpha, 0, 1)

    def blend(image: np.ndarray) -> np.ndarray:
        """The image and its sharpened self, blended."""
        sharp = cv2.filter2D(image, -1, SHARPENING, borderType=BORDER)
        return cv2.addWeighted(image, 1 - alpha, sharp, alpha, 0)

    return _each(images, blend)


def fade_stain(images: np.ndarray, haematoxylin: float = 1.0, eosin: float = 1.0) -> np.ndarray:
    """Fade the stains of images: multiply their concentrations after Macenko's separation.

    What the two stains do not explain is kept, so multipliers of 1 return an equal image. Images
    with too little tissue are separated by the reference matrix (:mod:`sdlib.stain.estimate`).

    Parameters
    ----------
    images : numpy.ndarray
        uint8 (H, W, 3) or (N, H, W, 3), RGB.
    haematoxylin, eosin : float
        Multipliers, from 0 (the stain is gone) to 1.

    Returns
    -------
    numpy.ndarray
        uint8 of the same shape, a new array.

    Raises
    ------
    ConfigError
        Images of another shape or dtype, multipliers outside [0, 1].

    Examples
    --------
    >>> image = np.full((2, 2, 3), (150, 80, 160), np.uint8)
    >>> bool((fade_stain(image, haematoxylin=0.5) >= image).all())
    True
    """
    check_rgb(images, batches=True)
    check_multipliers(haematoxylin, eosin)
    return _each(images, lambda image: recombine(separate(image), haematoxylin, eosin))


def apply(images: np.ndarray, level: Level) -> np.ndarray:
    """Shift images by one level; the width of a blur is scaled to their shorter side.

    Parameters
    ----------
    images : numpy.ndarray
        uint8 (H, W, 3) or (N, H, W, 3), RGB.
    level : Level
        What to do, and how strongly.

    Returns
    -------
    numpy.ndarray
        uint8 of the same shape, a new array.

    Raises
    ------
    ConfigError
        Images of another shape or dtype, an unknown shift, an impossible strength.

    Examples
    --------
    >>> apply(np.zeros((2, 64, 64, 3), np.uint8), Level("blur", 20)).shape
    (2, 64, 64, 3)
    """
    check_rgb(images, batches=True)
    if level.shift not in get_args(Shift):
        raise ConfigError(f"expected a shift of {', '.join(get_args(Shift))}, got {level.shift!r}")
    if level.shift == "blur":
        return blur(images, blur_width(level.strength, min(images.shape[-3:-1])))
    if level.shift == "sharpen":
        return sharpen(images, level.strength)
    return fade_stain(images, **{level.shift: level.strength})


def iter_levels(
    images: np.ndarray, levels: Iterable[Level] = LEVELS
) -> Iterator[tuple[Level, np.ndarray]]:
    """Shift images by many levels, one after the other, as :func:`apply` does.

    The stains of an image are estimated once, for the first stain level. From then on the
    separations are held in memory: 8 bytes per pixel of ``images``.

    Parameters
    ----------
    images : numpy.ndarray
        uint8 (H, W, 3) or (N, H, W, 3), RGB; they must not change in between.
    levels : iterable of Level
        In any order.

    Yields
    ------
    level : Level
        The next level.
    shifted : numpy.ndarray
        uint8 of the shape of ``images``, a new array.

    Raises
    ------
    ConfigError
        Images of another shape or dtype, an unknown shift, an impossible strength.

    Examples
    --------
    >>> sum(1 for _ in iter_levels(np.zeros((1, 8, 8, 3), np.uint8)))
    52
    """
    check_rgb(images, batches=True)
    # The stains of an image are the same at every level, so one separation serves all of them.
    separations: list[Separation] | None = None
    for level in levels:
        if level.shift not in STAINS:
            yield level, apply(images, level)
            continue
        if separations is None:
            separations = [separate(image) for image in images.reshape(-1, *images.shape[-3:])]
        faded = np.empty((len(separations), *images.shape[-3:]), np.uint8)
        for separation, place in zip(separations, faded, strict=True):
            place[:] = recombine(separation, **{level.shift: level.strength})
        yield level, faded.reshape(images.shape)


def _each(images: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Apply a function of one image to an image or to each of a batch."""
    if images.ndim == 3:
        return function(images)
    shifted = np.empty_like(images)
    for image, place in zip(images, shifted, strict=True):
        place[:] = function(image)
    return shifted
