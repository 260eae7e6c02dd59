"""Phantom films with the masks of their lungs, in the form of :mod:`sdlib.datasets.v7_lungs`."""

from __future__ import annotations

import numpy as np

from sdlib.datasets.v7_lungs import LungMasks
from sdlib.phantoms.radiograph import HOSPITALS, draw_films, render_film
from sdlib.phantoms.radiograph.densities import organ_planes
from sdlib.phantoms.radiograph.frame import Frame
from sdlib.phantoms.radiograph.organs import Chest

__all__ = ["phantom_lungs"]


def phantom_lungs(count: int, size: int, seed: int) -> LungMasks:
    """Draw films of all phantom hospitals, and the masks of their lungs.

    As in the masks of V7 Labs, the part of a lung behind the heart counts as lung, that behind
    the mediastinum does not. (:func:`~sdlib.phantoms.radiograph.lung_mask` leaves out both.)

    Parameters
    ----------
    count : int
        Number of films.
    size : int
        Side in pixels.
    seed : int
        Of the films.

    Returns
    -------
    LungMasks
        Its sources are the phantom hospitals, its groups the patients.

    Raises
    ------
    ConfigError
        If the count is below the number of hospitals, or the size too small to be drawn.

    Examples
    --------
    >>> lungs = phantom_lungs(4, size=64, seed=0)
    >>> lungs.films.shape, lungs.masks.shape
    ((4, 64, 64, 3), (4, 64, 64))
    """
    films = []
    for number, hospital in enumerate(HOSPITALS):
        # As equal shares as can be.
        share = len(range(number, count, len(HOSPITALS)))
        films += draw_films(share, seed, hospital)
    grey = np.stack([render_film(film, size) for film in films])
    masks = np.stack([_mask(film, size) for film in films])
    groups = np.array([film.patient for film in films])
    sources = np.array([film.hospital for film in films])
    return LungMasks(np.repeat(grey[..., None], 3, axis=3), masks, groups, sources)


def _mask(film, size: int) -> np.ndarray:
    """Lungs in front of or behind the heart, uint8 ``(size, size)``, 0 or 255."""
    lungs, _, mediastinum = organ_planes(Chest(film), Frame(film, size))
    return np.where((lungs > 127) & (mediastinum <= 127), 255, 0).astype(np.uint8)
