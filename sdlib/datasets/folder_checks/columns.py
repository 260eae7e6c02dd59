"""Which columns can tell something of the label: the scanner, the centre, the file's own kind."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from sdlib.datasets.folder_checks.readings import Readings
from sdlib.datasets.group_names import visible
from sdlib.datasets.manifest import ManifestDataset

__all__ = ["file_columns", "is_source", "is_testable", "manifest_columns"]

NEEDED = ("file", "label", "group", "split")
FEW_NUMBERS = 10  # different numbers in a column that are still taken as names
BINS = 5  # of a column of more numbers
# Words in the name of a column that tells how or where an image was made, not what it shows.
SOURCE_WORD = re.compile(
    r"\b(?:batch|camera|cent(?:er|re)|clinic|cohort|collection|country|dataset|device|hospital|"
    r"institut(?:e|ion)|lab|laboratory|machine|magnification|manufacturer|microscope|mpp|origin|"
    r"plate|project|scanner|site|slidescanner|source|stain|stainer|station|study|vendor|view)s?\b"
)
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def is_source(name: str) -> bool:
    """Whether a column's name says that it tells how or where an image was made.

    Parameters
    ----------
    name : str
        The column.

    Examples
    --------
    >>> [is_source(name) for name in ("scanner", "Slide_Scanner", "CentreName", "finding")]
    [True, True, True, False]
    """
    words = CAMEL.sub(" ", name).casefold().replace("_", " ")
    return SOURCE_WORD.search(words) is not None


def manifest_columns(data: ManifestDataset) -> Iterator[tuple[str, pd.Series]]:
    """The manifest's own columns as names of kinds; columns of many numbers in at most five bins.

    Parameters
    ----------
    data : ManifestDataset
        The folder.

    Yields
    ------
    name : str
        The column.
    values : pandas.Series
        Text, indexed by row number.
    """
    for name in data.table.columns.difference(NEEDED, sort=False):
        yield name, _binned(data.table[name].map(visible))


def file_columns(readings: Readings) -> Iterator[tuple[str, pd.Series]]:
    """What files tell without a look at what they show: format, size, mode, compression.

    Parameters
    ----------
    readings : Readings
        Of the folder's images.

    Yields
    ------
    name : str
        What it is.
    values : pandas.Series
        Text, indexed by row number.
    """
    table = readings.table
    if table.empty:
        return
    yield "file format", table["format"].astype(str)
    yield "image size", _binned(np.sqrt(table["width"] * table["height"]).round().astype(str))
    yield "image shape", _binned((table["width"] / table["height"]).round(2).astype(str))
    yield "grey or colour", table["grey"].map({True: "grey", False: "colour"})


def is_testable(values: pd.Series, groups: pd.Series) -> bool:
    """Whether a column divides the groups: it has several values, but fewer than half the groups.

    A column of more, such as a name, a date or a hash of each image, tells the label of images
    that it has seen, and nothing of new ones.

    Parameters
    ----------
    values, groups : pandas.Series
        Of the same rows.

    Examples
    --------
    >>> groups = pd.Series(list("abcdef"))
    >>> is_testable(pd.Series(list("xxxyyy")), groups), is_testable(groups, groups)
    (True, False)
    """
    different = values.nunique()
    return different == 2 or 2 < different <= groups.nunique() / 2


def _binned(values: pd.Series) -> pd.Series:
    """Text as it is; numbers of more than ten kinds in bins, each with about as many images."""
    filled = values[values != ""]
    if filled.nunique() <= FEW_NUMBERS:
        return values
    numbers = pd.to_numeric(filled, errors="coerce")
    if numbers.isna().any() or not np.isfinite(numbers).all():
        return values
    names = numbers.astype(str)
    if numbers.nunique() > FEW_NUMBERS:  # not one number in many spellings
        shares = numbers.value_counts(normalize=True)
        # A number of more images than a bin has would be both ends of one, or of all of them.
        common = shares.index[shares > 1 / BINS]
        rest = numbers[~numbers.isin(common)]
        names[rest.index] = pd.qcut(rest, BINS - len(common), duplicates="drop").astype(str)
    return names.reindex(values.index, fill_value="")
