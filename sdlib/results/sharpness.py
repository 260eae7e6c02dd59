"""How sharp are the tiles of one scanner, cohort or centre, read back (Figure 2, claim C7).

Sharpness is the variance of the Laplacian of a tile. Two sets are told apart by the AUROC of that
one number: the probability that a random tile of the one is sharper than one of the other.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sdlib.experiments.measurements import SHARPNESS
from sdlib.files import atomic_path, if_whole, read_arrays
from sdlib.results.key import THIS_RUN, PlaceKey, check_declared

__all__ = ["Sharpness", "file_of", "pairs", "read_sharpness", "record", "write_sharpness"]

BOOTSTRAP = 500


@dataclass(frozen=True)
class Sharpness:
    """The sharpness of one set of tiles.

    Parameters
    ----------
    scanner : str
        What the sets are told apart by: a scanner, or a stain cluster.
    values : numpy.ndarray
        float32 (n,), log10 of the variance of the Laplacian, grey levels squared.
    groups : numpy.ndarray
        Whole numbers (n,): tiles with one number are of one patient.
    """

    scanner: str
    values: np.ndarray
    groups: np.ndarray


def file_of(key: PlaceKey) -> Path:
    """The file of the sharpness of a place: in git, or under ``outputs``."""
    names = (key.experiment, key.profile, key.source)
    if key.recorded:
        return SHARPNESS.recorded_file(*names)
    return SHARPNESS.folder(*names) / "sharpness.npz"


def write_sharpness(key: PlaceKey, sets: Mapping[str, Sharpness]) -> Path:
    """Write the sharpness of sets of tiles, whole or not at all; returns the file."""
    arrays = {}
    for title, one in sets.items():
        arrays[f"{one.scanner}/{title}/values"] = one.values
        arrays[f"{one.scanner}/{title}/groups"] = one.groups
    file = file_of(key)
    with atomic_path(file) as temporary:
        np.savez_compressed(temporary, **arrays)
    return file


def read_sharpness(key: PlaceKey) -> dict[str, Sharpness]:
    """The sharpness of every set of tiles that was measured, by title; empty without any.

    A damaged file of this machine counts as not there.

    Raises
    ------
    DamagedError
        The recorded file is damaged.

    Examples
    --------
    >>> read_sharpness(PlaceKey("robustness", "smoke", "pcam"))
    {}
    """
    file = file_of(key)
    if not key.recorded:
        check_declared(key)
        arrays = if_whole(read_arrays, file, _check) or {}
    elif os.path.exists(file):
        arrays = read_arrays(file, _check, key.remedy)
    else:
        arrays = {}
    found = {}
    for name in dict.fromkeys(name.rsplit("/", 1)[0] for name in arrays):
        scanner, title = name.split("/", 1)
        found[title] = Sharpness(scanner, arrays[f"{name}/values"], arrays[f"{name}/groups"])
    return found


def _check(arrays: Mapping[str, np.ndarray]) -> None:
    """Raise a ValueError that says what is not as :func:`write_sharpness` leaves it."""
    sets = {name.rpartition("/")[0] for name in arrays}
    if not sets or any("/" not in name for name in sets):
        raise ValueError("no sharpness: expected scanner/title/values and scanner/title/groups")
    for name in sorted(sets):
        both = [arrays.get(f"{name}/{kind}") for kind in ("values", "groups")]
        if any(one is None or one.ndim != 1 for one in both) or len(both[0]) != len(both[1]):
            raise ValueError(f"expected as many values (n,) as groups in {name}")
        values, groups = both
        if values.dtype.kind != "f" or not len(values) or not np.isfinite(values).all():
            raise ValueError(f"expected finite floats in {name}/values")
        if groups.dtype.kind not in "iu" or groups.min() < 0:
            raise ValueError(f"expected whole numbers of at least 0 in {name}/groups")


def _resampler(one: Sharpness) -> Callable[[np.random.Generator], np.ndarray]:
    """Draws patients with replacement, then each one's tiles; tiles alone where all differ."""
    members, sizes = np.argsort(one.groups, kind="stable"), np.bincount(one.groups)
    starts, values = np.cumsum(sizes) - sizes, one.values

    def draw(rng: np.random.Generator) -> np.ndarray:
        if len(sizes) == len(values):
            return rng.choice(values, len(values))
        patients = rng.integers(len(sizes), size=len(sizes))
        lengths = sizes[patients]
        first, length = np.repeat(starts[patients], lengths), np.repeat(lengths, lengths)
        return values[members[first + (rng.random(len(length)) * length).astype(int)]]

    return draw


def _above(values: np.ndarray, others: np.ndarray) -> float:
    """AUROC of two samples: the share of pairs in which the first is larger, ties a half."""
    others = np.sort(others)
    below = np.searchsorted(others, values, "left") + np.searchsorted(others, values, "right")
    return float(below.mean() / (2 * len(others)))


def pairs(sets: Mapping[str, Sharpness], resamples: int = BOOTSTRAP, seed: int = 0) -> pd.DataFrame:
    """How well sharpness alone tells every two sets apart.

    Parameters
    ----------
    sets : mapping of str to Sharpness
        By title.
    resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        first, second, same_scanner, auroc (probability that a tile of the first is sharper), low
        and high (95 % bootstrap over patients and their tiles), groups (the smaller number of
        patients; of tiles where patients are unknown). Has its columns even without lines.
    """
    rng, lines = np.random.default_rng(seed), []
    for (title, one), (rival, other) in itertools.combinations(sets.items(), 2):
        draw, redraw = _resampler(one), _resampler(other)
        draws = [_above(draw(rng), redraw(rng)) for _ in range(resamples)]
        low, high = np.quantile(draws, (0.025, 0.975))
        lines.append(
            {
                "first": title,
                "second": rival,
                "same_scanner": one.scanner == other.scanner,
                "auroc": _above(one.values, other.values),
                "low": float(low),
                "high": float(high),
                "groups": min(len(np.unique(one.groups)), len(np.unique(other.groups))),
            }
        )
    columns = ["first", "second", "same_scanner", "auroc", "low", "high", "groups"]
    return pd.DataFrame(lines, columns=columns)


def record(experiment: str, profile: str, source: str) -> str:
    """Copy this machine's sharpness to the recorded one; says so, or nothing without any."""
    own = PlaceKey(experiment, profile, source, THIS_RUN)
    if if_whole(read_arrays, file_of(own), _check) is None:
        return ""
    recorded = file_of(PlaceKey(experiment, profile, source))
    with atomic_path(recorded) as temporary:
        temporary.write_bytes(file_of(own).read_bytes())
    return "the sharpness of scanners recorded"
