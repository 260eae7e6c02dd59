"""Reading tiles out of shards, in any order, by position."""

from __future__ import annotations

import logging
import os
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Literal

import numpy as np
import simplejpeg

from sdlib.datasets.shards.damage import damaged_shards
from sdlib.datasets.shards.index import ShardIndex, read_index
from sdlib.datasets.shards.tile import UNLABELLED
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError

__all__ = ["ShardStore", "check_shards", "open_shards"]

NAMED = 5  # damaged shards are named up to this number
OPEN_FILES = 256  # a quarter of what most systems allow a process
log = logging.getLogger(__name__)


class _OpenFile:
    """A file descriptor that is closed when nobody holds it any more."""

    def __init__(self, file: Path) -> None:
        self.descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


class ShardStore:
    """The images of a set of shards, an :class:`~sdlib.datasets.image_stores.ImageStore`.

    Each image is read by its position, checked by its CRC-32 and decoded, so that any order of
    reading costs the same. Reading by position moves no cursor: threads and forked processes may
    share open files. A pickled store opens its files again where it is unpickled.

    Parameters
    ----------
    index : ShardIndex
        What :func:`~sdlib.datasets.shards.read_index` returns.

    Examples
    --------
    >>> import tempfile
    >>> from sdlib.datasets.shards import ShardTile, ShardWriter, write_index
    >>> folder = tempfile.mkdtemp()
    >>> white = np.full((8, 8, 3), 255, np.uint8)
    >>> _ = ShardWriter(folder).write([ShardTile("a", white, 1, "patient")])
    >>> ShardStore(write_index(folder)).batch(np.array([0, 0])).min()
    np.uint8(255)
    """

    def __init__(self, index: ShardIndex) -> None:
        self.index = index
        self._files: OrderedDict[int, _OpenFile] = OrderedDict()

    def __len__(self) -> int:
        return len(self.index)

    @property
    def size(self) -> int:
        """Side of an image in pixels."""
        return self.index.size

    def batch(self, rows: np.ndarray) -> np.ndarray:
        """Read and decode images; see :meth:`~sdlib.datasets.image_stores.ImageStore.batch`.

        Parameters
        ----------
        rows : numpy.ndarray
            intp, shape ``(n,)``: numbers of tiles in the index.

        Returns
        -------
        numpy.ndarray
            uint8, shape ``(n, S, S, 3)``, a new array.

        Raises
        ------
        DataError
            If bytes are not those that were written; the sentence names the shard.
        """
        images = np.empty((len(rows), self.size, self.size, 3), np.uint8)
        for image, place in zip(images, self.index.place[rows].tolist(), strict=True):
            shard, length, offset, crc32 = place
            data = self._read(shard, length, offset)
            if zlib.crc32(data) != crc32:
                raise self._damage(shard, f"other bytes than were written at byte {offset}")
            # Decoded in place: a batch is written to memory once.
            simplejpeg.decode_jpeg(data, "RGB", buffer=image)
        return images

    def _read(self, shard: int, length: int, offset: int) -> bytes:
        """Bytes of a shard; fewer than wanted where it ends too early."""
        try:
            file = self._files.get(shard) or self._open(shard)
            return os.pread(file.descriptor, length, offset)
        except OSError as error:
            raise self._damage(shard, f"it cannot be read, {error.strerror}") from error

    def _open(self, shard: int) -> _OpenFile:
        """Open a shard; the one that was opened first makes room."""
        file = _OpenFile(self.index.folder / self.index.shards[shard].name)
        self._files[shard] = file
        if len(self._files) > OPEN_FILES:
            # A thread that is reading it keeps it open until it has finished.
            self._files.popitem(last=False)
        return file

    def _damage(self, shard: int, why: str) -> DataError:
        file = self.index.folder / self.index.shards[shard].name
        return DataError(
            f"{file} is damaged ({why}): copy it again or write it again, or open the set with "
            'damaged="skip" and verify=True to go on without it'
        )

    def __reduce__(self) -> tuple:
        return _open_again, (str(self.index.folder), self.index.columns)


def _open_again(folder: str, columns: str) -> ShardStore:
    """The store of an index that another process has opened."""
    index = read_index(folder)
    if index.columns != columns:
        raise DataError(
            f"the index of {folder} has changed since the set was opened: open it again"
        )
    return ShardStore(index)


def open_shards(
    folder: str | os.PathLike[str],
    damaged: Literal["refuse", "skip"] = "refuse",
    verify: bool = False,
    unlabelled: int | None = None,
) -> TileSet:
    """Open a folder of shards as a set of tiles.

    A shard's size and time are compared with the index. Where the time differs, as after copying,
    its SHA-256 is computed; if that is right, the new time is noted, so that it is computed once.
    Bytes that change later are noticed when a tile is read.

    Parameters
    ----------
    folder : path
        Where the shards and their index are.
    damaged : {"refuse", "skip"}
        What to do with shards that are missing, cut short or changed: raise an error that names
        them, or leave out their tiles and log how many.
    verify : bool
        Whether the hash of every shard is computed, whatever its time.
    unlabelled : int, optional
        The target of tiles that have none, 0 or 1; without it they are refused.

    Returns
    -------
    TileSet
        Tiles are in the order in which they were written. Each is there once, so that an epoch
        over :class:`~sdlib.training.batches.Batches` reads each once, on however many devices.
        PyTorch's ``DistributedSampler`` repeats up to ``devices - 1`` of them, to give every
        device the same number.

    Raises
    ------
    ConfigError
        If ``damaged`` is another word.
    DataError
        If there is no index, shards are damaged, or no tile is left.

    Examples
    --------
    >>> import tempfile
    >>> from sdlib.datasets.shards import ShardTile, ShardWriter, write_index
    >>> folder = tempfile.mkdtemp()
    >>> tile = ShardTile("a", np.zeros((8, 8, 3), np.uint8), 1, "patient")
    >>> _ = ShardWriter(folder).write([tile])
    >>> _ = write_index(folder)
    >>> open_shards(folder)
    <TileSet: 1 tiles, 8 x 8 px, 0 benign, 1 cancer>
    """
    if damaged not in ("refuse", "skip"):
        raise ConfigError(f"expected damaged to be refuse or skip, got {damaged!r}")
    index = read_index(folder)
    found = damaged_shards(index, verify)
    left_out = sum(index.shards[number].tiles for number in found)
    if found and damaged == "refuse":
        raise DataError(
            f"{_named(index, found)} in {folder}: copy or write them again, or leave out their "
            f'{left_out} of {len(index)} tiles with damaged="skip"'
        )
    targets = _targets(index, unlabelled)
    tiles = TileSet(ShardStore(index), targets, index.groups, index.factors)
    if not found:
        return tiles
    log.warning(
        "left out %d of %d tiles: %s in %s", left_out, len(index), _named(index, found), folder
    )
    whole = ~np.isin(index.place["shard"], list(found))
    if not whole.any():
        raise DataError(f"expected at least one whole shard in {folder}, got none: copy it again")
    return tiles.subset(whole)


def check_shards(folder: str | os.PathLike[str]) -> str:
    """Compare every shard of a folder with its hash, and count.

    Parameters
    ----------
    folder : path
        Where the shards and their index are.

    Returns
    -------
    str
        How many tiles of how many groups there are, in how many shards.

    Raises
    ------
    DataError
        If there is no index, or shards are damaged; the sentence names them.

    Examples
    --------
    >>> import tempfile
    >>> from sdlib.datasets.shards import ShardTile, ShardWriter, write_index
    >>> folder = tempfile.mkdtemp()
    >>> tile = ShardTile("a", np.zeros((8, 8, 3), np.uint8), 1, "patient")
    >>> _ = ShardWriter(folder).write([tile])
    >>> _ = write_index(folder)
    >>> check_shards(folder)
    '1 tiles of 8 px, 1 of cancer, 0 without a label, in 1 groups and 1 shards: ready to use'
    """
    open_shards(folder, verify=True, unlabelled=0)
    index = read_index(folder)
    cancer, unlabelled = (np.count_nonzero(index.targets == value) for value in (1, UNLABELLED))
    return (
        f"{len(index)} tiles of {index.size} px, {cancer} of cancer, {unlabelled} without a label, "
        f"in {len(np.unique(index.groups))} groups and {len(index.shards)} shards: ready to use"
    )


def _targets(index: ShardIndex, unlabelled: int | None) -> np.ndarray:
    """The targets, with those of unlabelled tiles filled in."""
    unknown = index.targets == UNLABELLED
    if not unknown.any():
        return index.targets
    if unlabelled is None:
        raise DataError(
            f"{np.count_nonzero(unknown)} of {len(index)} tiles in {index.folder} have no label: "
            "write them with masks, or open the set with unlabelled=0 if it is only predicted on"
        )
    return np.where(unknown, unlabelled, index.targets)


def _named(index: ShardIndex, found: dict[int, str]) -> str:
    """Damaged shards by name, and what is wrong with them."""
    some = [f"{index.shards[number].name} ({why})" for number, why in list(found.items())[:NAMED]]
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return f"{len(found)} of {len(index.shards)} shards damaged, {', '.join(some)}{more}"
