"""Every place where images come from, by name and by what the images show."""

from __future__ import annotations

from sdlib.checks import known
from sdlib.datasets.film_sources import FILM_SOURCES
from sdlib.datasets.folder_names import FOLDER, is_folder
from sdlib.datasets.source import Source
from sdlib.datasets.tile_sources import TILE_SOURCES

__all__ = ["FILMS", "IMAGES", "SOURCES", "TILES", "check_source", "source_of"]

TILES, FILMS = "tiles", "films"

#: Sources by what their images show: tiles of stained tissue, films of the chest.
IMAGES = {TILES: TILE_SOURCES, FILMS: FILM_SOURCES}

#: Every source by name. ``phantom`` and ``open`` have both kinds of images; here they are of tiles.
SOURCES = TILE_SOURCES | {n: one for n, one in FILM_SOURCES.items() if n not in TILE_SOURCES}


def source_of(name: str, images: str = TILES) -> Source:
    """The source called ``name``.

    Parameters
    ----------
    name : str
        Such as ``phantom``, or that of a folder of your own
        (:func:`sdlib.datasets.folder_names.folder_name`).
    images : str
        What its images show: a key of :data:`IMAGES`. A folder's count as tiles.

    Raises
    ------
    ConfigError
        There is none of that name, or it has no such images.
    DataError
        A folder has no manifest, or one that breaks a rule.

    Examples
    --------
    >>> source_of("phantom", "films").title
    'phantom (procedural films)'
    """
    found = IMAGES[known("kind of images", images, IMAGES)]
    if images == TILES and is_folder(name):
        from sdlib.datasets.folder_source import folder_source  # torch and its company

        return folder_source(name)
    return found[known("source", name, found)]


def check_source(name: str) -> None:
    """Raise a ConfigError that lists the known names unless a source is one, or a folder.

    >>> check_source("phantom")
    """
    if not is_folder(name):
        known("source", name, (*SOURCES, f"{FOLDER}/A/FOLDER/OF/YOURS"))
