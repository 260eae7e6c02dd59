"""The numbers in the book's tables, each computed from rows and from the paper's own table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from sdlib.errors import ConfigError
from sdlib.experiments.arms import CUTOUT, ROBUSTNESS, SENSITIVITY
from sdlib.metrics import Interval
from sdlib.report.verdicts import assess, paper_table, report
from sdlib.results.place import Evidence

__all__ = [
    "LABELS",
    "claim_sentences",
    "describe",
    "interval_table",
    "paper_interval",
    "reliability",
    "sensitivity_map",
    "side_by_side",
    "verdict_table",
]

LABELS = {arm.name: arm.label for arm in (*CUTOUT, *ROBUSTNESS)}


def describe(interval: Interval | None, sign: bool = False, digits: int = 3) -> str:
    """An interval as a cell of a table: mean (SD) [ends], n.

    >>> describe(Interval(3, 0.8, 0.1, 0.552, 1.048)), describe(None)
    ('0.800 (0.100) [0.552, 1.048] n = 3', '–')
    """
    if interval is None:
        return "–"
    form = f"{'+' if sign else ''}.{digits}f"
    if interval.n < 2:
        return f"{interval.mean:{form}}, one seed"
    low, high = f"{interval.low:{form}}", f"{interval.high:{form}}"
    return f"{interval.mean:{form}} ({interval.sd:.{digits}f}) [{low}, {high}] n = {interval.n}"


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


def side_by_side(columns: Sequence[Evidence], metrics: Mapping[str, str]) -> pd.DataFrame:
    """Paper | recorded | this run, a line for each arm and metric; places without rows left out.

    Parameters
    ----------
    columns : sequence of Evidence
        As :func:`sdlib.results.place.columns` gives them.
    metrics : mapping of str to str
        Names in rows to names in the paper's table, such as ``{"test.recall": "recall"}``.

    Returns
    -------
    pandas.DataFrame
        Cells as :func:`describe` writes them.
    """
    columns = [column for column in columns if column.arms]
    lines = {}
    for arm, label in LABELS.items():
        for metric, name in metrics.items():
            cells = {"paper": paper_interval(name, arm)}
            cells |= {column.name: column.interval(metric, arm) for column in columns}
            if any(cells.values()):
                lines[label, name] = {k: describe(cell) for k, cell in cells.items()}
    return pd.DataFrame(lines).T


def interval_table(evidence: Evidence, metrics: Mapping[str, str]) -> pd.DataFrame:
    """Every arm with rows against metrics (name in rows to heading), as :func:`describe` writes."""
    lines = {
        LABELS[arm]: {
            heading: describe(evidence.interval(metric, arm)) for metric, heading in metrics.items()
        }
        for arm in evidence.arms
    }
    return pd.DataFrame(lines).T


def _points(part: NamedTuple) -> str:
    """Mean and interval in points; with a sign where it is a difference."""
    sign = "" if part.kind in ("level", "apart") else "+"
    ends = (f"{100 * value:{sign}.1f}" for value in (part.low, part.high))
    return f"{100 * part.mean:{sign}.1f} ({' to '.join(ends)})"


def verdict_table(columns: Sequence[Evidence], *claims: str) -> pd.DataFrame:
    """Every part of every claim (or of some): the paper's number, then what each place has.

    Differences of accuracies in points; for *level* the accuracy itself, for *apart* the distance
    of an AUROC from .5, in hundredths. Places without rows are left out; see
    :mod:`sdlib.report.verdicts` for the rule behind a verdict.
    """
    table = {}
    for place in (column for column in columns if column.arms):
        for part in assess(place.profile, place.source, place.origin).itertuples():
            if claims and part.claim not in claims:
                continue
            line = table.setdefault((part.claim, part.part), {"expected": part.kind})
            sign = "" if part.kind == "level" else "+"
            line["paper"] = "–" if np.isnan(part.paper) else f"{100 * part.paper:{sign}.1f}"
            found = f"{_points(part)} n = {part.n}, " if part.n > 1 else ""
            line[place.name] = found + part.verdict
    return pd.DataFrame(table).T.fillna("–")


def claim_sentences(place: Evidence, *claims: str) -> str:
    """Verdicts on claims with their parts, a paragraph of Markdown each."""
    table = report(place.profile, place.source, place.origin).set_index("id")
    parts = assess(place.profile, place.source, place.origin)
    paragraphs = []
    for claim in claims:
        head = f"**{claim}: {table.loc[claim, 'verdict']}** ({place.name})"
        judged = parts[(parts["claim"] == claim) & (parts["n"] > 1)]
        found = [f"{part.part} {_points(part)}, {part.verdict}" for part in judged.itertuples()]
        body = f". In points: {'; '.join(found)}." if found else ": too few rows."
        paragraphs.append(head + body)
    return "\n\n".join(paragraphs)


def reliability(
    targets: np.ndarray, scores: np.ndarray, n_bins: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """Mean score and share of cancer in equally filled bins, float64 (n_bins,) each.

    The bins are those of :func:`sdlib.metrics.expected_calibration_error`.

    >>> reliability([0, 1, 1, 1], [0.2, 0.4, 0.6, 0.8], n_bins=2)
    (array([0.3, 0.7]), array([0.5, 1. ]))
    """
    targets, scores = np.asarray(targets), np.asarray(scores, np.float64)
    if targets.shape != scores.shape or targets.ndim != 1 or not len(targets):
        raise ConfigError(
            f"expected targets and scores of one shape (n,), got {targets.shape}, {scores.shape}"
        )
    bins = np.array_split(np.argsort(scores, kind="stable"), min(n_bins, len(scores)))
    mean_score = np.array([scores[one].mean() for one in bins])
    return mean_score, np.array([targets[one].mean() for one in bins])


def sensitivity_map(
    around: Evidence, kind: str, metric: str = "test.accuracy", centre: str = "sd_eq2_test_tuned"
) -> tuple[np.ndarray, np.ndarray, int]:
    """Mean change and its SD over seeds, one step around the tuned point of Eq. 2.

    Parameters
    ----------
    around : Evidence
        Of ``cutout_sensitivity``; the centre's rows are of ``cutout`` at the same place.
    kind : str
        ``lam`` or ``gamma``: which pair of values is stepped.

    Returns
    -------
    mean, sd : numpy.ndarray
        float64 (3, 3): rows are steps -1, 0, +1 of the benign class's value, columns of the
        cancerous class's; paired with the centre, whose entry is 0. NaN where there are no rows.
    n : int
        The smallest number of seeds of an entry; 0 where one is missing.
    """
    mean, sd, counts = np.full((3, 3), np.nan), np.full((3, 3), np.nan), []
    mean[1, 1] = sd[1, 1] = 0.0
    rows, middle = around.rows, around.of("cutout").rows
    if len(rows) and len(middle):
        middle = middle[middle["arm"] == centre].set_index("seed")[metric]
    for arm in SENSITIVITY:
        name, neg, pos = arm.name.split("_")
        if name != kind:
            continue
        mine = rows[rows["arm"] == arm.name].set_index("seed")[metric] if len(rows) else rows
        change = (mine - middle).dropna().to_numpy(np.float64) if len(mine) else np.empty(0)
        counts.append(len(change))
        if len(change):
            place = int(neg) + 1, int(pos) + 1
            mean[place] = change.mean()
            sd[place] = change.std(ddof=1) if len(change) > 1 else np.nan
    return mean, sd, min(counts, default=0)
