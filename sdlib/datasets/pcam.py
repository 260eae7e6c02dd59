"""PatchCamelyon as published: HDF5 files of 96 x 96 px lymph node tiles.

x: the tile, RGB, 10x. y: 1 if there is tumour in the central 32 x 32 px. 327,680 tiles of
Camelyon16's slides, from two centres: train 262,144, validation (published as "valid") 32,768,
test 32,768, half of each with tumour. No slide is in two splits. 7.5 GiB to download, 8.4 GiB
unpacked. CC0. Veeling et al. 2018, https://arxiv.org/abs/1806.03962, Zenodo record 2546921.

Files: ``camelyonpatch_level_2_split_{train,valid,test}_{x,y}.h5``, or the same with ``.gz`` as
downloaded. The names of the slides are in ``..._meta.csv`` beside them, which may be missing.
"""

from __future__ import annotations

import gzip
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from sdlib.datasets.group_names import canonical_groups
from sdlib.datasets.images import fit_square
from sdlib.datasets.store import cache_folder, cached_tiles, data_folder, fingerprint
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError
from sdlib.files import atomic_path

__all__ = ["load_pcam"]

PUBLISHED = {"train": "train", "validation": "valid", "test": "test"}
FETCH_HINT = "Download it by 'python -m sdlib fetch pcam' (7.5 GiB)."
READ_BATCH = 256  # tiles read at a time: 7 MB
COPY_BYTES = 1 << 20


def load_pcam(
    split: str,
    folder: str | os.PathLike[str] | None = None,
    size: int = 96,
    n: int | None = None,
    seed: int = 0,
    cache: str | os.PathLike[str] | None = None,
) -> TileSet:
    """Load one official split of PatchCamelyon, or a balanced random part of it.

    Tiles are copied batch by batch from the HDF5 file into a cache on disk, which is then mapped:
    a split need not fit into memory. A ``.gz`` file is unpacked into the cache first.

    Parameters
    ----------
    split : {"train", "validation", "test"}
        Name of the split.
    folder : str or os.PathLike, optional
        The folder of the files; by default ``pcam`` under the root that ``SDLIB_DATA`` names.
    size : int
        Side of the tiles in pixels; 96 leaves them as they are, other sizes are averaged over
        area.
    n : int, optional
        Number of tiles, even, half of them of each class, in the file's order; by default all.
    seed : int
        Seeds the draw of ``n`` tiles.
    cache : str or os.PathLike, optional
        Folder of the cache; by default :func:`~sdlib.datasets.store.cache_folder`.

    Returns
    -------
    TileSet
        Its images are a read-only memory map. Its groups are slides if there is a
        ``..._meta.csv``; else every tile is a group of its own. Its factors are ``index`` (row in
        the HDF5 file) and, if the meta file has a column ``center``, ``centre``.

    Raises
    ------
    ConfigError
        If the split is unknown, or ``n`` is odd, not positive or more than there are tiles.
    DataError
        If a file is missing, damaged, or not in the published form.
    SdlibError
        If the cache cannot be written.

    Examples
    --------
    >>> tiles = load_pcam("test", size=64, n=1000)  # doctest: +SKIP
    >>> len(tiles), tiles.size  # doctest: +SKIP
    (1000, 64)
    """
    if split not in PUBLISHED:
        raise ConfigError(f"expected a split of {', '.join(PUBLISHED)}, got {split!r}")
    folder = Path(folder) if folder is not None else data_folder("pcam", None, FETCH_HINT)
    cache = Path(cache or cache_folder())
    stem = f"camelyonpatch_level_2_split_{PUBLISHED[split]}"
    with _dataset(_unpacked(folder, f"{stem}_y.h5", cache), "y") as y:
        targets = y[:].reshape(-1).astype(np.int64)
    chosen = _choose(targets, n, seed)

    path = _unpacked(folder, f"{stem}_x.h5", cache)
    with _dataset(path, "x") as x:
        if x.shape != (len(targets), 96, 96, 3) or x.dtype != np.uint8:
            raise DataError(
                f"expected uint8 ({len(targets)}, 96, 96, 3) in {path}, as {stem}_y.h5 has it, "
                f"got {x.dtype} {x.shape}: fetch both files again"
            )
        state = path.stat()
        key = fingerprint([stem, size, n, seed, state.st_size, state.st_mtime_ns])
        images = cached_tiles(
            cache / f"pcam-{split}-{size}-{key}.npy",
            (len(chosen), size, size, 3),
            _read(x, chosen, size),
        )
    groups, factors = _meta(folder / f"{stem}_meta.csv", targets)
    factors = {"index": np.arange(len(targets)), **factors}
    factors = {name: column[chosen] for name, column in factors.items()}
    return TileSet(images, targets[chosen], groups[chosen], factors)


def _choose(targets: np.ndarray, n: int | None, seed: int) -> np.ndarray:
    """Draw the rows of ``n`` tiles, half of each class, in ascending order."""
    if n is None:
        return np.arange(len(targets))
    most = 2 * np.bincount(targets, minlength=2).min()
    if n < 2 or n % 2 or n > most:
        raise ConfigError(f"expected an even n of 2 to {most}, half of each class, got {n}")
    rng = np.random.default_rng(seed)
    halves = []
    for label in (0, 1):
        members = np.flatnonzero(targets == label)
        halves.append(rng.choice(members, n // 2, replace=False))
    return np.sort(np.concatenate(halves))


def _read(x: h5py.Dataset, chosen: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Yield the chosen tiles in batches, uint8 ``(b, size, size, 3)``."""
    # HDF5 reads a whole range far faster than single rows of it.
    for start in range(0, len(x), READ_BATCH):
        first, last = np.searchsorted(chosen, (start, start + READ_BATCH))
        if first == last:
            continue
        try:
            block = x[start : start + READ_BATCH]
        except OSError as error:
            raise DataError(f"{x.file.filename} is damaged: fetch it again ({error})") from error
        tiles = block[chosen[first:last] - start]
        yield np.stack([fit_square(tile, size) for tile in tiles])


def _unpacked(folder: Path, name: str, cache: Path) -> Path:
    """Find an HDF5 file; if there is only its ``.gz``, unpack that into the cache."""
    path, packed = folder / name, folder / f"{name}.gz"
    if path.is_file():
        return path
    if not packed.is_file():
        raise DataError(f"expected {name} or {name}.gz in {folder}, found neither. {FETCH_HINT}")
    # Size and time of change are in the name: another download is unpacked again.
    state = packed.stat()
    target = cache / f"{fingerprint([state.st_size, state.st_mtime_ns])}-{name}"
    if not target.is_file():
        with atomic_path(target) as temporary, temporary.open("wb") as stream:
            try:
                with gzip.open(packed) as source:
                    shutil.copyfileobj(source, stream, COPY_BYTES)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise DataError(f"{packed} is damaged: fetch it again ({error})") from error
    return target


@contextmanager
def _dataset(path: Path, name: str) -> Iterator[h5py.Dataset]:
    """Open one data set of an HDF5 file."""
    try:
        file = h5py.File(path)
    except OSError as error:
        raise DataError(f"{path} is not a readable HDF5 file: fetch it again ({error})") from error
    with file:
        if name not in file:
            raise DataError(
                f"expected a data set {name!r} in {path}, got {', '.join(file) or 'none'}: "
                f"fetch it again"
            )
        yield file[name]


def _meta(path: Path, targets: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read the group of every tile, and the factor ``centre`` if the file has it."""
    if not path.is_file():
        return np.arange(len(targets)).astype(str), {}
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    # Pandas' errors of parsing and Python's of decoding are of this kind.
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a readable table: fetch it again, or remove it") from error
    if "wsi" not in table or len(table) != len(targets):
        raise DataError(
            f"expected a column wsi and {len(targets)} rows in {path}, got "
            f"{', '.join(table.columns)} and {len(table)} rows: fetch it again, or remove it"
        )
    factors = {}
    if "center" in table:
        factors["centre"] = table["center"].to_numpy(str)
    return canonical_groups(table["wsi"].to_numpy(str)), factors
