"""UniformAugment: a few random operations on each tile, with nothing to tune.

LingChen et al., "UniformAugment: a search-free probabilistic data augmentation approach" (2020,
arXiv 2003.14348): operations, their probabilities and their magnitudes are all drawn uniformly.
What the paper leaves open is done as in the authors' public code (PyTorch, on Pillow), and the
tests hold every operation against Pillow. Albumentations does the work where it agrees with
Pillow within a grey level; it differs in two operations that are therefore written here: its
autocontrast does not count pixels of 255, and its equalisation counts a pixel's own bin.

Choices, all of them the public code's:

- A geometric operation takes the nearest pixel, so it smooths nothing, and fills with black.
- Shears start from the upper left corner; rotations turn about the middle.
- Posterise drops the fraction of its magnitude: 4 to 7 bits.
- Cutout's square is grey (125, 123, 114), ImageNet's mean. Its middle may be anywhere, so it may
  leave the tile to the right and below; at the left and upper border it is moved inside.
- No mean blur. The optional ``blur`` is this book's own, for the arms that train on it.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from sdlib import shifts
from sdlib.errors import ConfigError

__all__ = ["OPERATIONS", "Draws", "Operation", "UniformAugment", "examples"]

CUTOUT_COLOUR = (125, 123, 114)
MIDDLE = (0.5, 0.5)
# Pillow's SMOOTH, towards which a Sharpness below 1 blends.
SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
GREY_LEVELS = np.arange(256)
# Added before OpenCV rounds: Pillow cuts fractions off when it blends two images.
TRUNCATE = -0.499


@functools.cache
def _functional():
    """Albumentations' functions on pixels, geometry and holes; imported late, for it is slow."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else the import asks the network
    from albumentations.augmentations.dropout import functional as holes
    from albumentations.augmentations.geometric import functional as geometry
    from albumentations.augmentations.pixel import functional as pixels

    return pixels, geometry, holes


def _affine(image: np.ndarray, a=1.0, b=0.0, c=0.0, d=0.0, e=1.0, f=0.0) -> np.ndarray:
    """Pillow's affine transform: (x, y) shows what was at (a x + b y + c, d x + e y + f)."""
    # Pillow's coordinates are 0 at the border of the first pixel, OpenCV's in its middle.
    matrix = np.array([[a, b, c + (a + b - 1) / 2], [d, e, f + (d + e - 1) / 2], [0, 0, 1]])
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return _functional()[1].warp_affine(
        image, matrix, flags, 0, cv2.BORDER_CONSTANT, image.shape[:2]
    )


def _rotate(image: np.ndarray, degrees: float) -> np.ndarray:
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    y, x = np.array(image.shape[:2]) / 2
    return _affine(image, cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y)


def _by_channel(image: np.ndarray, table: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Look up each channel in the table of 256 that is made from its histogram."""
    counts = (cv2.calcHist([image], [k], None, [256], [0, 256]).ravel() for k in range(3))
    tables = [table(each.astype(int)) for each in counts]
    return cv2.LUT(image, np.stack(tables, axis=1)[None])


def _stretched(histogram: np.ndarray) -> np.ndarray:
    present = np.flatnonzero(histogram)
    low, high = present[0], present[-1]
    scale = 255 / (high - low) if high > low else 1.0
    offset = -low * scale if high > low else 0.0
    return np.clip(GREY_LEVELS * scale + offset, 0, 255).astype(np.uint8)


def _equalised(histogram: np.ndarray) -> np.ndarray:
    brightest = histogram[np.flatnonzero(histogram)[-1]]
    step = (histogram.sum() - brightest) // 255
    if step == 0:
        return GREY_LEVELS.astype(np.uint8)
    below = np.cumsum(histogram) - histogram
    return np.minimum((below + step // 2) // step, 255).astype(np.uint8)


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
    return _functional()[2].cutout(image, np.array([hole]), CUTOUT_COLOUR, None)


def _pixels(name: str) -> Callable[..., np.ndarray]:
    return lambda image, magnitude: getattr(_functional()[0], name)(image, magnitude)


@dataclass(frozen=True)
class Operation:
    """One operation: what it does to an image at which magnitudes.

    Attributes:
        low, high: the range of magnitudes; None where there is nothing to set.
        unit: what a magnitude means.
        source: the function it agrees with.
        function: (image, magnitude) to image; with ``place`` also the share of width and height
            at which the middle lies, for Cutout.
        placed: whether ``function`` takes a place.

    Calling an operation with a uint8 image (H, W, 3), a magnitude and optionally a place, which
    is the middle of the tile otherwise, returns a new image of the same shape and dtype.

    >>> image = np.full((4, 4, 3), 100, np.uint8)
    >>> OPERATIONS["brightness"](image, 1.5)[0, 0].tolist()
    [150, 150, 150]
    """

    low: float | None
    high: float | None
    unit: str
    source: str
    function: Callable[..., np.ndarray]
    placed: bool = False

    def __call__(
        self, image: np.ndarray, magnitude: float, place: tuple[float, float] = MIDDLE
    ) -> np.ndarray:
        if self.placed:
            changed = self.function(image, magnitude, place)
        else:
            changed = self.function(image, magnitude)
        return image.copy() if changed is image else changed

    def magnitude(self, share: float) -> float:
        """The magnitude at a share, 0 to 1, of the range; 0 where there is nothing to set.

        >>> OPERATIONS["rotate"].magnitude(0.75)
        15.0
        """
        return 0.0 if self.low is None else self.low + share * (self.high - self.low)


_SHARE, _SIDE, _FACTOR = "px a px", "share of the side", "factor, 1 changes nothing"

OPERATIONS: dict[str, Operation] = {
    "shear_x": Operation(
        -0.3, 0.3, _SHARE, "PIL.Image.transform", lambda image, m: _affine(image, b=m)
    ),
    "shear_y": Operation(
        -0.3, 0.3, _SHARE, "PIL.Image.transform", lambda image, m: _affine(image, d=m)
    ),
    "translate_x": Operation(
        -0.45,
        0.45,
        _SIDE,
        "PIL.Image.transform",
        lambda image, m: _affine(image, c=m * image.shape[1]),
    ),
    "translate_y": Operation(
        -0.45,
        0.45,
        _SIDE,
        "PIL.Image.transform",
        lambda image, m: _affine(image, f=m * image.shape[0]),
    ),
    "rotate": Operation(-30, 30, "degrees, counter-clockwise", "PIL.Image.rotate", _rotate),
    "autocontrast": Operation(
        None, None, "", "PIL.ImageOps.autocontrast", lambda image, _: _by_channel(image, _stretched)
    ),
    "invert": Operation(
        None, None, "", "PIL.ImageOps.invert", lambda image, _: _functional()[0].invert(image)
    ),
    "equalise": Operation(
        None, None, "", "PIL.ImageOps.equalize", lambda image, _: _by_channel(image, _equalised)
    ),
    "solarise": Operation(
        0,
        256,
        "grey level from which on to invert",
        "PIL.ImageOps.solarize",
        # Half a grey level below the first that is inverted: albumentations multiplies by 255.
        lambda image, m: _functional()[0].solarize(image, (np.ceil(m) - 0.5) / 255),
    ),
    "posterise": Operation(
        4,
        8,
        "bits, rounded down",
        "PIL.ImageOps.posterize",
        lambda image, m: _functional()[0].posterize(image, int(m)),
    ),
    "contrast": Operation(
        0.1, 1.9, _FACTOR, "PIL.ImageEnhance.Contrast", _pixels("adjust_contrast_torchvision")
    ),
    "colour": Operation(
        0.1,
        1.9,
        _FACTOR,
        "PIL.ImageEnhance.Color",
        lambda image, m: _functional()[0].adjust_saturation_torchvision(image, m, TRUNCATE),
    ),
    "brightness": Operation(
        0.1, 1.9, _FACTOR, "PIL.ImageEnhance.Brightness", _pixels("adjust_brightness_torchvision")
    ),
    "sharpness": Operation(0.1, 1.9, _FACTOR, "PIL.ImageEnhance.Sharpness", _sharpness),
    "cutout": Operation(0, 0.2, _SIDE, "PIL.ImageDraw.rectangle", _cutout, placed=True),
    "blur": Operation(
        1,
        20,
        "px at 224 px",
        "sdlib.shifts.blur",
        lambda image, m: shifts.blur(image, shifts.blur_width(m, image.shape[0])),
    ),
}
"""The fifteen operations of UniformAugment, and the blur that is not among them."""


class Draws(NamedTuple):
    """What was drawn for n tiles, k operations each.

    Attributes:
        operation: int (n, k), an index into :attr:`UniformAugment.operations`.
        applied: bool (n, k).
        share: float64 (n, k) in [0, 1), where in its range the magnitude lies.
        place: float64 (n, k, 2) in [0, 1), the middle of a Cutout as shares of width and height.
    """

    operation: np.ndarray
    applied: np.ndarray
    share: np.ndarray
    place: np.ndarray


@dataclass(frozen=True)
class UniformAugment:
    """At most ``max_ops`` random operations on each tile.

    Every tile gets ``max_ops`` operations, drawn with replacement. Each is carried out with a
    probability that is itself uniform on (0, 1), hence in half of all cases, at a magnitude
    uniform in its range.

    Args:
        max_ops: operations drawn for a tile; 0 leaves every tile as it is.
        cutout: whether Cutout is among them, as in the public code. It confounds an experiment
            with cutouts.
        blur: whether the mean blur is among them, 1 to 20 px at 224 px.

    Raises:
        ConfigError: max_ops below 0 or not a whole number.

    >>> tiles = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    >>> UniformAugment()(tiles, np.random.default_rng(0)).shape
    (2, 8, 8, 3)
    """

    max_ops: int = 2
    cutout: bool = True
    blur: bool = False

    def __post_init__(self) -> None:
        if int(self.max_ops) != self.max_ops or self.max_ops < 0:
            raise ConfigError(f"expected max_ops of 0, 1, 2 ..., got {self.max_ops}")

    @property
    def operations(self) -> tuple[str, ...]:
        """Names of the operations that are drawn from."""
        absent = {name for name in ("cutout", "blur") if not getattr(self, name)}
        return tuple(name for name in OPERATIONS if name not in absent)

    def draw(self, n: int, rng: np.random.Generator) -> Draws:
        """Everything random about ``n`` tiles; a tile's draws do not depend on how many follow.

        >>> UniformAugment().draw(3, np.random.default_rng(0)).operation.tolist()
        [[9, 9], [2, 12], [10, 4]]
        """
        numbers = rng.random((n, self.max_ops, 6))
        operation = (numbers[..., 0] * len(self.operations)).astype(int)
        applied = numbers[..., 1] < numbers[..., 2]
        return Draws(operation, applied, numbers[..., 3], numbers[..., 4:])

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Augment one tile, uint8 (H, W, 3), or a batch, uint8 (N, H, W, 3), into a new array."""
        if images.dtype != np.uint8 or images.ndim not in (3, 4) or images.shape[-1] != 3:
            raise ConfigError(
                "expected uint8 images of shape (H, W, 3) or (N, H, W, 3), "
                f"got {images.dtype} {images.shape}"
            )
        if images.ndim == 3:
            return self(images[None], rng)[0]
        augmented = np.array(images, order="C")
        operations = [OPERATIONS[name] for name in self.operations]
        draws = self.draw(len(images), rng)
        for tile, k in np.argwhere(draws.applied):
            operation = operations[draws.operation[tile, k]]
            magnitude = operation.magnitude(draws.share[tile, k])
            augmented[tile] = operation(augmented[tile], magnitude, draws.place[tile, k])
        return augmented


def examples(image: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Every operation at its lowest, middle and highest magnitude, by name, for a gallery.

    Operations with nothing to set have one image.

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
