"""The operations of UniformAugment, one by one; `sdlib.augment.UniformAugment` draws from them.

LingChen et al., "UniformAugment: a search-free probabilistic data augmentation approach" (2020,
arXiv 2003.14348). What the paper leaves open is done as in its public code (PyTorch, on Pillow):

- A geometric operation takes the nearest pixel, so it smooths nothing, and fills with black.
- Shears start from the upper left corner; rotations turn about the middle.
- Posterise drops the fraction of its magnitude: 4 to 7 bits.
- Cutout's square is grey, ImageNet's mean. Its middle may be anywhere: it is cut off at the right
  and lower border, and moved inside at the left and upper one.
- Sharpness works on 3 x 3 pixels at every input size; below 1 it smooths.
- The mean blur is not among the fifteen. ``blur`` is this book's own, for the arms that train on
  it; it keeps its share of the side.

Albumentations does the work where it agrees with Pillow, to within one grey level. Autocontrast
and equalisation are written here, because its own leave out pixels of 255 and count a grey level
as below itself; so is sharpness, because its sharpening cannot smooth.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from sdlib import shifts
from sdlib.errors import ConfigError
from sdlib.metrics import laplacian_variance

__all__ = ["OPERATIONS", "Operation", "examples", "sharpness_as_blur"]

CUTOUT_COLOUR = (125, 123, 114)
MIDDLE = (0.5, 0.5)
# Pillow's SMOOTH: what a Sharpness of 0 would be.
SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
GREY_LEVELS = np.arange(256)
# Added before OpenCV rounds: Pillow cuts fractions off when it blends two images.
TRUNCATE = -0.499


@dataclass(frozen=True)
class Operation:
    """One operation: what it does to an image, at which magnitudes.

    Calling it with a uint8 image (H, W, 3), a magnitude and, for Cutout, the place of its middle
    as shares of width and height returns a new image of the same shape and dtype.

    Attributes:
        function: (image, magnitude) to image; (image, magnitude, place) if ``placed``.
        source: the function of Pillow that it agrees with, or of this library.
        low, high: the range of magnitudes; None where there is nothing to set.
        unit: of the magnitudes.
        placed: whether it happens at a place.

    >>> image = np.full((4, 4, 3), 100, np.uint8)
    >>> OPERATIONS["brightness"](image, 1.5)[0, 0].tolist()
    [150, 150, 150]
    """

    function: Callable[..., np.ndarray]
    source: str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    placed: bool = False

    def __call__(
        self, image: np.ndarray, magnitude: float = 0.0, place: tuple[float, float] = MIDDLE
    ) -> np.ndarray:
        place = (place,) if self.placed else ()
        changed = self.function(image, magnitude, *place)
        return image.copy() if changed is image else changed

    def magnitude(self, share: float) -> float:
        """The magnitude at a share, 0 to 1, of the range; 0 where there is nothing to set.

        >>> OPERATIONS["rotate"].magnitude(0.75)
        15.0
        """
        return 0.0 if self.low is None else self.low + share * (self.high - self.low)


@functools.cache
def _albumentations(module: str):
    """Its functions on pixels, geometry or dropout; imported when used, for that takes seconds."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else the import asks the network
    return importlib.import_module(f"albumentations.augmentations.{module}.functional")


def _pixel(name: str) -> Callable[..., np.ndarray]:
    return lambda image, *magnitude: getattr(_albumentations("pixel"), name)(image, *magnitude)


def _affine(image: np.ndarray, a=1.0, b=0.0, c=0.0, d=0.0, e=1.0, f=0.0) -> np.ndarray:
    """Pillow's affine transform: (x, y) shows what was at (a x + b y + c, d x + e y + f)."""
    # Pillow's coordinates are 0 at the border of the first pixel, OpenCV's in its middle.
    matrix = np.array([[a, b, c + (a + b - 1) / 2], [d, e, f + (d + e - 1) / 2], [0, 0, 1]])
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    warp = _albumentations("geometric").warp_affine
    return warp(image, matrix, flags, 0, cv2.BORDER_CONSTANT, image.shape[:2])


def _rotate(image: np.ndarray, degrees: float) -> np.ndarray:
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    y, x = np.array(image.shape[:2]) / 2
    return _affine(image, cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y)


def _by_channel(image: np.ndarray, table: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Look every channel up in the table of 256 that is made from its histogram."""
    counts = (cv2.calcHist([image], [k], None, [256], [0, 256]).ravel() for k in range(3))
    tables = [table(each.astype(int)) for each in counts]
    return cv2.LUT(image, np.stack(tables, axis=1)[None])


def _stretched(counts: np.ndarray) -> np.ndarray:
    low, high = np.flatnonzero(counts)[[0, -1]]
    scale = 255 / (high - low) if high > low else 1.0
    offset = -low * scale if high > low else 0.0
    return np.clip(GREY_LEVELS * scale + offset, 0, 255).astype(np.uint8)


def _equalised(counts: np.ndarray) -> np.ndarray:
    brightest = counts[np.flatnonzero(counts)[-1]]
    step = (counts.sum() - brightest) // 255
    if step == 0:
        return GREY_LEVELS.astype(np.uint8)
    below = np.cumsum(counts) - counts
    return np.minimum((below + step // 2) // step, 255).astype(np.uint8)


def _solarise(image: np.ndarray, threshold: float) -> np.ndarray:
    # Half a level below the first to be inverted: albumentations takes shares of 255.
    return _albumentations("pixel").solarize(image, (np.ceil(threshold) - 0.5) / 255)


def _sharpness(image: np.ndarray, factor: float) -> np.ndarray:
    smooth = cv2.filter2D(image, -1, SMOOTH)
    for edge in (np.s_[[0, -1]], np.s_[:, [0, -1]]):  # Pillow's filters leave the border alone
        smooth[edge] = image[edge]
    return cv2.addWeighted(image, factor, smooth, 1 - factor, TRUNCATE)


def _cutout(image: np.ndarray, share: float, place: tuple[float, float]) -> np.ndarray:
    height, width = image.shape[:2]
    side = share * width
    if side <= 0:
        return image
    corner = [int(max(0, p * n - side / 2)) for p, n in zip(place, (width, height), strict=True)]
    # Pillow's rectangle contains both of its corners; a slice beyond the border is harmless.
    hole = [*corner, *(int(start + side) + 1 for start in corner)]
    return _albumentations("dropout").cutout(image, np.array([hole]), CUTOUT_COLOUR, None)


def _scaled_blur(image: np.ndarray, n: float) -> np.ndarray:
    return shifts.blur(image, shifts.blur_width(n, image.shape[0]))


_shear = functools.partial(Operation, source="Image.transform", low=-0.3, high=0.3, unit="px a px")
_translate = functools.partial(
    Operation, source="Image.transform", low=-0.45, high=0.45, unit="share of the side"
)
_enhance = functools.partial(Operation, low=0.1, high=1.9, unit="factor, 1 changes nothing")

OPERATIONS: dict[str, Operation] = {
    "shear_x": _shear(lambda image, m: _affine(image, b=m)),
    "shear_y": _shear(lambda image, m: _affine(image, d=m)),
    "translate_x": _translate(lambda image, m: _affine(image, c=m * image.shape[1])),
    "translate_y": _translate(lambda image, m: _affine(image, f=m * image.shape[0])),
    "rotate": Operation(_rotate, "Image.rotate", -30, 30, "degrees, counter-clockwise"),
    "autocontrast": Operation(
        lambda image, _: _by_channel(image, _stretched), "ImageOps.autocontrast"
    ),
    "invert": Operation(lambda image, _: _pixel("invert")(image), "ImageOps.invert"),
    "equalise": Operation(lambda image, _: _by_channel(image, _equalised), "ImageOps.equalize"),
    "solarise": Operation(_solarise, "ImageOps.solarize", 0, 256, "grey level, inverted from it"),
    "posterise": Operation(
        lambda image, bits: _pixel("posterize")(image, int(bits)),
        "ImageOps.posterize",
        4,
        8,
        "bits, rounded down",
    ),
    "contrast": _enhance(_pixel("adjust_contrast_torchvision"), "ImageEnhance.Contrast"),
    "colour": _enhance(
        lambda image, m: _pixel("adjust_saturation_torchvision")(image, m, TRUNCATE),
        "ImageEnhance.Color",
    ),
    "brightness": _enhance(_pixel("adjust_brightness_torchvision"), "ImageEnhance.Brightness"),
    "sharpness": _enhance(_sharpness, "ImageEnhance.Sharpness"),
    "cutout": Operation(_cutout, "ImageDraw.rectangle", 0, 0.2, "share of the side", placed=True),
    "blur": Operation(_scaled_blur, "sdlib.shifts.blur", 1, 20, "px at 224 px"),
}
"""The fifteen operations, and the blur that is not among them."""


def examples(image: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Every operation at its lowest, middle and highest magnitude, by name, for a gallery.

    An operation with nothing to set has one image. Cutout's middle is the tile's.

    Args:
        image: uint8 (H, W, 3).

    >>> shown = examples(np.zeros((8, 8, 3), np.uint8))
    >>> len(shown), len(shown["rotate"]), len(shown["invert"])
    (16, 3, 1)
    """
    return {
        name: [
            operation(image, operation.magnitude(share))
            for share in ((0.0,) if operation.low is None else (0.0, 0.5, 1.0))
        ]
        for name, operation in OPERATIONS.items()
    }


def sharpness_as_blur(image: np.ndarray, factor: float = 0.1) -> float:
    """Which centred n x n mean smooths an image as much as a Sharpness below 1 does?

    Both leave the same variance of the Laplacian. At every frequency Sharpness lets through more
    than the mean over 2 pixels, so the answer is below 2, whatever the image.

    Args:
        image: uint8 (H, W, 3).
        factor: of Sharpness, 0 to 1; the strongest in the set is .1.

    Returns:
        n in pixels of this image, 1 to 2.

    Raises:
        ConfigError: a factor outside 0 to 1.

    >>> noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    >>> round(sharpness_as_blur(noise), 1)
    1.3
    """
    if not 0 <= factor <= 1:
        raise ConfigError(f"expected a factor of 0 to 1, got {factor}")
    wanted = laplacian_variance(_sharpness(image, factor))
    low, high = 1.0, 2.0
    for _ in range(12):
        middle = (low + high) / 2
        if laplacian_variance(shifts.blur(image, middle)) > wanted:
            low = middle
        else:
            high = middle
    return high
