"""Procedural chest radiographs of which every property is known.

Data card. **x**: grey uint8 films of any size from 32 px, always the same field: size changes the
sampling, not the scene. **y**: 1 COVID-19, 0 none. **Groups**: patients of one to three films.
**Metadata**: hospital and every factor of ``FILM_FACTORS``. **Licence**: the project's own.

The disease is one number, ``opacity``: how strong bilateral, peripheral, lower opacities are. The
healthy have some haze, so that the classes overlap: who knows the opacity of each film and nothing
else reaches an AUROC of 0.946 (:func:`bayes_auroc`). Anatomy varies between patients and says
nothing of the class.

Hospitals sign their films by five parts: laterality token, border, contrast, pose and burned-in
text. A hospital draws its signature without regard to the class, except that in hospital a 60 % of
the positive and 35 % of the negative patients' films are AP. Hospital b has 1 % of positive
patients; c is for tests. :func:`with_signature` gives a film one part of another hospital's
signature. Pixels depend on factors alone, never on the target.

- :mod:`~sdlib.phantoms.radiograph.film`, :mod:`~sdlib.phantoms.radiograph.film_factors`: the
  description of a film.
- :mod:`~sdlib.phantoms.radiograph.hospitals`, :mod:`~sdlib.phantoms.radiograph.signature`,
  :mod:`~sdlib.phantoms.radiograph.drawing`: how factors are drawn.
- :mod:`~sdlib.phantoms.radiograph.frame`, :mod:`~sdlib.phantoms.radiograph.organs`,
  :mod:`~sdlib.phantoms.radiograph.bones`, :mod:`~sdlib.phantoms.radiograph.vessels`: outlines.
- :mod:`~sdlib.phantoms.radiograph.densities`, :mod:`~sdlib.phantoms.radiograph.opacities`,
  :mod:`~sdlib.phantoms.radiograph.overlays`, :mod:`~sdlib.phantoms.radiograph.rendering`: pixels.
- :mod:`~sdlib.phantoms.radiograph.bayes`: how well anyone could do.

Many films at once, kept on disk, are a data set: :mod:`sdlib.datasets.phantom_films`.
"""

from sdlib.phantoms.radiograph.bayes import bayes_auroc
from sdlib.phantoms.radiograph.drawing import draw_films
from sdlib.phantoms.radiograph.film import Film, tabulate_films
from sdlib.phantoms.radiograph.film_factors import FILM_FACTORS, SIGNATURE_PARTS, FilmFactor
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
    "bayes_auroc",
    "draw_films",
    "lung_mask",
    "render_film",
    "render_visible",
    "tabulate_films",
    "with_signature",
]
