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

from sdlib import experiments, results
from sdlib.datasets.cutout import make_cutout_set
from sdlib.datasets.tiles import TileSet
from sdlib.experiments import PROFILES, Run
from sdlib.experiments.arms import Arm
from sdlib.files import atomic_path, cannot_write, write_json
from sdlib.losses import SpectralDecouplingLoss
from sdlib.metrics import summary
from sdlib.models import create_network, load_weights, save_weights
from sdlib.training.activation_maps import cutout_shares
from sdlib.training.data import load_tiles
from sdlib.training.loop import Schedule, fit
from sdlib.training.prediction import predict_logits

__all__ = ["execute", "loaded", "train_and_evaluate"]

CAM_TILES = 256  # cancerous test tiles whose activation maps are measured

Log = Callable[[str], None]


def _criterion(arm: Arm) -> nn.Module:
    lam = 0.0 if arm.lam is None else arm.lam
    return SpectralDecouplingLoss(lam, arm.gamma)


def _fabric(run: Run) -> Fabric:
    """The GPU with the profile's precision if there is one, else one CPU thread in float32.

    One thread, because a sum's order, and with it the row, changes with their number.
    """
    if torch.cuda.is_available():
        return Fabric(accelerator="cuda", devices=1, precision=PROFILES[run.profile].precision)
    torch.set_num_threads(1)
    return Fabric(accelerator="cpu", devices=1)


def train_and_evaluate(
    run: Run,
    arm: Arm,
    parts: Mapping[str, TileSet],
    log: Log,
    folder=None,
    fabric: Fabric | None = None,
    learning_rate: float | None = None,
) -> tuple[nn.Module, list[dict], dict[str, TileSet], dict[str, np.ndarray]]:
    """Train one arm, at the profile's learning rate or another, and ask the network every set.

    Returns
    -------
    network, history, sets, logits
        The trained network; :func:`sdlib.training.loop.fit`'s entries; the evaluation sets and the
        logits on them, float32 (n,), by name.
    """
    profile, seed = PROFILES[run.profile], run.definition.data_seed
    fabric = fabric or _fabric(run)
    sets = {
        name: make_cutout_set(parts[part], kind, seed)
        for name, (part, kind) in run.definition.sets.items()
    }
    network = create_network(profile.network, profile.dropout, profile.drop_path, seed=run.seed)
    schedule = Schedule(
        profile.epochs,
        profile.batch_size,
        learning_rate or profile.learning_rate,
        arm.weight_decay,
        run.augmentation(arm),
        run.seed,
        profile.workers,
    )
    train = make_cutout_set(parts["train"], arm.train_set, seed)
    history = fit(
        network, _criterion(arm), train, sets["validation"], schedule, folder, fabric, log
    )
    logits = {n: predict_logits(network, s.images, fabric.device) for n, s in sets.items()}
    return network, history, sets, logits


def execute(run: Run, fresh: bool = False, log: Log = print) -> dict:
    """Train, evaluate and write ``row.json``, ``predictions.npz`` and ``model.safetensors``.

    A run whose row has today's configuration is not repeated, and a killed one goes on from its
    last epoch, unless ``fresh``. The row is written last: where it stands, all is there. Where a
    search has led an arm to the very values of another, their runs are one: the files are copied.

    Returns
    -------
    dict
        The row.
    """
    values = experiments.config(run)
    stamp = experiments.config_hash(values)
    if not fresh and run.row_file.exists():
        row = json.loads(run.row_file.read_text())
        if row["config_hash"] == stamp:
            return row
    if not fresh and (twin := _twin(run, stamp)):
        return _copied(twin, run)
    checkpoint, config_file = run.folder / "checkpoint.pt", run.folder / "config.json"
    if fresh or not _begun(config_file, stamp):
        _discard(checkpoint)
    _discard(run.row_file)  # it would stand beside another run's predictions
    write_json(config_file, values)
    start, fabric = time.perf_counter(), _fabric(run)
    network, history, sets, logits = train_and_evaluate(
        run, run.resolved_arm(), load_tiles(run), log, run.folder, fabric
    )
    metrics = {name: summary(sets[name].targets, expit(logits[name])) for name in sets}
    kept = {f"{name}.logits": values for name, values in logits.items()}
    if run.definition.maps:
        metrics["cam"], shares = _map_shares(network, sets["test"])
        kept |= shares
    with atomic_path(run.folder / "predictions.npz") as temporary:
        np.savez_compressed(temporary, **kept)
    # Sets of the same tiles share their targets: those of `clean` and `all` are those of `test`.
    parts = dict.fromkeys(part for part, _ in run.definition.sets.values())
    targets = {f"{part}.{k}": v for part in parts for k, v in _truth(sets[part])}
    with atomic_path(run.folder / "targets.npz") as temporary:
        np.savez_compressed(temporary, **targets)
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
        **results.circumstances(fabric.device),
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
    return experiments.config_hash(json.loads(config_file.read_text())) == stamp


def _discard(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def loaded(runs: Sequence[Run]) -> tuple[list[nn.Module], np.ndarray, torch.device]:
    """Trained networks of one experiment, its test tiles without cutouts, and the device.

    Raises
    ------
    DataError
        A run has no weights on this machine.
    """
    device, profile = _fabric(runs[0]).device, PROFILES[runs[0].profile]
    networks = [
        load_weights(create_network(profile.network), run.folder / "model.safetensors").to(device)
        for run in runs
    ]
    return networks, load_tiles(runs[0])["test"].images, device


def _map_shares(
    network: nn.Module, test: TileSet
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Share of the activation maps on the cutouts: means for the row, values for the store."""
    cancer = test.subset(np.flatnonzero(test.targets == 1)[:CAM_TILES])
    shares = {
        name: cutout_shares(network, cancer, index)
        for name, index in (("benign", 0), ("cancer", 1))
    }
    means = {f"{name}_share": float(s["activation"].mean()) for name, s in shares.items()}
    means["area_share"] = float(shares["benign"]["area"].mean())
    return means, {f"cam.{n}": s["activation"].astype(np.float32) for n, s in shares.items()}


def _truth(tiles: TileSet):
    """Targets and groups of a set, compactly: what predictions are compared with."""
    names, codes = np.unique(tiles.groups, return_inverse=True)
    yield "targets", tiles.targets.astype(np.int8)
    if len(names) < len(tiles):
        yield "groups", codes.astype(np.int16)
