"""Linear heads on frozen features, read back: one line per head, and who made which film.

A head is of an *arm* (which penalty) at a *strength*, in a *situation* (which sources train),
trained on a *subset* of the films of a *deal* of patients. Its *stage* says when it was looked at:
at rest, after a number of steps, or where theory has it without training.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from sdlib.experiments.measurements import LINEAR_HEADS
from sdlib.files import atomic_path, if_whole, read_arrays
from sdlib.results.key import THIS_RUN, PlaceKey, check_declared

__all__ = [
    "ALL_FILMS",
    "AUROCS",
    "HEAD_COLUMNS",
    "SOURCE_COLUMNS",
    "STAGES",
    "file_of",
    "read_heads",
    "read_source_heads",
    "record",
    "write_heads",
]

#: In the place of a number of films: all that a deal has.
ALL_FILMS = 0

STAGES = ("rest", "steps", "theory")
AUROCS = ("validation", "inside", "outside")

#: Columns of the heads, with the dtype that they are kept in.
HEAD_COLUMNS = {
    "situation": np.str_,
    "arm": np.str_,
    "stage": np.str_,
    "strength": np.float64,  # lambda or decay; NaN for the paper's Equation 2
    "films": np.int16,  # wanted, or ALL_FILMS
    "used": np.int16,  # with whole patients
    "deal": np.int16,
    "subset": np.int16,
    **dict.fromkeys(AUROCS, np.float32),
    "weak_share": np.float32,
    "margin_sd": np.float32,  # relative to the mean margin
}
#: Columns of the heads that predict the source of a film.
SOURCE_COLUMNS = {
    "situation": np.str_,
    "source": np.str_,
    "films": np.int16,
    "deal": np.int16,
    "auroc": np.float32,
}


def file_of(key: PlaceKey) -> Path:
    """The file of the linear heads of a place: in git, or under ``outputs``."""
    names = (key.experiment, key.profile, key.source)
    if key.recorded:
        return LINEAR_HEADS.recorded_file(*names)
    return LINEAR_HEADS.folder(*names) / "heads.npz"


def write_heads(
    key: PlaceKey, heads: pd.DataFrame, sources: pd.DataFrame, features_of: str
) -> Path:
    """Write the tables of heads and of sources, whole or not at all; returns the file.

    Parameters
    ----------
    key : PlaceKey
        Where.
    heads, sources : pandas.DataFrame
        With the columns :data:`HEAD_COLUMNS` and :data:`SOURCE_COLUMNS`.
    features_of : str
        Of which network, with which weights, the features are.
    """
    tables = {"heads": (heads, HEAD_COLUMNS), "sources": (sources, SOURCE_COLUMNS)}
    arrays = {
        f"{name}/{column}": table[column].to_numpy().astype(dtype)
        for name, (table, columns) in tables.items()
        for column, dtype in columns.items()
    }
    arrays["features_of"] = np.array([features_of])
    file = file_of(key)
    with atomic_path(file) as temporary:
        np.savez_compressed(temporary, **arrays)
    return file


def read_heads(key: PlaceKey) -> pd.DataFrame:
    """The linear heads of a place, one per line; with its columns even without lines.

    A damaged file of this machine counts as not there.

    Parameters
    ----------
    key : PlaceKey
        Where.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`HEAD_COLUMNS`: the AUROCs on validation and test films of the sources that
        train (``inside``) and of others (``outside``), the share of the squared weight on the
        weaker half of the directions, and the SD of the margins as a share of their mean.

    Raises
    ------
    DamagedError
        The recorded file is damaged.
    """
    return _read(key, "heads", HEAD_COLUMNS)


def read_source_heads(key: PlaceKey) -> pd.DataFrame:
    """How well a linear head tells the films of each source from all others.

    Parameters
    ----------
    key : PlaceKey
        Where.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`SOURCE_COLUMNS`; with them even without lines.

    Raises
    ------
    DamagedError
        The recorded file is damaged.
    """
    return _read(key, "sources", SOURCE_COLUMNS)


def _read(key: PlaceKey, name: str, columns: Mapping[str, type]) -> pd.DataFrame:
    arrays = _arrays(key)
    if not arrays:
        return pd.DataFrame(columns=list(columns))
    return pd.DataFrame({column: arrays[f"{name}/{column}"] for column in columns})


def _arrays(key: PlaceKey) -> dict[str, np.ndarray]:
    """The arrays of both tables of a place; empty where there are none."""
    file = file_of(key)
    if not key.recorded:
        check_declared(key)
        return if_whole(read_arrays, file, _check) or {}
    return read_arrays(file, _check, key.remedy) if os.path.exists(file) else {}


def _check(arrays: Mapping[str, np.ndarray]) -> None:
    """Raise a ValueError that says what is not as :func:`write_heads` leaves it."""
    about = arrays.get("features_of")
    if about is None or about.dtype.kind != "U" or about.shape != (1,):
        raise ValueError("expected features_of to say which network the features are of")
    for name, columns in (("heads", HEAD_COLUMNS), ("sources", SOURCE_COLUMNS)):
        lengths = set()
        for column, dtype in columns.items():
            found = arrays.get(f"{name}/{column}")
            if found is None or found.ndim != 1 or found.dtype.kind != np.dtype(dtype).kind:
                raise ValueError(f"expected a column {name}/{column} of {np.dtype(dtype).name}")
            lengths.add(len(found))
        if len(lengths) > 1:
            raise ValueError(f"expected columns of one length in {name}, got {sorted(lengths)}")
    for column in (*(f"heads/{one}" for one in AUROCS), "sources/auroc"):
        # Not NaN either.
        if not ((arrays[column] >= 0) & (arrays[column] <= 1)).all():
            raise ValueError(f"expected numbers from 0 to 1 in {column}")
    unknown = set(arrays["heads/stage"].tolist()) - set(STAGES)
    if unknown:
        raise ValueError(f"expected stages among {', '.join(STAGES)}, got {min(unknown)!r}")


def record(experiment: str, profile: str, source: str) -> str:
    """Copy this machine's linear heads to the recorded ones; says so, or nothing without any."""
    own = PlaceKey(experiment, profile, source, THIS_RUN)
    if if_whole(read_arrays, file_of(own), _check) is None:
        return ""
    recorded = file_of(PlaceKey(experiment, profile, source))
    with atomic_path(recorded) as temporary:
        temporary.write_bytes(file_of(own).read_bytes())
    return "linear heads recorded"
