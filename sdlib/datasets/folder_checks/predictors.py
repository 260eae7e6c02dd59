"""Checks whether a column alone predicts the label, as a scanner does that saw the sick alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from sdlib.datasets.folder_checks.columns import (
    file_columns,
    is_source,
    is_testable,
    manifest_columns,
)
from sdlib.datasets.folder_checks.findings import Finding, Grade
from sdlib.datasets.folder_checks.readings import Readings
from sdlib.datasets.manifest import ManifestDataset
from sdlib.metrics import auroc, category_auroc, holm

__all__ = ["LEVEL", "PREDICTS", "TELLS", "Prediction", "check_predictors", "predict_label"]

PREDICTS = 0.9
"""From this AUROC of a source alone, no result on the images says how good a network is."""
TELLS = 0.6
"""From this AUROC of a source alone, a part of any result may be the source's."""
LEVEL = 0.05
"""Of the test of what a column tells, over all columns that are tested together."""
DEALS = 999  # of the values to groups at random: the smallest p is .001
FOLDS = 5
FEW_VALUES = 5  # images per value, at least, where a complete separation is worth a warning


@dataclass(frozen=True)
class Prediction:
    """What a column tells of the label.

    Parameters
    ----------
    auroc : float
        AUROC of the share of positive images of each value. Where there are enough groups, shares
        come from other groups than those that are predicted.
    by_new_groups : bool
        Whether that is so; if not, it is the best of any rule in these very images, at least .5.
    p : float
        Share of random deals of the values to groups in which the column tells at least as much.
    mixed : float
        Share of images whose value has both labels.
    """

    auroc: float
    by_new_groups: bool
    p: float
    mixed: float

    def sentence(self, name: str, p: float) -> str:
        """What a column tells, without a full stop.

        Parameters
        ----------
        name : str
            The column.
        p : float
            ``self.p``, or what a correction for several columns makes of it.

        Examples
        --------
        >>> Prediction(0.9, False, 0.01, 0.0).sentence("scanner", 0.02).partition(" with ")[2]
        'an AUROC of 0.90 in these very images (p 0.020 by dealing it to groups at random)'
        """
        how = "for groups that are new" if self.by_new_groups else "in these very images"
        return (
            f"The {name} alone predicts the label with an AUROC of {self.auroc:.2f} {how} "
            f"(p {p:.3f} by dealing it to groups at random)"
        )


@dataclass(frozen=True)
class Column:
    """A column to be tested: its values by row, and whether it is a source; None of files."""

    name: str
    values: pd.Series
    source: bool | None


def predict_label(
    targets: np.ndarray,
    groups: np.ndarray,
    values: np.ndarray,
    folds: list[tuple[np.ndarray, np.ndarray]] | None = None,
    seed: int = 0,
) -> Prediction:
    """Measure what a column tells of the label.

    Parameters
    ----------
    targets : numpy.ndarray
        0 or 1, shape (n,), both there.
    groups, values : numpy.ndarray
        Text or numbers, shape (n,): groups, and the column's values.
    folds : list, optional
        As :func:`group_folds` makes them, where it is called for many columns.
    seed : int
        Of the deals.

    Returns
    -------
    Prediction
        The AUROC, and whether it is more than chance: a column of many values tells much by
        chance, in random deals, too.

    Examples
    --------
    >>> targets = np.arange(60) % 2
    >>> found = predict_label(targets, np.arange(60), np.where(targets, "A", "B"))
    >>> found.auroc, found.by_new_groups, found.p, found.mixed
    (1.0, True, 0.001, 0.0)
    """
    if folds is None:
        folds = group_folds(targets, groups)
    _, number = np.unique(values, return_inverse=True)
    positive, negative = np.bincount(number, targets), np.bincount(number, 1 - targets)
    mixed = float((positive + negative)[(positive > 0) & (negative > 0)].sum() / len(targets))
    found = category_auroc(negative, positive)
    dealt = _deals(targets, groups, number, np.random.default_rng(seed))
    # Rounding must not make equal deals look worse.
    p = float((1 + np.count_nonzero(dealt >= found - 1e-12)) / (1 + DEALS))
    if not folds:
        return Prediction(float(found), False, p, mixed)
    return Prediction(_cross_validated(targets, number, folds), True, p, mixed)


def group_folds(targets: np.ndarray, groups: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to learn from and rows to predict, five times; none where groups are too few.

    Parameters
    ----------
    targets, groups : numpy.ndarray
        Shape (n,).

    Examples
    --------
    >>> len(group_folds(np.arange(60) % 2, np.arange(60))), group_folds(np.arange(4) % 2, "abcd")
    (5, [])
    """
    groups = np.asarray(list(groups))
    fewest = min(len(set(groups[targets == target])) for target in (0, 1))
    if fewest < FOLDS:
        return []
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    return list(folds.split(targets, targets, groups))


def check_predictors(data: ManifestDataset, readings: Readings) -> list[Finding]:
    """Name every column that tells more of the label than chance, with its AUROC.

    Columns of the manifest are tested, and what the files are like: format, size, shape, grey or
    colour. A column that is named like a source (scanner, centre, vendor) and predicts the label
    must be mended; any other may be the diagnosis by another name.

    Parameters
    ----------
    data : ManifestDataset
        The folder.
    readings : Readings
        Of its images.

    Returns
    -------
    list of Finding
        One for each column that tells something, one for all others, and one for each reason
        why columns were not tested.
    """
    tested: list[Column] = []
    left_out: dict[str, list[str]] = {}  # names of columns by the reason
    for column in _columns(data, readings):
        reason = _why_not(column.values, data.table.loc[column.values.index])
        if reason:
            left_out.setdefault(reason, []).append(column.name)
        else:
            tested.append(column)
    found = _predict_all(data, tested)
    adjusted = holm([prediction.p for prediction in found])
    findings, silent = [], []
    for column, prediction, p in zip(tested, found, adjusted, strict=True):
        finding = _finding(column, prediction, p)
        if finding is None:
            silent.append(f"{column.name} ({prediction.auroc:.2f})")
        else:
            findings.append(finding)
    if silent:
        sentence = (
            f"These tell no more of the label than chance, or little (AUROC below {TELLS}): "
            f"{', '.join(silent)}."
        )
        findings.append(Finding(Grade.FINE, "sources", sentence))
    for reason, names in left_out.items():
        sentence = f"Not tested, because {reason}: {', '.join(names)}."
        findings.append(Finding(Grade.FINE, "sources", sentence))
    if not any(map(is_source, data.table.columns)):
        sentence = (
            "No column tells the scanner or the centre: if the images come from several, add one, "
            "for a network can tell them apart."
        )
        findings.append(Finding(Grade.LOOK, "sources", sentence))
    return findings


def _columns(data: ManifestDataset, readings: Readings) -> Iterator[Column]:
    """All columns that may tell something of the label."""
    for name, values in manifest_columns(data):
        yield Column(f"column {name or 'without a name'}", values, is_source(name))
    for name, values in file_columns(readings):
        yield Column(name, values, None)


def _why_not(values: pd.Series, table: pd.DataFrame) -> str:
    """Why a column of these rows cannot be tested; empty where it can."""
    if table["label"].nunique() < 2:
        return "all images that can be read are of one class"
    if values.nunique() < 2:
        return "all images have the same"
    if not is_testable(values, table["group"]):
        return "of too many values"
    return ""


def _predict_all(data: ManifestDataset, columns: Iterable[Column]) -> list[Prediction]:
    """What each column tells of the label; groups are dealt to folds once for all of them."""
    folds: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    found = []
    for column in columns:
        table = data.table.loc[column.values.index]
        targets, groups = table["label"].to_numpy(), table["group"].to_numpy(str)
        # What files tell is not known of damaged ones: there are two sets of rows at most.
        if len(table) not in folds:
            folds[len(table)] = group_folds(targets, groups)
        values = column.values.to_numpy(str)
        found.append(predict_label(targets, groups, values, folds[len(table)]))
    return found


def _finding(column: Column, found: Prediction, p: float) -> Finding | None:
    """What is to be said of a column; None where it tells no more than chance, or little."""
    told = found.sentence(column.name, p)
    if p > LEVEL:
        enough = column.values.value_counts().min() >= FEW_VALUES
        if column.source is None or found.mixed or not enough:
            return None
        sentence = (
            f"No value of the {column.name} has images of both classes, but there are too few "
            f"groups to say whether that is chance: add images of the other class to each value, "
            f"or nobody can tell it from the disease."
        )
        return Finding(Grade.LOOK, "sources", sentence)
    if found.auroc < TELLS:
        return None
    strong = found.auroc >= PREDICTS
    if column.source is None:
        advice = "a network can learn it instead of the disease: convert all images in one way"
    elif not column.source:
        advice = "fine if it is the diagnosis by another name; if not, a network can learn it"
    elif strong:
        advice = (
            "no result on these images says how good a network is: add images of both classes to "
            "each value, or judge within the values that have both (python -m sdlib audit)"
        )
    else:
        advice = "a part of any result may be its own: judge within each value as well"
    grade = Grade.MEND if column.source and strong else Grade.LOOK
    return Finding(grade, "sources", f"{told}: {advice}.")


def _deals(
    targets: np.ndarray, groups: np.ndarray, number: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """AUROCs in random deals: images of one group and value stay together, (DEALS,)."""
    _, group = np.unique(groups, return_inverse=True)
    kinds = number.max() + 1
    pairs, pair = np.unique(group * kinds + number, return_inverse=True)
    value = pairs % kinds
    positive, negative = np.bincount(pair, targets), np.bincount(pair, 1 - targets)
    counts = np.empty((2, DEALS, kinds))
    for deal in range(DEALS):
        dealt = rng.permutation(value)
        counts[0, deal] = np.bincount(dealt, negative, kinds)
        counts[1, deal] = np.bincount(dealt, positive, kinds)
    return category_auroc(*counts)


def _cross_validated(
    targets: np.ndarray, number: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]
) -> float:
    """AUROC of shares that other folds tell: the mean over folds, weighted by pairs of images."""
    found, weights = [], []
    for learnt, tested in folds:
        kinds = number.max() + 1
        share = targets[learnt].mean()
        positive = np.bincount(number[learnt], targets[learnt], kinds)
        # One image more of the common share: a value that was not seen has that share.
        shares = (positive + share) / (np.bincount(number[learnt], minlength=kinds) + 1)
        pairs = targets[tested].sum() * (1 - targets[tested]).sum()
        if pairs:
            # Folds differ in their shares: each is judged by itself.
            found.append(auroc(targets[tested], shares[number[tested]]))
            weights.append(pairs)
    return float(np.average(found, weights=weights)) if found else float("nan")
