"""What rows there are, and what they cost: runs, hours, images per second."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from sdlib.datasets.sources import SOURCES
from sdlib.experiments import EXPERIMENTS, PROFILES
from sdlib.report.scale import images_trained_on
from sdlib.results import RECORDED, THIS_RUN, Place
from sdlib.results.rows import shares_training

__all__ = ["cost_table", "own_rows", "recorded_rows", "row_counts", "speed_table"]

COLUMNS = [
    *("origin", "experiment", "source", "profile", "device", "arm", "stale"),
    *("seconds", "images"),
]


def _rows_at(places: Sequence[Place]) -> pd.DataFrame:
    """The rows of places; where one is of another's training, it has no seconds and no images."""
    tables = []
    for place in places:
        table = place.all_rows
        if not len(table):
            continue
        shared = shares_training(table)
        seconds, images = (one.mask(shared, 0) for one in (table["seconds"], _images(table)))
        table = table.assign(origin=place.origin, seconds=seconds, images=images)
        tables.append(table[COLUMNS])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def _images(rows: pd.DataFrame) -> pd.Series:
    """How many images each row's training saw, by its own configuration."""
    seen = rows["config"].map(
        lambda of: images_trained_on(of["tiles"], of["epochs"], of.get("train_most", 0))
    )
    if "network_of" in rows:  # those have the seconds of a test alone
        seen = seen.mask(rows["network_of"].notna(), 0)
    return seen


def recorded_rows() -> pd.DataFrame:
    """Every row that git holds, stale ones too.

    Returns
    -------
    pandas.DataFrame
        origin (``recorded``), experiment, source, profile, device, arm, stale (bool), seconds,
        images (that its training saw; 0 where it tests the network of another experiment). Of
        rows that share a training, the first alone has its seconds and images.
    """
    places = [
        Place(experiment, profile, source, RECORDED)
        for experiment in EXPERIMENTS
        for profile in PROFILES
        for source in SOURCES
    ]
    return _rows_at(places)


def own_rows(profile: str, source: str) -> pd.DataFrame:
    """Every row of this machine at a profile on a source, in the columns of recorded ones.

    Parameters
    ----------
    profile, source : str
        As in :mod:`sdlib.experiments`.
    """
    return _rows_at([Place(name, profile, source, THIS_RUN) for name in EXPERIMENTS])


def row_counts(rows: pd.DataFrame) -> pd.DataFrame:
    """Runs, arms, stale runs and hours, by experiment, source, profile and device.

    Parameters
    ----------
    rows : pandas.DataFrame
        What :func:`recorded_rows` or :func:`own_rows` returns.
    """
    grouped = rows.groupby(["experiment", "source", "profile", "device"], sort=False)
    counts = grouped.agg(
        runs=("arm", "size"),
        arms=("arm", "nunique"),
        stale=("stale", "sum"),
        seconds=("seconds", "sum"),
    )
    hours = (counts.pop("seconds").astype(float) / 3600).round(2)
    return counts.assign(hours=hours)


def speed_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Images per second of runs, start and evaluation included: how many runs, mean and SD.

    Parameters
    ----------
    rows : pandas.DataFrame
        What :func:`recorded_rows` or :func:`own_rows` returns.

    Returns
    -------
    pandas.DataFrame
        One line per origin, profile, source and device. Runs that trained nothing are left out.
    """
    rows = rows[rows["images"] > 0]
    rate = (rows["images"] / rows["seconds"]).astype(float)
    by = ["origin", "profile", "source", "device"]
    return rows.assign(rate=rate).groupby(by)["rate"].agg(["count", "mean", "std"]).round(0)


def cost_table(places: Sequence[Place]) -> pd.DataFrame:
    """Runs and hours of every experiment at every place, and the device.

    Parameters
    ----------
    places : sequence of Place
        Of any experiment each.

    Returns
    -------
    pandas.DataFrame
        One line per place and experiment with rows. Hours are added over runs; a trial that
        several searches look at counts once. Without lines where there are no rows.
    """
    lines = {}
    for place in places:
        for experiment in EXPERIMENTS:
            mine = place.of(experiment)
            if not mine.arms:
                continue
            trials = mine.trials[~mine.trials["reused"]]
            lines[place.name, experiment] = {
                "runs": len(mine.rows),
                "hours of runs": f"{mine.seconds / 3600:.2f}",
                "hours of searches": f"{trials['seconds'].sum() / 3600:.2f}",
                "device": " and ".join(sorted(mine.rows["device"].unique())),
            }
    return pd.DataFrame(lines).T
