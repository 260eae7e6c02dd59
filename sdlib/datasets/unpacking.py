"""Unpacking archives from elsewhere: all of it or nothing, and nothing but files of its own.

A zip or tar.gz archive may be damaged, or made to do harm. None of its paths may lead out of the
folder or be there twice; links, devices and encrypted members are refused; and it may not be larger
than expected, or than a hundred times its packed size. Its files are written into a hidden folder
beside their final place, and take that place when all are whole.
"""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

from sdlib.datasets.file_paths import tidy_path
from sdlib.errors import ConfigError, DataError, SdlibError
from sdlib.files import cannot_write

__all__ = ["check_zip", "is_archive", "unpack"]

Member = TypeVar("Member")

MOST_FILES = 5_000_000
MOST_RATIO = 100  # bytes unpacked for a byte packed; images and tables stay below 20
MOST_HEADER = 1 << 20  # bytes that a tar archive may use to describe one file
MOST_BEHIND = 1 << 20  # bytes behind the end of a tar archive, which fills its last block
CHUNK_BYTES = 1 << 20
BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile),
    *(NotImplementedError, RuntimeError, UnicodeDecodeError),
)


def is_archive(name: str) -> bool:
    """Whether a file's name says that it can be unpacked here.

    >>> is_archive("a.zip"), is_archive("b.tar.gz"), is_archive("c.h5.gz")
    (True, True, False)
    """
    return name.endswith((".zip", ".tar.gz", ".tgz"))


def unpack(archive: Path, folder: Path, most: int) -> list[str]:
    """Unpack an archive into a folder.

    Parameters
    ----------
    archive : pathlib.Path
        A ``.zip``, ``.tar.gz`` or ``.tgz`` file.
    folder : pathlib.Path
        The folder, which exists.
    most : int
        The most bytes that its files may have together.

    Returns
    -------
    list of str
        The files and folders that are new in ``folder``, sorted.

    Raises
    ------
    ConfigError
        If the archive is of another kind.
    DataError
        If it is damaged, too large, or holds what must not be unpacked. Nothing of it stays
        behind.
    SdlibError
        If the files cannot be written, or something of their names is in the folder already.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with zipfile.ZipFile(folder / "a.zip", "w") as packed:
    ...     packed.writestr("patches/a.txt", "a")
    >>> unpack(folder / "a.zip", folder, most=1000)
    ['patches']
    """
    if not is_archive(archive.name):
        raise ConfigError(f"expected a .zip, .tar.gz or .tgz archive, got {archive.name}")
    write = _write_zip if archive.name.endswith(".zip") else _write_tar
    hidden = folder / f".{archive.name}.unpacking"
    try:
        # What a killed process has left.
        shutil.rmtree(hidden, ignore_errors=True)
        hidden.mkdir()
        with _explained(archive):
            write(archive, hidden, _Limits(archive, most))
        return _move(hidden, folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def check_zip(archive: Path, most: int) -> None:
    """Read every member of a zip archive, and compare it with its own checksum.

    Parameters
    ----------
    archive : pathlib.Path
        The file, which stays as it is.
    most : int
        The most bytes that its files may have together.

    Raises
    ------
    DataError
        As for :func:`unpack`.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.zip"
    >>> with zipfile.ZipFile(path, "w") as packed:
    ...     packed.writestr("a.txt", "a")
    >>> check_zip(path, most=1000)
    """
    with _explained(archive), zipfile.ZipFile(archive) as opened:
        for member in _zip_files(opened, _Limits(archive, most)):
            with opened.open(member) as stream:
                while stream.read(CHUNK_BYTES):
                    pass


class _Limits:
    """Counts what an archive holds, and refuses what must not be unpacked."""

    def __init__(self, archive: Path, most: int) -> None:
        self._archive = archive
        self._most = min(most, MOST_RATIO * archive.stat().st_size)
        self._bytes = 0
        self._seen: set[str] = set()

    def add(self, name: str, size: int) -> str:
        """The tidy path of a file that may be unpacked."""
        path = tidy_path(name)
        if path is None:
            raise self.refuse(f"its file {name!r} would be written outside the folder")
        if path in self._seen:
            raise self.refuse(f"its file {name!r} is in it twice")
        self._seen.add(path)
        self._bytes += size
        if self._bytes > self._most:
            raise self.refuse(
                f"its files have more than the {self._most} bytes that were expected of it"
            )
        if len(self._seen) > MOST_FILES:
            raise self.refuse(f"it has more than {MOST_FILES} files")
        return path

    def refuse(self, why: str) -> DataError:
        """An error to be raised by the caller."""
        return DataError(f"{self._archive} must not be unpacked: {why}; fetch it again")


def _zip_files(opened: zipfile.ZipFile, limits: _Limits) -> list[zipfile.ZipInfo]:
    """The files of an archive, all checked; folders follow from their paths."""
    found = []
    for member in opened.infolist():
        mode = member.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise limits.refuse(f"{member.filename!r} is a link or a device, not a file")
        if member.flag_bits & 1:
            raise limits.refuse(f"{member.filename!r} is encrypted")
        if not member.is_dir():
            limits.add(member.filename, member.file_size)
            found.append(member)
    return found


def _write_zip(archive: Path, folder: Path, limits: _Limits) -> None:
    with zipfile.ZipFile(archive) as opened:
        for member in _progress(_zip_files(opened, limits)):
            path = folder / str(tidy_path(member.filename))
            path.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(member) as source, path.open("xb") as target:
                shutil.copyfileobj(source, target, CHUNK_BYTES)


def _write_tar(archive: Path, folder: Path, limits: _Limits) -> None:
    with gzip.open(archive) as stream:
        with tarfile.open(fileobj=_Headers(stream, limits), mode="r:") as opened:
            for member in _progress(_tar_members(opened)):
                if member.isdir():
                    continue
                if not member.isreg() or member.issparse():
                    raise limits.refuse(f"{member.name!r} is a link or a device, not a file")
                member.name = limits.add(member.name, member.size)
                opened.extract(member, folder, set_attrs=False, filter="data")
        # The checksum at the end of the stream has not been read yet.
        behind = 0
        while chunk := stream.read(CHUNK_BYTES):
            behind += len(chunk)
            if behind > MOST_BEHIND:
                raise limits.refuse("it is damaged in the middle, or goes on behind its end")


def _tar_members(opened: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members one by one; tarfile would keep a kilobyte for each."""
    while (member := opened.next()) is not None:
        yield member
        opened.members.clear()


class _Headers:
    """A stream of which tarfile may read no more at once than a file's description needs."""

    def __init__(self, stream: IO[bytes], limits: _Limits) -> None:
        self._stream, self._limits = stream, limits
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        """At most a megabyte: contents are copied in smaller pieces."""
        if not 0 <= size <= MOST_HEADER:
            raise self._limits.refuse(f"it has a header of {size} bytes")
        return self._stream.read(size)


@contextmanager
def _explained(archive: Path) -> Iterator[None]:
    """Say in a sentence what is wrong with an archive."""
    try:
        yield
    except BROKEN as error:
        raise DataError(f"{archive} is damaged ({error}): fetch it again") from error
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise DataError(
            f"{archive} must not be unpacked: {error.filename} would be a file and something else; "
            f"fetch it again"
        ) from error


def _progress(members: Iterable[Member]) -> Iterable[Member]:
    """The members, with a bar where somebody watches."""
    from tqdm import tqdm

    # None: where the standard error is a terminal.
    return tqdm(members, unit=" files", disable=None)


def _move(hidden: Path, folder: Path) -> list[str]:
    """Move all that was unpacked to its place, or nothing."""
    names = sorted(os.listdir(hidden))
    for name in names:
        if os.path.lexists(folder / name):
            raise SdlibError(
                f"expected nothing of the name {name} in {folder}, where it is to be unpacked: "
                f"move it elsewhere, or remove it"
            )
    moved: list[str] = []
    try:
        for name in names:
            os.rename(hidden / name, folder / name)
            moved.append(name)
    except BaseException:
        for name in moved:
            os.rename(folder / name, hidden / name)
        raise
    return names
