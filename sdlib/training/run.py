"""One run from its name to its row: data, network, training, evaluation, files."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment
from torch import nn

from sdlib.datasets.tiles import TileSet
from sdlib.errors import DataError
from sdlib.experiments import Arm, Run, config_hash
from sdlib.files import atomic_path, write_json
from sdlib.losses import SpectralDecouplingLoss
from sdlib.metrics import summary
from sdlib.models import create_network, initial_weights, save_weights
from sdlib.results.rows import circumstances
from sdlib.training.alike import (
    copy_run,
    find_twin,
    finished_row,
    lent_network,
    trained_network,
)
from sdlib.training.data import TRAINING, load_tiles
from sdlib.training.devices import call_to_train
from sdlib.training.loop import CHECKPOINT, Schedule, fit
from sdlib.training.own_files import discard
from sdlib.training.prediction import predict_logits

__all__ = ["evaluate", "execute", "loaded", "train", "train_and_evaluate"]

Log = Callable[[str], None]


def _criterion(arm: Arm) -> nn.Module:
    lam = 0.0 if arm.lam is None else arm.lam
    return SpectralDecouplingLoss(lam, arm.gamma)


def _fabric(run: Run) -> Fabric:
    """The GPU with the profile's precision if there is one, else one CPU thread in float32.

    One thread, because a sum's order, and with it the row, changes with their number.
    """
    # Lightning takes Slurm's environment, where there is one, for that of several processes.
    alone = {"devices": 1, "plugins": LightningEnvironment()}
    if torch.cuda.is_available():
        return Fabric(accelerator="cuda", precision=run.settings.precision, **alone)
    torch.set_num_threads(1)
    return Fabric(accelerator="cpu", **alone)


def train_and_evaluate(
    run: Run,
    arm: Arm,
    tiles: Mapping[str, TileSet],
    log: Log,
    learning_rate: float | None = None,
) -> dict[str, np.ndarray]:
    """Train a network, keep none of it, and return its logits by evaluation cohort.

    Parameters
    ----------
    run, arm, log, learning_rate
        As for :func:`train`.
    tiles : mapping of str to TileSet
        Of :func:`sdlib.training.data.load_tiles`.
    """
    fabric = _fabric(run)
    network, _ = train(
        run, arm, tiles[TRAINING], tiles["validation"], log, None, fabric, learning_rate
    )
    return evaluate(run, network, tiles, fabric)


def train(
    run: Run,
    arm: Arm,
    tiles: TileSet,
    validation: TileSet,
    log: Log,
    folder: Path | None,
    fabric: Fabric,
    learning_rate: float | None = None,
) -> tuple[nn.Module, list[dict]]:
    """Train a network as an arm says, or this device's share of it.

    Parameters
    ----------
    run : Run
        Its settings and its seed are used.
    arm : Arm
        With its values in place.
    tiles, validation : TileSet
        To train on, and to predict after each epoch.
    log : callable
        Takes a line per epoch.
    folder : pathlib.Path or None
        Of checkpoints.
    fabric : lightning_fabric.Fabric
        Device and precision.
    learning_rate : float, optional
        In the place of the profile's.

    Returns
    -------
    network : torch.nn.Module
        Trained.
    history : list of dict
        The entries of :func:`sdlib.training.loop.fit`.
    """
    settings, values = run.settings, run.config(arm)
    network = create_network(
        settings.network,
        settings.dropout,
        settings.drop_path,
        settings.pretrained,
        run.seed,
        settings.head,
    )
    schedule = Schedule(
        settings.epochs,
        settings.batch_size,
        learning_rate or settings.learning_rate,
        arm.weight_decay,
        values["augment"],
        run.seed,
        settings.workers,
        settings.falling,
        settings.kept,
    )
    stamp = config_hash(values)
    history = fit(network, _criterion(arm), tiles, validation, schedule, folder, fabric, log, stamp)
    return network, history


def evaluate(
    run: Run, network: nn.Module, tiles: Mapping[str, TileSet], fabric: Fabric
) -> dict[str, np.ndarray]:
    """Predict every evaluation cohort of a run.

    Parameters
    ----------
    run : Run
    network : torch.nn.Module
        Trained.
    tiles : mapping of str to TileSet
        Of :func:`sdlib.training.data.load_tiles`.
    fabric : lightning_fabric.Fabric
        Its device is used.

    Returns
    -------
    dict of str to numpy.ndarray
        Logits, float32 (n,), by evaluation cohort.
    """
    return {
        cohort: predict_logits(network, tiles[cohort], fabric.device)
        for cohort in run.definition.evaluation_at(run.source)
    }


def execute(
    run: Run,
    fresh: bool = False,
    log: Log = print,
    fabric: Fabric | None = None,
    epoch_log: Log | None = None,
) -> dict:
    """Make a run: train, evaluate, and write its row, its predictions and its weights.

    They are ``row.json``, ``predictions.npz`` and ``model.safetensors`` in its folder. The row is
    written last: where it exists, the run is whole.

    A run whose row has today's configuration is not repeated, and a killed one goes on from its
    last epoch, unless ``fresh``. Where a search has led an arm to the very values of another, their
    runs are one: the files are copied. Where the experiment tests the networks of another, and that
    one's network is at hand, nothing is trained. A damaged file of an earlier run counts as not
    there, which the log says.

    Parameters
    ----------
    run : Run
    fresh : bool
        Make it anew, whatever is there.
    log : callable
        Takes a line of text about damaged files and about a network that is lent.
    fabric : lightning_fabric.Fabric, optional
        Device and precision. With several devices this is for rank 0
        (:mod:`sdlib.training.launch`).
    epoch_log : callable, optional
        Takes what training says, a line per epoch; by default ``log`` takes it.

    Returns
    -------
    dict
        The row.

    Raises
    ------
    DataError
        Its search has not been run, or its source is not at hand.
    SdlibError
        Its folder cannot be written to, or training fails.
    """
    values = run.config()
    stamp = config_hash(values)
    if not fresh:
        row = finished_row(run, stamp, log)
        if row is not None:
            return row
        twin, row = find_twin(run, stamp, log)
        if twin is not None:
            return copy_run(twin, row, run)
    checkpoint = run.folder / CHECKPOINT
    if fresh:
        discard(checkpoint)
    discard(run.row_file)  # it would describe another run's predictions
    write_json(run.folder / "config.json", values)
    start, fabric = time.perf_counter(), fabric or _fabric(run)
    tiles = load_tiles(run)
    network, lent = lent_network(run, stamp, log)
    if network is None:
        call_to_train(fabric)  # the other devices, if there are any
        shown = tiles[TRAINING], tiles["validation"]
        network, history = train(
            run, run.resolved_arm(), *shown, epoch_log or log, run.folder, fabric
        )
    else:
        network, history = network.to(fabric.device), lent["history"]
    logits = evaluate(run, network, tiles, fabric)
    metrics = {
        name: summary(tiles[name].targets, found, from_logits=True)
        for name, found in logits.items()
    }
    kept = {
        f"{name}.logits": values
        for name, values in logits.items()
        if not run.definition.evaluation[name].metrics_only
    }
    for measurement in run.definition.measurements:
        if measurement.per_run:
            metrics[measurement.name], arrays = measurement.make()(network, tiles["test"])
            kept |= arrays
    _write_arrays(run.folder / "predictions.npz", kept)
    _write_arrays(run.folder / "targets.npz", _targets(run, tiles))
    save_weights(network, run.folder / "model.safetensors")
    # Of a resumed run earlier epochs too; a network of another experiment has its seconds there.
    trained = 0.0 if lent is not None else sum(epoch["seconds"] for epoch in history)
    row = {
        "experiment": run.experiment,
        "arm": run.arm,
        "seed": run.seed,
        "profile": run.profile,
        "source": run.source,
        "config_hash": stamp,
        "config": values,
        "initial_weights": initial_weights(run.settings.network, run.settings.pretrained),
        **circumstances(fabric.device, fabric.world_size),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(max(time.perf_counter() - start, trained), 1),
        "metrics": metrics,
        "history": history,
    }
    if lent is not None:
        row["network_of"] = run.lender.id
    write_json(run.row_file, row)
    checkpoint.unlink(missing_ok=True)
    return row


def _write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def loaded(
    runs: Sequence[Run], cohort: str = "test"
) -> tuple[list[nn.Module], TileSet, torch.device]:
    """Trained networks of one experiment, a cohort's tiles as they see them, and the device.

    Raises
    ------
    DataError
        A run has no weights on this machine, or broken ones.
    """
    device = _fabric(runs[0]).device
    networks = [trained_network(run).to(device) for run in runs]
    return networks, load_tiles(runs[0], only=[cohort])[cohort], device


def _targets(run: Run, tiles: Mapping[str, TileSet]) -> dict[str, np.ndarray]:
    """Targets and groups of the evaluation cohorts; cohorts of the same tiles share them."""
    found = {}
    for cohort in run.definition.evaluation_at(run.source):
        owner = run.definition.cohort_of_targets(cohort)
        if owner != cohort:
            if not np.array_equal(tiles[owner].targets, tiles[cohort].targets):
                raise DataError(
                    f"expected the targets of {owner} in {cohort} of {run.experiment}, which is "
                    f"of the same tiles, got others: its preparation must not change targets"
                )
            continue
        groups = tiles[cohort].groups
        names, codes = np.unique(groups, return_inverse=True)
        found[f"{cohort}.targets"] = tiles[cohort].targets.astype(np.int8)
        if len(names) < len(groups):
            # A large cohort has more patients than int16 has numbers.
            wide = np.promote_types(np.int16, np.min_scalar_type(-len(names)))
            found[f"{cohort}.groups"] = codes.astype(wide)
    return found
