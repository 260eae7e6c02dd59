"""One look for every figure: readable sizes, and one colour and marker per arm throughout.

Colours are Okabe and Ito's, which readers with any common colour blindness tell apart, and three of
Paul Tol's; markers differ too, so that nothing rests on colour alone. Classes are shades of grey.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdlib.experiments import Look, looks
from sdlib.metrics import mean_interval

__all__ = [
    "ARMS",
    "CLASSES",
    "arm_rows",
    "note",
    "panels",
    "use_style",
]


#: Chapters 2 and 3 have two arms of their own; all others are the experiments'.
ARMS: dict[str, Look] = {
    "cross_entropy": Look("#000000", "h", label="cross-entropy"),
    "sd": Look("#0072B2", "o", label="spectral decoupling"),
    **looks(),
}

#: Shades of target 0 and 1 (benign and cancer), where arms have the colours.
CLASSES: tuple[str, str] = ("#9A9A9A", "#1A1A1A")


def use_style() -> None:
    """Set matplotlib's defaults for the book; call it once per chapter."""
    mpl.rcParams.update(
        {
            "figure.figsize": (7.5, 4.2),
            "figure.dpi": 120,
            "figure.constrained_layout.use": True,
            "font.size": 11,
            "axes.titlesize": 11,
            "axes.labelsize": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.prop_cycle": mpl.cycler(color=[style.colour for style in ARMS.values()]),
            "grid.color": "#E5E5E5",
            "grid.linewidth": 0.7,
            "lines.linewidth": 2,
            "lines.markersize": 6,
            "legend.frameon": False,
            "legend.fontsize": 10,
            "image.cmap": "cividis",
        }
    )


def note(text: str) -> Figure:
    """A low figure that says why there is nothing to draw: its label still leads somewhere."""
    fig, ax = plt.subplots(figsize=(7.5, 1.1))
    ax.text(0.5, 0.5, text, ha="center", va="center", wrap=True)
    ax.set_axis_off()
    return fig


def panels(
    names: Sequence[str] | Mapping[str, str],
    missing: str,
    per_row: int = 4,
    size: tuple[float, float] = (2.5, 2.4),
    sharey: bool = True,
    **labels: str,
) -> dict[str, Axes]:
    """One panel per name, by name; without names a figure that says ``missing``, and no panels.

    Loops over the result therefore draw nothing where there are no rows, and the page still has
    its figure.

    Parameters
    ----------
    names : sequence of str, or mapping of str to str
        Titles; or titles by name, such as the labels of arms by arm.
    missing : str
        What to say without names.
    size : pair of float
        Of a panel, inches.
    sharey : bool
        One scale for all panels; without it the vertical scales differ and have no numbers.
    **labels : str
        ``xlabel`` and ``ylabel``, once for the whole figure.
    """
    if not len(names):
        note(missing)
        return {}
    columns = min(per_row, len(names))
    rows = -(-len(names) // columns)
    fig, axes = plt.subplots(
        rows,
        columns,
        figsize=(size[0] * columns, size[1] * rows + 0.3),
        sharex=True,
        sharey=sharey,
        squeeze=False,
    )
    for column, ax in enumerate(axes.flat[len(names) :], start=len(names) % columns):
        ax.remove()
        axes[-2, column].tick_params(labelbottom=True)  # the lowest of its column now
    titles = names if isinstance(names, Mapping) else {name: name for name in names}
    found = dict(zip(names, axes.flat, strict=False))
    for name, ax in found.items():
        title = textwrap.fill(titles[name], int(9 * size[0]), break_on_hyphens=False)
        ax.set_title(title, fontsize=10)
        if not sharey:
            ax.set_yticks([])
    fig.supxlabel(labels.get("xlabel", ""), fontsize=11)
    fig.supylabel(labels.get("ylabel", ""), fontsize=11)
    return found


def arm_rows(ax: Axes, values: Mapping[str, np.ndarray], looks: Mapping[str, Look]) -> None:
    """Arms from top to bottom: a faint marker per seed, a solid one with its 95 % t interval.

    Values are shares, from 0 to 1, and intervals are drawn as far as there can be values. One or
    two seeds have no interval.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    values : mapping of str to numpy.ndarray
        One value per seed, by arm; arms without values keep an empty row.
    looks : mapping of str to Look
        Colour, marker and label of every arm, as :attr:`sdlib.results.Place.looks` has them.
    """
    for row, (arm, seeds) in enumerate(values.items()):
        if not len(seeds):
            continue
        style = {"color": looks[arm].colour, "marker": looks[arm].marker}
        ax.plot(seeds, np.full(len(seeds), row), alpha=0.35, linestyle="none", **style)
        interval = mean_interval(seeds)
        lengths = None
        if np.isfinite(interval.low):
            ends = np.clip([interval.low, interval.high], 0, 1)
            lengths = np.abs(ends - interval.mean)[:, None]
        ax.errorbar(interval.mean, row + 0.28, xerr=lengths, capsize=3, linewidth=1.5, **style)
    ax.set_yticks(range(len(values)), [looks[arm].label for arm in values])
    ax.set_ylim(len(values) - 0.4, -0.6)
