"""Where films of the chest come from: one object per source.

Each knows the same two restrictions, so that one experiment can be run on all of them.
``situation``: ``shared``, where both classes come from the same places, or ``added``, where most
negatives come from places of their own. ``place``: ``inside``, or ``outside`` for testing alone.

Loaders are called as names of ``datasets``, which imports each when it is first used: most
processes load one source or none, and all of them together take seconds to import.
"""

from __future__ import annotations

import numpy as np

from sdlib import datasets
from sdlib.checks import known
from sdlib.datasets.phantom_films import FILM_RESTRICTIONS, load_phantom_films
from sdlib.datasets.source import Request, Source
from sdlib.datasets.splits import PAPER_FILMS, grouped_split
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError
from sdlib.phantoms.radiograph import FILM_VERSION

__all__ = ["FILM_SOURCES", "joined_films"]


def _phantom(request: Request) -> TileSet:
    return load_phantom_films(
        request.part, request.size, request.count, request.seed, request.where
    )


def _open(request: Request) -> TileSet:
    return datasets.load_open_cxr(
        request.part, size=request.size, seed=request.seed, **request.where
    )


#: Shares of the paper's collections. It sets 5 % aside for validation; we set 5 % more aside, to
#: test inside.
SHARES = {"train": 1 - 2 * PAPER_FILMS, "validation": PAPER_FILMS, "test": PAPER_FILMS}
SITUATIONS = ("shared", "added")
PLACES = ("inside", "outside")


def _published(request: Request) -> TileSet:
    """The paper's collections: BIMCV, with PadChest or without, and COVIDx8 outside."""
    situation = known("situation", request.where.get("situation", "shared"), SITUATIONS)
    place = known("place", request.where.get("place", "inside"), PLACES)
    if place == "outside":
        if request.part != "test":
            raise ConfigError(f"COVIDx8 has no part {request.part!r} here: it is for testing only")
        return datasets.load_covidx8(size=request.size)
    share = SHARES["test"]
    bimcv = datasets.load_bimcv(request.part, size=request.size, seed=request.seed, test=share)
    if situation == "shared":
        return bimcv
    padchest = datasets.load_padchest(size=request.size)
    dealt = grouped_split(padchest.targets, padchest.groups, SHARES, request.seed)
    return joined_films([bimcv, padchest.subset(dealt[request.part])])


def joined_films(sets: list[TileSet]) -> TileSet:
    """Several sets one after the other, with the factors that all of them have.

    Parameters
    ----------
    sets : list of TileSet
        Each with the factor ``source``, which becomes part of its groups' names: two collections
        may call different patients alike.
    """
    shared = [name for name in sets[0].factors if all(name in one.factors for one in sets)]
    renamed = []
    for one in sets:
        groups = np.array(
            [
                f"{source}/{group}"
                for source, group in zip(one.factors["source"], one.groups, strict=True)
            ]
        )
        factors = {name: one.factors[name] for name in shared}
        renamed.append(TileSet(one.store, one.targets, groups, factors))
    return TileSet.joined(renamed)


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
            where=("situation", "place", "visible"),
            folder="open-cxr",
        ),
        Source(
            "bimcv",
            "BIMCV, PadChest and COVIDx8",
            "the paper's collections of films as published, in the folders bimcv-plus, "
            "bimcv-minus, padchest and covidx8 under SDLIB_DATA",
            _published,
            where=("situation", "place"),
            folder="bimcv-plus",
            more_folders=("bimcv-minus", "padchest", "covidx8"),
            fetch="python -m sdlib fetch bimcv-plus",
        ),
    )
}
