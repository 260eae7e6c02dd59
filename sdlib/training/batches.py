"""How long a network is trained, and the batches of tiles that it sees in each epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from sdlib.augment import augmentation
from sdlib.checks import check_number, check_square_batch, is_number, known
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError

__all__ = ["Batches", "EveryEpoch", "Schedule"]

LARGEST_SEED = 2**64 - 1  # of PyTorch's generators
FALLING = ("cosine", "steps")
KEPT = ("last", "best")


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a network is trained.

    Parameters
    ----------
    epochs : int
        Passes over the training set, at least 1.
    batch_size : int
        Tiles per step, all devices together, at least 1.
    learning_rate : float
        Above 0, given for a batch of 512 (the paper's rule, with .005): training begins with
        ``learning_rate * batch_size / 512``.
    weight_decay : float
        At least 0. The paper: 1e-4 without spectral decoupling, 0 with it.
    augment : str
        Names of :data:`sdlib.augment.AUGMENTATIONS` joined by ``+``.
    seed : int
        Seeds the order of the tiles, the augmentation and dropout; 0 to 2**64 - 1.
    falling : str
        How the rate falls: along a ``cosine`` to 0, or in ``steps``, to a tenth every 5 epochs (the
        regimen of DeGrave et al. 2021, whose rate is .01 for a batch of 16).
    kept : str
        Which network training ends with: the ``last`` epoch's, or that of the ``best`` AUROC on
        the validation set, the earliest among equals.
    workers : int
        Processes that prepare batches; with 0 the training process prepares them.

    Raises
    ------
    ConfigError
        If a number is out of its range, or no whole number where it has to be, or a name is not
        known.

    Examples
    --------
    >>> Schedule(epochs=2, batch_size=64).learning_rate
    0.005
    """

    epochs: int
    batch_size: int
    learning_rate: float = 0.005
    weight_decay: float = 0.0
    augment: str = "none"
    seed: int = 0
    workers: int = 0
    falling: str = "cosine"
    kept: str = "last"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate"):
            value = getattr(self, name)
            # "not above" instead of "at most": a comparison with NaN is false.
            if is_number(value) and not value > 0:
                raise ConfigError(f"expected {name} above 0, got {value}")
        check_number("epochs", self.epochs, 1, whole=True)
        check_number("batch_size", self.batch_size, 1, whole=True)
        check_number("learning_rate", self.learning_rate, 0)
        if is_number(self.weight_decay) and not self.weight_decay >= 0:
            raise ConfigError(f"expected weight_decay of 0 or more, got {self.weight_decay}")
        check_number("weight_decay", self.weight_decay, 0)
        known("way to let the rate fall", self.falling, FALLING)
        known("network to keep", self.kept, KEPT)
        check_number("workers", self.workers, 0, whole=True)
        check_number("seed", self.seed, 0, LARGEST_SEED, whole=True)


class Batches(Dataset):
    """The batches of one epoch, each the same in whichever process and order they are read.

    Every batch has a random generator of its own, made from (seed, epoch, step, rank): the result
    does not depend on the number of workers, and a resumed run continues as if it had never
    stopped. With N devices there are N generators for a batch, so that a tile is augmented
    otherwise than with one device. All tiles are in an epoch once; where they do not fill the last
    batch, the others are made a little larger.

    Parameters
    ----------
    tiles : TileSet
        The training set, read batch by batch.
    schedule : Schedule
        Batch size, augmentation and seed are used.
    epoch : int
        Number of the epoch, from 0.
    rank, world : int
        Number of this device, from 0, and how many there are: each gets its share of every batch.

    Raises
    ------
    DataError
        If there are no tiles.

    Examples
    --------
    >>> images, targets = np.zeros((10, 8, 8, 3), np.uint8), np.arange(10) % 2
    >>> tiles = TileSet(images, targets, np.arange(10).astype(str))
    >>> batches = Batches(tiles, Schedule(epochs=1, batch_size=4), epoch=0)
    >>> [len(targets) for images, targets in batches]
    [5, 5]
    """

    def __init__(
        self, tiles: TileSet, schedule: Schedule, epoch: int, rank: int = 0, world: int = 1
    ) -> None:
        if not len(tiles):
            raise DataError("expected at least one tile to train on, got none")
        self.tiles = tiles
        self.schedule = schedule
        self.epoch = epoch
        self.rank = rank
        self.world = world
        order = np.random.default_rng((schedule.seed, epoch)).permutation(len(tiles))
        # Every step gets every steps-th tile: sizes differ by one at most, and none is tiny.
        steps = max(1, len(tiles) // schedule.batch_size)
        self.steps = [order[i::steps] for i in range(steps)]
        self.augment = augmentation(schedule.augment)

    def __len__(self) -> int:
        return len(self.steps)

    def shares(self, step: int) -> list[int]:
        """Tiles of each device in one step, which differ by one at most.

        Parameters
        ----------
        step : int
            From 0 to ``len(self) - 1``.
        """
        return [len(self.steps[step][rank :: self.world]) for rank in range(self.world)]

    def __getitem__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Prepare the batch of one step.

        Parameters
        ----------
        step : int
            From 0 to ``len(self) - 1``.

        Returns
        -------
        images : torch.Tensor
            uint8, shape ``(n, S, S, 3)``, augmented.
        targets : torch.Tensor
            float32, shape ``(n,)``: 0 or 1.

        Raises
        ------
        IndexError
            If there is no such step; it also ends a ``for`` loop over the batches.
        ConfigError
            If the tiles' store reads images of another dtype or shape.
        """
        if step >= len(self):
            raise IndexError(f"expected a step of 0 to {len(self) - 1}, got {step}")
        # Sorted, a batch is read from a file in one direction.
        chosen = np.sort(self.steps[step][self.rank :: self.world])
        rng = np.random.default_rng((self.schedule.seed, self.epoch, step, self.rank))
        images = self.tiles.batch(chosen)
        check_square_batch(images)
        images = self.augment(images, rng)
        targets = self.tiles.targets[chosen].astype(np.float32)
        # An augmentation may return a mirrored view, which PyTorch cannot take.
        return torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(targets)


class EveryEpoch(Dataset):
    """The batches of every epoch, by (epoch, step).

    Processes that prepare batches are started once, with a copy of their data set: this one serves
    them for all epochs.

    Parameters
    ----------
    tiles, schedule, rank, world
        As for :class:`Batches`.

    Examples
    --------
    >>> images, targets = np.zeros((10, 8, 8, 3), np.uint8), np.arange(10) % 2
    >>> tiles = TileSet(images, targets, np.arange(10).astype(str))
    >>> every = EveryEpoch(tiles, Schedule(epochs=2, batch_size=4))
    >>> images, targets = every[1, 0]  # the first batch of the second epoch
    >>> len(every), len(targets)
    (4, 5)
    """

    def __init__(self, tiles: TileSet, schedule: Schedule, rank: int = 0, world: int = 1) -> None:
        self.epoch = Batches(tiles, schedule, 0, rank, world)

    def __len__(self) -> int:
        return self.epoch.schedule.epochs * len(self.epoch)

    def __getitem__(self, place: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Prepare the batch of one step of one epoch, as :class:`Batches` does."""
        epoch, step = place
        one = self.epoch
        if epoch != one.epoch:
            self.epoch = Batches(one.tiles, one.schedule, epoch, one.rank, one.world)
        return self.epoch[step]
