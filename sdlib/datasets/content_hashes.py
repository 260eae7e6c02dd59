"""Hashes of what a folder's files hold, kept on disk: a file is read again when it has changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sdlib.datasets.store import cache_folder, fingerprint
from sdlib.errors import DataError
from sdlib.files import if_whole, read_json, write_json

__all__ = ["Stamp", "content_hashes", "file_stamps"]

#: Size in bytes and time of the last change in nanoseconds.
Stamp = tuple[int, int]


def file_stamps(files: Iterable[tuple[int, str]], folder: Path, place: str) -> tuple[Stamp, ...]:
    """Size and time of change of every file of a table; no file is opened.

    Parameters
    ----------
    files : iterable of (int, str)
        The row number and the path of each file.
    folder : pathlib.Path
        The folder that the paths begin from.
    place : str
        The table, for errors.

    Raises
    ------
    DataError
        At the first file that is not there.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.png").write_text("an image")
    >>> [(size, _)] = file_stamps([(2, "a.png")], folder, "manifest.csv")
    >>> size
    8
    """
    stamps = []
    for number, file in files:
        path = os.path.join(folder, file)
        try:
            found = os.stat(path)
        except OSError as error:
            raise _unreadable(path, number, place, error) from error
        stamps.append((found.st_size, found.st_mtime_ns))
    return tuple(stamps)


def content_hashes(
    files: Iterable[tuple[int, str]],
    folder: Path,
    stamps: Sequence[Stamp],
    place: str,
    cache: str | os.PathLike[str] | None = None,
) -> list[str]:
    """SHA-256 of every file of a table.

    A file is read only if its size or its time of change is not that of the last call.

    Parameters
    ----------
    files, folder, place
        As for :func:`file_stamps`.
    stamps : sequence of tuple
        As :func:`file_stamps` gives them.
    cache : str or os.PathLike, optional
        Folder of the hashes; by default :func:`~sdlib.datasets.store.cache_folder`.

    Raises
    ------
    DataError
        At the first file that cannot be read.
    SdlibError
        The cache cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.png").write_text("an image")
    >>> files = [(2, "a.png")]
    >>> stamps = file_stamps(files, folder, "manifest.csv")
    >>> [found[:12] for found in content_hashes(files, folder, stamps, "manifest.csv", folder)]
    ['a5df3fde7b20']
    """
    name = f"{folder.name}-contents-{fingerprint([str(folder)])}.json"
    kept_in = Path(cache or cache_folder()) / name
    kept = if_whole(read_json, kept_in, _check) or {}

    def look(item: tuple[tuple[int, str], Stamp]) -> list[Any]:
        """Size, time of change and hash of a file."""
        (number, file), stamp = item
        entry = kept.get(file)
        if entry and tuple(entry[:2]) == stamp:
            return entry
        return [*stamp, _sha256(os.path.join(folder, file), number, place)]

    files = list(files)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        entries = list(threads.map(look, zip(files, stamps, strict=True)))
    found = {file: entry for (_, file), entry in zip(files, entries, strict=True)}
    if found != kept:
        write_json(kept_in, found)
    return [entry[2] for entry in entries]


def _sha256(path: str, number: int, place: str) -> str:
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, number, place, error) from error


def _unreadable(path: str, number: int, place: str, error: OSError) -> DataError:
    why = error.strerror or error
    return DataError(f"{path} (row {number} of {place}) cannot be read: {why}")


def _check(kept: Any) -> None:
    """Raise a ValueError unless each file has a size, a time and a hash."""
    if not isinstance(kept, dict):
        raise ValueError("expected an object with the names of files")
    for entry in kept.values():
        if not isinstance(entry, list) or list(map(type, entry)) != [int, int, str]:
            raise ValueError("expected a size, a time and a hash for each file")
