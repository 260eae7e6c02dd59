"""How sharp are the tiles of one scanner, cohort or centre? Section 2.3.2 and Figure 2 (C7).

Sharpness is the variance of the Laplacian of a tile. Two sets are told apart by the AUROC of that
one number: the probability that a random tile of the one is sharper than one of the other.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sdlib import results
from sdlib.datasets.open_he import load_open_pcam
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError
from sdlib.experiments.profiles import PROFILES, SOURCES
from sdlib.files import atomic_path
from sdlib.metrics import laplacian_variance
from sdlib.paths import outputs_folder, recorded_folder
from sdlib.phantoms import generate
from sdlib.training.data import PARTS, balanced

__all__ = [
    "PHANTOM_SETS",
    "Sharpness",
    "execute",
    "file_of",
    "load",
    "measured",
    "pairs",
    "record",
    "stored_pairs",
]

#: The evaluation sets of section 3.3: cohort and scanner by title.
PHANTOM_SETS = {
    "Axio Scan, first cohort": ("development", "axioscan"),
    "Axio Scan, later cohort": ("later", "axioscan"),
    "Flash III, first cohort": ("development", "flash3"),
    "Flash II, other centre": ("external", "flash2"),
}
SOURCES_MEASURED = ("phantom", "open")
PHANTOM_SIZE = 224  # the paper's; at 64 px a tile's finest detail is averaged away
PHANTOM_TILES = {"smoke": 40, "quick": 200, "laptop": 1000, "long": 2000, "paper": 10_000}
SEED = 7  # no tile of a training or test set
BOOTSTRAP = 500


@dataclass(frozen=True)
class Sharpness:
    """One set's tiles.

    Parameters
    ----------
    scanner : str
        What the sets are told apart by: a scanner, or a stain cluster.
    values : numpy.ndarray
        float32 (n,), log10 of the variance of the Laplacian, grey levels squared.
    groups : numpy.ndarray
        int16 (n,): tiles with one number are of one patient.
    """

    scanner: str
    values: np.ndarray
    groups: np.ndarray


def _of(tiles: TileSet, scanner: str) -> Sharpness:
    variances = np.array([laplacian_variance(image) for image in tiles.images])
    _, codes = np.unique(tiles.groups, return_inverse=True)
    # A tile of one colour has variance 0: half a grey level's worth of rounding keeps the log.
    values = np.log10(np.maximum(variances, 0.25)).astype(np.float32)
    return Sharpness(scanner, values, codes.astype(np.int16))


def measured(profile: str, source: str) -> dict[str, Sharpness]:
    """Measure every set of a source now: phantom scanners, or PatchCamelyon's stain clusters.

    Sets are balanced between the classes, since cancer is sharper or less sharp than benign tissue
    whatever the scanner.

    Raises
    ------
    DataError
        The source is not at hand, or says neither scanner nor cluster.
    """
    if source == "phantom":
        count = PHANTOM_TILES[profile]
        return {
            title: _of(generate(count, PHANTOM_SIZE, SEED, cohort=cohort, scanner=scanner), scanner)
            for title, (cohort, scanner) in PHANTOM_SETS.items()
        }
    if source not in SOURCES_MEASURED:
        raise DataError(f"the source {source} tells neither scanners nor stain clusters apart")
    tiles = TileSet.joined([load_open_pcam(part) for part in PARTS])
    cluster = tiles.factors["stain_cluster"]
    return {
        f"stain cluster {name}": _of(balanced(tiles.subset(cluster == name), SEED), name)
        for name in ("A", "B")
    }


def file_of(profile: str, source: str, origin: str) -> Path:
    """Where a measurement is kept: in git, or under ``outputs``."""
    if origin == "recorded":
        return recorded_folder() / f"sharpness-{source}-{profile}.npz"
    return outputs_folder() / source / profile / "sharpness.npz"


def execute(profile: str, source: str) -> Path:
    """Measure, and write ``sharpness.npz`` under ``outputs``; returns the file."""
    _check(profile, source)
    file = file_of(profile, source, "this run")
    arrays = {}
    for title, one in measured(profile, source).items():
        arrays[f"{one.scanner}/{title}/values"] = one.values
        arrays[f"{one.scanner}/{title}/groups"] = one.groups
    with atomic_path(file) as temporary:
        np.savez_compressed(temporary, **arrays)
    return file


def load(profile: str, source: str, origin: str = "recorded") -> dict[str, Sharpness]:
    """What was measured, by title; empty if nothing was.

    Raises
    ------
    ConfigError
        An unknown profile, source or origin.

    >>> load("smoke", "pcam")
    {}
    """
    _check(profile, source)
    if origin not in results.ORIGINS:
        raise ConfigError(f"unknown origin {origin!r}; expected one of {results.ORIGINS}")
    file = file_of(profile, source, origin)
    if not file.exists():
        return {}
    with np.load(file) as stored:
        names = dict.fromkeys(name.rsplit("/", 1)[0] for name in stored)
        return {
            name.split("/", 1)[1]: Sharpness(
                name.split("/", 1)[0], stored[f"{name}/values"], stored[f"{name}/groups"]
            )
            for name in names
        }


def _check(profile: str, source: str) -> None:
    for kind, name, known in (("profile", profile, PROFILES), ("source", source, SOURCES)):
        if name not in known:
            raise ConfigError(f"unknown {kind} {name!r}; expected one of: {', '.join(known)}")


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


def pairs(sets: dict[str, Sharpness], resamples: int = BOOTSTRAP, seed: int = 0) -> pd.DataFrame:
    """Every two sets: how well sharpness alone tells them apart.

    Returns
    -------
    pandas.DataFrame
        first, second, same_scanner, auroc (probability that a tile of the first is sharper), low
        and high (95 % bootstrap over patients and their tiles), groups (the smaller number of
        patients; of tiles where patients are unknown).
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
    return pd.DataFrame(lines)


def stored_pairs(profile: str, source: str, origin: str = "recorded") -> pd.DataFrame:
    """:func:`pairs` of what :func:`load` finds, kept for the next question; empty without it."""
    file = file_of(profile, source, origin)
    return _pairs(profile, source, origin, file.stat().st_mtime_ns if file.exists() else 0)


@functools.lru_cache(maxsize=8)
def _pairs(profile: str, source: str, origin: str, written: int) -> pd.DataFrame:
    return pairs(load(profile, source, origin))


def record(profile: str, source: str) -> Path:
    """Copy this machine's measurement to ``data/results``; returns the file.

    Raises
    ------
    DataError
        There is none.
    """
    own = file_of(profile, source, "this run")
    if not own.exists():
        raise DataError(
            f"nothing to record: python -m sdlib sharpness --profile {profile} --source {source}"
        )
    with atomic_path(file_of(profile, source, "recorded")) as temporary:
        temporary.write_bytes(own.read_bytes())
    return file_of(profile, source, "recorded")
