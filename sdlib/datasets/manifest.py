"""Your own images: a folder with a ``manifest.csv``.

======== ============================================================================
column   content
======== ============================================================================
file     path of the image relative to the folder
label    0 benign, 1 cancer
group    patient, case or slide: images of one group never come into two splits
split    optional: train, validation or test
others   optional and kept: centre, scanner, whatever results are to be broken down by
======== ============================================================================
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch.utils.data import Dataset

from sdlib.datasets.images import fit_square, read_image
from sdlib.datasets.splits import FRACTIONS, grouped_split
from sdlib.datasets.store import cache_folder, cached_tiles, decode_tiles, fingerprint
from sdlib.datasets.table import read_table
from sdlib.datasets.tiles import TileSet
from sdlib.errors import DataError

__all__ = ["MANIFEST", "SPLITS", "ManifestDataset"]

MANIFEST = "manifest.csv"
SPLITS = ("train", "validation", "test")
COLUMNS = ("file", "label", "group")
# Spreadsheets and data frames write whole numbers with a point, too.
LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}


class ManifestDataset(Dataset):
    """The images that a folder's ``manifest.csv`` lists.

    Everything that can be checked without decoding is checked on opening, and errors name the
    row as an editor or a spreadsheet counts it (the header is row 1).

    Parameters
    ----------
    folder
        The folder with ``manifest.csv``; comma or semicolon separated, UTF-8.
    size
        Side in pixels to which each image is cut square and resized; None leaves it as it is.
    transform
        Called with each image (uint8, HWC, RGB); what it returns is the item's image.

    Attributes
    ----------
    table : pandas.DataFrame
        The manifest's rows, all text except ``label``, indexed by row number.
    targets : numpy.ndarray
        int64, shape ``(n,)``: 0 benign, 1 cancer.
    groups : numpy.ndarray
        str, shape ``(n,)``.

    Raises
    ------
    DataError
        For a manifest that is missing, empty, not a table or without a needed column; a row with
        an empty or surplus field, a label other than 0 or 1, an unknown split, a file that is
        absent, outside the folder or listed twice; a group in two splits; one class only,
        in all rows or in the train split.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("a.png", "b.png"):
    ...     Image.new("RGB", (96, 96), "pink").save(folder / name)
    >>> _ = (folder / "manifest.csv").write_text("file,label,group\\na.png,0,p1\\nb.png,1,p2\\n")
    >>> dataset = ManifestDataset(folder, size=64)
    >>> image, target = dataset[1]
    >>> image.shape, target
    ((64, 64, 3), 1)
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        size: int | None = None,
        transform: Callable[[np.ndarray], Any] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.size = size
        self.transform = transform
        self.table = read_table(self.folder / MANIFEST, COLUMNS)
        _check(self.table, self.folder)
        self.table["label"] = self.table["label"].map(LABELS).astype(np.int64)

    @property
    def targets(self) -> np.ndarray:
        return self.table["label"].to_numpy(np.int64)

    @property
    def groups(self) -> np.ndarray:
        return self.table["group"].to_numpy(str)

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        row = self.table.iloc[index]
        image = read_image(self.folder / row["file"], f"row {row.name} of {MANIFEST}")
        if self.size is not None:
            image = fit_square(image, self.size)
        return (image if self.transform is None else self.transform(image)), int(row["label"])

    def split(self, name: str) -> ManifestDataset:
        """The rows of one split.

        Raises
        ------
        DataError
            If there is no such split, or no split column: :meth:`with_splits` makes one.
        """
        if "split" not in self.table:
            raise DataError(f"{MANIFEST} has no column split: call with_splits(seed=...) first")
        chosen = self.table["split"] == name
        if not chosen.any():
            raise DataError(
                f"expected a split among {', '.join(sorted(set(self.table['split'])))}, got {name}"
            )
        return self._with_table(self.table[chosen])

    def with_splits(
        self, fractions: Mapping[str, float] = FRACTIONS, seed: int = 0
    ) -> ManifestDataset:
        """The same rows, newly split by group and class.

        See :func:`~sdlib.datasets.splits.grouped_split`.
        """
        split = np.empty(len(self), object)
        for name, rows in grouped_split(self.targets, self.groups, fractions, seed).items():
            split[rows] = name
        return self._with_table(self.table.assign(split=split.astype(str)))

    def to_tiles(self, size: int, cache: str | os.PathLike[str] | None = None) -> TileSet:
        """Decode every image once into a cache on disk.

        Parameters
        ----------
        size
            Side of the tiles in pixels.
        cache
            Folder of the cache; by default :func:`~sdlib.datasets.store.cache_folder`.

        Returns
        -------
        TileSet
            ``factors`` hold the manifest's further columns as text.

        Raises
        ------
        DataError
            At the first image that cannot be read, with its row.
        """
        paths = [self.folder / file for file in self.table["file"]]
        stamps = [(str(path.resolve()), path.stat()) for path in paths]
        key = fingerprint([size, *((name, s.st_size, s.st_mtime_ns) for name, s in stamps)])
        where = [f"row {row} of {MANIFEST}" for row in self.table.index]
        images = cached_tiles(
            Path(cache or cache_folder()) / f"{self.folder.resolve().name}-{size}-{key}.npy",
            (len(paths), size, size, 3),
            decode_tiles(paths, size, where),
        )
        others = self.table.columns.difference(["label", "group"], sort=False)
        factors = {name: self.table[name].to_numpy(str) for name in others}
        return TileSet(images, self.targets, self.groups, factors)

    def _with_table(self, table: pd.DataFrame) -> ManifestDataset:
        # Rows of a checked table need no second check.
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, table=table)
        return other


def _check(table: pd.DataFrame, folder: Path) -> None:
    """Check every row, then the splits; writes tidied paths back to ``table``."""
    seen: dict[str, int] = {}
    for number, file, label in table[["file", "label"]].itertuples():
        if label not in LABELS:
            raise DataError(
                f"expected label in {{0, 1}}, got {label} in row {number} of {MANIFEST}: "
                f"write 0 for benign and 1 for cancer"
            )
        tidy = posixpath.normpath(file.replace("\\", "/"))
        if tidy.startswith(("/", "../")) or tidy[1:2] == ":" or tidy in (".", ".."):
            raise DataError(
                f"expected a path inside the manifest's folder, got {file} in row {number} of "
                f"{MANIFEST}: write it relative to the folder"
            )
        if tidy in seen:
            raise DataError(
                f"expected each file once, got {file} in row {seen[tidy]} and again in row "
                f"{number} of {MANIFEST}: remove one"
            )
        if not (folder / tidy).is_file():
            raise DataError(
                f"expected an image at {folder / tidy}, found none (row {number} of {MANIFEST})"
            )
        seen[tidy] = number
    table["file"] = list(seen)
    if "split" in table:
        _check_splits(table)
    training = table["split"] == "train" if "split" in table else slice(None)
    for rows, place in ((table, MANIFEST), (table[training], f"the train split of {MANIFEST}")):
        if len(set(rows["label"].map(LABELS))) == 1:
            raise DataError(
                f"expected both labels 0 and 1 in {place}, got only {rows['label'].iloc[0]}: a "
                f"classifier needs both classes"
            )


def _check_splits(table: pd.DataFrame) -> None:
    home: dict[str, tuple[str, int]] = {}
    for number, group, split in table[["group", "split"]].itertuples():
        if split not in SPLITS:
            raise DataError(
                f"expected split in {{{', '.join(SPLITS)}}}, got {split or 'an empty field'} in "
                f"row {number} of {MANIFEST}"
            )
        first, row = home.setdefault(group, (split, number))
        if split != first:
            raise DataError(
                f"expected each group in one split, got group {group} in {first} (row {row}) and "
                f"{split} (row {number}) of {MANIFEST}: images of one patient must stay together"
            )
