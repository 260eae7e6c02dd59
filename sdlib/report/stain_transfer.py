"""Tables of networks that were trained on one stain cluster and tested on both."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from sdlib.report.tables import describe, in_points
from sdlib.results import Place

__all__ = ["METRICS_BY_NAME", "transfer_differences", "transfer_panels", "transfer_table"]

CLUSTERS = {"same cluster": "test", "other cluster": "across"}  # cohort by heading
METRICS = {"": "accuracy", ", AUROC": "auroc"}  # metric by what the heading adds


#: Metrics in rows with their headings, for :func:`sdlib.report.intervals.interval_plot`.
METRICS_BY_NAME = {
    f"{cohort}.{metric}": f"{heading}{added}"
    for heading, cohort in CLUSTERS.items()
    for added, metric in METRICS.items()
}


def transfer_table(places: dict[str, Place]) -> pd.DataFrame:
    """Accuracy and AUROC on the cluster of the training tiles and on the other cluster.

    Parameters
    ----------
    places : dict of str to Place
        The results of ``stain_a`` and ``stain_b`` by a title such as ``A to B``.

    Returns
    -------
    pandas.DataFrame
        Text. One line per arm; columns are (title, heading). Without lines where no arm has rows.
    """
    lines: dict[str, dict[tuple[str, str], str]] = {}
    for title, place in places.items():
        for arm in place.arms:
            line = lines.setdefault(place.label(arm), {})
            for metric, heading in METRICS_BY_NAME.items():
                line[title, heading] = describe(place.interval(metric, arm))
    return pd.DataFrame(lines).T


def transfer_differences(
    places: dict[str, Place], pairs: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """Differences of two arms on either cluster, paired over the seeds that both arms have.

    Parameters
    ----------
    places : dict of str to Place
        As in :func:`transfer_table`.
    pairs : sequence of (arm, rival)
        Each gives ``arm - rival``.

    Returns
    -------
    pandas.DataFrame
        Text, in points. One line per title and pair; columns are headings as in
        :func:`transfer_table`. Without lines where no pair shares a seed.
    """
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for (title, place), (arm, rival) in itertools.product(places.items(), pairs):
        for metric, heading in METRICS_BY_NAME.items():
            values = place.paired(metric, arm, rival)
            if not len(values):
                continue
            names = f"{place.label(arm)}, minus {place.label(rival)}"
            line = lines.setdefault((title, names), {})
            line[heading] = in_points(values)
    return pd.DataFrame(lines).T


def transfer_panels(
    places: dict[str, Place], pairs: dict[str, tuple[str, str]]
) -> dict[str, dict[str, np.ndarray]]:
    """What :func:`transfer_differences` has, as values over seeds to draw.

    Parameters
    ----------
    places : dict of str to Place
        As in :func:`transfer_table`.
    pairs : dict of str to (arm, rival)
        By the name of the comparison.

    Returns
    -------
    dict of str to dict of str to numpy.ndarray
        ``arm - rival`` as fractions, by title, and by heading and name of the comparison.
    """
    panels: dict[str, dict[str, np.ndarray]] = {}
    for title, place in places.items():
        found = {
            f"{heading}: {name}": place.paired(metric, *pair)
            for name, pair in pairs.items()
            for metric, heading in METRICS_BY_NAME.items()
        }
        panels[title] = {name: values for name, values in found.items() if len(values)}
    return panels
