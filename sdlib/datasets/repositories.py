"""Data sets that are files of a Git repository at one commit, each with Git's own hash of it.

An archive that a server packs of a commit has other bytes after every change of its packer; the
files themselves have not. Git names the content of a file by the SHA-1 of a header and the bytes,
so a commit's own listing (``git ls-tree -r -l COMMIT``) is a table of hashes. SHA-1 finds any
damage and any other version; it is no proof against somebody who has prepared two files of one
hash.

``repositories.csv`` has a row per data set: dataset, url (of the folder that the paths begin
from), licence. ``repositories/DATASET.csv`` has one per file: file, bytes (empty where it is not
known), git_sha1.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from sdlib.datasets.file_paths import inside_paths
from sdlib.datasets.table import read_table
from sdlib.errors import DataError

__all__ = ["Repository", "git_hash", "repositories"]

TABLE, LISTS = "repositories.csv", "repositories"
SHA1 = re.compile("[0-9a-f]{40}")
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Repository:
    """A data set in a repository.

    Parameters
    ----------
    url : str
        Of its folder at the commit; ends in a slash.
    licence : str
        The data set's.
    list : pathlib.Path
        The table of its files.
    """

    url: str
    licence: str
    list: Path

    def files(self) -> pd.DataFrame:
        """Its files: columns ``file``, ``url``, ``bytes`` and ``git_sha1``, all text.

        Raises
        ------
        DataError
            If the list is not a table, a path leads out of the folder, or a hash is none.
        """
        table = read_table(self.list, ("file", "git_sha1"), row_of="file")
        table["file"] = inside_paths(table["file"].items(), str(self.list), "the data set's folder")
        for number, sha1 in table["git_sha1"].items():
            if not SHA1.fullmatch(sha1):
                raise DataError(
                    f"expected git_sha1 to be 40 hexadecimal digits, got {sha1} in row {number} "
                    f"of {self.list}: correct it"
                )
        table["url"] = [self.url + quote(file) for file in table["file"]]
        return table


def repositories(folder: Path) -> dict[str, Repository]:
    """The data sets in repositories that a registry's folder lists.

    Parameters
    ----------
    folder : pathlib.Path
        Where ``repositories.csv`` is; it may be absent.

    Returns
    -------
    dict of str to Repository
        By name.

    Raises
    ------
    DataError
        If the table is not one.

    Examples
    --------
    >>> from sdlib.paths import data_folder
    >>> len(repositories(data_folder())["hannover"].files())
    246
    """
    path = folder / TABLE
    if not path.is_file():
        return {}
    table = read_table(path, ("dataset", "url", "licence"), row_of="data set")
    return {
        row["dataset"]: Repository(
            row["url"], row["licence"], folder / LISTS / f"{row['dataset']}.csv"
        )
        for _, row in table.iterrows()
    }


def git_hash(path: str | os.PathLike[str]) -> str:
    """The name under which Git keeps the content of a file.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    str
        40 hexadecimal digits: the SHA-1 of ``blob``, the length, a zero byte and the content.

    Raises
    ------
    OSError
        If it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.txt"
    >>> _ = path.write_bytes(b"hello\\n")
    >>> git_hash(path)
    'ce013625030ba8dba906f756967f9e9ca394464a'
    """
    digest = hashlib.sha1(f"blob {os.path.getsize(path)}\0".encode(), usedforsecurity=False)
    with open(path, "rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
