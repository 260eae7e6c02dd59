"""Measuring how sharp the tiles of each scanner (or stain cluster) are: Figure 2, claim C7."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from sdlib.datasets.open_he import load_open_pcam
from sdlib.datasets.phantom import generate
from sdlib.datasets.source import balanced
from sdlib.datasets.splits import PARTS
from sdlib.datasets.tiles import TileSet
from sdlib.errors import DataError
from sdlib.experiments.measurements import SHARPNESS
from sdlib.files import write_json
from sdlib.metrics import laplacian_variance
from sdlib.results.key import THIS_RUN, PlaceKey
from sdlib.results.sharpness import Sharpness, write_sharpness

__all__ = ["PHANTOM_SETS", "PHANTOM_TILES", "make", "measured"]

#: The evaluation sets of section 3.3: cohort and scanner by title.
PHANTOM_SETS = {
    "Axio Scan, first cohort": ("development", "axioscan"),
    "Axio Scan, later cohort": ("later", "axioscan"),
    "Flash III, first cohort": ("development", "flash3"),
    "Flash II, other centre": ("external", "flash2"),
}
PHANTOM_SIZE = 224  # the paper's; at 64 px a tile's finest detail is averaged away
PHANTOM_TILES = {
    "smoke": 40,
    "quick": 200,
    "laptop": 1000,
    "long": 2000,
    "gpu": 2000,
    "paper": 10_000,
}
SEED = 7  # no tile of a training or test set
CHUNK = 256  # tiles in memory at a time


def _of(tiles: TileSet, scanner: str) -> Sharpness:
    variances = [
        laplacian_variance(image)
        for start in range(0, len(tiles), CHUNK)
        for image in tiles.batch(np.arange(start, min(start + CHUNK, len(tiles))))
    ]
    _, codes = np.unique(tiles.groups, return_inverse=True)
    # A tile of one colour has variance 0: half a grey level's worth of rounding keeps the log.
    values = np.log10(np.maximum(variances, 0.25)).astype(np.float32)
    return Sharpness(scanner, values, codes.astype(np.int32))


def measured(profile: str, source: str) -> dict[str, Sharpness]:
    """Measure the sharpness of a source's sets now: phantom scanners, or stain clusters.

    The clusters are PatchCamelyon's. Sets are balanced between the classes, since cancer is sharper
    or less sharp than benign tissue whatever the scanner.

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
    if source not in SHARPNESS.sources:
        raise DataError(
            f"the source {source} tells neither scanners nor stain clusters apart; "
            f"expected one of: {', '.join(SHARPNESS.sources)}"
        )
    tiles = TileSet.joined([load_open_pcam(part) for part in PARTS])
    cluster = tiles.factors["stain_cluster"]
    return {
        f"stain cluster {name}": _of(balanced(tiles.subset(cluster == name), SEED), name)
        for name in ("A", "B")
    }


def make(experiment: str, profile: str, source: str, log: Callable[[str], None] = print) -> Path:
    """Measure, and write the sharpness of every set under ``outputs``; returns the file."""
    key = PlaceKey(experiment, profile, source, THIS_RUN)
    sets = measured(profile, source)
    file = write_sharpness(key, sets)
    counts = {title: len(one.values) for title, one in sets.items()}
    write_json(SHARPNESS.done_file(experiment, profile, source), counts)
    log(f"{experiment}: sharpness of {', '.join(sets)}")
    return file
