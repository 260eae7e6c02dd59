"""What a search promises beside what new networks hold: the optimism of its best trial."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sdlib.report.intervals import difference_plot
from sdlib.report.tables import describe
from sdlib.results import Place

__all__ = ["judged_by", "metric_in_words", "optimism", "optimism_plot", "optimism_table"]

VALUES = ("weight_decay", "lam", "lam_neg", "lam_pos", "gamma_neg", "gamma_pos")


def optimism(place: Place, arm: str) -> np.ndarray:
    """Compare new networks with the best trial, by what the search was judged on.

    Parameters
    ----------
    place : Place
    arm : str
        Whose values were searched.

    Returns
    -------
    numpy.ndarray
        float64, one difference of accuracy (or of AUROC, where the search was judged by it) per
        seed; empty without trials or rows. Negative values: the best trial had been lucky.
    """
    best = _best(place, arm)
    if best is None:
        return np.empty(0)
    return place.values(judged_by(place, best["family"]), arm) - best["value"]


def optimism_table(places: Sequence[Place]) -> pd.DataFrame:
    """Every tuned arm: what its search chose, what it promised, and what new networks have; text.

    Parameters
    ----------
    places : sequence of Place
        Of experiments with searches.

    Returns
    -------
    pandas.DataFrame
        One line per place and tuned arm; intervals are 95 % t intervals over seeds. Clean tiles
        have a column where the experiment tests on them apart.
    """
    lines = {}
    for title, place in zip(_titles(places), places, strict=True):
        for arm in place.arms:
            best = _best(place, arm)
            if best is None:
                continue
            metric = judged_by(place, best["family"])
            count = int((place.trials["family"] == best["family"]).sum())
            each = "1 network" if best["networks"] == 1 else f"{best['networks']} networks"
            line = {
                "trials": f"{count}, of {each} each",
                "best values": _values(best),
                "judged on": metric_in_words(metric),
                "best trial": f"{best['value']:.3f}",
                "new networks": describe(place.interval(metric, arm)),
            }
            if "clean" in place.definition.evaluation:
                line["on clean tiles"] = describe(place.interval("clean.accuracy", arm))
            lines[title, place.label(arm)] = line
    table = pd.DataFrame(lines).T
    return table.rename_axis(["results", "networks"]) if lines else table


def optimism_plot(places: Sequence[Place]):
    """Draw :func:`optimism` of every tuned arm in points, one panel per place.

    Parameters
    ----------
    places : sequence of Place
        Of experiments with searches.

    Returns
    -------
    matplotlib.figure.Figure
        Titles have the name of the experiment, too, where places are of several.
    """
    panels = {}
    for title, place in zip(_titles(places), places, strict=True):
        found = {place.label(arm): optimism(place, arm) for arm in place.arms}
        panels[title] = {label: values for label, values in found.items() if len(values)}
    return difference_plot(
        panels, xlabel="new networks minus best trial, points", missing="no searches yet"
    )


def judged_by(place: Place, search: str) -> str:
    """The cohort and the metric that a search was judged by, such as ``validation.accuracy``.

    Parameters
    ----------
    place : Place
    search : str
        The name of its space.

    Examples
    --------
    >>> judged_by(Place("covid", "laptop", "phantom"), "sd_eq2")
    'validation.auroc'
    """
    space = place.definition.space(search)
    return f"{space.judged_on}.{space.metric}"


def metric_in_words(metric: str) -> str:
    """What tables and titles call a metric of a cohort.

    >>> metric_in_words("validation.auroc")
    'validation AUROC'
    """
    return metric.replace(".", " ").replace("auroc", "AUROC")


def _titles(places: Sequence[Place]) -> list[str]:
    """The name of every place, with the experiment's where places are of several."""
    several = len({place.experiment for place in places}) > 1
    return [f"{place.experiment}, {place.name}" if several else place.name for place in places]


def _best(place: Place, arm: str) -> pd.Series | None:
    """The best trial of an arm's search; None without one."""
    family = place.definition.arm(arm).search
    trials = place.trials
    if family is None or not len(trials):
        return None
    mine = trials[(trials["family"] == family) & trials["best"]]
    return mine.iloc[0] if len(mine) else None


def _values(best: pd.Series) -> str:
    found = [f"{name} {best[name]:.3g}" for name in VALUES if pd.notna(best.get(name))]
    return ", ".join(found)
