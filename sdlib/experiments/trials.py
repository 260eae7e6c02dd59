"""The result of a search, read back: this machine's own trials first, then the recorded."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any, Protocol

from sdlib.datasets.folder_names import file_name
from sdlib.errors import DataError
from sdlib.experiments.profiles import scale_options
from sdlib.experiments.searches import Space
from sdlib.files import check_entries, check_number_entry, damaged, if_whole, read_json_lines
from sdlib.paths import recorded_folder

__all__ = ["best", "check_trial", "own_trials", "read_trials", "recorded_trials_file"]

NUMBER = (int, float)
ENTRIES = {
    "family": str,
    "trial": int,
    "judged_on": str,
    "values": dict,
    "value": NUMBER,
    "metrics": dict,
    "seconds": NUMBER,
}
JUDGED = {"validation": dict, "test": dict}  # the cohorts that tables of trials show
ACCURACY = {"accuracy": NUMBER}
READER = functools.partial(read_json_lines, unique=("family", "config_hash", "trial"))


class _Search(Protocol):
    experiment: str
    family: str
    profile: str
    source: str
    id: str
    file: Path
    config_hash: str
    space: Space


def recorded_trials_file(experiment: str, profile: str, source: str) -> Path:
    """Where the trials of an experiment's searches are kept in git."""
    return recorded_folder() / f"{experiment}-{file_name(source)}-{profile}-trials.jsonl"


def check_trial(trial: Any) -> None:
    """Raise a ValueError that says what is missing or wrong in a trial that was read."""
    check_entries(trial, ENTRIES)
    if "config_hash" in trial:  # the oldest trials have none, and are stale
        check_entries(trial, {"config_hash": str})
    check_number_entry("value", trial["value"], 0, 1)
    check_number_entry("seconds", trial["seconds"], 0)
    for name, value in trial["values"].items():
        check_number_entry(name, value)
    check_entries(trial["metrics"], JUDGED)
    for cohort in JUDGED:
        check_entries(trial["metrics"][cohort], ACCURACY)
        check_number_entry("accuracy", trial["metrics"][cohort]["accuracy"], 0, 1)


def read_trials(search: _Search, recorded: bool = False) -> list[dict]:
    """Every finished trial of a search, in the order it was run; empty if there is none.

    A search that this machine has run counts before the recorded one, unless only ``recorded``
    trials are wanted. Stale trials, of another configuration, do not count, nor does a damaged file
    of this machine.

    Raises
    ------
    DamagedError
        The recorded trials are damaged.
    """
    if not recorded and (own := own_trials(search)):
        return own
    file = recorded_trials_file(search.experiment, search.profile, search.source)
    if not os.path.exists(file):
        return []
    options = scale_options(search.profile, search.source)
    remedy = (
        "restore it with git checkout, or remove it and make it again with "
        f"`{_command(search)} && python -m sdlib record {search.experiment} {options}`"
    )
    found = _of(search, READER(file, check_trial, remedy))
    for line, trial in found:
        if not _complete(search, trial):
            names = ", ".join(search.space.names)
            why = f"expected values of {names}, got {', '.join(trial['values']) or 'none'}"
            raise damaged(file, why, remedy, line)
    return [trial for _, trial in found]


def own_trials(search: _Search) -> list[dict]:
    """Every trial of a search that this machine has run; without stale or damaged ones."""
    own = [trial for _, trial in _of(search, if_whole(READER, search.file, check_trial) or [])]
    return own if all(_complete(search, trial) for trial in own) else []


def _of(search: _Search, trials: list[dict]) -> list[tuple[int, dict]]:
    """The trials of this search among those of a file, each with its line."""
    mine = (search.family, search.config_hash)
    return [
        (line, trial)
        for line, trial in enumerate(trials, start=1)
        if (trial["family"], trial.get("config_hash")) == mine
    ]


def _complete(search: _Search, trial: dict) -> bool:
    """Whether a trial has a value for everything that the search tries."""
    return set(trial["values"]) == set(search.space.names)


def _command(search: _Search) -> str:
    """The command that runs a search."""
    return f"python -m sdlib search {search.id} {scale_options(search.profile, search.source)}"


def best(search: _Search, recorded: bool = False) -> dict[str, float]:
    """The values of the best trial; among equals, of the earliest.

    Raises
    ------
    DataError
        The search has not been run, or its recorded trials are damaged.
    """
    found = read_trials(search, recorded)
    if not found:
        raise DataError(f"the search {search.id} has not been run: {_command(search)}")
    return max(found, key=lambda trial: trial["value"])["values"]
