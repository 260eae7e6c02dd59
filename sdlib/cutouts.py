"""Black squares on tiles: where they are, how they are laid on, which pixels they cover.

Section 3.1 of the paper lays sixteen squares of 8 x 8 px on a tile of 224 px. At another tile
size ``S`` the squares keep their share of the side: ``8 S / 224`` px.

Our choices, where the paper is silent: positions are uniform over all places where the square is
fully inside the tile, squares may overlap, and black is 0 in every channel.
"""

from __future__ import annotations

import numpy as np

from sdlib.checks import check_number, check_rgb
from sdlib.errors import ConfigError

__all__ = [
    "NO_CUTOUT",
    "N_CUTOUTS",
    "PAPER_CUTOUT_SIZE",
    "add_cutouts",
    "apply_cutouts",
    "cutout_mask",
    "cutout_positions",
    "scaled_cutout_size",
]

N_CUTOUTS = 16
PAPER_CUTOUT_SIZE = 8
PAPER_IMAGE_SIZE = 224
NO_CUTOUT = -1  # row and column of a square that is not laid on
LARGEST_SIDE = np.iinfo(np.int16).max  # px, of an image: positions are int16


def scaled_cutout_size(image_size: int) -> int:
    """Side of a cutout that keeps the paper's share of the tile's side.

    Parameters
    ----------
    image_size : int
        Side of the tile in pixels.

    Returns
    -------
    int
        Side of a cutout in pixels: 8 at 224 px, never below 1.

    Raises
    ------
    ConfigError
        A side below 1, or not a number.

    Examples
    --------
    >>> [scaled_cutout_size(side) for side in (14, 64, 96, 224)]
    [1, 2, 3, 8]
    """
    check_number("a side in px", image_size, 1)
    return max(1, round(PAPER_CUTOUT_SIZE * image_size / PAPER_IMAGE_SIZE))


def cutout_positions(
    n_images: int,
    image_size: int | tuple[int, int],
    n: int = N_CUTOUTS,
    size: int = PAPER_CUTOUT_SIZE,
    seed: int | np.random.SeedSequence | np.random.Generator | None = None,
) -> np.ndarray:
    """Draw the top-left corners of the cutouts of several images.

    Parameters
    ----------
    n_images : int
        Number of images, at least 0.
    image_size : int or tuple of int
        Side in pixels, or (height, width).
    n : int
        Number of cutouts per image, at least 0.
    size : int
        Side of a cutout in pixels, at least 1.
    seed : int, numpy.random.SeedSequence or numpy.random.Generator, optional
        Passed to :func:`numpy.random.default_rng`. With an integer, an image has the same
        positions however many images follow it.

    Returns
    -------
    numpy.ndarray
        int16, shape ``(n_images, n, 2)``: (row, column), uniform over the places where the
        square is fully inside.

    Raises
    ------
    ConfigError
        If a cutout is larger than the image, or a number is negative or not whole.

    Examples
    --------
    >>> positions = cutout_positions(2, 64, n=16, size=2, seed=0)
    >>> positions.shape, bool(positions.min() >= 0), bool(positions.max() <= 62)
    ((2, 16, 2), True, True)
    """
    height, width = (image_size, image_size) if np.ndim(image_size) == 0 else image_size
    for side in (height, width):
        check_number("an image side in px", side, 1, LARGEST_SIDE, whole=True)
    check_number("n_images", n_images, 0, whole=True)
    check_number("n, the cutouts per image,", n, 0, whole=True)
    image = f"an image of {height} x {width} px"
    check_number(f"a cutout size in px for {image}", size, 1, min(height, width), whole=True)
    # One draw for all, image after image: the first images do not depend on how many follow.
    highest = (height - size, width - size)
    rng = np.random.default_rng(seed)
    return rng.integers(highest, endpoint=True, size=(n_images, n, 2)).astype(np.int16)


def apply_cutouts(images: np.ndarray, positions: np.ndarray, size: int) -> None:
    """Blacken the cutouts of a batch in place.

    Parameters
    ----------
    images : numpy.ndarray
        uint8, shape ``(n, H, W, 3)``; changed in place.
    positions : numpy.ndarray
        Integers, shape ``(n, k, 2)``: (row, column) of each top-left corner. Squares at -1 are
        not laid on.
    size : int
        Side of a cutout in pixels.

    Raises
    ------
    ConfigError
        Images of another shape or dtype, or squares that are not inside them.

    Examples
    --------
    >>> images = np.full((1, 4, 4, 3), 255, np.uint8)
    >>> apply_cutouts(images, np.array([[[0, 1], [-1, -1]]]), size=2)
    >>> images[0, :, :, 0].tolist()[0]
    [255, 0, 0, 255]
    """
    check_rgb(images, batches=True)
    if images.ndim == 3:
        raise ConfigError(
            f"expected a batch of images (n, H, W, 3), got one of {images.shape}: make a batch of "
            "it with image[None]"
        )
    _fill(images, positions, size, 0)


def add_cutouts(
    image: np.ndarray,
    n: int = N_CUTOUTS,
    size: int = PAPER_CUTOUT_SIZE,
    rng: np.random.Generator | int | None = None,
) -> np.ndarray:
    """Lay black squares on random places of one image.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 RGB, shape ``(H, W, 3)``; not changed.
    n : int
        Number of squares; the paper lays on 16.
    size : int
        Side of a square in pixels; the paper's 8 belong to a tile of 224 px, see
        :func:`scaled_cutout_size` for others.
    rng : numpy.random.Generator or int, optional
        A generator, or a seed for one.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(H, W, 3)``, a new array.

    Raises
    ------
    ConfigError
        If the image has another shape or dtype or is smaller than a cutout, or ``n`` is negative.

    Examples
    --------
    >>> image = np.full((224, 224, 3), 255, np.uint8)
    >>> cut = add_cutouts(image, n=1, rng=0)
    >>> int((cut == 0).all(axis=2).sum()), int(image.min())
    (64, 255)
    """
    check_rgb(image)
    cut = image.copy()
    positions = cutout_positions(1, image.shape[:2], n, size, rng)
    apply_cutouts(cut[None], positions, size)
    return cut


def cutout_mask(positions: np.ndarray, image_size: int, size: int) -> np.ndarray:
    """Mark the pixels that cutouts cover.

    Parameters
    ----------
    positions : numpy.ndarray
        Integers, shape ``(n, k, 2)``, as in ``factors["cutout_positions"]``; -1 is no cutout.
    image_size : int
        Side of a tile in pixels.
    size : int
        Side of a cutout in pixels.

    Returns
    -------
    numpy.ndarray
        bool, shape ``(n, image_size, image_size)``.

    Raises
    ------
    ConfigError
        Squares that are not inside the tile.

    Examples
    --------
    >>> int(cutout_mask(np.array([[[0, 0], [1, 1]]]), image_size=4, size=2).sum())
    7
    """
    check_number("a side in px", image_size, 1, whole=True)
    mask = np.zeros((len(positions), image_size, image_size), bool)
    _fill(mask, positions, size, True)
    return mask


def _fill(array: np.ndarray, positions: np.ndarray, size: int, value: int | bool) -> None:
    """Set the squares of every image in ``array``, shape ``(n, H, W, ...)``, to ``value``."""
    check_number("a cutout size in px", size, 1, whole=True)
    _check_inside(positions, array.shape[:3], size)
    offsets = np.arange(size)
    # All images at once but one square at a time: an index of all squares would weigh more than
    # the images themselves.
    for number in range(positions.shape[1]):
        corners = positions[:, number].astype(np.intp)
        # A negative row would count from the lower border.
        index = np.flatnonzero(corners[:, 0] >= 0)
        rows = corners[index, 0, None] + offsets
        columns = corners[index, 1, None] + offsets
        array[index[:, None, None], rows[:, :, None], columns[:, None, :]] = value


def _check_inside(positions: np.ndarray, shape: tuple[int, int, int], size: int) -> None:
    """Raise an error unless positions are (n, k, 2) and every square laid on is inside."""
    n, height, width = shape
    if np.ndim(positions) != 3 or len(positions) != n or positions.shape[2] != 2:
        raise ConfigError(
            f"expected positions of shape ({n}, k, 2), as many as images, got {np.shape(positions)}"
        )
    # A negative column would count from the right border, and a large one end in an IndexError.
    laid_on = positions[positions[:, :, 0] >= 0]
    highest = (height - size, width - size)
    if (laid_on < 0).any() or (laid_on > highest).any():
        raise ConfigError(
            f"expected squares of {size} px inside images of {height} x {width} px, got one that "
            "reaches over the border: draw positions with cutout_positions for images of this size"
        )
