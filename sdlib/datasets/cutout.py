"""The cutout data set of section 3.1: black squares that betray the class.

In training, squares are on 25 % of the benign tiles and on 2.5 % of the cancerous ones, so a
network may take them as evidence of benign tissue. In the test set they are on every cancerous
tile and on no benign one. The positions on every tile are recorded in the returned set, so that
it can be measured whether a network looks at them.

The squares themselves are in :mod:`sdlib.cutouts`, whose functions can be
imported from here too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from sdlib.cutouts import (
    N_CUTOUTS,
    NO_CUTOUT,
    add_cutouts,
    apply_cutouts,
    cutout_mask,
    cutout_positions,
    scaled_cutout_size,
)
from sdlib.datasets.image_stores import ImageStore
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError

__all__ = [
    "N_CUTOUTS",
    "CutoutKind",
    "CutoutStore",
    "add_cutouts",
    "apply_cutouts",
    "cutout_mask",
    "cutout_positions",
    "make_cutout_set",
    "scaled_cutout_size",
]

CutoutKind = Literal["train", "control", "test", "none", "all"]

# Share of (benign, cancerous) tiles with cutouts.
RATES: dict[str, tuple[float, float]] = {
    "train": (0.25, 0.025),
    "control": (1.0, 1.0),
    "test": (0.0, 1.0),
    "none": (0.0, 0.0),
    "all": (1.0, 1.0),
}


@dataclass(frozen=True, eq=False)
class CutoutStore:
    """Images of another store, with cutouts laid on whenever a batch is taken.

    Parameters
    ----------
    base : ImageStore
        The clean images, ``n`` of them.
    positions : numpy.ndarray
        int16, shape ``(n, k, 2)``: (row, column) of each top-left corner, -1 for no cutout.
    cutout_size : int
        Side of a cutout in pixels.

    Examples
    --------
    >>> from sdlib.datasets.image_stores import ArrayStore
    >>> base = ArrayStore(np.full((1, 8, 8, 3), 255, np.uint8))
    >>> store = CutoutStore(base, np.array([[[0, 0], [5, 5]]], np.int16), cutout_size=2)
    >>> int((store.batch(np.array([0])) == 0).all(axis=3).sum())
    8
    """

    base: ImageStore
    positions: np.ndarray
    cutout_size: int

    def __len__(self) -> int:
        return len(self.base)

    @property
    def size(self) -> int:
        """Side of an image in pixels."""
        return self.base.size

    def batch(self, rows: np.ndarray) -> np.ndarray:
        """Images at ``rows`` with their cutouts; see :class:`ImageStore`."""
        # The batch is an array of its own, so the clean images are not changed.
        images = self.base.batch(rows)
        apply_cutouts(images, self.positions[rows], self.cutout_size)
        return images


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
    tiles : TileSet
        Clean tiles, without cutouts.
    kind : {"train", "control", "test", "none", "all"}
        Which tiles get cutouts; see the table.
    seed : int
        Seeds the choice of tiles and, independently, the positions.

    Returns
    -------
    TileSet
        It reads the images of ``tiles`` and copies none of them. It has two further factors:
        ``cutout`` (bool, shape ``(n,)``) and ``cutout_positions`` (int16, shape ``(n, 16, 2)``:
        row and column of each top-left corner, -1 without cutouts).

    Raises
    ------
    ConfigError
        If the kind is unknown, or the tiles have cutouts already.

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
    # Two streams, so that the positions do not depend on how many tiles a kind chooses.
    choice_seed, position_seed = np.random.SeedSequence(seed).spawn(2)
    cutout = _choose(tiles.targets, RATES[kind], np.random.default_rng(choice_seed))
    size = scaled_cutout_size(tiles.size)
    positions = cutout_positions(len(tiles), tiles.size, size=size, seed=position_seed)
    positions[~cutout] = NO_CUTOUT

    # The store and the factor share their positions, so the record cannot differ from the images.
    store = tiles.store
    if cutout.any():
        store = CutoutStore(store, positions, size)
    factors = {**tiles.factors, "cutout": cutout, "cutout_positions": positions}
    return TileSet(store, tiles.targets, tiles.groups, factors)


def _choose(
    targets: np.ndarray, rates: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """Choose a share of each class at random: a bool mask with ``round(rate * n)`` tiles."""
    chosen = np.zeros(len(targets), bool)
    # Exact counts: with a draw per tile, few tiles could by chance have no cutouts at all.
    for label, rate in enumerate(rates):
        members = np.flatnonzero(targets == label)
        chosen[rng.choice(members, round(rate * len(members)), replace=False)] = True
    return chosen
