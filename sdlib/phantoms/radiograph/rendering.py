"""From a film's factors to its pixels: attenuation, curve, what lies over.

The curve from density to grey is a function of one pixel, and borders, tokens and texts are laid
over its result, so that each factor reaches its own pixels and no others.
"""

from __future__ import annotations

import cv2
import numpy as np

from sdlib.errors import ConfigError
from sdlib.phantoms.chance import bits
from sdlib.phantoms.radiograph.densities import clear_lungs, healthy_density, organ_planes
from sdlib.phantoms.radiograph.film import Film
from sdlib.phantoms.radiograph.frame import Frame
from sdlib.phantoms.radiograph.opacities import opacities
from sdlib.phantoms.radiograph.organs import Chest
from sdlib.phantoms.radiograph.overlays import border_cover, text_cover, token_cover

__all__ = ["FILM_VERSION", "MIN_FILM_SIZE", "lung_mask", "render_film", "render_visible"]

FILM_VERSION = 1
"""Raised whenever a film's pixels or factors change: caches of another version are not read."""

MIN_FILM_SIZE = 32
"""Smallest side in pixels that can be rendered."""

VISIBLE = ("lungs", "surroundings")  # what :func:`render_visible` can leave

PAINTED_PX = 192  # films below this size are painted larger and then averaged


def _painted(size: int) -> int:
    """Side at which a film of ``size`` px is painted."""
    if size < MIN_FILM_SIZE:
        raise ConfigError(f"expected a size of at least {MIN_FILM_SIZE} px, got {size}")
    return size * max(1, -(-PAINTED_PX // size))


def _shrunk(plane: np.ndarray, size: int) -> np.ndarray:
    """A painted plane averaged to ``size`` px, float32."""
    plane = plane.astype(np.float32)
    if len(plane) == size:
        return plane
    return cv2.resize(plane, (size, size), interpolation=cv2.INTER_AREA)


def lung_mask(film: Film, size: int = 224) -> np.ndarray:
    """Where the lungs are, except for what lies behind heart, mediastinum and diaphragm.

    Opacities are inside: no pixel outside the mask depends on any factor of the disease.

    Parameters
    ----------
    film : Film
        Its anatomy and pose are used.
    size : int
        Side in pixels, at least 32.

    Returns
    -------
    numpy.ndarray
        bool (size, size): pixels of which any part is lung.

    Raises
    ------
    ConfigError
        A size below 32.

    Examples
    --------
    >>> from sdlib.phantoms.radiograph import draw_films
    >>> mask = lung_mask(draw_films(1, seed=0)[0], 64)
    >>> mask.shape, bool(0.15 < mask.mean() < 0.5)
    ((64, 64), True)
    """
    side = _painted(size)
    clear = clear_lungs(*organ_planes(Chest(film), Frame(film, side)))
    return _shrunk(clear, size) > 0


def _grey(film: Film, density: np.ndarray) -> np.ndarray:
    """Grey levels 0 to 255 of densities, with noise, in steps of the bit depth; float32."""
    place = (density - film.window_centre) / film.window_width
    if film.curve == "sigmoid":
        share = 1 / (1 + np.exp(-4.0 * place))
    else:
        share = np.clip(place + 0.5, 0, 1)
    rng = np.random.Generator(np.random.SFC64(int(bits("noise", film.seed)[0])))
    share += film.noise / 255 * rng.standard_normal(share.shape, np.float32)
    steps = 2**film.bit_depth - 1
    return np.rint(np.clip(share, 0, 1) * steps) * np.float32(255 / steps)


def render_film(film: Film, size: int = 224) -> np.ndarray:
    """Make the pixels of a film; they are the same every time.

    Parameters
    ----------
    film : Film
        What to paint.
    size : int
        Side in pixels, at least 32.

    Returns
    -------
    numpy.ndarray
        uint8 (size, size), grey.

    Raises
    ------
    ConfigError
        A size below 32.

    Examples
    --------
    >>> from sdlib.phantoms.radiograph import draw_films
    >>> render_film(draw_films(1, seed=0)[0], 64).shape
    (64, 64)
    """
    side = _painted(size)
    chest, frame = Chest(film), Frame(film, side)
    density, air = healthy_density(chest, frame)
    density += opacities(chest, frame) * air
    image = _grey(film, _shrunk(density, size))
    for cover, grey in (
        (border_cover(film, side), film.border_grey),
        (token_cover(film, side), film.token_grey),
        (text_cover(film, side), film.text_grey),
    ):
        if cover is not None:
            image += _shrunk(cover, size) / 255 * (grey - image)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def render_visible(film: Film, size: int = 224, visible: str = "") -> np.ndarray:
    """Make the pixels of a film, with its lungs or all but its lungs hidden.

    What is hidden has the mean grey of what stays visible, so that it tells nothing more; only the
    outline between the two remains.

    Parameters
    ----------
    film : Film
        What to paint.
    size : int
        Side in pixels, at least 32.
    visible : str
        ``lungs``, ``surroundings``, or empty for all.

    Returns
    -------
    numpy.ndarray
        uint8 (size, size), grey.

    Raises
    ------
    ConfigError
        As :func:`render_film`; something else that shall be visible.

    Examples
    --------
    >>> from sdlib.phantoms.radiograph import draw_films
    >>> film = draw_films(1, seed=0)[0]
    >>> image = render_visible(film, 64, "lungs")
    >>> len(set(image[~lung_mask(film, 64)].tolist()))
    1
    """
    if visible not in ("", *VISIBLE):
        raise ConfigError(f"expected {' or '.join(VISIBLE)} to be visible, got {visible!r}")
    image = render_film(film, size)
    if visible:
        shown = lung_mask(film, size) == (visible == "lungs")
        image[~shown] = round(float(image[shown].mean()))
    return image
