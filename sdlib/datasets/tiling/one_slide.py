"""Cutting one slide into shards of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sdlib.datasets.shards import DeferredTile, ShardTile, ShardWriter
from sdlib.datasets.shards.notes import finished_note
from sdlib.datasets.tiling.settings import Tiling
from sdlib.datasets.tiling.slide_files import SlideFile
from sdlib.errors import ConfigError, DataError
from sdlib.files import check_entries, if_whole, read_json, write_json
from sdlib.slides import (
    Slide,
    TileGrid,
    TilePlan,
    open_slide,
    plan_grid,
    plan_tiles,
    read_mask,
    read_tile,
    tile_label,
)
from sdlib.slides.labels import check_mask

__all__ = ["SLIDES_FOLDER", "check_slide", "finished_record", "remove_shards", "tile_slide"]

SLIDES_FOLDER = "slides"  # in the folder of shards: a record of each slide that is finished
ENTRIES = {"slide": str, "bytes": int, "terms": dict, "tiles": int, "shards": list}


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
    with open_slide(slide.path, resolutions) as opened:
        plan_grid(opened, tiling.size, tiling.overlap, tiling.mpp, tiling.border)
        if tiling.rule is not None:
            with _open_mask(slide) as mask:
                check_mask(mask, opened)


def finished_record(
    slide: SlideFile, out: Path, tiling: Tiling, resolutions: Mapping[str, float]
) -> dict[str, Any] | None:
    """What is recorded of a slide whose shards are all finished; None if it is to be cut.

    Parameters
    ----------
    slide, tiling, resolutions
        As for :func:`check_slide`.
    out : pathlib.Path
        The folder of shards.

    Raises
    ------
    ConfigError
        If the slide's tiles were cut in another way, or for another group.
    DataError
        If another slide of that name was cut.
    """
    file = _record_file(slide, out)
    record = if_whole(read_json, file, lambda value: check_entries(value, ENTRIES))
    if record is None:
        return None
    terms = _terms(slide, tiling, resolutions)
    if record["terms"] != terms:
        raise ConfigError(
            f"{out} holds tiles of {slide.shown} that were cut with {_words(record['terms'])}; "
            f"expected {_words(terms)}: choose another folder, or remove this one"
        )
    size = slide.path.stat().st_size
    if (record["slide"], record["bytes"]) != (slide.shown, size):
        raise DataError(
            f"{out} holds tiles of {record['slide']} with {record['bytes']} bytes, but now "
            f"{slide.shown} has {size}: choose another folder, or remove this one"
        )
    whole = all(finished_note(out / name) is not None for name in record["shards"])
    return record if whole else None


def tile_slide(
    slide: SlideFile, out: Path, tiling: Tiling, resolutions: Mapping[str, float]
) -> dict[str, Any]:
    """Cut a slide into tiles and write them to shards of its own.

    Tiles of shards that a killed process has finished are not read again.

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
    writer = ShardWriter(out, slide.name, quality=tiling.quality)
    with open_slide(slide.path, resolutions) as opened:
        grid = plan_grid(opened, tiling.size, tiling.overlap, tiling.mpp, tiling.border)
        plans = plan_tiles(opened, grid, tiling.max_background)
        labelled = plans
        if tiling.rule is not None:
            labelled = _labelled(slide, opened, grid, plans, tiling)
        tiles = writer.write(_deferred(slide, opened, grid, labelled))
        record = {
            "slide": slide.shown,
            "name": slide.name,
            "group": slide.group,
            "bytes": slide.path.stat().st_size,
            "terms": _terms(slide, tiling, resolutions),
            "reader": opened.reader,
            "mpp": opened.mpp,
            "mpp_source": opened.resolution.source if opened.resolution else "unknown",
            "conflict": opened.resolution.conflict if opened.resolution else "",
            "tile_mpp": grid.mpp,
            "level": grid.level,
            "tiles": tiles,
            "cancer": sum(plan.label == 1 for plan in labelled),
            "background": len(grid) - len(plans),
            "unjudged": len(plans) - len(labelled),
            "shards": sorted(file.name for file in shards_of(slide.name, out)),
        }
    write_json(_record_file(slide, out), record)
    return record


def shards_of(name: str, out: Path) -> Iterator[Path]:
    """The shards of a slide that are in a folder."""
    return out.glob(f"{name}-??????.tar")


def remove_shards(slide: SlideFile, out: Path) -> None:
    """Remove what has been written of a slide that cannot be cut to its end."""
    _record_file(slide, out).unlink(missing_ok=True)
    for shard in list(shards_of(slide.name, out)):
        shard.with_suffix(".npz").unlink(missing_ok=True)
        shard.unlink(missing_ok=True)


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
    return open_slide(slide.mask)


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


def _record_file(slide: SlideFile, out: Path) -> Path:
    return out / SLIDES_FOLDER / f"{slide.name}.json"


def _terms(slide: SlideFile, tiling: Tiling, resolutions: Mapping[str, float]) -> dict[str, Any]:
    """What decides, with the slide and its mask, which tiles there are and what they say."""
    given = resolutions.get(slide.path.name, resolutions.get(slide.path.stem))
    return {**tiling.record, "group": slide.group, "given mpp": given}


def _words(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
