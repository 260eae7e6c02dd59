"""The tables of the page on your own images, as headings and rows of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from sdlib.datasets.folder_source import SHARES
from sdlib.datasets.manifest import SPLITS
from sdlib.metrics import Interval, balanced_accuracy
from sdlib.report.own_data.findings import ALL_LEVELS, BOTH, METRICS, NONE, ONE, Findings
from sdlib.report.own_data.paired import Paired
from sdlib.report.own_data.verdict import decimal, points
from sdlib.report.tables import signed_points

__all__ = [
    "MOST_VALUES",
    "Table",
    "column_tables",
    "cutoff_table",
    "image_table",
    "metric_table",
    "part_table",
    "penalty_table",
    "search_table",
    "shift_table",
    "split_sentence",
]

MOST_VALUES = 8  # of a column that images are grouped by
FEWEST_IMAGES = 3  # images of each class, of which an accuracy is given
SHOWN_IMAGES = 10
NONE_HERE = "–"
LOWER_IS_BETTER = ("brier", "calibration_error")


@dataclass(frozen=True)
class Table:
    """A table as text.

    Parameters
    ----------
    headings : tuple of str
        Of the columns; the first column names the rows.
    rows : list of tuple of str
        As long as the headings.
    """

    headings: tuple[str, ...]
    rows: list[tuple[str, ...]]


def _mean(found: Interval) -> str:
    spread = f" ({found.sd:.3f})" if np.isfinite(found.sd) else ""
    return f"{found.mean:.3f}{spread}"


def _compared(found: Findings, first: str, lines: Sequence[tuple[str, Paired]]) -> Table:
    """One line per measure: the difference, which a phone shows first, then rival and method."""
    place = found.place
    headings = (first, "SD minus weight decay", place.label(found.rival), place.label(found.arm))
    rows = [(name, points(one), _mean(one.rival), _mean(one.own)) for name, one in lines]
    return Table(headings, rows)


def metric_table(found: Findings) -> Table:
    """All measures on the test images, paired."""
    lines = []
    for name, one in found.metrics.items():
        label = METRICS[name]
        lines.append((f"{label} (lower is better)" if name in LOWER_IS_BETTER else label, one))
    return _compared(found, "on test images", lines)


def cutoff_table(found: Findings) -> Table:
    """Balanced accuracy by where the cut-offs come from."""
    names = {
        NONE: "both at .5",
        BOTH: "both tuned on validation",
        ONE: "weight decay tuned, SD at .5",
    }
    lines = [(names[key], found.cutoffs[key]) for key in names]
    return _compared(found, "cut-offs", lines)


def shift_table(found: Findings) -> Table:
    """Balanced accuracy on unshifted images, over the levels of each shift, and over all."""
    names = {"clean": "unshifted (the price)", ALL_LEVELS: "all levels of shift"}
    lines = [(names.get(shift, shift), one) for shift, one in found.shifts.items()]
    return _compared(found, "test images", lines)


def penalty_table(found: Findings) -> Table:
    """Margins of both arms beside the cap."""
    headings = ("", "median margin", "beyond the cap")
    rows = [
        (
            found.place.label(arm),
            f"{found.penalty.medians[arm]:.2f}",
            f"{found.penalty.beyond[arm]:.0%}",
        )
        for arm in (found.rival, found.arm)
    ]
    return Table(headings, rows)


def part_table(found: Findings) -> Table:
    """Images and patients of the folder by part and class."""
    table, names = found.data.table, found.data.classes.names
    rows = []
    for part in SPLITS:
        chosen = table[table["split"] == part]
        images = [str(int((chosen["label"] == target).sum())) for target in (0, 1)]
        rows.append((part, *images, str(chosen["group"].nunique())))
    return Table(("part", *names, "patients (groups)"), rows)


def split_sentence(found: Findings, written: bool) -> str:
    """How images were split.

    Parameters
    ----------
    found : Findings
    written : bool
        Whether the manifest has a column ``split``.
    """
    if written:
        return "The split is the manifest's own."
    shares = " : ".join(f"{100 * share:.0f}" for share in SHARES.values())
    return (
        f"The manifest has no column split, so patients were dealt {shares} into training, "
        "validation and test, with the same share of each class; no patient is in two parts."
    )


def search_table(found: Findings) -> Table | None:
    """The trials of both searches, best first; None where nothing was searched."""
    trials = found.place.trials
    families = [found.place.definition.arm(name).search for name in (found.rival, found.arm)]
    if None in families:
        return None
    rows = []
    for family in families:
        (name,) = found.place.definition.space(family).names
        mine = trials[trials["family"] == family].sort_values("value", ascending=False)
        for trial in mine.itertuples():
            value = decimal(getattr(trial, name))
            chosen = "chosen" if trial.best else ""
            rows.append((family.replace("_", " "), value, f"{trial.value:.3f}", chosen))
    return Table(("search", "value", "validation AUROC", ""), rows)


def column_tables(found: Findings) -> dict[str, Table]:
    """Balanced accuracy on the test images by centre, scanner or the like.

    Returns
    -------
    dict of str to Table
        By column of the manifest that has two to eight values among the test images, and images of
        both classes for one of them.
    """
    tables = {}
    for column, values in found.test.factors.items():
        if column in ("file", "split"):
            continue
        names = pd.unique(pd.Series(values))
        if 2 <= len(names) <= MOST_VALUES:
            tables[column] = _by_value(found, column, values, sorted(names))
    # A finding that is the label in other words has no value with images of both classes.
    return {
        name: one for name, one in tables.items() if any(row[-1] != NONE_HERE for row in one.rows)
    }


def _by_value(found: Findings, column: str, values: np.ndarray, names: list[str]) -> Table:
    place = found.place
    headings = (column, "images", place.label(found.rival), place.label(found.arm), "difference")
    rows = []
    for name in names:
        chosen = values == name
        images = np.bincount(found.test.targets[chosen], minlength=2)
        cells = [NONE_HERE] * 3
        if images.min() >= FEWEST_IMAGES:
            rival, own = (_accuracy_in(found, arm, chosen) for arm in (found.rival, found.arm))
            cells = [f"{rival:.3f}", f"{own:.3f}", signed_points(own - rival)]
        rows.append((name or "(empty)", f"{images[0]} + {images[1]}", *cells))
    return Table(headings, rows)


def _accuracy_in(found: Findings, arm: str, chosen: np.ndarray) -> float:
    logits = found.place.logits(arm, "test")
    targets = found.test.targets[chosen]
    scores = [expit(logits[seed][chosen].astype(np.float64)) for seed in found.seeds]
    return float(np.mean([balanced_accuracy(targets, one) for one in scores]))


def image_table(found: Findings) -> Table:
    """The test images on which the two methods differ most, by their mean probabilities."""
    means = {}
    for arm in (found.rival, found.arm):
        logits = found.place.logits(arm, "test")
        scores = [expit(logits[seed].astype(np.float64)) for seed in found.seeds]
        means[arm] = np.mean(scores, axis=0)
    apart = means[found.arm] - means[found.rival]
    positive = found.data.classes.names[1]
    labels = [f"probability of {positive}, {found.place.label(arm)}" for arm in means]
    rows = []
    for row in np.argsort(-np.abs(apart), kind="stable")[:SHOWN_IMAGES]:
        label = found.data.classes.names[found.test.targets[row]]
        scores = [f"{means[arm][row]:.2f}" for arm in means]
        rows.append((found.test.factors["file"][row], found.test.groups[row], label, *scores))
    return Table(("file", "patient (group)", "label", *labels), rows)
