"""Label by source: how a data set was put together, and what the source alone says of the label.

A network can only be shown to see disease where its source does not tell the label. These tables
need no network: they count.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import pandas as pd

from sdlib.datasets.manifest import MANIFEST, ManifestDataset
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError
from sdlib.metrics import category_auroc

__all__ = [
    "Labelled",
    "auroc_by_source",
    "cross_table",
    "source_columns",
    "source_table",
]

Labelled = TileSet | ManifestDataset | str | os.PathLike[str]
"""Labelled images: a set, a manifest that has been opened, or the folder of one."""

ALL = "all"


def cross_table(
    images: Labelled, column: str = "source", names: tuple[str, str] = ("negative", "positive")
) -> pd.DataFrame:
    """Count the images of each source and label, and say what the source tells of the label.

    Parameters
    ----------
    images : TileSet, ManifestDataset or path
        Labelled images with a factor, or a column of the manifest, that tells the source; a path
        is a folder with a ``manifest.csv``.
    column : str
        The factor or column; any other, such as ``view``, is counted alike.
    names : tuple of str
        What images of target 0 and 1 are called.

    Returns
    -------
    pandas.DataFrame
        A line for each source in the order of its name, then one for ``all``. Columns: ``column``
        itself, the two ``names``, ``groups`` (patients), ``share positive`` (0 to 1), and ``AUROC
        of the source``: of the line ``all`` what :func:`auroc_by_source` returns, of a source NaN.

    Raises
    ------
    DataError
        If there is no such factor or column, or the folder's manifest breaks a rule.

    Examples
    --------
    >>> films = TileSet(np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 0, 1, 1]),
    ...                 np.array(list("abcd")), {"source": np.array(["nih", "nih", "nih", "x"])})
    >>> cross_table(films).iloc[:, :5].to_numpy().tolist()
    [['nih', 2, 1, 3, 0.3333333333333333], ['x', 0, 1, 1, 1.0], ['all', 2, 2, 4, 0.5]]
    """
    targets, groups, sources = source_columns(images, column)
    lines = []
    parts = {source: sources == source for source in sorted(set(sources.tolist()))}
    # Not in the mapping: a source may have the name itself.
    for source, chosen in [*parts.items(), (ALL, np.ones(len(sources), bool))]:
        negative, positive = np.bincount(targets[chosen], minlength=2).tolist()
        line = {
            column: source or "(unknown)",
            names[0]: negative,
            names[1]: positive,
            "groups": len(set(groups[chosen])),
            "share positive": positive / (negative + positive),
            "AUROC of the source": np.nan,
        }
        lines.append(line)
    lines[-1]["AUROC of the source"] = auroc_by_source(targets, sources)
    return pd.DataFrame(lines)


def source_table(sets: Mapping[str, Labelled], column: str = "source") -> pd.DataFrame:
    """What the source tells of the label, in a line for each of several sets.

    Parameters
    ----------
    sets : mapping of str to TileSet, ManifestDataset or path
        The sets by title, such as all test sets of an experiment.
    column : str
        As for :func:`cross_table`.

    Returns
    -------
    pandas.DataFrame
        ``set``, ``images``, ``groups``, ``sources`` (how many), ``mixed`` (how many hold both
        labels), and ``AUROC of the source``.

    Raises
    ------
    DataError
        As :func:`cross_table` does.

    Examples
    --------
    >>> films = TileSet(np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 0, 1, 1]),
    ...                 np.array(list("abcd")), {"source": np.array(["nih", "nih", "nih", "x"])})
    >>> source_table({"test": films}).to_numpy().tolist()
    [['test', 4, 4, 2, 1, 0.75]]
    """
    lines = []
    for title, images in sets.items():
        targets, groups, sources = source_columns(images, column)
        names = sorted(set(sources))
        mixed = [name for name in names if len(set(targets[sources == name])) == 2]
        line = {
            "set": title,
            "images": len(targets),
            "groups": len(set(groups)),
            "sources": len(names),
            "mixed": len(mixed),
            "AUROC of the source": auroc_by_source(targets, sources),
        }
        lines.append(line)
    return pd.DataFrame(lines)


def source_columns(
    images: Labelled, column: str = "source"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read targets, groups and sources of images, ``(n,)`` each; sources are text.

    Parameters
    ----------
    images, column
        As for :func:`cross_table`.

    Raises
    ------
    DataError
        As :func:`cross_table` does.

    Examples
    --------
    >>> films = TileSet(np.zeros((2, 8, 8, 3), np.uint8), np.array([0, 1]), np.array(["a", "b"]),
    ...                 {"source": np.array(["nih", "x"])})
    >>> source_columns(films)[2].tolist()
    ['nih', 'x']
    """
    if isinstance(images, (str, os.PathLike)):
        images = ManifestDataset(images)
    if isinstance(images, ManifestDataset):
        known, where = images.table.columns, f"{images.folder / MANIFEST}"
        found = images.table[column].to_numpy(str) if column in known else None
    elif isinstance(images, TileSet):
        known, where = images.factors, "the images' factors"
        found = np.asarray(images.factors[column]).astype(str) if column in known else None
    else:
        raise ConfigError(
            f"expected a TileSet, a ManifestDataset or a folder, got {type(images).__name__}"
        )
    if found is None:
        raise DataError(
            f"expected a column {column} in {where}, got {', '.join(known) or 'none'}: name the "
            f"column that tells the source"
        )
    if not len(found):
        raise DataError(f"expected images, got none in {where}: there is nothing to count")
    return images.targets, images.groups, found


def auroc_by_source(targets: np.ndarray, sources: np.ndarray) -> float:
    """AUROC of the best rule that sees nothing of an image but its source.

    The rule scores an image by the share of positive ones of its source, in the very images that
    it is judged on. No other rule has a higher AUROC there. With sources of few images it is above
    .5 by chance alone; where every image has a source of its own, it is 1.

    Parameters
    ----------
    targets, sources : numpy.ndarray
        Shape ``(n,)``: 0 or 1; text or whole numbers.

    Returns
    -------
    float
        .5 (the source tells nothing) to 1 (it tells the label); NaN where all labels are the same.

    Examples
    --------
    >>> auroc_by_source(np.array([0, 0, 1, 1]), np.array(["nih", "nih", "nih", "x"]))
    0.75
    """
    if len(set(targets)) < 2:
        return np.nan
    _, number = np.unique(sources, return_inverse=True)
    return float(category_auroc(np.bincount(number, 1 - targets), np.bincount(number, targets)))
