"""What a network relies on of a place's signature: one part changed, all else the same.

A phantom film can be drawn again with one part of its signature as in the other hospitals. The
*reliance* of a network on that part is how far the change moves its logit, on average over films
and whichever way, in units of the SD of its logits on the unchanged films.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdlib.checks import known
from sdlib.errors import DataError
from sdlib.experiments import Look
from sdlib.experiments.covid import CHANGED, DECAY, SD, changed_name
from sdlib.metrics import FEWEST_SEEDS, Interval, mean_interval
from sdlib.plotting import note
from sdlib.report.covid.situations import INSIDE, NOTHING, PAIRS, in_order, situation_of
from sdlib.report.intervals import seeds_text
from sdlib.report.tables import describe
from sdlib.results import Place

__all__ = ["draw_reliance", "read_reliance", "reliance_of", "reliance_table"]

ALL = "all"
DIFFERENCE = "difference, "  # begins the headings of paired differences
MEANINGS = {ALL: "all of them at once"}  # of parts whose name does not say what they are
SHIFT = 0.18  # between arms, rows


def reliance_of(place: Place, arm: str, part: str) -> pd.Series:
    """The reliance of every network of an arm on one part of the signature.

    Parameters
    ----------
    place : Place
        Of the experiment ``covid`` or ``covid_added``.
    arm : str
    part : str
        Of :data:`sdlib.experiments.covid.CHANGED`.

    Returns
    -------
    pandas.Series
        float64 by seed, at least 0, in SDs of the logits on the test films as they are; empty where
        the predictions are not at hand. NaN for a network whose logits are all equal: they have no
        scale.

    Raises
    ------
    ConfigError
        There is no such part.
    DataError
        The changed films are not those of the test.
    """
    known("part of the signature", part, CHANGED)
    cohort = changed_name(part)
    before, after = place.logits(arm, INSIDE), place.logits(arm, cohort)
    if after and not np.array_equal(place.targets(cohort), place.targets(INSIDE)):
        raise DataError(
            f"expected the test films in {cohort} of {place.experiment} on {place.source}, "
            f"{place.profile} ({place.origin}), got others: run the experiment anew"
        )
    shared = sorted(before.keys() & after.keys())
    found = {seed: _moved(before[seed], after[seed]) for seed in shared}
    return pd.Series(found, dtype=np.float64)


def _moved(before: np.ndarray, after: np.ndarray) -> float:
    """Mean absolute change of logits in SDs of the logits before."""
    before, after = before.astype(np.float64), after.astype(np.float64)
    if len(np.unique(before)) < 2:
        return float("nan")
    return float(np.abs(after - before).mean() / before.std(ddof=1))


def _by_part(place: Place, arm: str) -> dict[str, pd.Series]:
    """Reliance by seed, by part; only parts that some network has a value for."""
    found = {part: reliance_of(place, arm, part).dropna() for part in CHANGED}
    return {part: values for part, values in found.items() if len(values)}


def reliance_table(places: Sequence[Place], arms: Sequence[str]) -> pd.DataFrame:
    """Reliance of arms on every part of the signature, and how much less or more SD relies on it.

    Parameters
    ----------
    places : sequence of Place
        Of the experiments ``covid`` and ``covid_added``; those without changed films are left out.
    arms : sequence of str
        In the order of the columns; arms without predictions are left out.

    Returns
    -------
    pandas.DataFrame
        Text, in SDs of the logits: mean (SD) [95 % t interval] n over networks, as
        :func:`sdlib.report.tables.describe` writes it. One line per situation, place and part; then
        a column for each pair of :data:`PAIRS` of which both arms are shown, arm minus rival,
        paired over seeds. Without lines where there are no changed films.

    Raises
    ------
    ConfigError
        A place is of another experiment.
    DataError
        As :func:`reliance_of`.
    """
    lines = {}
    for _, title, mine in in_order(places):
        for place in mine:
            found = {arm: _by_part(place, arm) for arm in arms}
            for part in CHANGED:
                cells = _cells(place, {arm: by_part.get(part) for arm, by_part in found.items()})
                if cells:
                    lines[title, place.name, _meaning(part)] = cells
    if not lines:
        return pd.DataFrame()
    table = pd.DataFrame(lines).T.rename_axis(["trained on", "rows", "changed"]).fillna(NOTHING)
    differences = [heading for heading in table if heading.startswith(DIFFERENCE)]
    return table[[heading for heading in table if heading not in differences] + differences]


def _cells(place: Place, values: Mapping[str, pd.Series | None]) -> dict[str, str]:
    """Reliance on one part by arm, and paired differences, by heading; None has no cell."""
    present = {arm: by_seed for arm, by_seed in values.items() if by_seed is not None}
    cells = {
        place.label(arm): describe(mean_interval(by_seed), digits=2)
        for arm, by_seed in present.items()
    }
    for name, (arm, rival) in PAIRS.items():
        if {arm, rival} <= present.keys():
            paired = (present[arm] - present[rival]).dropna()
            cells[f"{DIFFERENCE}{name}"] = _signed(paired)
    return cells


def _signed(paired: pd.Series) -> str:
    return describe(mean_interval(paired), sign=True, digits=2) if len(paired) else NOTHING


def _meaning(part: str) -> str:
    return MEANINGS.get(part, part)


def draw_reliance(places: Sequence[Place], arms: Sequence[str], missing: str) -> Figure:
    """Draw the reliance of arms on every part of the signature, with 95 % t intervals over seeds.

    Parameters
    ----------
    places : sequence of Place
        Of the experiments ``covid`` and ``covid_added``; one panel for each that has changed films.
    arms : sequence of str
        In the order of the legend; arms without predictions are left out.
    missing : str
        What the figure says where no place has changed films.

    Raises
    ------
    ConfigError, DataError
        As :func:`reliance_table`.
    """
    ordered = [place for _, _, mine in in_order(places) for place in mine]
    found = [(place, {arm: _by_part(place, arm) for arm in arms}) for place in ordered]
    found = [(place, values) for place, values in found if any(values.values())]
    if not found:
        return note(missing)
    size = (3.9 * max(len(found), 2), 0.9 + 0.55 * len(CHANGED))
    fig, axes = plt.subplots(1, len(found), figsize=size, sharex=True, sharey=True, squeeze=False)
    for (place, values), ax in zip(found, axes[0], strict=True):
        for number, arm in enumerate(arms):
            _draw_arm(ax, place.look(arm), values[arm], SHIFT * (number - (len(arms) - 1) / 2))
        ax.set_yticks(range(len(CHANGED)), [_meaning(part) for part in CHANGED])
        ax.set_ylim(len(CHANGED) - 0.5, -0.5)
        counts = [len(one) for by_part in values.values() for one in by_part.values()]
        title = f"{situation_of(place)}\n{place.name}; {seeds_text(counts)}"
        ax.set_title(title, loc="left", fontsize=9)
        ax.set_xlabel("mean change of a logit, SDs")
    axes[0, 0].set_xlim(left=0)
    named = {}
    for ax in axes[0]:
        handles, labels = ax.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    fig.legend(named.values(), named.keys(), loc="outside lower center", ncols=2)
    return fig


def _draw_arm(ax: Axes, look: Look, values: Mapping[str, pd.Series], shift: float) -> None:
    """Mean and interval of one arm at every part it has values for; one or two seeds have none."""
    if not values:
        return
    intervals = [mean_interval(one) for one in values.values()]
    rows = np.array([CHANGED.index(part) for part in values]) + shift
    means = np.array([one.mean for one in intervals])
    # Reliance is at least 0, and so is the drawn part of an interval.
    half = np.array([[one.mean - max(one.low, 0), one.high - one.mean] for one in intervals]).T
    hollow = {"markerfacecolor": "white"} if look.dash != "-" else {}
    style = look.kwargs | hollow
    ax.errorbar(means, rows, xerr=np.nan_to_num(half), linestyle="none", capsize=2, **style)


def read_reliance(place: Place, arm: str = SD, rival: str = DECAY) -> str:
    """Read the reliance of two arms aloud, as Markdown; empty without changed films.

    Parameters
    ----------
    place : Place
        Of the experiment ``covid`` or ``covid_added``.
    arm, rival : str
        The difference is ``arm - rival``.

    Raises
    ------
    ConfigError, DataError
        As :func:`reliance_of`.
    """
    own, others = _by_part(place, arm), _by_part(place, rival)
    alone = [part for part in CHANGED if part != ALL and part in own and part in others]
    if not alone:
        return ""
    means = {part: (own[part].mean(), others[part].mean()) for part in alone}
    most = sorted(alone, key=lambda part: -means[part][1])
    listed = ", ".join(f"{part} {means[part][1]:.2f} ({means[part][0]:.2f})" for part in most)
    paired = {part: (own[part] - others[part]).dropna() for part in alone}
    intervals = {part: mean_interval(values) for part, values in paired.items() if len(values)}
    label, other = f"*{place.label(arm)}*", f"*{place.label(rival)}*"
    return (
        f"**{situation_of(place)}** ({place.name}): changed alone, the parts of the signature move "
        f"the logits of {other} (in brackets: of {label}) by this many SDs on average: {listed}. "
        f"{_compared(label, {part: intervals[part] for part in most if part in intervals})}"
    )


def _compared(label: str, intervals: Mapping[str, Interval]) -> str:
    """On which parts an arm relies less or more than its rival, from differences by part."""
    if all(one.n < FEWEST_SEEDS for one in intervals.values()):
        return f"Of fewer than {FEWEST_SEEDS} pairs of networks there is no interval."
    less = [part for part, one in intervals.items() if one.high < 0]
    more = [part for part, one in intervals.items() if one.low > 0]
    return (
        f"By 95 % intervals over seeds, {label} relies less on {_named(less)} and more on "
        f"{_named(more)}."
    )


def _named(parts: Sequence[str]) -> str:
    return ", ".join(parts) or "none of them"
