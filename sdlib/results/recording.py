"""Recording: this machine's rows, predictions, trials and measurements become those of the book."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from sdlib.errors import DataError
from sdlib.experiments import Run, Search, searches_of, trials
from sdlib.experiments.profiles import scale_options
from sdlib.files import all_or_none, atomic_path
from sdlib.results.conflicts import check_none_kept
from sdlib.results.key import RECORDED, THIS_RUN, PlaceKey
from sdlib.results.predictions import (
    found_predictions,
    lengths_that_differ,
    own_targets,
    write_recorded,
)
from sdlib.results.rows import (
    own_rows,
    recorded_file as recorded_row_file,
    recorded_rows,
    rows_of_today,
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
        There is nothing to record; a run's predictions are damaged, or a recorded file is; rows
        that would be kept are of other images than this machine's, or of another search's result.
    SdlibError
        A file cannot be written.
    """
    own = PlaceKey(experiment, profile, source, THIS_RUN)
    rows = rows_of_today(own)
    _check_predictions(own, rows)
    left_out = len(own_rows(own)) - len(rows)
    stale = f"; {left_out} stale ones left out" if left_out else ""
    runs, tuned = [], []
    with all_or_none():
        # Measurements first: they compare this machine's rows with those recorded before.
        measured = [m.record(experiment, profile, source) for m in own.definition.measurements]
        if rows:
            _record_runs(own, rows)
            runs.append(f"{len(rows)} rows recorded{stale}")
            tuned.append(_record_borrowed(own, rows))
        tuned.append(_record_trials(own))
    said = [sentence for sentence in (*runs, *measured, *tuned) if sentence]
    if not said:
        raise DataError(
            f"nothing to record of {experiment} on {source}, {profile}{stale}: run it first"
        )
    return said


def _record_runs(own: PlaceKey, rows: list[dict]) -> None:
    """Copy rows and predictions."""
    key = replace(own, origin=RECORDED)
    fresh = {(row["arm"], row["seed"]) for row in rows}
    kept = [row for row in recorded_rows(key) if (row["arm"], row["seed"]) not in fresh]
    write_recorded(key, _predictions(own, kept))
    with atomic_path(recorded_row_file(key)) as temporary:
        text = "".join(json.dumps(row) + "\n" for row in [*kept, *rows])
        temporary.write_text(text, encoding="utf-8")


def _record_trials(own: PlaceKey) -> str:
    """Copy the trials of an experiment's own searches; says how many, or nothing without any."""
    searches = searches_of(own.experiment, own.profile, own.source)
    count = sum(len(trials.own_trials(search)) for search in searches)
    if not count:
        return ""
    # Those of a search that was not run here are kept.
    found = [trial for search in searches for trial in trials.read_trials(search)]
    _write_trials(own.experiment, own, found)
    return f"{count} trials recorded"


def _record_borrowed(own: PlaceKey, rows: list[dict]) -> str:
    """Copy the trials that tuned borrowed arms, where the experiment that lends them has none.

    Rows of tuned arms are of today's configuration only beside the trials that tuned them: other
    trials than those recorded would make the lender's rows stale.
    """
    lender = own.definition.searched_in
    if not lender:
        return ""
    tuned_by = {own.definition.arm(row["arm"]).search for row in rows}
    found, count = [], 0
    for search in searches_of(lender, own.profile, own.source):
        mine, recorded = trials.own_trials(search), trials.read_trials(search, recorded=True)
        if mine and recorded and search.family in tuned_by:
            _check_same_best(own, search)
        if recorded:
            found += recorded
        else:
            found += mine
            count += len(mine)
    if not count:
        return ""
    _write_trials(lender, own, found)
    return f"{count} trials of {lender} recorded"


def _check_same_best(own: PlaceKey, search: Search) -> None:
    """Raise a DataError if this machine's trials have found other values than the recorded."""
    mine, recorded = trials.best(search), trials.best(search, recorded=True)
    if mine != recorded:
        raise DataError(
            f"expected the recorded best of {search.id}, {recorded}, got {mine} on this machine: "
            f"record {search.experiment} first, or remove {search.file} and run the tuned arms of "
            f"{own.experiment} again"
        )


def _write_trials(experiment: str, own: PlaceKey, found: list[dict]) -> None:
    file = trials.recorded_trials_file(experiment, own.profile, own.source)
    with atomic_path(file) as temporary:
        text = "".join(json.dumps(trial) + "\n" for trial in found)
        temporary.write_text(text, encoding="utf-8")


def _check_predictions(own: PlaceKey, rows: list[dict]) -> None:
    """Raise a DataError if predictions of a run are missing, or of other images than the rest."""
    mine = found_predictions(own)
    for row in rows:
        run = Run(own.experiment, row["arm"], row["seed"], own.profile, own.source)
        again = f"python -m sdlib run {run.id} {scale_options(run.profile, run.source)} --fresh"
        if not any(name.startswith(f"{run.arm}/seed{run.seed}/") for name in mine):
            raise DataError(
                f"the predictions of {run.id} are missing or damaged: make them again with "
                f"`{again}`"
            )
        differ = _cohorts_that_differ(own_targets(run) or {}, mine)
        if differ:
            raise DataError(
                f"the images of the cohort {differ[0]} are not the same for all of this machine's "
                f"runs: make the older ones again, as {run.id} with `{again}`"
            )


def _predictions(own: PlaceKey, kept: list[dict]) -> dict[str, np.ndarray]:
    """This machine's predictions, and those recorded before of the rows that are kept."""
    mine, before = found_predictions(own), found_predictions(replace(own, origin=RECORDED))
    together = {**before, **mine}
    differ = _cohorts_that_differ(before, mine)
    for name, _ in lengths_that_differ(own.definition, together):
        differ.append(name.rpartition("/")[2].removesuffix(".logits"))
    if differ:
        names = [(row["arm"], row["seed"]) for row in kept]
        check_none_kept(own, names, f"images of the cohort {differ[0]}")
        return mine  # of stale rows no page shows predictions
    return together


def _cohorts_that_differ(
    arrays: Mapping[str, np.ndarray], others: Mapping[str, np.ndarray]
) -> list[str]:
    """Cohorts whose targets or groups, where both have them, are not the same."""
    found = []
    for name, values in arrays.items():
        cohort, _, kind = name.rpartition(".")
        truth = kind in ("targets", "groups") and name in others
        if truth and not np.array_equal(values, others[name]):
            found.append(cohort)
    return found
