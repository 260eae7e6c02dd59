"""Where the files of PadChest's films are, and which of them were cut off."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

__all__ = ["cut_off", "find_films"]

IMAGES = "images"
SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\x00\x00\x00\x00IEND\xaeB\x60\x82"  # the chunk that ends every PNG
THREADS = 16  # they wait for the disk


def find_films(folder: Path, table: pd.DataFrame) -> pd.Series:
    """Find the file of every film.

    Parameters
    ----------
    folder : pathlib.Path
        Where the archives were unpacked: each into a folder of its number, or all into one, in
        ``images`` or beside the table.
    table : pandas.DataFrame
        Columns ``name`` (of the file) and ``archive`` (its number).

    Returns
    -------
    pandas.Series
        Paths relative to the folder, with forward slashes; empty where there is no file.

    Examples
    --------
    >>> table = pd.DataFrame({"name": ["a.png"], "archive": ["0"]})
    >>> find_films(Path("no-such-folder"), table).tolist()
    ['']
    """
    files = pd.Series("", table.index)
    for archive, rows in table.groupby("archive", sort=False):
        for place in (f"{archive}/", f"{IMAGES}/{archive}/", f"{IMAGES}/", ""):
            names = rows["name"][files[rows.index] == ""]
            # One listing, where a question for each file would take minutes on a network disk.
            there = names[names.isin(_listing(folder / place))]
            files[there.index] = place + there
    return files


def _listing(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()


def cut_off(paths: Sequence[Path]) -> list[bool]:
    """Tell which PNG files do not begin or do not end as every PNG does.

    A download or an archive that was cut off leaves such files, often filled with zeros. Only
    the first and the last bytes are read, so that 100,000 films take seconds on a local disk;
    damage in between shows when a film is decoded.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        The files.

    Returns
    -------
    list of bool
        One per file; true as well where a file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.png"
    >>> _ = path.write_bytes(SIGNATURE + bytes(100) + END)
    >>> cut_off([path])
    [False]
    >>> _ = path.write_bytes(SIGNATURE + bytes(100))
    >>> cut_off([path])
    [True]
    """
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(_is_cut_off, paths))


def _is_cut_off(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            begins = stream.read(len(SIGNATURE)) == SIGNATURE
            stream.seek(-len(END), os.SEEK_END)
            return not (begins and stream.read() == END)
    except OSError:  # also of a file that is shorter than the end
        return True
