"""Distribution shifts of section 3.2: blur, sharpening and fading stains.

The paper defines its shifts at the 224 px input of its networks: blur by the mean over n x n
pixels, n = 2 to 20; sharpening by a 3 x 3 kernel, blended in by alpha; haematoxylin or eosin
multiplied by 1.0 to 0.0 after Macenko's separation. With the undisturbed end of each scale there
are 52 levels. At another input size S a blur keeps its share of the side, n S / 224. The
sharpening kernel is 3 x 3 at every size: a choice, for it is the smallest there is, and scaled to
64 px it would do nothing.

Every function takes one image, uint8 (H, W, 3), or a batch, uint8 (N, H, W, 3), RGB, leaves it
alone and returns a new array of the same shape and dtype; a batch is shifted image by image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Literal, get_args

import cv2
import numpy as np

from sdlib.datasets.cutout import add_cutouts
from sdlib.errors import ConfigError
from sdlib.stain import Separation, check_multipliers, check_rgb, recombine, separate

__all__ = [
    "LEVELS",
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

PAPER_SIZE = 224
# The edge pixel is not repeated: dcb|abcd|cba.
BORDER = cv2.BORDER_REFLECT_101
SHARPENING = np.array([[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]], np.float32)

Shift = Literal["blur", "sharpen", "haematoxylin", "eosin"]
STAINS = ("haematoxylin", "eosin")


@dataclass(frozen=True)
class Level:
    """One strength of one shift.

    Attributes:
        shift: ``"blur"``, ``"sharpen"``, ``"haematoxylin"`` or ``"eosin"``.
        strength: n in pixels of a 224 px image, alpha, or the stain's multiplier.

    >>> Level("blur", 5).name, Level("sharpen", 0.3).name
    ('blur-05', 'sharpen-0.3')
    """

    shift: Shift
    strength: float

    @property
    def name(self) -> str:
        """Shift and strength, for tables and files."""
        strength = f"{self.strength:02.0f}" if self.shift == "blur" else f"{self.strength:.1f}"
        return f"{self.shift}-{strength}"


_TENTHS = tuple(k / 10 for k in range(11))
LEVELS: tuple[Level, ...] = (
    *(Level("blur", n) for n in range(2, 21)),
    *(Level("sharpen", alpha) for alpha in _TENTHS),
    *(Level("haematoxylin", multiplier) for multiplier in reversed(_TENTHS)),
    *(Level("eosin", multiplier) for multiplier in reversed(_TENTHS)),
)
"""The paper's 52 levels, each shift from its weakest to its strongest."""


def blur_width(n: float, size: float) -> float:
    """Width in pixels, at an image side of ``size`` px, of a blur of n at 224; never below 1.

    >>> [blur_width(n, 64) for n in (2, 7, 20)]
    [1.0, 2.0, 5.714285714285714]
    """
    return max(1.0, n * size / PAPER_SIZE)


def blur(images: np.ndarray, n: float) -> np.ndarray:
    """Mean over n x n pixels, reflected at the border without repeating the edge pixel.

    A whole n is OpenCV's ``blur``: odd windows are centred, even ones have one pixel more to the
    left and above; rounding is OpenCV's, which for an even n may go up from 1/n**2 below the half.
    Other n, which come of :func:`blur_width`, are centred windows n pixels wide whose outermost
    pixels count by the share that is inside, rounded half to even. Even windows are thus half a
    pixel off, and a little weaker than their neighbours in n.

    Args:
        images: uint8 (H, W, 3) or (N, H, W, 3).
        n: width of the window, px, at least 1; at 1 the result equals ``images``.

    Raises:
        ConfigError: images of another shape or dtype, n below 1 or not finite.

    >>> image = np.zeros((5, 5, 3), np.uint8)
    >>> image[2, 2] = 90
    >>> blur(image, 3)[:, 2, 0].tolist()
    [0, 10, 10, 10, 0]
    """
    check_rgb(images, batches=True)
    if not (isinstance(n, Real) and 1 <= n < np.inf):
        raise ConfigError(f"expected a blur n of at least 1, got {n}")
    if n == 1:
        return images.copy()
    if n == int(n):
        width = (int(n), int(n))
        return _each(images, lambda image: cv2.blur(image, width, borderType=BORDER))
    reach = int(np.ceil((n - 1) / 2))
    weights = np.clip(n / 2 + 0.5 - abs(np.arange(-reach, reach + 1)), 0, 1) / n

    def mean(image: np.ndarray) -> np.ndarray:
        # In 8 bit, OpenCV would round the weights to 1/256.
        sums = cv2.sepFilter2D(image, cv2.CV_32F, weights, weights, borderType=BORDER)
        return np.rint(sums, out=sums).astype(np.uint8)

    return _each(images, mean)


def sharpen(images: np.ndarray, alpha: float) -> np.ndarray:
    """Blend with the sharpened image: ``(1 - alpha) x + alpha x_sharp``, rounded.

    ``x_sharp`` is the image under the paper's kernel, 9 in the middle and -1 around, clipped to 0
    to 255 before blending (a choice: the paper blends two images).

    Args:
        images: uint8 (H, W, 3) or (N, H, W, 3).
        alpha: from 0, which returns an equal image, to 1.

    Raises:
        ConfigError: images of another shape or dtype, alpha outside [0, 1].

    >>> image = np.full((3, 3, 3), 100, np.uint8)
    >>> image[1, 1] = 101
    >>> sharpen(image, 0.5)[1, 1, 0]
    np.uint8(105)
    """
    check_rgb(images, batches=True)
    if not (isinstance(alpha, Real) and 0 <= alpha <= 1):
        raise ConfigError(f"expected alpha from 0 to 1, got {alpha}")

    def blend(image: np.ndarray) -> np.ndarray:
        sharp = cv2.filter2D(image, -1, SHARPENING, borderType=BORDER)
        return cv2.addWeighted(image, 1 - alpha, sharp, alpha, 0)

    return _each(images, blend)


def fade_stain(images: np.ndarray, haematoxylin: float = 1.0, eosin: float = 1.0) -> np.ndarray:
    """Multiply the concentration of either stain, after Macenko's separation of each image.

    What the two stains do not explain is kept, so multipliers of 1 return an equal image. Images
    with too little tissue are separated by the reference matrix (:mod:`sdlib.stain`).

    Args:
        images: uint8 (H, W, 3) or (N, H, W, 3).
        haematoxylin, eosin: multipliers, from 0 (the stain is gone) to 1.

    Raises:
        ConfigError: images of another shape or dtype, multipliers outside [0, 1].

    >>> image = np.full((2, 2, 3), (150, 80, 160), np.uint8)
    >>> bool((fade_stain(image, haematoxylin=0.5) >= image).all())
    True
    """
    check_rgb(images, batches=True)
    check_multipliers(haematoxylin, eosin)
    return _each(images, lambda image: recombine(separate(image), haematoxylin, eosin))


def apply(images: np.ndarray, level: Level) -> np.ndarray:
    """Shift images by one level, a blur's width scaled to their shorter side.

    Args:
        images: uint8 (H, W, 3) or (N, H, W, 3).

    Raises:
        ConfigError: images of another shape or dtype, an unknown shift, an impossible strength.

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
    """Each level and the images shifted by it, as by :func:`apply`, one stain estimate an image.

    From the first stain level on, the separations are held: 8 bytes a pixel of ``images``.

    Args:
        images: uint8 (H, W, 3) or (N, H, W, 3); they must not change in between.
        levels: any of them, in any order.

    Raises:
        ConfigError: images of another shape or dtype, an unknown shift, an impossible strength.

    >>> sum(1 for _ in iter_levels(np.zeros((1, 8, 8, 3), np.uint8)))
    52
    """
    check_rgb(images, batches=True)
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
    if images.ndim == 3:
        return function(images)
    shifted = np.empty_like(images)
    for image, place in zip(images, shifted, strict=True):
        place[:] = function(image)
    return shifted
