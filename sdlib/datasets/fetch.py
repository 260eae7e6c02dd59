"""Downloading public data sets: a file is whole and has the published hash, or it is not kept."""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pooch

from sdlib.datasets.table import read_table
from sdlib.errors import ConfigError, DataError, SdlibError
from sdlib.files import REASONS, cannot_write
from sdlib.paths import data_folder

__all__ = ["fetch"]

COLUMNS = ("dataset", "file", "md5", "url")
CHUNK_BYTES = 1 << 20
RANGE_NOT_SATISFIABLE = 416  # HTTP status: there is nothing after the given byte


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
        CSV file with the columns dataset, file, md5 and url; by default ``data/registry.csv``.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    ConfigError
        If the registry has no such data set.
    DataError
        If no folder is known, a server cannot be reached, or a downloaded file has another hash.
    SdlibError
        If the files cannot be written, or are too large for the disk.

    Examples
    --------
    >>> fetch("pcam").name  # doctest: +SKIP
    'pcam'
    """
    table = read_table(registry or data_folder() / "registry.csv", COLUMNS)
    if name not in set(table["dataset"]):
        known = ", ".join(sorted(set(table["dataset"])))
        raise ConfigError(f"expected a data set of {known}, got {name!r}")
    folder = _target(name, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    for _, row in table[table["dataset"] == name].iterrows():
        _retrieve(row, folder)
    return folder


def _target(name: str, folder: str | os.PathLike[str] | None) -> Path:
    """Find the folder to download into."""
    if folder is not None:
        return Path(folder)
    root = os.environ.get("SDLIB_DATA")
    if not root:
        raise DataError(
            f"set SDLIB_DATA to the folder that is to hold your data sets; {name} will be put "
            f"into {name}/ there"
        )
    return Path(root) / name


def _retrieve(row: pd.Series, folder: Path) -> None:
    """Download the file of one row of the registry, unless it is there and has its hash."""
    try:
        pooch.retrieve(
            row["url"],
            known_hash=f"md5:{row['md5']}",
            fname=row["file"],
            path=folder,
            downloader=partial(_resume, part=folder / f"{row['file']}.part"),
        )
    except OSError as error:
        if error.errno in REASONS:
            raise cannot_write(folder / row["file"], error) from error
        raise DataError(
            f"could not download {row['file']} ({type(error).__name__}): connect to the internet "
            f"and try again, which continues where it stopped, or put the file from {row['url']} "
            f"into {folder} by other means"
        ) from error
    # Pooch raises it for a wrong hash, after it has deleted the file.
    except ValueError as error:
        raise DataError(
            f"expected the MD5 hash {row['md5']} of the file from {row['url']}, got another: the "
            f"file was deleted, try again later"
        ) from error


def _resume(url: str, output_file: str, _: Any, part: Path) -> None:
    """Append the rest of a download to ``part``, then move it to ``output_file``.

    The signature is that of a downloader of pooch.
    """
    with part.open("ab") as stream:

        def prepare(response: Any, **_: Any) -> None:
            # 200 is not 206: the server sends the whole file, not the rest of it.
            if response.status_code == 200:
                stream.truncate(0)
            needed = int(response.headers.get("content-length", 0))
            free = shutil.disk_usage(part.parent).free
            if response.ok and needed > free:
                raise SdlibError(
                    f"{part.stem} needs {needed / 2**30:.1f} GiB in {part.parent}, which has "
                    f"{free / 2**30:.1f} GiB left: free some space, or choose another folder"
                )

        # Without compression on the way, bytes in the part are bytes of the file.
        download = pooch.HTTPDownloader(
            progressbar=sys.stderr.isatty(),
            chunk_size=CHUNK_BYTES,
            headers={"Range": f"bytes={part.stat().st_size}-", "Accept-Encoding": "identity"},
            hooks={"response": prepare},
        )
        try:
            download(url, stream, None)
        except OSError as error:
            # If nothing is left to send, the part is whole; pooch checks its hash next.
            status = getattr(getattr(error, "response", None), "status_code", None)
            if status != RANGE_NOT_SATISFIABLE:
                raise
    os.replace(part, output_file)
