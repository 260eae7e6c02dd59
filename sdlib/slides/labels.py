"""The label of a tile, from an annotation mask, by a stated rule."""

from __future__ import annotations

import os
from dataclasses import dataclass

import cv2
import numpy as np

from sdlib.checks import check_number
from sdlib.errors import ConfigError, DataError
from sdlib.slides.grid import TileGrid
from sdlib.slides.slide import Slide, open_slide

__all__ = ["LabelRule", "check_mask", "open_mask", "read_mask", "tile_label"]

WHERE = ("tile", "centre")


@dataclass(frozen=True)
class LabelRule:
    """How the pixels of a mask make the label of a tile.

    The label is 1 if the share of positive pixels, among those that count, is at least the
    threshold, else 0. Ignored classes do not count; a tile in which nothing counts has no label.
    Pixels beyond the slide's border count as 0.

    Parameters
    ----------
    positive : tuple of int
        The mask's values for cancer.
    negative : tuple of int
        Its values for anything else that counts.
    ignored : tuple of int
        Its values for what nobody judged.
    threshold : float
        The least share for label 1, above 0 and at most 1.
    where : {"tile", "centre"}
        Whether the whole tile is looked at, or only the square in its centre with half its side.

    Raises
    ------
    ConfigError
        A value is in two lists or not from 0 to 255, or the threshold or ``where`` is none of
        these.

    Examples
    --------
    >>> rule = LabelRule(positive=(2,), negative=(0, 1), threshold=0.25)
    >>> tile_label(np.array([[2, 0], [1, 1]], np.uint8), rule)
    1
    """

    positive: tuple[int, ...]
    negative: tuple[int, ...] = (0,)
    ignored: tuple[int, ...] = ()
    threshold: float = 0.1
    where: str = "tile"

    def __post_init__(self) -> None:
        values = (*self.positive, *self.negative, *self.ignored)
        for value in values:
            check_number("a value of the mask", value, 0, 255, whole=True)
        if not self.positive or len(set(values)) < len(values):
            raise ConfigError(
                f"expected at least one positive value, and each value in one list, got positive "
                f"{self.positive}, negative {self.negative}, ignored {self.ignored}"
            )
        check_number("threshold", self.threshold, 0, 1)
        if self.threshold == 0:
            raise ConfigError("expected a threshold above 0, got 0: every tile would be positive")
        if self.where not in WHERE:
            raise ConfigError(f"expected where of {', '.join(WHERE)}, got {self.where!r}")


def tile_label(mask: np.ndarray, rule: LabelRule, place: str = "the mask") -> int | None:
    """Label a tile by its part of the mask.

    Parameters
    ----------
    mask : numpy.ndarray
        uint8, shape ``(H, W)``: the class of each pixel.
    rule : LabelRule
        The rule.
    place : str
        Where the mask is from, for errors.

    Returns
    -------
    int or None
        0 or 1; None if every pixel is of an ignored class.

    Raises
    ------
    DataError
        A value that the rule does not know; a mask that was compressed with loss has such.

    Examples
    --------
    >>> rule = LabelRule(positive=(1,), ignored=(9,), threshold=0.5, where="centre")
    >>> mask = np.zeros((8, 8), np.uint8)
    >>> mask[2:4, 2:6] = 1
    >>> tile_label(mask, rule), tile_label(np.full((8, 8), 9, np.uint8), rule)
    (1, None)
    """
    if rule.where == "centre":
        height, width = mask.shape
        top, left = height // 4, width // 4
        mask = mask[top : height - top, left : width - left]
    counts = np.bincount(mask.ravel(), minlength=256)
    known = [*rule.positive, *rule.negative, *rule.ignored]
    unknown = np.setdiff1d(np.flatnonzero(counts), known)
    if len(unknown):
        raise DataError(
            f"expected values of {', '.join(map(str, sorted(known)))} in {place}, got "
            f"{unknown[0]}: is it the right mask, of the right provider?"
        )
    positive = counts[list(rule.positive)].sum()
    counted = positive + counts[list(rule.negative)].sum()
    if not counted:
        return None
    return int(positive >= rule.threshold * counted)


def open_mask(path: str | os.PathLike[str]) -> Slide:
    """Open an annotation mask, of which what the file leaves out is 0.

    Masks are often written without their empty tiles, which would be damage in a slide.

    Parameters
    ----------
    path : str or os.PathLike
        The file, of any format that openslide reads.

    Returns
    -------
    Slide
        A context manager, which closes the file.

    Raises
    ------
    DataError
        The file is missing, or not a slide.
    """
    return open_slide(path, unscanned="zero")


def check_mask(mask: Slide, slide: Slide) -> None:
    """Raise an error unless a mask has the size of its slide.

    Parameters
    ----------
    mask, slide : Slide
        Both, open.

    Raises
    ------
    DataError
        Their sizes at level 0 differ.
    """
    if mask.dimensions != slide.dimensions:
        width, height = slide.dimensions
        raise DataError(
            f"expected a mask of {width} x {height} px, as {slide.path} has them, got "
            f"{mask.dimensions[0]} x {mask.dimensions[1]} in {mask.path}: is it another slide's?"
        )


def read_mask(mask: Slide, grid: TileGrid, x: int, y: int) -> np.ndarray:
    """Read the part of a mask that belongs to a tile.

    Parameters
    ----------
    mask : Slide
        The mask, which has the size of its slide at level 0; the class is in the red channel.
        Open it with :func:`open_mask`.
    grid : TileGrid
        The tiles' grid.
    x, y : int
        The tile's corner, in pixels of the grid's level.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(r, r)``: classes, never averaged. They are read from the mask's coarsest
        level that is at least as fine as the grid's, of which single pixels are then taken. Pixels
        beyond the border are 0.

    Raises
    ------
    DataError
        The region cannot be read.
    """
    level = mask.level_for(grid.downsample)
    factor = grid.downsample / mask.level_downsamples[level]
    side = max(1, round(grid.read_size * factor))
    left, top = round(x * factor), round(y * factor)
    classes = mask.read(level, left, top, side, side)[..., 0]
    width, height = mask.level_dimensions[level]
    beyond_x = np.arange(left, left + side)
    beyond_y = np.arange(top, top + side)
    outside = (beyond_y < 0) | (beyond_y >= height)
    classes = np.where(outside[:, None], np.uint8(0), classes)
    outside = (beyond_x < 0) | (beyond_x >= width)
    classes = np.where(outside[None, :], np.uint8(0), classes)
    if side == grid.read_size:
        return classes
    return cv2.resize(classes, (grid.read_size,) * 2, interpolation=cv2.INTER_NEAREST)
