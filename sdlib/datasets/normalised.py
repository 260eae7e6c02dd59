"""Tiles with the stains of others: Macenko's normalisation of a whole set, read as it is needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed

from sdlib.datasets.image_stores import ImageStore, as_store
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError
from sdlib.stain import MacenkoNormaliser

__all__ = ["NormalisedStore", "fit_to_training", "normalise_tiles", "normalised_chunks"]

TARGETS = 200  # training tiles that the target stains are the medians of
CHUNK = 64  # tiles per task: some 50 ms at 224 px
WINDOW = 16  # tasks per worker that are normalised before the next are begun


@dataclass(frozen=True, eq=False)
class NormalisedStore:
    """Images of another store, each normalised whenever a batch is taken.

    Parameters
    ----------
    base : ImageStore
        The images as they are.
    normaliser : MacenkoNormaliser
        Fitted to the wanted stains.

    Examples
    --------
    >>> from sdlib.datasets.image_stores import ArrayStore
    >>> base = ArrayStore(np.full((1, 16, 16, 3), 200, np.uint8))
    >>> NormalisedStore(base, MacenkoNormaliser()).batch(np.array([0])).shape
    (1, 16, 16, 3)
    """

    base: ImageStore
    normaliser: MacenkoNormaliser

    def __len__(self) -> int:
        return len(self.base)

    @property
    def size(self) -> int:
        """Side of an image in pixels."""
        return self.base.size

    def batch(self, rows: np.ndarray) -> np.ndarray:
        """Images at ``rows``, normalised; see :class:`ImageStore`."""
        return self.normaliser.transform(self.base.batch(rows))


def fit_to_training(training: TileSet, seed: int) -> MacenkoNormaliser:
    """Fit a normaliser to the stains of a training set.

    Parameters
    ----------
    training : TileSet
        Of which 200 tiles are drawn, or all if there are fewer.
    seed : int
        Of the draw.

    Returns
    -------
    MacenkoNormaliser
        Its target is the median of the drawn tiles' stains.

    Raises
    ------
    DataError
        None of the tiles has enough tissue.

    Examples
    --------
    >>> from sdlib.phantoms import draw_tiles, render
    >>> drawn = draw_tiles(2, seed=0)
    >>> images = np.stack([render(tile, 64) for tile in drawn])
    >>> tiles = TileSet(images, np.array([0, 1]), np.array(["a", "b"]))
    >>> fit_to_training(tiles, seed=0).target.matrix.shape
    (2, 3)
    """
    rng = np.random.default_rng(seed)
    drawn = rng.choice(len(training), min(TARGETS, len(training)), replace=False)
    return MacenkoNormaliser().fit(training.batch(np.sort(drawn)))


def normalise_tiles(tiles: TileSet, seed: int, training: TileSet) -> TileSet:
    """Give tiles the stains of a training set.

    Parameters
    ----------
    tiles : TileSet
        The tiles to normalise.
    seed : int
        Of the training tiles that the stains are estimated from.
    training : TileSet
        Whose stains are wanted.

    Returns
    -------
    TileSet
        It reads the images of ``tiles`` and normalises them whenever a batch is taken.

    Examples
    --------
    >>> from sdlib.phantoms import draw_tiles, render
    >>> images = np.stack([render(tile, 64) for tile in draw_tiles(2, seed=0)])
    >>> tiles = TileSet(images, np.array([0, 1]), np.array(["a", "b"]))
    >>> normalise_tiles(tiles, 0, tiles).size
    64
    """
    store = NormalisedStore(tiles.store, fit_to_training(training, seed))
    return TileSet(store, tiles.targets, tiles.groups, tiles.factors)


def normalised_chunks(
    images: np.ndarray | ImageStore, normaliser: MacenkoNormaliser, workers: int | None = None
) -> Iterator[tuple[slice, np.ndarray]]:
    """Normalise a whole set on all cores, a chunk at a time and in order.

    All results are handed back to one process. On two cores two threads were no faster than one
    (.85 to 1.05 times, and processes likewise), because moving the images costs as much as
    normalising them. Processes that each keep or write their own results scale with the cores.

    At most 16 chunks of 64 tiles per worker are in memory at a time, so a set of millions streams
    through.

    Parameters
    ----------
    images : numpy.ndarray or ImageStore
        uint8 (n, S, S, 3), RGB, or tiles.
    normaliser : MacenkoNormaliser
        Fitted to the wanted stains.
    workers : int, optional
        Number of threads, by default one per core.

    Yields
    ------
    rows : slice
        Which images.
    normalised : numpy.ndarray
        uint8 (m, S, S, 3).

    Raises
    ------
    ConfigError
        ``workers`` below 1.

    Examples
    --------
    >>> images = np.full((3, 16, 16, 3), 200, np.uint8)
    >>> [part.shape for _, part in normalised_chunks(images, MacenkoNormaliser(), workers=1)]
    [(3, 16, 16, 3)]
    """
    workers = workers if workers is not None else os.cpu_count() or 1
    if workers < 1:
        raise ConfigError(f"expected at least 1 worker, got {workers}")
    store = NormalisedStore(as_store(images), normaliser)
    rows = [slice(start, min(start + CHUNK, len(store))) for start in range(0, len(store), CHUNK)]
    if workers == 1:
        for chunk in rows:
            yield chunk, store.batch(np.arange(chunk.start, chunk.stop))
        return
    # joblib's own generator would go on while nobody takes its results, and keep them all.
    together = WINDOW * workers
    # Threads, because images would take longer to another process than through the normaliser.
    with Parallel(n_jobs=workers, prefer="threads") as parallel:
        for first in range(0, len(rows), together):
            window = rows[first : first + together]
            numbers = (np.arange(chunk.start, chunk.stop) for chunk in window)
            done = parallel(delayed(store.batch)(some) for some in numbers)
            yield from zip(window, done, strict=True)
