"""Images that code renders: made in parallel, kept on disk, checked whenever they are read."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pooch
from joblib import Parallel, delayed

from sdlib.errors import ConfigError
from sdlib.files import atomic_path, write_json
from sdlib.paths import named_folder

__all__ = ["cache_folder", "keep_rendered"]

CHUNK = 128  # images per task: about half a second at 64 px
log = logging.getLogger(__name__)

Render = Callable[[Any], np.ndarray]


def cache_folder() -> Path:
    """The folder where rendered images are kept.

    Returns
    -------
    pathlib.Path
        The environment variable ``SDLIB_CACHE`` if it is set, else the system's cache folder.

    Examples
    --------
    >>> isinstance(cache_folder(), Path)
    True
    """
    return named_folder("SDLIB_CACHE", Path(pooch.os_cache("sdlib")))


def keep_rendered(
    path: Path,
    design: Mapping[str, Any],
    things: Sequence[Any],
    render: Render,
    workers: int | None = None,
) -> Path:
    """Render things into a file, unless it is there already and is what it should be.

    A file that was cut short or changed is noticed by its SHA-256. A file made by other code or by
    another OpenCV is noticed by two images that are rendered again. Either is logged and replaced.
    The result does not depend on the number of workers.

    Parameters
    ----------
    path : pathlib.Path
        A ``.npy`` file. Its name must tell designs apart; its note is the ``.json`` beside it.
    design : mapping of str to object
        What the images are, as JSON can hold it.
    things : sequence of object
        What to render, at least one; their ``repr`` tells them apart.
    render : callable
        Turns a thing into a uint8 array, all of one shape; processes must be able to pickle it.
    workers : int, optional
        Number of processes, by default one per core.

    Returns
    -------
    pathlib.Path
        ``path``: an array of uint8, the number of things by the shape of one.

    Raises
    ------
    ConfigError
        ``workers`` below 1.
    SdlibError
        The folder cannot be written to, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "levels.npy"
    >>> def square(level):
    ...     return np.full((2, 2), level, np.uint8)
    >>> kept = keep_rendered(path, {"side": 2}, [0, 9], square, workers=1)
    >>> np.load(kept)[:, 0, 0].tolist()
    [0, 9]
    """
    workers = workers if workers is not None else os.cpu_count() or 1
    if workers < 1:
        raise ConfigError(f"expected at least 1 worker, got {workers}")
    ends = [render(thing) for thing in (things[0], things[-1])]
    full = {**design, "probe": _probe((things[0], things[-1]), ends)}
    if not _is_whole(path, full):
        _make(path, full, things, render, ends[0].shape, workers)
    return path


def _probe(things: Sequence[Any], images: Sequence[np.ndarray]) -> str:
    """Digest of the first and the last thing as this code, OpenCV and machine render them."""
    digest = hashlib.sha256()
    for thing, image in zip(things, images, strict=True):
        digest.update(repr(thing).encode() + image.tobytes())
    return digest.hexdigest()


def _is_whole(path: Path, design: dict[str, Any]) -> bool:
    """Whether the file is there and agrees with its note; one that does not is logged."""
    if not path.exists():
        return False
    try:
        note = json.loads(_note(path).read_text(encoding="utf-8"))
        whole = note["design"] == design and note["sha256"] == _sha256(path)
    except (OSError, ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        log.warning(
            "%s does not match its checksum, or was made by other code: making it again", path
        )
    return whole


def _note(path: Path) -> Path:
    """The file beside the images that holds their design and checksum."""
    return path.with_suffix(".json")


def _sha256(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _make(
    path: Path,
    design: dict[str, Any],
    things: Sequence[Any],
    render: Render,
    shape: tuple[int, ...],
    workers: int,
) -> None:
    """Render things into a file and write its note."""
    log.info("rendering %d images of %s into %s", len(things), shape, path)
    length = int(np.prod(shape))
    with atomic_path(path) as temporary:
        with temporary.open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(things), *shape)}
            np.lib.format.write_array_header_1_0(file, header)
            start = file.tell()
            # The whole length is set first, so that every task can write at its own offset.
            file.truncate(start + len(things) * length)
        tasks = [
            (temporary, start + i * length, things[i : i + CHUNK], render)
            for i in range(0, len(things), CHUNK)
        ]
        if workers == 1 or len(tasks) == 1:
            for task in tasks:
                _write_chunk(*task)
        else:
            Parallel(n_jobs=min(workers, len(tasks)))(delayed(_write_chunk)(*t) for t in tasks)
        digest = _sha256(temporary)
    write_json(_note(path), {"design": design, "sha256": digest})


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep OpenCV to one thread: on small images, more threads cost time."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _write_chunk(path: Path, start: int, things: Sequence[Any], render: Render) -> None:
    """Render things and write their pixels from byte ``start`` on."""
    # Plain writes, not a memory map: on a full disk they raise instead of killing the process.
    with _one_thread(), path.open("r+b") as file:
        file.seek(start)
        for thing in things:
            file.write(render(thing).tobytes())
