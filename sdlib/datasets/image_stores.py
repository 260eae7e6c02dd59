"""Where the images of a tile set are: in an array, in rows of another store, in several stores.

A store reads images when a batch is taken, and not before. Parts, joined sets and sets with
cutouts are stores on top of other stores, so that the images are in memory once, however many
sets use them.

A new kind of store, such as a reader of shards, needs no change in
:class:`~sdlib.datasets.tiles.TileSet`: it needs the three members of :class:`ImageStore`.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from sdlib.errors import ConfigError, DataError

__all__ = [
    "ArrayStore",
    "ImageStore",
    "JoinedStore",
    "RowStore",
    "as_store",
    "select_rows",
]


@runtime_checkable
class ImageStore(Protocol):
    """Square RGB images that can be read in batches.

    A store must be picklable: processes that prepare batches receive it.
    """

    @property
    def size(self) -> int:
        """Side of an image in pixels."""

    def __len__(self) -> int:
        """Number of images."""

    def batch(self, rows: np.ndarray) -> np.ndarray:
        """Read the images with the given numbers into a new array.

        Parameters
        ----------
        rows : numpy.ndarray
            intp, shape ``(n,)``, each from 0 to ``len(self) - 1``, in any order, repeats allowed.
            :class:`~sdlib.datasets.tiles.TileSet` has checked them.

        Returns
        -------
        numpy.ndarray
            uint8, shape ``(n, S, S, 3)``, in the order of ``rows``. The caller may write to it.
        """


@dataclass(frozen=True, eq=False)
class ArrayStore:
    """Images in one array, in memory or mapped from a file.

    Parameters
    ----------
    images : numpy.ndarray
        uint8, shape ``(n, S, S, 3)``, RGB. It is kept, not copied.

    Raises
    ------
    DataError
        If the array has another dtype or shape.

    Examples
    --------
    >>> store = ArrayStore(np.zeros((5, 8, 8, 3), np.uint8))
    >>> len(store), store.size, store.batch(np.array([4, 0])).shape
    (5, 8, (2, 8, 8, 3))
    """

    images: np.ndarray

    def __post_init__(self) -> None:
        if not isinstance(self.images, np.ndarray):
            found = type(self.images).__name__
            raise DataError(f"expected uint8 images (n, S, S, 3), got {found}")
        shape = self.images.shape
        if self.images.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3:
            raise DataError(f"expected uint8 images (n, S, S, 3), got {self.images.dtype} {shape}")
        if shape[1] != shape[2]:
            raise DataError(f"expected square tiles, got {shape[1]} x {shape[2]} px")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> int:
        """Side of an image in pixels."""
        return self.images.shape[1]

    def batch(self, rows: np.ndarray) -> np.ndarray:
        """Images at ``rows``, copied out of the array; see :meth:`ImageStore.batch`."""
        # An index of integers always copies; only the order of axes in memory may differ.
        return np.ascontiguousarray(self.images[rows])

    def __reduce__(self) -> tuple:
        # NumPy pickles a memory map with its content: each worker would hold a copy of the file.
        images = self.images
        # A slice of a map also is a memmap, but NumPy gives it the offset of the whole map.
        whole_map = isinstance(images, np.memmap) and isinstance(images.base, mmap.mmap)
        if whole_map and images.mode == "r" and images.flags.c_contiguous:
            return _map_again, (images.filename, images.offset, images.shape)
        return ArrayStore, (images,)


def _map_again(filename: str, offset: int, shape: tuple[int, ...]) -> ArrayStore:
    """An array store on a file that another process has mapped."""
    return ArrayStore(np.memmap(filename, np.uint8, "r", offset, shape))


@dataclass(frozen=True, eq=False)
class RowStore:
    """Chosen images of another store, in a chosen order.

    Parameters
    ----------
    base : ImageStore
        Where the images are.
    rows : numpy.ndarray
        intp, shape ``(n,)``: their numbers in ``base``, repeats allowed.

    Examples
    --------
    >>> base = ArrayStore(np.zeros((5, 8, 8, 3), np.uint8))
    >>> len(RowStore(base, np.array([3, 3, 1])))
    3
    """

    base: ImageStore
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def size(self) -> int:
        """Side of an image in pixels."""
        return self.base.size

    def batch(self, rows: np.ndarray) -> np.ndarray:
        """Images at ``rows`` of the choice; see :meth:`ImageStore.batch`."""
        return self.base.batch(self.rows[rows])


@dataclass(frozen=True, eq=False)
class JoinedStore:
    """Several stores, one after the other.

    Parameters
    ----------
    parts : sequence of ImageStore
        At least one; all of one size.

    Raises
    ------
    ConfigError
        If there are no parts.
    DataError
        If their sizes differ.

    Examples
    --------
    >>> black = ArrayStore(np.zeros((2, 8, 8, 3), np.uint8))
    >>> white = ArrayStore(np.full((3, 8, 8, 3), 255, np.uint8))
    >>> JoinedStore([black, white]).batch(np.array([1, 2]))[:, 0, 0, 0].tolist()
    [0, 255]
    """

    parts: Sequence[ImageStore]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ConfigError("expected at least one set of tiles to join, got none")
        sizes = sorted({part.size for part in self.parts})
        if len(sizes) > 1:
            found = ", ".join(map(str, sizes))
            raise DataError(
                f"expected tiles of one size, got {found} px: use resized on some of the sets"
            )

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    @property
    def size(self) -> int:
        """Side of an image in pixels."""
        return self.parts[0].size

    def batch(self, rows: np.ndarray) -> np.ndarray:
        """Images at ``rows``, counted through all parts; see :meth:`ImageStore.batch`."""
        images = np.empty((len(rows), self.size, self.size, 3), np.uint8)
        starts = np.cumsum([0, *(len(part) for part in self.parts)])
        # With side="right", a row is never given to an empty part that starts where it does.
        part_of = np.searchsorted(starts, rows, side="right") - 1
        # Most batches of a part of a joined set touch few stores: the others are not called.
        for number in np.unique(part_of):
            chosen = np.flatnonzero(part_of == number)
            images[chosen] = self.parts[number].batch(rows[chosen] - starts[number])
        return images


def as_store(images: np.ndarray | ImageStore) -> ImageStore:
    """Wrap an array in a store; a store, such as a tile set, is returned as it is.

    Parameters
    ----------
    images : numpy.ndarray or ImageStore
        uint8, shape ``(n, S, S, 3)``, or a store.

    Returns
    -------
    ImageStore
        Nothing is copied.

    Raises
    ------
    DataError
        If an array has another dtype or shape.

    Examples
    --------
    >>> as_store(np.zeros((5, 8, 8, 3), np.uint8)).size
    8
    """
    return images if isinstance(images, ImageStore) else ArrayStore(images)


def select_rows(store: ImageStore, rows: np.ndarray) -> RowStore:
    """Choose images of a store without copying them.

    Parameters
    ----------
    store : ImageStore
        Where the images are.
    rows : numpy.ndarray
        intp, shape ``(n,)``: their numbers, each from 0 to ``len(store) - 1``.

    Returns
    -------
    RowStore
        A choice from a choice refers to the first store, so that reading never gets slower.

    Examples
    --------
    >>> base = ArrayStore(np.zeros((5, 8, 8, 3), np.uint8))
    >>> nested = select_rows(select_rows(base, np.array([4, 2, 0])), np.array([1]))
    >>> nested.base is base, nested.rows.tolist()
    (True, [2])
    """
    # A store of another kind, such as one with cutouts, must be read through.
    if isinstance(store, RowStore):
        return RowStore(store.base, store.rows[rows])
    return RowStore(store, rows)
