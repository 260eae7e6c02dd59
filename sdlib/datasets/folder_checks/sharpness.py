"""Checks of sharpness: whether scanners, or the two classes, differ in it.

A network that has learnt what is sharp on one scanner may fail on another. The paper compares
scanners by the variance of an image's Laplacian, and so does this check.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from sdlib.datasets.folder_checks.columns import is_source, is_testable, manifest_columns
from sdlib.datasets.folder_checks.findings import Finding, Grade, listed
from sdlib.datasets.folder_checks.readings import Readings
from sdlib.datasets.manifest import ManifestDataset
from sdlib.metrics import auroc

__all__ = ["check_sharpness"]

LEVEL = 0.01  # of each test
RATIO = 1.25  # of the sharpest value's median to the least sharp one's, that is worth a warning
TELLS = 0.6  # AUROC of sharpness, or of its opposite, from which it tells something of the label
FEW_GROUPS = 3  # of each value, at least, to be tested
EMPTY = "(empty)"  # what a value without text is called


def check_sharpness(data: ManifestDataset, readings: Readings) -> list[Finding]:
    """Compare the sharpness of scanners, and of the two classes.

    Tests are of groups' medians, for the images of one patient are not independent: Kruskal and
    Wallis's between the values of each column that tells a source, Mann and Whitney's between the
    classes.

    Parameters
    ----------
    data : ManifestDataset
        The folder.
    readings : Readings
        Of its images.

    Returns
    -------
    list of Finding
        One for each column that tells a source, and one for the classes.
    """
    if readings.table.empty:
        return []
    table = data.table.loc[readings.table.index]
    sharpness = readings.table["sharpness"]
    findings = []
    for name, values in manifest_columns(data):
        values = values.loc[table.index]
        if is_source(name) and is_testable(values, table["group"]):
            findings.append(_of_source(name, values, table["group"], sharpness))
    if table["label"].nunique() == 2:
        findings.append(_of_classes(data.classes.names, table, sharpness))
    return findings


def _of_source(name: str, values: pd.Series, groups: pd.Series, sharpness: pd.Series) -> Finding:
    """Whether the values of one column differ in sharpness; values of few groups are left out."""
    medians = sharpness.groupby(values).median().sort_values(ascending=False)
    shown = listed([f"{value or EMPTY} {median:.0f}" for value, median in medians.items()])
    told = f"By {name}, sharpness (median variance of the Laplacian) is {shown}"
    of_groups = {
        value: sharpness[values == value].groupby(groups).median() for value in medians.index
    }
    few = [value for value, found in of_groups.items() if len(found) < FEW_GROUPS]
    tested = medians.drop(few)
    if len(tested) < 2:
        sentence = f"{told}: too few groups of each to test whether they differ."
        return Finding(Grade.FINE, "sharpness", sentence)
    if few:
        names = listed([value or EMPTY for value in few])
        told = f"{told} (not tested, for they have fewer than {FEW_GROUPS} groups: {names})"
    ratio = tested.iloc[0] / max(tested.iloc[-1], np.finfo(float).tiny)
    samples = [of_groups[value].to_numpy() for value in tested.index]
    p = _p_value(stats.kruskal, samples)
    if p < LEVEL and ratio >= RATIO:
        sentence = (
            f"{told}: they differ {ratio:.1f}-fold (p {_words(p)}); test on a {name} that was not "
            f"trained on, and look at accuracy under blur."
        )
        return Finding(Grade.LOOK, "sharpness", sentence)
    return Finding(Grade.FINE, "sharpness", f"{told}: no great difference (p {_words(p)}).")


def _of_classes(names: tuple[str, str], table: pd.DataFrame, sharpness: pd.Series) -> Finding:
    """Whether the classes differ in sharpness."""
    label = table["label"]
    found = auroc(label, sharpness)
    medians = [sharpness[label == target].median() for target in (0, 1)]
    told = (
        f"Sharpness has a median of {medians[1]:.0f} in {names[1]} and {medians[0]:.0f} in "
        f"{names[0]} images, an AUROC of {found:.2f}"
    )
    samples = [
        sharpness[label == target].groupby(table["group"]).median().to_numpy() for target in (0, 1)
    ]
    if min(map(len, samples)) < FEW_GROUPS:
        sentence = f"{told}: too few groups to test whether they differ."
        return Finding(Grade.FINE, "sharpness", sentence)
    p = _p_value(stats.mannwhitneyu, samples)
    if p < LEVEL and max(found, 1 - found) >= TELLS:
        sentence = (
            f"{told} (p {_words(p)}): a network can use it; if it is not of the disease, look "
            f"whether both classes were scanned, focused and compressed alike."
        )
        return Finding(Grade.LOOK, "sharpness", sentence)
    return Finding(Grade.FINE, "sharpness", f"{told}: no great difference (p {_words(p)}).")


def _p_value(test, samples: list[np.ndarray]) -> float:
    """p of a test; 1 where all numbers are equal, which the tests refuse."""
    if np.ptp(np.concatenate(samples)) == 0:
        return 1.0
    return float(test(*samples).pvalue)


def _words(p: float) -> str:
    """A p-value in three digits."""
    return f"{p:.3f}" if p >= 0.001 else "below .001"
