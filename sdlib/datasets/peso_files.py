"""The images of PESO's regions: in a folder, or in the archive as it was downloaded."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np

from sdlib.datasets.images import decode_image, read_image
from sdlib.errors import DataError

__all__ = ["Regions", "open_regions"]

ARCHIVE = "peso_testset_png.zip"
UNPACKED = "peso_testset_png"
SUFFIXES = (".png", ".jpg", ".jpeg")
MOST_BYTES = 1 << 26  # of one image: 2500 x 2500 px are 19 MB without any compression
# What zipfile raises on broken archives.
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


class Regions(Protocol):
    """The images of all regions, by id."""

    @property
    def stamps(self) -> list[object]:
        """Values that change with the files."""

    def read(self, region: str) -> tuple[np.ndarray, str]:
        """Decode a region: uint8 ``(H, W, 3)``; and name its file for errors."""


@contextmanager
def open_regions(folder: Path, ids: Iterable[str], hint: str) -> Iterator[Regions]:
    """Find the image of every region: unpacked in the folder, or else in the archive.

    Parameters
    ----------
    folder : pathlib.Path
        The folder of the files.
    ids : iterable of str
        The regions.
    hint : str
        How to get the files; errors end with it.

    Yields
    ------
    Regions
        To be read inside the block.

    Raises
    ------
    DataError
        If there is neither archive nor image, or the image of a region is missing or there twice.
    """
    for place in (folder / UNPACKED / UNPACKED, folder / UNPACKED, folder):
        names = os.listdir(place) if place.is_dir() else []
        found = _by_id(names, place, hint)
        # One of them is enough to say that the archive has been unpacked here.
        if found:
            _check_all(found, ids, place, hint)
            yield _Folder(place, found)
            return
    path = folder / ARCHIVE
    if not path.is_file():
        raise DataError(f"expected {ARCHIVE} or its images in {folder}, found neither. {hint}")
    try:
        archive = zipfile.ZipFile(path)
    except (*BROKEN, OSError) as error:
        raise DataError(f"{path} is not a readable archive ({error}): fetch it again") from error
    with archive:
        found = _by_id(archive.namelist(), path, hint)
        _check_all(found, ids, path, hint)
        yield _Archive(archive, path, found)


def _by_id(names: Iterable[str], place: Path, hint: str) -> dict[str, str]:
    """The image of each region among the names of files; Mac OS adds others, which begin with ._"""
    found: dict[str, str] = {}
    for name in names:
        path = PurePosixPath(name)
        if path.suffix.lower() not in SUFFIXES or not path.stem.isdigit():
            continue
        if path.stem in found:
            raise DataError(
                f"expected one image of region {path.stem} in {place}, got {found[path.stem]} and "
                f"{name}: remove one. {hint}"
            )
        found[path.stem] = name
    return found


def _check_all(found: dict[str, str], ids: Iterable[str], place: Path, hint: str) -> None:
    """Check that no region lacks its image."""
    wanted = list(ids)
    missing = [region for region in wanted if region not in found]
    if missing:
        raise DataError(
            f"expected {missing[0]}.png (or .jpg) in {place}, found none, and so for "
            f"{len(missing)} of {len(wanted)} regions. {hint}"
        )


class _Folder:
    """Images as files of a folder."""

    def __init__(self, folder: Path, files: dict[str, str]) -> None:
        self._folder, self._files = folder, files

    @property
    def stamps(self) -> list[object]:
        states = {file: (self._folder / file).stat() for file in sorted(self._files.values())}
        return [(file, s.st_size, s.st_mtime_ns) for file, s in states.items()]

    def read(self, region: str) -> tuple[np.ndarray, str]:
        path = self._folder / self._files[region]
        return read_image(path), f"{path}"


class _Archive:
    """Images as members of a zip archive."""

    def __init__(self, archive: zipfile.ZipFile, path: Path, members: dict[str, str]) -> None:
        self._archive, self._path, self._members = archive, path, members

    @property
    def stamps(self) -> list[object]:
        state = self._path.stat()
        return [state.st_size, state.st_mtime_ns]

    def read(self, region: str) -> tuple[np.ndarray, str]:
        member = self._archive.getinfo(self._members[region])
        name = f"{member.filename} in {self._path}"
        if member.file_size > MOST_BYTES:
            raise DataError(
                f"expected at most {MOST_BYTES} bytes of {name}, got {member.file_size}: fetch the "
                f"archive again"
            )
        try:
            content = self._archive.read(member)
        except (*BROKEN, OSError) as error:
            raise DataError(f"{name} is damaged ({error}): fetch the archive again") from error
        return decode_image(content, name), name
