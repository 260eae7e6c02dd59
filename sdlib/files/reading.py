"""Reading what the library wrote, with one sentence about a file that is not as it was written."""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from sdlib.errors import DataError

__all__ = [
    "DamagedError",
    "all_within",
    "check_entries",
    "check_number_entry",
    "damaged",
    "if_whole",
    "read_arrays",
    "read_json",
    "read_json_lines",
]

Checked = Callable[[Any], None]
Found = TypeVar("Found")

LARGEST = sys.float_info.max
AGAIN = "remove it, so that it is made again"
CANNOT_READ = {
    errno.EACCES: "reading it is not permitted",
    errno.EPERM: "reading it is not permitted",
    errno.EISDIR: "a folder of that name is in the way",
    errno.ENAMETOOLONG: "a name in the path is too long: expected 255 bytes at most",
}
LFS_POINTER = b"version https://git-lfs"
MERGE_MARKERS = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")


class DamagedError(DataError):
    """A stored file is absent, cut, changed by hand, or of another kind than its name says."""


def damaged(
    file: str | os.PathLike[str], why: str, remedy: str = AGAIN, line: int | None = None
) -> DamagedError:
    """Say in one sentence that a stored file is damaged, where, and what to do.

    Parameters
    ----------
    file : path
        The file.
    why : str
        What is wrong with it.
    remedy : str
        What the user can do.
    line : int, optional
        Where, from 1.

    Returns
    -------
    DamagedError
        To be raised by the caller.

    Examples
    --------
    >>> print(damaged("rows.jsonl", "the line is blank", "restore it", line=3))
    rows.jsonl, line 3 is damaged (the line is blank): restore it
    """
    where = f"{os.fspath(file)}, line {line}" if line else os.fspath(file)
    return DamagedError(f"{where} is damaged ({why}): {remedy}")


def if_whole(
    reader: Callable[..., Found], file: str | os.PathLike[str], check: Checked | None = None
) -> Found | None:
    """What a reader finds in a file of this machine; None if it is not there or damaged.

    For files that are made again where they are missing.

    Parameters
    ----------
    reader : callable
        :func:`read_json`, :func:`read_json_lines` or :func:`read_arrays`.
    file : path
        The file.
    check : callable, optional
        As the reader takes it.

    Raises
    ------
    DataError
        The file is there and cannot be read: it may well be whole.

    Examples
    --------
    >>> if_whole(read_json, "row.json") is None
    True
    """
    try:
        return reader(file, check)
    except DamagedError:
        return None


def read_json(
    file: str | os.PathLike[str], check: Checked | None = None, remedy: str = AGAIN
) -> Any:
    """Read a file that holds one JSON value.

    Parameters
    ----------
    file : path
        The file.
    check : callable, optional
        Takes the value; raises a ValueError that says what is wrong with it.
    remedy : str
        What the user can do if the file is damaged; ends the error's sentence.

    Raises
    ------
    DamagedError
        The file is not there, or not whole.
    DataError
        The file cannot be read.
    """
    text = _text(file, remedy)
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise damaged(file, _not_json(text, error), remedy, line) from error
    _apply(check, value, file, remedy)
    return value


def read_json_lines(
    file: str | os.PathLike[str],
    check: Checked | None = None,
    remedy: str = AGAIN,
    unique: tuple[str, ...] = (),
) -> list[Any]:
    """Read a file that holds one JSON value per line; entry ``k`` is of line ``k + 1``.

    Parameters
    ----------
    file, check, remedy
        As for :func:`read_json`; ``check`` takes the value of one line.
    unique : tuple of str
        Names of entries that no two lines may have in common, taken together. For lines that
        ``check`` has found to be objects.

    Raises
    ------
    DamagedError
        The file is not there, or a line is not whole, wrong, or there twice.
    DataError
        The file cannot be read.
    """
    lines = _text(file, remedy).split("\n")  # splitlines() would split within strings, too
    if not lines[-1]:
        del lines[-1]
    values: list[Any] = []
    seen: dict[tuple, int] = {}
    for number, text in enumerate(lines, start=1):
        try:
            value = _DECODER.decode(text)
        except (ValueError, RecursionError) as error:
            raise damaged(file, _not_json(text, error), remedy, number) from error
        _apply(check, value, file, remedy, number)
        if unique:
            first = seen.setdefault(tuple(map(value.get, unique)), number)
            if first != number:
                why = f"of the same {', '.join(unique)} as line {first}"
                raise damaged(file, why, remedy, number)
        values.append(value)
    return values


def read_arrays(
    file: str | os.PathLike[str], check: Checked | None = None, remedy: str = AGAIN
) -> dict[str, np.ndarray]:
    """Read an ``.npz`` file, every array of it, into memory.

    Parameters
    ----------
    file, check, remedy
        As for :func:`read_json`; ``check`` takes the arrays by name.

    Raises
    ------
    DamagedError
        The file is not there, or not whole.
    DataError
        The file cannot be read.
    """
    content = _content(file, remedy)
    try:
        arrays = _unpacked(content)
    except Exception as error:  # zipfile, its compressors and NumPy have many errors of their own
        said = str(error).partition("\n")[0] or type(error).__name__
        raise damaged(file, f"no whole .npz: {said}", remedy) from error
    _apply(check, arrays, file, remedy)
    return arrays


def check_entries(value: Any, kinds: Mapping[str, type | tuple[type, ...]]) -> None:
    """Raise a ValueError unless a value is a mapping with entries of these kinds.

    >>> check_entries({"seed": 0}, {"seed": int})
    >>> check_entries({"seed": "0"}, {"seed": int})
    Traceback (most recent call last):
    ValueError: expected seed to be of type int, got '0'
    """
    if not isinstance(value, dict):
        raise ValueError(f"expected an object with names, got {_short(value)}")
    for name, kind in kinds.items():
        if name not in value:
            raise ValueError(f"{name} is missing")
        found = value[name]
        if not isinstance(found, kind) or isinstance(found, bool):
            wanted = getattr(kind, "__name__", "number")
            raise ValueError(f"expected {name} to be of type {wanted}, got {_short(found)}")


def all_within(values: Iterable[Any], low: float = -LARGEST, high: float = LARGEST) -> bool:
    """Whether all values are finite numbers from ``low`` to ``high``; quick, for many of them.

    >>> all_within([0.5, 1], 0, 1), all_within([0.5, "1"]), all_within([float("nan")])
    (True, False, False)
    """
    for value in values:
        kind = type(value)
        # NaN is not in any order.
        if (kind is not float and kind is not int) or not low <= value <= high:
            return False
    return True


def check_number_entry(name: str, value: Any, low: float = -LARGEST, high: float = LARGEST) -> None:
    """Raise a ValueError unless an entry of a stored file is a finite number in a range.

    A reader's check turns it into a :class:`DamagedError` that names the file. Arguments of
    functions are checked by :func:`sdlib.checks.check_number`, which raises a ConfigError.

    >>> check_number_entry("accuracy", 0.75, 0, 1)
    >>> check_number_entry("accuracy", 17.0, 0, 1)
    Traceback (most recent call last):
    ValueError: expected accuracy to be a number from 0 to 1, got 17.0
    """
    if all_within((value,), low, high):
        return
    span = ""
    if low > -LARGEST:
        span = f" of at least {low:g}"
    if high < LARGEST:
        span = f" from {low:g} to {high:g}"
    raise ValueError(f"expected {name} to be a number{span}, got {_short(value)}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _apply(
    check: Checked | None, value: Any, file: Any, remedy: str, line: int | None = None
) -> None:
    if check is None:
        return
    try:
        check(value)
    except ValueError as error:
        raise damaged(file, str(error), remedy, line) from error


def _content(file: str | os.PathLike[str], remedy: str) -> bytes:
    """The bytes of a file, if they can be its content at all."""
    try:
        content = Path(file).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DamagedError(f"{os.fspath(file)} is not there: {remedy}") from error
    except OSError as error:
        reason = CANNOT_READ.get(error.errno or 0, error.strerror or str(error))
        raise DataError(f"cannot read {os.fspath(file)}: {reason}") from error
    if not content:
        raise damaged(file, "it is empty", remedy)
    if content.startswith(LFS_POINTER):
        raise damaged(file, "a pointer of git-lfs in the place of the file itself", remedy)
    return content


def _text(file: str | os.PathLike[str], remedy: str) -> str:
    content = _content(file, remedy)
    if content.startswith(codecs.BOM_UTF8):
        raise damaged(file, "it begins with a byte-order mark", remedy, 1)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise damaged(file, "not UTF-8", remedy, line) from error


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _not_json(text: str, error: Exception) -> str:
    """What is wrong with text that is not JSON."""
    line = getattr(error, "lineno", 1)
    wrong = text.split("\n")[line - 1]
    if not wrong.strip():
        return "the line is blank"
    if wrong.startswith(MERGE_MARKERS):
        return "a merge has left its marker"
    return f"not JSON: {getattr(error, 'msg', None) or error}"


def _unpacked(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` file; each member is read whole, so that its checksum is."""
    if not content.startswith(b"PK"):  # zipfile would look for its archive behind other bytes
        raise ValueError("File is not a zip file")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        if len(set(names)) < len(names):
            raise ValueError("an array is there twice")
        return {
            name.removesuffix(".npy"): np.lib.format.read_array(
                io.BytesIO(archive.read(name)), allow_pickle=False
            )
            for name in names
        }
