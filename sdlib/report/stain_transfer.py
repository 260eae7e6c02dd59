"""Trained on one stain cluster, tested on the same and on the other: tables for chapter 5."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pandas as pd

from sdlib.metrics import mean_interval
from sdlib.report.tables import LABELS, describe
from sdlib.report.verdicts import paired
from sdlib.results.place import Evidence

__all__ = ["transfer_differences", "transfer_table"]

CLUSTERS = {"same cluster": "test", "other cluster": "across"}  # headings of sets


def transfer_table(places: dict[str, Evidence]) -> pd.DataFrame:
    """Trained on one stain cluster, tested on the same and on the other: a line an arm.

    Parameters
    ----------
    places : dict of str to Evidence
        The evidence of ``stain_a`` and ``stain_b`` by a title such as ``A to B``.

    Returns
    -------
    pandas.DataFrame
        By direction: accuracy within, across, and the loss of AUROC, as text.
    """
    lines: dict[str, dict[tuple[str, str], str]] = {}
    for title, place in places.items():
        for arm in place.arms:
            line = lines.setdefault(LABELS[arm], {})
            for heading, name in CLUSTERS.items():
                line[title, heading] = describe(place.interval(f"{name}.accuracy", arm))
                line[title, f"{heading}, AUROC"] = describe(place.interval(f"{name}.auroc", arm))
    return pd.DataFrame(lines).T


def transfer_differences(
    places: dict[str, Evidence], pairs: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """The arms of each pair subtracted, seed by seed, where :func:`transfer_table` has both.

    Parameters
    ----------
    places : dict of str to Evidence
        As there.
    pairs : sequence of (arm, rival)

    Returns
    -------
    pandas.DataFrame
        A line a direction and pair, columns as there by direction: points, as text. Without lines
        where no pair shares a seed.
    """
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for (title, place), (arm, rival) in itertools.product(places.items(), pairs):
        for heading, name in CLUSTERS.items():
            for suffix, metric in (("", "accuracy"), (", AUROC", "auroc")):
                values = 100 * paired(place.rows, f"{name}.{metric}", arm, rival)
                if len(values):
                    line = lines.setdefault((title, f"{LABELS[arm]}, minus {LABELS[rival]}"), {})
                    cell = describe(mean_interval(values), sign=True, digits=1)
                    line[f"{heading}{suffix}"] = cell
    return pd.DataFrame(lines).T
