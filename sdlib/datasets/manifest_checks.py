"""The rules that a manifest must keep, and sentences that name the row where one is broken."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sdlib.datasets.file_paths import check_files, inside_paths, is_file
from sdlib.datasets.group_names import canonical, visible
from sdlib.errors import DataError

__all__ = ["LABELS", "MANIFEST", "SPLITS", "check_manifest"]

MANIFEST = "manifest.csv"
SPLITS = ("train", "validation", "test")
# Spreadsheets and data frames may write whole numbers with a decimal point.
LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}


def check_manifest(table: pd.DataFrame, folder: Path) -> None:
    """Check every row of a manifest, then its splits, then that there are two classes.

    Paths and groups are written in one form in place: ``./a.png`` becomes ``a.png``, and group
    ``17.0`` becomes ``17`` (see :func:`~sdlib.datasets.group_names.canonical`).

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
    for name in table.columns.intersection(["label", "split"]):
        table[name] = table[name].map(visible)
    for number, label in table["label"].items():
        if label not in LABELS:
            raise DataError(
                f"expected label in {{0, 1}}, got {label} in row {number} of {MANIFEST}: "
                f"write 0 for benign and 1 for cancer"
            )
    table["file"] = inside_paths(table["file"].items(), MANIFEST)
    for number, file in table["file"].items():
        path = folder / file
        if not is_file(path, f"{path} (row {number} of {MANIFEST})"):
            raise DataError(
                f"expected an image at {path}, found none (row {number} of {MANIFEST}): "
                f"check the path, or remove the row"
            )
    # Users may keep their images elsewhere and link them into the folder.
    check_files(table["file"].items(), folder, MANIFEST, links=True)
    written = table["group"]
    table["group"] = [canonical(group) for group in written]
    if "split" in table:
        _check_splits(table, written)
    _check_classes(table, MANIFEST)
    if "split" in table:
        training = table[table["split"] == "train"]
        _check_classes(training, f"the train split of {MANIFEST}")


def _check_splits(table: pd.DataFrame, written: pd.Series) -> None:
    """Check that splits have known names and that no group, as written, is in two of them."""
    home: dict[str, tuple[str, int]] = {}  # split and row in which a group was first seen
    for number, group, split in table[["group", "split"]].itertuples():
        if split not in SPLITS:
            raise DataError(
                f"expected split in {{{', '.join(SPLITS)}}}, got {split or 'an empty field'} in "
                f"row {number} of {MANIFEST}: write one of these, or remove the column"
            )
        first, row = home.setdefault(group, (split, number))
        if split != first:
            spellings = ""
            if written[row] != written[number]:
                spellings = f" ({written[row]!r} and {written[number]!r} are one name)"
            raise DataError(
                f"expected each group in one split, got group {group} in {first} (row {row}) and "
                f"{split} (row {number}) of {MANIFEST}: images of one patient must stay "
                f"together{spellings}"
            )


def _check_classes(table: pd.DataFrame, place: str) -> None:
    """Check that rows are not all of one class; a split without rows passes."""
    if len(set(table["label"].map(LABELS))) == 1:
        raise DataError(
            f"expected both labels 0 and 1 in {place}, got only {table['label'].iloc[0]}: a "
            f"classifier needs both classes"
        )
