"""Algorithm 1 of the paper as one loop: any timm network, any device, resumable."""

from __future__ import annotations

import math
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment
from scipy.special import expit
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, SdlibError
from sdlib.files import atomic_path, check_entries
from sdlib.metrics import auroc, balanced_accuracy
from sdlib.training.batches import Batches, EveryEpoch, Schedule
from sdlib.training.devices import check_share, from_first, share_statistics, whole_batch_loss
from sdlib.training.own_files import read_or_none
from sdlib.training.prediction import normalise, predict_logits
from sdlib.training.selection import BestNetwork, falling_rate

__all__ = ["Batches", "Schedule", "fit"]

MOMENTUM = 0.9
REFERENCE_BATCH = 512  # the paper's learning rate is given for this batch size
CHECKPOINT = "checkpoint.pt"


def fit(
    network: nn.Module,
    criterion: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    train: TileSet,
    validation: TileSet | None,
    schedule: Schedule,
    folder: Path | None = None,
    fabric: Fabric | None = None,
    log: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
    configuration: str = "",
) -> list[dict]:
    """Train a network in place; after each epoch write a checkpoint from which a run resumes.

    Parameters
    ----------
    network : torch.nn.Module
        Float images, shape ``(N, 3, S, S)``, to logits, shape ``(N, 1)``.
    criterion : callable
        Logits, shape ``(N, 1)``, and float32 targets, shape ``(N,)``, to a scalar, for instance
        :class:`sdlib.losses.SpectralDecouplingLoss`.
    train : TileSet
        Tiles to train on, read batch by batch.
    validation : TileSet or None
        Tiles to predict after each epoch, read chunk by chunk; with None nothing is measured.
    schedule : Schedule
        Epochs, batch size, rates and seed. SGD with Nesterov momentum .9.
    folder : pathlib.Path, optional
        The folder of ``checkpoint.pt``; without it nothing is written.
    fabric : lightning_fabric.Fabric, optional
        Device, precision and number of devices; the CPU in float32 by default. Of several devices
        each calls this function, and rank 0 alone validates, writes and logs
        (:mod:`sdlib.training.devices` says what they have in common with one).
    log : callable, optional
        Called with one line of text per epoch; by default it is printed to standard error.
    configuration : str, optional
        What checkpoints are marked with, such as a hash of all that the network depends on. One
        with another mark counts as not there.

    Returns
    -------
    list of dict
        One entry per epoch: epoch, train_loss, seconds and, with a validation set, accuracy and
        auroc; the same on every device, except seconds.

    Raises
    ------
    ConfigError
        If a batch is too small for the network's batch normalisation, or for all devices; if the
        best epoch is to be kept and there is no validation set.
    DataError
        If there are no tiles, or the network predicts what is not a number.
    SdlibError
        If the loss is no longer finite, or the checkpoint is of another schedule, network or number
        of devices. A checkpoint that is damaged counts as not there.

    Examples
    --------
    >>> import numpy as np
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
    # With its own environment: where there is Slurm, Lightning expects several processes of it.
    fabric = fabric or Fabric(accelerator="cpu", devices=1, plugins=LightningEnvironment())
    batches = Batches(train, schedule, 0, fabric.global_rank, fabric.world_size)
    check_share(fabric, min(map(len, batches.steps)))
    steps = len(batches) * schedule.epochs
    network = share_statistics(network, fabric)
    rate = schedule.learning_rate * schedule.batch_size / REFERENCE_BATCH
    optimiser = torch.optim.SGD(
        network.parameters(), rate, MOMENTUM, weight_decay=schedule.weight_decay, nesterov=True
    )
    falling = falling_rate(schedule.falling, steps, schedule.epochs)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, falling)
    model, optimiser = fabric.setup(network, optimiser)
    state = {"network": network, "optimiser": optimiser, "scheduler": scheduler}
    # In half precision it holds the scale of the gradients, which a resumed run needs.
    state["precision"] = fabric.strategy.precision
    best = BestNetwork(network) if schedule.kept == "best" else None
    if best:
        state["best"] = best
    history = _resume(folder, state, schedule, configuration, log, fabric)
    marks = {
        "configuration": configuration,
        "schedule": vars(schedule),
        "devices": fabric.world_size,
    }
    order: list[tuple[int, int]] = []  # (epoch, step) of each batch of the epoch in hand
    loader = _loader(train, schedule, order, fabric)
    for epoch in range(len(history), schedule.epochs):
        # Dropout draws from the global generator: seeded here, a resumed run drops the same units.
        torch.manual_seed(hash((schedule.seed, epoch, fabric.global_rank)) % 2**63)
        order[:] = [(epoch, step) for step in range(len(batches))]
        title = f"epoch {epoch + 1}/{schedule.epochs}"
        shown = tqdm(loader, title, leave=False, disable=not _is_watched(fabric))
        entry = _train_epoch(fabric, model, criterion, optimiser, scheduler, shown, batches.shares)
        if not math.isfinite(entry["train_loss"]):
            raise SdlibError(f"the loss is {entry['train_loss']} in {title}: lower learning_rate")
        entry |= from_first(fabric, _validate, network, validation, fabric.device)
        history.append({"epoch": epoch + 1, **entry})
        if best:
            best.consider(entry)
        if fabric.is_global_zero:
            log(f"{title}  " + "  ".join(f"{k} {v:.4g}" for k, v in entry.items()))
            if folder is not None:
                _save(folder, state, marks, history)
    if best:
        best.restore()
    return history


def _loader(
    train: TileSet, schedule: Schedule, order: list[tuple[int, int]], fabric: Fabric
) -> DataLoader:
    """What reads the batches that ``order`` lists whenever it is iterated over.

    Its processes live as long as it does: where Python spawns processes, as it does on macOS, on
    Windows and for training on several devices, each takes seconds to begin.
    """
    return DataLoader(
        EveryEpoch(train, schedule, fabric.global_rank, fabric.world_size),
        batch_size=None,  # the data set makes whole batches
        sampler=order,
        num_workers=schedule.workers,
        persistent_workers=schedule.workers > 0,
        pin_memory=fabric.device.type == "cuda",
        # From the global generator, dropout would draw other numbers with workers than without.
        generator=torch.Generator(),
    )


def _is_watched(fabric: Fabric) -> bool:
    """Whether somebody sees the progress of this process."""
    return sys.stderr.isatty() and fabric.is_global_zero


def _train_epoch(fabric, network, criterion, optimiser, scheduler, batches, shares) -> dict:
    """Train for one epoch; returns the mean loss and the seconds it took."""
    network.train()
    # The sum stays on the device: reading it at every step would wait for the device.
    total = torch.zeros((), device=fabric.device)
    start = time.perf_counter()
    for step, batch in enumerate(batches):
        images, targets = fabric.to_device(batch)
        optimiser.zero_grad(set_to_none=True)
        logits = _forward(network, images)
        loss = whole_batch_loss(fabric, criterion, logits, targets, shares(step))
        fabric.backward(loss)
        optimiser.step()
        scheduler.step()
        total += loss.detach()
    return {"train_loss": float(total) / len(batches), "seconds": time.perf_counter() - start}


def _validate(
    network: nn.Module, validation: TileSet | None, device: torch.device
) -> dict[str, float]:
    """Accuracy and AUROC of a network, if there is a validation set."""
    if validation is None:
        return {}
    logits = predict_logits(network, validation, device)
    scores = expit(logits.astype(np.float64))
    return {
        "accuracy": balanced_accuracy(validation.targets, scores),
        "auroc": auroc(validation.targets, logits),
    }


def _forward(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Logits of a batch in training; one sentence where batch normalisation has a single value."""
    try:
        return network(normalise(images))
    except ValueError as error:
        if len(images) > 1 or "more than 1 value per channel" not in str(error):
            raise
        raise ConfigError(
            f"expected batches of 2 tiles or more, got one of 1 tile of {images.shape[1]} px, on "
            "which batch normalisation cannot train: raise batch_size, or add tiles"
        ) from error


def _save(folder: Path, state: dict, marks: dict, history: list[dict]) -> None:
    """Write everything that a resumed run needs, or leave the last checkpoint as it is."""
    saved = {name: part.state_dict() for name, part in state.items()}
    saved |= {**marks, "history": history}
    with atomic_path(folder / CHECKPOINT) as temporary:
        torch.save(saved, temporary)


def _resume(
    folder: Path | None,
    state: dict,
    schedule: Schedule,
    configuration: str,
    log: Callable[[str], None],
    fabric: Fabric,
) -> list[dict]:
    """Load a checkpoint into ``state`` if there is one; returns its history, else an empty one."""
    path = folder / CHECKPOINT if folder is not None else None
    if path is None:
        return []

    def read(path: Path) -> dict:
        with zipfile.ZipFile(path) as archive:  # PyTorch writes checksums and does not look at them
            if archive.testzip() is not None:
                raise ValueError("a checksum is wrong")
        found = torch.load(path, map_location="cpu", weights_only=True)
        check_entries(found, {})
        if found.get("configuration", "") != configuration:
            return {}
        check_entries(found, {**dict.fromkeys(state, dict), "schedule": dict, "history": list})
        return found

    saved = from_first(fabric, read_or_none, path, read, log)
    if not saved:
        return []
    wanted, found = vars(schedule), saved["schedule"]
    if found != wanted:
        changed = [name for name in wanted if found.get(name) != wanted[name]]
        values = ", ".join(f"{name} {wanted[name]} (got {found.get(name)})" for name in changed)
        raise SdlibError(
            f"{path} is of another schedule: expected {values}: delete it, or run with --fresh"
        )
    begun, now = saved.get("devices", 1), fabric.world_size
    if begun != now:  # each draws random numbers of its own: a row is of one number throughout
        raise SdlibError(
            f"{path} is of a run on {begun} devices, expected {now}: go on with --devices {begun}, "
            "or run with --fresh"
        )
    try:
        for name, part in state.items():
            part.load_state_dict(saved[name])
    except (RuntimeError, ValueError, KeyError) as error:
        raise SdlibError(f"{path} is of another network: delete it, or run with --fresh") from error
    return saved["history"]
