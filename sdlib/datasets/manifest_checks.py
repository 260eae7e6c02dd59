"""The rules that a manifest must keep, and sentences that name the row where one is broken."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sdlib.datasets.file_paths import check_files, inside_paths, is_file
from sdlib.datasets.group_names import canonical, visible
from sdlib.datasets.labels import Classes, binary_labels, check_classes
from sdlib.errors import DataError

__all__ = ["MANIFEST", "SPLITS", "check_manifest"]

MANIFEST = "manifest.csv"
SPLITS = ("train", "validation", "test")


def check_manifest(
    table: pd.DataFrame, folder: Path, positive: str | Sequence[str] | None = None
) -> Classes:
    """Check every row of a manifest, then its splits, then that there are two classes.

    Labels, paths and groups are rewritten in place: labels become 0 or 1, ``./a.png`` becomes
    ``a.png``, and group ``17.0`` becomes ``17`` (see
    :func:`~sdlib.datasets.group_names.canonical`).

    Parameters
    ----------
    table : pandas.DataFrame
        Text, indexed by row number, with the columns file, label, group and perhaps split.
    folder : pathlib.Path
        The folder that holds the files.
    positive : str, sequence of str or None
        The labels that are positive, as for :func:`~sdlib.datasets.labels.binary_labels`.

    Returns
    -------
    Classes
        What the manifest calls its classes.

    Raises
    ------
    DataError
        At the first rule that is broken; the sentence names the row.
    ConfigError
        If ``positive`` names no label of the manifest.

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
    table["label"], classes = binary_labels(table["label"], positive, MANIFEST)
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
    check_classes(table["label"], classes, MANIFEST)
    if "split" in table:
        training = table.loc[table["split"] == "train", "label"]
        check_classes(training, classes, f"the train split of {MANIFEST}")
    return classes


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
