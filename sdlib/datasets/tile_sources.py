"""Where tiles of stained tissue come from: one object per source.

Loaders are called as names of ``datasets``, which imports each when it is first used: most
processes load one source or none, and all of them together take seconds to import.
"""

from __future__ import annotations

import numpy as np

from sdlib import datasets
from sdlib.checks import known
from sdlib.datasets.phantom_cohorts import RESTRICTIONS, load_phantom
from sdlib.datasets.source import Request, Source
from sdlib.datasets.splits import PAPER_PATIENTS, PARTS, grouped_split
from sdlib.datasets.tiles import TileSet
from sdlib.phantoms.histology import PHANTOM_VERSION

__all__ = ["TILE_SOURCES"]

#: Whether a part of Camelyon17-WILDS is of the training hospitals; the official choice first.
DISTRIBUTIONS = {"train": ("in",), "validation": ("out", "in"), "test": ("out",)}


def _phantom(request: Request) -> TileSet:
    return load_phantom(request.part, request.size, request.count, request.seed, request.where)


def _open(request: Request) -> TileSet:
    tiles = datasets.load_open_pcam(request.part, size=request.size)
    if "cluster" not in request.where:
        return tiles
    column = tiles.factors["stain_cluster"]
    return tiles.subset(column == known("cluster", request.where["cluster"], ("A", "B")))


def _pcam(request: Request) -> TileSet:
    return datasets.load_pcam(request.part, size=request.size)


def _camelyon17(request: Request) -> TileSet:
    part, where = request.part, request.where
    there = DISTRIBUTIONS[part]
    # The official validation part is of another hospital than the training part.
    distribution = known(
        f"distribution of the part {part!r}",
        where.get("distribution", there[0]),
        there,
    )
    inside = (part, distribution) == ("validation", "in")
    tiles = datasets.load_camelyon17("id_validation" if inside else part, size=request.size)
    if "centre" not in where:
        return tiles
    column = tiles.factors["centre"]
    centres = sorted(set(column))
    return tiles.subset(column == known(f"centre of {part!r}", where["centre"], centres))


def _peso(request: Request) -> TileSet:
    return datasets.load_peso(size=request.size)


def _panda(request: Request) -> TileSet:
    from sdlib.datasets.panda import PROVIDERS

    centre = request.where.get("centre")
    if centre is not None:
        known("centre", centre, PROVIDERS)
    tiles = datasets.load_panda(provider=centre, size=request.size)
    # There is no official split: slides are dealt in the paper's shares.
    shares = np.array(PAPER_PATIENTS) / sum(PAPER_PATIENTS)
    fractions = dict(zip(PARTS, shares.tolist(), strict=True))
    dealt = grouped_split(tiles.targets, tiles.groups, fractions, request.seed)
    return tiles.subset(dealt[request.part])


TILE_SOURCES = {
    source.name: source
    for source in (
        Source(
            "phantom",
            "phantom (procedural tissue)",
            "procedural prostate tissue, made on the spot",
            _phantom,
            where=RESTRICTIONS,
            limited=False,
            procedural=True,
            version=PHANTOM_VERSION,
        ),
        Source(
            "open",
            "PatchCamelyon (lymph nodes)",
            "PatchCamelyon tiles in the folder open-pcam under SDLIB_DATA",
            _open,
            where=("cluster",),
            folder="open-pcam",
        ),
        Source(
            "pcam",
            "PatchCamelyon, as published",
            "PatchCamelyon as published (HDF5), in the folder pcam under SDLIB_DATA",
            _pcam,
            folder="pcam",
            fetch="python -m sdlib fetch pcam",
        ),
        Source(
            "camelyon17",
            "Camelyon17-WILDS (five hospitals)",
            "Camelyon17-WILDS as published, split by hospital, in the folder camelyon17 under "
            "SDLIB_DATA",
            _camelyon17,
            where=("centre", "distribution"),
            folder="camelyon17",
            fetch="python -m sdlib fetch camelyon17",
        ),
        Source(
            "panda",
            "PANDA (biopsies of two centres)",
            "PANDA's biopsies as published, cut into tiles, in the folder panda under SDLIB_DATA",
            _panda,
            where=("centre",),
            folder="panda",
            fetch="python -m sdlib fetch panda",
        ),
        Source(
            "peso",
            "PESO's test set (Radboud)",
            "PESO's test regions as published, for testing only, in the folder peso under "
            "SDLIB_DATA",
            _peso,
            folder="peso",
            fetch="python -m sdlib fetch peso",
            parts=("test",),
        ),
    )
}
