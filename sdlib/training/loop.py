"""Algorithm 1 of the paper as one loop: any timm network, any device, resumable."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from sdlib.augment import augmentation
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, SdlibError
from sdlib.files import atomic_path
from sdlib.metrics import auroc, balanced_accuracy
from sdlib.training.prediction import normalise, predict

__all__ = ["Batches", "Schedule", "fit"]

MOMENTUM = 0.9
REFERENCE_BATCH = 512  # the paper's learning rate is given for this batch size


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a network is trained.

    Parameters
    ----------
    epochs, batch_size : int
        Passes over the training set; tiles a step, all devices together.
    learning_rate : float
        For a batch of 512; the step's rate is ``learning_rate * batch_size / 512`` (the paper's
        rule, with .005), falling to 0 along a cosine.
    weight_decay : float
        The paper: 1e-4 without spectral decoupling, 0 with it.
    augment : str
        Names of :data:`sdlib.augment.AUGMENTATIONS` joined by ``+``.
    seed : int
        Seeds the order of the tiles, the augmentation and dropout.
    workers : int
        Processes that prepare batches; 0 prepares them in the training process.
    """

    epochs: int
    batch_size: int
    learning_rate: float = 0.005
    weight_decay: float = 0.0
    augment: str = "none"
    seed: int = 0
    workers: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"expected {name} above 0, got {getattr(self, name)}")
        if not self.weight_decay >= 0:
            raise ConfigError(f"expected weight_decay of 0 or more, got {self.weight_decay}")


class Batches(Dataset):
    """The batches of one epoch; item ``i`` is the same whoever asks, and whenever.

    Every batch draws from a generator of its own, made from (seed, epoch, step): the result does
    not depend on the number of workers, and a resumed run continues as if never stopped.
    """

    def __init__(
        self, tiles: TileSet, schedule: Schedule, epoch: int, rank: int = 0, world: int = 1
    ):
        self.tiles, self.schedule, self.epoch = tiles, schedule, epoch
        self.rank, self.world = rank, world
        order = np.random.default_rng((schedule.seed, epoch)).permutation(len(tiles))
        steps = max(1, len(tiles) // schedule.batch_size)
        self.steps = [order[i::steps] for i in range(steps)]
        self.augment = augmentation(schedule.augment)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """uint8 images (n, S, S, 3) and float32 targets (n,) of one step."""
        if step >= len(self):
            raise IndexError(step)
        chosen = np.sort(self.steps[step][self.rank :: self.world])  # in order: memory maps like it
        rng = np.random.default_rng((self.schedule.seed, self.epoch, step, self.rank))
        images = self.augment(self.tiles.images[chosen], rng)
        targets = torch.from_numpy(self.tiles.targets[chosen].astype(np.float32))
        return torch.from_numpy(np.ascontiguousarray(images)), targets


def _train_epoch(fabric, network, criterion, optimiser, scheduler, batches, title) -> dict:
    """One pass; returns the mean loss and the seconds it took."""
    loader = DataLoader(
        batches,
        batch_size=None,
        num_workers=batches.schedule.workers,
        pin_memory=fabric.device.type == "cuda",
    )
    network.train()
    total, start = torch.zeros((), device=fabric.device), time.perf_counter()
    for images, targets in tqdm(loader, title, leave=False, disable=not sys.stderr.isatty()):
        images, targets = fabric.to_device((images, targets))
        optimiser.zero_grad(set_to_none=True)
        logits = network(normalise(images))
        loss = criterion(logits, targets)
        fabric.backward(loss)
        optimiser.step()
        scheduler.step()
        total += loss.detach()
    loss = float(fabric.all_reduce(total, reduce_op="mean")) / len(batches)
    return {"train_loss": loss, "seconds": time.perf_counter() - start}


def fit(
    network: nn.Module,
    criterion: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    train: TileSet,
    validation: TileSet | None,
    schedule: Schedule,
    folder: Path | None = None,
    fabric: Fabric | None = None,
    log: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
) -> list[dict]:
    """Train ``network`` in place; after each epoch write a checkpoint from which a run resumes.

    Parameters
    ----------
    network : torch.nn.Module
        Float images (N, 3, S, S) to logits (N, 1).
    criterion : callable
        Logits (N, 1) and float32 targets (N,) to a scalar, for instance
        :class:`sdlib.losses.SpectralDecouplingLoss`.
    train, validation : TileSet
        ``validation`` may be None: nothing is measured between epochs.
    schedule : Schedule
        Epochs, batch size, rates and seed. SGD with Nesterov momentum .9.
    folder : pathlib.Path, optional
        Where ``checkpoint.pt`` lives; without it nothing is written.
    fabric : lightning_fabric.Fabric, optional
        Device, precision and number of devices; the CPU in float32 by default.

    Returns
    -------
    list of dict
        One entry an epoch: train_loss, seconds and, with a validation set, accuracy and auroc.

    Raises
    ------
    SdlibError
        The loss is no longer finite, or the checkpoint is of another schedule.

    Examples
    --------
    >>> from sdlib.losses import SpectralDecouplingLoss
    >>> from sdlib.models import create_network
    >>> rng = np.random.default_rng(0)
    >>> tiles = TileSet(rng.integers(0, 256, (8, 32, 32, 3), np.uint8), np.arange(8) % 2,
    ...                 np.array(list("abcdefgh")))
    >>> history = fit(create_network("test_efficientnet"), SpectralDecouplingLoss(0.01), tiles,
    ...               None, Schedule(epochs=1, batch_size=4), log=lambda line: None)
    >>> sorted(history[0])
    ['epoch', 'seconds', 'train_loss']
    """
    fabric = fabric or Fabric(accelerator="cpu", devices=1)
    steps = len(Batches(train, schedule, 0)) * schedule.epochs
    rate = schedule.learning_rate * schedule.batch_size / REFERENCE_BATCH
    optimiser = torch.optim.SGD(
        network.parameters(), rate, MOMENTUM, weight_decay=schedule.weight_decay, nesterov=True
    )
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: 0.5 * (1 + math.cos(math.pi * min(step / steps, 1)))
    )
    model, optimiser = fabric.setup(network, optimiser)
    state = {"network": network, "optimiser": optimiser, "scheduler": scheduler}
    state["precision"] = fabric.strategy.precision  # in half precision, how gradients are scaled
    history = _resume(folder, state, schedule)
    for epoch in range(len(history), schedule.epochs):
        torch.manual_seed(hash((schedule.seed, epoch, fabric.global_rank)) % 2**63)  # dropout
        batches = Batches(train, schedule, epoch, fabric.global_rank, fabric.world_size)
        title = f"epoch {epoch + 1}/{schedule.epochs}"
        entry = _train_epoch(fabric, model, criterion, optimiser, scheduler, batches, title)
        if not math.isfinite(entry["train_loss"]):
            raise SdlibError(f"the loss is {entry['train_loss']} in {title}: lower learning_rate")
        if validation is not None:
            scores = predict(network, validation.images, fabric.device)
            entry["accuracy"] = balanced_accuracy(validation.targets, scores)
            entry["auroc"] = auroc(validation.targets, scores)
        history.append({"epoch": epoch + 1, **entry})
        log(f"{title}  " + "  ".join(f"{k} {v:.4g}" for k, v in entry.items()))
        if folder is not None and fabric.is_global_zero:
            _save(folder, state, schedule, history)
    return history


def _save(folder: Path, state: dict, schedule: Schedule, history: list[dict]) -> None:
    saved = {name: part.state_dict() for name, part in state.items()}
    with atomic_path(folder / "checkpoint.pt") as temporary:
        torch.save({**saved, "schedule": vars(schedule), "history": history}, temporary)


def _resume(folder: Path | None, state: dict, schedule: Schedule) -> list[dict]:
    path = folder / "checkpoint.pt" if folder is not None else None
    if path is None or not path.exists():
        return []
    saved = torch.load(path, map_location="cpu", weights_only=True)
    if saved["schedule"] != vars(schedule):
        raise SdlibError(f"{path} is of another schedule: delete it, or run with --fresh")
    for name, part in state.items():
        part.load_state_dict(saved[name])
    return saved["history"]
