"""Rules for the files that a table lists: relative, inside the table's folder, each file once.

A table may come from somebody else, so nothing outside its folder may be read or written because
of what it says.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterable
from pathlib import Path

from sdlib.errors import DataError

__all__ = ["check_files", "inside_paths", "is_file", "tidy_path"]

ABSENT = (errno.ENOENT, errno.ENOTDIR)
# What the operating system calls by names that say little to most people.
REASONS = {
    errno.ENAMETOOLONG: "its name is longer than the file system allows: choose a shorter one",
    errno.EACCES: "reading it is not permitted: change its permissions or its folder's",
    errno.ELOOP: "it is a link that leads back to itself: remove it",
}


def tidy_path(path: str) -> str | None:
    """Write a relative path in its shortest form, with forward slashes.

    Parameters
    ----------
    path : str
        The path, as any operating system writes it.

    Returns
    -------
    str or None
        The tidy path; None if it is absolute, leads out of the folder, or names no file.

    Examples
    --------
    >>> tidy_path("./a//b.png"), tidy_path("a\\\\b.png"), tidy_path("a/../../b.png")
    ('a/b.png', 'a/b.png', None)
    """
    tidy = posixpath.normpath(path.replace("\\", "/"))
    outside = tidy.startswith(("/", "../")) or tidy[1:2] == ":" or tidy in (".", "..")
    return None if outside or "\0" in tidy else tidy


def inside_paths(
    files: Iterable[tuple[int, str]], place: str, within: str = "the manifest's folder"
) -> list[str]:
    """Check the paths of a table, and tidy them.

    Parameters
    ----------
    files : iterable of (int, str)
        The row number and the path of each file.
    place : str
        The table, for errors.
    within : str
        The folder that the paths must be in, for errors.

    Returns
    -------
    list of str
        The tidy paths (see :func:`tidy_path`).

    Raises
    ------
    DataError
        At the first path that is not inside the table's folder or is there twice.

    Examples
    --------
    >>> inside_paths([(2, "./a.png"), (3, "b.png")], "manifest.csv")
    ['a.png', 'b.png']
    """
    seen: dict[str, int] = {}  # row of each file
    for number, file in files:
        tidy = tidy_path(file)
        if tidy is None:
            raise DataError(
                f"expected a path inside {within}, got {file} in row {number} "
                f"of {place}: write it relative to the folder"
            )
        # Two spellings of one path must be seen as one file, on every operating system.
        if tidy in seen:
            raise DataError(
                f"expected each file once, got {file} in row {seen[tidy]} and again in row "
                f"{number} of {place}: remove one"
            )
        seen[tidy] = number
    return list(seen)


def is_file(path: Path, name: str) -> bool:
    """Whether there is a file; folders and other things are none.

    Parameters
    ----------
    path : pathlib.Path
        The path, or a link to it.
    name : str
        The path and its place, for errors.

    Returns
    -------
    bool
        Whether it exists and is a file.

    Raises
    ------
    DataError
        If that cannot be found out, for instance because the name is too long.

    Examples
    --------
    >>> is_file(Path("/no/such/file"), "it")
    False
    """
    return _state(path, name) is not None


def check_files(
    files: Iterable[tuple[int, str]], folder: Path, place: str, links: bool = False
) -> None:
    """Check that no file of a table is outside its folder or there twice by a link.

    A file that does not exist is passed over: whoever reads it tells so.

    Parameters
    ----------
    files : iterable of (int, str)
        The row number and the tidy path of each file.
    folder : pathlib.Path
        The folder that the paths begin from.
    place : str
        The table, for errors.
    links : bool
        Whether links may lead out of the folder, as in a folder that users put together
        themselves.

    Raises
    ------
    DataError
        At the first file that is outside the folder, or is there by another name.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.png").write_text("an image")
    >>> (folder / "b.png").symlink_to(folder / "a.png")
    >>> try:
    ...     check_files([(2, "a.png"), (3, "b.png")], folder, "manifest.csv")
    ... except DataError as error:
    ...     print(str(error).partition(" in row 3")[0])
    expected each file once, got a.png in row 2 and the same file by the name b.png
    """
    root = Path(os.path.realpath(folder))
    seen: dict[tuple[int, int], tuple[int, str]] = {}  # row and path of each file on the disk
    for number, file in files:
        path = folder / file
        state = _state(path, f"{path} (row {number} of {place})")
        if state is None:
            continue
        if not links and not Path(os.path.realpath(path)).is_relative_to(root):
            raise DataError(
                f"expected a file inside {folder}, got a link out of it, {file} in row {number} "
                f"of {place}: put the file itself there"
            )
        first_number, first = seen.setdefault((state.st_dev, state.st_ino), (number, file))
        if first_number != number:
            raise DataError(
                f"expected each file once, got {first} in row {first_number} and the same file "
                f"by the name {file} in row {number} of {place}: remove one"
            )


def _state(path: Path, name: str) -> os.stat_result | None:
    """The state of a file, None where there is none."""
    try:
        state = path.stat()
    except OSError as error:
        if error.errno in ABSENT:
            return None
        reason = REASONS.get(error.errno or 0, error.strerror or str(error))
        raise DataError(f"{_short(name)} cannot be read: {reason}") from error
    except ValueError:  # a zero byte in the name
        return None
    return state if stat.S_ISREG(state.st_mode) else None


def _short(name: str) -> str:
    """The beginning and the end of a name that would fill the screen."""
    if len(name) <= 300:
        return name
    return f"{name[:140]}...{name[-140:]}"
