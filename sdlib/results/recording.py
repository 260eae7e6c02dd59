"""Recording: this machine's rows, predictions, trials and measurements become those of the book."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from sdlib.errors import DataError
from sdlib.experiments import searches_of, trials
from sdlib.files import all_or_none, atomic_path
from sdlib.results.key import RECORDED, THIS_RUN, PlaceKey
from sdlib.results.predictions import found_predictions, lengths_that_differ, write_recorded
from sdlib.results.rows import (
    own_rows,
    own_rows_of_today,
    recorded_file as recorded_row_file,
    recorded_rows,
)

__all__ = ["record"]


def record(experiment: str, profile: str, source: str) -> list[str]:
    """Copy everything that this machine has of an experiment to the recorded results.

    Rows recorded before and not run again here are kept; rows of another configuration than
    today's are left out. Everything is recorded, or nothing.

    Returns
    -------
    list of str
        What was copied, a sentence each.

    Raises
    ------
    DataError
        There is nothing to record, a run's predictions are damaged, or a recorded file is.
    SdlibError
        A file cannot be written.
    """
    own = PlaceKey(experiment, profile, source, THIS_RUN)
    rows = own_rows_of_today(own)
    _check_predictions(own, rows)
    said = []
    with all_or_none():
        # Measurements first: they compare this machine's rows with those recorded before.
        for measurement in own.definition.measurements:
            if sentence := measurement.record(experiment, profile, source):
                said.append(sentence)
        left_out = len(own_rows(own)) - len(rows)
        stale = f"; {left_out} stale ones left out" if left_out else ""
        if rows:
            _record_runs(own, rows)
            said.insert(0, f"{len(rows)} rows recorded{stale}")
    if not said:
        raise DataError(
            f"nothing to record of {experiment} on {source}, {profile}{stale}: run it first"
        )
    return said


def _record_runs(own: PlaceKey, rows: list[dict]) -> None:
    """Copy rows, predictions and trials."""
    key = replace(own, origin=RECORDED)
    fresh = {(row["arm"], row["seed"]) for row in rows}
    kept = [row for row in recorded_rows(key) if (row["arm"], row["seed"]) not in fresh]
    write_recorded(key, _predictions(own, key))
    # Rows of tuned arms are of today's configuration only beside the trials that tuned them.
    for owner in filter(None, (own.experiment, own.definition.searched_in)):
        _record_trials(owner, own.profile, own.source)
    with atomic_path(recorded_row_file(key)) as temporary:
        text = "".join(json.dumps(row) + "\n" for row in [*kept, *rows])
        temporary.write_text(text, encoding="utf-8")


def _record_trials(experiment: str, profile: str, source: str) -> None:
    """Copy the trials of an experiment's searches, if there are any."""
    found = searches_of(experiment, profile, source)
    lines = [json.dumps(trial) for search in found for trial in trials.read_trials(search)]
    if lines:
        file = trials.recorded_trials_file(experiment, profile, source)
        with atomic_path(file) as temporary:
            temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _check_predictions(own: PlaceKey, rows: list[dict]) -> None:
    """Raise a DataError if a run has left a row, but no whole predictions."""
    mine = found_predictions(own)
    for row in rows:
        name = f"{row['arm']}/seed{row['seed']}"
        if not any(other.startswith(f"{name}/") for other in mine):
            raise DataError(
                f"the predictions of {own.experiment}/{name} are missing or damaged: make them "
                f"again with `python -m sdlib run {own.experiment}/{name} --profile "
                f"{own.profile} --source {own.source} --fresh`"
            )


def _predictions(own: PlaceKey, key: PlaceKey) -> dict[str, np.ndarray]:
    """This machine's predictions, and those recorded before for the same tiles."""
    found = {**found_predictions(key), **found_predictions(own)}
    of_other_tiles = [name for name, _ in lengths_that_differ(key.definition, found)]
    for name in found:
        cohort, _, kind = name.rpartition(".")
        if kind == "groups" and len(found[name]) != len(found.get(f"{cohort}.targets", ())):
            of_other_tiles.append(name)
    return {name: values for name, values in found.items() if name not in of_other_tiles}
