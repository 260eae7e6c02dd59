"""Checks that need the manifest alone: its classes, groups, splits and fields."""

from __future__ import annotations

import re

import pandas as pd

from sdlib.datasets.folder_checks.findings import Finding, Grade, counted, listed
from sdlib.datasets.group_names import doubtful_groups, visible
from sdlib.datasets.manifest import MANIFEST, SPLITS, ManifestDataset

__all__ = ["check_classes", "check_fields", "check_groups", "check_splits", "count_images"]

RARE = 0.1  # share of images: a class below it is rare
FEW_GROUPS = 10  # of a class: below it, intervals over groups are wide
MOST_OF_ALL = 0.5  # share of images of one group
SHIFTED = 0.2  # difference in the share of positive images between two splits
# What a manifest may write where nobody knows the label.
NOT_KNOWN = ("", "?", "n/a", "na", "nan", "none", "null", "unknown", "unlabelled", "unlabeled")
NEEDED = ("file", "label", "group", "split")
# Spreadsheets run text that begins so; numbers with a sign and single signs are left alone.
FORMULA = re.compile(r"[=@].|[+-](?![\d.,\s]*(?:[eE][+-]?\d+)?$).")
TAG = re.compile(r"<\s*[/!a-zA-Z][^>]*>")


def count_images(table: pd.DataFrame) -> str:
    """How many images, positive ones and groups some rows of a manifest have.

    Examples
    --------
    >>> count_images(pd.DataFrame({"label": [0, 1, 1], "group": ["a", "b", "b"]}))
    '3 images, 2 positive, in 2 groups'
    """
    groups = counted(table["group"].nunique(), "group")
    return f"{counted(len(table), 'image')}, {int(table['label'].sum()):,} positive, in {groups}"


def check_classes(data: ManifestDataset) -> list[Finding]:
    """Whether both classes are there often enough, and in enough groups.

    Parameters
    ----------
    data : ManifestDataset
        The folder.

    Returns
    -------
    list of Finding
        At least one.
    """
    positive = data.targets.mean()
    names = data.classes.names
    count = f"{data.targets.sum():,} of {len(data):,} images are positive ({positive:.0%})"
    shares = f"{count}. The classes are {data.classes}."
    findings = []
    rare = min(positive, 1 - positive)
    if rare < RARE:
        findings.append(
            Finding(
                Grade.LOOK,
                "classes",
                f"{shares} One class is rare: an accuracy of {1 - rare:.3f} needs no network, so "
                f"judge by AUROC or balanced accuracy.",
            )
        )
    else:
        findings.append(Finding(Grade.FINE, "classes", shares))
    for target, name in enumerate(names):
        groups = data.table.loc[data.table["label"] == target, "group"].nunique()
        if groups == 1:
            advice = "no network can be tested on that class with new patients: add other groups"
            sentence = f"All images of the class {name} are of one group: {advice}."
            findings.append(Finding(Grade.MEND, "classes", sentence))
        elif groups < FEW_GROUPS:
            advice = "results will depend on which of them are tested: add groups if you can"
            sentence = f"The class {name} is there in {groups} groups only: {advice}."
            findings.append(Finding(Grade.LOOK, "classes", sentence))
    unknown = [name for name in data.classes.negative if name.casefold() in NOT_KNOWN]
    if unknown:
        sentence = (
            f"Images with the label {listed(unknown)} count as negative: remove their rows if "
            f"nobody knows what they show."
        )
        findings.append(Finding(Grade.LOOK, "classes", sentence))
    return findings


def check_groups(data: ManifestDataset) -> list[Finding]:
    """Whether groups can be patients, and whether one of them outweighs all others.

    Parameters
    ----------
    data : ManifestDataset
        The folder.

    Returns
    -------
    list of Finding
        At least one.
    """
    sizes = data.table["group"].value_counts()
    findings = []
    for names in doubtful_groups(data.groups):
        sentence = (
            f"The groups {' and '.join(names)} differ only in capitals or zeros: if they are one "
            f"patient, write them alike, for images of one patient must not be in two splits."
        )
        findings.append(Finding(Grade.LOOK, "groups", sentence))
    if len(sizes) == len(data):
        sentence = (
            f"Each of the {len(data):,} images is a group of its own: if a patient or slide has "
            f"several images, give them one group, or copies of a case end up in two splits."
        )
        findings.append(Finding(Grade.LOOK, "groups", sentence))
    elif sizes.iloc[0] > MOST_OF_ALL * len(data):
        sentence = (
            f"The group {sizes.index[0]} has {sizes.iloc[0]:,} of {len(data):,} images: results "
            f"will say most about this one; take fewer of its images."
        )
        findings.append(Finding(Grade.LOOK, "groups", sentence))
    if not findings:
        sentence = (
            f"{len(sizes):,} groups of {sizes.min():,} to {sizes.max():,} images, "
            f"{sizes.median():g} in the median."
        )
        findings.append(Finding(Grade.FINE, "groups", sentence))
    return findings


def check_splits(data: ManifestDataset) -> list[Finding]:
    """Whether every split has both classes, and about the same share of them.

    Groups that are in two splits are refused when the folder is opened.

    Parameters
    ----------
    data : ManifestDataset
        The folder.

    Returns
    -------
    list of Finding
        At least one.
    """
    if "split" not in data.table:
        sentence = f"{MANIFEST} has no column split: images will be split at random, by group."
        return [Finding(Grade.FINE, "splits", sentence)]
    parts = {name: part for name, part in data.table.groupby("split") if len(part)}
    findings = []
    missing = [name for name in SPLITS if name not in parts]
    for name in missing:
        grade = Grade.MEND if name == "train" else Grade.LOOK
        advice = "add rows to it, or remove the column so that images are split by group"
        findings.append(Finding(grade, "splits", f"No image is in the split {name}: {advice}."))
    for name, part in parts.items():
        if part["label"].nunique() == 1:
            which = data.classes.names[part["label"].iloc[0]]
            sentence = (
                f"All {counted(len(part), 'image')} of the split {name} are of one class, {which}: "
                f"no AUROC can be worked out on it; move groups of the other class there."
            )
            findings.append(Finding(Grade.MEND, "splits", sentence, tuple(part.index)))
    shares = {name: part["label"].mean() for name, part in parts.items()}
    low, high = min(shares, key=shares.get), max(shares, key=shares.get)
    if shares[high] - shares[low] > SHIFTED and not findings:
        sentence = (
            f"{shares[high]:.0%} of {high} are positive, but {shares[low]:.0%} of {low}: their "
            f"accuracies cannot be compared; split again by group and class, unless it is meant."
        )
        findings.append(Finding(Grade.LOOK, "splits", sentence))
    counts = "; ".join(f"{name}: {count_images(parts[name])}" for name in SPLITS if name in parts)
    return [*findings, Finding(Grade.FINE, "splits", f"{counts}. No group is in two of them.")]


def check_fields(data: ManifestDataset) -> list[Finding]:
    """Whether columns are empty, and whether text would be run by a spreadsheet or a page.

    Parameters
    ----------
    data : ManifestDataset
        The folder.

    Returns
    -------
    list of Finding
        None where nothing is to be said.
    """
    findings = []
    for name in data.table.columns:
        if name in NEEDED:
            continue
        empty = data.table[name].map(lambda text: not visible(text))
        rows = tuple(data.table.index[empty])
        title = name or "without a name"
        if empty.all():
            sentence = f"The column {title} is empty: fill it in or remove it."
            findings.append(Finding(Grade.LOOK, "fields", sentence))
        elif rows:
            sentence = (
                f"The column {title} is empty in {counted(len(rows), 'row')} ({listed(rows)}): "
                f"fill it in, or write a word such as unknown."
            )
            findings.append(Finding(Grade.LOOK, "fields", sentence, rows))
    for pattern, what in (
        (FORMULA, "would be run as a formula by a spreadsheet"),
        (TAG, "would be taken for HTML by a page"),
    ):
        fields = sorted(
            (row, name)
            for name in data.table.columns.drop("label")
            for row, text in data.table[name].items()
            if (pattern.match(text) if pattern is FORMULA else pattern.search(text))
        )
        if fields:
            where = [f"{name} in row {row}" for row, name in fields]
            rows = tuple(dict.fromkeys(row for row, _ in fields))
            sentence = (
                f"{counted(len(fields), 'field')} {what}: {listed(where)}; here it is only text, "
                f"but look where the manifest comes from."
            )
            findings.append(Finding(Grade.LOOK, "fields", sentence, rows))
    return findings
