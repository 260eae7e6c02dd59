"""Procedural H&E prostate tiles whose every property is known.

Data card. **x**: RGB uint8 tiles of any size, always the same 192 um of tissue (0.86 um a pixel at
224 px, 3 um at 64 px): size changes the sampling, not the scene. **y**: 0 benign, 1 cancer, exactly
balanced. **Metadata**: patient, cohort, scanner, centre and every latent factor of ``FACTORS``.
**Groups**: patients; each has benign and cancerous tiles. **Licence**: the project's own.
It is a model of what matters to a network, not of disease: benign glands are large, folded and
two-layered, cancerous ones small, round, crowded and one-layered with large dark nucleolated
nuclei, and every one of these distributions overlaps with the other class's. Stain, scanner and
stroma say nothing of the class. A tile's pixels depend on its factors, never on its target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from sdlib.errors import ConfigError
from sdlib.phantoms.chance import bits, normals, uniforms
from sdlib.phantoms.cohorts import CENTRES, COHORTS, SCANNERS, Cohort, find_cohort
from sdlib.phantoms.factors import FACTORS, Factor
from sdlib.phantoms.glands import FIELD_UM
from sdlib.phantoms.optics import develop
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


@dataclass(frozen=True)
class HistologyTile:
    """What a tile is made of; :func:`render` makes its pixels.

    Attributes:
        target: 0 benign, 1 cancer. Not used in rendering.
        patient: such as ``"development-07"``. Not used in rendering.
        cohort, scanner, centre: names; scanner and centre reach optics and stain vectors.
        seed: of everything that no factor names, such as where glands lie.
        gland_size: mean radius of a gland, um (smaller where glands would touch).
        gland_density: glands per mm2.
        lumen_fraction: area of the lumen as a share of its gland, 0 to 1.
        folding: papillary infolding of the lumen's border, share of radius.
        basal_layer: share of a gland's perimeter covered by basal cells, 0 to 1.
        nuclear_size: mean radius of a secretory nucleus, um.
        hyperchromasia: concentration of haematoxylin in secretory nuclei.
        nucleolar_prominence: share of secretory nuclei with a nucleolus, and its size, 0 to 1.
        pleomorphism: spread of the secretory nuclei's size, share of the radius.
        nuclear_spacing: arc from one secretory nucleus to the next, um.
        stroma_cellularity: spindle nuclei per mm2.
        inflammation: lymphocytes per mm2.
        fibre_angle: direction of the stroma's fibres, rad.
        haematoxylin, eosin: amounts of stain, relative to the development cohort's mean.
        stain_hue: turn of both stain vectors from blue towards red, rad.
        sharpness: 1 / standard deviation of the optical point spread, 1/um.

    >>> from dataclasses import replace
    >>> tile = draw_tiles(1, seed=0)[0]
    >>> faded = render(replace(tile, eosin=0.5 * tile.eosin))  # the same tissue, half the eosin
    """

    target: int
    patient: str
    cohort: str
    scanner: str
    centre: str
    seed: int
    gland_size: float
    gland_density: float
    lumen_fraction: float
    folding: float
    basal_layer: float
    nuclear_size: float
    hyperchromasia: float
    nucleolar_prominence: float
    pleomorphism: float
    nuclear_spacing: float
    stroma_cellularity: float
    inflammation: float
    fibre_angle: float
    haematoxylin: float
    eosin: float
    stain_hue: float
    sharpness: float


def draw_tiles(
    n: int, seed: int, cohort: str = "development", scanner: str | None = None
) -> list[HistologyTile]:
    """Draw ``n`` tiles, half of them cancer.

    Tiles come in pairs of one patient, one benign and one cancerous in random order, and each run
    of ``n_patients`` pairs visits every patient once. Patients belong to the cohort: another seed
    draws other tiles of the same patients. Tile i does not depend on ``n``.

    Args:
        n: number of tiles, at least 1; an odd one leaves the last pair without its second tile.
        seed: at least 0.
        cohort: one of ``COHORTS``.
        scanner: one of the cohort's, by default its first. The same seed with another scanner
            draws the same tissue, scanned again.

    Raises:
        ConfigError: an unknown cohort or scanner, ``n`` below 1, a negative seed.

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
    columns = {
        name: factor.values(targets, _z(factor, where, patients, targets, seeds))
        for name, factor in FACTORS.items()
    }
    share = columns.pop("gland_share")
    columns["gland_density"] = share / (np.pi * columns["gland_size"] ** 2) * 1e6
    centre = CENTRES[where.centre]
    columns["haematoxylin"] *= centre.haematoxylin_mean * where.haematoxylin_drift
    columns["eosin"] *= centre.eosin_mean * where.eosin_drift
    columns["sharpness"] *= SCANNERS[scanner].sharpness
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


def _patients(cohort: Cohort, seed: int, pair: np.ndarray) -> np.ndarray:
    """The patient of each pair: a fresh random order of all patients in each block of pairs."""
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
    """Standard normals of which the patient's effect has its share of the variance."""
    # A stain is the slide's, a grade the tumour's: only what tells the classes apart differs
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
    """The pixels of a tile; the same ones every time.

    Args:
        size: side in pixels, at least 16.
        jpeg: whether to compress as the scanner does. Compression spreads a change over its 16 px
            block; without it a factor reaches only its own pixels and their point spread.

    Returns:
        uint8, (size, size, 3), RGB.

    Raises:
        ConfigError: a size below 16.

    >>> render(draw_tiles(1, seed=0)[0], size=64).shape
    (64, 64, 3)
    """
    if size < MIN_SIZE:
        raise ConfigError(f"expected a size of at least {MIN_SIZE} px, got {size}")
    # Small tiles are painted larger and averaged, for nuclei of two pixels to keep their shape.
    oversampling = max(1, -(-128 // size))
    haematoxylin, eosin = paint(tile, size * oversampling)
    return develop(tile, haematoxylin, eosin, size, jpeg)


def tabulate(tiles: Sequence[HistologyTile]) -> dict[str, np.ndarray]:
    """The attributes of tiles as columns, one array of ``len(tiles)`` each.

    >>> tabulate(draw_tiles(2, seed=0))["centre"].tolist()
    ['helsinki', 'helsinki']
    """
    return {
        field.name: np.array([getattr(tile, field.name) for tile in tiles])
        for field in fields(HistologyTile)
    }
