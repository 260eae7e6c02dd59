"""The note beside each shard: where its tiles are, what is known of them, and its SHA-256."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sdlib.datasets.shards.tile import UNLABELLED
from sdlib.errors import DataError
from sdlib.files import atomic_path, check_entries, if_whole, read_arrays

__all__ = [
    "NAME",
    "ShardNote",
    "StoredTile",
    "columns_of",
    "finished_note",
    "note_file",
    "read_note",
    "shard_file",
    "write_note",
]

#: What the files of a set are named: letters, digits, _ and -.
NAME = re.compile(r"[A-Za-z0-9_-]{1,90}")
FACTOR = "factor."  # begins the names of columns of factors

ENTRIES = {
    "bytes": int,
    "modified_ns": int,
    "sha256": str,
    "size": int,
    "settings": dict,
}
AGAIN = "write the shards again, which keeps those that are finished"


class StoredTile(NamedTuple):
    """What is kept of a tile once its bytes are in a shard."""

    key: str
    offset: int
    length: int
    crc32: int
    target: int | None
    group: str
    factors: dict[str, Any]


@dataclass(frozen=True, eq=False)
class ShardNote:
    """What there is in a shard.

    Parameters
    ----------
    keys : list of str
        Keys of its tiles, in the order of the file.
    columns : dict of str to numpy.ndarray
        ``offset`` int64 and ``length`` int32 of each image in bytes, its ``crc32`` uint32,
        ``target`` int64, ``group`` str, and ``factor.NAME``; shape ``(n,)`` each.
    bytes, modified_ns : int
        Size of the file, and when it was written, in nanoseconds.
    sha256 : str
        Hash of the file.
    size : int
        Side of a tile in pixels.
    settings : dict of str to int
        What the writer was told.
    """

    keys: list[str]
    columns: dict[str, np.ndarray]
    bytes: int
    modified_ns: int
    sha256: str
    size: int
    settings: dict[str, int]

    @property
    def kinds(self) -> dict[str, str]:
        """NumPy's letter for the kind of each factor: b, i, f or U."""
        return {
            name.removeprefix(FACTOR): column.dtype.kind
            for name, column in self.columns.items()
            if name.startswith(FACTOR)
        }


def shard_file(folder: Path, name: str, number: int) -> Path:
    """The file of a shard.

    >>> shard_file(Path("out"), "tiles", 3).as_posix()
    'out/tiles-000003.tar'
    """
    return folder / f"{name}-{number:06d}.tar"


def note_file(shard: Path) -> Path:
    """The file of a shard's note, beside it.

    >>> note_file(Path("tiles-000003.tar")).name
    'tiles-000003.npz'
    """
    return shard.with_suffix(".npz")


def columns_of(tiles: Sequence[StoredTile]) -> dict[str, np.ndarray]:
    """Put what is known of a shard's tiles into columns.

    Parameters
    ----------
    tiles : sequence of StoredTile
        At least one.

    Returns
    -------
    dict of str to numpy.ndarray
        As :class:`ShardNote` has them.

    Raises
    ------
    DataError
        If a tile has other factors than the first, or factors of another type.
    """
    targets = [UNLABELLED if tile.target is None else tile.target for tile in tiles]
    columns = {
        "offset": np.array([tile.offset for tile in tiles], np.int64),
        "length": np.array([tile.length for tile in tiles], np.int32),
        "crc32": np.array([tile.crc32 for tile in tiles], np.uint32),
        "target": np.array(targets, np.int64),
        "group": np.array([tile.group for tile in tiles]),
    }
    first = tiles[0]
    types = {name: type(value) for name, value in first.factors.items()}
    for tile in tiles:
        found = {name: type(value) for name, value in tile.factors.items()}
        if found != types:
            raise DataError(
                f"expected the factors {_words(types)} as in the tile {first.key}, got "
                f"{_words(found)} in {tile.key}: give every tile the same factors"
            )
    for name in types:
        columns[FACTOR + name] = np.array([tile.factors[name] for tile in tiles])
    return columns


def _words(types: dict[str, type]) -> str:
    return ", ".join(f"{name} ({kind.__name__})" for name, kind in types.items()) or "none"


def write_note(file: Path, note: ShardNote) -> None:
    """Write a shard's note, in one step.

    Raises
    ------
    SdlibError
        If the file cannot be written.
    """
    known = json.dumps({name: getattr(note, name) for name in ENTRIES})
    with atomic_path(file) as temporary:
        np.savez_compressed(temporary, known=known, keys=np.array(note.keys, "S"), **note.columns)


def read_note(shard: Path) -> ShardNote:
    """Read the note of a shard.

    Parameters
    ----------
    shard : pathlib.Path
        The shard; the note is beside it.

    Raises
    ------
    DamagedError
        If the note is not there or not whole.
    DataError
        If it cannot be read.
    """
    return _note_of(read_arrays(note_file(shard), _check, AGAIN))


def finished_note(shard: Path) -> ShardNote | None:
    """The note of a shard that is finished; None if the shard or its note is not whole.

    Of the shard itself only the size is compared.

    Parameters
    ----------
    shard : pathlib.Path
        The shard.

    Raises
    ------
    DataError
        If the note is there and cannot be read.
    """
    arrays = if_whole(read_arrays, note_file(shard), _check)
    if arrays is None:
        return None
    note = _note_of(arrays)
    whole = shard.is_file() and shard.stat().st_size == note.bytes
    return note if whole else None


def _note_of(arrays: dict[str, np.ndarray]) -> ShardNote:
    known = json.loads(str(arrays["known"]))
    keys = arrays["keys"].astype(str).tolist()
    columns = {name: array for name, array in arrays.items() if name not in ("known", "keys")}
    return ShardNote(keys=keys, columns=columns, **{name: known[name] for name in ENTRIES})


def _check(arrays: dict[str, np.ndarray]) -> None:
    """Raise a ValueError unless arrays are those of a note."""
    for name in ("known", "keys", "offset", "length", "crc32", "target", "group"):
        if name not in arrays:
            raise ValueError(f"{name} is missing")
    check_entries(json.loads(str(arrays["known"])), ENTRIES)
    lengths = {name: len(column) for name, column in arrays.items() if name != "known"}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"expected columns of one length, got {lengths}")
