"""Every trial of every search in a figure: is validation a guide to the test set?"""

from __future__ import annotations

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdlib.experiments import Arm, Look
from sdlib.plotting import panels
from sdlib.report.optimism import judged_by, metric_in_words
from sdlib.results import Place, sentence

__all__ = ["search_trials"]

COHORTS = ["validation", "test"]
#: A trial further below the median trial has learned nothing or little. Its place would leave the
#: others no room, so it is drawn at the panels' edge.
LOST = 0.08


def search_trials(place: Place) -> Figure:
    """Draw every trial of every search, accuracy on test against accuracy on validation.

    Parameters
    ----------
    place : Place
        Of an experiment with searches.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per search, all with the same axes; a circle around the trial whose values were
        taken. Hollow triangles at an edge are trials more than 8 points below the median trial.
        Titles have the taken trial's value of the metric that the search was judged by (accuracy
        or AUROC, on validation or test), and the mean of the same metric over the reported runs
        with its values.
    """
    trials = place.trials
    searches = dict(list(trials.groupby("family", sort=False)))
    labels = {"xlabel": "accuracy on validation", "ylabel": "accuracy on test"}
    arms = {arm.search: arm for arm in place.definition.arms if arm.search}
    for name, ax in panels(list(searches), sentence(place), 3, (3, 2.6), **labels).items():
        arm = arms.get(name)
        # Searches that no arm waits for name the arm that they train, or train the first one.
        trained = place.definition.space(name).arm or place.definition.arms[0].name
        look = place.look(arm.name if arm else trained)
        _draw_trials(ax, searches[name], trials[COHORTS].median() - LOST, look)
        ax.set_title(_title(place, name, searches[name], arm), size=10)
    return plt.gcf()


def _draw_trials(ax: Axes, trials: pd.DataFrame, edge: pd.Series, look: Look) -> None:
    """Draw the trials of one search and its circle; what lies below the edge is drawn on it."""
    lost = (trials[COHORTS] < edge).any(axis=1)
    shown = trials[COHORTS].clip(lower=edge, axis=1)
    best = shown[trials["best"]].iloc[0]
    near, far = shown[~lost], shown[lost]
    ax.plot(near["validation"], near["test"], look.marker, color=look.colour)
    ax.plot(best["validation"], best["test"], "ko", markersize=13, fillstyle="none")
    if len(far):
        style = {"color": look.colour, "fillstyle": "none", "clip_on": False}
        ax.plot(far["validation"], far["test"], "v", **style)


def _title(place: Place, name: str, trials: pd.DataFrame, arm: Arm | None) -> str:
    best = trials[trials["best"]].iloc[0]
    each = f" of {best['networks']} networks" if best["networks"] > 1 else ""
    metric = judged_by(place, name)
    title = f"{name}\n{len(trials)} trials{each}\n{metric_in_words(metric)} {best['value']:.3f}"
    runs = place.interval(metric, arm.name) if arm else None
    return f"{title}, runs {runs.mean:.3f}" if runs else title
