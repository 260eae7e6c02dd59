"""Open H&E tiles in folders with a manifest: ``open-pcam`` and LC25000's lung tissue.

**open-pcam** (the source called ``open``): 23,552 tiles of PatchCamelyon as JPEG, 96 x 96 px RGB,
lymph node. x: the tile. y: tumour in the central 32 x 32 px. The official splits share no slide:
train 10,000 benign and 9,171 tumour, validation 1,500 and 1,407, test 744 and 730. CC0. Limits:
without identifiers of slides or patients, intervals over tiles are too narrow; the probable
centre is known only as a stain cluster that was derived from colour. The folder is a part of
PatchCamelyon, which ``python -m sdlib fetch pcam`` downloads and
:func:`sdlib.datasets.pcam.load_pcam` reads.

**LC25000, lung** (in ``open-he``): 823 images, 224 x 224 px, 328 benign and 495 tumour
(adenocarcinoma and squamous-cell carcinoma). Copies of one photograph are one group. Free for
research on artificial intelligence by its authors' statement; there is no licence file. Limits:
the stains of the two classes differ already, and patients cannot be told apart.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from sdlib.datasets.file_paths import check_files, inside_paths
from sdlib.datasets.group_names import canonical_groups
from sdlib.datasets.manifest import MANIFEST, SPLITS
from sdlib.datasets.splits import FRACTIONS, grouped_split
from sdlib.datasets.store import (
    cache_folder,
    cached_tiles,
    data_folder,
    decode_tiles,
    fingerprint,
)
from sdlib.datasets.table import read_table
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError

__all__ = ["load_lc25000_lung", "load_open_pcam"]

LABELS = {"benign": 0, "tumour": 1}
FETCH_HINT = (
    "PatchCamelyon, which these tiles come from, is downloaded by 'python -m sdlib fetch pcam'"
)


def load_open_pcam(
    split: str,
    size: int = 96,
    root: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> TileSet:
    """Load one official split of the folder ``open-pcam``.

    There are no identifiers of slides, so every tile is a group of its own and a split by group
    separates no slides. Use the official splits, which share none.

    Parameters
    ----------
    split : {"train", "validation", "test"}
        Name of the split.
    size : int
        Side of the tiles in pixels; 96 leaves them as they are, other sizes are averaged over
        area.
    root : str or os.PathLike, optional
        The folder that holds ``open-pcam``; by default what ``SDLIB_DATA`` names.
    cache : str or os.PathLike, optional
        Folder for the decoded tiles; by default :func:`~sdlib.datasets.store.cache_folder`.

    Returns
    -------
    TileSet
        Its images are a read-only memory map. Its factors are ``stain_cluster`` (``"A"`` pink,
        ``"B"`` purple, ``""`` undecided: the probable centre, not the known one) and ``file``.

    Raises
    ------
    ConfigError
        If the split is unknown.
    DataError
        If the folder is missing, or its manifest or images are not as published.

    Examples
    --------
    >>> tiles = load_open_pcam("test", size=64)  # doctest: +SKIP
    >>> len(tiles), tiles.size  # doctest: +SKIP
    (1474, 64)
    """
    _check_split(split)
    folder = data_folder("open-pcam", root, FETCH_HINT)
    table = _read(folder, ["file", "label", "split", "sha256"])
    table = table[table["split"] == split]
    return _load(folder, table, size, cache, groups="file", factors=("stain_cluster", "file"))


def load_lc25000_lung(
    split: str,
    size: int = 224,
    root: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
    fractions: Mapping[str, float] = FRACTIONS,
    seed: int = 0,
) -> TileSet:
    """Load one split of LC25000's lung images from the folder ``open-he``.

    There is no official split: it is made here, by group, stratified and seeded. Images that
    are marked as duplicates of others are left out of the test split.

    Parameters
    ----------
    split : str
        One of the names in ``fractions``.
    size : int
        Side of the tiles in pixels; 224 leaves them as they are, other sizes are averaged over
        area.
    root : str or os.PathLike, optional
        The folder that holds ``open-he``; by default what ``SDLIB_DATA`` names.
    cache : str or os.PathLike, optional
        Folder for the decoded tiles; by default :func:`~sdlib.datasets.store.cache_folder`.
    fractions : mapping of str to float
        Share of each split; see :func:`~sdlib.datasets.splits.grouped_split`.
    seed : int
        Seeds the split.

    Returns
    -------
    TileSet
        Its images are a read-only memory map. Its factors are ``finding`` (``lung_n`` benign,
        ``lung_aca``, ``lung_scc``) and ``file``.

    Raises
    ------
    ConfigError
        If the split is unknown.
    DataError
        If the folder is missing, or its manifest or images are not as published.

    Examples
    --------
    >>> tiles = load_lc25000_lung("test", size=64)  # doctest: +SKIP
    >>> sorted(set(tiles.factors["finding"]))  # doctest: +SKIP
    ['lung_aca', 'lung_n', 'lung_scc']
    """
    _check_split(split, fractions)
    folder = data_folder("open-he", root)
    needed = ["file", "label", "group", "source", "sha256"]
    table = _read(folder, needed)
    table["group"] = canonical_groups(table["group"].to_numpy(str))
    table = table[table["source"] == "lc25000_lung"]
    targets = table["label"].map(LABELS).to_numpy()
    rows = grouped_split(targets, table["group"].to_numpy(str), fractions, seed)[split]
    table = table.iloc[rows]
    # A test image that is there twice would count twice; in training a copy does no harm.
    if split == "test":
        table = table[table["duplicate_of"] == ""]
    return _load(folder, table, size, cache, groups="group", factors=("finding", "file"))


def _check_split(split: str, known: Iterable[str] = SPLITS) -> None:
    """Check that a split has one of the known names."""
    if split not in known:
        raise ConfigError(f"expected a split of {', '.join(known)}, got {split!r}")


def _read(folder: Path, needed: list[str]) -> pd.DataFrame:
    """Read the folder's manifest; all its files, of every split, are checked together."""
    table = read_table(folder / MANIFEST, needed)
    table["file"] = inside_paths(table["file"].items(), str(folder / MANIFEST))
    return table


def _load(
    folder: Path,
    table: pd.DataFrame,
    size: int,
    cache: str | os.PathLike[str] | None,
    groups: str,
    factors: tuple[str, ...],
) -> TileSet:
    """Decode the files of a table, or map them from the cache, and add the table's columns."""
    for number, label in table["label"].items():
        if label not in LABELS:
            raise DataError(
                f"expected label in {{{', '.join(LABELS)}}}, got {label} in row {number} of "
                f"{folder / MANIFEST}: copy the folder again"
            )
    # Decoding verifies the hashes, so they identify the content of the files.
    key = fingerprint([size, *table["file"], *table["sha256"]])
    images = cached_tiles(
        Path(cache or cache_folder()) / f"{folder.name}-{size}-{key}.npy",
        (len(table), size, size, 3),
        _decode(folder, table, size),
    )
    targets = table["label"].map(LABELS).to_numpy(np.int64)
    columns = {name: table[name].to_numpy(str) for name in factors}
    return TileSet(images, targets, table[groups].to_numpy(str), columns)


def _decode(folder: Path, table: pd.DataFrame, size: int) -> Iterator[np.ndarray]:
    """Yield a table's tiles in batches; files are looked at only if the cache has none."""
    check_files(table["file"].items(), folder, MANIFEST)
    yield from decode_tiles(
        [folder / file for file in table["file"]],
        size,
        [f"row {number} of {MANIFEST}" for number in table.index],
        table["sha256"].tolist(),
    )
