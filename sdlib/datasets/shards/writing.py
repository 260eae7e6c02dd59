"""Writing shards: plain tar files in WebDataset's form, each whole or not there."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sdlib.checks import check_number
from sdlib.datasets.shards.notes import (
    NAME,
    ShardNote,
    StoredTile,
    columns_of,
    finished_note,
    note_file,
    shard_file,
    write_note,
)
from sdlib.datasets.shards.tile import QUALITY, DeferredTile, ShardTile, encode_tile
from sdlib.errors import ConfigError, DataError
from sdlib.files import atomic_path

__all__ = ["SHARD_BYTES", "SHARD_TILES", "ShardWriter"]

#: A shard is at most this large: small enough to copy, and to write again after a fault.
SHARD_TILES = 8192
SHARD_BYTES = 1 << 29
LEAST_BYTES = 1 << 16  # a smaller limit would hold no tile

AnyTile = ShardTile | DeferredTile

BLOCK = tarfile.BLOCKSIZE
END_BYTES = 2 * BLOCK + tarfile.RECORDSIZE  # the most that tar adds at the end of a file


@dataclass(frozen=True)
class ShardWriter:
    """Writes tiles to the shards ``NAME-000000.tar``, ``NAME-000001.tar``, ... of a folder.

    Each tile is two members, ``KEY.jpg`` and ``KEY.json`` (target, group, factors), one after the
    other, so that `webdataset` reads the files as they are. Beside each shard is a small
    ``NAME-000000.npz`` that says where its tiles are and what the file's SHA-256 is.

    A shard appears under its name when it is whole. A killed writer that is started again with
    the same tiles passes over those of finished shards without encoding them.

    Parameters
    ----------
    folder : pathlib.Path
        Where shards go; it is made if it is missing.
    name : str
        First part of the files' names, of the characters of a key.
    max_tiles : int
        Tiles per shard, at most.
    max_bytes : int
        Size of a shard in bytes, at most; 65,536 or more.
    quality : int
        Quality of the JPEG, 1 to 100, with colour at full resolution.

    Raises
    ------
    ConfigError
        If a value is out of its range.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> folder = Path(tempfile.mkdtemp())
    >>> image = np.zeros((8, 8, 3), np.uint8)
    >>> writer = ShardWriter(folder, max_tiles=2)
    >>> writer.write(ShardTile(f"t{k}", image, k % 2, "patient") for k in range(3))
    3
    >>> sorted(file.name for file in folder.glob("*.tar"))
    ['tiles-000000.tar', 'tiles-000001.tar']
    """

    folder: Path
    name: str = "tiles"
    max_tiles: int = SHARD_TILES
    max_bytes: int = SHARD_BYTES
    quality: int = QUALITY

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ConfigError(
                f"expected a name of letters, digits, _ and - for shards, got {self.name!r}"
            )
        check_number("max_tiles", self.max_tiles, 1, whole=True)
        check_number("max_bytes", self.max_bytes, LEAST_BYTES, whole=True)
        check_number("quality", self.quality, 1, 100, whole=True)
        object.__setattr__(self, "folder", Path(self.folder))

    @property
    def settings(self) -> dict[str, int]:
        """What decides, with the tiles, which bytes are written."""
        return {
            "max_tiles": self.max_tiles,
            "max_bytes": self.max_bytes,
            "quality": self.quality,
        }

    def write(self, tiles: Iterable[AnyTile]) -> int:
        """Write all tiles; those of shards that are there already are only compared by key.

        Parameters
        ----------
        tiles : iterable of ShardTile or DeferredTile
            All of one size, with the same factors, and in the same order whenever they are
            written again.

        Returns
        -------
        int
            How many tiles the shards hold, the earlier ones included.

        Raises
        ------
        DataError
            If a tile cannot be stored, or finished shards hold other tiles or were written with
            other settings.
        SdlibError
            If the disk is full or the like; shards that were finished remain.
        """
        source = iter(tiles)
        pending = next(source, None)
        first: ShardNote | None = None
        total = number = 0
        while pending is not None:
            note = self._finished(number)
            if note is not None:
                pending = self._pass_over(note, number, pending, source)
            else:
                note, pending = self._write_shard(number, pending, source, first)
            first = first or note
            total += len(note.keys)
            number += 1
        if self._finished(number) is not None:
            raise DataError(
                f"{self._file(number)} holds more tiles than there are now to write: choose "
                "another folder, or remove the shards"
            )
        return total

    def _file(self, number: int) -> Path:
        return shard_file(self.folder, self.name, number)

    def _finished(self, number: int) -> ShardNote | None:
        """What a finished shard holds; None where there is none or its file is not whole."""
        file = self._file(number)
        note = finished_note(file)
        if note is None:
            return None
        if note.settings != self.settings:
            raise DataError(
                f"{file} was written with {_words(note.settings)}, expected "
                f"{_words(self.settings)}: choose another folder, or remove the shards"
            )
        return note

    def _pass_over(
        self, note: ShardNote, number: int, pending: AnyTile | None, source: Iterator[AnyTile]
    ) -> AnyTile | None:
        """The first tile after those of a finished shard."""
        for key in note.keys:
            if pending is None or pending.key != key:
                found = "no tile" if pending is None else pending.key
                raise DataError(
                    f"{self._file(number)} holds the tile {key} where now {found} is to be "
                    "written: choose another folder, or remove the shards"
                )
            pending = next(source, None)
        return pending

    def _write_shard(
        self,
        number: int,
        pending: AnyTile,
        source: Iterator[AnyTile],
        first: ShardNote | None,
    ) -> tuple[ShardNote, AnyTile | None]:
        """Write tiles until the shard is full; return its note and the first tile left."""
        file = self._file(number)
        with atomic_path(file) as temporary:
            with temporary.open("wb") as stream:
                side = first.size if first else None
                stored, side, left = self._fill(stream, pending, source, side)
            with temporary.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            state = temporary.stat()
            note = ShardNote(
                keys=[tile.key for tile in stored],
                columns=columns_of(stored),
                bytes=state.st_size,
                modified_ns=state.st_mtime_ns,
                sha256=digest,
                size=side,
                settings=self.settings,
            )
            _check_note(note, first, file)
        # The note is last: a shard without one is not finished, and is written again.
        write_note(note_file(file), note)
        return note, left

    def _fill(
        self,
        stream: BinaryIO,
        pending: AnyTile,
        source: Iterator[AnyTile],
        side: int | None,
    ) -> tuple[list[StoredTile], int, AnyTile | None]:
        """Write the members of a shard; return its tiles, their side and the first tile left."""
        stored: list[StoredTile] = []
        left: AnyTile | None = pending
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            while left is not None and len(stored) < self.max_tiles:
                tile = _made(left)
                jpeg, size, text = encode_tile(tile, self.quality)
                side = side or size
                if size != side:
                    raise DataError(
                        f"expected tiles of {side} px as before, got {size} px for the tile "
                        f"{tile.key}: cut or resize them to one size"
                    )
                length = _member_bytes(jpeg) + _member_bytes(text)
                if stream.tell() + length + END_BYTES > self.max_bytes:
                    break
                offset = stream.tell() + BLOCK
                _add(tar, f"{tile.key}.jpg", jpeg)
                _add(tar, f"{tile.key}.json", text)
                # The image itself is not kept: a shard's images would fill the memory.
                place = (tile.key, offset, len(jpeg), zlib.crc32(jpeg))
                stored.append(StoredTile(*place, tile.target, tile.group, tile.factors))
                left = next(source, None)
        if not stored:
            raise DataError(
                f"the tile {pending.key} alone is larger than a shard may be ({self.max_bytes} "
                "bytes): allow larger shards"
            )
        return stored, side, left


def _made(tile: AnyTile) -> ShardTile:
    """The tile itself."""
    if isinstance(tile, ShardTile):
        return tile
    made = tile.make()
    if made.key != tile.key:
        raise DataError(f"expected a deferred tile to make the tile {tile.key}, got {made.key}")
    return made


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a member without owner and time, so that the same tiles make the same file."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _member_bytes(content: bytes) -> int:
    """What a member takes in the file: a block of header, and its content in whole blocks."""
    return BLOCK + -(-len(content) // BLOCK) * BLOCK


def _check_note(note: ShardNote, first: ShardNote | None, file: Path) -> None:
    """Check that keys are unlike, and factors those of the first shard."""
    if len(set(note.keys)) < len(note.keys):
        key = max(note.keys, key=note.keys.count)
        raise DataError(f"expected each key once in a shard, got {key} again: rename the tile")
    if first and note.kinds != first.kinds:
        raise DataError(
            f"expected the factors {_words(first.kinds)} as in the first shard, got "
            f"{_words(note.kinds)} in {file}: give every tile the same factors"
        )


def _words(values: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "none"
