"""Interval plots: what a table of intervals says, in one look.

Three plots share one way of drawing. A solid marker with a line is a mean over seeds with its 95 %
interval, a faint dot is one seed, and a hollow marker is the paper's value. Every panel says how
many seeds it has, so that a caption can point to it and stays true for any rows.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdlib.experiments import Look
from sdlib.metrics import Interval, mean_interval
from sdlib.plotting import note
from sdlib.report.rule import FEWEST
from sdlib.report.tables import paper_interval
from sdlib.report.verdicts import assess
from sdlib.results import Place, sentence

__all__ = ["difference_plot", "interval_plot", "seeds_text", "verdict_plot"]

WIDTH = 7.5  # inches: as wide as the text of a page
PER_ROW = 3  # panels side by side, beside the names of the rows
LABEL = 27  # characters in a line of a row's name
TITLES = 66  # characters in one line of all panels' titles together
# Where things are drawn, in heights of a row below its name.
MEAN, PAPER = 0.26, -0.26
PAPER_UNDER_WORD, WORD = -0.06, -0.48
BLACK = Look("#1A1A1A", "o")


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
    places: Place | Sequence[Place],
    metrics: Mapping[str, str],
    arms: Sequence[str] | None = None,
    missing: str = "",
) -> Figure:
    """Draw metrics of every arm with their intervals, one panel per metric and place.

    The figure has the numbers of :func:`sdlib.report.tables.side_by_side` and
    :func:`sdlib.report.tables.interval_table`: put the table below it, folded.

    Parameters
    ----------
    places : Place or sequence of Place
        Of one experiment; those without rows are left out.
    metrics : mapping of str to str
        Names in rows to headings, such as ``{"test.recall": "recall"}``. Where the paper's Table 2
        has the heading, its value is drawn as a hollow marker.
    arms : sequence of str, optional
        Names of the arms to draw; by default all that have rows.
    missing : str
        What the figure says where there are no rows; by default which command makes them.

    Returns
    -------
    matplotlib.figure.Figure
        One line per arm in the arm's colour and marker. The places are below each other, and each
        heading has one horizontal scale. Artists of an arm have its name, a colon and the metric as
        their group id (``gid``), ending in ``seeds``, ``mean`` or ``paper``.
    """
    places = [places] if isinstance(places, Place) else list(places)
    shown = [place for place in places if _drawn_arms(place, metrics, arms)]
    if not shown:
        return note(missing or sentence(places[-1]))
    chunks = _chunks(list(metrics), PER_ROW)
    rows = [(place, chunk, k == 0) for place in shown for k, chunk in enumerate(chunks)]
    sizes = [len(_drawn_arms(place, metrics, arms)) for place, _, _ in rows]
    fig, axes = _grid(sizes, len(chunks[0]), 0.34)
    scales: dict[str, Axes] = {}
    for (place, chunk, first), line in zip(rows, axes, strict=True):
        names = _drawn_arms(place, metrics, arms)
        for ax, metric in zip(line, chunk, strict=False):
            if metric in scales:
                ax.sharex(scales[metric])
            scales.setdefault(metric, ax)
            ax.set_xlabel(metrics[metric], fontsize=10)
            for row, arm in enumerate(names):
                _draw_arm(ax, row, place, arm, metric, metrics[metric])
            _name_rows(ax, [place.label(arm) for arm in names], ax is line[0])
        for ax in line[len(chunk) :]:
            ax.remove()
        if first:
            counts = [len(place.values(m, arm)) for m in metrics for arm in names]
            title = f"{place.name}; {seeds_text(n for n in counts if n)}"
            line[0].set_title(title, loc="left", fontsize=10)
    return fig


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
            if part.n < FEWEST:
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
    fig, axes = _grid([len(names)], len(shown), 0.5 if words else 0.4)
    for ax, (title, found) in zip(axes[0], shown.items(), strict=True):
        if ax is not axes[0, 0]:
            ax.sharex(axes[0, 0])  # before anything is drawn: else the scale would be the first's
        counts = []
        ax.axvline(0, color="0.4", linewidth=1)
        for row, name in enumerate(names):
            if name not in found:
                continue
            values = found[name]
            seeds = None if isinstance(values, Interval) else scale * np.asarray(values)
            interval = _scaled(values, scale) if seeds is None else mean_interval(seeds)
            _draw_row(ax, row, interval, seeds, look, name)
            above = PAPER_UNDER_WORD if words else PAPER
            _draw_paper(ax, row + above, scale * paper.get(name, np.nan), look, name)
            counts.append(interval.n)
            at = {"transform": ax.get_yaxis_transform(), "va": "top", "size": 8}
            ax.text(0.01, row + WORD, words.get((title, name), ""), color="0.25", **at)
        _name_rows(ax, names, ax is axes[0, 0])
        heading = textwrap.fill(title, TITLES // len(shown))
        ax.set_title(f"{heading}\n{seeds_text(counts)}", loc="left", fontsize=10)
    fig.supxlabel(xlabel, fontsize=10)
    return fig


def _chunks(names: list[str], size: int) -> list[list[str]]:
    return [names[start : start + size] for start in range(0, len(names), size)]


def _drawn_arms(place: Place, metrics: Mapping[str, str], arms: Sequence[str] | None) -> list[str]:
    """Arms of a place that have a value of some metric, in the experiment's order."""
    wanted = place.arms if arms is None else [arm for arm in place.arms if arm in arms]
    return [arm for arm in wanted if any(len(place.values(m, arm)) for m in metrics)]


def _grid(sizes: Sequence[int], columns: int, height: float) -> tuple[Figure, np.ndarray]:
    """Panels as high as their rows need: ``height`` inches per row, and room for the axis."""
    heights = [height * size + 0.25 for size in sizes]
    fig, axes = plt.subplots(
        len(sizes),
        columns,
        figsize=(WIDTH, sum(heights) + 0.65 * len(sizes)),
        squeeze=False,
        height_ratios=heights,
    )
    for ax in axes.flat:
        ax.locator_params(axis="x", nbins=4)
    return fig, axes


def _name_rows(ax: Axes, names: Sequence[str], labelled: bool) -> None:
    ax.set_ylim(len(names) - 0.4, -0.6)
    wrapped = [textwrap.fill(name, LABEL, break_on_hyphens=False) for name in names]
    texts = wrapped if labelled else [""] * len(names)
    ax.set_yticks(range(len(names)), texts, fontsize=9, linespacing=0.9)
    ax.tick_params(axis="y", length=0)


def _draw_arm(ax: Axes, row: int, place: Place, arm: str, metric: str, heading: str) -> None:
    values, gid = place.values(metric, arm), f"{arm}:{metric}"
    if len(values):
        _draw_row(ax, row, mean_interval(values), values, place.look(arm), gid)
    paper = paper_interval(heading, arm) if place.definition.printed == "table2" else None
    if paper:
        _draw_paper(ax, row + PAPER, paper.mean, place.look(arm), gid)


def _draw_row(
    ax: Axes, row: int, interval: Interval, seeds: np.ndarray | None, look: Look, gid: str
) -> None:
    style = {"color": look.colour, "marker": look.marker}
    if seeds is not None:
        at = np.full(len(seeds), row)
        ax.plot(seeds, at, alpha=0.35, linestyle="none", gid=f"{gid}:seeds", **style)
    # One or two seeds have no interval: errorbar then draws the mean alone.
    lengths = np.array([[interval.mean - interval.low], [interval.high - interval.mean]])
    bars = ax.errorbar(interval.mean, row + MEAN, xerr=lengths, capsize=3, linewidth=1.5, **style)
    bars.lines[0].set_gid(f"{gid}:mean")
    bars.lines[2][0].set_gid(f"{gid}:interval")


def _draw_paper(ax: Axes, height: float, value: float, look: Look, gid: str) -> None:
    if np.isfinite(value):
        style = {"color": look.colour, "marker": look.marker, "fillstyle": "none"}
        ax.plot(value, height, markersize=8, gid=f"{gid}:paper", **style)


def _scaled(found: Interval, scale: float) -> Interval:
    numbers = (scale * value for value in (found.mean, found.sd, found.low, found.high))
    return Interval(found.n, *numbers)
