"""Procedural chest radiographs of which every property is known."""

from sdlib.phantoms.radiograph.drawing import draw_films
from sdlib.phantoms.radiograph.film import Film, tabulate_films
from sdlib.phantoms.radiograph.film_factors import (
    FILM_FACTORS,
    SIGNATURE_PARTS,
    FilmFactor,
    opacity_auroc,
)
from sdlib.phantoms.radiograph.hospitals import HOSPITALS, Hospital
from sdlib.phantoms.radiograph.rendering import (
    FILM_VERSION,
    lung_mask,
    render_film,
    render_visible,
)
from sdlib.phantoms.radiograph.signature import with_signature

__all__ = [
    "FILM_FACTORS",
    "FILM_VERSION",
    "HOSPITALS",
    "SIGNATURE_PARTS",
    "Film",
    "FilmFactor",
    "Hospital",
    "draw_films",
    "lung_mask",
    "opacity_auroc",
    "render_film",
    "render_visible",
    "tabulate_films",
    "with_signature",
]
