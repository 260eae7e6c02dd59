"""The result of a search, read back: this machine's own trials first, then the recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

from sdlib.errors import DataError
from sdlib.paths import recorded_folder

__all__ = ["best", "read_trials", "recorded_trials_file"]


class _Search(Protocol):
    experiment: str
    family: str
    profile: str
    source: str
    id: str
    file: Path
    config_hash: str


def recorded_trials_file(experiment: str, profile: str, source: str) -> Path:
    """Where the trials of an experiment's searches are kept in git."""
    return recorded_folder() / f"{experiment}-{source}-{profile}-trials.jsonl"


def read_trials(search: _Search, recorded: bool = False) -> list[dict]:
    """Every finished trial of a search, in the order it was run; empty if there is none.

    A search that this machine has run counts before the recorded one, unless only ``recorded``
    trials are wanted. Stale trials, of another configuration, do not count.
    """
    files = [recorded_trials_file(search.experiment, search.profile, search.source)]
    for file in files if recorded else [search.file, *files]:
        if file.exists():
            found = [json.loads(line) for line in file.read_text().splitlines()]
            mine = (search.family, search.config_hash)
            found = [
                trial for trial in found if (trial["family"], trial.get("config_hash")) == mine
            ]
            if found:
                return found
    return []


def best(search: _Search, recorded: bool = False) -> dict[str, float]:
    """The values of the best trial; among equals, of the earliest.

    Raises
    ------
    DataError
        The search has not been run.
    """
    found = read_trials(search, recorded)
    if not found:
        raise DataError(
            f"the search {search.id} has not been run: python -m sdlib search {search.id} "
            f"--profile {search.profile} --source {search.source}"
        )
    return max(found, key=lambda trial: trial["value"])["values"]
