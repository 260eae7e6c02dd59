"""Rows and predictions: written by runs, recorded in git, read by every table and figure.

A row describes itself: experiment, arm, seed, profile, source, configuration and its hash, code
and library versions, device, seconds, metrics. A row whose hash is not today's is *stale*.
"""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from sdlib import __version__, experiments
from sdlib.errors import ConfigError, DataError
from sdlib.experiments import Run, trials as tuning
from sdlib.files import atomic_path
from sdlib.paths import ROOT, recorded_folder

__all__ = [
    "ORIGINS",
    "circumstances",
    "is_recorded",
    "predictions",
    "provenance",
    "record",
    "recorded_file",
    "rows",
]

ORIGINS = ("recorded", "this run")
LIBRARIES = ("torch", "timm", "numpy", "scikit-learn", "albumentations", "optuna")


@cache
def _commit() -> str:
    """The commit of the code, ``+`` behind it where files were changed; empty outside git."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def circumstances(device: torch.device) -> dict:
    """Versions and hardware, for a row."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    return {
        "code_version": f"{__version__} {_commit()}".strip(),
        "libraries": {library: version(library) for library in LIBRARIES},
        "device": f"{device.type} {name or platform.machine()}".strip(),
        "threads": torch.get_num_threads(),
    }


def provenance() -> str:
    """One line that says which code and libraries made a page.

    >>> provenance().startswith("sdlib ")
    True
    """
    libraries = ", ".join(f"{library} {version(library)}" for library in LIBRARIES[:4])
    code = f"{__version__} ({_commit()})" if _commit() else __version__
    return f"sdlib {code}, Python {platform.python_version()}, {libraries}"


def recorded_file(experiment: str, source: str, profile: str) -> Path:
    """The recorded rows of an experiment; predictions lie beside it, ending in ``.npz``."""
    return recorded_folder() / f"{experiment}-{source}-{profile}.jsonl"


def _recorded_rows(experiment: str, profile: str, source: str) -> list[dict]:
    file = recorded_file(experiment, source, profile)
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _own_rows(experiment: str, profile: str, source: str) -> list[dict]:
    files = (run.row_file for run in experiments.runs(experiment, profile, source))
    return [json.loads(file.read_text()) for file in files if file.exists()]


def _todays_hash(run: Run, recorded: bool) -> str | None:
    try:
        return experiments.config_hash(experiments.config(run, run.resolved_arm(recorded)))
    except DataError:  # its search has not been run
        return None


def _run_of(row: dict) -> Run | None:
    try:
        return Run(*(row[key] for key in ("experiment", "arm", "seed", "profile", "source")))
    except ConfigError:  # the registry no longer knows it
        return None


def rows(
    experiment: str, profile: str, source: str, origin: str = "recorded", nested: bool = False
) -> pd.DataFrame:
    """The rows of an experiment, one a run, arms in the registry's order.

    Parameters
    ----------
    experiment, profile, source : str
        As in :mod:`sdlib.experiments`.
    origin : str
        ``recorded`` (in git) or ``this run`` (this machine's outputs).
    nested : bool
        Keep ``config``, ``history`` and ``libraries`` too.

    Returns
    -------
    pandas.DataFrame
        experiment, arm, seed, profile, source, config_hash, stale, code_version, device, seconds,
        and every metric as ``set.metric``, for instance ``test.accuracy``. Empty without rows.

    Raises
    ------
    ConfigError
        An unknown experiment, profile, source or origin.
    """
    if origin not in ORIGINS:
        raise ConfigError(f"unknown origin {origin!r}; expected one of {ORIGINS}")
    experiments.check_names(experiment, profile, source)
    recorded = origin == "recorded"
    found = (_recorded_rows if recorded else _own_rows)(experiment, profile, source)
    flat = []
    for row in found:
        run = _run_of(row)
        stale = run is None or row["config_hash"] != _todays_hash(run, recorded)
        metrics = {f"{s}.{m}": v for s, part in row.pop("metrics").items() for m, v in part.items()}
        if not nested:
            row = {k: v for k, v in row.items() if not isinstance(v, (dict, list))}
        flat.append({**row, "stale": stale, **metrics})
    table = pd.DataFrame(flat)
    if len(table):
        order = {arm.name: k for k, arm in enumerate(experiments.EXPERIMENTS[experiment].arms)}
        table = table.sort_values(
            ["arm", "seed"], key=lambda c: c.map(order).fillna(99) if c.name == "arm" else c
        ).reset_index(drop=True)
    return table


def is_recorded(run: Run) -> bool:
    """Whether git holds a row of this run with today's configuration."""
    stamp = _todays_hash(run, recorded=True)
    return stamp is not None and any(
        row["arm"] == run.arm and row["seed"] == run.seed and row["config_hash"] == stamp
        for row in _recorded_rows(run.experiment, run.profile, run.source)
    )


def predictions(
    experiment: str, profile: str, source: str, origin: str = "recorded"
) -> dict[str, np.ndarray]:
    """Logits of every run and the targets they belong to.

    Returns
    -------
    dict of str to numpy.ndarray
        ``arm/seedK/test.logits`` and the like, float32 (n,); ``validation.targets`` and
        ``test.targets`` (also of ``clean`` and ``all``), int8 (n,); ``...groups`` where known.

    Raises
    ------
    DataError
        There are none.
    """
    if origin == "recorded":
        file = recorded_file(experiment, source, profile).with_suffix(".npz")
        if not file.exists():
            raise DataError(f"no recorded predictions of {experiment} on {source}, {profile}")
        with np.load(file) as stored:
            return dict(stored)
    found = _own_predictions(experiments.runs(experiment, profile, source))
    if not found:
        raise DataError(f"no predictions of {experiment} on {source}, {profile}: run it first")
    return found


def _own_predictions(runs: Iterable[Run]) -> dict[str, np.ndarray]:
    found = {}
    for run in runs:
        if run.row_file.exists():
            with np.load(run.folder / "predictions.npz") as stored:
                found.update({f"{run.arm}/seed{run.seed}/{name}": stored[name] for name in stored})
            with np.load(run.folder / "targets.npz") as stored:
                found.update(stored)
    return found


def record(experiment: str, profile: str, source: str) -> int:
    """Copy this machine's rows, predictions and trials to ``data/results``; returns the number.

    Rows recorded before and not run again here are kept.

    Raises
    ------
    DataError
        There is nothing to record.
    """
    own = _own_rows(experiment, profile, source)
    if not own:
        raise DataError(f"nothing to record of {experiment} on {source}, {profile}: run it first")
    fresh = {(row["arm"], row["seed"]) for row in own}
    kept = [
        row
        for row in _recorded_rows(experiment, profile, source)
        if (row["arm"], row["seed"]) not in fresh
    ]
    file = recorded_file(experiment, source, profile)
    stored = predictions(experiment, profile, source) if file.with_suffix(".npz").exists() else {}
    stored.update(predictions(experiment, profile, source, "this run"))
    with atomic_path(file.with_suffix(".npz")) as temporary:
        np.savez_compressed(temporary, **stored)
    found = experiments.searches(experiment, profile, source)
    lines = [json.dumps(trial) for search in found for trial in tuning.trials(search)]
    if lines:
        with atomic_path(tuning.recorded_trials_file(experiment, source, profile)) as temporary:
            temporary.write_text("\n".join(lines) + "\n")
    with atomic_path(file) as temporary:
        temporary.write_text("".join(json.dumps(row) + "\n" for row in [*kept, *own]))
    return len(own)
