"""What the page on shifts says in words and tables: read from rows, sweeps and measurements.

Differences are in points of balanced accuracy. Every function copes with places that have few rows
or none: it leaves them out, or says which command makes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sdlib.errors import DataError
from sdlib.experiments import Run
from sdlib.experiments.profiles import PROFILES
from sdlib.metrics import mean_interval
from sdlib.report.robustness.statistics import POWER, convergence, curves, differences
from sdlib.report.tables import LABELS
from sdlib.report.verdicts import paired, paper_table
from sdlib.results import sharpness
from sdlib.results.place import MAIN_PROFILE, Evidence
from sdlib.results.sharpness import Sharpness
from sdlib.results.sweeps import CLEAN, Sweep
from sdlib.shifts import LEVELS, PAPER_SIZE, blur_width

__all__ = [
    "SharpnessFound",
    "comparison_table",
    "difference_tables",
    "input_size",
    "power_table",
    "read_convergence",
    "read_curves",
    "scale",
    "sharpness_of",
    "sweep_sentence",
]

SETTLED = 0.05  # change of the training loss in the last epoch, as a share
TOO_LITTLE = 0.05  # accuracy above chance that cannot be lost visibly
SHIFTS = tuple(dict.fromkeys(level.shift for level in LEVELS))
_FORMS = {"blur": "n = {:g}", "sharpen": "α = {:g}", "haematoxylin": "× {:g}", "eosin": "× {:g}"}


def sweep_sentence(place: Evidence) -> str:
    """What rows and sweep there are, or which command makes what is missing."""
    if not place.arms or place.sweep.logits:
        return place.sentence
    scale = f"--profile {place.profile} --source {place.source}"
    return (
        f"{place.sentence} They were not swept: `python -m sdlib sweep {place.experiment} {scale}`"
    )


def input_size(place: Evidence) -> int:
    """Side of the tiles that a place's networks see, px.

    >>> input_size(Evidence("robustness", "laptop", "open"))
    96
    """
    return Run(place.experiment, "weight_decay_none", 0, place.profile, place.source).size


def scale(place: Evidence) -> str:
    """Network, tiles, schedule, and what becomes of the shifts' kernels at this input size."""
    profile, size = PROFILES[place.profile], input_size(place)
    widths = {n.strength: blur_width(n.strength, size) for n in LEVELS if n.shift == "blur"}
    idle = [f"{n:g}" for n, width in widths.items() if width <= 1]
    even = [f"{n:g}" for n, width in widths.items() if width % 2 == 0]
    text = (
        f"**{place.name}**: {profile.network}, input {size} x {size} px, {profile.epochs} epochs "
        f"of batches of {profile.batch_size}, augmentation `{profile.augment}` before "
        f"UniformAugment. Blur keeps its share of the side, n x {size} / {PAPER_SIZE}: "
        f"n = {max(widths):g} is {max(widths.values()):.1f} px wide"
    )
    if idle:
        text += f", and below 1 px (n = {', '.join(idle)}) nothing changes"
    if even and size != PAPER_SIZE:
        text += (
            f". A window of an even number of px (n = {', '.join(even)}) has no pixel in its "
            "middle: it is another filter than its neighbours, and curves may have a kink there"
        )
    return (
        f"{text}. The sharpening kernel stays 3 px wide, which is {3 * PAPER_SIZE / size:.1f} px "
        f"at {PAPER_SIZE} px."
    )


def read_curves(sweep: Sweep, arms: Sequence[str]) -> str:
    """Figure 4 read aloud: a line of Markdown a shift; empty without networks.

    For every arm the accuracy at the strongest level of the sweep, mean and SD over seeds, and the
    first level whose mean lies below halfway between that on unshifted tiles and chance.
    """
    table = curves(sweep)
    present = [arm for arm in arms if len(table) and (table["arm"] == arm).any()]
    lines = []
    for shift in SHIFTS if present else ():
        found = []
        for arm in present:
            mine = table[table["arm"] == arm]
            clean = mine.loc[mine["shift"] == CLEAN, "mean"].item()
            found.append(_read_curve(arm, shift, clean, mine[mine["shift"] == shift]))
        strongest = table.loc[table["shift"] == shift, "strength"].iloc[-1]
        lines.append(f"- **{shift}**, {_FORMS[shift].format(strongest)}: {'; '.join(found)}.")
    return "\n".join(lines)


def _read_curve(arm: str, shift: str, clean: float, line: pd.DataFrame) -> str:
    last = line.iloc[-1]
    spread = f"SD {last['sd']:.3f}" if last["n"] > 1 else "one seed"
    text = f"{LABELS[arm]} {last['mean']:.3f} ({spread}), "
    if clean - 0.5 < TOO_LITTLE:
        return f"{text}hardly above chance without a shift"
    below = line[line["mean"] < (clean + 0.5) / 2]
    if not len(below):
        return f"{text}never below halfway to chance"
    return f"{text}below halfway to chance from {_FORMS[shift].format(below['strength'].iloc[0])}"


def read_convergence(place: Evidence) -> str:
    """Had training ended, and did spectral decoupling have anything to act on? In sentences."""
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


def comparison_table(places: Sequence[Evidence], pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """First minus second arm of each pair: unshifted, and the mean over the levels of each shift.

    Returns
    -------
    pandas.DataFrame
        A line a comparison and place; text: paired mean [95 % t interval over seeds], in points.
    """
    lines = {}
    for arm, rival in pairs:
        for place in places:
            table = place.sweep.accuracy()
            if not len(table):
                continue
            means = table.pivot_table("accuracy", ["arm", "seed"], "shift").reset_index()
            cells, n = {}, 0
            for shift in (CLEAN, *SHIFTS):
                values = 100 * paired(means.assign(stale=False), shift, arm, rival)
                n = len(values)
                cells[shift] = _cell(values)
            if n:
                lines[f"{LABELS[arm]}, minus {LABELS[rival]}", place.name] = {"seeds": n, **cells}
    return pd.DataFrame(lines).T


def _cell(values: np.ndarray) -> str:
    if not len(values):
        return "–"
    found = mean_interval(values)
    ends = f" [{found.low:+.1f}, {found.high:+.1f}]" if found.n > 1 else ""
    return f"{found.mean:+.1f}{ends}"


def difference_tables(places: Sequence[Evidence], arm: str, rival: str) -> dict[str, pd.DataFrame]:
    """Differences at every level, by place, of the places with two seeds of both arms."""
    found = {}
    for place in places:
        try:
            found[place.name] = differences(place.sweep, arm, rival)
        except DataError:
            continue
    return found


def power_table(tables: Mapping[str, pd.DataFrame], arm: str, rival: str) -> pd.DataFrame:
    """Where the paper prints a difference of two arms: could ours have seen it?

    Parameters
    ----------
    tables : mapping
        Of :func:`difference_tables`.

    Returns
    -------
    pandas.DataFrame
        A line a place and level; text, in points: paper, ours with its bootstrap interval, the
        smallest effect that the seeds would have found in four of five experiments.
    """
    printed = paper_table("figure4")
    printed = printed[(printed["arm"] == arm) & (printed["rival"] == rival)]
    lines = {}
    for place, table in tables.items():
        for claim in printed.itertuples():
            line = table[table["level"] == claim.level]
            if not len(line):
                continue
            mean, low, high, least = 100 * line.iloc[0][["mean", "low", "high", "detectable"]]
            lines[place, claim.level] = {
                "paper": f"{100 * claim.difference:+.1f}",
                "ours [95 %, seeds and tiles]": f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]",
                f"smallest effect seen with {POWER:.0%} power": f"{least:.1f}",
                "seeds": int(line.iloc[0]["n"]),
            }
    return pd.DataFrame(lines).T


@dataclass(frozen=True)
class SharpnessFound:
    """A measurement of Figure 2 and where it comes from.

    Parameters
    ----------
    sets : dict of str to Sharpness
        By title; empty where nothing was measured.
    pairs : pandas.DataFrame
        As :func:`sdlib.results.sharpness.pairs` gives them.
    place : Evidence or None
        Where it is kept; None if measured just now.
    sentence : str
    """

    sets: dict[str, Sharpness]
    pairs: pd.DataFrame
    place: Evidence | None
    sentence: str


def sharpness_of(source: str, profile: str, figures: str = "recorded") -> SharpnessFound:
    """Figure 2's numbers: recorded, else this machine's, else phantoms measured now, a few.

    With ``figures="this run"`` this machine's come first.
    """
    places = [Evidence("robustness", p, source) for p in dict.fromkeys((profile, MAIN_PROFILE))]
    own = Evidence("robustness", profile, source, "this run")
    for place in (*places, own) if figures == "recorded" else (own, *places):
        key = (place.profile, source, place.origin)
        if sets := sharpness.load(*key):
            count = min(len(one.values) for one in sets.values())
            sentence = f"{place.name}: at least {count} tiles a set."
            return SharpnessFound(sets, sharpness.stored_pairs(*key), place, sentence)
    command = f"python -m sdlib sharpness --profile {MAIN_PROFILE} --source {source}"
    if source != "phantom":
        return SharpnessFound({}, pd.DataFrame(), None, f"{source}: not measured: `{command}`")
    sets = sharpness.measured("smoke", "phantom")
    count = sharpness.PHANTOM_TILES["smoke"]
    sentence = f"phantom: {count} tiles a set, measured by this page; more: `{command}`"
    return SharpnessFound(sets, sharpness.pairs(sets), None, sentence)
