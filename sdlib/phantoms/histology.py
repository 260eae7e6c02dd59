"""Procedural H&E prostate tiles of which every property is known.

Data card. **x**: RGB uint8 tiles of any size, always the same 192 um of tissue (0.86 um per pixel
at 224 px, 3 um at 64 px): size changes the sampling, not the scene. **y**: 0 benign, 1 cancer,
exactly balanced. **Metadata**: patient, cohort, scanner, centre and every latent factor of
``FACTORS``. **Groups**: patients; each has benign and cancerous tiles. **Licence**: the project's
own. The tiles model what matters to a network, not the disease: benign glands are large, folded
and two-layered; cancerous glands are small, round, crowded and one-layered, with large dark
nucleolated nuclei. The two classes overlap in every one of these properties. Stain, scanner and
stroma tell nothing of the class. A tile's pixels depend on its factors, never on its target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from sdlib.errors import ConfigError
from sdlib.phantoms.chance import bits, normals, uniforms
from sdlib.phantoms.cohorts import CENTRES, COHORTS, SCANNERS, Cohort, find_cohort
from sdlib.phantoms.factors import FACTORS, Factor
from sdlib.phantoms.optics import develop
from sdlib.phantoms.tile import FIELD_UM, HistologyTile
from sdlib.phantoms.tissue import paint

__all__ = [
    "COHORTS",
    "FACTORS",
    "FIELD_UM",
    "MIN_SIZE",
    "PHANTOM_VERSION",
    "Cohort",
    "Factor",
    "HistologyTile",
    "draw_tiles",
    "render",
    "tabulate",
]

PHANTOM_VERSION = 1
"""Raised whenever a tile's pixels or factors change: caches of another version are not read."""

MIN_SIZE = 16
"""Smallest side in pixels that can be rendered."""

PAINTED_PX = 128  # tiles below this size are painted larger and then averaged


def draw_tiles(
    n: int, seed: int, cohort: str = "development", scanner: str | None = None
) -> list[HistologyTile]:
    """Draw the factors of ``n`` tiles, half of them cancer.

    Tiles come in pairs from one patient, one benign and one cancerous in random order, and each
    run of ``n_patients`` pairs visits every patient once. Patients belong to the cohort: another
    seed draws other tiles of the same patients. Tile i does not depend on ``n``.

    Parameters
    ----------
    n : int
        Number of tiles, at least 1; an odd number leaves the last pair without its second tile.
    seed : int
        At least 0.
    cohort : str
        A key of ``COHORTS``.
    scanner : str, optional
        One of the cohort's scanners, by default its first. The same seed with another scanner
        draws the same tissue, scanned again.

    Returns
    -------
    list of HistologyTile
        ``n`` tiles.

    Raises
    ------
    ConfigError
        An unknown cohort or scanner, ``n`` below 1, a negative seed.

    Examples
    --------
    >>> tiles = draw_tiles(60, seed=0)
    >>> sum(tile.target for tile in tiles), len({tile.patient for tile in tiles})
    (30, 30)
    """
    where, scanner = find_cohort(cohort, scanner)
    if n < 1 or seed < 0:
        raise ConfigError(f"expected n of at least 1 and seed of at least 0, got {n} and {seed}")
    index = np.arange(n)
    pair = index // 2
    # Odd tiles are of the class that the even tile before them is not.
    first = (uniforms(f"{cohort} target", seed, pair) < 0.5).astype(np.int64)
    targets = np.where(index % 2 == 0, first, 1 - first)
    patients = _patients(where, seed, pair)
    seeds = bits(f"{cohort} tile", seed, index) >> np.uint64(1)  # they fit into int64
    columns = _factor_columns(where, scanner, targets, patients, seeds)
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [
        HistologyTile(
            target=target,
            patient=f"{cohort}-{patient:02d}",
            cohort=cohort,
            scanner=scanner,
            centre=where.centre,
            seed=tile_seed,
            **dict(zip(columns, row, strict=True)),
        )
        for target, patient, tile_seed, row in zip(
            targets.tolist(), patients.tolist(), seeds.tolist(), rows, strict=True
        )
    ]


def _factor_columns(
    cohort: Cohort, scanner: str, targets: np.ndarray, patients: np.ndarray, seeds: np.ndarray
) -> dict[str, np.ndarray]:
    """Every factor of n tiles as the tiles store it, float64 (n,) each."""
    columns = {
        name: factor.values(targets, _z(factor, cohort, patients, targets, seeds))
        for name, factor in FACTORS.items()
    }
    # Drawn is the share of the area, so that small glands are more numerous, not sparser.
    share = columns.pop("gland_share")
    columns["gland_density"] = share / (np.pi * columns["gland_size"] ** 2) * 1e6
    centre = CENTRES[cohort.centre]
    columns["haematoxylin"] *= centre.haematoxylin_mean * cohort.haematoxylin_drift
    columns["eosin"] *= centre.eosin_mean * cohort.eosin_drift
    columns["sharpness"] *= SCANNERS[scanner].sharpness
    return columns


def _patients(cohort: Cohort, seed: int, pair: np.ndarray) -> np.ndarray:
    """The patient of each pair: a new random order of all patients in each block of pairs."""
    block, place = np.divmod(pair, cohort.n_patients)
    name = f"{cohort.name} patient"
    count = np.arange(cohort.n_patients)
    orders = [
        np.argsort(bits(name, seed, i * cohort.n_patients + count)) for i in range(block[-1] + 1)
    ]
    return np.stack(orders)[block, place]


def _z(
    factor: Factor, cohort: Cohort, patients: np.ndarray, targets: np.ndarray, seeds: np.ndarray
) -> np.ndarray:
    """Standard normals, float64 (n,), of which the patient's effect is a share of the variance."""
    # A stain belongs to the slide, a grade to the tumour: only what tells the classes apart differs
    # between a patient's benign and cancerous tissue.
    kinds = 2 if factor.informative else 1
    tissue = np.arange(kinds * cohort.n_patients).reshape(cohort.n_patients, kinds)
    effects = normals(f"{cohort.name} {factor.name}", 0, tissue)
    # Few patients: without this, their mean would move a whole class away from ``FACTORS``.
    effects = (effects - effects.mean(0)) / effects.std(0)
    of_patient = effects[patients, targets % kinds]
    of_tile = normals(f"tile {factor.name}", seeds)
    return np.sqrt(factor.patient_share) * of_patient + np.sqrt(1 - factor.patient_share) * of_tile


def render(tile: HistologyTile, size: int = 224, jpeg: bool = True) -> np.ndarray:
    """Make the pixels of a tile; they are the same every time.

    Parameters
    ----------
    tile : HistologyTile
        What to paint.
    size : int
        Side in pixels, at least 16.
    jpeg : bool
        Whether to compress as the scanner does. Compression spreads a change over its block of
        16 px; without it a factor reaches only its own pixels and their point spread.

    Returns
    -------
    numpy.ndarray
        uint8 (size, size, 3), RGB.

    Raises
    ------
    ConfigError
        A size below 16.

    Examples
    --------
    >>> render(draw_tiles(1, seed=0)[0], size=64).shape
    (64, 64, 3)
    """
    if size < MIN_SIZE:
        raise ConfigError(f"expected a size of at least {MIN_SIZE} px, got {size}")
    # A nucleus of two pixels keeps its shape only if it is painted larger and averaged.
    oversampling = max(1, -(-PAINTED_PX // size))
    haematoxylin, eosin = paint(tile, size * oversampling)
    return develop(tile, haematoxylin, eosin, size, jpeg)


def tabulate(tiles: Sequence[HistologyTile]) -> dict[str, np.ndarray]:
    """Turn tiles into columns, one array per attribute.

    Parameters
    ----------
    tiles : sequence of HistologyTile
        n tiles.

    Returns
    -------
    dict of str to numpy.ndarray
        (n,) each, by the attribute's name.

    Examples
    --------
    >>> tabulate(draw_tiles(2, seed=0))["centre"].tolist()
    ['helsinki', 'helsinki']
    """
    return {
        field.name: np.array([getattr(tile, field.name) for tile in tiles])
        for field in fields(HistologyTile)
    }
