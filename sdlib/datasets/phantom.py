"""Phantom tissue as a data set: rendered in parallel, kept on disk, checked whenever it is read."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pooch
from joblib import Parallel, delayed

from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError
from sdlib.files import atomic_path, write_json
from sdlib.paths import named_folder
from sdlib.phantoms.acquisition import Acquisition
from sdlib.phantoms.cohorts import find_cohort
from sdlib.phantoms.histology import MIN_SIZE, PHANTOM_VERSION, draw_tiles, render, tabulate
from sdlib.phantoms.tile import HistologyTile

__all__ = ["cache_folder", "generate"]

AS_ACQUIRED = Acquisition()  # as the cohort's own images are
CHUNK = 128  # tiles per task: about half a second at 64 px
log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """The folder where tiles are kept.

    Returns
    -------
    pathlib.Path
        The environment variable ``SDLIB_CACHE`` if it is set, else the system's cache folder.

    Examples
    --------
    >>> isinstance(cache_folder(), Path)
    True
    """
    return named_folder("SDLIB_CACHE", Path(pooch.os_cache("sdlib")))


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

    A file that was cut short or changed is noticed by its SHA-256. A file made by other code or by
    another OpenCV is noticed by two tiles that are rendered again. Either is logged and replaced.
    The result does not depend on the number of workers.

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
        Folder, by default :func:`cache_folder`. ``n * size**2 * 3`` bytes are written.
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
    workers = workers if workers is not None else os.cpu_count() or 1
    if workers < 1:
        raise ConfigError(f"expected at least 1 worker, got {workers}")
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
        "probe": _probe(tiles, size),
    }
    # The name alone distinguishes designs; the probe, which it leaves out, notices other code.
    name = "phantom-v{phantom_version}-{cohort}-{scanner}-n{n}-{size}px-seed{seed}"
    name = name.format(**design) + _changes(acquisition, patients)
    path = Path(cache if cache is not None else cache_folder()) / f"{name}.npy"
    if not _is_whole(path, design):
        _make(path, design, tiles, workers)
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


def _is_whole(path: Path, design: dict[str, Any]) -> bool:
    """Whether the file is there and agrees with its note; one that does not is logged."""
    if not path.exists():
        return False
    try:
        note = json.loads(_note(path).read_text(encoding="utf-8"))
        whole = note["design"] == design and note["sha256"] == _sha256(path)
    except (OSError, ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        log.warning(
            "%s does not match its checksum, or was made by other code: making it again", path
        )
    return whole


def _probe(tiles: Sequence[HistologyTile], size: int) -> str:
    """Digest of the first and the last tile as this code, OpenCV and machine render them."""
    digest = hashlib.sha256()
    for tile in (tiles[0], tiles[-1]):
        digest.update(repr(tile).encode() + render(tile, size).tobytes())
    return digest.hexdigest()


def _note(path: Path) -> Path:
    """The file beside the tiles that holds their design and checksum."""
    return path.with_suffix(".json")


def _sha256(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _make(path: Path, design: dict[str, Any], tiles: Sequence[HistologyTile], workers: int) -> None:
    """Render tiles into a file and write its note."""
    size = design["size"]
    log.info("rendering %d tiles of %d px into %s", len(tiles), size, path)
    with atomic_path(path) as temporary:
        with temporary.open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(tiles), size, size, 3)}
            np.lib.format.write_array_header_1_0(file, header)
            start = file.tell()
            # The whole length is set first, so that every task can write at its own offset.
            file.truncate(start + len(tiles) * size * size * 3)
        tasks = [
            (temporary, start + i * size * size * 3, tiles[i : i + CHUNK], size)
            for i in range(0, len(tiles), CHUNK)
        ]
        if workers == 1 or len(tasks) == 1:
            for task in tasks:
                _write_chunk(*task)
        else:
            Parallel(n_jobs=min(workers, len(tasks)))(delayed(_write_chunk)(*t) for t in tasks)
        digest = _sha256(temporary)
    write_json(_note(path), {"design": design, "sha256": digest})


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep OpenCV to one thread: on images as small as tiles, more threads cost time."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _write_chunk(path: Path, start: int, tiles: Sequence[HistologyTile], size: int) -> None:
    """Render tiles and write their pixels from byte ``start`` on."""
    # Plain writes, not a memory map: on a full disk they raise instead of killing the process.
    with _one_thread(), path.open("r+b") as file:
        file.seek(start)
        for tile in tiles:
            file.write(render(tile, size).tobytes())
