"""Downloading public data sets: a file is whole and has the published hash, or it is not kept."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pooch

from sdlib.datasets.downloading import download
from sdlib.datasets.file_paths import inside_paths, tidy_path
from sdlib.datasets.table import read_table
from sdlib.errors import ConfigError, DataError
from sdlib.files import cannot_write
from sdlib.paths import data_folder

__all__ = ["fetch"]

COLUMNS = ("dataset", "file", "md5", "url")


def fetch(
    name: str,
    folder: str | os.PathLike[str] | None = None,
    registry: str | os.PathLike[str] | None = None,
) -> Path:
    """Download every file of a data set and check it against its published MD5 hash.

    A file that exists and has the right hash is not downloaded again. A download that was
    interrupted is continued by the next call: until it is whole, its name ends in ``.part``.

    Parameters
    ----------
    name : str
        A data set in the registry, such as ``"pcam"``.
    folder : str or os.PathLike, optional
        Where to put the files; by default the folder ``name`` under the root that ``SDLIB_DATA``
        names, where the loaders look for it.
    registry : str or os.PathLike, optional
        CSV file with the columns dataset, file, md5 and url, and perhaps bytes, the size of the
        file; by default ``data/registry.csv``.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    ConfigError
        If the registry has no such data set.
    DataError
        If no folder is known, a path leads out of it, a server cannot be reached or refuses, or
        a downloaded file has another size or hash.
    SdlibError
        If the files cannot be written, or are too large for the disk.

    Examples
    --------
    >>> fetch("pcam").name  # doctest: +SKIP
    'pcam'
    """
    registry = Path(registry or data_folder() / "registry.csv")
    table = read_table(registry, COLUMNS)
    if name not in set(table["dataset"]):
        known = ", ".join(sorted(set(table["dataset"])))
        raise ConfigError(f"expected a data set of {known}, got {name!r}")
    table = table[table["dataset"] == name].copy()
    table["file"] = inside_paths(table["file"].items(), str(registry), "the data set's folder")
    sizes = [_size(row, number, registry) for number, row in table.iterrows()]
    folder = _target(name, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    for (_, row), size in zip(table.iterrows(), sizes, strict=True):
        _retrieve(row, size, folder)
    return folder


def _target(name: str, folder: str | os.PathLike[str] | None) -> Path:
    """Find the folder to download into."""
    if folder is not None:
        return Path(folder)
    root = os.path.expanduser(os.environ.get("SDLIB_DATA", ""))
    if not root:
        raise DataError(
            f"set SDLIB_DATA to the folder that is to hold your data sets; {name} will be put "
            f"into {name}/ there"
        )
    # The name is the registry's, which must not choose another place on the disk.
    if tidy_path(name) != name:
        raise DataError(f"expected the name of a folder, got the data set {name!r}: give a folder")
    return Path(root) / name


def _retrieve(row: pd.Series, size: int | None, folder: Path) -> None:
    """Download the file of one row of the registry, unless it is there and has its hash."""
    target, md5 = folder / row["file"], row["md5"].lower()
    part = target.with_name(f"{target.name}.part")
    try:
        if target.is_file() and pooch.file_hash(str(target), "md5") == md5:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(target, error) from error
    download(row["url"], part, row["file"], size)
    try:
        if pooch.file_hash(str(part), "md5") == md5:
            os.replace(part, target)
            return
        part.unlink()
    except OSError as error:
        raise cannot_write(target, error) from error
    raise DataError(
        f"expected the MD5 hash {row['md5']} of the file from {row['url']}, got another: the "
        f"file was deleted, try again later"
    )


def _size(row: pd.Series, number: int, place: Path) -> int | None:
    """The size that the registry gives for a file, None where it gives none."""
    size = row.get("bytes", "")
    if not size:
        return None
    if not (size.isascii() and size.isdigit() and int(size)):
        raise DataError(
            f"expected bytes to be a whole number above 0, got {size} in row {number} of {place}: "
            f"correct it, or leave it empty"
        )
    return int(size)
