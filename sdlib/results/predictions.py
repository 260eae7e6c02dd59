"""Predictions: the logits of every run on every cohort, and the targets they belong to.

Runs write float32. What is recorded in git is float16 (three digits), and cohorts of the same tiles
share one copy of the targets. Every sign is exact, so no decision at a cut-off of .5 changes; ties
of close neighbours move an AUROC by up to .0002. The metrics in rows are those of float32.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sdlib.errors import DataError
from sdlib.experiments import Experiment, Run
from sdlib.files import atomic_path, damaged, if_whole, read_arrays
from sdlib.results.key import PlaceKey
from sdlib.results.rows import rows_of_today

__all__ = [
    "compact",
    "found_predictions",
    "lengths_that_differ",
    "own_predictions",
    "own_targets",
    "read_predictions",
    "write_recorded",
]

KINDS = {"logits": "f", "targets": "iu", "groups": "iu"}  # kinds of NumPy's types
#: Standard deviation of logits, in steps of float16, below which they would be tied too often.
FEWEST_STEPS = 100
SMALLEST = np.finfo(np.float16).smallest_subnormal


def recorded_file(key: PlaceKey) -> Path:
    """Where the predictions of a place are recorded."""
    return key.recorded_file(".npz")


def compact(values: np.ndarray) -> np.ndarray:
    """Logits as float16 that are on the same side of 0, or as float32 where that is too coarse.

    Parameters
    ----------
    values : numpy.ndarray
        Floats; other arrays are returned as they are.

    Returns
    -------
    numpy.ndarray
        float16, relative error at most 2**-11 within the range of the type. Logits that hardly
        differ from each other, so that float16 would tie many of them, are float32.

    Examples
    --------
    >>> compact(np.array([-1e-12, 0.1234567], np.float32)).tolist()
    [-5.960464477539063e-08, 0.12347412109375]
    """
    if values.dtype.kind != "f":
        return values
    limit = np.finfo(np.float16).max
    small = np.clip(values, -limit, limit).astype(np.float16)
    steps = np.abs(np.spacing(np.median(np.abs(small)))) if len(small) else 0
    wide = values.astype(np.float64)  # in float16 differences and squares of logits overflow
    if len(small) > 1 and np.ptp(wide) > 0 and wide.std() < FEWEST_STEPS * steps:
        return values.astype(np.float32)
    # A logit too small for the type would become 0, which counts as positive.
    return np.where((values < 0) & (small == 0), -SMALLEST, small).astype(np.float16)


def read_predictions(key: PlaceKey) -> dict[str, np.ndarray]:
    """Logits of every run and the targets they belong to.

    Returns
    -------
    dict of str to numpy.ndarray
        ``arm/seedK/cohort.logits``, float16 as recorded or float32 of this machine, (n,);
        ``cohort.targets``, int8 (n,), and ``cohort.groups``, integers (n,), where known, of the
        first cohort with those tiles.

    Raises
    ------
    DataError
        There are none, or the recorded file is damaged.
    """
    found = found_predictions(key)
    if not found:
        raise DataError(
            f"no predictions of {key.experiment} on {key.source}, {key.profile} ({key.origin}): "
            "run the experiment first"
        )
    return found


def found_predictions(key: PlaceKey) -> dict[str, np.ndarray]:
    """Logits and targets of a place; an empty dict where there are none.

    Their names are those of :func:`read_predictions`.

    Raises
    ------
    DataError
        The recorded file is damaged, or there are more or fewer logits than targets.
    """
    file = recorded_file(key)
    if not key.recorded:
        found = _own(key)
    elif os.path.exists(file):
        found = read_arrays(file, _check, key.remedy)
    else:
        found = {}
    for _, why in lengths_that_differ(key.definition, found):
        if key.recorded:
            raise damaged(file, why, key.remedy)
        where = f"{key.experiment} on {key.source}, {key.profile}"
        raise DataError(f"{why} ({where}, {key.origin}): run the experiment anew")
    return found


def lengths_that_differ(
    experiment: Experiment, arrays: Mapping[str, np.ndarray]
) -> list[tuple[str, str]]:
    """The logits that are more or fewer than their cohort's targets, and a sentence on each."""
    found = []
    for name, values in arrays.items():
        path, _, kind = name.rpartition(".")
        cohort = path.rpartition("/")[2]
        if kind != "logits" or cohort not in experiment.evaluation:
            continue
        owner = experiment.cohort_of_targets(cohort)
        targets = arrays.get(f"{owner}.targets")
        if targets is not None and len(targets) != len(values):
            sentence = (
                f"expected {len(targets)} logits in {name}, as many as there are targets of "
                f"{owner}, got {len(values)}"
            )
            found.append((name, sentence))
    return found


def own_predictions(run: Run) -> dict[str, np.ndarray] | None:
    """The logits that a run has left on this machine; None if there are none, or damaged ones."""
    return if_whole(read_arrays, run.folder / "predictions.npz", _check)


def own_targets(run: Run) -> dict[str, np.ndarray] | None:
    """The targets that a run has left on this machine; None if there are none, or damaged ones."""
    return if_whole(read_arrays, run.folder / "targets.npz", _check)


def _check(arrays: Mapping[str, np.ndarray]) -> None:
    """Raise a ValueError that says which array is not as it was written."""
    if not any(name.endswith((".logits", ".targets")) for name in arrays):
        raise ValueError("no logits or targets")
    for name, values in arrays.items():
        kind = name.rpartition(".")[2]
        if kind not in KINDS:  # what a measurement has added
            continue
        if values.ndim != 1 or values.dtype.kind not in KINDS[kind]:
            raise ValueError(f"expected {kind} (n,) in {name}, got {values.dtype} {values.shape}")
        if kind == "logits" and not np.isfinite(values).all():
            raise ValueError(f"expected finite logits in {name}")
        if kind == "targets" and not ((values == 0) | (values == 1)).all():
            raise ValueError(f"expected targets 0 and 1 in {name}")
        if kind == "groups":
            targets = arrays.get(name.removesuffix("groups") + "targets", values)
            if len(targets) != len(values):
                raise ValueError(f"expected {len(targets)} groups in {name}, got {len(values)}")


def _own(key: PlaceKey) -> dict[str, np.ndarray]:
    counted = {(row["arm"], row["seed"]) for row in rows_of_today(key)}
    found = {}
    for run in key.runs:
        if (run.arm, run.seed) not in counted:
            continue
        for name, values in (own_predictions(run) or {}).items():
            found[f"{run.arm}/seed{run.seed}/{name}"] = values
        found.update(own_targets(run) or {})
    return found


def write_recorded(key: PlaceKey, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the recorded predictions of a place, whole or not at all."""
    with atomic_path(recorded_file(key)) as temporary:
        np.savez_compressed(temporary, **{name: compact(one) for name, one in arrays.items()})
