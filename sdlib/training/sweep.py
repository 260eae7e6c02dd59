"""Making a sweep: every trained network predicts the test tiles at every level of every shift."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from sdlib.errors import ConfigError, DataError
from sdlib.experiments import EXPERIMENTS, Run, check_names, runs_of
from sdlib.experiments.measurements import SWEEP
from sdlib.files import atomic_path, write_json
from sdlib.results.sweeps import levels_of, read_level, stamp_of, write_level
from sdlib.shifts import Level

__all__ = ["make"]


def make(experiment: str, profile: str, source: str, log: Callable[[str], None] = print) -> Path:
    """Sweep every trained network of an experiment; returns the folder of the sweep.

    A level whose file holds today's logits of a network is not predicted again. Only the chunk in
    hand is in memory; the logits of a group of levels wait in a map on disk.

    Raises
    ------
    ConfigError
        The experiment is not swept.
    DataError
        None of its networks has been trained on this machine.
    """
    from sdlib.training.run import loaded  # torch and its company

    check_names(experiment, profile, source)
    if not EXPERIMENTS[experiment].swept:
        known = ", ".join(name for name, one in EXPERIMENTS.items() if one.swept)
        raise ConfigError(f"{experiment} is not swept; expected one of: {known}")
    trained = [run for run in runs_of(experiment, profile, source) if run.row_file.exists()]
    if not trained:
        raise DataError(
            f"no trained networks of {experiment} on {source}, {profile}: "
            f"python -m sdlib run {experiment}/ARM/seed0 --profile {profile} --source {source}"
        )
    folder = SWEEP.folder(experiment, profile, source)
    stamps = {run.id: stamp_of(run) for run in trained}
    for missing, levels in _to_do(folder, levels_of(profile), stamps).items():
        chosen = [run for run in trained if run.id in missing]
        session = loaded(chosen)
        for group in _shifted_together(levels):
            _predict(session, chosen, group, folder, stamps)
            log(f"{experiment}: {len(chosen)} networks at {', '.join(x.name for x in group)}")
    write_json(SWEEP.done_file(experiment, profile, source), stamps)
    return folder


def _to_do(
    folder: Path, levels: Sequence[Level], stamps: dict[str, str]
) -> dict[tuple[str, ...], list[Level]]:
    """Levels by the runs whose logits there are missing or of an earlier training."""
    found: dict[tuple[str, ...], list[Level]] = {}
    for level in levels:
        there, _ = read_level(folder / f"{level.name}.npz")
        missing = tuple(name for name, stamp in stamps.items() if there.get(name) != stamp)
        if missing:
            found.setdefault(missing, []).append(level)
    return found


def _shifted_together(levels: Sequence[Level]) -> list[list[Level]]:
    """Groups of levels: fadings share a separation of stains, all others are alone."""
    groups = []
    for shift, found in itertools.groupby(levels, key=lambda level: level.shift):
        if shift in ("haematoxylin", "eosin"):
            groups.append(list(found))
        else:
            groups += [[level] for level in found]
    return groups


def _predict(session, chosen: list[Run], group: list[Level], folder: Path, stamps: dict) -> None:
    """Fill one file per level of ``group`` with the logits of the chosen runs."""
    from sdlib.training.prediction import sweep

    networks, tiles, device = session
    shape = (len(group), len(chosen), len(tiles))
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "waiting.npy") as temporary:
        waiting = np.lib.format.open_memmap(temporary, "w+", np.float16, shape)
        for rows, level, logits in sweep(networks, tiles, group, device):
            waiting[group.index(level), :, rows] = logits
        for level, found in zip(group, waiting, strict=True):
            file = folder / f"{level.name}.npz"
            before, kept = read_level(file)
            kept |= {run.id: logits for run, logits in zip(chosen, found, strict=True)}
            kept = {name: logits for name, logits in kept.items() if name in stamps}
            done = before | {run.id: stamps[run.id] for run in chosen}
            write_level(file, {name: done[name] for name in kept}, kept)
    (folder / "waiting.npy").unlink()
