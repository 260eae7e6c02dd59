"""Many tiles at once: rendered in parallel, kept on disk, checked whenever they are read."""

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
from sdlib.phantoms.cohorts import find_cohort
from sdlib.phantoms.histology import (
    MIN_SIZE,
    PHANTOM_VERSION,
    HistologyTile,
    draw_tiles,
    render,
    tabulate,
)

__all__ = ["cache_folder", "generate"]

CHUNK = 128  # tiles a task: about half a second at 64 px
log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Where tiles are kept: ``SDLIB_CACHE`` if it is set, else the system's cache folder."""
    return Path(os.environ.get("SDLIB_CACHE") or pooch.os_cache("sdlib"))


def generate(
    n: int,
    size: int,
    seed: int,
    cohort: str = "development",
    workers: int | None = None,
    cache: str | os.PathLike[str] | None = None,
    scanner: str | None = None,
) -> TileSet:
    """The tiles of :func:`draw_tiles`, rendered, from disk where they have been made before.

    A file that was cut short or changed is noticed by its SHA-256, one made by other code or
    another OpenCV by two tiles rendered anew; either is logged and made again. The result does
    not depend on the number of workers.

    Args:
        n, seed, cohort, scanner: as for :func:`draw_tiles`.
        size: side of a tile in pixels, at least 16.
        workers: processes, by default one a core.
        cache: folder; by default :func:`cache_folder`. ``n * size**2 * 3`` bytes are written.

    Returns:
        TileSet whose images are a read-only memory map, whose groups are the patients, and whose
        factors are the other attributes of :class:`HistologyTile`.

    Raises:
        ConfigError: as :func:`draw_tiles` and :func:`render`, or ``workers`` below 1.
        SdlibError: the folder cannot be written to, or the disk is full.

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
    tiles = draw_tiles(n, seed, cohort, scanner)
    design = {
        "phantom_version": PHANTOM_VERSION,
        "cohort": cohort,
        "scanner": find_cohort(cohort, scanner)[1],
        "n": n,
        "size": size,
        "seed": seed,
        "probe": _probe(tiles, size),
    }
    name = "phantom-v{phantom_version}-{cohort}-{scanner}-n{n}-{size}px-seed{seed}.npy"
    path = Path(cache if cache is not None else cache_folder()) / name.format(**design)
    if not _is_whole(path, design):
        _make(path, design, tiles, workers)
    columns = tabulate(tiles)
    targets, groups = columns.pop("target"), columns.pop("patient")
    return TileSet(np.load(path, mmap_mode="r"), targets, groups, columns)


def _is_whole(path: Path, design: dict[str, Any]) -> bool:
    """Whether the file is there and is what its note says; a broken one is logged."""
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
    """Digest of what today's code, OpenCV and machine make of the first and the last tile."""
    digest = hashlib.sha256()
    for tile in (tiles[0], tiles[-1]):
        digest.update(repr(tile).encode() + render(tile, size).tobytes())
    return digest.hexdigest()


def _note(path: Path) -> Path:
    return path.with_suffix(".json")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _make(path: Path, design: dict[str, Any], tiles: Sequence[HistologyTile], workers: int) -> None:
    size = design["size"]
    log.info("rendering %d tiles of %d px into %s", len(tiles), size, path)
    with atomic_path(path) as temporary:
        with temporary.open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(tiles), size, size, 3)}
            np.lib.format.write_array_header_1_0(file, header)
            start = file.tell()
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
    """On images as small as tiles OpenCV's threads cost more than they bring."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _write_chunk(path: Path, start: int, tiles: Sequence[HistologyTile], size: int) -> None:
    # Plain writes, not a memory map: on a full disk they raise instead of killing the process.
    with _one_thread(), path.open("r+b") as file:
        file.seek(start)
        for tile in tiles:
            file.write(render(tile, size).tobytes())
