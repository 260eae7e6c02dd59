"""Downloading public data sets: a file is whole and has the published hash, or it is not kept.

Where no hash is published, that is said, and the file's own SHA-256 is told, so that two people can
compare what they have. Where a data set is behind a registration, the steps are told.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pooch

from sdlib.datasets.download_folder import (
    check_clear,
    check_disk,
    is_unpacked,
    part_of,
    record_unpacked,
)
from sdlib.datasets.downloading import download
from sdlib.datasets.file_paths import tidy_path
from sdlib.datasets.published_files import PublishedFile, published_files
from sdlib.datasets.unpacking import check_zip, unpack
from sdlib.errors import DataError
from sdlib.files import cannot_write
from sdlib.paths import data_folder

__all__ = ["fetch", "steps_by_hand"]

#: What a zip archive of unknown content may hold at most.
MOST_UNPACKED = 1 << 36


def fetch(
    name: str,
    folder: str | os.PathLike[str] | None = None,
    registry: str | os.PathLike[str] | None = None,
    log: Callable[[str], object] = print,
) -> Path:
    """Download every file of a data set, check it against its published hash, and unpack it.

    A file that exists and has the right hash is not downloaded again. A download that was
    interrupted is continued by the next call: until it is whole, its name ends in ``.part``. An
    archive is unpacked where the registry says so; it is then removed, and ``.unpacked`` behind its
    name tells that it has been there.

    Parameters
    ----------
    name : str
        A data set in the registry, such as ``"pcam"``.
    folder : str or os.PathLike, optional
        Where to put the files; by default the folder ``name`` under the root that ``SDLIB_DATA``
        names, where the loaders look for it.
    registry : str or os.PathLike, optional
        See :func:`~sdlib.datasets.published_files.published_files`; by default
        ``data/registry.csv``.
    log : callable
        Called with the licence, and with a sentence for each file that has no published hash.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    ConfigError
        If the registry has no such data set.
    DataError
        If no folder is known, a path leads out of it, a server cannot be reached or refuses, a
        downloaded file has another size or hash, an archive is damaged or does harm, or the data
        set must be requested by hand (see :func:`steps_by_hand`).
    SdlibError
        If the files cannot be written, or are too large for the disk.

    Examples
    --------
    >>> fetch("pcam").name  # doctest: +SKIP
    'pcam'
    """
    files = _listed(name, registry)
    if steps_by_hand(name, folder, registry):
        raise DataError(
            f"{name} is behind a registration: 'python -m sdlib fetch {name}' tells the steps"
        )
    files = [one for one in files if not one.steps]
    folder = _target(name, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        wanted = [one for one in files if not _is_there(one, folder, log)]
        check_clear(files, wanted, folder)
        check_disk(name, wanted, folder)
        if wanted and wanted[0].licence:
            log(f"licence of {name}: {wanted[0].licence}")
        if len(wanted) > 1:
            log(f"{len(wanted)} files to download")
        for one in wanted:
            _retrieve(one, folder, log)
            if one.unpacked:
                _unpack(one, folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return folder


def steps_by_hand(
    name: str,
    folder: str | os.PathLike[str] | None = None,
    registry: str | os.PathLike[str] | None = None,
) -> list[str]:
    """What must be done by hand to get a data set, in numbered lines.

    Parameters
    ----------
    name, folder, registry
        As for :func:`fetch`.

    Returns
    -------
    list of str
        Empty where :func:`fetch` gets the files, or where they are in the folder already.

    Raises
    ------
    ConfigError, DataError
        As :func:`fetch` does for the registry and the folder.

    Examples
    --------
    >>> steps_by_hand("panda", "data")[1]
    '1. make an account at https://www.kaggle.com'
    """
    files = [one for one in _listed(name, registry) if one.steps]
    if not files:
        return []
    if folder is None and not os.environ.get("SDLIB_DATA"):
        place = f"a folder {name}, and set SDLIB_DATA to the folder that holds it"
    else:
        target = _target(name, folder)
        if all((target / one.file).exists() for one in files):
            return []
        place = f"{target}"
    lines = [f"{name} is behind a registration ({files[0].licence}), and must be got by hand:"]
    steps = [*files[0].steps, f"put the files into {place}"]
    return lines + [f"{number}. {step}" for number, step in enumerate(steps, start=1)]


def _listed(name: str, registry: str | os.PathLike[str] | None) -> list[PublishedFile]:
    return published_files(name, Path(registry or data_folder() / "registry.csv"))


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


def _is_there(one: PublishedFile, folder: Path, log: Callable[[str], object]) -> bool:
    """Whether a file need not be downloaded or unpacked any more."""
    if one.unpacked:
        return is_unpacked(one, folder)
    target = folder / one.file
    try:
        if not target.is_file():
            return False
        if one.has_hash:
            return one.fits(target)
        if one.size not in (None, target.stat().st_size):
            return False
        log(_unchecked(one, target))
        return True
    except OSError as error:
        raise cannot_write(target, error) from error


def _retrieve(one: PublishedFile, folder: Path, log: Callable[[str], object]) -> None:
    """Download a file, unless it is there and waits for being unpacked."""
    target, part = folder / one.file, part_of(one, folder)
    try:
        if one.unpacked and target.is_file() and (not one.has_hash or one.fits(target)):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        # Two halves of two versions would be one file: only a checksum could tell.
        if not one.has_hash and not one.most_unpacked and not one.file.endswith(".zip"):
            part.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(target, error) from error
    download(one.url, part, one.file, one.size, one.most, checked=one.has_hash)
    try:
        if one.has_hash and not one.fits(part):
            part.unlink()
            hashed = f"MD5 hash {one.md5}" if one.md5 else f"Git hash {one.git_sha1}"
            raise DataError(
                f"expected the {hashed} of the file from {one.url}, got another: the "
                f"file was deleted, try again later"
            )
        if not one.has_hash:
            _check_content(one, part)
            log(_unchecked(one, part))
        os.replace(part, target)
    except OSError as error:
        raise cannot_write(target, error) from error


def _check_content(one: PublishedFile, part: Path) -> None:
    """Check an archive without a published hash by its own checksums."""
    if not one.file.endswith(".zip") or one.unpacked:
        return  # what is unpacked is checked by that
    try:
        check_zip(part, MOST_UNPACKED)
    except DataError:
        part.unlink()
        raise


def _unpack(one: PublishedFile, folder: Path) -> None:
    """Unpack an archive, write down that it was there, and remove it."""
    target = folder / one.file
    # Before unpacking: else files would lie there unrecorded for as long as hashing takes.
    sha256 = _hash(target, "sha256")
    try:
        names = unpack(target, folder, one.most_unpacked)
    except DataError:
        target.unlink(missing_ok=True)  # the next call would find it damaged again
        raise
    record_unpacked(one, folder, names, sha256)
    target.unlink()


def _hash(path: Path, algorithm: str) -> str:
    return pooch.file_hash(str(path), algorithm)


def _unchecked(one: PublishedFile, path: Path) -> str:
    """Say that nobody has published a hash of a file, and which it has."""
    return (
        f"{one.file} could not be checked: no hash of it is known here; its SHA-256 is "
        f"{_hash(path, 'sha256')} ({path.stat().st_size} bytes)"
    )
