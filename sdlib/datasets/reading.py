"""Which images of a store are read, and how many at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sdlib.datasets.image_stores import ImageStore

__all__ = ["iter_chunks", "row_numbers"]


def row_numbers(indices: object, n: int) -> np.ndarray:
    """Turn an index into row numbers, by NumPy's rules for one axis of length ``n``.

    Parameters
    ----------
    indices : slice or array_like
        Integers from ``-n`` to ``n - 1``, shape ``(m,)``; booleans, shape ``(n,)``; or a slice.
    n : int
        How many rows there are.

    Returns
    -------
    numpy.ndarray
        intp, shape ``(m,)``, each from 0 to ``n - 1``.

    Raises
    ------
    IndexError
        If a number is out of range, the shape is wrong, or the values are neither integers nor
        booleans.

    Examples
    --------
    >>> row_numbers([0, -1], 5).tolist(), row_numbers(slice(3), 5).tolist()
    ([0, 4], [0, 1, 2])
    >>> row_numbers([False, True], 2).tolist(), row_numbers([], 2).tolist()
    ([1], [])
    """
    if isinstance(indices, slice):
        return np.arange(*indices.indices(n))
    rows = np.asarray(indices)
    if rows.ndim != 1:
        raise IndexError(f"expected a one-dimensional index of tiles, got shape {rows.shape}")
    if rows.dtype == bool:
        if len(rows) != n:
            raise IndexError(f"expected a mask of {n} tiles, got one of {len(rows)}")
        return np.flatnonzero(rows)
    if not len(rows):
        return np.empty(0, np.intp)  # an empty list is of type float to NumPy
    if not np.issubdtype(rows.dtype, np.integer):
        raise IndexError(f"expected integers or a mask as index of tiles, got {rows.dtype}")
    outside = (rows < -n) | (rows >= n)
    if outside.any():
        raise IndexError(f"expected indices from {-n} to {n - 1}, got {rows[outside][0]}")
    # A small unsigned type could not hold the sum.
    rows = rows.astype(np.intp)
    return np.where(rows < 0, rows + n, rows)


def iter_chunks(store: ImageStore, length: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Read all images of a store in order, a chunk at a time.

    Parameters
    ----------
    store : ImageStore
        A store or a tile set.
    length : int
        Images per chunk, at least 1; the last chunk may be shorter.

    Yields
    ------
    rows : slice
        Which images of the store.
    images : numpy.ndarray
        uint8, shape ``(m, S, S, 3)``, a new array.

    Examples
    --------
    >>> from sdlib.datasets.image_stores import ArrayStore
    >>> store = ArrayStore(np.zeros((5, 8, 8, 3), np.uint8))
    >>> [len(images) for _, images in iter_chunks(store, 2)]
    [2, 2, 1]
    """
    for start in range(0, len(store), length):
        stop = min(start + length, len(store))
        yield slice(start, stop), store.batch(np.arange(start, stop))
