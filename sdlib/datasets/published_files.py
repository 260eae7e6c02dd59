"""The registry of public files: where they are, how large, under which hash and licence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pooch

from sdlib.datasets.file_paths import inside_paths
from sdlib.datasets.repositories import Repository, git_hash, repositories
from sdlib.datasets.table import read_table
from sdlib.datasets.unpacking import is_archive
from sdlib.errors import ConfigError, DataError

__all__ = ["PublishedFile", "published_files"]

COLUMNS = ("dataset", "file", "url")
MD5 = re.compile("[0-9a-f]{32}")
MARGIN = 1.5  # an approximate size may be wrong by half


@dataclass(frozen=True)
class PublishedFile:
    """A file of a public data set.

    Parameters
    ----------
    file : str
        Its path in the data set's folder.
    url : str
        Its address; where ``steps`` are given, the page that they begin with.
    md5 : str
        Its published hash; empty where none is known.
    size : int, optional
        In bytes, where it is known exactly.
    about : int, optional
        In bytes, where it is known roughly.
    unpacked : int, optional
        What its files have in bytes, roughly; only of an archive that is to be unpacked.
    licence : str
        The data set's.
    steps : tuple of str
        What must be done by hand, where a file is behind a registration.
    git_sha1 : str
        The hash under which Git keeps it, where it is from a repository.
    """

    file: str
    url: str
    md5: str = ""
    size: int | None = None
    about: int | None = None
    unpacked: int | None = None
    licence: str = ""
    steps: tuple[str, ...] = ()
    git_sha1: str = ""

    @property
    def has_hash(self) -> bool:
        """Whether its content can be checked.

        >>> PublishedFile("a.zip", "https://a.org/a.zip", md5="0" * 32).has_hash
        True
        """
        return bool(self.md5 or self.git_sha1)

    def fits(self, path: Path) -> bool:
        """Whether a file has the published hash, of which there must be one."""
        if self.md5:
            return pooch.file_hash(str(path), "md5") == self.md5
        return git_hash(path) == self.git_sha1

    @property
    def expected(self) -> int:
        """Bytes to download, as far as they are known.

        >>> PublishedFile("a.zip", "https://a.org/a.zip", about=10).expected
        10
        """
        return self.size or self.about or 0

    @property
    def most(self) -> int | None:
        """The most bytes that are taken for this file; None where its size is not known at all.

        >>> PublishedFile("a.zip", "https://a.org/a.zip", about=10).most
        15
        """
        return int(self.about * MARGIN) if self.about else None

    @property
    def most_unpacked(self) -> int:
        """The most bytes that are unpacked of it; 0 of a file that is not to be unpacked.

        >>> PublishedFile("a.zip", "https://a.org/a.zip", unpacked=20).most_unpacked
        30
        """
        return int((self.unpacked or 0) * MARGIN)


def published_files(name: str, registry: Path) -> list[PublishedFile]:
    """The files of a data set, as the registry lists them.

    Parameters
    ----------
    name : str
        The data set.
    registry : pathlib.Path
        CSV file with the columns dataset, file and url, and perhaps bytes, about, unpacked, md5,
        licence and by_hand (steps, separated by semicolons), each of which may be empty. The
        tables of :mod:`~sdlib.datasets.repositories` beside it are a part of it.

    Returns
    -------
    list of PublishedFile
        At least one.

    Raises
    ------
    ConfigError
        If the registry has no such data set.
    DataError
        If the registry is not a table, or a path leads out of the folder, or a size or hash is
        none.

    Examples
    --------
    >>> from sdlib.paths import data_folder
    >>> [one.file for one in published_files("peso", data_folder() / "registry.csv")]
    ['peso_testset_mapping.csv', 'peso_testset_png.zip']
    """
    table = read_table(registry, COLUMNS)
    of_repositories = repositories(registry.parent)
    known = sorted({*table["dataset"], *of_repositories})
    if name not in known:
        raise ConfigError(f"expected a data set of {', '.join(known)}, got {name!r}")
    table = table[table["dataset"] == name].copy()
    table["file"] = inside_paths(table["file"].items(), str(registry), "the data set's folder")
    files = [_published(row, f"row {number} of {registry}") for number, row in table.iterrows()]
    if name in of_repositories:
        files += _of_repository(of_repositories[name])
    return files


def _of_repository(repository: Repository) -> list[PublishedFile]:
    """The files of a repository."""
    files = []
    for number, row in repository.files().iterrows():
        size = _bytes(row, "bytes", f"row {number} of {repository.list}")
        licence, sha1 = repository.licence, row["git_sha1"]
        files.append(
            PublishedFile(row["file"], row["url"], size=size, licence=licence, git_sha1=sha1)
        )
    return files


def _published(row: pd.Series, place: str) -> PublishedFile:
    """One row of the registry."""
    md5 = row.get("md5", "").lower()
    if md5 and not MD5.fullmatch(md5):
        raise DataError(
            f"expected md5 to be 32 hexadecimal digits, got {row['md5']} in {place}: correct it, "
            f"or leave it empty"
        )
    size, about, unpacked = (_bytes(row, name, place) for name in ("bytes", "about", "unpacked"))
    if unpacked and not is_archive(row["file"]):
        raise DataError(
            f"expected a .zip, .tar.gz or .tgz archive to unpack, got {row['file']} in {place}: "
            f"leave its column unpacked empty"
        )
    steps = tuple(filter(None, map(str.strip, row.get("by_hand", "").split(";"))))
    return PublishedFile(
        row["file"], row["url"], md5, size, about, unpacked, row.get("licence", ""), steps
    )


def _bytes(row: pd.Series, column: str, place: str) -> int | None:
    """A number of bytes, None where the registry gives none."""
    size = row.get(column, "")
    if not size:
        return None
    if not (size.isascii() and size.isdigit() and int(size)):
        raise DataError(
            f"expected {column} to be a whole number above 0, got {size} in {place}: "
            f"correct it, or leave it empty"
        )
    return int(size)
