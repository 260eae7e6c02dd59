"""The folders of data sets, and the cache of decoded tiles that makes opening them quick.

Two folders are outside the code. The environment variable ``SDLIB_DATA`` names the root of the
user's data. ``SDLIB_OUTPUTS`` names the folder of working files, by default ``outputs`` in the
repository; its ``cache`` folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from sdlib.datasets.file_paths import is_file
from sdlib.datasets.images import check_side, fit_square, read_image
from sdlib.errors import DataError
from sdlib.files import atomic_path
from sdlib.paths import ROOT, outputs_folder

__all__ = ["cache_folder", "cached_tiles", "data_folder", "decode_tiles", "fingerprint"]

DECODE_BATCH = 256  # tiles: enough to keep all cores busy, 38 MB at 224 px


def data_folder(name: str, root: str | os.PathLike[str] | None = None, otherwise: str = "") -> Path:
    """Find the folder of a data set under a root, by default the one that ``SDLIB_DATA`` names.

    Parameters
    ----------
    name : str
        The folder's name.
    root : str or os.PathLike, optional
        The folder that holds it; by default what ``SDLIB_DATA`` names. A relative path is looked
        up from the working folder, then from the repository.
    otherwise : str, optional
        What else the user can do; errors end with this sentence.

    Returns
    -------
    pathlib.Path
        The folder, which exists.

    Raises
    ------
    DataError
        If no root is known, or it has no such folder.

    Examples
    --------
    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "mine").mkdir()
    >>> data_folder("mine", root).name
    'mine'
    """
    given = root if root is not None else os.path.expanduser(os.environ.get("SDLIB_DATA", ""))
    if not given:
        raise DataError(
            f"the data set {name!r} is not part of the project: set SDLIB_DATA to the folder that "
            f"holds {name}/. {otherwise}".rstrip()
        )
    # Notebooks run in folders of their own, where a path from the repository means nothing.
    candidates = [Path(given) / name, ROOT / given / name]
    for candidate in candidates:
        # Never an error, not even for a path that is too long.
        if os.path.isdir(candidate):
            return candidate
    raise DataError(
        f"expected the data set {name!r} in {candidates[0]}, found no such folder: "
        f"check SDLIB_DATA. {otherwise}".rstrip()
    )


def cache_folder() -> Path:
    """Folder of decoded tiles: ``$SDLIB_OUTPUTS/cache``, or ``outputs/cache``.

    Returns
    -------
    pathlib.Path
        The folder, which need not exist yet.

    Examples
    --------
    >>> cache_folder().name
    'cache'
    """
    return outputs_folder() / "cache"


def fingerprint(parts: Iterable[object]) -> str:
    """Twelve hexadecimal digits that identify a sequence of values.

    Parameters
    ----------
    parts : iterable of object
        Values whose ``repr`` tells them apart, such as text and numbers.

    Returns
    -------
    str
        The digits, which change with any of the values or their order.

    Examples
    --------
    >>> fingerprint(["a.png", 64]) == fingerprint(["a.png", 64])
    True
    >>> fingerprint(["ab", "c"]) == fingerprint(["a", "bc"])
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(part).encode() + b"\0")  # the zero keeps neighbours apart
    return digest.hexdigest()[:12]


def cached_tiles(
    path: str | os.PathLike[str], shape: tuple[int, ...], batches: Iterable[np.ndarray]
) -> np.ndarray:
    """Map the tiles of a cache file into memory; write the file first if it is missing.

    Tiles are written batch by batch, so that a set need not fit into memory.

    Parameters
    ----------
    path : str or os.PathLike
        The ``.npy`` file. Its name must identify the content (see :func:`fingerprint`).
    shape : tuple of int
        Shape of all tiles together, ``(n, S, S, 3)``.
    batches : iterable of numpy.ndarray
        uint8, shape ``(b, S, S, 3)``, together of ``shape``. They are not used if the file
        exists and is whole.

    Returns
    -------
    numpy.ndarray
        uint8, of ``shape``, a read-only memory map.

    Raises
    ------
    SdlibError
        If the cache cannot be written; no part of a file remains.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "tiles.npy"
    >>> cached_tiles(path, (2, 4, 4, 3), [np.zeros((2, 4, 4, 3), np.uint8)]).shape
    (2, 4, 4, 3)
    >>> len(cached_tiles(path, (2, 4, 4, 3), []))
    2
    """
    path = Path(path)
    try:
        tiles = np.load(path, mmap_mode="r")
        if tiles.shape == shape and tiles.dtype == np.uint8:
            return tiles
    except (OSError, ValueError, EOFError):
        pass  # missing, unreadable or damaged: it is written below
    # A plain stream, not a writable map: on a full disk a map kills the process, while a stream
    # raises an error that can be explained.
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
    side: int | None = None,
    fit: Callable[[np.ndarray, int], np.ndarray] = fit_square,
) -> Iterator[np.ndarray]:
    """Decode image files to square tiles, in order and in batches, on all cores.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        Image files.
    size : int
        Side of the tiles in pixels.
    where : sequence of str, optional
        For each file the place that names it, which is repeated in errors.
    sha256 : sequence of str, optional
        For each file the hash that it must have.
    side : int, optional
        The side in pixels that every image must have, where the data set has only one.
    fit : callable
        What makes an image, uint8 ``(H, W, 3)``, a square of ``size`` pixels.

    Yields
    ------
    numpy.ndarray
        uint8, shape ``(b, size, size, 3)``.

    Raises
    ------
    DataError
        At the first file that cannot be read, or has another hash or another size.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> path = Path(tempfile.mkdtemp()) / "a.png"
    >>> Image.new("RGB", (20, 16), "pink").save(path)
    >>> [batch.shape for batch in decode_tiles([path, path], size=8)]
    [(2, 8, 8, 3)]
    """

    def decode(index: int) -> np.ndarray:
        path = paths[index]
        place = where[index] if where else None
        # A missing file gets the reader's sentence, which tells its row.
        if sha256 and is_file(path, f"{path} ({place})"):
            with path.open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
            if found != sha256[index]:
                raise DataError(
                    f"{path} is not the file its manifest describes (expected sha256 "
                    f"{sha256[index][:12]}..., got {found[:12]}...): fetch it again"
                )
        image = read_image(path, place)
        if side is not None:
            check_side(image, side, f"{path} ({place})" if place else f"{path}")
        return fit(image, size)

    # Pillow and OpenCV release the interpreter's lock while they work.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), DECODE_BATCH):
            batch = range(start, min(start + DECODE_BATCH, len(paths)))
            yield np.stack(list(pool.map(decode, batch)))
