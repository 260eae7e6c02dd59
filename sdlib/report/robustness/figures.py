"""Figures 2 to 4 of the paper drawn from our own measurements, and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
import seaborn
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdlib.augment.operations import examples
from sdlib.experiments import paper_table
from sdlib.plotting import note
from sdlib.report.robustness.statistics import curves
from sdlib.results import Place
from sdlib.results.sharpness import Sharpness
from sdlib.results.sweeps import BY_NAME, CLEAN
from sdlib.stain import recombine, separate

__all__ = [
    "differences_figure",
    "draw_curves",
    "gallery_figure",
    "robustness_figure",
    "separation_figure",
    "sharpness_figure",
]

DASHES = ("-", "--", "-.", ":")
#: The paper's panels A to D, with their horizontal axes.
PANELS = {
    "sharpen": "share of the sharpened image, α",
    "blur": "width of the mean, n (px of 224)",
    "haematoxylin": "haematoxylin multiplied by",
    "eosin": "eosin multiplied by",
}


def _panels(height: float) -> tuple[Figure, dict]:
    fig, axes = plt.subplots(2, 2, figsize=(7.5, height), sharey=True)
    found = dict(zip(PANELS, axes.flat, strict=True))
    for letter, (shift, ax) in zip("ABCD", found.items(), strict=True):
        ax.set_title(f"{letter}  {shift}", loc="left")
        ax.set_xlabel(PANELS[shift])
        if shift in ("haematoxylin", "eosin"):
            ax.invert_xaxis()
    return fig, found


def robustness_figure(place: Place, arms: Sequence[str], missing: str = "") -> Figure:
    """Draw Figure 4: balanced accuracy against the strength of each shift.

    Lines are means over seeds, bands are one SD. A dotted line marks chance, a small tick on the
    left border the mean accuracy on unshifted tiles. The title is the name of the place.

    Parameters
    ----------
    place : Place
        Where the networks are recorded.
    arms : sequence of str
        Names of arms, in the order of the legend; arms without networks are left out.
    missing : str
        What the figure says where no arm has networks.
    """
    table = curves(place.sweep)
    present = [arm for arm in arms if len(table) and (table["arm"] == arm).any()]
    if not present:
        return note(missing)
    fig, axes = _panels(5.2)
    fig.suptitle(place.name, fontsize=11)
    for shift, ax in axes.items():
        draw_curves(ax, table, place, present, shift)
    fig.supylabel("balanced accuracy", fontsize=11)
    handles, labels = axes["blur"].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=2)
    return fig


def draw_curves(
    ax: Axes, table: pd.DataFrame, place: Place, arms: Sequence[str], shift: str
) -> None:
    """Draw accuracy against the strength of one shift, a line with its band for each arm.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    table : pandas.DataFrame
        From :func:`sdlib.report.robustness.statistics.curves`.
    place : Place
        Whose looks are used.
    arms : sequence of str
        Arms of the table.
    shift : str
        Such as ``eosin``.
    """
    ax.axhline(0.5, color="0.6", linestyle=(0, (1, 2)), linewidth=1)
    for arm in arms:
        mine, look = table[table["arm"] == arm], place.look(arm)
        line = mine[mine["shift"] == shift]
        style = look.line | {"markersize": 4, "linewidth": 1.6}
        ax.plot(line["strength"], line["mean"], **style)
        spread = line["sd"].fillna(0)
        low, high = line["mean"] - spread, line["mean"] + spread
        ax.fill_between(line["strength"], low, high, color=look.colour, alpha=0.15, lw=0)
        clean = mine[mine["shift"] == CLEAN]["mean"]
        ax.plot([0, 0.03], [clean, clean], color=look.colour, transform=_left(ax))


def _left(ax):
    """Coordinates for ticks at the left border: a share of the axes' width, and data upwards."""
    return ax.get_yaxis_transform()


def differences_figure(
    tables: Mapping[str, pd.DataFrame], arm: str, rival: str, missing: str = ""
) -> Figure:
    """Draw paired differences with their 95 % intervals over seeds and tiles, in points.

    Crosses are the paper's numbers. Each place has its own shade of grey and its own dash.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        What :func:`sdlib.report.robustness.statistics.differences` returns, by name of the place.
    arm, rival : str
        The tables hold ``arm - rival``.
    missing : str
        What the figure says without tables.
    """
    if not tables:
        return note(missing)
    fig, axes = _panels(5.6)
    shades = np.linspace(0.1, 0.55, len(tables))
    printed = paper_table("figure4")
    printed = printed[(printed["arm"] == arm) & (printed["rival"] == rival)]
    for shift, ax in axes.items():
        ax.axhline(0, color="0.6", linewidth=1)
        for (place, table), shade, dash in zip(tables.items(), shades, cycle(DASHES), strict=False):
            line = table[table["shift"] == shift]
            points = 100 * line[["mean", "low", "high"]]
            colour = str(shade)
            style = {"color": colour, "marker": ".", "linestyle": dash, "linewidth": 1.4}
            ax.plot(line["strength"], points["mean"], label=place, **style)
            ax.fill_between(
                line["strength"], points["low"], points["high"], color=colour, alpha=0.2, lw=0
            )
        for claim in printed.itertuples():
            if (level := BY_NAME[claim.level]).shift == shift:
                at = level.strength, 100 * claim.difference
                ax.plot(*at, "x", color="#D55E00", markersize=9, mew=2, label="paper")
    fig.supylabel("difference in balanced accuracy, points", fontsize=11)
    handles, labels = axes["sharpen"].get_legend_handles_labels()
    named = dict(zip(labels, handles, strict=True))
    fig.legend(named.values(), named.keys(), loc="outside lower center", ncols=2)
    return fig


def sharpness_figure(places: Mapping[str, dict[str, Sharpness]], missing: str = "") -> Figure:
    """Draw Figure 2: the density of the variance of the Laplacian, by scanner or stain cluster.

    Tiles without any tissue are few but would stretch the axis. It therefore leaves out one tile
    in 500 at either end.

    Parameters
    ----------
    places : mapping of str to dict of str to Sharpness
        Sets of tiles by title of their panel; panels without sets are left out.
    missing : str
        What the figure says without any sets.
    """
    places = {title: sets for title, sets in places.items() if sets}
    if not places:
        return note(missing)
    fig, axes = plt.subplots(1, len(places), figsize=(7.5, 3.4), squeeze=False)
    for ax, (title, sets) in zip(axes.flat, places.items(), strict=True):
        shades = ("#000000", "#E69F00", "#0072B2", "#CC79A7")
        for (name, one), shade, dash in zip(sets.items(), shades, DASHES, strict=False):
            seaborn.kdeplot(one.values, ax=ax, label=name, color=shade, linestyle=dash)
        ends = np.quantile(np.concatenate([one.values for one in sets.values()]), (0.002, 0.998))
        ax.set(title=title, xlim=ends + np.array([-0.15, 0.15]), yticks=[])
        ax.set_xlabel("log10 of the variance of the Laplacian")
        ax.set_ylabel("density" if ax is axes[0, 0] else "")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.25), fontsize=9)
    return fig


def separation_figure(image: np.ndarray) -> Figure:
    """Draw Figure 3: a tile, its haematoxylin alone and its eosin alone.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 RGB (S, S, 3).
    """
    parts = separate(image)
    pictures = {
        "tile": image,
        "haematoxylin alone": recombine(parts, eosin=0.0),
        "eosin alone": recombine(parts, haematoxylin=0.0),
    }
    fig, axes = plt.subplots(1, 3, figsize=(7.5, 2.8))
    for ax, (title, picture) in zip(axes, pictures.items(), strict=True):
        ax.imshow(picture, interpolation="nearest")
        ax.set_title(title)
        ax.set_axis_off()
    return fig


def gallery_figure(image: np.ndarray) -> Figure:
    """Draw UniformAugment's operations on a tile, each at the ends and the middle of its range.

    The last picture shows a mean blur, which is not in the set; its title says so.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 RGB (S, S, 3).
    """
    shown = examples(image)
    fig, axes = plt.subplots(4, 12, figsize=(7.5, 3.5))
    for ax in axes.flat:
        ax.set_axis_off()
    for (name, pictures), row in zip(shown.items(), axes.reshape(16, 3), strict=True):
        for ax, picture in zip(row if len(pictures) > 1 else row[1:2], pictures, strict=True):
            ax.imshow(picture, interpolation="nearest")
        row[1].set_title("not in it: blur" if name == "blur" else name.replace("_", " "), size=10)
    return fig
