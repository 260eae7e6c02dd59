"""The sweep of an experiment: every network's logits at every level of every shift, kept.

One file a level under ``outputs``, so that a killed sweep goes on where it was and networks that
come later are asked alone; one file in ``data/results`` for what is recorded. Logits are kept as
float16, recorded ones on the grid of :mod:`sdlib.results.sweep_format`: a digit after the point,
and the sign, which decides at a cut-off of .5, is exact.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sdlib import results
from sdlib.errors import ConfigError, DataError
from sdlib.experiments import EXPERIMENTS, Run, check_names, runs
from sdlib.files import atomic_path, write_json
from sdlib.paths import outputs_folder, recorded_folder
from sdlib.results import sweep_format as sweep_store
from sdlib.shifts import LEVELS, Level

__all__ = [
    "Sweep",
    "accuracies",
    "done_file",
    "execute",
    "levels_of",
    "load",
    "record",
    "sweep_file",
]

CLEAN = "clean"  # the line of the unshifted tiles
BY_NAME = {level.name: level for level in LEVELS}


@dataclass(frozen=True)
class Sweep:
    """Logits by arm and seed, one line a level.

    Parameters
    ----------
    levels : tuple of str
        ``clean``, then the names of levels in :data:`sdlib.shifts.LEVELS`.
    targets : numpy.ndarray
        int8 (n,).
    groups : numpy.ndarray
        int16 (n,): tiles with one number are of one patient; all different where unknown.
    logits : dict
        float16 or, as recorded, float32 (levels, n) by (arm, seed).
    """

    levels: tuple[str, ...]
    targets: np.ndarray
    groups: np.ndarray
    logits: dict[tuple[str, int], np.ndarray]

    def accuracy(self) -> pd.DataFrame:
        """Balanced accuracy at a cut-off of .5: shift, strength, level, arm, seed, accuracy.

        The unshifted tiles' shift is ``clean``, their strength not a number.
        """
        lines = []
        for (arm, seed), logits in self.logits.items():
            correct = ~np.signbit(logits) == (self.targets == 1)
            means = [correct[:, self.targets == target].mean(1) for target in (0, 1)]
            for name, value in zip(self.levels, np.mean(means, axis=0), strict=True):
                level = BY_NAME.get(name)
                shift, strength = (level.shift, level.strength) if level else (CLEAN, np.nan)
                lines.append((shift, strength, name, arm, seed, float(value)))
        columns = ["shift", "strength", "level", "arm", "seed", "accuracy"]
        return pd.DataFrame(lines, columns=columns)


def levels_of(profile: str) -> tuple[Level, ...]:
    """Which levels a profile sweeps: all 52, or every fourth at ``smoke``."""
    return LEVELS[::4] if profile == "smoke" else LEVELS


def _folder(experiment: str, profile: str, source: str) -> Path:
    return outputs_folder() / source / profile / experiment / "sweep"


def sweep_file(experiment: str, source: str, profile: str) -> Path:
    """Where a sweep is kept in git."""
    return recorded_folder() / f"{experiment}-{source}-{profile}-sweep.npz"


def done_file(experiment: str, profile: str, source: str) -> Path:
    """Written last: which networks have been asked about every level."""
    return _folder(experiment, profile, source) / "done.json"


def _stamp(run: Run) -> str:
    """Changes whenever the run has been made again."""
    row = json.loads(run.row_file.read_text())
    return f"{row['config_hash']} {row['finished']}"


def _stored(file: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Stamps and logits of one level, by run; empty without a readable file."""
    if not file.exists():
        return {}, {}
    with np.load(file) as stored:
        arrays = dict(stored)
    return json.loads(str(arrays.pop("stamps"))), arrays


def _groups(levels: Sequence[Level]) -> list[list[Level]]:
    """Levels that are worth shifting together: fadings, which share a separation of stains."""
    by_shift = itertools.groupby(levels, key=lambda level: level.shift)
    groups = []
    for shift, found in by_shift:
        found = list(found)
        groups += [found] if shift in ("haematoxylin", "eosin") else [[one] for one in found]
    return groups


def execute(experiment: str, profile: str, source: str, log: Callable[[str], None] = print) -> Path:
    """Ask every trained network of an experiment about every level; returns the sweep's folder.

    A level whose file holds today's logits of a network is not asked again. Only the chunk in
    hand is in memory; the logits of a group of levels wait in a map on disk.

    Raises
    ------
    ConfigError
        The experiment is not swept.
    DataError
        None of its networks has been trained on this machine.
    """
    from sdlib.training import run as running  # torch and its company

    check_names(experiment, profile, source)
    if not EXPERIMENTS[experiment].swept:
        known = ", ".join(name for name, one in EXPERIMENTS.items() if one.swept)
        raise ConfigError(f"{experiment} is not swept; expected one of: {known}")
    trained = [run for run in runs(experiment, profile, source) if run.row_file.exists()]
    if not trained:
        raise DataError(
            f"no trained networks of {experiment} on {source}, {profile}: "
            f"python -m sdlib run {experiment}/ARM/seed0 --profile {profile} --source {source}"
        )
    folder, stamps = _folder(experiment, profile, source), {r.id: _stamp(r) for r in trained}
    asked: dict[tuple[str, ...], list[Level]] = {}
    for level in levels_of(profile):
        there, _ = _stored(folder / f"{level.name}.npz")
        missing = tuple(name for name, stamp in stamps.items() if there.get(name) != stamp)
        if missing:
            asked.setdefault(missing, []).append(level)
    for missing, levels in asked.items():
        chosen = [run for run in trained if run.id in missing]
        session = running.loaded(chosen)
        for group in _groups(levels):
            _ask(session, chosen, group, folder, stamps)
            log(f"{experiment}: {len(chosen)} networks at {', '.join(x.name for x in group)}")
    write_json(done_file(experiment, profile, source), stamps)
    return folder


def _ask(session, chosen: list[Run], group: list[Level], folder: Path, stamps: dict) -> None:
    """Fill one file a level of ``group`` with the logits of the chosen runs."""
    from sdlib.training.prediction import sweep

    networks, images, device = session
    shape = (len(group), len(chosen), len(images))
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "waiting.npy") as temporary:
        waiting = np.lib.format.open_memmap(temporary, "w+", np.float16, shape)
        for tiles, level, logits in sweep(networks, images, group, device):
            waiting[group.index(level), :, tiles] = logits
        for level, answers in zip(group, waiting, strict=True):
            file = folder / f"{level.name}.npz"
            before, kept = _stored(file)
            kept |= {run.id: answer for run, answer in zip(chosen, answers, strict=True)}
            kept = {name: logits for name, logits in kept.items() if name in stamps}
            done = before | {run.id: stamps[run.id] for run in chosen}
            with atomic_path(file) as whole:
                text = json.dumps({name: done[name] for name in kept})
                np.savez_compressed(whole, stamps=np.array(text), **kept)
    (folder / "waiting.npy").unlink()


def _own(experiment: str, profile: str, source: str) -> Sweep:
    """This machine's sweep: the runs whose logits at every level are of today's networks."""
    swept = levels_of(profile)
    stored = [_stored(_folder(experiment, profile, source) / f"{x.name}.npz") for x in swept]
    logits, truth = {}, {}
    for run in runs(experiment, profile, source):
        if not run.row_file.exists():
            continue
        stamp = _stamp(run)
        if any(stamps.get(run.id) != stamp for stamps, _ in stored):
            continue
        with np.load(run.folder / "predictions.npz") as own:
            clean = own["test.logits"].astype(np.float16)
        with np.load(run.folder / "targets.npz") as own:
            truth = dict(own)
        lines = [clean, *(arrays[run.id] for _, arrays in stored)]
        logits[run.arm, run.seed] = np.stack(lines)
    targets = truth.get("test.targets", np.empty(0, np.int8))
    groups = truth.get("test.groups", np.arange(len(targets), dtype=np.int16))
    names = (CLEAN, *(level.name for level in swept))
    return Sweep(names, targets, groups, logits)


def load(experiment: str, profile: str, source: str, origin: str = "recorded") -> Sweep:
    """A sweep as recorded, or as this machine's networks have answered; empty if there is none.

    Raises
    ------
    ConfigError
        An unknown experiment, profile, source or origin.
    """
    check_names(experiment, profile, source)
    if origin not in results.ORIGINS:
        raise ConfigError(f"unknown origin {origin!r}; expected one of {results.ORIGINS}")
    if origin == "this run":
        return _own(experiment, profile, source)
    file = sweep_file(experiment, source, profile)
    if not file.exists():
        return Sweep((), np.empty(0, np.int8), np.empty(0, np.int16), {})
    return Sweep(*sweep_store.read(file))


def accuracies(
    experiment: str, profile: str, source: str, origin: str = "recorded"
) -> pd.DataFrame:
    """Balanced accuracy of every network at every level; see :meth:`Sweep.accuracy`.

    >>> list(accuracies("robustness", "smoke", "pcam"))
    ['shift', 'strength', 'level', 'arm', 'seed', 'accuracy']
    """
    return load(experiment, profile, source, origin).accuracy()


def record(experiment: str, profile: str, source: str) -> int:
    """Copy this machine's sweep to ``data/results``; returns the number of networks.

    Networks recorded before and not swept here are kept, if their tiles are the same.
    """
    own = _own(experiment, profile, source)
    if not own.logits:
        return 0
    before = load(experiment, profile, source)
    same = before.levels == own.levels and np.array_equal(before.targets, own.targets)
    logits = ({**before.logits} if same else {}) | own.logits
    file = sweep_file(experiment, source, profile)
    sweep_store.write(file, own.levels, own.targets, own.groups, logits)
    return len(own.logits)
