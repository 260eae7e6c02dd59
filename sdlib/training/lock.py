"""A lock that one process at a time can hold, and that is gone when its process is."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sdlib.errors import SdlibError
from sdlib.files import cannot_write

__all__ = ["only_process"]

TAKEN = (errno.EACCES, errno.EAGAIN)  # what POSIX allows a system to say of a lock that is held
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)  # some network folders


@contextmanager
def only_process(path: Path, what: str, wait: bool = False) -> Iterator[None]:
    """Hold a lock for the length of a block, or say which process holds it.

    The lock is one of the operating system on an open file: however a process ends, its lock ends
    with it, so that no run has to be unlocked by hand. Processes forked from the holder do not hold
    it. Where a folder knows no locks, the block is run without.

    Parameters
    ----------
    path : pathlib.Path
        The file to lock; missing parent folders are made. It is removed at the end of the block;
        where a killed process has left it, it locks nothing.
    what : str
        What is locked, for the message, such as ``the search cutout/sd_eq2``.
    wait : bool
        Wait for another process that holds the lock, in the place of an error.

    Raises
    ------
    SdlibError
        Another process holds the lock, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "only"
    >>> with only_process(path, "the example"):
    ...     text = path.read_text()
    >>> text.startswith(f"process {os.getpid()} on "), path.exists()
    (True, False)
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _locked(path, what, wait)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        yield
    finally:
        # Removed while it is held: whoever opens the name from now on makes another file.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _locked(path: Path, what: str, wait: bool) -> int:
    """Open a file and lock it; the descriptor keeps the lock until it is closed."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor, what, wait)
            if _is_named(descriptor, path):
                os.ftruncate(descriptor, 0)
                name = f"process {os.getpid()} on {socket.gethostname()}"
                os.pwrite(descriptor, name.encode(), 0)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        # The last holder has removed the file between our opening and our locking it.
        os.close(descriptor)


def _lock(descriptor: int, what: str, wait: bool) -> None:
    """Lock an open file; if at once, and another holds it, raise an error that names the holder."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in TAKEN:
            holder = os.pread(descriptor, 1000, 0).decode(errors="replace") or "another process"
            raise SdlibError(
                f"{what} is at work in {holder}: wait for it, or stop it, and start again"
            ) from error
        if error.errno not in NO_LOCKS:
            raise


def _is_named(descriptor: int, path: Path) -> bool:
    """Whether a path still leads to the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
