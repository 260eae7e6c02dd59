"""Procedural images whose every property is known and can be changed alone."""

from sdlib.phantoms.cache import cache_folder, generate
from sdlib.phantoms.cohorts import CENTRES, COHORTS, SCANNERS, Centre, Cohort, Scanner
from sdlib.phantoms.factors import FACTORS, Factor
from sdlib.phantoms.histology import (
    FIELD_UM,
    PHANTOM_VERSION,
    HistologyTile,
    draw_tiles,
    render,
    tabulate,
)
from sdlib.phantoms.optics import stain_matrix

__all__ = [
    "CENTRES",
    "COHORTS",
    "FACTORS",
    "FIELD_UM",
    "PHANTOM_VERSION",
    "SCANNERS",
    "Centre",
    "Cohort",
    "Factor",
    "HistologyTile",
    "Scanner",
    "cache_folder",
    "draw_tiles",
    "generate",
    "render",
    "stain_matrix",
    "tabulate",
]
