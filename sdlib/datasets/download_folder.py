"""The folder that a data set is downloaded into: what it holds already, and whether it has room."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from sdlib.datasets.published_files import PublishedFile
from sdlib.errors import SdlibError
from sdlib.files import if_whole, read_json, write_json

__all__ = ["check_clear", "check_disk", "is_unpacked", "part_of", "record_unpacked"]

PART, RECORD = ".part", ".unpacked"


def part_of(one: PublishedFile, folder: Path) -> Path:
    """Where the bytes of a file go until it is whole.

    >>> part_of(PublishedFile("a.zip", "https://a.org/a.zip"), Path("data")).as_posix()
    'data/a.zip.part'
    """
    return folder / f"{one.file}{PART}"


def record_unpacked(one: PublishedFile, folder: Path, names: list[str], sha256: str) -> None:
    """Write down that an archive was there and has been unpacked.

    Parameters
    ----------
    one : PublishedFile
        The archive.
    folder : pathlib.Path
        Where it was unpacked.
    names : list of str
        What is new there.
    sha256 : str
        The archive's hash.

    Raises
    ------
    SdlibError
        If it cannot be written.
    """
    record = {"sha256": sha256, "url": one.url, "unpacked": names}
    write_json(folder / f"{one.file}{RECORD}", record)


def is_unpacked(one: PublishedFile, folder: Path) -> bool:
    """Whether an archive was unpacked in a folder, and all that was new there is there still.

    Parameters
    ----------
    one : PublishedFile
        The archive.
    folder : pathlib.Path
        Where it is to be unpacked.

    Examples
    --------
    >>> is_unpacked(PublishedFile("a.zip", "https://a.org/a.zip", unpacked=10), Path("data"))
    False
    """
    record = if_whole(read_json, folder / f"{one.file}{RECORD}", _check_record)
    return record is not None and all((folder / name).exists() for name in record["unpacked"])


def _check_record(record: object) -> None:
    """Check that a record tells what was unpacked."""
    if not isinstance(record, dict) or not isinstance(record.get("unpacked"), list):
        raise ValueError("it does not tell what was unpacked")


def check_clear(
    files: Sequence[PublishedFile], wanted: Sequence[PublishedFile], folder: Path
) -> None:
    """Check that nothing is in the way of what is to be unpacked, before hours of downloading.

    Parameters
    ----------
    files : sequence of PublishedFile
        All of the data set.
    wanted : sequence of PublishedFile
        Those that are not there yet.
    folder : pathlib.Path
        The folder, which exists.

    Raises
    ------
    SdlibError
        If there is anything but the data set's own downloads and hidden files.
    """
    paths = [f"{one.file}{ending}" for one in files for ending in ("", PART, RECORD)]
    own = {path.partition("/")[0] for path in paths}
    others = [name for name in sorted(os.listdir(folder)) if name not in own and name[0] != "."]
    for one in wanted:
        if one.unpacked and others:
            raise SdlibError(
                f"expected nothing else in {folder}, where {one.file} is to be unpacked, got "
                f"{others[0]}: if that is the data set, nothing is left to fetch; else move it "
                f"elsewhere, or remove it"
            )


def check_disk(name: str, wanted: Sequence[PublishedFile], folder: Path) -> None:
    """Check that the disk has room for all files and all that is unpacked, before any is asked.

    Parameters
    ----------
    name : str
        The data set, for errors.
    wanted : sequence of PublishedFile
        The files that are not there yet.
    folder : pathlib.Path
        The folder, which exists.

    Raises
    ------
    SdlibError
        If it has not, as far as sizes are known.
    """
    download = sum(max(0, one.expected - _received(one, folder)) for one in wanted)
    unpacked = sum(one.unpacked or 0 for one in wanted)
    free = shutil.disk_usage(folder).free
    if download + unpacked > free:
        raise SdlibError(
            f"{name} needs {(download + unpacked) / 2**30:.1f} GiB in {folder} "
            f"({download / 2**30:.1f} to download, {unpacked / 2**30:.1f} to unpack), which has "
            f"{free / 2**30:.1f} GiB left: free some space, or choose another folder"
        )


def _received(one: PublishedFile, folder: Path) -> int:
    """Bytes of a file that need not be downloaded again."""
    paths = [part_of(one, folder)]
    if one.unpacked:
        paths.append(folder / one.file)  # an archive that waits for being unpacked
    return sum(path.stat().st_size for path in paths if path.is_file())
