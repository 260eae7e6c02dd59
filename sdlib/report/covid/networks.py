"""AUROC of every network beside that of its ensemble: the spread that DeLong's test leaves out."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sdlib.metrics import auroc
from sdlib.plotting import arm_rows, note
from sdlib.report.covid.situations import HEADINGS, OUTSIDE, in_order, scored, situation_of
from sdlib.report.intervals import seeds_text
from sdlib.results import Place

__all__ = ["draw_networks"]

STAR = {"marker": "*", "markersize": 11}  # an ensemble: no arm of these experiments has it
RAISED = 0.28  # of an ensemble above its networks, rows


def draw_networks(places: Sequence[Place], arms: Sequence[str], missing: str) -> Figure:
    """Draw the AUROC of every network inside and outside, and that of each arm's ensemble.

    Parameters
    ----------
    places : sequence of Place
        Of the experiments ``covid`` and ``covid_added``; a row of panels for each that has rows.
    arms : sequence of str
        From top to bottom; arms without rows keep an empty row.
    missing : str
        What the figure says where no arm has rows.
    """
    present = [p for _, _, mine in in_order(places) for p in mine if set(arms) & set(p.arms)]
    if not present:
        return note(missing)
    size = (7.5, 0.6 + len(present) * (0.6 + 0.55 * len(arms)))
    fig, axes = plt.subplots(
        len(present), 2, figsize=size, sharex="col", sharey=True, squeeze=False
    )
    for row, place in zip(axes, present, strict=True):
        for ax, (cohort, heading) in zip(row, HEADINGS.items(), strict=True):
            values = {arm: place.values(f"{cohort}.auroc", arm) for arm in arms}
            arm_rows(ax, values, place.looks)
            _draw_ensembles(ax, place, arms, cohort)
            ax.set_xlabel(f"AUROC {heading}")
        counts = [len(place.values(f"{OUTSIDE}.auroc", arm)) for arm in arms]
        title = f"{situation_of(place)}\n{place.name}; {seeds_text(n for n in counts if n)}"
        row[0].set_title(title, loc="left", fontsize=9)
    grey = {"color": "0.4", "linestyle": "none"}
    handles = [
        Line2D([], [], marker="o", alpha=0.35, label="one network", **grey),
        Line2D([], [], marker="o", label="mean of the networks, 95 % t interval", **grey),
        Line2D([], [], label="their ensemble", **STAR, **grey),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=3)
    return fig


def _draw_ensembles(ax: Axes, place: Place, arms: Sequence[str], cohort: str) -> None:
    """A star above the networks of every arm whose predictions are at hand."""
    for row, arm in enumerate(arms):
        ours = scored(place, arm, cohort)
        if ours is not None:
            area = auroc(ours.targets, ours.scores)
            ax.plot(area, row - RAISED, color=place.look(arm).colour, **STAR)
