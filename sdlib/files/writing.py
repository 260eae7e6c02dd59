"""Writing files so that they are either whole or absent, even if the run is killed.

The content is written under a temporary name beside the target and then moved over it in one step.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from sdlib.errors import SdlibError
from sdlib.files.temporary import discard, remove_leftovers, temporary_name

__all__ = ["REASONS", "all_or_none", "atomic_path", "cannot_write", "obstacle", "write_json"]

REASONS = {
    errno.ENOSPC: "the disk is full: free some space, or choose another folder",
    errno.EDQUOT: "the disk quota is used up: free some space, or choose another folder",
    errno.EACCES: "writing there is not permitted: choose another folder",
    errno.EPERM: "writing there is not permitted: choose another folder",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.EFBIG: "the file is larger than allowed there: choose another folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EEXIST: "something else of that name is in the way",
    errno.EISDIR: "a folder of that name is in the way",
    errno.ENAMETOOLONG: "a name in the path is too long: expected 255 bytes at most",
    errno.ELOOP: "links in the path lead round in a circle",
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
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.ENOENT):
        reason = obstacle(Path(path).parent) or reason
    return SdlibError(f"cannot write {os.fspath(path)}: {reason}")


def obstacle(folder: Path) -> str:
    """What is in the way of making a folder, as a sentence; empty if nothing is.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> obstacle(folder / "outputs")
    ''
    >>> _ = (folder / "outputs").write_text("a note")
    >>> obstacle(folder / "outputs" / "site").replace(str(folder), "FOLDER")
    'FOLDER/outputs is a file, not a folder: remove it, or choose another folder'
    """
    for part in reversed((folder, *folder.parents)):
        if not os.path.lexists(part) or os.path.isdir(part):
            continue
        if os.path.exists(part):
            return f"{part} is a file, not a folder: remove it, or choose another folder"
        return (
            f"{part} is a link to {os.readlink(part)}, which is not there: make that folder, "
            "remove the link, or choose another folder"
        )
    return ""


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


def _to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, would outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _names_to_disk(folder: Path) -> None:
    # The file is in place already; some network file systems refuse this for folders.
    with contextlib.suppress(OSError):
        _to_disk(folder)


#: What waits for the end of :func:`all_or_none`: temporary files and their final names.
_together: ContextVar[list[tuple[Path, Path]] | None] = ContextVar("together", default=None)


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary sibling of ``path`` which replaces it when the block succeeds.

    Missing parent folders are made. If the block fails, the temporary file is removed, the file
    that was at ``path`` before is kept, and the exception goes on. A failure of the writing itself,
    whatever exception a library makes of it, becomes an :class:`~sdlib.errors.SdlibError` of one
    sentence. The temporary name has the suffix of the final name, for libraries that choose a
    format by it. The content is on the disk before the name is, so that a power cut leaves no empty
    file. Temporary files of killed processes in the same folder are removed.

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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    remove_leftovers(path.parent)
    temporary = temporary_name(path)
    waits = False
    try:
        yield temporary
        _to_disk(temporary)
        together = _together.get()
        if together is None:
            os.replace(temporary, path)
            _names_to_disk(path.parent)
        else:
            together.append((temporary, path))
            waits = True
    except SdlibError:
        raise
    except Exception as error:
        cause = _cause(error, path, temporary)
        if cause is None:
            raise
        raise cannot_write(path, cause) from error
    finally:
        if not waits:
            discard(temporary)  # after success the name is gone already


@contextmanager
def all_or_none() -> Iterator[None]:
    """Let all files that the block writes by :func:`atomic_path` take their places at its end.

    If the block fails, or one of the files cannot be moved to its place, every file is as it was.

    Raises
    ------
    SdlibError
        A file cannot be moved to its place.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with all_or_none():
    ...     write_json(folder / "one.json", 1)
    ...     write_json(folder / "two.json", 2)
    ...     there = (folder / "one.json").exists()
    >>> there, sorted(found.name for found in folder.iterdir())
    (False, ['one.json', 'two.json'])
    """
    if _together.get() is not None:  # part of a larger block
        yield
        return
    files: list[tuple[Path, Path]] = []
    token = _together.set(files)
    try:
        yield
        _replace_all(files)
    finally:
        _together.reset(token)
        for temporary, _ in files:
            discard(temporary)


def _replace_all(files: list[tuple[Path, Path]]) -> None:
    """Move every temporary file to its place, or leave every place as it was."""
    before: list[tuple[Path, Path | None]] = []
    try:
        for temporary, path in files:
            try:
                before.append((path, _second_name(path)))
                os.replace(temporary, path)
            except OSError as error:
                raise cannot_write(path, error) from error
    except BaseException:
        for path, kept in reversed(before):
            with contextlib.suppress(OSError):
                if kept is None:
                    path.unlink(missing_ok=True)
                else:
                    os.replace(kept, path)
        raise
    finally:
        for _, kept in before:
            if kept is not None:
                discard(kept)
    for folder in {path.parent for _, path in files}:
        _names_to_disk(folder)


def _second_name(path: Path) -> Path | None:
    """Another name for a file that is about to be replaced; None if there is none."""
    if not os.path.lexists(path):
        return None
    second = temporary_name(path)
    try:
        os.link(path, second)
    except OSError:  # a folder, or a file system without such links
        try:
            shutil.copy2(path, second)
        except BaseException:
            discard(second)
            raise
    return second


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
