"""Figures of chapter 4, drawn from rows, logits and trials.

Where a place has nothing to draw, the figure says so, and which command makes what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import expit

from sdlib.losses import resting_logits
from sdlib.metrics import reliability
from sdlib.plotting import CLASSES, arm_rows, panels
from sdlib.report.cutout.cutoff_control import tuned_accuracy
from sdlib.report.cutout.sensitivity import sensitivity_map
from sdlib.report.intervals import WIDTH, interval_plot
from sdlib.report.tile_figures import cutout_pair, show_tiles
from sdlib.results import Place, sentence

__all__ = [
    "in_one_look",
    "logit_histograms",
    "map_shares",
    "reliability_curves",
    "sensitivity_maps",
    "three_cutoffs",
]

EDGE = 9  # logits; tiles beyond are counted at the edge
BINS = np.linspace(-EDGE, EDGE, 61)
POINTS = 20  # of accuracy: where the colours of the sensitivity maps end
STEPS = ("-", "0", "+")
FIRST_ARMS = ("weight_decay", "sd_eq2", "sd_eq2_test_tuned", "control")
FIRST_METRICS = {
    "clean.accuracy": "accuracy without squares",
    "test.accuracy": "accuracy with squares\non every cancer",
}
TILE_HEIGHT = 2.2  # inches of a tile with its title beside the panels


def in_one_look(places: Sequence[Place]) -> Figure:
    """Draw the squares beside what they cost, and what each way of training wins back.

    Parameters
    ----------
    places : sequence of Place
        Of ``cutout``.

    Returns
    -------
    matplotlib.figure.Figure
        Left: a benign tile without and with squares. Right: balanced accuracy on the same test
        tiles without squares and with squares on every cancer, drawn as
        :func:`sdlib.report.intervals.interval_plot` does.
    """
    pair, titles = cutout_pair(), ["a benign tile", "with squares"]
    if not any(place.arms for place in places):
        figure = show_tiles(pair, titles, width=5)
        figure.suptitle(sentence(places[-1]), fontsize=9, wrap=True)
        return figure
    lines = sum(len(set(FIRST_ARMS) & set(place.arms)) for place in places)
    figure = plt.figure(figsize=(WIDTH, 0.34 * lines + 1.0 * sum(bool(p.arms) for p in places)))
    left, right = figure.subfigures(1, 2, width_ratios=[1, 4.2])
    # At the top, one below the other, however many places make the figure tall.
    rows = left.add_gridspec(max(2, int(figure.get_figheight() / TILE_HEIGHT)), 1)
    for row, tile, title in zip(rows, pair, titles, strict=False):
        ax = left.add_subplot(row)
        ax.imshow(tile, interpolation="nearest")
        ax.set_title(title, fontsize=9)
        ax.set_axis_off()
    printed = dict.fromkeys(FIRST_METRICS.values(), "")
    printed[FIRST_METRICS["test.accuracy"]] = "accuracy"
    interval_plot(places, FIRST_METRICS, FIRST_ARMS, printed, figure=right)
    first, second, *_ = right.axes
    ends = np.array([first.get_xlim(), second.get_xlim()])
    for ax in (first, second):  # one accuracy, one scale: the fall is to be seen
        ax.set_xlim(ends.min(), ends.max())
    return figure


def _scored_panels(places: Sequence[Place]) -> dict[str, tuple[Place, str]]:
    """Every arm with predictions at every place, by the title of its panel."""
    shown = {}
    several = len([place for place in places if place.scored]) > 1
    for place in places:
        for arm, label in _scored(place).items():
            shown[f"{label}; {place.name}" if several else label] = place, arm
    return shown


def reliability_curves(places: Sequence[Place]) -> Figure:
    """Draw the share of cancer against the mean score in ten bins, one panel per arm and place.

    Parameters
    ----------
    places : sequence of Place
        Of ``cutout``.

    Returns
    -------
    matplotlib.figure.Figure
        One line per seed: grey on validation, in the arm's colour on test. The dotted diagonal
        is perfect calibration.
    """
    shown = _scored_panels(places)
    axes = panels(
        list(shown),
        sentence(places[0]),
        3,
        xlabel="mean score in a bin",
        ylabel="share of cancer in it",
    )
    for title, ax in axes.items():
        place, arm = shown[title]
        look = place.look(arm)
        ax.plot([0, 1], [0, 1], "k:", linewidth=1)
        for cohort, colour in (("validation", CLASSES[0]), ("test", look.colour)):
            for logits in place.logits(arm, cohort).values():
                score, share = reliability(place.targets(cohort), expit(logits.astype(float)))
                style = {"color": colour, "marker": look.marker, "markersize": 3}
                ax.plot(score, share, linewidth=1, **style)
    return plt.gcf()


def three_cutoffs(places: Sequence[Place]) -> Figure:
    """Draw mean balanced accuracy on the test set at three cut-offs, a panel per place.

    Parameters
    ----------
    places : sequence of Place
        Of ``cutout``.

    Returns
    -------
    matplotlib.figure.Figure
        One row per arm that some place has predictions of. The arm's marker: cut-off .5. Stroke
        and circle: each network's best cut-off on validation and on test. A line joins the three.
    """
    shown = {place.name: place for place in places if place.scored}
    rows = [
        arm
        for arm in places[0].definition.arms
        if any(arm.name in place.scored for place in shown.values())
    ]
    size = (8 / max(len(shown), 1) + 1, 3.8)
    for title, ax in panels(list(shown), sentence(places[0]), len(shown) or 1, size).items():
        for row, arm in enumerate(rows):
            if arm.name in shown[title].scored:
                _cutoff_row(ax, row, shown[title], arm.name)
        ax.set_yticks(range(len(rows)), [arm.label for arm in rows])
        ax.set_ylim(len(rows) - 0.5, -0.5)
    return plt.gcf()


def _cutoff_row(ax: Axes, row: int, place: Place, arm: str) -> None:
    look = place.look(arm)
    values = {
        look.marker: place.values("test.accuracy", arm).mean(),
        "|": tuned_accuracy(place, arm, "validation").mean(),
        "o": tuned_accuracy(place, arm, "test").mean(),
    }
    ax.plot(list(values.values()), [row] * len(values), color=look.colour, alpha=0.5)
    for marker, value in values.items():
        ax.plot(value, row, marker, color=look.colour, markersize=9, fillstyle="none")


def logit_histograms(places: Sequence[Place]) -> Figure:
    """Draw the logits of all seeds on the test tiles with and without cutouts, a panel per arm.

    Parameters
    ----------
    places : sequence of Place
        Of ``cutout``; every place has panels of its own.

    Returns
    -------
    matplotlib.figure.Figure
        Filled in grey: without cutouts. Outlines in the arm's colour: the same tiles with
        cutouts, dashed for benign ones. Triangles: the logits at which the arm's penalty lets
        separable data rest.
    """
    shown = _scored_panels(places)
    axes = panels(list(shown), sentence(places[0]), 3, (3.2, 2), False, xlabel="logit")
    for title, ax in axes.items():
        place, arm = shown[title]
        targets = place.targets("test")
        clean, cut = (_clipped(place, arm, cohort) for cohort in ("clean", "all"))
        for y, shade in enumerate(CLASSES):
            style = {"color": place.look(arm).colour, "linestyle": ("--", "-")[y]}
            mine = targets == y
            ax.hist(clean[:, mine].ravel(), BINS, density=True, color=shade, alpha=0.6)
            ax.hist(cut[:, mine].ravel(), BINS, density=True, histtype="step", **style)
        setting = place.setting(arm)
        if setting["lam"]:
            rest = resting_logits(setting["lam"], setting["gamma"] or (0, 0))
            ax.plot(rest, [0, 0], "k^", clip_on=False)
    return plt.gcf()


def _clipped(place: Place, arm: str, cohort: str) -> np.ndarray:
    """Logits (seeds, tiles) of one cohort, those beyond the histogram's edge moved onto it."""
    logits = np.stack(list(place.logits(arm, cohort).values()))
    return np.clip(logits, -EDGE, EDGE)


def sensitivity_maps(around: Place) -> Figure:
    """Draw the change of accuracy one step around the tuned point, a map per pair of values.

    Parameters
    ----------
    around : Place
        Of ``cutout_sensitivity``.

    Returns
    -------
    matplotlib.figure.Figure
        Cells have mean and SD over paired seeds, in points of balanced accuracy on test.
    """
    maps = {"λ": sensitivity_map(around, "lam"), "γ": sensitivity_map(around, "gamma")}
    whole = [symbol for symbol, (_, _, seeds) in maps.items() if seeds]
    labels = {"xlabel": "step of cancer's value", "ylabel": "step of benign's value"}
    for symbol, ax in panels(whole, sentence(around), 2, (3.8, 3.4), **labels).items():
        mean, sd, _ = maps[symbol]
        ax.imshow(100 * mean, cmap="PuOr", vmin=-POINTS, vmax=POINTS)
        ax.grid(visible=False)
        ax.set_xticks(range(3), STEPS)
        ax.set_yticks(range(3), STEPS)
        for (row, column), value in np.ndenumerate(100 * mean):
            text = f"{value:+.1f}\n(SD {100 * sd[row, column]:.1f})"
            if (row, column) == (1, 1):
                text = "tuned"
            ax.text(column, row, text, ha="center", va="center", fontsize=10)
    return plt.gcf()


def map_shares(place: Place) -> Figure:
    """Draw how much of Grad-CAM's activation is on the cutouts, a panel per explained class.

    Parameters
    ----------
    place : Place
        Of ``cutout``.

    Returns
    -------
    matplotlib.figure.Figure
        One row per arm that has rows: faint markers are seeds, the solid one is their mean with
        its 95 % t interval. Dotted: the cutouts' share of the area.
    """
    metrics = {f"map for {name}": f"cam.{name}_share" for name in ("benign", "cancer")}
    titles = list(metrics) if place.arms else []
    label = "share of activation on cutouts"
    for title, ax in panels(titles, sentence(place), 2, (4.6, 3.2), xlabel=label).items():
        values = {arm: place.values(metrics[title], arm) for arm in place.arms}
        arm_rows(ax, values, place.looks)
        ax.axvline(place.rows["cam.area_share"].mean(), color="black", linestyle=":")
    return plt.gcf()


def _scored(place: Place) -> dict[str, str]:
    """Labels of the arms whose logits are at hand, by name."""
    return {arm: place.label(arm) for arm in place.scored}
