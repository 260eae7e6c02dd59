"""Rows: written by runs, recorded in git, read by every table and figure.

A row describes itself: experiment, arm, seed, profile, source, configuration and its hash, code
and library versions, device, seconds, metrics. A row whose hash is not today's is *stale*.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from sdlib import __version__
from sdlib.errors import ConfigError, DataError
from sdlib.experiments import Arm, Run, config_hash
from sdlib.files import (
    DamagedError,
    all_within,
    check_entries,
    check_number_entry,
    if_whole,
    read_json,
    read_json_lines,
)
from sdlib.paths import ROOT
from sdlib.results.key import PlaceKey, check_declared

if TYPE_CHECKING:
    import torch

__all__ = [
    "check_row",
    "circumstances",
    "is_recorded",
    "own_row",
    "own_rows",
    "own_state",
    "provenance",
    "read_rows",
    "recorded_rows",
    "row_table",
    "rows_of_today",
    "shares_training",
]

NUMBER = (int, float)
IDENTITY = {"experiment": str, "arm": str, "seed": int, "profile": str, "source": str}
ENTRIES = {
    **IDENTITY,
    "config_hash": str,
    "config": dict,
    "code_version": str,
    "device": str,
    "seconds": NUMBER,
    "metrics": dict,
    "history": list,
}
UNIQUE = ("arm", "seed")
#: Metrics of a cohort that lie between 0 and 1; SHARE leaves room for rounding.
SHARES = {"accuracy", "recall", "specificity", "auroc", "brier", "calibration_error"}
SHARE = (-1e-9, 1 + 1e-9)
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


def circumstances(device: torch.device, devices: int = 1) -> dict:
    """Versions and hardware, for a row; the number of devices is there only where it is above 1."""
    import torch  # here: pages and the graph read rows without it

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    found = {
        "code_version": f"{__version__} {_commit()}".strip(),
        "libraries": {library: version(library) for library in LIBRARIES},
        "device": f"{device.type} {name or platform.machine()}".strip(),
        "threads": torch.get_num_threads(),
    }
    if devices > 1:
        # In the text too: pages that add up hours by device keep those of several apart.
        found |= {"devices": devices, "device": f"{found['device']}, devices: {devices}"}
    return found


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


def check_row(row: Any) -> None:
    """Raise a ValueError that says what is missing or wrong in a row that was read."""
    check_entries(row, ENTRIES)
    check_number_entry("seed", row["seed"], 0)
    check_number_entry("seconds", row["seconds"], 0)
    for cohort, metrics in row["metrics"].items():
        check_entries(metrics, {})
        if metrics.keys() <= SHARES:
            right = all_within(metrics.values(), *SHARE)
        else:
            right = metrics.keys().isdisjoint(SHARES) and all_within(metrics.values())
        if right:
            continue
        for name, value in metrics.items():
            bounds = (0, 1) if name in SHARES else ()
            check_number_entry(f"{cohort} {name}", value, *bounds)
    for epoch in row["history"]:
        check_entries(epoch, {"train_loss": NUMBER})
        if not all_within(epoch.values()):
            for name, value in epoch.items():
                check_number_entry(f"{name} of an epoch", value)


def _check_place(row: dict, names: dict[str, Any]) -> None:
    """Raise a ValueError if a row is of another experiment, profile or the like."""
    for name, wanted in names.items():
        if row[name] != wanted:
            raise ValueError(f"expected a row of {name} {wanted!r}, got {row[name]!r}")


def recorded_rows(key: PlaceKey) -> list[dict]:
    """The recorded rows as they were written; none where nothing is recorded.

    Raises
    ------
    DamagedError
        A line is no row, is of another place, or of a run that an earlier line is of.
    """
    file = recorded_file(key)
    if not os.path.exists(file):
        return []
    names = {name: getattr(key, name) for name in ("experiment", "profile", "source")}

    def check(row: Any) -> None:
        check_row(row)
        _check_place(row, names)

    return read_json_lines(file, check, key.remedy, UNIQUE)


def own_row(run: Run) -> dict | None:
    """The row that a run has left on this machine; None if there is none, or it is damaged."""

    def check(row: Any) -> None:
        check_row(row)
        _check_place(row, {name: getattr(run, name) for name in IDENTITY})

    return if_whole(read_json, run.row_file, check)


def own_state(run: Run) -> str:
    """Whether this machine has a row of a run: ``this machine``, ``stale here``, or empty."""
    row = own_row(run)
    if row is None:
        return ""
    (stale,) = _stale([row], recorded=False)
    return "stale here" if stale else "this machine"


def own_rows(key: PlaceKey) -> list[dict]:
    """The rows that this machine's runs have left, without damaged ones."""
    check_declared(key)
    return [row for run in key.runs if (row := own_row(run)) is not None]


def read_rows(key: PlaceKey) -> list[dict]:
    """The rows of a place as they were written."""
    return recorded_rows(key) if key.recorded else own_rows(key)


def rows_of_today(key: PlaceKey) -> list[dict]:
    """The rows of a place as they were written, without the stale ones."""
    rows = read_rows(key)
    return [row for row, old in zip(rows, _stale(rows, key.recorded), strict=True) if not old]


def _resolved_arm(run: Run, recorded: bool) -> Arm | None:
    try:
        return run.resolved_arm(recorded)
    except DamagedError:
        raise
    except DataError:  # its search has not been run
        return None


def _todays_hash(run: Run, arm: Arm | None) -> str | None:
    return config_hash(run.config(arm)) if arm else None


def _run_of(row: dict) -> Run | None:
    try:
        return Run(*(row[key] for key in ("experiment", "arm", "seed", "profile", "source")))
    except ConfigError:  # the registry no longer knows it
        return None


def _stale(rows: Sequence[dict], recorded: bool) -> list[bool]:
    """Which rows are of another configuration than today's, or of a run that is no longer known."""
    arms: dict[str, Arm | None] = {}  # a search is read once, not once per seed
    found = []
    for row in rows:
        run = _run_of(row)
        if run and run.arm not in arms:
            arms[run.arm] = _resolved_arm(run, recorded)
        found.append(run is None or row["config_hash"] != _todays_hash(run, arms[run.arm]))
    return found


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
    rows = read_rows(key)
    for row, stale in zip(rows, _stale(rows, key.recorded), strict=True):
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


def shares_training(table: pd.DataFrame) -> pd.Series:
    """Which rows of a table are of a training that an earlier one of its rows is of: bool by row.

    Where arms had the same configuration, one was trained, and the others' rows are copies.

    Parameters
    ----------
    table : pandas.DataFrame
        Of :func:`row_table`, or some of its rows.

    Examples
    --------
    >>> place = {"experiment": "cutout", "profile": "quick", "source": "phantom", "seed": 0}
    >>> lines = [{"arm": "sd_eq1"}, {"arm": "sd_eq1_tuned", "trained_as": "sd_eq1"}]
    >>> table = pd.DataFrame([{**place, "config_hash": "1", **line} for line in lines])
    >>> shares_training(table).tolist(), shares_training(table[1:]).tolist()
    ([False, True], [False])
    """
    if "trained_as" in table:
        table = table.assign(arm=table["trained_as"].fillna(table["arm"]))
    return table.duplicated([*IDENTITY, "config_hash"])


def is_recorded(run: Run) -> bool:
    """Whether git holds a row of this run with today's configuration."""
    stamp = _todays_hash(run, _resolved_arm(run, recorded=True))
    key = PlaceKey(run.experiment, run.profile, run.source)
    file = recorded_file(key)
    if stamp is None or not os.path.exists(file):
        return False
    try:
        content = file.read_bytes()
    except OSError:  # the reader puts it into a sentence
        content = b""
    return (run.arm, run.seed, stamp) in _recorded_stamps(key, content)


@lru_cache(maxsize=8)
def _recorded_stamps(key: PlaceKey, content: bytes) -> frozenset[tuple[str, int, str]]:
    """Arm, seed and hash of every recorded row; read anew when the file's content has changed."""
    return frozenset((row["arm"], row["seed"], row["config_hash"]) for row in recorded_rows(key))
