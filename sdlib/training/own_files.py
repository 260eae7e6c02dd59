"""Files that earlier runs left on this machine: a damaged one counts as not there."""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sdlib.errors import ConfigError
from sdlib.files import DamagedError, cannot_write

__all__ = ["discard", "read_or_none", "say_damaged"]

Content = TypeVar("Content")

#: What readers of this library, NumPy and PyTorch raise on files that are cut or overwritten.
#: Errors of the operating system are not among them: what cannot be read may be whole.
DAMAGE = (
    AttributeError,
    DamagedError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def read_or_none(
    file: Path, read: Callable[[Path], Content], log: Callable[[str], None]
) -> Content | None:
    """Read a file that can be made again, or return None where it is absent or damaged.

    Unlike :func:`sdlib.files.if_whole` it says so, and it takes any reader.

    Parameters
    ----------
    file : pathlib.Path
        The file.
    read : callable
        Takes the path to the content, and raises an error if the content is not as it should be.
    log : callable
        Takes a line of text about a damaged file.

    Examples
    --------
    >>> import tempfile
    >>> from sdlib.files import read_json
    >>> file = Path(tempfile.mkdtemp()) / "row.json"
    >>> read_or_none(file, read_json, print)
    >>> _ = file.write_bytes(bytes(9))
    >>> read_or_none(file, read_json, lambda line: print(line.replace(str(file), "row.json")))
    row.json is damaged and counts as not there: it is made again
    """
    if not file.exists():
        return None
    try:
        return read(file)
    except ConfigError:  # a ValueError, though not about the file
        raise
    except DAMAGE:
        say_damaged(file, log)
        return None


def say_damaged(file: Path, log: Callable[[str], None]) -> None:
    """Log that a file is damaged, if it is there at all.

    Parameters
    ----------
    file : pathlib.Path
        A file in which a reader has found nothing.
    log : callable
        Takes the line of text.
    """
    if file.exists():
        log(f"{file} is damaged and counts as not there: it is made again")


def discard(file: Path) -> None:
    """Remove a file, if it is there.

    Raises
    ------
    SdlibError
        It cannot be removed.
    """
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(file, error) from error
