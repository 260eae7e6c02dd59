"""Where data sets lie, and the cache of decoded tiles that makes opening them quick.

Two folders outside the code: the user's data under the root that the environment variable
``SDLIB_DATA`` names, and working files under ``SDLIB_OUTPUTS`` (``outputs`` in the repository by
default), whose ``cache`` folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from sdlib.datasets.images import fit_square, read_image
from sdlib.errors import DataError
from sdlib.files import atomic_path
from sdlib.paths import ROOT, outputs_folder

__all__ = ["cache_folder", "cached_tiles", "data_folder", "decode_tiles", "fingerprint"]

DECODE_BATCH = 256


def data_folder(name: str, root: str | os.PathLike[str] | None = None, otherwise: str = "") -> Path:
    """The folder of a data set under ``root``, or under the root that ``SDLIB_DATA`` names.

    A relative ``SDLIB_DATA`` is looked up from the working folder, then from the repository,
    since notebooks run in folders of their own.

    Raises
    ------
    DataError
        If no root is given, or it has no such folder; ends with ``otherwise``, which tells what
        else can be done.
    """
    given = root if root is not None else os.environ.get("SDLIB_DATA")
    if not given:
        raise DataError(
            f"the data set {name!r} is not part of the project: set SDLIB_DATA to the folder that "
            f"holds {name}/. {otherwise}".rstrip()
        )
    candidates = [Path(given) / name, ROOT / given / name]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise DataError(
        f"expected the data set {name!r} in {candidates[0]}, found no such folder: "
        f"check SDLIB_DATA. {otherwise}".rstrip()
    )


def cache_folder() -> Path:
    """The folder of decoded tiles: ``$SDLIB_OUTPUTS/cache``, or ``outputs/cache``."""
    return outputs_folder() / "cache"


def fingerprint(parts: Iterable[object]) -> str:
    """Twelve hexadecimal digits that change with any of ``parts`` or their order.

    Examples
    --------
    >>> fingerprint(["a.png", 64]) == fingerprint(["a.png", 64])
    True
    >>> fingerprint(["ab", "c"]) == fingerprint(["a", "bc"])
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(part).encode() + b"\0")
    return digest.hexdigest()[:12]


def cached_tiles(
    path: str | os.PathLike[str], shape: tuple[int, ...], batches: Iterable[np.ndarray]
) -> np.ndarray:
    """Map the tiles stored at ``path``, writing them there first if need be.

    Tiles go to disk batch by batch, so that a set need not fit into memory. They are written as
    a plain stream rather than into a writable map: on a full disk a map kills the process, while
    a stream raises an error that can be explained.

    Parameters
    ----------
    path
        The ``.npy`` file. Its name must identify the content (see :func:`fingerprint`).
    shape
        Shape of all tiles, ``(n, S, S, 3)``.
    batches
        uint8 arrays ``(b, S, S, 3)`` which add up to ``shape``; not consumed when ``path`` is
        already there.

    Returns
    -------
    numpy.ndarray
        uint8, read-only memory map.

    Raises
    ------
    SdlibError
        If the cache cannot be written; nothing half-written stays behind.
    """
    path = Path(path)
    try:
        tiles = np.load(path, mmap_mode="r")
        if tiles.shape == shape and tiles.dtype == np.uint8:
            return tiles
    except (FileNotFoundError, NotADirectoryError, ValueError, EOFError):
        pass  # not there, or damaged: written anew
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(stream, header)
        for batch in batches:
            stream.write(np.ascontiguousarray(batch, np.uint8).data)
    return np.load(path, mmap_mode="r")


def decode_tiles(
    paths: Sequence[Path],
    size: int,
    where: Sequence[str] | None = None,
    sha256: Sequence[str] | None = None,
) -> Iterator[np.ndarray]:
    """Decode image files to square tiles, in order and in batches, on every core.

    Parameters
    ----------
    paths
        Image files.
    size
        Side of the tiles in pixels (see :func:`~sdlib.datasets.images.fit_square`).
    where
        For each file, where it was named; errors say it.
    sha256
        For each file, the hash it must have.

    Yields
    ------
    numpy.ndarray
        uint8, ``(b, size, size, 3)``.

    Raises
    ------
    DataError
        At the first file that cannot be read or has another hash.
    """

    def decode(index: int) -> np.ndarray:
        path, place = paths[index], where[index] if where else None
        if sha256 and path.is_file():
            with path.open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
            if found != sha256[index]:
                raise DataError(
                    f"{path} is not the file its manifest describes (expected sha256 "
                    f"{sha256[index][:12]}..., got {found[:12]}...): fetch it again"
                )
        return fit_square(read_image(path, place), size)

    # Pillow and OpenCV release the interpreter's lock while they work.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), DECODE_BATCH):
            batch = range(start, min(start + DECODE_BATCH, len(paths)))
            yield np.stack(list(pool.map(decode, batch)))
