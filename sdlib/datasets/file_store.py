"""Images in single files, each decoded when its batch is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sdlib.datasets.store import decode_tiles

__all__ = ["FileStore"]


class FileStore:
    """Square images in the files of a folder, for sets of more files than anyone decodes at once.

    It is an :class:`~sdlib.datasets.image_stores.ImageStore`. Nothing is kept in memory but the
    names: a million of 60 letters are 60 MB.

    Parameters
    ----------
    folder : pathlib.Path
        Where the files are.
    files : sequence of str
        Paths relative to the folder, one per image.
    size : int
        Side in pixels of the images that are read; others are averaged over area.
    side : int, optional
        The side in pixels that every file must have; by default any.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (96, 96), "pink").save(folder / "a.png")
    >>> store = FileStore(folder, ["a.png"], size=48, side=96)
    >>> len(store), store.batch(np.array([0, 0])).shape
    (1, (2, 48, 48, 3))
    """

    def __init__(
        self, folder: Path, files: Sequence[str], size: int, side: int | None = None
    ) -> None:
        self.folder = Path(folder)
        # Bytes of one width take a quarter of what NumPy's text does.
        self._files = np.char.encode(np.asarray(files, str), "utf-8")
        self._size = size
        self._side = side

    def __len__(self) -> int:
        return len(self._files)

    @property
    def size(self) -> int:
        """Side of an image in pixels."""
        return self._size

    def batch(self, rows: np.ndarray) -> np.ndarray:
        """Decode the images at ``rows``; see :meth:`ImageStore.batch`.

        Raises
        ------
        DataError
            At the first file that is missing, damaged, or of another size than it must have.
        """
        if not len(rows):
            return np.empty((0, self._size, self._size, 3), np.uint8)
        paths = [self.folder / name.decode("utf-8") for name in self._files[rows]]
        batches = list(decode_tiles(paths, self._size, side=self._side))
        return batches[0] if len(batches) == 1 else np.concatenate(batches)
