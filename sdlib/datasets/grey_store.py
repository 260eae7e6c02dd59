"""Grey images in one file on disk, read as RGB."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sdlib.errors import DataError

__all__ = ["GreyStore"]


class GreyStore:
    """Square grey images of a ``.npy`` file, mapped into memory; grey is repeated three times.

    It is an :class:`~sdlib.datasets.image_stores.ImageStore`. The file has a third of the bytes of
    an RGB one.

    Parameters
    ----------
    path : pathlib.Path
        The file: uint8, shape ``(n, S, S)``. It must not change afterwards.

    Raises
    ------
    DataError
        If the array has another dtype or shape.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "grey.npy"
    >>> np.save(path, np.zeros((5, 8, 8), np.uint8))
    >>> store = GreyStore(path)
    >>> len(store), store.size, store.batch(np.array([4, 0])).shape
    (5, 8, (2, 8, 8, 3))
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._images = np.load(self.path, mmap_mode="r")
        shape = self._images.shape
        if self._images.dtype != np.uint8 or len(shape) != 3 or shape[1] != shape[2]:
            raise DataError(
                f"expected uint8 images (n, S, S) in {path}, got {self._images.dtype} {shape}"
            )

    def __len__(self) -> int:
        return len(self._images)

    @property
    def size(self) -> int:
        """Side of an image in pixels."""
        return self._images.shape[1]

    def batch(self, rows: np.ndarray) -> np.ndarray:
        """Images at ``rows``; see :meth:`ImageStore.batch`."""
        return np.repeat(self._images[rows][..., None], 3, axis=-1)

    def __reduce__(self) -> tuple:
        # Each process maps the file: NumPy would pickle a map with its content.
        return GreyStore, (self.path,)
