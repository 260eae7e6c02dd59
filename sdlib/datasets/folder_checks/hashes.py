"""Perceptual hashes: short codes that an image shares with its copies, and with hardly any other.

A hash holds the signs of an image's 255 slowest waves (of a discrete cosine transform of its grey
thumbnail). A copy of another size, compression, brightness or contrast has nearly the same signs;
images of different tissue agree by chance in about half of them. The waves of a mirrored or turned
image are the same except for known signs and places, so such copies are also found.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from sdlib.checks import check_rgb

__all__ = ["BITS", "CLOSE", "hash_image", "nearest_elsewhere"]

THUMBNAIL = 32  # px: side of the thumbnail that is transformed
WAVES = 16  # along each axis
BITS = WAVES * WAVES - 1
"""Signs in a hash: all waves but the constant one."""
CLOSE = 38
"""Hashes that differ in at most so many of 255 bits are of one image.

Copies (JPEG at quality 20, half and double size, brighter, darker, of more contrast, blurred)
differed in 35 bits at most; of 443,634 pairs of open-he's tiles, 5,659,930 of open-pcam's and
483,320 of the phantom's that are not of one group, none differed in fewer than 69, and of
1,368,560 pairs of open-cxr's films, which are all alike, none in fewer than 46.
"""
FAINT = 3.0  # grey levels: thumbnails of a smaller standard deviation show nothing to recognise
BLOCK = 1024  # hashes that are compared with all later ones at a time


def hash_image(image: np.ndarray) -> np.ndarray | None:
    """Work out the perceptual hash of an image.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 RGB (H, W, 3).

    Returns
    -------
    numpy.ndarray or None
        uint8 (32,): 255 bits and an empty one. None for an image that shows too little to be told
        from others, such as one of white glass.

    Raises
    ------
    ConfigError
        Another shape or dtype.

    Examples
    --------
    >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    >>> bool((hash_image(image) == hash_image(image // 2)).mean() > 0.9)
    True
    >>> hash_image(np.full((64, 64, 3), 240, np.uint8)) is None
    True
    """
    check_rgb(image)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    thumbnail = cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    if thumbnail.std() < FAINT:
        return None
    waves = cv2.dct(thumbnail)[:WAVES, :WAVES]
    return np.packbits(waves.ravel()[1:] > 0)


def nearest_elsewhere(
    hashes: np.ndarray, parts: Sequence[np.ndarray]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Find for each image the one in another part whose hash is nearest.

    Parameters
    ----------
    hashes : numpy.ndarray
        uint8 (n, 32), of :func:`hash_image`.
    parts : sequence of numpy.ndarray
        Partitions of the images, such as by split and by label; each has the number of every
        image's part, shape (n,).

    Returns
    -------
    list of tuple
        For each partition: ``distance`` (n,), int64, the number of different bits, 256 where there
        is no other part; and ``nearest`` (n,), int64, the other image's place. Turned and mirrored
        images are compared in all eight positions.

    Examples
    --------
    >>> hashes = np.random.default_rng(0).integers(0, 256, (3, 32), np.uint8)
    >>> hashes[2] = hashes[0]
    >>> [(distance, nearest)] = nearest_elsewhere(hashes, [np.array([0, 1, 1])])
    >>> distance[[0, 2]].tolist(), nearest[[0, 2]].tolist()
    ([0, 0], [2, 0])
    """
    n = len(hashes)
    found = [(np.full(n, BITS + 1), np.zeros(n, np.int64)) for _ in parts]
    # Signs of -1 and 1: their product sum is the bits that agree less those that differ.
    for start in range(0, n, BLOCK):
        block = _signs(hashes[start : start + BLOCK])
        turned = [block[:, places] * signs for places, signs in POSITIONS]
        for later in range(start, n, BLOCK):
            others = _signs(hashes[later : later + BLOCK]).T
            agreement = np.max([position @ others for position in turned], axis=0)
            for part, (distance, nearest) in zip(parts, found, strict=True):
                rows, columns = slice(start, start + BLOCK), slice(later, later + BLOCK)
                elsewhere = part[rows, None] != part[None, columns]
                apart = np.where(elsewhere, (BITS - agreement) / 2, BITS + 1)
                _keep_nearest(distance[rows], nearest[rows], apart, later)
                _keep_nearest(distance[columns], nearest[columns], apart.T, start)
    return found


def _keep_nearest(distance: np.ndarray, nearest: np.ndarray, apart: np.ndarray, start: int) -> None:
    """Take over, in place, those images of a block that are nearer than what was found before."""
    best = apart.argmin(axis=1)
    least = apart[np.arange(len(apart)), best]
    nearer = least < distance
    distance[nearer] = least[nearer]
    nearest[nearer] = best[nearer] + start


def _signs(hashes: np.ndarray) -> np.ndarray:
    """Bits as -1 and 1, float32 (n, 255)."""
    return 2 * np.unpackbits(hashes, axis=1, count=BITS).astype(np.float32) - 1


def _positions() -> list[tuple[np.ndarray, np.ndarray]]:
    """Where the eight positions of a square take each wave, and which signs they change."""
    rows, columns = np.mgrid[:WAVES, :WAVES]
    numbers = rows * WAVES + columns
    positions = []
    for order in (numbers, numbers.T):
        # Mirrored, a wave with an odd number of half periods changes its sign.
        for upside_down in (0, 1):
            for mirrored in (0, 1):
                signs = (-1.0) ** (upside_down * rows + mirrored * columns)
                # Without the constant wave, every number is one less.
                positions.append((order.ravel()[1:] - 1, signs.ravel()[1:].astype(np.float32)))
    return positions


POSITIONS = _positions()
