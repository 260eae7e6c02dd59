"""Cutting one slide into shards of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sdlib.datasets.shards import DeferredTile, ShardTile, ShardWriter
from sdlib.datasets.tiling.records import begin_record, finish_record
from sdlib.datasets.tiling.settings import Tiling
from sdlib.datasets.tiling.slide_files import SlideFile
from sdlib.errors import DataError
from sdlib.slides import (
    Slide,
    TileGrid,
    TilePlan,
    check_mask,
    open_mask,
    open_slide,
    plan_grid,
    plan_tiles,
    read_mask,
    read_tile,
    tile_label,
)

__all__ = ["check_slide", "tile_slide"]


def check_slide(slide: SlideFile, tiling: Tiling, resolutions: Mapping[str, float]) -> None:
    """Open a slide and lay the grid over it, without reading tiles.

    Parameters
    ----------
    slide : SlideFile
        The slide.
    tiling : Tiling
        How it is to be cut.
    resolutions : mapping of str to float
        The user's own microns per pixel by slide.

    Raises
    ------
    DataError
        If the slide or its mask cannot be opened, or its resolution is needed and not known.
    ConfigError
        If the target is finer than the slide.
    """
    with open_slide(slide.path, resolutions, tiling.unscanned) as opened:
        plan_grid(opened, tiling.size, tiling.overlap, tiling.mpp, tiling.border)
        if tiling.rule is not None:
            with _open_mask(slide) as mask:
                check_mask(mask, opened)


def tile_slide(
    slide: SlideFile, out: Path, tiling: Tiling, resolutions: Mapping[str, float]
) -> dict[str, Any]:
    """Cut a slide into tiles and write them to shards of its own.

    Tiles of shards that a killed process has finished are not read again, unless the slide, its
    mask or the way of cutting has changed since.

    Parameters
    ----------
    slide : SlideFile
        The slide.
    out : pathlib.Path
        The folder of shards.
    tiling : Tiling
        How it is cut.
    resolutions : mapping of str to float
        The user's own microns per pixel by slide.

    Returns
    -------
    dict
        The record of the slide, which is written to a file as well.

    Raises
    ------
    DataError
        If the slide or its mask cannot be opened, or a region cannot be read.
    SdlibError
        If tiles cannot be written.
    """
    begun = begin_record(slide, out, tiling, resolutions)
    writer = ShardWriter(out, slide.name, quality=tiling.quality)
    with open_slide(slide.path, resolutions, tiling.unscanned) as opened:
        grid = plan_grid(opened, tiling.size, tiling.overlap, tiling.mpp, tiling.border)
        plans = plan_tiles(opened, grid, tiling.max_background)
        labelled = plans
        if tiling.rule is not None:
            labelled = _labelled(slide, opened, grid, plans, tiling)
        tiles = writer.write(_deferred(slide, opened, grid, labelled))
        known = {
            "name": slide.name,
            "group": slide.group,
            "reader": opened.reader,
            "unscanned": opened.unscanned,
            "mpp": opened.mpp,
            "mpp_source": opened.resolution.source if opened.resolution else "unknown",
            "conflict": opened.resolution.conflict if opened.resolution else "",
            "tile_mpp": grid.mpp,
            "level": grid.level,
            "tiles": tiles,
            "cancer": sum(plan.label == 1 for plan in labelled),
            "background": len(grid) - len(plans),
            "unjudged": len(plans) - len(labelled),
        }
    return finish_record(slide, out, begun, known)


def _labelled(
    slide: SlideFile, opened: Slide, grid: TileGrid, plans: list[TilePlan], tiling: Tiling
) -> list[TilePlan]:
    """Tiles with labels from the slide's mask; those in which it judges nothing are left out."""
    found = []
    with _open_mask(slide) as mask:
        check_mask(mask, opened)
        for plan in plans:
            place = f"{mask.path}, in the tile at x {plan.x}, y {plan.y} (pixels of level 0)"
            classes = read_mask(mask, grid, plan.column, plan.row)
            label = tile_label(classes, tiling.rule, place)
            if label is not None:
                found.append(replace(plan, label=label))
    return found


def _open_mask(slide: SlideFile) -> Slide:
    """The mask of a slide."""
    if slide.mask is None or not slide.mask.is_file():
        raise DataError(
            f"expected a mask of the slide {slide.shown} at {slide.mask}, found none: add it, or "
            "skip the slide"
        )
    return open_mask(slide.mask)


def _deferred(
    slide: SlideFile, opened: Slide, grid: TileGrid, plans: list[TilePlan]
) -> Iterator[DeferredTile]:
    """Tiles that are read when their shard is written."""

    def make(key: str, plan: TilePlan) -> ShardTile:
        tile = read_tile(opened, grid, plan)
        factors = {
            "slide": slide.name,
            "x": tile.x,
            "y": tile.y,
            "background": float(tile.background),
            "sharpness": float(tile.sharpness),
        }
        return ShardTile(key, tile.image, plan.label, slide.group, factors)

    for plan in plans:
        key = f"{slide.name}_x{plan.x}_y{plan.y}"
        yield DeferredTile(key, lambda key=key, plan=plan: make(key, plan))
