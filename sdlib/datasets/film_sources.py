"""Where films of the chest come from: one object per source.

Each knows the same two restrictions, so that one experiment can be run on all of them.
``situation``: ``shared``, where both classes come from the same places, or ``added``, where most
negatives come from places of their own. ``place``: ``inside``, or ``outside`` for testing alone.
"""

from __future__ import annotations

from sdlib.datasets.open_cxr import load_open_cxr
from sdlib.datasets.phantom_films import FILM_RESTRICTIONS, load_phantom_films
from sdlib.datasets.source import Request, Source
from sdlib.datasets.tiles import TileSet
from sdlib.phantoms.radiograph import FILM_VERSION

__all__ = ["FILM_SOURCES"]


def _phantom(request: Request) -> TileSet:
    return load_phantom_films(
        request.part, request.size, request.count, request.seed, request.where
    )


def _open(request: Request) -> TileSet:
    return load_open_cxr(request.part, size=request.size, seed=request.seed, **request.where)


FILM_SOURCES = {
    source.name: source
    for source in (
        Source(
            "phantom",
            "phantom (procedural films)",
            "procedural films of the chest, made on the spot",
            _phantom,
            where=tuple(FILM_RESTRICTIONS),
            limited=False,
            procedural=True,
            version=FILM_VERSION,
        ),
        Source(
            "open",
            "open films (six collections)",
            "public films of the chest in the folder open-cxr under SDLIB_DATA",
            _open,
            where=("situation", "place"),
            folder="open-cxr",
        ),
    )
}
