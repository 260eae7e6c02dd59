"""The figures of the page on your own images."""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from sdlib.report.own_data.findings import METRICS, Findings, all_margins
from sdlib.report.own_data.verdict import MARGIN
from sdlib.report.robustness import figures as shift_figures
from sdlib.report.robustness.statistics import curves

__all__ = ["difference_figure", "margin_figure", "sweep_figure"]

WIDE, NARROW = 7.5, 4.6  # inches: for a screen, and for a telephone
ROW = 0.42  # inches a line
BINS = 40
FARTHEST = 0.995  # share of the margins that the axis shows
BETTER = ("accuracy", "recall", "specificity", "auroc")


def difference_figure(found: Findings) -> Figure:
    """Draw the differences of all measures of which more is better, and of shifted images.

    Dots are means; lines are 95 % intervals over seeds and test patients; the shaded band is what
    counts as the same. All in points.

    Parameters
    ----------
    found : Findings
    """
    lines = {METRICS[name]: found.metrics[name] for name in BETTER}
    lines |= {f"accuracy, {name}": one for name, one in found.shifts.items() if name != "clean"}
    fig, ax = plt.subplots(figsize=(NARROW, ROW * len(lines) + 0.9))
    ax.axvspan(-100 * MARGIN, 100 * MARGIN, color="0.93")
    ax.axvline(0, color="0.4", linewidth=1)
    for row, one in enumerate(lines.values()):
        if np.isfinite(one.low):
            ax.plot([100 * one.low, 100 * one.high], [row, row], "|-", color="black", linewidth=1.5)
        ax.plot(100 * one.mean, row, "o", color="black")
    ax.set_yticks(range(len(lines)), list(lines))
    ax.set_ylim(len(lines) - 0.5, -0.5)
    ax.set_xlabel("SD minus weight decay, points")
    return fig


def margin_figure(found: Findings) -> Figure:
    """Draw the margins of both arms on validation and test images, with the cap of the penalty.

    Parameters
    ----------
    found : Findings
    """
    values = {arm: all_margins(found.place, arm, found.seeds) for arm in (found.rival, found.arm)}
    everything = np.concatenate([*values.values()])
    low, high = np.quantile(everything, (1 - FARTHEST, FARTHEST))
    bins = np.linspace(low, max(high, min(found.penalty.cap, 2 * high)), BINS)
    fig, ax = plt.subplots(figsize=(NARROW, 3.2))
    for arm, own in values.items():
        look = found.place.look(arm)
        style = {"histtype": "step", "color": look.colour, "linewidth": 2, "label": look.label}
        ax.hist(np.clip(own, bins[0], bins[-1]), bins, density=True, **style)
    if found.penalty.cap <= bins[-1]:
        ax.axvline(found.penalty.cap, color="0.3", linestyle="--", label="cap of the penalty")
    ax.axvline(0, color="0.6", linewidth=1)
    ax.set_yticks([])
    ax.set_xlabel("margin: logit on the side of the true class")
    fig.legend(loc="outside upper center", ncols=1)
    return fig


def sweep_figure(found: Findings, narrow: bool) -> Figure:
    """Draw balanced accuracy against the strength of each shift.

    Lines are means over seeds, bands one SD; a tick on the left border is the accuracy on
    unshifted images.

    Parameters
    ----------
    found : Findings
    narrow : bool
        One panel below the other, for a telephone; else two side by side.
    """
    shifts = [shift for shift in shift_figures.PANELS if shift in found.shifts]
    columns = 1 if narrow else 2
    rows = -(-len(shifts) // columns)
    size = (NARROW, 2.6 * rows + 0.6) if narrow else (WIDE, 2.9 * rows + 0.6)
    fig, axes = plt.subplots(rows, columns, figsize=size, sharey=True, squeeze=False)
    table = curves(found.place.sweep)
    for shift, ax in zip(shifts, axes.flat, strict=True):
        shift_figures.draw_curves(ax, table, found.place, (found.rival, found.arm), shift)
        ax.set_title(shift, loc="left")
        ax.set_xlabel(shift_figures.PANELS[shift])
        if shift in ("haematoxylin", "eosin"):
            ax.invert_xaxis()
    fig.supylabel("balanced accuracy", fontsize=11)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=columns)
    return fig
