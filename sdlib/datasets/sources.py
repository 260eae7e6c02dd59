"""Every place where images come from, by name and by what the images show."""

from __future__ import annotations

from sdlib.checks import known
from sdlib.datasets.film_sources import FILM_SOURCES
from sdlib.datasets.source import Source
from sdlib.datasets.tile_sources import TILE_SOURCES

__all__ = ["FILMS", "IMAGES", "SOURCES", "TILES", "source_of"]

TILES, FILMS = "tiles", "films"

#: Sources by what their images show: tiles of stained tissue, films of the chest.
IMAGES = {TILES: TILE_SOURCES, FILMS: FILM_SOURCES}

#: Every source by name. ``phantom`` and ``open`` have both kinds of images; here they are of tiles.
SOURCES = {**FILM_SOURCES, **TILE_SOURCES}


def source_of(name: str, images: str = TILES) -> Source:
    """The source called ``name``.

    Parameters
    ----------
    name : str
        Such as ``phantom``.
    images : str
        What its images show: a key of :data:`IMAGES`.

    Raises
    ------
    ConfigError
        There is none of that name, or it has no such images.

    Examples
    --------
    >>> source_of("phantom", "films").title
    'phantom (procedural films)'
    """
    found = IMAGES[known("kind of images", images, IMAGES)]
    return found[known("source", name, found)]
