"""Writing files so that they are either whole or absent, even if the run is killed.

Everything that the library writes (rows, predictions, caches, downloads) goes through
:func:`atomic_path`: the content is written under a temporary name beside the target and then moved
over it in one step.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sdlib.errors import SdlibError

__all__ = ["atomic_path", "cannot_write", "write_json"]

REASONS = {
    errno.ENOSPC: "the disk is full: free some space, or choose another folder",
    errno.EDQUOT: "the disk quota is used up: free some space, or choose another folder",
    errno.EACCES: "writing there is not permitted: choose another folder",
    errno.EPERM: "writing there is not permitted: choose another folder",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.EFBIG: "the file is larger than allowed there: choose another folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EISDIR: "a folder of that name is in the way",
}
PROBE_BYTES = 1 << 16  # more than the last free block of a full disk may hold


def cannot_write(path: str | os.PathLike[str], error: OSError) -> SdlibError:
    """Put the operating system's refusal to write a file into one sentence.

    Parameters
    ----------
    path : path
        The file.
    error : OSError
        The refusal.

    Returns
    -------
    SdlibError
        To be raised by the caller.

    Examples
    --------
    >>> print(cannot_write("row.json", OSError(errno.ENOSPC, "No space left on device")))
    cannot write row.json: the disk is full: free some space, or choose another folder
    """
    reason = REASONS.get(error.errno or 0, error.strerror or str(error))
    return SdlibError(f"cannot write {os.fspath(path)}: {reason}")


def _cause(error: Exception, path: Path, temporary: Path) -> OSError | None:
    """Why the file cannot be written, or None if the error is about something else."""
    if isinstance(error, OSError) and error.errno is not None:
        # A write that fails for lack of space names no file; one about another file is not ours.
        named = {Path(os.fsdecode(name)) for name in (error.filename, error.filename2) if name}
        if not named or named & {temporary, path}:
            return error
    # PyTorch, safetensors and NumPy report a full disk in words of their own: try a small write.
    try:
        with temporary.open("ab") as stream:
            stream.write(bytes(PROBE_BYTES))
    except OSError as refusal:
        return refusal
    return None


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary sibling of ``path`` which replaces it when the block succeeds.

    Missing parent folders are made. If the block fails, the temporary file is removed, the file
    that was at ``path`` before is kept, and the exception goes on. A failure of the writing itself,
    whatever exception a library makes of it, becomes an :class:`~sdlib.errors.SdlibError` of one
    sentence. The temporary name has the suffix of the final name, for libraries that choose a
    format by it.

    Parameters
    ----------
    path : path
        The file to write.

    Yields
    ------
    pathlib.Path
        The temporary file, which does not exist yet.

    Raises
    ------
    SdlibError
        The disk is full, the folder cannot be written to, or the like. Errors about *other* files
        inside the block, such as an input that does not exist, pass unchanged.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_path(folder / "row.json") as temporary:
    ...     _ = temporary.write_text("{}")
    >>> [found.name for found in folder.iterdir()]
    ['row.json']
    """
    path = Path(path)
    # Process id and a random part: two runs may write the same file at the same time.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}-{secrets.token_hex(4)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        yield temporary
        os.replace(temporary, path)
    except SdlibError:
        raise
    except Exception as error:
        cause = _cause(error, path, temporary)
        if cause is None:
            raise
        raise cannot_write(path, cause) from error
    finally:
        # After success the name is gone already.
        temporary.unlink(missing_ok=True)


def write_json(path: str | os.PathLike[str], obj: Any) -> None:
    """Write an object as indented UTF-8 JSON, in one step.

    Parameters
    ----------
    path : path
        The file to write; missing parent folders are made.
    obj : object
        Anything that the standard library's :mod:`json` writes, without NaN and infinities, which
        are not JSON.

    Raises
    ------
    SdlibError
        The file cannot be written (see :func:`atomic_path`).
    ValueError
        ``obj`` holds NaN or an infinity.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "row.json"
    >>> write_json(path, {"seed": 3})
    >>> json.loads(path.read_text())
    {'seed': 3}
    """
    text = json.dumps(obj, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
