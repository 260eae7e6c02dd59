"""Films that are in a set twice, by another file, size or brightness.

Collections that are gathered from publications show one film under several names. Two films are
taken for one where their thumbnails correlate: a copy of another size, compression, brightness or
contrast correlates above .999, two films of one patient on two days below .96, as far as the open
collections tell. A copy that was cropped, framed or much written on is not found.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sdlib.checks import check_number
from sdlib.datasets.image_stores import ImageStore
from sdlib.datasets.patients import joined_patients
from sdlib.datasets.reading import iter_chunks
from sdlib.datasets.tiles import TileSet

__all__ = ["THRESHOLD", "join_near_duplicates", "near_duplicates"]

#: Correlation from which two thumbnails are of one film.
THRESHOLD = 0.98
SIDE = 32  # px of a thumbnail
CHUNK = 256  # films that are read at a time
BLOCK = 2048  # films that are compared with all others at a time


def near_duplicates(images: ImageStore, threshold: float = THRESHOLD) -> np.ndarray:
    """Find the pairs of films that are one film.

    Parameters
    ----------
    images : ImageStore
        The films, such as a tile set; all are read once.
    threshold : float
        Correlation of two thumbnails (32 x 32 px, averaged over area) from which they count as
        one, above 0 and at most 1. A film of one single grey is nobody's copy.

    Returns
    -------
    numpy.ndarray
        intp, shape ``(m, 2)``: the numbers of the films, the smaller first, sorted.

    Raises
    ------
    ConfigError
        If the threshold is out of its range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> films = rng.integers(0, 128, (3, 64, 64, 1), np.uint8).repeat(3, axis=3)
    >>> films[2] = 2 * films[0]
    >>> targets = np.zeros(3, int)
    >>> near_duplicates(TileSet(films, targets, np.array(["a", "b", "c"]))).tolist()
    [[0, 2]]
    """
    check_number("threshold", threshold, np.finfo(float).tiny, 1)
    thumbnails = _thumbnails(images)
    pairs = [np.empty((0, 2), np.intp)]
    for start in range(0, len(thumbnails), BLOCK):
        # Each pair once: a block is compared with itself and with what comes after it.
        correlations = thumbnails[start : start + BLOCK] @ thumbnails[start:].T
        first, second = np.nonzero(correlations >= threshold)
        found = np.stack([first, second], axis=1)[first < second]
        pairs.append(found + start)
    return np.concatenate(pairs)


def join_near_duplicates(films: TileSet, threshold: float = THRESHOLD) -> TileSet:
    """Put films that are one film into one group, and mark the copies.

    Parameters
    ----------
    films : TileSet
        For instance several collections, joined.
    threshold : float
        See :func:`near_duplicates`.

    Returns
    -------
    TileSet
        The same films. Groups that have a film in common are one, by the name that sorts first.
        The factor ``is_copy`` is true for a film that an earlier one of the set is a copy of:
        leave these out of test sets.

    Raises
    ------
    ConfigError
        If the threshold is out of its range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> images = rng.integers(0, 256, (2, 64, 64, 1), np.uint8).repeat(3, axis=3)[[0, 1, 0]]
    >>> films = TileSet(images, np.zeros(3, int), np.array(["b/1", "b/2", "a/9"]))
    >>> joined = join_near_duplicates(films)
    >>> joined.groups.tolist(), joined.factors["is_copy"].tolist()
    (['a/9', 'b/2', 'a/9'], [False, False, True])
    """
    pairs = near_duplicates(films, threshold)
    n = len(films)
    ones = np.ones(len(pairs), np.int8)
    graph = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, film = connected_components(graph, directed=False)
    is_copy = np.ones(n, bool)
    _, first = np.unique(film, return_index=True)
    is_copy[first] = False
    groups = joined_patients(films.groups, film.astype(str))
    return TileSet(films.store, films.targets, groups, {**films.factors, "is_copy": is_copy})


def _thumbnails(images: ImageStore) -> np.ndarray:
    """Small pictures as vectors of mean 0 and length 1: float32, shape ``(n, 1024)``."""
    vectors = np.zeros((len(images), SIDE * SIDE), np.float32)
    for rows, chunk in iter_chunks(images, CHUNK):
        for image, place in zip(chunk, vectors[rows], strict=True):
            grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
            small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).ravel()
            small -= small.mean()
            length = np.linalg.norm(small)
            if length > 0:
                place[:] = small / length
    return vectors
