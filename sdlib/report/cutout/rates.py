"""Would another learning rate serve a method better than the one that all runs have?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sdlib.experiments import Search
from sdlib.experiments.trials import read_trials
from sdlib.metrics import Interval, mean_interval
from sdlib.report.tables import describe, ends_in_points
from sdlib.results import Place

__all__ = ["rates_sentence", "rates_table"]


@dataclass(frozen=True)
class _Rates:
    """The trials of one arm's search for a learning rate: the best, and the one of all runs."""

    arm: str
    trials: int
    best: dict
    used: dict


def rates_table(places: Sequence[Place]) -> pd.DataFrame:
    """Each method at the learning rate that suits it best and at that of all runs; text.

    Parameters
    ----------
    places : sequence of Place
        Of an experiment with searches for a learning rate.

    Returns
    -------
    pandas.DataFrame
        Two lines per place and method. Accuracies are means over the networks of a trial with
        their 95 % t interval; without lines where nothing was searched.
    """
    lines = {}
    for place in places:
        for found in _rates(place):
            label = place.label(found.arm)
            for which, trial in (("best on validation", found.best), ("of all runs", found.used)):
                lines[place.name, label, which] = {
                    "learning rate": f"{_rate(trial):g}",
                    "rates tried": str(found.trials),
                    **{name: describe(_interval(trial, name)) for name in ("validation", "test")},
                }
    table = pd.DataFrame(lines).T
    return table.rename_axis(["results", "networks", "rate"]) if lines else table


def rates_sentence(place: Place) -> str:
    """Say at which rate each method is best, and what its gain is there; empty without trials.

    Parameters
    ----------
    place : Place
        Of an experiment with searches for a learning rate, the first of them without penalty.

    Returns
    -------
    str
        Markdown. Gains are on the test tiles, in points, with 95 % t intervals over networks.
    """
    found = list(_rates(place))
    if len(found) < 2:
        return ""
    rival, *penalised = found
    best = ", ".join(f"{_rate(one.best):g} ({place.label(one.arm)})" for one in found)
    used = f"{_rate(rival.used):g}"
    gains = "; ".join(_gain(place, one, rival, used) for one in penalised)
    return (
        f"**{place.name}.** Best on validation: {best}; all runs have {used}. Accuracy on test "
        f"against {place.label(rival.arm)}: {gains}."
    )


def _rates(place: Place) -> Iterator[_Rates]:
    """The searches for a learning rate that have tried the rate of all runs."""
    used = place.definition.settings(place.profile, place.source).learning_rate
    for space in place.definition.searches:
        if space.names != ("learning_rate",):
            continue
        search = Search(place.experiment, space.name, place.profile, place.source)
        trials = read_trials(search, place.recorded)
        at_used = [trial for trial in trials if _rate(trial) == used]
        if at_used:
            arm = space.arm or place.definition.arms[0].name
            best = max(trials, key=lambda trial: trial["value"])
            yield _Rates(arm, len(trials), best, at_used[0])


def _rate(trial: dict) -> float:
    return trial["values"]["learning_rate"]


def _accuracies(trial: dict, cohort: str) -> np.ndarray:
    """Accuracy of each network of a trial, or of its only one."""
    alone = [{cohort: trial["metrics"][cohort]["accuracy"]}]
    return np.array([network[cohort] for network in trial.get("by_network", alone)])


def _interval(trial: dict, cohort: str) -> Interval:
    return mean_interval(_accuracies(trial, cohort))


def _gain(place: Place, one: _Rates, rival: _Rates, used: str) -> str:
    """What a method gains at the rate of all runs, and with each method at its best rate."""
    at_used, at_best = (
        _accuracies(ours, "test") - _accuracies(theirs, "test")
        for ours, theirs in ((one.used, rival.used), (one.best, rival.best))
    )
    return (
        f"{place.label(one.arm)}: {_points(at_used)} points at {used}, {_points(at_best)} with "
        f"each method at its best, n = {len(at_used)}"
    )


def _points(differences: np.ndarray) -> str:
    """A mean difference in points, with its ends where there are several networks."""
    if len(differences) == 1:
        return f"{100 * differences[0]:+.1f}"
    return ends_in_points(mean_interval(differences))
