"""The index of a set of shards: which bytes of which file are a tile, and what is known of it.

The index is one folder of NumPy columns, each a file that is mapped into memory: opening a set
of millions of tiles reads next to nothing, and all processes share the pages. ``index.json``
names that folder and is written last, so that the index is the old one or the new one, never a
mixture.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sdlib.datasets.shards.notes import FACTOR, NAME, ShardNote, read_note
from sdlib.datasets.store import fingerprint
from sdlib.errors import DataError
from sdlib.files import atomic_path, check_entries, damaged, read_json, write_json

__all__ = [
    "INDEX_FILE",
    "PLACE",
    "ShardFile",
    "ShardIndex",
    "note_times",
    "read_index",
    "write_index",
]

INDEX_FILE = "index.json"
#: Where a tile's image is: number of its shard, then bytes in it; and the image's checksum.
PLACE = np.dtype([("shard", "<i4"), ("length", "<i4"), ("offset", "<i8"), ("crc32", "<u4")])
DTYPES = {"place": PLACE, "target": np.dtype(np.int64)}

ENTRIES = {"columns": str, "size": int, "tiles": int, "shards": list, "names": list}
SHARD_ENTRIES = {"name": str, "tiles": int, "bytes": int, "modified_ns": int, "sha256": str}
AGAIN = "make the index again with sdlib.datasets.shards.write_index"


@dataclass(frozen=True)
class ShardFile:
    """A shard as the index knows it.

    Parameters
    ----------
    name : str
        Its file's name.
    tiles : int
        How many tiles it holds.
    bytes, modified_ns : int
        Size of the file, and when it was written, in nanoseconds.
    sha256 : str
        Hash of the file.
    """

    name: str
    tiles: int
    bytes: int
    modified_ns: int
    sha256: str


@dataclass(frozen=True, eq=False)
class ShardIndex:
    """An index that has been opened.

    Parameters
    ----------
    folder : pathlib.Path
        Where the shards are.
    columns : str
        Name of the folder of columns in it, which changes with the shards' content.
    size : int
        Side of a tile in pixels.
    shards : tuple of ShardFile
        The shards by number.
    place : numpy.ndarray
        :data:`PLACE`, shape ``(n,)``, mapped from its file like the other columns.
    targets : numpy.ndarray
        int64, shape ``(n,)``: 0 benign, 1 cancer, -1 unknown.
    groups : numpy.ndarray
        str, shape ``(n,)``.
    factors : mapping of str to numpy.ndarray
        Further columns by name.
    """

    folder: Path
    columns: str
    size: int
    shards: tuple[ShardFile, ...]
    place: np.ndarray
    targets: np.ndarray
    groups: np.ndarray
    factors: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.place)


def write_index(folder: str | os.PathLike[str], sets: Sequence[str] | None = None) -> ShardIndex:
    """Make one index of finished shards, from the notes beside them.

    Parameters
    ----------
    folder : path
        Where the shards are.
    sets : sequence of str, optional
        The names that writers were given, in the order in which their tiles are counted; by
        default all that have shards, by name.

    Returns
    -------
    ShardIndex
        The new index.

    Raises
    ------
    DataError
        If there is no finished shard, a note is not whole, or sizes of tiles or kinds of factors
        differ between shards.
    SdlibError
        If the index cannot be written; an index that was there before remains.

    Examples
    --------
    >>> import tempfile
    >>> from sdlib.datasets.shards import ShardTile, ShardWriter
    >>> folder = tempfile.mkdtemp()
    >>> tile = ShardTile("a", np.zeros((8, 8, 3), np.uint8), 1, "patient")
    >>> _ = ShardWriter(folder).write([tile])
    >>> index = write_index(folder)
    >>> len(index), index.size, index.groups[0]
    (1, 8, np.str_('patient'))
    """
    folder = Path(folder)
    files = _shard_files(folder, sets)
    # Notes are read twice, so that those of millions of tiles are never in memory together.
    shards, first, dtypes = [], None, {}
    for file in files:
        note = read_note(file)
        first = first or note
        _check_alike(note, first, file, files[0])
        shards.append(
            ShardFile(file.name, len(note.keys), note.bytes, note.modified_ns, note.sha256)
        )
        for name, column in _columns(note, 0).items():
            dtypes[name] = np.promote_types(dtypes.get(name, column.dtype), column.dtype)
    columns = f"index-{fingerprint((shard.name, shard.sha256) for shard in shards)}"
    _write_columns(folder / columns, files, dtypes, sum(shard.tiles for shard in shards))
    _write_file(folder, columns, first.size, list(dtypes), shards)
    for other in folder.glob("index-*"):
        if other.name != columns and other.is_dir():
            shutil.rmtree(other, ignore_errors=True)
    return read_index(folder)


def note_times(index: ShardIndex, times: Mapping[int, int]) -> None:
    """Note when shards were written, after copying has changed it and not their content.

    Parameters
    ----------
    index : ShardIndex
        The index, whose file is written again.
    times : mapping of int to int
        The new times by number of the shard, in nanoseconds.

    Raises
    ------
    SdlibError
        If the file cannot be written.
    """
    shards = list(index.shards)
    for number, time in times.items():
        shards[number] = replace(shards[number], modified_ns=time)
    names = ["place", "target", "group", *(FACTOR + name for name in index.factors)]
    _write_file(index.folder, index.columns, index.size, names, shards)


def _write_file(
    folder: Path, columns: str, size: int, names: list[str], shards: Sequence[ShardFile]
) -> None:
    """Write the file that names the columns and describes the shards."""
    content = {
        "columns": columns,
        "size": size,
        "tiles": sum(shard.tiles for shard in shards),
        "names": names,
        "shards": [vars(shard) for shard in shards],
    }
    write_json(folder / INDEX_FILE, content)


def _shard_files(folder: Path, sets: Sequence[str] | None) -> list[Path]:
    """The shards of sets, set by set."""
    files = sorted(file for file in folder.glob("*-??????.tar") if file.is_file())
    if sets is not None:
        by_set: dict[str, list[Path]] = {}
        for file in files:
            by_set.setdefault(file.stem.rpartition("-")[0], []).append(file)
        files = [file for name in sets for file in by_set.get(name, [])]
    if not files:
        raise DataError(
            f"expected shards such as tiles-000000.tar in {folder}, found none: write them with "
            "sdlib.datasets.shards.ShardWriter or python -m sdlib tile"
        )
    return files


def _check_alike(note: ShardNote, first: ShardNote, file: Path, first_file: Path) -> None:
    """Check that a shard's tiles are like those of the first shard."""
    if note.size != first.size:
        raise DataError(
            f"expected tiles of one size, got {first.size} px in {first_file.name} and {note.size} "
            f"px in {file.name} of {file.parent}: make an index for each size, in a folder each"
        )
    if note.kinds != first.kinds:
        raise DataError(
            f"expected the same factors in every shard, got {first.kinds} in {first_file.name} and "
            f"{note.kinds} in {file.name} of {file.parent}: write them again with the same factors"
        )


def _columns(note: ShardNote, number: int) -> dict[str, np.ndarray]:
    """The columns of the index for one shard."""
    place = np.empty(len(note.keys), PLACE)
    place["shard"] = number
    for name in ("length", "offset", "crc32"):
        place[name] = note.columns[name]
    rest = {
        name: column
        for name, column in note.columns.items()
        if name in ("target", "group") or name.startswith(FACTOR)
    }
    return {"place": place, **rest}


def _write_columns(folder: Path, files: list[Path], dtypes: dict[str, np.dtype], n: int) -> None:
    """Write the columns shard by shard, each as one ``.npy`` file."""
    with ExitStack() as stack:
        streams: dict[str, BinaryIO] = {}
        for name, dtype in dtypes.items():
            temporary = stack.enter_context(atomic_path(folder / f"{name}.npy"))
            streams[name] = stack.enter_context(temporary.open("wb"))
            header = {
                "descr": np.lib.format.dtype_to_descr(dtype),
                "fortran_order": False,
                "shape": (n,),
            }
            np.lib.format.write_array_header_2_0(streams[name], header)
        for number, file in enumerate(files):
            for name, column in _columns(read_note(file), number).items():
                streams[name].write(column.astype(dtypes[name]).tobytes())


def read_index(folder: str | os.PathLike[str]) -> ShardIndex:
    """Open the index of a folder of shards; the shards themselves are not looked at.

    Parameters
    ----------
    folder : path
        Where the shards are.

    Returns
    -------
    ShardIndex
        Its columns are mapped from their files, read-only.

    Raises
    ------
    DataError
        If there is no index, or it is not whole.
    """
    folder = Path(folder)
    file = folder / INDEX_FILE
    found = read_json(file, _check, AGAIN)
    shards = tuple(ShardFile(**shard) for shard in found["shards"])
    columns = {
        name: _mapped(folder / found["columns"] / f"{name}.npy", found["tiles"], DTYPES.get(name))
        for name in found["names"]
    }
    shown = columns["place"]["shard"]
    if len(shown) and not 0 <= shown.min() <= shown.max() < len(shards):
        raise damaged(folder / found["columns"] / "place.npy", "it names no such shards", AGAIN)
    return ShardIndex(
        folder,
        found["columns"],
        found["size"],
        shards,
        columns.pop("place"),
        columns.pop("target"),
        columns.pop("group"),
        {name.removeprefix(FACTOR): column for name, column in columns.items()},
    )


def _mapped(file: Path, n: int, dtype: np.dtype | None) -> np.ndarray:
    """A column, mapped from its file; of any type where ``dtype`` is None."""
    try:
        column = np.load(file, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        reason = str(error).partition("\n")[0]
        raise damaged(file, f"no whole column: {reason}", AGAIN) from error
    if column.shape != (n,) or (dtype is not None and column.dtype != dtype):
        found = f"{column.dtype} {column.shape}"
        raise damaged(file, f"expected {dtype or 'values'} ({n},), got {found}", AGAIN)
    # The plain class: what is chosen from a memory map is not one, though NumPy calls it so.
    return column.view(np.ndarray)


def _check(found: Any) -> None:
    """Raise a ValueError unless an object is what ``index.json`` holds."""
    check_entries(found, ENTRIES)
    for shard in found["shards"]:
        check_entries(shard, SHARD_ENTRIES)
        if set(shard) != set(SHARD_ENTRIES):
            raise ValueError(f"expected {', '.join(SHARD_ENTRIES)} of each shard")
        # An index may come from somebody else: it must not name a file outside its folder.
        if not NAME.fullmatch(shard["name"].removesuffix(".tar")):
            raise ValueError(f"expected the name of a shard, got {shard['name']!r}")
    if not NAME.fullmatch(found["columns"]):
        raise ValueError(f"expected the name of a folder of columns, got {found['columns']!r}")
    for name in found["names"]:
        if not isinstance(name, str) or not NAME.fullmatch(name.removeprefix(FACTOR)):
            raise ValueError(f"expected the name of a column, got {name!r}")
    if not {"place", "target", "group"} <= set(found["names"]):
        raise ValueError("expected the columns place, target and group")
    if sum(shard["tiles"] for shard in found["shards"]) != found["tiles"]:
        raise ValueError("the shards' tiles do not add up to all tiles")
