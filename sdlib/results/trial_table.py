"""Every trial of an experiment's searches as a table."""

from __future__ import annotations

from typing import Any

import pandas as pd

from sdlib.experiments import searches_of
from sdlib.experiments.trials import read_trials
from sdlib.results.key import PlaceKey, check_declared

__all__ = ["trial_table"]

TRIAL = ("family", "judged_on", "trial", "value", "seconds")


def trial_table(key: PlaceKey) -> pd.DataFrame:
    """The trials of a place, one per line, by search.

    Returns
    -------
    pandas.DataFrame
        family, judged_on, trial, value, seconds, best (bool), reused (bool: another search
        had trained it), networks (of each trial), validation and test (their mean balanced
        accuracies), and one column for each searched value. Without lines if nothing was searched.
    """
    if not key.recorded:
        check_declared(key)
    lines = []
    for search in searches_of(key.experiment, key.profile, key.source):
        trials = read_trials(search, key.recorded)
        best = max(range(len(trials)), key=lambda k: trials[k]["value"], default=-1)
        for k, trial in enumerate(trials):
            line: dict[str, Any] = {name: trial[name] for name in TRIAL}
            line["best"] = k == best
            line["reused"] = "trained_as" in trial
            line["networks"] = len(trial.get("by_network", [trial]))
            for cohort in ("validation", "test"):
                line[cohort] = trial["metrics"][cohort]["accuracy"]
            lines.append({**line, **trial["values"]})
    columns = None if lines else [*TRIAL, "best", "reused", "networks", "validation", "test"]
    return pd.DataFrame(lines, columns=columns).astype({"reused": bool, "seconds": float})
