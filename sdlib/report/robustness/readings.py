"""Sentences and tables that read rows, sweeps and measured sharpness for the page on shifts.

Differences are in points of balanced accuracy. Places may have few rows or none: every function
leaves them out, or says which command makes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sdlib import results
from sdlib.errors import DataError
from sdlib.experiments import paper_table
from sdlib.experiments.measurements import SHARPNESS
from sdlib.experiments.profiles import scale_options
from sdlib.metrics import FEWEST_SEEDS
from sdlib.report.robustness.statistics import convergence, curves, differences
from sdlib.results import MAIN_PROFILE, RECORDED, THIS_RUN, Place
from sdlib.results.sharpness import Sharpness, pairs
from sdlib.results.sweeps import BY_NAME, CLEAN
from sdlib.shifts import LEVELS

__all__ = [
    "SharpnessFound",
    "curve_table",
    "difference_tables",
    "gain_panels",
    "level_text",
    "power_table",
    "read_convergence",
    "read_curves",
    "sharpness_of",
    "shift_title",
    "sweep_sentence",
]

POWER = 0.8  # the default of :func:`sdlib.metrics.smallest_effect`
SETTLED = 0.05  # change of the training loss in the last epoch, as a share
TOO_LITTLE = 0.05  # accuracy above chance that cannot be lost visibly
SHIFTS = tuple(dict.fromkeys(level.shift for level in LEVELS))
_FORMS = {"blur": "n = {:g}", "sharpen": "α = {:g}", "haematoxylin": "× {:g}", "eosin": "× {:g}"}


def sweep_sentence(place: Place) -> str:
    """Say which rows a place has, or which command makes the rows or the sweep that it lacks."""
    if not place.arms or place.sweep.logits:
        return results.sentence(place)
    options = scale_options(place.profile, place.source)
    command = f"python -m sdlib measure {place.experiment}/sweep {options}"
    return f"{results.sentence(place)} They were not swept: `{command}`"


def curve_table(place: Place, arms: Sequence[str]) -> pd.DataFrame:
    """Figure 4 in one small table: accuracy at the strongest level of every shift.

    Parameters
    ----------
    place : Place
    arms : sequence of str
        Names of arms; arms without networks are left out.

    Returns
    -------
    pandas.DataFrame
        Text with two decimals: means over seeds. One line for unshifted tiles and one per shift
        that was swept, one column per arm; empty without networks.
    """
    table = curves(place.sweep)
    lines: dict[str, dict[str, str]] = {}
    for arm in (arm for arm in arms if len(table) and (table["arm"] == arm).any()):
        mine, label = table[table["arm"] == arm], place.label(arm)
        for shift in (CLEAN, *_swept(table)):
            last = mine[mine["shift"] == shift].iloc[-1]
            lines.setdefault(level_text(last["level"]), {})[label] = f"{last['mean']:.2f}"
    return pd.DataFrame(lines).T


def _swept(table: pd.DataFrame) -> list[str]:
    """The shifts that a table of curves has: an experiment may sweep some of them only."""
    return [shift for shift in SHIFTS if (table["shift"] == shift).any()]


def shift_title(shift: str) -> str:
    """What tables, panels and sentences call a shift, or the unshifted tiles of a sweep.

    >>> shift_title("blur"), shift_title("clean")
    ('blur', 'no shift')
    """
    return "no shift" if shift == CLEAN else shift


def level_text(name: str) -> str:
    """A level of shift in words.

    >>> level_text("blur-19"), level_text("eosin-0.0"), level_text("clean")
    ('blur, n = 19', 'eosin, × 0', 'no shift')
    """
    if name == CLEAN:
        return shift_title(name)
    level = BY_NAME[name]
    return f"{level.shift}, {_FORMS[level.shift].format(level.strength)}"


def read_curves(place: Place, arms: Sequence[str]) -> str:
    """Read Figure 4 aloud: one line of Markdown per shift that was swept; empty without networks.

    A line gives two things for every arm: the accuracy at the strongest level of the sweep (mean
    and SD over seeds), and the first level whose mean is closer to chance than to the accuracy on
    unshifted tiles.

    Parameters
    ----------
    place : Place
    arms : sequence of str
        Names of arms; arms without networks are left out.
    """
    table = curves(place.sweep)
    present = [arm for arm in arms if len(table) and (table["arm"] == arm).any()]
    lines = []
    for shift in _swept(table) if present else ():
        found = []
        for arm in present:
            mine = table[table["arm"] == arm]
            clean = mine.loc[mine["shift"] == CLEAN, "mean"].item()
            line = mine[mine["shift"] == shift]
            found.append(f"{place.label(arm)} {_read_curve(shift, clean, line)}")
        strongest = table.loc[table["shift"] == shift, "strength"].iloc[-1]
        lines.append(f"- **{shift}**, {_FORMS[shift].format(strongest)}: {'; '.join(found)}.")
    return "\n".join(lines)


def _read_curve(shift: str, clean: float, line: pd.DataFrame) -> str:
    last = line.iloc[-1]
    spread = f"SD {last['sd']:.3f}" if last["n"] > 1 else "one seed"
    text = f"{last['mean']:.3f} ({spread}), "
    if clean - 0.5 < TOO_LITTLE:
        return f"{text}hardly above chance without a shift"
    below = line[line["mean"] < (clean + 0.5) / 2]
    if not len(below):
        return f"{text}never below halfway to chance"
    return f"{text}below halfway to chance from {_FORMS[shift].format(below['strength'].iloc[0])}"


def read_convergence(place: Place) -> str:
    """Say whether training had ended, and how near margins came to the cap of the penalty."""
    table = convergence(place).dropna(subset=["before"]) if place.arms else pd.DataFrame()
    if not len(table):
        return ""
    change = table["last loss"] / table["before"] - 1
    moving = int((change.abs() > SETTLED).sum())
    text = (
        f"In the last epoch the training loss changed by {change.min():+.1%} to "
        f"{change.max():+.1%}, by more than {SETTLED:.0%} in {moving} of {len(table)} arms."
    )
    penalised = table["cap"].notna()
    capped, free = table[penalised], table[~penalised]
    if len(capped):
        share = _span(capped["margin"] / capped["cap"])
        text += f" Arms with spectral decoupling have mean margins of {share} of their cap."
    if len(free):
        text += (
            f" Without it {_span(free['above'])} of validation tiles lie beyond the cap that the "
            "paper's λ would set: those are the ones that the penalty would hold back."
        )
    return text


def _span(shares: pd.Series) -> str:
    low, high = f"{shares.min():.0%}", f"{shares.max():.0%}"
    return low if low == high else f"{low} to {high}"


def gain_panels(
    places: Sequence[Place], arm: str, rival: str
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, float]]:
    """The differences of two arms that the paper prints, and ours at the same levels.

    Parameters
    ----------
    places : sequence of Place
        Of ``robustness``; those without a sweep are left out.
    arm, rival : str
        ``arm - rival``.

    Returns
    -------
    panels : dict of str to dict of str to numpy.ndarray
        By name of the place and by level in words: fractions, one per seed.
    paper : dict of str to float
        By level in words.
    """
    printed = paper_table("figure4")
    printed = printed[(printed["arm"] == arm) & (printed["rival"] == rival)]
    paper = {level_text(line.level): line.difference for line in printed.itertuples()}
    panels = {}
    for place in places:
        found = {level_text(name): place.paired(name, arm, rival) for name in printed["level"]}
        panels[place.name] = {name: values for name, values in found.items() if len(values)}
    return panels, paper


def difference_tables(places: Sequence[Place], arm: str, rival: str) -> dict[str, pd.DataFrame]:
    """Differences of two arms at every level, for each place with at least two seeds of both.

    Returns
    -------
    dict of str to pandas.DataFrame
        What :func:`sdlib.report.robustness.statistics.differences` returns, by name of the place.
    """
    found = {}
    for place in places:
        try:
            found[place.name] = differences(place.sweep, arm, rival)
        except DataError:
            continue
    return found


def power_table(tables: Mapping[str, pd.DataFrame], arm: str, rival: str) -> pd.DataFrame:
    """The paper's differences of two arms beside the smallest effect that our seeds could find.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        What :func:`difference_tables` returns.
    arm, rival : str
        The tables hold ``arm - rival``.

    Returns
    -------
    pandas.DataFrame
        Text, in points. One line per place and level for which the paper prints a difference: the
        paper's, ours with its interval over seeds and tiles, the smallest effect that our number of
        seeds finds in four of five experiments, and that number.
    """
    printed = paper_table("figure4")
    printed = printed[(printed["arm"] == arm) & (printed["rival"] == rival)]
    lines = {}
    for place, table in tables.items():
        for claim in printed.itertuples():
            line = table[table["level"] == claim.level]
            if not len(line):
                continue
            found = line.iloc[0]
            mean, low, high, least = 100 * found[["mean", "low", "high", "detectable"]]
            ours = f"{mean:+.1f}, no interval"
            seen = "at chance" if np.isnan(least) else f"{least:.1f}"
            if found["n"] >= FEWEST_SEEDS:
                ours = f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"
            else:
                seen = "–"
            lines[place, claim.level] = {
                "paper": f"{100 * claim.difference:+.1f}",
                "ours [95 %, seeds and tiles]": ours,
                f"smallest effect seen with {POWER:.0%} power": seen,
                "seeds": int(found["n"]),
            }
    return pd.DataFrame(lines).T


@dataclass(frozen=True)
class SharpnessFound:
    """The sharpness of sets of tiles (Figure 2), and where it was measured.

    Parameters
    ----------
    sets : dict of str to Sharpness
        By title; empty where nothing was measured.
    pairs : pandas.DataFrame
        What :func:`sdlib.results.sharpness.pairs` returns.
    place : Place or None
        Where the measurement is kept; None if it was made just now.
    sentence : str
        Where it comes from and how many tiles it has, or which command makes it.
    """

    sets: dict[str, Sharpness]
    pairs: pd.DataFrame
    place: Place | None
    sentence: str


def sharpness_of(source: str, profile: str, figures: str = RECORDED) -> SharpnessFound:
    """Find the numbers behind Figure 2.

    Recorded numbers come first, then those of this machine; with ``figures="this run"`` it is the
    other way round. If there are neither, a few phantom tiles are measured now.

    Parameters
    ----------
    source, profile : str
        As in :class:`sdlib.results.Place`.
    figures : str
        ``recorded`` or ``this run``.
    """
    recorded = [Place("robustness", p, source) for p in dict.fromkeys((profile, MAIN_PROFILE))]
    own = Place("robustness", profile, source, THIS_RUN)
    order = [*recorded, own] if figures == RECORDED else [own, *recorded]
    for place in order:
        if place.sharpness:
            count = min(len(one.values) for one in place.sharpness.values())
            sentence = f"{place.name}: at least {count} tiles per set."
            return SharpnessFound(place.sharpness, place.sharpness_pairs, place, sentence)
    options = scale_options(MAIN_PROFILE, source)
    command = f"python -m sdlib measure robustness/{SHARPNESS.name} {options}"
    if source != "phantom":
        return SharpnessFound({}, pairs({}), None, f"{source}: not measured: `{command}`")
    from sdlib.training import sharpness  # measures, which reading does without

    sets = sharpness.measured("smoke", "phantom")
    count = sharpness.PHANTOM_TILES["smoke"]
    sentence = f"phantom: {count} tiles per set, measured by this page; more: `{command}`"
    return SharpnessFound(sets, pairs(sets), None, sentence)
