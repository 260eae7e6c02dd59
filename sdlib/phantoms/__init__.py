"""Procedural images of which every property is known and can be changed alone.

- :mod:`sdlib.phantoms.tile`: the description of a tile, one value per latent factor.
- :mod:`sdlib.phantoms.factors`, :mod:`sdlib.phantoms.cohorts`: how factors are drawn; centres,
  scanners and cohorts.
- :mod:`sdlib.phantoms.acquisition`, :mod:`sdlib.phantoms.annotation`: the same tissue stained or
  scanned elsewhere; labels with errors.
- :mod:`sdlib.phantoms.histology`: from a seed to tiles, from a tile to pixels.
- :mod:`sdlib.phantoms.glands`, :mod:`~sdlib.phantoms.nuclei`, :mod:`~sdlib.phantoms.texture`,
  :mod:`~sdlib.phantoms.tissue`, :mod:`~sdlib.phantoms.optics`: the steps of rendering.
- :mod:`sdlib.phantoms.chance`: random numbers by name.
- :mod:`sdlib.phantoms.radiograph`: chest radiographs, a package of its own.

Many images at once, kept on disk, are a data set: :mod:`sdlib.datasets.phantom`,
:mod:`sdlib.datasets.phantom_films`.
"""

from sdlib.phantoms.acquisition import MAGNIFICATIONS, Acquisition
from sdlib.phantoms.annotation import ANNOTATIONS, Annotation, annotate
from sdlib.phantoms.cohorts import CENTRES, COHORTS, SCANNERS, Centre, Cohort, Scanner
from sdlib.phantoms.factors import FACTORS, Factor
from sdlib.phantoms.histology import PHANTOM_VERSION, draw_tiles, render, tabulate
from sdlib.phantoms.optics import stain_matrix
from sdlib.phantoms.tile import FIELD_UM, HistologyTile

__all__ = [
    "ANNOTATIONS",
    "CENTRES",
    "COHORTS",
    "FACTORS",
    "FIELD_UM",
    "MAGNIFICATIONS",
    "PHANTOM_VERSION",
    "SCANNERS",
    "Acquisition",
    "Annotation",
    "Centre",
    "Cohort",
    "Factor",
    "HistologyTile",
    "Scanner",
    "annotate",
    "draw_tiles",
    "render",
    "stain_matrix",
    "tabulate",
]
