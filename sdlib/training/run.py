"""One run from its name to its row: data, network, training, evaluation, files."""

from __future__ import annotations

import dataclasses
import datetime
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from scipy.special import expit
from torch import nn

from sdlib.datasets.tiles import TileSet
from sdlib.experiments import Arm, Run, config_hash
from sdlib.files import atomic_path, cannot_write, write_json
from sdlib.losses import SpectralDecouplingLoss
from sdlib.metrics import summary
from sdlib.models import create_network, load_weights, save_weights
from sdlib.results import circumstances
from sdlib.training.data import TRAINING, load_tiles
from sdlib.training.loop import Schedule, fit
from sdlib.training.prediction import predict_logits

__all__ = ["execute", "loaded", "train_and_evaluate"]

Log = Callable[[str], None]


def _criterion(arm: Arm) -> nn.Module:
    lam = 0.0 if arm.lam is None else arm.lam
    return SpectralDecouplingLoss(lam, arm.gamma)


def _fabric(run: Run) -> Fabric:
    """The GPU with the profile's precision if there is one, else one CPU thread in float32.

    One thread, because a sum's order, and with it the row, changes with their number.
    """
    if torch.cuda.is_available():
        return Fabric(accelerator="cuda", devices=1, precision=run.settings.precision)
    torch.set_num_threads(1)
    return Fabric(accelerator="cpu", devices=1)


def train_and_evaluate(
    run: Run,
    arm: Arm,
    tiles: Mapping[str, TileSet],
    log: Log,
    folder: Path | None = None,
    fabric: Fabric | None = None,
    learning_rate: float | None = None,
) -> tuple[nn.Module, list[dict], dict[str, np.ndarray]]:
    """Train one arm and predict every evaluation cohort.

    Parameters
    ----------
    run : Run
        Its settings and its seed are used.
    arm : Arm
        With its values in place.
    tiles : mapping of str to TileSet
        Of :func:`sdlib.training.data.load_tiles`.
    log : callable
        Takes a line per epoch.
    folder : pathlib.Path, optional
        Of checkpoints.
    fabric : lightning_fabric.Fabric, optional
        Device and precision.
    learning_rate : float, optional
        In the place of the profile's.

    Returns
    -------
    network : torch.nn.Module
        Trained.
    history : list of dict
        The entries of :func:`sdlib.training.loop.fit`.
    logits : dict of str to numpy.ndarray
        float32 (n,), by evaluation cohort.
    """
    settings = run.settings
    fabric = fabric or _fabric(run)
    network = create_network(settings.network, settings.dropout, settings.drop_path, seed=run.seed)
    schedule = Schedule(
        settings.epochs,
        settings.batch_size,
        learning_rate or settings.learning_rate,
        arm.weight_decay,
        run.config(arm)["augment"],
        run.seed,
        settings.workers,
    )
    history = fit(
        network,
        _criterion(arm),
        tiles[TRAINING],
        tiles["validation"],
        schedule,
        folder,
        fabric,
        log,
    )
    logits = {
        cohort: predict_logits(network, tiles[cohort], fabric.device)
        for cohort in run.definition.evaluation
    }
    return network, history, logits


def execute(run: Run, fresh: bool = False, log: Log = print) -> dict:
    """Train, evaluate and write ``row.json``, ``predictions.npz`` and ``model.safetensors``.

    A run whose row has today's configuration is not repeated, and a killed one goes on from its
    last epoch, unless ``fresh``. The row is written last: where it exists, the run is whole. Where
    a search has led an arm to the very values of another, their runs are one: the files are copied.

    Returns
    -------
    dict
        The row.
    """
    values = run.config()
    stamp = config_hash(values)
    if not fresh and run.row_file.exists():
        row = json.loads(run.row_file.read_text())
        if row["config_hash"] == stamp:
            return row
    if not fresh and (twin := _twin(run, stamp)):
        return _copied(twin, run)
    checkpoint, config_file = run.folder / "checkpoint.pt", run.folder / "config.json"
    if fresh or not _begun(config_file, stamp):
        _discard(checkpoint)
    _discard(run.row_file)  # it would describe another run's predictions
    write_json(config_file, values)
    start, fabric = time.perf_counter(), _fabric(run)
    tiles = load_tiles(run)
    network, history, logits = train_and_evaluate(
        run, run.resolved_arm(), tiles, log, run.folder, fabric
    )
    metrics = {name: summary(tiles[name].targets, expit(logits[name])) for name in logits}
    kept = {f"{name}.logits": values for name, values in logits.items()}
    for measurement in run.definition.measurements:
        if measurement.per_run:
            metrics[measurement.name], arrays = measurement.make()(network, tiles["test"])
            kept |= arrays
    _write_arrays(run.folder / "predictions.npz", kept)
    _write_arrays(run.folder / "targets.npz", _targets(run, tiles))
    save_weights(network, run.folder / "model.safetensors")
    trained = sum(epoch["seconds"] for epoch in history)  # of a resumed run: earlier epochs too
    row = {
        "experiment": run.experiment,
        "arm": run.arm,
        "seed": run.seed,
        "profile": run.profile,
        "source": run.source,
        "config_hash": stamp,
        "config": values,
        **circumstances(fabric.device),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(max(time.perf_counter() - start, trained), 1),
        "metrics": metrics,
        "history": history,
    }
    write_json(run.row_file, row)
    checkpoint.unlink(missing_ok=True)
    return row


def _twin(run: Run, stamp: str) -> Run | None:
    """Another arm's finished run of the very same configuration."""
    for arm in run.definition.arms:
        other = dataclasses.replace(run, arm=arm.name)
        if other == run or not other.row_file.exists():
            continue
        if json.loads(other.row_file.read_text())["config_hash"] == stamp:
            return other
    return None


def _copied(twin: Run, run: Run) -> dict:
    """``twin``'s files as those of ``run``, whose row says whose they are."""
    run.folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "predictions.npz", "targets.npz", "model.safetensors"):
        with atomic_path(run.folder / name) as temporary:
            shutil.copyfile(twin.folder / name, temporary)
    row = json.loads(twin.row_file.read_text()) | {"arm": run.arm, "trained_as": twin.arm}
    write_json(run.row_file, row)
    return row


def _begun(config_file: Path, stamp: str) -> bool:
    """Whether a checkpoint beside ``config_file`` is of the configuration with this hash."""
    if not config_file.exists():
        return False
    return config_hash(json.loads(config_file.read_text())) == stamp


def _discard(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def _write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def loaded(runs: Sequence[Run]) -> tuple[list[nn.Module], TileSet, torch.device]:
    """Trained networks of one experiment, its test tiles as networks see them, and the device.

    Raises
    ------
    DataError
        A run has no weights on this machine.
    """
    device, settings = _fabric(runs[0]).device, runs[0].settings
    networks = [
        load_weights(create_network(settings.network), run.folder / "model.safetensors").to(device)
        for run in runs
    ]
    return networks, load_tiles(runs[0])["test"], device


def _targets(run: Run, tiles: Mapping[str, TileSet]) -> dict[str, np.ndarray]:
    """Targets and groups of the evaluation cohorts; cohorts of the same tiles share them."""
    found = {}
    for cohort in run.definition.evaluation:
        if run.definition.cohort_of_targets(cohort) != cohort:
            continue
        groups = tiles[cohort].groups
        names, codes = np.unique(groups, return_inverse=True)
        found[f"{cohort}.targets"] = tiles[cohort].targets.astype(np.int8)
        if len(names) < len(groups):
            found[f"{cohort}.groups"] = codes.astype(np.int16)
    return found
