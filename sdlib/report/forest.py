"""A forest plot: the gains that the paper reports with a number, beside ours at every place."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from sdlib.experiments import EXPERIMENTS
from sdlib.experiments.comparisons import Comparison, Elsewhere, Kind
from sdlib.metrics import Interval
from sdlib.plotting import panels
from sdlib.report.rule import FEWEST
from sdlib.results import Place

__all__ = ["forest_figure", "gains_at"]

ENDS = (-25, 45)  # of the axis, points: all of the paper's gains, our intervals of five seeds


def gains_at(place: Place) -> dict[str, tuple[Comparison, Interval | None]]:
    """Every gain that the paper reports, once, with what a place's rows say.

    Parameters
    ----------
    place : Place
        Of any experiment: all experiments are looked up at its profile, source and origin.

    Returns
    -------
    dict of str to (Comparison, Interval or None)
        By claim and text, such as ``C1, tuned on test: recall, SD over weight decay``; differences
        are fractions.
        None where nothing was measured.
    """
    found = {}
    drawn: list[object] = []
    for name, experiment in EXPERIMENTS.items():
        for comparison in experiment.comparisons:
            # A premise of one claim may be a gain of another, and two claims may share a gain.
            measured_where = _statistic(name, comparison)
            if comparison.kind != Kind.GAIN or measured_where in drawn:
                continue
            drawn.append(measured_where)
            # Premises are common to the readings of a claim.
            claim = comparison.claim if comparison.premise else comparison.claim_id
            for text, measured in comparison.measured(place.of(name)).items():
                found[f"{claim}: {text}"] = comparison, measured.interval
    return found


def forest_figure(places: Sequence[Place], missing: str) -> None:
    """Draw one panel per comparison that was measured somewhere, and in it one row per place.

    A dot is the mean paired difference, the line its 95 % interval; the dashed line is the
    paper's difference, all in points. Nothing is drawn where there are fewer than three seeds.

    Parameters
    ----------
    places : sequence of Place
        From top to bottom.
    missing : str
        What to say without places.
    """
    rows = {place.name: gains_at(place) for place in places}
    paper = {
        title: one.paper
        for found in rows.values()
        for title, (one, interval) in found.items()
        if interval is not None
    }
    for title, ax in panels(list(paper), missing, per_row=2, size=(4.8, 1.7)).items():
        for row, found in enumerate(rows.values()):
            _, interval = found.get(title, (None, None))
            if interval is not None and interval.n >= FEWEST:
                _draw(ax, row, interval)
        ax.axvline(100 * paper[title], color="0.4", linestyle="--")
        ax.axvline(0, color="0.4", linewidth=1)
        ax.set_yticks(range(len(rows)), list(rows))
        ax.set(xlim=ENDS, ylim=(len(rows) - 0.5, -0.5))


def _draw(ax: Axes, row: int, interval: Interval) -> None:
    ax.plot([100 * interval.low, 100 * interval.high], [row, row], "|-", color="black")
    ax.plot(100 * interval.mean, row, "o", color="black")
    ax.text(ENDS[1], row, f"n = {interval.n}", ha="right", va="bottom", fontsize=8, color="0.3")


def _statistic(experiment: str, comparison: Comparison) -> tuple[str, object]:
    """What a comparison measures, and in which experiment."""
    statistic = comparison.statistic
    if isinstance(statistic, Elsewhere):
        return statistic.experiment, statistic.statistic
    return experiment, statistic
