"""The rules that a manifest must keep, and sentences that name the row where one is broken."""

from __future__ import annotations

import posixpath
from pathlib import Path

import pandas as pd

from sdlib.errors import DataError

__all__ = ["LABELS", "MANIFEST", "SPLITS", "check_manifest"]

MANIFEST = "manifest.csv"
SPLITS = ("train", "validation", "test")
# Spreadsheets and data frames may write whole numbers with a decimal point.
LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}


def check_manifest(table: pd.DataFrame, folder: Path) -> None:
    """Check every row of a manifest, then its splits, then that there are two classes.

    Paths in the column ``file`` are tidied in place: ``./a.png`` becomes ``a.png``.

    Parameters
    ----------
    table : pandas.DataFrame
        Text, indexed by row number, with the columns file, label, group and perhaps split.
    folder : pathlib.Path
        The folder that holds the files.

    Raises
    ------
    DataError
        At the first rule that is broken; the sentence names the row.

    Examples
    --------
    >>> table = pd.DataFrame({"file": ["a.png"], "label": ["2"], "group": ["p1"]}, index=[2])
    >>> try:
    ...     check_manifest(table, Path("mine"))
    ... except DataError as error:
    ...     print(str(error).partition(":")[0])
    expected label in {0, 1}, got 2 in row 2 of manifest.csv
    """
    seen: dict[str, int] = {}  # row of each file
    for number, file, label in table[["file", "label"]].itertuples():
        if label not in LABELS:
            raise DataError(
                f"expected label in {{0, 1}}, got {label} in row {number} of {MANIFEST}: "
                f"write 0 for benign and 1 for cancer"
            )
        # Two spellings of one path must be seen as one file, on every operating system.
        tidy = posixpath.normpath(file.replace("\\", "/"))
        if tidy.startswith(("/", "../")) or tidy[1:2] == ":" or tidy in (".", ".."):
            raise DataError(
                f"expected a path inside the manifest's folder, got {file} in row {number} of "
                f"{MANIFEST}: write it relative to the folder"
            )
        if tidy in seen:
            raise DataError(
                f"expected each file once, got {file} in row {seen[tidy]} and again in row "
                f"{number} of {MANIFEST}: remove one"
            )
        if not (folder / tidy).is_file():
            raise DataError(
                f"expected an image at {folder / tidy}, found none (row {number} of {MANIFEST}): "
                f"check the path, or remove the row"
            )
        seen[tidy] = number
    table["file"] = list(seen)
    if "split" in table:
        _check_splits(table)
    _check_classes(table, MANIFEST)
    if "split" in table:
        training = table[table["split"] == "train"]
        _check_classes(training, f"the train split of {MANIFEST}")


def _check_splits(table: pd.DataFrame) -> None:
    """Check that splits have known names and that no group is in two of them."""
    home: dict[str, tuple[str, int]] = {}  # split and row in which a group was first seen
    for number, group, split in table[["group", "split"]].itertuples():
        if split not in SPLITS:
            raise DataError(
                f"expected split in {{{', '.join(SPLITS)}}}, got {split or 'an empty field'} in "
                f"row {number} of {MANIFEST}: write one of these, or remove the column"
            )
        first, row = home.setdefault(group, (split, number))
        if split != first:
            raise DataError(
                f"expected each group in one split, got group {group} in {first} (row {row}) and "
                f"{split} (row {number}) of {MANIFEST}: images of one patient must stay together"
            )


def _check_classes(table: pd.DataFrame, place: str) -> None:
    """Check that rows are not all of one class; a split without rows passes."""
    if len(set(table["label"].map(LABELS))) == 1:
        raise DataError(
            f"expected both labels 0 and 1 in {place}, got only {table['label'].iloc[0]}: a "
            f"classifier needs both classes"
        )
