"""A forest plot: the gains that the paper reports with a number, beside ours at every place."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from sdlib.experiments import EXPERIMENTS
from sdlib.experiments.comparisons import Comparison, Elsewhere, Kind
from sdlib.metrics import FEWEST_SEEDS, Interval
from sdlib.plotting import note
from sdlib.results import Place

__all__ = ["forest_figure", "gains_at"]

WIDTH, LINE = 8.0, 0.23  # of the figure and the height of a line, inches
LEFT = -0.36  # where names of places begin, in widths of the axis
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
            if not _is_gain(comparison) or measured_where in drawn:
                continue
            drawn.append(measured_where)
            # Premises are common to the readings of a claim.
            claim = comparison.claim if comparison.premise else comparison.claim_id
            for text, measured in comparison.measured(place.of(name)).items():
                found[f"{claim}: {text}"] = comparison, measured.interval
    return found


def forest_figure(places: Sequence[Place], missing: str) -> None:
    """Draw one line per gain and place where it was measured on three seeds or more.

    A dot is the mean paired difference, the line its 95 % interval; the dashed line is the
    paper's difference, all in points. What was measured nowhere is left out.

    Parameters
    ----------
    places : sequence of Place
        From top to bottom.
    missing : str
        What to say where there is nothing to draw.
    """
    groups = _measured(places)
    if not groups:
        note(missing)
        return
    lines = sum(1 + len(intervals) for _, intervals in groups.values())
    _, ax = plt.subplots(figsize=(WIDTH, LINE * lines + 0.6))
    line, names = 0, {}
    for title, (paper, intervals) in groups.items():
        # From the figure's left edge on; in the layout, the axis would shrink to make room for it.
        at = {"transform": ax.get_yaxis_transform(), "va": "center", "in_layout": False}
        ax.text(LEFT, line, title, fontsize=9, fontweight="bold", **at)
        first = line + 0.5
        for name, interval in intervals.items():
            line += 1
            names[line] = name
            _draw(ax, line, interval)
        ax.plot([100 * paper] * 2, [first, line + 0.5], color="0.4", linestyle="--")
        line += 1
    ax.axvline(0, color="0.4", linewidth=1)
    ax.set_yticks(list(names), list(names.values()))
    ax.grid(axis="y", visible=False)
    ax.set(xlim=ENDS, ylim=(lines - 0.5, -0.5), xlabel="gain, points")


def _measured(places: Sequence[Place]) -> dict[str, tuple[float, dict[str, Interval]]]:
    """The paper's difference and the intervals by place, for every gain that has some."""
    found: dict[str, tuple[float, dict[str, Interval]]] = {}
    for place in places:
        for title, (comparison, interval) in gains_at(place).items():
            if interval is not None and interval.n >= FEWEST_SEEDS:
                _, intervals = found.setdefault(title, (comparison.paper, {}))
                intervals[place.name] = interval
    return found


def _draw(ax: Axes, row: int, interval: Interval) -> None:
    ax.plot([100 * interval.low, 100 * interval.high], [row, row], "|-", color="black")
    ax.plot(100 * interval.mean, row, "o", color="black")
    ax.text(
        ENDS[1] - 0.5, row, f"n = {interval.n}", ha="right", va="center", fontsize=8, color="0.3"
    )


def _is_gain(comparison: Comparison) -> bool:
    """Whether the paper reports a gain; a premise without a number is a condition of ours."""
    return comparison.kind == Kind.GAIN and not (comparison.premise and not comparison.paper)


def _statistic(experiment: str, comparison: Comparison) -> tuple[str, object]:
    """What a comparison measures, and in which experiment."""
    statistic = comparison.statistic
    if isinstance(statistic, Elsewhere):
        return statistic.experiment, statistic.statistic
    return experiment, statistic
