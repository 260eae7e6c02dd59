"""Temporary names, from which one can tell whose they are and whether that process is gone."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import re
import secrets
import time
from pathlib import Path

__all__ = ["discard", "remove_leftovers", "temporary_name"]

LONGEST_NAME = 255  # bytes, in every common file system
LONGEST_SUFFIX = 16  # bytes; longer ones are no format's

#: Process id, machine and random part of a temporary name; older versions named no machine.
TEMPORARY = re.compile(r"\..*\.(\d+)-([0-9a-f]{8})?[0-9a-f]{8}(\.[^.]*)?")
ABANDONED = 30 * 24 * 3600  # seconds; whether a process of another machine is alive is not known

_being_written: set[str] = set()  # temporary names of this process


@functools.cache
def _machine() -> str:
    """Eight hexadecimal digits for the machine, or the container, in which process ids count."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        namespace = ""
    return hashlib.sha256(f"{platform.node()} {namespace}".encode()).hexdigest()[:8]


def temporary_name(path: Path) -> Path:
    """A hidden sibling of a file that nobody else writes to, until :func:`discard`."""
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= LONGEST_SUFFIX else ""
    ending = f".{os.getpid()}-{_machine()}{secrets.token_hex(4)}{suffix}"
    room = LONGEST_NAME - len(os.fsencode(f".{ending}"))
    stem = path.stem.encode(errors="ignore")[:room].decode(errors="ignore")
    name = f".{stem}{ending}"
    _being_written.add(name)
    return path.with_name(name)


def discard(temporary: Path) -> None:
    """Remove a temporary file, if it is still there, and free its name."""
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)
    _being_written.discard(temporary.name)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that killed processes have left in a folder."""
    with contextlib.suppress(OSError):  # what cannot be removed harms nobody
        for name in os.listdir(folder):
            found = TEMPORARY.fullmatch(name)
            if found and not _in_use(folder / name, int(found[1]), found[2]):
                os.unlink(folder / name)


def _in_use(temporary: Path, process: int, machine: str | None) -> bool:
    """Whether the process that writes a temporary file may be alive."""
    if machine not in (None, _machine()) or os.name != "posix":
        return time.time() - temporary.stat().st_mtime < ABANDONED
    if process == os.getpid():  # if it is not in the list, an earlier process had this number
        return temporary.name in _being_written
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # of another user; no process has such a number
        return True
    return True
