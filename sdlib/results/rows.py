"""Rows: written by runs, recorded in git, read by every table and figure.

A row describes itself: experiment, arm, seed, profile, source, configuration and its hash, code
and library versions, device, seconds, metrics. A row whose hash is not today's is *stale*.
"""

from __future__ import annotations

import json
import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch

from sdlib import __version__
from sdlib.errors import ConfigError, DataError
from sdlib.experiments import Run, config_hash
from sdlib.paths import ROOT
from sdlib.results.key import PlaceKey, check_declared

__all__ = ["circumstances", "is_recorded", "provenance", "read_rows", "recorded_rows", "row_table"]

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


def recorded_file(key: PlaceKey) -> Path:
    """Where the rows of a place are recorded, one per line."""
    return key.recorded_file(".jsonl")


def recorded_rows(key: PlaceKey) -> list[dict]:
    """The recorded rows as they were written; none where nothing is recorded."""
    file = recorded_file(key)
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def own_rows(key: PlaceKey) -> list[dict]:
    """The rows that this machine's runs have left."""
    check_declared(key)
    files = (run.row_file for run in key.runs)
    return [json.loads(file.read_text()) for file in files if file.exists()]


def read_rows(key: PlaceKey) -> list[dict]:
    """The rows of a place as they were written."""
    return recorded_rows(key) if key.recorded else own_rows(key)


def _todays_hash(run: Run, recorded: bool) -> str | None:
    try:
        return config_hash(run.config(run.resolved_arm(recorded)))
    except DataError:  # its search has not been run
        return None


def _run_of(row: dict) -> Run | None:
    try:
        return Run(*(row[key] for key in ("experiment", "arm", "seed", "profile", "source")))
    except ConfigError:  # the registry no longer knows it
        return None


def row_table(key: PlaceKey) -> pd.DataFrame:
    """The rows of a place as a table, one line per run, arms in the experiment's order.

    Returns
    -------
    pandas.DataFrame
        experiment, arm, seed, profile, source, config_hash, stale (bool), code_version, device,
        seconds, config, history, libraries, and every metric as ``cohort.metric``, for instance
        ``test.accuracy``. Empty without rows.
    """
    flat = []
    for row in read_rows(key):
        run = _run_of(row)
        stale = run is None or row["config_hash"] != _todays_hash(run, key.recorded)
        metrics = {
            f"{cohort}.{metric}": value
            for cohort, found in row.pop("metrics").items()
            for metric, value in found.items()
        }
        flat.append({**row, "stale": stale, **metrics})
    table = pd.DataFrame(flat)
    if not len(table):
        return table
    order = {arm.name: k for k, arm in enumerate(key.definition.arms)}
    rank = table["arm"].map(order).fillna(len(order))  # arms that are no longer known come last
    table = table.assign(_rank=rank).sort_values(["_rank", "seed"])
    return table.drop(columns="_rank").reset_index(drop=True)


def is_recorded(run: Run) -> bool:
    """Whether git holds a row of this run with today's configuration."""
    stamp = _todays_hash(run, recorded=True)
    return stamp is not None and any(
        row["arm"] == run.arm and row["seed"] == run.seed and row["config_hash"] == stamp
        for row in recorded_rows(PlaceKey(run.experiment, run.profile, run.source))
    )
