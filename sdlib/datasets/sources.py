"""Where images come from: one object per source, which knows its loader, its folder, its needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sdlib.datasets.camelyon17 import load_camelyon17
from sdlib.datasets.open_he import load_open_pcam
from sdlib.datasets.panda import PROVIDERS, load_panda
from sdlib.datasets.pcam import load_pcam
from sdlib.datasets.peso import load_peso
from sdlib.datasets.phantom_cohorts import RESTRICTIONS, load_phantom
from sdlib.datasets.splits import PAPER_PATIENTS, PARTS, grouped_split
from sdlib.datasets.store import data_folder
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError

__all__ = ["SOURCES", "Request", "Source", "balanced", "source_of"]

#: Whether a part of Camelyon17-WILDS is of the training hospitals; the official choice first.
DISTRIBUTIONS = {"train": ("in",), "validation": ("out", "in"), "test": ("out",)}


@dataclass(frozen=True)
class Request:
    """Which tiles of a source are wanted.

    Parameters
    ----------
    part : str
        One of :data:`sdlib.datasets.splits.PARTS`.
    size : int
        Side of a tile in pixels.
    count : int
        The profile's number of tiles: how many are drawn (phantom), or the most that are used.
    seed : int
        Of the tiles that are drawn, and of the deal of patients.
    where : mapping of str to str
        Restrictions such as ``{"cluster": "A"}``; which are known depends on the source.
    """

    part: str
    size: int
    count: int
    seed: int
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """A place where images come from.

    Parameters
    ----------
    name, title, description : str
        Used in commands; what a heading calls it; shown in tables.
    load : callable
        A :class:`Request` to a TileSet, not yet balanced between the classes.
    where : tuple of str
        The restrictions that ``load`` understands.
    folder : str
        Name of its folder under ``SDLIB_DATA``; empty where no files are needed.
    limited : bool
        Whether a profile's number of tiles is a limit (files) rather than what is drawn (phantom).
    fetch : str
        The command that gets the files, if there is one.
    procedural : bool
        Whether its tiles are drawn: what was built into them is no finding about the world.
    parts : tuple of str
        The parts that it has: a set that is published for testing only has no other.
    """

    name: str
    title: str
    description: str
    load: Callable[[Request], TileSet] = field(repr=False)
    where: tuple[str, ...] = ()
    folder: str = ""
    limited: bool = True
    fetch: str = ""
    procedural: bool = False
    parts: tuple[str, ...] = PARTS

    def tiles(self, request: Request) -> TileSet:
        """The tiles of a part, not yet balanced between the classes.

        Raises
        ------
        ConfigError
            A part or a restriction that this source does not have.
        DataError
            The source is not at hand; the sentence says how to get it.
        """
        if request.part not in PARTS:
            raise ConfigError(f"unknown part {request.part!r}; expected one of: {', '.join(PARTS)}")
        if request.part not in self.parts:
            raise ConfigError(
                f"the source {self.name} has no part {request.part!r}, only "
                f"{', '.join(self.parts)}: choose another source for the others"
            )
        unknown = sorted(set(request.where) - set(self.where))
        if unknown:
            known = ", ".join(self.where) or "none"
            raise ConfigError(
                f"the source {self.name} knows no restriction {unknown[0]!r}; expected: {known}"
            )
        return self.load(request)

    def most(self, part: str, count: int) -> int | None:
        """How many tiles of a part are used at most, in the paper's shares; None for all of them.

        >>> SOURCES["open"].most("test", 3000), SOURCES["phantom"].most("test", 3000)
        (500, None)
        """
        if not self.limited:
            return None
        share = PAPER_PATIENTS[PARTS.index(part)] / sum(PAPER_PATIENTS)
        return round(count * share)

    @property
    def trains(self) -> bool:
        """Whether it has all parts that a network needs: to be trained, chosen and tested.

        >>> SOURCES["open"].trains, SOURCES["peso"].trains
        (True, False)
        """
        return set(self.parts) == set(PARTS)

    @property
    def state(self) -> str:
        """Whether it can be used on this machine, in words.

        >>> SOURCES["phantom"].state
        'ready'
        """
        if not self.folder:
            return "ready"
        try:
            return f"found in {data_folder(self.folder)}"
        except DataError as error:
            hint = f" It can be had by '{self.fetch}'." if self.fetch else ""
            return f"{error}{hint}"


def balanced(tiles: TileSet, seed: int, most: int | None = None) -> TileSet:
    """As many benign as cancerous tiles (at most ``most`` in all), drawn by ``seed``, in order."""
    rng = np.random.default_rng(seed)
    each = min(np.bincount(tiles.targets, minlength=2))
    if most is not None:
        each = min(each, most // 2)
    chosen = [rng.choice(np.flatnonzero(tiles.targets == c), each, replace=False) for c in (0, 1)]
    return tiles.subset(np.sort(np.concatenate(chosen)))


def _phantom(request: Request) -> TileSet:
    return load_phantom(request.part, request.size, request.count, request.seed, request.where)


def _open(request: Request) -> TileSet:
    tiles = load_open_pcam(request.part, size=request.size)
    if "cluster" not in request.where:
        return tiles
    column = tiles.factors["stain_cluster"]
    return tiles.subset(column == _known("cluster", request.where["cluster"], ("A", "B")))


def _pcam(request: Request) -> TileSet:
    return load_pcam(request.part, size=request.size)


def _camelyon17(request: Request) -> TileSet:
    part, where = request.part, request.where
    known = DISTRIBUTIONS[part]
    # The official validation part is of another hospital than the training part.
    distribution = _known(
        f"distribution of the part {part!r}", where.get("distribution", known[0]), known
    )
    inside = (part, distribution) == ("validation", "in")
    tiles = load_camelyon17("id_validation" if inside else part, size=request.size)
    if "centre" not in where:
        return tiles
    column = tiles.factors["centre"]
    centres = sorted(set(column))
    return tiles.subset(column == _known(f"centre of {part!r}", where["centre"], centres))


def _peso(request: Request) -> TileSet:
    return load_peso(size=request.size)


def _panda(request: Request) -> TileSet:
    centre = request.where.get("centre")
    if centre is not None:
        _known("centre", centre, PROVIDERS)
    tiles = load_panda(provider=centre, size=request.size)
    # There is no official split: slides are dealt in the paper's shares.
    shares = np.array(PAPER_PATIENTS) / sum(PAPER_PATIENTS)
    fractions = dict(zip(PARTS, shares.tolist(), strict=True))
    dealt = grouped_split(tiles.targets, tiles.groups, fractions, request.seed)
    return tiles.subset(dealt[request.part])


def _known(kind: str, name: str, names: Sequence[str] | Mapping[str, object]) -> str:
    if name not in names:
        raise ConfigError(f"unknown {kind} {name!r}; expected one of: {', '.join(names)}")
    return name


SOURCES = {
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


def source_of(name: str) -> Source:
    """The source called ``name``.

    Raises
    ------
    ConfigError
        There is none of that name.
    """
    return SOURCES[_known("source", name, SOURCES)]
