"""What rows there are, and what they cost: runs, hours, images per second."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from sdlib.datasets.sources import SOURCES
from sdlib.experiments import EXPERIMENTS, PROFILES
from sdlib.report.scale import images_trained_on
from sdlib.results import RECORDED, THIS_RUN, Place

__all__ = ["cost_table", "own_rows", "recorded_rows", "row_counts", "speed_table"]

COLUMNS = [
    *("origin", "experiment", "source", "profile", "device", "arm", "stale"),
    *("seconds", "images"),
]


def _rows_at(places: Sequence[Place]) -> pd.DataFrame:
    found = [(place.origin, place.all_rows) for place in places]
    tables = [
        table.assign(origin=origin, images=_images(table))[COLUMNS]
        for origin, table in found
        if len(table)
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def _images(rows: pd.DataFrame) -> pd.Series:
    """How many images each row's training saw, by its own configuration."""
    seen = rows["config"].map(
        lambda of: images_trained_on(of["tiles"], of["epochs"], of.get("train_most", 0))
    )
    for trained_elsewhere in ("network_of", "trained_as"):
        if trained_elsewhere in rows:
            seen = seen.mask(rows[trained_elsewhere].notna(), 0)
    return seen


def recorded_rows() -> pd.DataFrame:
    """Every row that git holds, stale ones too.

    Returns
    -------
    pandas.DataFrame
        origin (``recorded``), experiment, source, profile, device, arm, stale (bool), seconds,
        images (that its training saw; 0 where it tests the network of another experiment, or is
        the copy of another arm's run).
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
                "hours of runs": f"{mine.rows['seconds'].sum() / 3600:.2f}",
                "hours of searches": f"{trials['seconds'].sum() / 3600:.2f}",
                "device": " and ".join(sorted(mine.rows["device"].unique())),
            }
    return pd.DataFrame(lines).T
