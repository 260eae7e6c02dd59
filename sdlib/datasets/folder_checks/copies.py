"""Checks for copies: images that are in two splits or groups, or have two labels."""

from __future__ import annotations

import numpy as np

from sdlib.datasets.folder_checks.findings import Finding, Grade, counted, listed
from sdlib.datasets.folder_checks.hashes import CLOSE, nearest_elsewhere
from sdlib.datasets.folder_checks.readings import Readings
from sdlib.datasets.group_names import visible
from sdlib.datasets.manifest import ManifestDataset

__all__ = ["check_copies"]


def check_copies(data: ManifestDataset, readings: Readings) -> list[Finding]:
    """Find images that are copies, or nearly, of an image in another split, group or class.

    Hashes tell them (see :mod:`sdlib.datasets.folder_checks.hashes`): copies of another file
    format, size, brightness or contrast are found, also mirrored or turned by a right angle; cut
    ones are not, and images that show next to nothing are not compared.

    Parameters
    ----------
    data : ManifestDataset
        The folder.
    readings : Readings
        Of its images.

    Returns
    -------
    list of Finding
        At least one, unless no image can be read. Where there is no column ``split``, copies in
        two groups are looked for: these would be split at random.
    """
    if readings.table.empty:
        return []
    rows = readings.table.index[readings.table["hashed"]]
    table = data.table.loc[rows]
    column = "split" if "split" in table else "group"
    parts = [np.unique(table[name], return_inverse=True)[1] for name in (column, "label")]
    apart, contrary = nearest_elsewhere(readings.hashes, parts)
    findings = []
    if (apart[0] <= CLOSE).any():
        pairs, found = _pairs(table, *apart, column)
        if column == "split":
            grade, advice = (
                Grade.MEND,
                "networks would be tested on what they have learnt: give the two one group and "
                "one split, or remove one",
            )
        else:
            grade, advice = (
                Grade.LOOK,
                "splits are made by group, so that a copy could end up in another split: give the "
                "two one group, or remove one",
            )
        sentence = (
            f"{counted(len(found), 'image')} are copies, or nearly, of an image in another "
            f"{column}: {pairs}; {advice}."
        )
        findings.append(Finding(grade, "copies", sentence, found))
    if (contrary[0] <= CLOSE).any():
        pairs, found = _pairs(table, *contrary, "label")
        sentence = (
            f"{counted(len(found), 'image')} are copies, or nearly, of an image with the other "
            f"label: {pairs}; find out which label is right."
        )
        findings.append(Finding(Grade.LOOK, "copies", sentence, found))
    if not findings:
        sentence = f"No image is a copy of one in another {column}, or with the other label."
        findings.append(Finding(Grade.FINE, "copies", sentence))
    blank = len(readings.table) - len(rows)
    if blank:
        sentence = (
            f"{counted(blank, 'image')} show too little to be compared with others: copies of "
            f"them, if there are any, are not found."
        )
        findings.append(Finding(Grade.FINE, "copies", sentence))
    return findings


def _pairs(
    table, distance: np.ndarray, nearest: np.ndarray, column: str
) -> tuple[str, tuple[int, ...]]:
    """The pairs that are close, the closest first, in words; and the rows of their images."""
    close = np.flatnonzero(distance <= CLOSE)
    pairs = {}
    for place in close[np.argsort(distance[close], kind="stable")]:
        pairs.setdefault(tuple(sorted((place, nearest[place]))), None)
    described = []
    for pair in pairs:
        images = [
            f"{visible(table['file'].iloc[place])} (row {table.index[place]}, {column} "
            f"{table[column].iloc[place]})"
            for place in pair
        ]
        described.append(" and ".join(images))
    return listed(described), tuple(table.index[close])
