"""Phantom tissue as a data set: rendered in parallel, kept on disk, checked whenever it is read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from sdlib.datasets.rendered import cache_folder, keep_rendered
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError
from sdlib.phantoms.acquisition import Acquisition
from sdlib.phantoms.cohorts import find_cohort
from sdlib.phantoms.histology import MIN_SIZE, PHANTOM_VERSION, draw_tiles, render, tabulate

__all__ = ["generate"]

AS_ACQUIRED = Acquisition()  # as the cohort's own images are


def generate(
    n: int,
    size: int,
    seed: int,
    cohort: str = "development",
    workers: int | None = None,
    cache: str | os.PathLike[str] | None = None,
    scanner: str | None = None,
    acquisition: Acquisition = AS_ACQUIRED,
    patients: Sequence[str] = (),
) -> TileSet:
    """Draw and render tiles, or read them from disk where they have been made before.

    A file that is damaged, or was made by other code, is replaced: see
    :func:`~sdlib.datasets.rendered.keep_rendered`.

    Parameters
    ----------
    n : int
        Number of tiles, at least 1.
    size : int
        Side of a tile in pixels, at least 16.
    seed : int
        At least 0.
    cohort, scanner : str
        As for :func:`sdlib.phantoms.draw_tiles`.
    workers : int, optional
        Number of processes, by default one per core.
    cache : path, optional
        Folder, by default
        :func:`~sdlib.datasets.rendered.cache_folder`. ``n * size**2 * 3`` bytes are written.
    acquisition : Acquisition
        What is different from the way in which the cohort's own images are made.
    patients : sequence of str
        Of the n tiles that are drawn, only those of these patients are rendered; all by default.

    Returns
    -------
    TileSet
        Images are a read-only memory map, groups are the patients, and factors are the other
        attributes of :class:`HistologyTile`.

    Raises
    ------
    ConfigError
        As :func:`sdlib.phantoms.draw_tiles` and :func:`sdlib.phantoms.render`, ``workers``
        below 1, or none of the tiles is of these patients.
    SdlibError
        The folder cannot be written to, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> tiles = generate(4, size=32, seed=0, workers=1, cache=tempfile.mkdtemp())
    >>> tiles.images.shape, tiles.factors["gland_size"].shape
    ((4, 32, 32, 3), (4,))
    """
    if size < MIN_SIZE:
        raise ConfigError(f"expected a size of at least {MIN_SIZE} px, got {size}")
    tiles = acquisition.apply(draw_tiles(n, seed, cohort, scanner))
    if patients:
        chosen = set(patients)
        tiles = [tile for tile in tiles if tile.patient in chosen]
        if not tiles:
            raise ConfigError(f"none of {n} tiles of {cohort} is of the patients {sorted(chosen)}")
    design = {
        "phantom_version": PHANTOM_VERSION,
        "cohort": cohort,
        "scanner": find_cohort(cohort, scanner)[1],
        "n": n,
        "size": size,
        "seed": seed,
    }
    name = "phantom-v{phantom_version}-{cohort}-{scanner}-n{n}-{size}px-seed{seed}"
    name = name.format(**design) + _changes(acquisition, patients)
    path = Path(cache if cache is not None else cache_folder()) / f"{name}.npy"
    keep_rendered(path, design, tiles, partial(render, size=size), workers)
    columns = tabulate(tiles)
    targets, groups = columns.pop("target"), columns.pop("patient")
    return TileSet(np.load(path, mmap_mode="r"), targets, groups, columns)


def _changes(acquisition: Acquisition, patients: Sequence[str]) -> str:
    """The end of a file's name: what is acquired otherwise, and a digest of chosen patients."""
    ends = [acquisition.name] if acquisition.name else []
    if patients:
        digest = hashlib.sha256(json.dumps(sorted(patients)).encode()).hexdigest()[:8]
        ends.append(f"patients{digest}")
    return "".join(f"-{end}" for end in ends)
