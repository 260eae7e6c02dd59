"""Interval plots: what a table of intervals says, in one look.

Three plots share one way of drawing. A solid marker with a line is a mean over seeds with its 95 %
interval, a faint dot is one seed, and a hollow marker is the paper's value. Every panel says how
many seeds it has, so that a caption can point to it and stays true for any rows.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from sdlib.experiments import Look
from sdlib.metrics import FEWEST_SEEDS, Interval, mean_interval
from sdlib.plotting import note
from sdlib.report.tables import paper_interval
from sdlib.report.verdicts import assess
from sdlib.results import Place, sentence

__all__ = ["WIDTH", "difference_plot", "interval_plot", "seeds_text", "verdict_plot"]

WIDTH = 7.5  # inches: as wide as the text of a page
PER_ROW = 3  # panels side by side, beside the names of the rows
LABEL = 27  # characters in a line of a row's name
TITLES = 66  # characters in one line of all panels' titles together
# Where things are drawn, in heights of a row below its name.
MEAN, PAPER = 0.26, -0.26
PAPER_UNDER_WORD, WORD = -0.06, -0.48
BLACK = Look("#1A1A1A", "o")

#: A place and the name of an arm to values by seed.
Measure = Callable[[Place, str], "np.ndarray | pd.Series"]


def seeds_text(counts: Iterable[int]) -> str:
    """How many seeds there are, in words for a title.

    >>> seeds_text([5, 5]), seeds_text([3, 5]), seeds_text([1])
    ('n = 5 seeds', 'n = 3 to 5 seeds', 'n = 1 seed')
    """
    known = sorted(set(counts))
    if not known:
        return "no seeds"
    span = f"{known[0]}" if len(known) == 1 else f"{known[0]} to {known[-1]}"
    return f"n = {span} seed{'' if known[-1] == 1 else 's'}"


def interval_plot(
    places: Place | Sequence[Place] | Mapping[str, Place],
    metrics: Mapping[str | Measure, str],
    arms: Sequence[str] | None = None,
    printed: Mapping[str, str] | None = None,
    missing: str = "",
    figure: FigureBase | None = None,
) -> FigureBase:
    """Draw metrics of every arm with their intervals, one panel per metric and place.

    The figure has the numbers of :func:`sdlib.report.tables.side_by_side` and
    :func:`sdlib.report.tables.interval_table`: put the table below it, folded.

    Parameters
    ----------
    places : Place, or sequence of Place, or mapping of str to Place
        By title, which is otherwise the place's name; those without rows are left out.
    metrics : mapping of (str or callable) to str
        Names in rows to headings, such as ``{"test.recall": "recall"}``. A callable takes a place
        and an arm, and returns float64 values by seed.
    arms : sequence of str, optional
        Names of the arms to draw; by default all that have rows.
    printed : mapping of str to str, optional
        Headings to names in the paper's Table 2, where they differ. What the table has is drawn as
        a hollow marker.
    missing : str
        What the figure says where there are no rows; by default which command makes them.
    figure : matplotlib.figure.FigureBase, optional
        A part of a figure to draw into; by default a figure as wide as the page's text.

    Returns
    -------
    matplotlib.figure.FigureBase
        One line per arm in the arm's colour and marker. The places are below each other, and each
        heading has one horizontal scale. Artists of an arm have its name, a colon and the heading
        as their group id (``gid``), ending in ``seeds``, ``mean``, ``interval`` or ``paper``.
    """
    named = _by_title(places)
    drawn = {title: _drawn_arms(place, metrics, arms) for title, place in named.items()}
    lines = [title for title in named if drawn[title]]
    if not lines:
        return note(missing or sentence(list(named.values())[-1]))
    chunks = _chunks(list(metrics), PER_ROW)
    rows = [(title, chunk) for title in lines for chunk in chunks]
    sizes = [len(drawn[title]) for title, _ in rows]
    figure, axes = _grid(sizes, len(chunks[0]), 0.34, figure)
    scales: dict[str, Axes] = {}
    for (title, chunk), line in zip(rows, axes, strict=True):
        place, names = named[title], drawn[title]
        for ax, metric in zip(line, chunk, strict=False):
            heading = metrics[metric]
            _share_scale(ax, scales.setdefault(heading, ax))
            ax.set_xlabel(heading, fontsize=10)
            for row, arm in enumerate(names):
                gid = f"{arm}:{heading}"
                _draw_arm(ax, row, _values(place, metric, arm), place.look(arm), gid)
                if place.definition.printed == "table2":
                    paper = paper_interval((printed or {}).get(heading, heading), arm)
                    _draw_paper(ax, row + PAPER, paper and paper.mean, place.look(arm), gid)
            _name_rows(ax, [place.label(arm) for arm in names], ax is line[0])
        for ax in line[len(chunk) :]:
            ax.remove()
        if chunk is chunks[0]:
            counts = [len(_values(place, metric, arm)) for metric in metrics for arm in names]
            heading = f"{title}; {seeds_text(n for n in counts if n)}"
            line[0].set_title(heading, loc="left", fontsize=10)
    return figure


def difference_plot(
    panels: Mapping[str, Mapping[str, Interval | np.ndarray]],
    paper: Mapping[str, float] | None = None,
    xlabel: str = "difference, points",
    scale: float = 100,
    look: Look = BLACK,
    missing: str = "no differences",
) -> Figure:
    """Draw differences with their intervals around zero, one panel per place.

    Parameters
    ----------
    panels : mapping of str to mapping of str to (Interval or numpy.ndarray)
        By title, such as a place's name, and by the name of the difference. Values over seeds,
        float64 (n,), are drawn as faint dots with their t interval. Panels without differences
        are left out.
    paper : mapping of str to float, optional
        The paper's value by the name of the difference; NaN where it has none.
    xlabel : str
        Below all panels.
    scale : float
        Factor of all numbers; the default makes points of fractions.
    look : Look
        Colour and marker.
    missing : str
        What the figure says without differences.

    Returns
    -------
    matplotlib.figure.Figure
        One line per difference, the same in every panel; a solid line is zero. Group ids are the
        difference's name, a colon and ``seeds``, ``mean`` or ``paper``.
    """
    return _differences(panels, paper or {}, {}, xlabel, scale, look, missing)


def verdict_plot(columns: Sequence[Place], *claims: str, missing: str = "no rows") -> Figure:
    """Draw every part of the claims with its interval, the paper's value and the verdict.

    The figure has the numbers of :func:`sdlib.report.tables.verdict_table`: put the table below
    it, folded. Draw claims about levels and claims about differences in figures of their own, for
    a level of 50 points hides a difference of two.

    Parameters
    ----------
    columns : sequence of Place
        Of one experiment; those where no part was judged are left out.
    claims : str
        Such as ``C1``; all of them without any.
    missing : str
        What the figure says where nothing was judged.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per place, as :func:`difference_plot` draws them, in points.
    """
    found: dict[str, dict[str, Interval]] = {}
    paper: dict[str, float] = {}
    words: dict[tuple[str, str], str] = {}
    for place in (column for column in columns if column.arms):
        for part in assess(place, *claims).itertuples():
            if part.n < FEWEST_SEEDS:
                continue
            name = part.part if len(claims) == 1 else f"{part.reading}: {part.part}"
            name = f"{name} (premise)" if part.premise and "premise" not in name else name
            interval = Interval(part.n, part.mean, part.sd, part.low, part.high)
            found.setdefault(place.name, {})[name] = interval
            paper[name] = part.paper
            words[place.name, name] = str(part.verdict)
    return _differences(found, paper, words, "points", 100, BLACK, missing)


def _differences(
    panels: Mapping[str, Mapping[str, Interval | np.ndarray]],
    paper: Mapping[str, float],
    words: Mapping[tuple[str, str], str],
    xlabel: str,
    scale: float,
    look: Look,
    missing: str,
) -> Figure:
    shown = {title: found for title, found in panels.items() if found}
    if not shown:
        return note(missing)
    names = list(dict.fromkeys(name for found in shown.values() for name in found))
    columns = min(len(shown), PER_ROW)
    sizes = [len(names)] * -(-len(shown) // columns)
    fig, axes = _grid(sizes, columns, 0.5 if words else 0.4)
    for ax, (title, found) in zip(axes.flat, shown.items(), strict=False):
        _share_scale(ax, axes[0, 0])
        counts = []
        ax.axvline(0, color="0.4", linewidth=1)
        for row, name in enumerate(names):
            if name not in found:
                continue
            interval = _draw_difference(ax, row, found[name], scale, look, name)
            above = PAPER_UNDER_WORD if words else PAPER
            _draw_paper(ax, row + above, scale * paper.get(name, np.nan), look, name)
            counts.append(interval.n)
            at = {"transform": ax.get_yaxis_transform(), "va": "top", "size": 8}
            ax.text(0.01, row + WORD, words.get((title, name), ""), color="0.25", **at)
        _name_rows(ax, names, ax in axes[:, 0])
        heading = textwrap.fill(title, TITLES // columns)
        ax.set_title(f"{heading}\n{seeds_text(counts)}", loc="left", fontsize=10)
    for ax in axes.flat[len(shown) :]:
        ax.remove()
    fig.supxlabel(xlabel, fontsize=10)
    return fig


def _by_title(places: Place | Sequence[Place] | Mapping[str, Place]) -> dict[str, Place]:
    if isinstance(places, Mapping):
        return dict(places)
    places = [places] if isinstance(places, Place) else places
    return {place.name: place for place in places}


def _chunks(names: list, size: int) -> list[list]:
    return [names[start : start + size] for start in range(0, len(names), size)]


def _values(place: Place, metric: str | Measure, arm: str) -> np.ndarray:
    found = place.values(metric, arm) if isinstance(metric, str) else metric(place, arm)
    return np.asarray(found, np.float64)


def _drawn_arms(
    place: Place, metrics: Mapping[str | Measure, str], arms: Sequence[str] | None
) -> list[str]:
    """Arms of a place that have a value of some metric, in the experiment's order."""
    wanted = place.arms if arms is None else [arm for arm in place.arms if arm in arms]
    return [arm for arm in wanted if any(len(_values(place, m, arm)) for m in metrics)]


def _grid(
    sizes: Sequence[int], columns: int, height: float, figure: FigureBase | None = None
) -> tuple[FigureBase, np.ndarray]:
    """Panels as high as their rows need: ``height`` inches per row, and room for the axis."""
    heights = [height * size + 0.25 for size in sizes]
    if figure is None:
        figure = plt.figure(figsize=(WIDTH, sum(heights) + 0.65 * len(sizes)))
    axes = figure.subplots(len(sizes), columns, squeeze=False, height_ratios=heights)
    for ax in axes.flat:
        ax.locator_params(axis="x", nbins=4)
    return figure, axes


def _share_scale(ax: Axes, first: Axes) -> None:
    """Give both panels one horizontal scale; before anything is drawn, or it is the first's."""
    if ax is not first:
        ax.sharex(first)


def _name_rows(ax: Axes, names: Sequence[str], labelled: bool) -> None:
    ax.set_ylim(len(names) - 0.4, -0.6)
    wrapped = [textwrap.fill(name, LABEL, break_on_hyphens=False) for name in names]
    texts = wrapped if labelled else [""] * len(names)
    ax.set_yticks(range(len(names)), texts, fontsize=9, linespacing=0.9)
    ax.tick_params(axis="y", length=0)


def _draw_arm(ax: Axes, row: int, seeds: np.ndarray, look: Look, gid: str) -> None:
    if len(seeds):
        _draw_seeds(ax, row, seeds, look, gid)
        _draw_interval(ax, row, mean_interval(seeds), look, gid)


def _draw_difference(
    ax: Axes, row: int, found: Interval | np.ndarray, scale: float, look: Look, gid: str
) -> Interval:
    if isinstance(found, Interval):
        interval = _scaled(found, scale)
    else:
        seeds = scale * np.asarray(found, np.float64)
        _draw_seeds(ax, row, seeds, look, gid)
        interval = mean_interval(seeds)
    _draw_interval(ax, row, interval, look, gid)
    return interval


def _draw_seeds(ax: Axes, row: int, seeds: np.ndarray, look: Look, gid: str) -> None:
    style = {"color": look.colour, "marker": look.marker, "alpha": 0.35, "linestyle": "none"}
    ax.plot(seeds, np.full(len(seeds), row), gid=f"{gid}:seeds", **style)


def _draw_interval(ax: Axes, row: int, interval: Interval, look: Look, gid: str) -> None:
    # One or two seeds have no interval: errorbar then draws the mean alone.
    lengths = np.array([[interval.mean - interval.low], [interval.high - interval.mean]])
    style = {"color": look.colour, "marker": look.marker, "capsize": 3, "linewidth": 1.5}
    bars = ax.errorbar(interval.mean, row + MEAN, xerr=lengths, **style)
    bars.lines[0].set_gid(f"{gid}:mean")
    bars.lines[2][0].set_gid(f"{gid}:interval")


def _draw_paper(ax: Axes, height: float, value: float | None, look: Look, gid: str) -> None:
    if value is not None and np.isfinite(value):
        style = {"color": look.colour, "marker": look.marker, "fillstyle": "none"}
        ax.plot(value, height, markersize=8, gid=f"{gid}:paper", **style)


def _scaled(found: Interval, scale: float) -> Interval:
    numbers = (scale * value for value in (found.mean, found.sd, found.low, found.high))
    return Interval(found.n, *numbers)
