"""Which shards are not as they were written."""

from __future__ import annotations

import contextlib
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sdlib.datasets.shards.index import ShardFile, ShardIndex, note_times
from sdlib.errors import SdlibError

__all__ = ["damaged_shards"]


def damaged_shards(index: ShardIndex, verify: bool = False) -> dict[int, str]:
    """Compare the shards with their index.

    Parameters
    ----------
    index : ShardIndex
        The index.
    verify : bool
        Whether the hash of every shard is computed; otherwise only of those whose time is
        another one than the index says.

    Returns
    -------
    dict of int to str
        The numbers of shards that are not as they were written, and why not.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sdlib.datasets.shards import ShardTile, ShardWriter, write_index
    >>> folder = tempfile.mkdtemp()
    >>> tile = ShardTile("a", np.zeros((8, 8, 3), np.uint8), 1, "patient")
    >>> _ = ShardWriter(folder).write([tile])
    >>> index = write_index(folder)
    >>> damaged_shards(index)
    {}
    >>> (index.folder / "tiles-000000.tar").unlink()
    >>> damaged_shards(index)
    {0: 'it is not there'}
    """
    found: dict[int, str] = {}
    to_hash: dict[int, int] = {}  # time of each shard whose hash is to be computed
    for number, shard in enumerate(index.shards):
        try:
            state = os.stat(index.folder / shard.name)
        except OSError as error:
            gone = isinstance(error, (FileNotFoundError, NotADirectoryError))
            found[number] = "it is not there" if gone else f"it cannot be read, {error.strerror}"
            continue
        if state.st_size != shard.bytes:
            found[number] = f"expected {shard.bytes} bytes, got {state.st_size}"
        elif verify or state.st_mtime_ns != shard.modified_ns:
            to_hash[number] = state.st_mtime_ns
    # Hashing releases the interpreter's lock.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        shards = [index.shards[number] for number in to_hash]
        reasons = list(pool.map(lambda shard: _other_content(index.folder, shard), shards))
    times = {}
    for (number, time), why in zip(to_hash.items(), reasons, strict=True):
        if why:
            found[number] = why
        elif time != index.shards[number].modified_ns:
            times[number] = time
    if times:
        # In a folder that cannot be written to they are hashed again at the next opening.
        with contextlib.suppress(SdlibError):
            note_times(index, times)
    return dict(sorted(found.items()))


def _other_content(folder: Path, shard: ShardFile) -> str:
    """Say so if a shard's content is not what was written."""
    try:
        with (folder / shard.name).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return f"it cannot be read, {error.strerror}"
    return "" if digest == shard.sha256 else "its content has changed"
