"""Sweeps: every network's logits at every level of every shift, read back.

This machine keeps one file per level, so that a killed sweep goes on where it was and networks that
come later predict alone; git keeps one file per place. Logits are float16, recorded ones on the
grid of :mod:`sdlib.results.sweep_format`: a digit after the point. The sign, which decides at a
cut-off of .5, is exact.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sdlib.checks import known
from sdlib.errors import DataError
from sdlib.experiments import Run
from sdlib.experiments.measurements import SWEEP
from sdlib.experiments.profiles import scale_options
from sdlib.files import (
    atomic_path,
    check_entries,
    damaged,
    if_whole,
    read_arrays,
    read_json,
)
from sdlib.results import sweep_format
from sdlib.results.conflicts import check_none_kept
from sdlib.results.key import RECORDED, THIS_RUN, PlaceKey
from sdlib.results.predictions import own_predictions, own_targets
from sdlib.results.rows import recorded_rows, rows_of_today
from sdlib.shifts import LEVELS, Level

__all__ = [
    "BY_NAME",
    "CLEAN",
    "Sweep",
    "levels_of",
    "read_level",
    "read_sweep",
    "record",
    "stamp_of",
    "stamps_of_today",
    "write_level",
]

CLEAN = "clean"  # the line of the unshifted tiles
BY_NAME = {level.name: level for level in LEVELS}


@dataclass(frozen=True)
class Sweep:
    """Logits by arm and seed, one line per level.

    Parameters
    ----------
    levels : tuple of str
        ``clean``, then the names of levels in :data:`sdlib.shifts.LEVELS`.
    targets : numpy.ndarray
        int8 (n,).
    groups : numpy.ndarray
        Whole numbers (n,): tiles with one number are of one patient; all different where unknown.
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

    def wide(self) -> pd.DataFrame:
        """One line per arm and seed: accuracy at every level, and its mean over each shift.

        Without columns of metrics where there are no networks.
        """
        table = self.accuracy()
        if not len(table):
            return pd.DataFrame(columns=["arm", "seed"])
        levels = table.pivot(index=["arm", "seed"], columns="level", values="accuracy")
        means = table.pivot_table("accuracy", ["arm", "seed"], "shift")
        means = means.drop(columns=CLEAN, errors="ignore")
        return levels.join(means).reset_index()


EMPTY = Sweep((), np.empty(0, np.int8), np.empty(0, np.int16), {})


def levels_of(profile: str, shifts: Sequence[str] = ()) -> tuple[Level, ...]:
    """Which levels are swept: all 52 or those of some shifts, and every fourth at ``smoke``."""
    for shift in shifts:
        known("shift", shift, dict.fromkeys(level.shift for level in LEVELS))
    levels = tuple(level for level in LEVELS if not shifts or level.shift in shifts)
    return levels[::4] if profile == "smoke" else levels


def stamp_of(run: Run) -> str:
    """A text about a run that changes whenever it is made again.

    Raises
    ------
    DataError
        The run has left no row on this machine, or a damaged one.
    """
    command = f"python -m sdlib run {run.id} {scale_options(run.profile, run.source)}"
    row = read_json(run.row_file, _check_stamp, f"make it again with `{command} --fresh`")
    return f"{row['config_hash']} {row['finished']}"


def _check_stamp(row: Any) -> None:
    check_entries(row, {"config_hash": str, "finished": str})


def stamps_of_today(key: PlaceKey) -> dict[Run, str]:
    """The stamps of this machine's runs of today's configuration, by run.

    Runs with a damaged row are not among them.

    Parameters
    ----------
    key : PlaceKey
        Of this machine.
    """
    counted = {(row["arm"], row["seed"]) for row in rows_of_today(key)}
    return {
        run: stamp_of(run)
        for run in key.runs
        if (run.arm, run.seed) in counted and if_whole(read_json, run.row_file, _check_stamp)
    }


def read_level(file: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Stamps and logits of one level, by run; empty without a file, or with a damaged one."""
    arrays = if_whole(read_arrays, file, _check_level)
    if arrays is None:
        return {}, {}
    return json.loads(str(arrays.pop("stamps"))), arrays


def _check_level(arrays: Mapping[str, np.ndarray]) -> None:
    """Raise a ValueError unless every network of a level has a stamp and logits (n,)."""
    if "stamps" not in arrays:
        raise ValueError("stamps are missing")
    logits = {name: values for name, values in arrays.items() if name != "stamps"}
    check_entries(json.loads(str(arrays["stamps"])), dict.fromkeys(logits, str))
    for name, values in logits.items():
        if values.ndim != 1 or values.dtype.kind != "f":
            raise ValueError(f"expected floats (n,) in {name}, got {values.dtype} {values.shape}")


def write_level(file: Path, stamps: dict[str, str], logits: dict[str, np.ndarray]) -> None:
    """Write stamps and logits of one level, by run, whole or not at all."""
    with atomic_path(file) as whole:
        np.savez_compressed(whole, stamps=np.array(json.dumps(stamps)), **logits)


def _own(key: PlaceKey) -> Sweep:
    """This machine's sweep: runs of today's configuration, swept since they were trained."""
    measurement = key.definition.sweep
    if measurement is None:
        return EMPTY
    cohort = measurement.cohort
    owner = key.definition.cohort_of_targets(cohort)
    swept = levels_of(key.profile, measurement.shifts)
    folder = SWEEP.folder(key.experiment, key.profile, key.source)
    stored = [read_level(folder / f"{level.name}.npz") for level in swept]
    logits, truth = {}, {}
    for run, stamp in stamps_of_today(key).items():
        if any(stamps.get(run.id) != stamp for stamps, _ in stored):
            continue
        own, owned = own_predictions(run) or {}, own_targets(run) or {}
        if f"{cohort}.logits" not in own or f"{owner}.targets" not in owned:
            continue
        clean = own[f"{cohort}.logits"].astype(np.float16)
        lines = [clean, *(arrays[run.id] for _, arrays in stored)]
        if {len(line) for line in lines} != {len(owned[f"{owner}.targets"])}:
            continue  # damaged: some are of other tiles
        truth = owned
        logits[run.arm, run.seed] = np.stack(lines)
    targets = truth.get(f"{owner}.targets", np.empty(0, np.int8))
    groups = truth.get(f"{owner}.groups", np.arange(len(targets), dtype=np.int32))
    names = (CLEAN, *(level.name for level in swept))
    return Sweep(names, targets, groups, logits)


def read_sweep(key: PlaceKey) -> Sweep:
    """The sweep of a place; without networks if there is none.

    Raises
    ------
    DamagedError
        The recorded file is damaged.
    """
    if not key.recorded:
        return _own(key)
    file = SWEEP.recorded_file(key.experiment, key.profile, key.source)
    if not os.path.exists(file):
        return EMPTY
    found = Sweep(*sweep_format.read(file, key.remedy))
    expected = (CLEAN, *BY_NAME)
    if found.levels[:1] != (CLEAN,) or len(set(found.levels)) < len(found.levels):
        raise damaged(file, f"expected {CLEAN} and levels, each once", key.remedy)
    unknown = [name for name in found.levels if name not in expected]
    if unknown:
        raise damaged(file, f"unknown level {unknown[0]!r}", key.remedy)
    return found


def record(experiment: str, profile: str, source: str) -> str:
    """Copy this machine's sweep to the recorded ones; says how many networks, if any.

    Networks recorded before and not swept here are kept. Of stale ones, those that were swept on
    other tiles or levels are left out.

    Raises
    ------
    DataError
        A network whose sweep is recorded was trained anew here, and not swept; or one that is to
        be kept was swept on other tiles or levels than this machine's.
    """
    key = PlaceKey(experiment, profile, source, THIS_RUN)
    own = _own(key)
    before = read_sweep(replace(key, origin=RECORDED))
    outdated = sorted(_trained_anew(key) & set(before.logits) - set(own.logits))
    if outdated:
        arm, seed = outdated[0]
        raise DataError(
            f"the recorded sweep of {experiment}/{arm}/seed{seed} is of another network than this "
            f"machine's ({len(outdated)} such): sweep these networks with `python -m sdlib measure "
            f"{experiment}/{SWEEP.name} {scale_options(profile, source)}`"
        )
    if not own.logits:
        return ""
    kept = {
        network: logits for network, logits in before.logits.items() if network not in own.logits
    }
    left_out = ""
    if kept and (what := _what_differs(key, before, own)):
        check_none_kept(key, kept, what)
        left_out = f"; {len(kept)} stale ones left out"
        kept = {}
    logits = {**kept, **own.logits}
    file = SWEEP.recorded_file(experiment, profile, source)
    sweep_format.write(file, own.levels, own.targets, own.groups, logits)
    return f"the sweep of {len(own.logits)} networks recorded{left_out}"


def _what_differs(key: PlaceKey, before: Sweep, own: Sweep) -> str:
    """What two sweeps do not share, so that one file cannot hold both; empty if they fit."""
    if before.levels != own.levels:
        return "levels of the sweep"
    if not np.array_equal(before.targets, own.targets):
        return f"images of the cohort {key.definition.sweep.cohort}"
    return ""


def _trained_anew(own: PlaceKey) -> set[tuple[str, int]]:
    """Arm and seed of this machine's networks that are not those of the recorded rows."""
    recorded = {
        (row["arm"], row["seed"]): row["metrics"]
        for row in recorded_rows(replace(own, origin=RECORDED))
    }
    return {
        (row["arm"], row["seed"])
        for row in rows_of_today(own)
        if recorded.get((row["arm"], row["seed"])) != row["metrics"]
    }
