"""A forest plot: the gains that the paper reports with a number, beside ours at every place."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from sdlib.experiments import EXPERIMENTS
from sdlib.experiments.comparisons import Comparison, Kind
from sdlib.metrics import Interval
from sdlib.plotting import panels
from sdlib.results import Place

__all__ = ["forest_figure", "gains_at"]

ENDS = (-0.25, 0.45)  # of the axis: all of the paper's gains, and our intervals of five seeds


def gains_at(place: Place) -> dict[str, tuple[Comparison, Interval | None]]:
    """Every comparison in which the paper reports a gain, with what a place's rows say.

    Parameters
    ----------
    place : Place
        Of any experiment: all experiments are looked up at its profile, source and origin.

    Returns
    -------
    dict of str to (Comparison, Interval or None)
        By claim and text, such as ``C1: recall, SD over weight decay``; differences are fractions.
        None where nothing was measured.
    """
    found = {}
    for name, experiment in EXPERIMENTS.items():
        gains = [one for one in experiment.comparisons if one.kind == Kind.GAIN]
        for comparison in gains:
            for text, measured in comparison.measured(place.of(name)).items():
                found[f"{comparison.claim}: {text}"] = comparison, measured.interval
    return found


def forest_figure(places: Sequence[Place], missing: str) -> None:
    """Draw one panel per comparison, and in it one row per place.

    A dot is the mean paired difference, the line its 95 % interval; the dashed line is the
    paper's difference. Nothing is drawn where there are fewer than two seeds.

    Parameters
    ----------
    places : sequence of Place
        From top to bottom.
    missing : str
        What to say without places.
    """
    rows = {place.name: gains_at(place) for place in places}
    paper = {title: one.paper for found in rows.values() for title, (one, _) in found.items()}
    for title, ax in panels(list(paper), missing, per_row=2, size=(4.8, 1.7)).items():
        for row, found in enumerate(rows.values()):
            _, interval = found.get(title, (None, None))
            if interval is not None and interval.n > 1:
                _draw(ax, row, interval)
        ax.axvline(paper[title], color="0.4", linestyle="--")
        ax.axvline(0, color="0.4", linewidth=1)
        ax.set_yticks(range(len(rows)), list(rows))
        ax.set(xlim=ENDS, ylim=(len(rows) - 0.5, -0.5))


def _draw(ax: Axes, row: int, interval: Interval) -> None:
    ax.plot([interval.low, interval.high], [row, row], "|-", color="black")
    ax.plot(interval.mean, row, "o", color="black")
