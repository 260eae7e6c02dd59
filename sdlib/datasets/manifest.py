"""Your own images: a folder with a ``manifest.csv``.

======== ============================================================================
column   content
======== ============================================================================
file     path of the image relative to the folder
label    0 negative, 1 positive; or words, of which ``positive`` names the positive ones
group    patient, case or slide: images of one group are never in two splits
split    optional: train, validation or test
others   optional and kept: centre, scanner, or what else results are to be grouped by
======== ============================================================================

:mod:`sdlib.datasets.manifest_checks` has the rules that a manifest must keep.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch.utils.data import Dataset

from sdlib.datasets.images import fit_square, read_image
from sdlib.datasets.manifest_checks import MANIFEST, SPLITS, check_manifest
from sdlib.datasets.splits import FRACTIONS, grouped_split
from sdlib.datasets.store import cache_folder, cached_tiles, decode_tiles, fingerprint
from sdlib.datasets.table import read_table
from sdlib.datasets.tiles import TileSet
from sdlib.errors import DataError

__all__ = ["MANIFEST", "SPLITS", "ManifestDataset"]

COLUMNS = ("file", "label", "group")
# Caches of earlier readers may hold damaged images, which are errors since 2.
READER = 2


class ManifestDataset(Dataset):
    """The images that a folder's ``manifest.csv`` lists.

    Everything that can be checked without decoding images is checked on opening. Errors name the
    row by its number in an editor or a spreadsheet, where the header is row 1.

    Parameters
    ----------
    folder : str or os.PathLike
        The folder with ``manifest.csv`` (see :func:`~sdlib.datasets.table.read_table`). Images may
        be links to files elsewhere.
    size : int, optional
        Side in pixels to which each image is cut square and resized; by default an image is left
        as it is.
    transform : callable, optional
        Called with each image, uint8 ``(H, W, 3)``; its result is the item's image.
    positive : str or sequence of str, optional
        The labels that are positive, such as ``"tumour"`` or ``("adenoma", "carcinoma")``; every
        other label is negative. By default labels are 0 and 1. See
        :func:`~sdlib.datasets.labels.binary_labels`.

    Attributes
    ----------
    table : pandas.DataFrame
        The manifest's rows, all text except ``label`` (0 or 1), indexed by row number.
    classes : Classes
        What the manifest calls its two classes.
    targets : numpy.ndarray
        int64, shape ``(n,)``: 0 negative, 1 positive.
    groups : numpy.ndarray
        str, shape ``(n,)``: canonical names, so ``17.0`` is ``17`` (see
        :func:`~sdlib.datasets.group_names.canonical`).

    Raises
    ------
    DataError
        If the manifest is missing, empty, not a table or without a needed column; if a row has
        an empty or surplus field, a label other than 0 or 1 (where ``positive`` names none), an
        unknown split, or a file that is missing, outside the folder or listed twice; if a group
        is in two splits; if there is only one class, in all rows or in the train split.
    ConfigError
        If ``positive`` names a label that the manifest has not.

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
        positive: str | Sequence[str] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.size = size
        self.transform = transform
        self.table = read_table(self.folder / MANIFEST, COLUMNS)
        self.classes = check_manifest(self.table, self.folder, positive)

    @property
    def targets(self) -> np.ndarray:
        """Labels of all rows: int64, shape ``(n,)``, 0 negative, 1 positive."""
        return self.table["label"].to_numpy(np.int64)

    @property
    def groups(self) -> np.ndarray:
        """Groups of all rows: str, shape ``(n,)``."""
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
        """Select the rows of one split.

        Parameters
        ----------
        name : str
            A value of the column ``split``.

        Returns
        -------
        ManifestDataset
            The rows, with the same size and transform.

        Raises
        ------
        DataError
            If there is no such split, or no column ``split``: :meth:`with_splits` makes one.
        """
        if "split" not in self.table:
            raise DataError(f"{MANIFEST} has no column split: call with_splits(seed=...) first")
        chosen = self.table["split"] == name
        if not chosen.any():
            raise DataError(
                f"expected a split among {', '.join(sorted(set(self.table['split'])))}, got {name}"
            )
        return self.with_table(self.table[chosen])

    def with_splits(
        self, fractions: Mapping[str, float] = FRACTIONS, seed: int = 0
    ) -> ManifestDataset:
        """Split the rows anew, by group and class; a column ``split`` is replaced.

        Parameters
        ----------
        fractions, seed
            As for :func:`~sdlib.datasets.splits.grouped_split`.

        Returns
        -------
        ManifestDataset
            The same rows with a column ``split``.

        Raises
        ------
        ConfigError, DataError
            As :func:`~sdlib.datasets.splits.grouped_split` does.
        """
        # Text of any length: NumPy would cut names to the length of the first.
        split = np.empty(len(self), object)
        for name, rows in grouped_split(self.targets, self.groups, fractions, seed).items():
            split[rows] = name
        return self.with_table(self.table.assign(split=split.astype(str)))

    def to_tiles(self, size: int, cache: str | os.PathLike[str] | None = None) -> TileSet:
        """Decode every image into a cache on disk, once, and map the cache.

        Parameters
        ----------
        size : int
            Side of the tiles in pixels.
        cache : str or os.PathLike, optional
            Folder of the cache; by default :func:`~sdlib.datasets.store.cache_folder`.

        Returns
        -------
        TileSet
            Its images are a read-only memory map; its factors are the manifest's other columns,
            as text.

        Raises
        ------
        DataError
            At the first image that cannot be read; the sentence names its row.
        SdlibError
            If the cache cannot be written.
        """
        # Names, sizes and times of change identify the content without reading it.
        paths = [self.folder / file for file in self.table["file"]]
        stamps = [(str(path.resolve()), path.stat()) for path in paths]
        key = fingerprint([READER, size, *((name, s.st_size, s.st_mtime_ns) for name, s in stamps)])
        where = [f"row {row} of {MANIFEST}" for row in self.table.index]
        images = cached_tiles(
            Path(cache or cache_folder()) / f"{self.folder.resolve().name}-{size}-{key}.npy",
            (len(paths), size, size, 3),
            decode_tiles(paths, size, where),
        )
        # Label and group are columns of the set already.
        others = self.table.columns.difference(["label", "group"], sort=False)
        factors = {name: self.table[name].to_numpy(str) for name in others}
        return TileSet(images, self.targets, self.groups, factors)

    def with_table(self, table: pd.DataFrame) -> ManifestDataset:
        """Make a data set of other rows, with the same folder, size and transform.

        Parameters
        ----------
        table : pandas.DataFrame
            Rows of :attr:`table`, perhaps with other columns.
        """
        # Opened again, rows that have passed all checks would be checked a second time.
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, table=table)
        return other
