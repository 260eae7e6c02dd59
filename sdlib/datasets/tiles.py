"""Labelled tiles: the one form in which images reach training and evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from sdlib.datasets.image_stores import (
    ArrayStore,
    ImageStore,
    JoinedStore,
    as_store,
    select_rows,
)
from sdlib.datasets.reading import iter_chunks, row_numbers
from sdlib.errors import DataError

__all__ = ["TileSet"]

CHUNK_PIXELS = 1 << 22  # all images of a set are read 12 MiB at a time


@dataclass(frozen=True, init=False, eq=False, repr=False)
class TileSet:
    """Labelled square RGB tiles.

    The images are read by :meth:`batch`. Parts, joined sets and sets with cutouts read them from
    the set that they were made of: no images are copied, so the images of a set must not change
    afterwards.

    Parameters
    ----------
    images : numpy.ndarray or ImageStore
        uint8, shape ``(n, S, S, 3)``, RGB, for instance a read-only memory map; or any
        :class:`~sdlib.datasets.image_stores.ImageStore`.
    targets : numpy.ndarray
        int64, shape ``(n,)``: 0 benign, 1 cancer.
    groups : numpy.ndarray
        str, shape ``(n,)``: tiles of one group (patient, slide) are never split.
    factors : mapping of str to numpy.ndarray, optional
        Further columns of length ``n``: centre, scanner, latent factors, cutout positions.

    Attributes
    ----------
    store : ImageStore
        Where the images are.

    Raises
    ------
    DataError
        If a shape, dtype or target is not as above.

    Examples
    --------
    >>> tiles = TileSet(np.zeros((2, 8, 8, 3), np.uint8), np.array([0, 1]), np.array(["a", "b"]))
    >>> tiles
    <TileSet: 2 tiles, 8 x 8 px, 1 benign, 1 cancer>
    >>> tiles.subset([1]).batch([0, 0]).shape
    (2, 8, 8, 3)
    """

    store: ImageStore
    targets: np.ndarray
    groups: np.ndarray
    factors: Mapping[str, np.ndarray]

    def __init__(
        self,
        images: np.ndarray | ImageStore,
        targets: np.ndarray,
        groups: np.ndarray,
        factors: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        columns = {
            "store": as_store(images),
            "targets": targets,
            "groups": groups,
            "factors": factors or {},
        }
        # The class is frozen, so that what has been checked here stays true.
        for name, value in columns.items():
            object.__setattr__(self, name, value)
        self._check()

    def _check(self) -> None:
        columns = {"targets": self.targets, "groups": self.groups, **self.factors}
        for name, column in columns.items():
            if len(column) != len(self):
                raise DataError(f"expected {len(self)} {name}, one per tile, got {len(column)}")
        # Sums and losses would take any number; a wrong one must be found before training.
        known = np.isin(self.targets, (0, 1))
        if not known.all():
            raise DataError(f"expected targets in {{0, 1}}, got {self.targets[~known][0]}")

    def __len__(self) -> int:
        return len(self.store)

    def __repr__(self) -> str:
        benign, cancer = np.bincount(self.targets, minlength=2)
        return (
            f"<TileSet: {len(self)} tiles, {self.size} x {self.size} px, "
            f"{benign} benign, {cancer} cancer>"
        )

    @property
    def size(self) -> int:
        """Side of a tile in pixels."""
        return self.store.size

    @property
    def images(self) -> np.ndarray:
        """All images as one array: uint8, shape ``(n, S, S, 3)``.

        A set that was made from an array returns that very array. Any other set (a part, a
        joined set, a set with cutouts) reads all its images into a new array *at every access*:
        keep the result in a variable, or read what is needed by :meth:`batch`.
        """
        if isinstance(self.store, ArrayStore):
            return self.store.images
        # In chunks, so that a joined set needs no second array of all images on the way.
        images = np.empty((len(self), self.size, self.size, 3), np.uint8)
        for rows, chunk in iter_chunks(self.store, self._chunk_length()):
            images[rows] = chunk
        return images

    def batch(self, indices: np.ndarray) -> np.ndarray:
        """Read the images of some tiles into a new array.

        Parameters
        ----------
        indices : array_like or slice
            Integers, negative ones counted from the end, in any order; a boolean mask of all
            tiles; or a slice.

        Returns
        -------
        numpy.ndarray
            uint8, shape ``(m, S, S, 3)``, in the order of ``indices``. Writing to it changes
            nothing else.

        Raises
        ------
        IndexError
            If an index is out of range, or not of a kind named above.

        Examples
        --------
        >>> grey = np.arange(3, dtype=np.uint8)[:, None, None, None]
        >>> images = np.broadcast_to(grey, (3, 8, 8, 3))
        >>> tiles = TileSet(images, np.array([0, 1, 1]), np.array(["a", "b", "c"]))
        >>> tiles.batch([2, -3])[:, 0, 0, 0].tolist()
        [2, 0]
        """
        return self.store.batch(row_numbers(indices, len(self)))

    def subset(self, indices: np.ndarray) -> TileSet:
        """Choose tiles, in the given order, without copying their images.

        Parameters
        ----------
        indices : array_like or slice
            As for :meth:`batch`.

        Returns
        -------
        TileSet
            It reads its images from the store of this set. Its columns are copies.

        Raises
        ------
        IndexError
            As for :meth:`batch`.

        Examples
        --------
        >>> images, targets = np.zeros((3, 8, 8, 3), np.uint8), np.array([0, 1, 1])
        >>> tiles = TileSet(images, targets, np.array(["a", "b", "c"]))
        >>> tiles.subset(targets == 1).groups.tolist()
        ['b', 'c']
        """
        # Once for all columns: a mask or a slice becomes the same numbers for each.
        rows = row_numbers(indices, len(self))
        factors = {name: column[rows] for name, column in self.factors.items()}
        store = select_rows(self.store, rows)
        return TileSet(store, self.targets[rows], self.groups[rows], factors)

    @classmethod
    def joined(cls, parts: Sequence[TileSet]) -> TileSet:
        """Put several sets one after the other, without copying their images.

        Parameters
        ----------
        parts : sequence of TileSet
            At least one; all of one tile size and with the factors of the first.

        Returns
        -------
        TileSet
            It has the factors of the first set.

        Raises
        ------
        ConfigError
            If there are no sets.
        DataError
            If the sizes differ, or a set lacks a factor.

        Examples
        --------
        >>> images = np.zeros((2, 8, 8, 3), np.uint8)
        >>> tiles = TileSet(images, np.array([0, 1]), np.array(["a", "b"]))
        >>> len(TileSet.joined([tiles, tiles.subset([0])]))
        3
        """
        store = JoinedStore([part.store for part in parts])
        names = list(parts[0].factors)
        # Only a set whose missing column is named can be mended.
        for number, part in enumerate(parts):
            missing = [name for name in names if name not in part.factors]
            if missing:
                raise DataError(
                    f"expected the factors {', '.join(names)} in every set, got none of the name "
                    f"{missing[0]} in set {number}: add it there, or remove it elsewhere"
                )
        return cls(
            store,
            np.concatenate([part.targets for part in parts]),
            np.concatenate([part.groups for part in parts]),
            {name: np.concatenate([part.factors[name] for part in parts]) for name in names},
        )

    def resized(self, size: int) -> TileSet:
        """Resize every tile by averaging over area (OpenCV's ``INTER_AREA``).

        Parameters
        ----------
        size : int
            New side in pixels.

        Returns
        -------
        TileSet
            Its images are a new array in memory; this very set where ``size`` is its own.

        Examples
        --------
        >>> images = np.zeros((2, 8, 8, 3), np.uint8)
        >>> tiles = TileSet(images, np.array([0, 1]), np.array(["a", "b"]))
        >>> tiles.resized(4).size
        4
        """
        if size == self.size:
            return self
        # Resized once, not at every batch: averaging is much slower than reading.
        images = np.empty((len(self), size, size, 3), np.uint8)
        for rows, chunk in iter_chunks(self.store, self._chunk_length()):
            for image, place in zip(chunk, images[rows], strict=True):
                cv2.resize(image, (size, size), dst=place, interpolation=cv2.INTER_AREA)
        return TileSet(images, self.targets, self.groups, self.factors)

    def _chunk_length(self) -> int:
        """Number of tiles that are read at a time where all are read."""
        return max(1, CHUNK_PIXELS // self.size**2)
