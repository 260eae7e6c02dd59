"""Predictions: the logits of every run on every cohort, and the targets they belong to.

Runs write float32. What is recorded in git is float16 (three digits), and cohorts of the same tiles
share one copy of the targets. Every sign is exact, so no decision at a cut-off of .5 changes; ties
of close neighbours move an AUROC by up to .0002. The metrics in rows are those of float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sdlib.errors import DataError
from sdlib.files import atomic_path
from sdlib.results.key import PlaceKey

__all__ = ["compact", "read_predictions", "write_recorded"]

SMALLEST = np.finfo(np.float16).smallest_subnormal


def recorded_file(key: PlaceKey) -> Path:
    """Where the predictions of a place are recorded."""
    return key.recorded_file(".npz")


def compact(values: np.ndarray) -> np.ndarray:
    """Logits as float16 that are on the same side of 0 as they were.

    Parameters
    ----------
    values : numpy.ndarray
        Floats; other arrays are returned as they are.

    Returns
    -------
    numpy.ndarray
        float16, relative error at most 2**-11 within the range of the type.

    Examples
    --------
    >>> compact(np.array([-1e-12, 0.1234567], np.float32)).tolist()
    [-5.960464477539063e-08, 0.12347412109375]
    """
    if values.dtype.kind != "f":
        return values
    limit = np.finfo(np.float16).max
    small = np.clip(values, -limit, limit).astype(np.float16)
    # A logit too small for the type would become 0, which counts as positive.
    return np.where((values < 0) & (small == 0), -SMALLEST, small).astype(np.float16)


def read_predictions(key: PlaceKey) -> dict[str, np.ndarray]:
    """Logits of every run and the targets they belong to.

    Returns
    -------
    dict of str to numpy.ndarray
        ``arm/seedK/cohort.logits``, float16 as recorded or float32 of this machine, (n,);
        ``cohort.targets``, int8 (n,), and ``cohort.groups``, int16 (n,), where known, of the
        first cohort with those tiles.

    Raises
    ------
    DataError
        There are none.
    """
    found = _stored(recorded_file(key)) if key.recorded else _own(key)
    if not found:
        raise DataError(
            f"no predictions of {key.experiment} on {key.source}, {key.profile} ({key.origin}): "
            "run the experiment first"
        )
    return found


def _stored(file: Path) -> dict[str, np.ndarray]:
    if not file.exists():
        return {}
    with np.load(file) as stored:
        return dict(stored)


def _own(key: PlaceKey) -> dict[str, np.ndarray]:
    found = {}
    for run in key.runs:
        if not run.row_file.exists():
            continue
        for name, values in _stored(run.folder / "predictions.npz").items():
            found[f"{run.arm}/seed{run.seed}/{name}"] = values
        found.update(_stored(run.folder / "targets.npz"))
    return found


def write_recorded(key: PlaceKey, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the recorded predictions of a place, whole or not at all."""
    with atomic_path(recorded_file(key)) as temporary:
        np.savez_compressed(temporary, **{name: compact(one) for name, one in arrays.items()})
