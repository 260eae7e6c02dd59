"""The numbers in the book's tables, each computed from rows and from the paper's own table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from sdlib.experiments import paper_table
from sdlib.experiments.comparisons import Kind
from sdlib.metrics import FEWEST_SEEDS, Interval, mean_interval
from sdlib.report.rule import Verdict
from sdlib.report.verdicts import assess, claims_at
from sdlib.results import Place

__all__ = [
    "claim_sentences",
    "describe",
    "ends_in_points",
    "in_points",
    "interval_table",
    "order_in_words",
    "paper_interval",
    "side_by_side",
    "signed_points",
    "verdict_table",
]


def describe(interval: Interval | None, sign: bool = False, digits: int = 3) -> str:
    """An interval as a cell of a table: mean (SD) [ends], n.

    >>> describe(Interval(3, 0.8, 0.1, 0.552, 1.048)), describe(None)
    ('0.800 (0.100) [0.552, 1.048] n = 3', '–')
    """
    if interval is None:
        return "–"
    form = f"{'+' if sign else ''}.{digits}f"
    if interval.n == 1:
        return f"{interval.mean:{form}}, one seed"
    if interval.n == 2 and not np.isfinite(interval.low):  # no interval: here are the two
        apart = interval.sd / np.sqrt(2)
        low, high = interval.mean - apart, interval.mean + apart
        return f"{low:{form}} and {high:{form}}, two seeds"
    low, high = f"{interval.low:{form}}", f"{interval.high:{form}}"
    return f"{interval.mean:{form}} ({interval.sd:.{digits}f}) [{low}, {high}] n = {interval.n}"


def in_points(values: np.ndarray) -> str:
    """Differences over seeds as a cell of a table, in points: mean (SD) [ends], n.

    Parameters
    ----------
    values : numpy.ndarray
        Fractions, (n,), one per seed; without any the cell is a dash.

    Examples
    --------
    >>> in_points(np.array([0.01, 0.02, 0.03]))
    '+2.0 (1.0) [-0.5, +4.5] n = 3'
    """
    interval = mean_interval(100 * values) if len(values) else None
    return describe(interval, sign=True, digits=1)


def signed_points(fraction: float) -> str:
    """A difference in points with its sign; what is rounded to nothing has none.

    >>> signed_points(0.021), signed_points(-0.0004)
    ('+2.1', '0.0')
    """
    text = f"{100 * fraction:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def ends_in_points(interval: Interval) -> str:
    """A difference in points with its ends in brackets, for a sentence.

    >>> ends_in_points(Interval(3, 0.02, 0.01, -0.005, 0.045))
    '+2.0 (-0.5 to +4.5)'
    """
    mean, low, high = map(signed_points, (interval.mean, interval.low, interval.high))
    return f"{mean} ({low} to {high})"


def order_in_words(interval: Interval) -> str:
    """Where a difference ``arm - rival`` puts the arm, by the ends of its interval.

    >>> order_in_words(Interval(3, 0.02, 0.01, -0.005, 0.045))
    'not clearly apart'
    """
    if interval.low > 0:
        return "ahead"
    return "behind" if interval.high < 0 else "not clearly apart"


def paper_interval(metric: str, arm: str) -> Interval | None:
    """What Table 2 of the paper says, with the t interval that its mean, SD and n imply.

    >>> describe(paper_interval("recall", "control"))
    '0.832 (0.036) [0.787, 0.877] n = 5'
    """
    table = paper_table("table2")
    found = table[(table["metric"] == metric) & (table["arm"] == arm)]
    if not len(found):
        return None
    mean, sd, n = found.iloc[0][["mean", "sd", "n"]]
    half = sd / np.sqrt(n) * stats.t.ppf(0.975, n - 1)
    return Interval(int(n), float(mean), float(sd), float(mean - half), float(mean + half))


def side_by_side(columns: Sequence[Place], metrics: Mapping[str, str]) -> pd.DataFrame:
    """Paper | recorded | this run, one line per arm and metric; places without rows left out.

    Parameters
    ----------
    columns : sequence of Place
        Of one experiment, as :func:`sdlib.results.columns` gives them.
    metrics : mapping of str to str
        Names in rows to names in the paper's table, such as ``{"test.recall": "recall"}``.

    Returns
    -------
    pandas.DataFrame
        Cells as :func:`describe` writes them.
    """
    places = [place for place in columns if place.arms]
    printed = columns[0].definition.printed == "table2"
    lines = {}
    for arm in columns[0].definition.arms:
        for metric, name in metrics.items():
            cells = {"paper": paper_interval(name, arm.name) if printed else None}
            for place in places:
                cells[place.name] = place.interval(metric, arm.name)
            if any(cells.values()):
                texts = {heading: describe(interval) for heading, interval in cells.items()}
                lines[arm.label, name] = texts
    return pd.DataFrame(lines).T


def interval_table(place: Place, metrics: Mapping[str, str]) -> pd.DataFrame:
    """Every arm with rows against metrics, in words as :func:`describe` writes them.

    Parameters
    ----------
    place : Place
    metrics : mapping of str to str
        Names in rows to headings.
    """
    lines = {}
    for arm in place.arms:
        cells = {head: place.interval(metric, arm) for metric, head in metrics.items()}
        lines[place.label(arm)] = {head: describe(interval) for head, interval in cells.items()}
    return pd.DataFrame(lines).T


def _points(part: NamedTuple) -> str:
    """Mean and interval in points; with a sign where it is a difference."""
    sign = "" if part.kind in (Kind.LEVEL, Kind.APART) else "+"
    ends = (f"{100 * value:{sign}.1f}" for value in (part.low, part.high))
    return f"{100 * part.mean:{sign}.1f} ({' to '.join(ends)})"


def verdict_table(columns: Sequence[Place], *claims: str) -> pd.DataFrame:
    """Every part of every claim (or of some): the paper's number, then what each place has.

    Differences of accuracies in points; for *level* the accuracy itself, for *apart* the distance
    of an AUROC from .5, in hundredths. Places without rows are left out, and so are parts that
    were not attempted at any of the others; see :mod:`sdlib.report.rule` for the rule behind a
    verdict.
    """
    table: dict[tuple[str, str], dict[str, str]] = {}
    attempted = set()
    for place in (column for column in columns if column.arms):
        for part in assess(place, *claims).itertuples():
            expected = "premise" if part.premise else str(part.kind)
            line = table.setdefault((part.reading, part.part), {"expected": expected})
            sign = "" if part.kind == Kind.LEVEL else "+"
            line["paper"] = "–" if np.isnan(part.paper) else f"{100 * part.paper:{sign}.1f}"
            if part.kind == Kind.GAIN and part.paper == 0:  # the paper says only that there is one
                line["paper"] = "> 0"
            found = f"{_points(part)} n = {part.n}, " if part.n >= FEWEST_SEEDS else ""
            line[place.name] = f"{found}{part.verdict}"
            if part.verdict != Verdict.NOT_ATTEMPTED:
                attempted.add((part.reading, part.part))
    lines = {name: line for name, line in table.items() if name in attempted}
    return pd.DataFrame(lines).T.fillna("–")


def claim_sentences(place: Place, *claims: str) -> str:
    """Verdicts on claims with their parts, one paragraph of Markdown per claim and reading."""
    parts, verdicts = assess(place, *claims), claims_at(place, *claims)
    paragraphs = []
    for claim in claims:
        readings = parts.loc[parts["claim"] == claim, "reading"].unique()
        for reading in readings if len(readings) else [claim]:
            verdict = verdicts.get(reading, Verdict.NOT_ATTEMPTED)
            judged = parts[(parts["reading"] == reading) & (parts["n"] >= FEWEST_SEEDS)]
            found = [f"{part.part} {_points(part)}, {part.verdict}" for part in judged.itertuples()]
            body = f". In points: {'; '.join(found)}." if found else ": too few rows."
            paragraphs.append(f"**{reading}: {verdict}** ({place.name}){body}")
    return "\n\n".join(paragraphs)
