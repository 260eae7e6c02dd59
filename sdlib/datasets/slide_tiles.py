"""Tiles of many slides with masks: chosen, labelled and read once, then kept in a cache."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from sdlib.checks import check_number
from sdlib.datasets.images import fit_square
from sdlib.datasets.store import cache_folder, cached_tiles, fingerprint
from sdlib.errors import DataError
from sdlib.files import atomic_path, if_whole, read_arrays
from sdlib.slides import (
    LabelRule,
    Slide,
    TileGrid,
    TilePlan,
    open_mask,
    open_slide,
    plan_grid,
    plan_tiles,
    read_resolutions,
    read_tile,
)

__all__ = ["Cutting", "LabelledSlide", "cut_labelled"]

VERSION = 1  # of what is in the cache
#: What is known of a tile before it is read; "slide" is the number of its slide.
COLUMNS = ("slide", "column", "row", "x", "y", "background", "label")


@dataclass(frozen=True)
class Cutting:
    """How slides are cut into tiles.

    Parameters
    ----------
    size : int
        Side of the tiles in pixels, resized from ``tile`` by averaging over area.
    tile : int
        Side of the square that is cut, in pixels of ``mpp``.
    overlap : float
        Share of a tile that the next one repeats (see :mod:`sdlib.slides.grid`).
    mpp : float or None
        Microns per pixel of the square that is cut; None for the pixels of level 0.
    border : {"pad", "shift", "drop"}
        What becomes of tiles that reach beyond the slide.
    max_background : float
        Tiles with a larger share of background are left out.
    """

    size: int
    tile: int
    overlap: float
    mpp: float | None
    border: str
    max_background: float

    def __post_init__(self) -> None:
        check_number("size", self.size, 1, whole=True)

    def grid(self, slide: Slide) -> TileGrid:
        """The places of a slide's tiles."""
        return plan_grid(slide, self.tile, self.overlap, self.mpp, self.border)


@dataclass(frozen=True)
class LabelledSlide:
    """A slide, its mask, and how the mask makes labels.

    Parameters
    ----------
    image, mask : pathlib.Path
        Both files.
    rule : LabelRule
        The rule.
    """

    image: Path
    mask: Path
    rule: LabelRule


def cut_labelled(
    name: str,
    slides: Sequence[LabelledSlide],
    cutting: Cutting,
    resolutions: str | os.PathLike[str] | Mapping[str, float] | None = None,
    workers: int | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Cut slides into labelled tiles, or map them from the cache where they have been cut before.

    Parameters
    ----------
    name : str
        Name of the data set, with which the cache's files begin.
    slides : sequence of LabelledSlide
        The slides.
    cutting : Cutting
        How they are cut.
    resolutions : str, os.PathLike or mapping, optional
        The user's own microns per pixel (see :func:`~sdlib.slides.slide.open_slide`).
    workers : int, optional
        Number of processes, by default one per core. The tiles do not depend on it.
    cache : str or os.PathLike, optional
        Folder of the cache; by default :func:`~sdlib.datasets.store.cache_folder`.

    Returns
    -------
    images : numpy.ndarray
        uint8, shape ``(n, size, size, 3)``, a read-only memory map.
    columns : dict of str to numpy.ndarray
        Of each tile ``slide`` (its number in ``slides``, ascending), ``column`` and ``row`` (its
        corner in pixels of the level that it is read from), ``x`` and ``y`` (the same in pixels of
        level 0), ``label`` (all int64) and ``background`` (its share, float64).

    Raises
    ------
    ConfigError
        A value out of its range.
    DataError
        A slide or a mask cannot be read or does not fit, a slide does not tell its resolution, or
        no tile is left.
    SdlibError
        The cache cannot be written.
    """
    workers = workers if workers is not None else os.cpu_count() or 1
    check_number("workers", workers, 1, whole=True)
    if resolutions is not None and not isinstance(resolutions, Mapping):
        resolutions = read_resolutions(resolutions)
    table = dict(resolutions or {})
    key = _key(slides, cutting, table)
    stem = Path(cache or cache_folder()) / f"{name}-{cutting.size}-{key}"
    columns = _columns(stem.with_suffix(".npz"), slides, cutting, table, workers)
    images = cached_tiles(
        stem.with_suffix(".npy"),
        (len(columns["slide"]), cutting.size, cutting.size, 3),
        _read(slides, cutting, table, columns, workers),
    )
    return images, columns


def _key(slides: Sequence[LabelledSlide], cutting: Cutting, table: Mapping[str, float]) -> str:
    """Identify tiles by the files that they are cut from, and how."""
    stamps = []
    for slide in slides:
        for path in (slide.image, slide.mask):
            state = path.stat()
            stamps.append((str(path.resolve()), state.st_size, state.st_mtime_ns))
    rules = [slide.rule for slide in slides]
    return fingerprint([VERSION, cutting, sorted(table.items()), *rules, *stamps])


def _columns(
    path: Path,
    slides: Sequence[LabelledSlide],
    cutting: Cutting,
    table: Mapping[str, float],
    workers: int,
) -> dict[str, np.ndarray]:
    """What is known of the tiles before they are read; found once, then read from ``path``."""
    known = if_whole(read_arrays, path, _check_columns)
    if known is not None:
        return known
    found: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    tasks = [(slide, cutting, table) for slide in slides]
    for number, tiles in enumerate(_in_order(_plan_slide, tasks, workers)):
        for tile in tiles:
            found["slide"].append(number)
            for name in COLUMNS[1:]:
                found[name].append(getattr(tile, name))
    if not found["slide"]:
        raise DataError(
            f"expected tissue on the {len(slides)} slides in {slides[0].image.parent}, found no "
            f"tile with at most {cutting.max_background:g} of background: raise max_background"
        )
    columns = {
        name: np.array(values, np.float64 if name == "background" else np.int64)
        for name, values in found.items()
    }
    with atomic_path(path) as temporary:
        np.savez(temporary, **columns)
    return columns


def _check_columns(columns: Mapping[str, np.ndarray]) -> None:
    """Raise a ValueError unless all columns are there and of one length."""
    if set(columns) != set(COLUMNS) or len({len(column) for column in columns.values()}) != 1:
        raise ValueError(f"expected the columns {', '.join(COLUMNS)}, all of one length")


def _plan_slide(
    slide: LabelledSlide, cutting: Cutting, table: Mapping[str, float]
) -> list[TilePlan]:
    """Choose and label the tiles of one slide."""
    # Of the slide only a thumbnail is read here, which needs no fast reader.
    image = open_slide(slide.image, table, fast=False)
    mask = open_mask(slide.mask)
    with image, mask:
        grid = cutting.grid(image)
        return plan_tiles(image, grid, cutting.max_background, mask=mask, rule=slide.rule)


def _read(
    slides: Sequence[LabelledSlide],
    cutting: Cutting,
    table: Mapping[str, float],
    columns: Mapping[str, np.ndarray],
    workers: int,
) -> Iterator[np.ndarray]:
    """Yield the tiles of each slide, uint8 ``(n, size, size, 3)``; the cache may want none."""
    # Tiles are in the order of their slides.
    bounds = np.searchsorted(columns["slide"], np.arange(len(slides) + 1))
    corners = np.stack([columns["column"], columns["row"]], axis=1)
    tasks = []
    for slide, first, last in zip(slides, bounds[:-1], bounds[1:], strict=True):
        if last > first:
            tasks.append((slide.image, cutting, table, corners[first:last]))
    yield from _in_order(_read_slide, tasks, workers)


def _read_slide(
    path: Path, cutting: Cutting, table: Mapping[str, float], corners: np.ndarray
) -> np.ndarray:
    """Read the tiles of one slide that begin at the given corners."""
    tiles = np.empty((len(corners), cutting.size, cutting.size, 3), np.uint8)
    with open_slide(path, table) as slide:
        grid = cutting.grid(slide)
        for place, (column, row) in zip(tiles, corners.tolist(), strict=True):
            x, y = grid.corner_0(column, row)
            plan = TilePlan(column, row, x, y, background=0, label=None)
            place[:] = fit_square(read_tile(slide, grid, plan).image, cutting.size)
    return tiles


def _in_order(
    function: Callable[..., Any], tasks: list[tuple[Any, ...]], workers: int
) -> Iterator[Any]:
    """Results of a function for each task, in order, from several processes."""
    if workers == 1 or len(tasks) == 1:
        return (function(*task) for task in tasks)
    parallel = Parallel(n_jobs=min(workers, len(tasks)), return_as="generator")
    return parallel(delayed(function)(*task) for task in tasks)
