"""Recording: this machine's rows, predictions, trials and measurements become those of the book."""

from __future__ import annotations

import json

from sdlib.errors import DataError
from sdlib.experiments import searches_of, trials
from sdlib.files import atomic_path
from sdlib.results.key import THIS_RUN, PlaceKey
from sdlib.results.predictions import read_predictions, recorded_file, write_recorded
from sdlib.results.rows import own_rows, recorded_file as recorded_row_file, recorded_rows

__all__ = ["record"]


def record(experiment: str, profile: str, source: str) -> list[str]:
    """Copy everything that this machine has of an experiment to the recorded results.

    Rows recorded before and not run again here are kept.

    Returns
    -------
    list of str
        What was copied, a sentence each.

    Raises
    ------
    DataError
        There is nothing to record.
    """
    own = PlaceKey(experiment, profile, source, THIS_RUN)
    said = []
    if own_rows(own):
        said.append(f"{_record_runs(own)} rows recorded")
    for measurement in own.definition.measurements:
        if sentence := measurement.record(experiment, profile, source):
            said.append(sentence)
    if not said:
        raise DataError(f"nothing to record of {experiment} on {source}, {profile}: run it first")
    return said


def _record_runs(own: PlaceKey) -> int:
    """Copy rows, predictions and trials; returns the number of rows."""
    key = PlaceKey(own.experiment, own.profile, own.source)
    rows = own_rows(own)
    fresh = {(row["arm"], row["seed"]) for row in rows}
    kept = [row for row in recorded_rows(key) if (row["arm"], row["seed"]) not in fresh]
    stored = read_predictions(key) if recorded_file(key).exists() else {}
    write_recorded(key, {**stored, **read_predictions(own)})
    found = searches_of(own.experiment, own.profile, own.source)
    lines = [json.dumps(trial) for search in found for trial in trials.read_trials(search)]
    if lines:
        file = trials.recorded_trials_file(own.experiment, own.profile, own.source)
        with atomic_path(file) as temporary:
            temporary.write_text("\n".join(lines) + "\n")
    with atomic_path(recorded_row_file(key)) as temporary:
        temporary.write_text("".join(json.dumps(row) + "\n" for row in [*kept, *rows]))
    return len(rows)
