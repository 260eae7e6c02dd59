"""What the operations of UniformAugment do to pixels, as Pillow does it.

Every function takes uint8 (H, W, 3), RGB, and returns the same shape and dtype, sometimes the very
array it was given. Albumentations does the work where it agrees with Pillow to within one grey
level. Autocontrast and equalisation are written here, because albumentations leaves out pixels of
255 and counts a grey level as below itself; sharpness is, because its sharpening cannot smooth.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable
from types import ModuleType

import cv2
import numpy as np

__all__ = [
    "CUTOUT_COLOUR",
    "MIDDLE",
    "affine",
    "autocontrast",
    "brightness",
    "colour",
    "contrast",
    "cutout",
    "equalise",
    "invert",
    "posterise",
    "rotate",
    "sharpness",
    "solarise",
]

CUTOUT_COLOUR = (125, 123, 114)  # the mean of ImageNet, as in the public code
MIDDLE = (0.5, 0.5)
# Pillow's SMOOTH: the image at a sharpness of 0.
SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
GREY_LEVELS = np.arange(256)
# Added before OpenCV rounds: Pillow cuts fractions off when it blends two images.
TRUNCATE = -0.499


@functools.cache
def _albumentations(module: str) -> ModuleType:
    """Albumentations' functions on pixels, geometry or dropout."""
    # Imported at the first use, because it takes seconds. Without the variable, the import looks
    # for a newer version on the internet.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    return importlib.import_module(f"albumentations.augmentations.{module}.functional")


def affine(
    image: np.ndarray,
    a: float = 1.0,
    b: float = 0.0,
    c: float = 0.0,
    d: float = 0.0,
    e: float = 1.0,
    f: float = 0.0,
) -> np.ndarray:
    """Move pixels so that (x, y) shows what was at (a x + b y + c, d x + e y + f).

    The nearest pixel is taken, so nothing is smoothed; what comes from outside is black.
    """
    # Pillow's coordinates are 0 at the border of the first pixel, OpenCV's in its middle.
    matrix = np.array([[a, b, c + (a + b - 1) / 2], [d, e, f + (d + e - 1) / 2], [0, 0, 1]])
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    warp = _albumentations("geometric").warp_affine
    return warp(image, matrix, flags, 0, cv2.BORDER_CONSTANT, image.shape[:2])


def rotate(image: np.ndarray, degrees: float) -> np.ndarray:
    """Rotate counter-clockwise about the middle, by degrees."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    y, x = np.array(image.shape[:2]) / 2
    return affine(image, cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y)


def autocontrast(image: np.ndarray) -> np.ndarray:
    """Stretch each channel until it reaches from 0 to 255."""
    return _by_channel(image, _stretched)


def equalise(image: np.ndarray) -> np.ndarray:
    """Make the histogram of each channel as even as its grey levels allow."""
    return _by_channel(image, _equalised)


def _by_channel(image: np.ndarray, table: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Map each channel by the table, uint8 (256,), that is made from its histogram."""
    counts = (cv2.calcHist([image], [k], None, [256], [0, 256]).ravel() for k in range(3))
    tables = [table(each.astype(int)) for each in counts]
    return cv2.LUT(image, np.stack(tables, axis=1)[None])


def _stretched(counts: np.ndarray) -> np.ndarray:
    """The table that maps the lowest grey level to 0 and the highest to 255."""
    low, high = np.flatnonzero(counts)[[0, -1]]
    if low == high:
        return GREY_LEVELS.astype(np.uint8)
    scale = 255 / (high - low)
    return np.clip(GREY_LEVELS * scale - low * scale, 0, 255).astype(np.uint8)


def _equalised(counts: np.ndarray) -> np.ndarray:
    """The table that maps each grey level to its share of pixels below, in Pillow's integers."""
    brightest = counts[np.flatnonzero(counts)[-1]]
    step = (counts.sum() - brightest) // 255
    if step == 0:
        return GREY_LEVELS.astype(np.uint8)
    below = np.cumsum(counts) - counts
    return np.minimum((below + step // 2) // step, 255).astype(np.uint8)


def invert(image: np.ndarray) -> np.ndarray:
    """Turn each grey level g into 255 - g."""
    return _albumentations("pixel").invert(image)


def solarise(image: np.ndarray, threshold: float) -> np.ndarray:
    """Invert the grey levels from a threshold on, 0 to 256."""
    # Half a level below the first to be inverted: albumentations takes shares of 255.
    return _albumentations("pixel").solarize(image, (np.ceil(threshold) - 0.5) / 255)


def posterise(image: np.ndarray, bits: float) -> np.ndarray:
    """Keep only the highest bits of each grey level; a fraction of a bit is dropped."""
    return _albumentations("pixel").posterize(image, int(bits))


def contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the mean grey level: 0 is even grey, 1 the image, above 1 more contrast."""
    return _albumentations("pixel").adjust_contrast_torchvision(image, factor)


def colour(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the grey image: 0 is grey, 1 the image, above 1 more colour."""
    return _albumentations("pixel").adjust_saturation_torchvision(image, factor, TRUNCATE)


def brightness(image: np.ndarray, factor: float) -> np.ndarray:
    """Multiply the grey levels: 0 is black, 1 the image, above 1 brighter."""
    return _albumentations("pixel").adjust_brightness_torchvision(image, factor)


def sharpness(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the smoothed image: 0 is smooth, 1 the image, above 1 sharper."""
    smooth = cv2.filter2D(image, -1, SMOOTH)
    for edge in (np.s_[[0, -1]], np.s_[:, [0, -1]]):  # Pillow's filters do not change the border
        smooth[edge] = image[edge]
    return cv2.addWeighted(image, factor, smooth, 1 - factor, TRUNCATE)


def cutout(image: np.ndarray, share: float, place: tuple[float, float] = MIDDLE) -> np.ndarray:
    """Cover a square with grey, its side and its middle as shares of width and height."""
    height, width = image.shape[:2]
    side = share * width
    if side <= 0:
        return image
    corner = [int(max(0, p * n - side / 2)) for p, n in zip(place, (width, height), strict=True)]
    # Pillow's rectangle contains both of its corners; a slice beyond the border is harmless.
    hole = [*corner, *(int(start + side) + 1 for start in corner)]
    return _albumentations("dropout").cutout(image, np.array([hole]), CUTOUT_COLOUR, None)
