"""Films in single files, each decoded, made grey and made square when its batch is read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from sdlib.datasets.grey_store import GreyStore
from sdlib.datasets.image_stores import ImageStore
from sdlib.datasets.images import read_image
from sdlib.datasets.store import cached_tiles, fingerprint
from sdlib.errors import DataError
from sdlib.files import if_whole, read_json, write_json
from sdlib.films.square import square_film

__all__ = ["FilmStore", "cached_films", "cached_whole_films", "read_film"]

BATCH = 256  # films that are decoded before the next ones are begun; 38 MB at 224 px


def read_film(path: str | os.PathLike[str], where: str | None = None) -> np.ndarray:
    """Read the file of a film as one grey channel of 8 bits.

    It is :func:`~sdlib.datasets.images.read_image` with two consequences for films: 16 bits are
    scaled over the whole range of their type, never stretched to the film's own, and colour, as
    in screenshots of films, becomes luma (.299 R + .587 G + .114 B).

    Parameters
    ----------
    path : str or os.PathLike
        PNG, JPEG, TIFF, BMP, GIF, WebP, JPEG 2000 or PPM.
    where : str, optional
        The place that names the path, for errors.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(H, W)``.

    Raises
    ------
    DataError
        If the file is missing, damaged, or no image.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> path = Path(tempfile.mkdtemp()) / "film.png"
    >>> Image.fromarray(np.array([[0, 32896, 65535]], np.uint16)).save(path)
    >>> read_film(path).tolist()
    [[0, 128, 255]]
    """
    return cv2.cvtColor(read_image(path, where), cv2.COLOR_RGB2GRAY)


class FilmStore:
    """Square films in the files of a folder, for sets that nobody decodes at once.

    It is an :class:`~sdlib.datasets.image_stores.ImageStore`. Nothing is kept in memory but
    names and row numbers.

    Parameters
    ----------
    folder : pathlib.Path
        Where the files are.
    files : sequence of str
        Paths relative to the folder, one per film.
    size : int
        Side in pixels of the squares; see :func:`~sdlib.films.square.square_film`.
    rows : sequence of int, optional
        For each film its row in the table that lists it, for errors.
    table : str
        The table's name, for errors.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("L", (80, 60), 200).save(folder / "a.png")
    >>> store = FilmStore(folder, ["a.png"], size=32)
    >>> store.batch(np.array([0, 0])).shape
    (2, 32, 32, 3)
    """

    def __init__(
        self,
        folder: Path,
        files: Sequence[str],
        size: int,
        rows: Sequence[int] | None = None,
        table: str = "",
    ) -> None:
        self.folder = Path(folder)
        # Bytes of one width take a quarter of what NumPy's text does.
        self._files = np.char.encode(np.asarray(files, str), "utf-8")
        self._size = size
        self._rows = None if rows is None else np.asarray(rows, np.int64)
        self._table = table

    def __len__(self) -> int:
        return len(self._files)

    @property
    def size(self) -> int:
        """Side of a square in pixels."""
        return self._size

    def path(self, index: int) -> Path:
        """The file of a film."""
        return self.folder / self._files[index].decode("utf-8")

    def place(self, index: int) -> str | None:
        """The row that lists a film, in words; None where rows are not known."""
        return None if self._rows is None else f"row {self._rows[index]} of {self._table}"

    def batch(self, rows: np.ndarray) -> np.ndarray:
        """Decode the films at ``rows``, on all cores; see :meth:`ImageStore.batch`.

        Raises
        ------
        DataError
            At the first file that is missing or damaged.
        """
        images, damaged = self.try_batch(rows)
        for sentence in damaged.values():
            raise DataError(sentence)
        return images

    def try_batch(self, rows: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
        """Decode the films at ``rows``, and tell which of them cannot be decoded.

        Parameters
        ----------
        rows : numpy.ndarray
            As for :meth:`ImageStore.batch`.

        Returns
        -------
        images : numpy.ndarray
            uint8, shape ``(n, S, S, 3)``; black where a film cannot be decoded.
        damaged : dict of int to str
            For each such film its number in the store, and a sentence that names it.
        """
        images = np.zeros((len(rows), self._size, self._size, 3), np.uint8)

        def decode(place: int) -> str:
            index = rows[place]
            try:
                film = read_film(self.path(index), self.place(index))
            except DataError as error:
                return str(error)
            images[place] = square_film(film, self._size)
            return ""

        # Pillow and OpenCV release the interpreter's lock while they work.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            sentences = list(pool.map(decode, range(len(rows))))
        damaged = zip(rows, sentences, strict=True)
        return images, {int(index): sentence for index, sentence in damaged if sentence}


def cached_films(store: FilmStore, name: str, cache: str | os.PathLike[str] | None) -> ImageStore:
    """Decode all films of a store once into a file that is then mapped into memory.

    Parameters
    ----------
    store : FilmStore
        The films.
    name : str
        What the file is called; the side of the squares and a fingerprint of the films' names,
        sizes and times of change follow.
    cache : str or os.PathLike or None
        The folder of the file. Without one nothing is decoded, and the store itself is returned.

    Returns
    -------
    ImageStore
        The same squares. At 224 px the file has 50 KB per film.

    Raises
    ------
    DataError
        If a film is missing or damaged.
    SdlibError
        If the file cannot be written.

    Examples
    --------
    >>> store = FilmStore(Path("films"), [], size=32)
    >>> cached_films(store, "none", None) is store
    True
    """
    if cache is None:
        return store
    images, damaged = cached_whole_films(store, name, cache)
    for sentence in damaged.values():
        raise DataError(sentence)
    return images


def cached_whole_films(
    store: FilmStore, name: str, cache: str | os.PathLike[str]
) -> tuple[ImageStore, dict[int, str]]:
    """Decode all films of a store once as :func:`cached_films` does, and list the damaged ones.

    Parameters
    ----------
    store, name, cache
        As for :func:`cached_films`; the list is a JSON file beside the squares.

    Returns
    -------
    images : ImageStore
        The squares of all films; black where a film is damaged.
    damaged : dict of int to str
        See :meth:`FilmStore.try_batch`.

    Raises
    ------
    SdlibError
        If the files cannot be written.
    """
    stem = Path(cache) / f"{name}-{store.size}-{fingerprint(_states(store))}"
    squares, notes = stem.with_suffix(".npy"), stem.with_suffix(".json")
    damaged = if_whole(read_json, notes, _check_notes)
    if damaged is None:
        # Without the list, squares that are there already tell nothing of damage.
        squares.unlink(missing_ok=True)
    found: dict[int, str] = {}
    shape = (len(store), store.size, store.size)
    cached_tiles(squares, shape, _grey_batches(store, found))
    images = GreyStore(squares)
    if damaged is None:
        write_json(notes, {str(index): sentence for index, sentence in found.items()})
        return images, found
    return images, {int(index): sentence for index, sentence in damaged.items()}


def _check_notes(notes: object) -> None:
    """Check that notes are sentences by numbers."""
    if not isinstance(notes, dict) or not all(index.isdecimal() for index in notes):
        raise ValueError("it is no list of damaged films")


def _grey_batches(store: FilmStore, damaged: dict[int, str]) -> Iterator[np.ndarray]:
    """Decode all films, some at a time, and note those that cannot be decoded."""
    for start in range(0, len(store), BATCH):
        images, found = store.try_batch(np.arange(start, min(start + BATCH, len(store))))
        damaged.update(found)
        yield images[..., 0]


def _states(store: FilmStore) -> Iterator[tuple[str, int, int]]:
    """What tells a film from another of its name, unless somebody takes pains to hide it."""
    for index in range(len(store)):
        path = store.path(index)
        try:
            state = path.stat()
        except OSError:
            # Decoding, which follows, tells what is wrong with it.
            yield str(path), 0, 0
        else:
            yield str(path), state.st_size, state.st_mtime_ns
