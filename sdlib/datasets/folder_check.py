"""Checking a folder of the user's own: every image is decoded, and everything is counted."""

from __future__ import annotations

import os
from collections.abc import Callable

import pandas as pd

from sdlib.datasets.group_names import doubtful_groups
from sdlib.datasets.manifest import SPLITS, ManifestDataset
from sdlib.errors import DataError

__all__ = ["check_folder"]

MOST_SENTENCES = 20  # of one kind; the others are counted


def check_folder(folder: str | os.PathLike[str], log: Callable[[str], object]) -> str:
    """Open a folder as a run would, decode every image, and count.

    Parameters
    ----------
    folder : str or os.PathLike
        The folder with ``manifest.csv``.
    log : callable
        Called with each warning and with a sentence for each damaged image.

    Returns
    -------
    str
        How many images there are, in all and per split, and in how many groups.

    Raises
    ------
    DataError
        If the manifest breaks a rule, or images cannot be read; it tells how many.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("a.png", "b.png"):
    ...     Image.new("RGB", (96, 96), "pink").save(folder / name)
    >>> _ = (folder / "manifest.csv").write_text("file,label,group\\na.png,0,Eva\\nb.png,1,eva\\n")
    >>> print(check_folder(folder, log=lambda line: print(line[:67])))
    warning: the groups Eva and eva differ only in capitals or zeros: i
    2 images, 1 of cancer, in 2 groups: ready to use
    """
    data = ManifestDataset(folder)
    _log_some(log, _doubts(data))
    damaged = []
    for index in range(len(data)):
        try:
            data[index]
        except DataError as error:
            damaged.append(f"damaged: {error}")
    _log_some(log, damaged)
    if damaged:
        raise DataError(
            f"{len(damaged)} of {len(data)} images in {folder} cannot be used: mend or replace "
            f"them, or remove their rows from the manifest"
        )
    lines = []
    if "split" in data.table:
        for split in SPLITS:
            part = data.table[data.table["split"] == split]
            lines.append(f"{split}: {_count(part)}")
    return "\n".join([*lines, f"{_count(data.table)}: ready to use"])


def _doubts(data: ManifestDataset) -> list[str]:
    """Warn of groups that may be one patient."""
    return [
        f"warning: the groups {' and '.join(names)} differ only in capitals or zeros: if they are "
        f"one patient, write them alike, for images of one patient must not be in two splits"
        for names in doubtful_groups(data.groups)
    ]


def _count(table: pd.DataFrame) -> str:
    """Count the images, the classes and the groups of some rows of a manifest."""
    cancer, groups = int(table["label"].sum()), table["group"].nunique()
    return f"{len(table)} images, {cancer} of cancer, in {groups} groups"


def _log_some(log: Callable[[str], object], sentences: list[str]) -> None:
    """Log the first sentences, and how many more there are."""
    for sentence in sentences[:MOST_SENTENCES]:
        log(sentence)
    if len(sentences) > MOST_SENTENCES:
        log(f"and {len(sentences) - MOST_SENTENCES} more of this kind")
