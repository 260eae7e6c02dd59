"""The picture of all recorded effects: a page draws it, and the book's first page has it as a file.

``python -m sdlib.report.readme_table`` writes the file beside the tables.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from sdlib.files import atomic_path
from sdlib.plotting import note, use_style
from sdlib.report.effects import HARMS, HELPS, NONE, NOT_JUDGED, OPEN, Found, grouped

__all__ = ["effects_figure", "save_figure", "shown_numbers"]

WIDTH, LINE = 5.2, "\n"  # inches: readable on a phone
ENDS = (-15, 15)  # of the axis, points; longer intervals end in an arrow
APART = 0.34  # rows between the metrics of one comparison
MARKERS = {"accuracy": "o", "AUROC": "D"}
#: Colour by word: Okabe and Ito's, and greys.
COLOURS = {
    HELPS: "#0072B2",
    HARMS: "#D55E00",
    NONE: "#000000",
    OPEN: "#8A8A8A",
    NOT_JUDGED: "#CC79A7",
}
#: The same rows give the same file, byte for byte.
STABLE = {"svg.hashsalt": "effects", "svg.fonttype": "path"}


def effects_figure(found: Sequence[Found]) -> Figure:
    """Draw every effect with its interval and the paper's value, situation by situation.

    Parameters
    ----------
    found : sequence of Found

    Returns
    -------
    matplotlib.figure.Figure
        One panel, narrow enough for a phone. A filled marker is the mean difference in points, the
        line its 95 % interval, a hollow marker the paper's difference; the colour follows the word.
    """
    if not found:
        return note("There are no recorded rows yet.")
    lines = len(grouped(found, lambda one: (one.heading, one.where)))
    height = 1.1 + 0.34 * lines + 0.3 * len({one.heading for one in found})
    fig, ax = plt.subplots(figsize=(WIDTH, height))
    row, labels = 0.0, {}
    for heading, mine in grouped(found, lambda one: one.heading).items():
        text = ax.text(0.01, row, heading, va="center", fontsize=9, fontweight="bold")
        text.set_transform(blended_transform_factory(fig.transFigure, ax.transData))
        text.set_in_layout(False)
        row += 1
        for where, there in grouped(mine, lambda one: one.where).items():
            labels[row] = f"{where.replace(', ', LINE)}, n = {there[0].n}"
            middle = (len(there) - 1) / 2
            for number, one in enumerate(there):
                _draw(ax, row + APART * (number - middle), one)
            row += 1
        row += 0.1
    ax.set_yticks(list(labels), list(labels.values()), fontsize=8.5)
    ax.set_ylim(row - 0.4, -0.7)
    _finish(ax, found)
    return fig


def _draw(ax: Axes, row: float, one: Found) -> None:
    colour, marker = COLOURS[one.word], MARKERS.get(one.effect.metric, "s")
    low, high = (100 * end for end in (one.interval.low, one.interval.high))
    ends = [max(low, ENDS[0]), min(high, ENDS[1])]
    ax.plot(ends, [row, row], color=colour, linewidth=2, solid_capstyle="butt")
    for end, limit, arrow in ((low, ENDS[0], "<"), (high, ENDS[1], ">")):
        if abs(end) > abs(limit):
            ax.plot(limit, row, arrow, color=colour, markersize=5, clip_on=False)
    ax.plot(100 * one.interval.mean, row, marker, color=colour, markersize=6)
    if np.isfinite(one.effect.paper):
        ax.plot(100 * one.effect.paper, row, marker, color="black", mfc="none", markersize=7)


def _finish(ax: Axes, found: Sequence[Found]) -> None:
    ax.axvline(0, color="0.4", linewidth=1, zorder=0)
    ax.set_xlim(ENDS)
    ax.tick_params("x", labelsize=9)
    ax.tick_params("y", length=0)
    ax.set_xlabel("spectral decoupling minus\nweight decay, points", fontsize=9)
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    metrics = dict.fromkeys(one.effect.metric for one in found)
    handles = [
        plt.Line2D([], [], color="0.3", marker=MARKERS.get(m, "s"), ls="", label=m) for m in metrics
    ]
    handles.append(
        plt.Line2D([], [], color="black", marker="o", mfc="none", ls="", label="the paper")
    )
    words = dict.fromkeys(one.word for one in found)
    handles += [plt.Line2D([], [], color=COLOURS[w], label=w) for w in COLOURS if w in words]
    ax.figure.legend(handles=handles, loc="outside upper center", ncols=3, fontsize=8.5)


def shown_numbers(found: Sequence[Found]) -> str:
    """The numbers of the picture as text, so that a file can say what it shows."""
    lines = [f"{one.place.name} {one.heading}: {one.numbers} {one.word}" for one in found]
    return json.dumps(lines)


def save_figure(found: Sequence[Found], path: Path) -> None:
    """Write :func:`effects_figure` as an SVG that holds its own numbers as a description.

    Parameters
    ----------
    found : sequence of Found
    path : pathlib.Path
        ``book/images/effects.svg``.
    """
    # White also in a dark page: the labels are black.
    with mpl.rc_context(), atomic_path(Path(path)) as temporary:
        use_style()
        mpl.rcParams.update(STABLE)
        figure = effects_figure(found)
        about = {"Date": None, "Description": shown_numbers(found)}
        figure.savefig(temporary, format="svg", metadata=about, facecolor="white")
        plt.close(figure)
