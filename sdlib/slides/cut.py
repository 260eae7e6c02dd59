"""Tiles of a slide: where they are, what is in them, their pixels."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from sdlib.checks import check_number
from sdlib.errors import ConfigError
from sdlib.metrics import laplacian_variance
from sdlib.slides.grid import TileGrid, plan_grid
from sdlib.slides.labels import LabelRule, check_mask, read_mask, tile_label
from sdlib.slides.slide import Slide
from sdlib.slides.tissue import find_tissue

__all__ = ["CutTile", "TilePlan", "cut_tiles", "plan_tiles", "read_tile"]


@dataclass(frozen=True)
class TilePlan:
    """A tile that is to be read.

    Parameters
    ----------
    column, row : int
        Its corner in pixels of the grid's level.
    x, y : int
        Its corner in pixels of level 0.
    background : float
        Share of it that is background, from 0 to 1.
    label : int or None
        0 benign, 1 cancer; None where there is no mask.
    """

    column: int
    row: int
    x: int
    y: int
    background: float
    label: int | None


@dataclass(frozen=True, eq=False)
class CutTile:
    """A tile of a slide.

    Parameters
    ----------
    image : numpy.ndarray
        uint8, shape ``(S, S, 3)``, RGB.
    x, y : int
        Upper left corner in pixels of level 0.
    size_0 : int
        Side in pixels of level 0.
    mpp : float or None
        Microns per pixel of the image; None where the slide's resolution is unknown.
    background : float
        Share of the tile that is background, from 0 to 1.
    label : int or None
        0 benign, 1 cancer; None where there is no mask.
    """

    image: np.ndarray
    x: int
    y: int
    size_0: int
    mpp: float | None
    background: float
    label: int | None

    # At first use, because it takes longer than reading the tile.
    @functools.cached_property
    def sharpness(self) -> float:
        """Variance of the Laplacian (see :func:`sdlib.metrics.laplacian_variance`)."""
        return laplacian_variance(self.image)


def plan_tiles(
    slide: Slide,
    grid: TileGrid,
    max_background: float = 1.0,
    threshold: float | None = None,
    mask: Slide | None = None,
    rule: LabelRule | None = None,
) -> list[TilePlan]:
    """Choose the tiles of a grid by their background, and label them; no tile is read yet.

    Parameters
    ----------
    slide : Slide
        The slide.
    grid : TileGrid
        The places.
    max_background : float
        Tiles with a larger share of background are left out.
    threshold : float, optional
        The brightest grey level of tissue; by default Otsu's of the thumbnail.
    mask : Slide, optional
        The annotation, of the slide's size, opened with :func:`~sdlib.slides.labels.open_mask`.
    rule : LabelRule, optional
        How the mask makes labels; needed with ``mask``.

    Returns
    -------
    list of TilePlan
        Row by row. Tiles without a label, of which a mask judges nothing, are left out.

    Raises
    ------
    ConfigError
        A value out of its range; a mask without a rule, or a rule without a mask.
    DataError
        A region of the slide or the mask cannot be read; the mask has another size, or a value
        that the rule does not know.
    """
    check_number("max_background", max_background, 0, 1)
    if (mask is None) != (rule is None):
        raise ConfigError("expected a mask and a rule together, got one of them")
    if mask is not None:
        check_mask(mask, slide)
    tissue = find_tissue(slide, threshold)
    plans = []
    for column, row in grid:
        x, y = grid.corner_0(column, row)
        background = tissue.background(x, y, grid.size_0)
        if background > max_background:
            continue
        label = None
        if mask is not None and rule is not None:
            place = f"{mask.path}, in the tile at x {x}, y {y} (pixels of level 0)"
            label = tile_label(read_mask(mask, grid, column, row), rule, place)
            if label is None:
                continue
        plans.append(TilePlan(column, row, x, y, background, label))
    return plans


def read_tile(slide: Slide, grid: TileGrid, plan: TilePlan) -> CutTile:
    """Read a tile.

    Parameters
    ----------
    slide : Slide
        The slide.
    grid : TileGrid
        The grid that the tile is of.
    plan : TilePlan
        The tile.

    Returns
    -------
    CutTile
        With its pixels; averaged over area where no level has the grid's resolution.

    Raises
    ------
    DataError
        The region cannot be read.
    """
    image = slide.read(grid.level, plan.column, plan.row, grid.read_size, grid.read_size)
    if grid.read_size != grid.size:
        image = cv2.resize(image, (grid.size, grid.size), interpolation=cv2.INTER_AREA)
    return CutTile(
        image=image,
        x=plan.x,
        y=plan.y,
        size_0=grid.size_0,
        mpp=grid.mpp,
        background=plan.background,
        label=plan.label,
    )


def cut_tiles(
    slide: Slide,
    size: int = 512,
    overlap: float = 0.2,
    mpp: float | None = None,
    border: str = "pad",
    max_background: float = 1.0,
    threshold: float | None = None,
    mask: Slide | None = None,
    rule: LabelRule | None = None,
) -> Iterator[CutTile]:
    """Cut a slide into tiles, row by row.

    Parameters
    ----------
    slide : Slide
        The slide (see :func:`~sdlib.slides.slide.open_slide`).
    size : int
        Side of a tile in pixels.
    overlap : float
        Share of a tile that the next one repeats, from 0 to below 1; the step is
        ``size - int(size * overlap)`` (see :mod:`sdlib.slides.grid`).
    mpp : float, optional
        Target microns per pixel; by default the pixels of level 0 are used as they are.
    border : {"pad", "shift", "drop"}
        What becomes of tiles that reach beyond the slide: padded with white, moved back, left out.
    max_background : float
        Tiles with a larger share of background are left out, unread; by default none are.
    threshold : float, optional
        The brightest grey level of tissue; by default Otsu's of a thumbnail.
    mask : Slide, optional
        The annotation, of the slide's size, opened with :func:`~sdlib.slides.labels.open_mask`.
    rule : LabelRule, optional
        How the mask makes labels; needed with ``mask``.

    Returns
    -------
    iterator of CutTile
        A tile is read when the loop reaches it. The arguments are checked, and the tiles chosen, at
        once.

    Raises
    ------
    ConfigError
        A value out of its range.
    DataError
        A region cannot be read, the slide's resolution is needed and unknown, or the mask does not
        fit.

    Examples
    --------
    >>> from sdlib.slides import open_slide
    >>> with open_slide("slide.svs") as slide:  # doctest: +SKIP
    ...     tiles = list(cut_tiles(slide, size=512, overlap=0.2, mpp=0.5, max_background=0.75))
    """
    grid = plan_grid(slide, size, overlap, mpp, border)
    plans = plan_tiles(slide, grid, max_background, threshold, mask, rule)
    return (read_tile(slide, grid, plan) for plan in plans)
