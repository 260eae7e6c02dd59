"""The cutout data set of section 3.1: black squares that betray the class.

Sixteen black squares of 8 x 8 px are laid at uniformly random places of a 224 px tile. In
training they mark 25 % of the benign tiles and 2.5 % of the cancerous ones, so a network may take
them as evidence of benign tissue; in the test set they lie on every cancerous tile and on no
benign one. At another tile size ``S`` the squares keep their share of the side: ``8 S / 224`` px.

Our choices, where the paper is silent: positions are uniform over all places where the square is
fully inside, squares may overlap, and black is 0 in every channel. Every tile's positions are
recorded in the returned set, so that what a network looks at can be measured on them.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError

__all__ = [
    "N_CUTOUTS",
    "CutoutKind",
    "add_cutouts",
    "apply_cutouts",
    "cutout_mask",
    "cutout_positions",
    "make_cutout_set",
    "scaled_cutout_size",
]

N_CUTOUTS = 16
PAPER_CUTOUT_SIZE = 8
PAPER_IMAGE_SIZE = 224
NO_CUTOUT = -1

CutoutKind = Literal["train", "control", "test", "none", "all"]

# Share of (benign, cancerous) tiles with cutouts.
RATES: dict[str, tuple[float, float]] = {
    "train": (0.25, 0.025),
    "control": (1.0, 1.0),
    "test": (0.0, 1.0),
    "none": (0.0, 0.0),
    "all": (1.0, 1.0),
}


def scaled_cutout_size(image_size: int) -> int:
    """Side of a cutout in pixels at a tile side of ``image_size`` px: 8 at 224, never below 1.

    Examples
    --------
    >>> [scaled_cutout_size(side) for side in (14, 64, 96, 224)]
    [1, 2, 3, 8]
    """
    return max(1, round(PAPER_CUTOUT_SIZE * image_size / PAPER_IMAGE_SIZE))


def cutout_positions(
    n_images: int,
    image_size: int | tuple[int, int],
    n: int = N_CUTOUTS,
    size: int = PAPER_CUTOUT_SIZE,
    seed: int | np.random.SeedSequence | np.random.Generator | None = None,
) -> np.ndarray:
    """Draw the top-left corners of ``n`` cutouts for each of ``n_images`` images.

    Parameters
    ----------
    n_images
        Number of images.
    image_size
        Side in pixels, or (height, width).
    n, size
        Number of cutouts an image, and their side in pixels.
    seed
        Whatever :func:`numpy.random.default_rng` takes. With an integer, image ``i`` gets the
        same positions however many images follow it.

    Returns
    -------
    numpy.ndarray
        int16, shape ``(n_images, n, 2)``: (row, column), uniform over the places where the
        square lies fully inside.

    Raises
    ------
    ConfigError
        If a cutout is larger than the image, or a number is negative.

    Examples
    --------
    >>> positions = cutout_positions(2, 64, n=16, size=2, seed=0)
    >>> positions.shape, bool(positions.min() >= 0), bool(positions.max() <= 62)
    ((2, 16, 2), True, True)
    """
    height, width = (image_size, image_size) if np.ndim(image_size) == 0 else image_size
    if n_images < 0 or n < 0:
        raise ConfigError(f"expected n_images and n of 0 or more, got {n_images} and {n}")
    if not 1 <= size <= min(height, width):
        raise ConfigError(
            f"expected a cutout size of 1 to {min(height, width)} px in an image of "
            f"{height} x {width} px, got {size}"
        )
    highest = (height - size, width - size)
    rng = np.random.default_rng(seed)
    return rng.integers(highest, endpoint=True, size=(n_images, n, 2)).astype(np.int16)


def apply_cutouts(images: np.ndarray, positions: np.ndarray, size: int) -> None:
    """Blacken the cutouts of a batch in place.

    Parameters
    ----------
    images
        uint8, shape ``(n, H, W, 3)``; changed in place.
    positions
        Integers, shape ``(n, k, 2)``: (row, column) of each top-left corner; rows of -1 are
        skipped.
    size
        Side of a cutout in pixels.

    Examples
    --------
    >>> images = np.full((1, 4, 4, 3), 255, np.uint8)
    >>> apply_cutouts(images, np.array([[[0, 1], [-1, -1]]]), size=2)
    >>> images[0, :, :, 0].tolist()[0]
    [255, 0, 0, 255]
    """
    _fill(images, positions, size, 0)


def add_cutouts(
    image: np.ndarray,
    n: int = N_CUTOUTS,
    size: int = PAPER_CUTOUT_SIZE,
    rng: np.random.Generator | int | None = None,
) -> np.ndarray:
    """Lay ``n`` black squares of ``size`` px at random places of one image.

    Parameters
    ----------
    image
        uint8, shape ``(H, W, C)``; left as it is.
    n, size
        The paper's 16 squares of 8 x 8 px belong to a side of 224 px; see
        :func:`scaled_cutout_size` for others.
    rng
        A generator, or a seed for one.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(H, W, C)``, a new array.

    Raises
    ------
    ConfigError
        If the image is not HWC uint8, or smaller than a cutout.

    Examples
    --------
    >>> image = np.full((224, 224, 3), 255, np.uint8)
    >>> cut = add_cutouts(image, n=1, rng=0)
    >>> int((cut == 0).all(axis=2).sum()), int(image.min())
    (64, 255)
    """
    if image.ndim != 3 or image.dtype != np.uint8:
        raise ConfigError(f"expected an HWC uint8 image, got {image.dtype} {image.shape}")
    cut = image.copy()
    _fill(cut[None], cutout_positions(1, image.shape[:2], n, size, rng), size, 0)
    return cut


def cutout_mask(positions: np.ndarray, image_size: int, size: int) -> np.ndarray:
    """Mark the pixels that cutouts cover.

    Parameters
    ----------
    positions
        Integers, shape ``(n, k, 2)``, as ``factors["cutout_positions"]``; -1 is no cutout.
    image_size, size
        Sides of the tile and of a cutout in pixels.

    Returns
    -------
    numpy.ndarray
        bool, shape ``(n, image_size, image_size)``.

    Examples
    --------
    >>> int(cutout_mask(np.array([[[0, 0], [1, 1]]]), image_size=4, size=2).sum())
    7
    """
    mask = np.zeros((len(positions), image_size, image_size), bool)
    _fill(mask, positions, size, True)
    return mask


def make_cutout_set(tiles: TileSet, kind: CutoutKind, seed: int) -> TileSet:
    """Make one of the experiment's sets from clean tiles.

    ========= ============= =================
    kind      on the benign on the cancerous
    ========= ============= =================
    train     25 %          2.5 %
    test      none          all
    all       all           all
    control   all           all
    none      none          none
    ========= ============= =================

    ``"control"`` is the training set of the control arm, ``"all"`` the same for evaluation.
    The shares are exact counts (rounded), of tiles chosen at random. Positions are drawn for
    every tile before the choice: with one seed, a tile that has cutouts in two kinds has them in
    the same places, so the kinds can be compared tile by tile.

    Parameters
    ----------
    tiles
        Clean tiles; left as they are. For ``"none"`` the images are shared, not copied.
    kind
        See the table.
    seed
        Seeds the choice of tiles and, independently, the positions.

    Returns
    -------
    TileSet
        With two further factors: ``cutout`` (bool, ``(n,)``) and ``cutout_positions`` (int16,
        ``(n, 16, 2)``: row and column of the top-left corner, -1 without cutouts).

    Raises
    ------
    ConfigError
        For an unknown kind, or tiles that have cutouts already.

    Examples
    --------
    >>> targets = np.repeat([0, 1], 40)
    >>> images = np.full((80, 64, 64, 3), 255, np.uint8)
    >>> tiles = TileSet(images, targets, targets.astype(str))
    >>> chosen = make_cutout_set(tiles, "train", seed=0).factors["cutout"]
    >>> int(chosen[targets == 0].sum()), int(chosen[targets == 1].sum())
    (10, 1)
    """
    if kind not in RATES:
        raise ConfigError(f"expected a kind of {', '.join(get_args(CutoutKind))}, got {kind!r}")
    if np.any(tiles.factors.get("cutout", False)):
        raise ConfigError("these tiles have cutouts already: make every set from clean tiles")
    choice_seed, position_seed = np.random.SeedSequence(seed).spawn(2)
    cutout = _choose(tiles.targets, RATES[kind], np.random.default_rng(choice_seed))
    size = scaled_cutout_size(tiles.size)
    positions = cutout_positions(len(tiles), tiles.size, size=size, seed=position_seed)
    positions[~cutout] = NO_CUTOUT

    images = tiles.images
    if cutout.any():
        images = np.array(images)
        apply_cutouts(images, positions, size)
    factors = {**tiles.factors, "cutout": cutout, "cutout_positions": positions}
    return TileSet(images, tiles.targets, tiles.groups, factors)


def _choose(
    targets: np.ndarray, rates: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """A bool mask with ``round(rate * n)`` tiles of each class."""
    chosen = np.zeros(len(targets), bool)
    for label, rate in enumerate(rates):
        members = np.flatnonzero(targets == label)
        chosen[rng.choice(members, round(rate * len(members)), replace=False)] = True
    return chosen


def _fill(array: np.ndarray, positions: np.ndarray, size: int, value: int | bool) -> None:
    """Set every square of ``array`` ``(n, H, W, ...)`` to ``value``, one cutout rank at a time."""
    offsets = np.arange(size)
    for rank in range(positions.shape[1]):
        corners = positions[:, rank].astype(np.intp)
        index = np.flatnonzero(corners[:, 0] >= 0)
        rows = corners[index, 0, None] + offsets
        columns = corners[index, 1, None] + offsets
        array[index[:, None, None], rows[:, :, None], columns[:, None, :]] = value
