"""A cache of decoded tiles in one memory-mapped file, for sets of shards that fit on the disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np

from sdlib.datasets.shards.store import ShardStore, open_shards
from sdlib.datasets.store import DECODE_BATCH, cache_folder, cached_tiles, fingerprint
from sdlib.datasets.tiles import TileSet
from sdlib.errors import SdlibError

__all__ = ["open_decoded"]

PER_THREAD = 16  # tiles per task


def open_decoded(
    folder: str | os.PathLike[str],
    damaged: Literal["refuse", "skip"] = "refuse",
    verify: bool = False,
    unlabelled: int | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> TileSet:
    """Open a folder of shards as a set of tiles that are decoded already.

    At the first call all tiles are decoded, on all cores, into one file of ``3 * S * S`` bytes per
    tile; later calls map that file.

    Parameters
    ----------
    folder, damaged, verify, unlabelled
        As for :func:`~sdlib.datasets.shards.open_shards`.
    cache : path, optional
        Folder of the file, by default :func:`sdlib.datasets.store.cache_folder`.

    Returns
    -------
    TileSet
        As :func:`~sdlib.datasets.shards.open_shards` returns it, with its images in a read-only
        memory map.

    Raises
    ------
    DataError
        As :func:`~sdlib.datasets.shards.open_shards`.
    SdlibError
        If the disk has no room for the file; nothing of it remains.

    Examples
    --------
    >>> import tempfile
    >>> from sdlib.datasets.shards import ShardTile, ShardWriter, write_index
    >>> folder = tempfile.mkdtemp()
    >>> tile = ShardTile("a", np.zeros((8, 8, 3), np.uint8), 1, "patient")
    >>> _ = ShardWriter(folder).write([tile])
    >>> _ = write_index(folder)
    >>> open_decoded(folder, cache=folder).images.shape
    (1, 8, 8, 3)
    """
    tiles = open_shards(folder, damaged, verify, unlabelled)
    store = tiles.store
    rows = np.arange(len(tiles))
    if not isinstance(store, ShardStore):  # damaged shards are left out
        store, rows = store.base, store.rows
    name = f"shards-{fingerprint([store.index.columns, rows.tobytes()])}-{tiles.size}px.npy"
    path = Path(cache if cache is not None else cache_folder()) / name
    shape = (len(tiles), tiles.size, tiles.size, 3)
    _check_room(path, shape)
    images = cached_tiles(path, shape, _decode(store, rows))
    return TileSet(images, tiles.targets, tiles.groups, tiles.factors)


def _check_room(path: Path, shape: tuple[int, ...]) -> None:
    """Check that the disk has room for the file, before hours of decoding."""
    folder = next(parent for parent in path.parents if parent.is_dir())
    needed, free = int(np.prod(shape)), shutil.disk_usage(folder).free
    if not path.exists() and needed > free:
        raise SdlibError(
            f"{shape[0]} decoded tiles need {needed / 2**30:.1f} GiB in {path.parent}, which has "
            f"{free / 2**30:.1f} GiB left: free some space, choose another folder, or read the "
            "shards themselves"
        )


def _decode(store: ShardStore, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Decode tiles in order and in batches, on all cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(rows), DECODE_BATCH):
            batch = rows[start : start + DECODE_BATCH]
            parts = [batch[k : k + PER_THREAD] for k in range(0, len(batch), PER_THREAD)]
            yield np.concatenate(list(pool.map(store.batch, parts)))
