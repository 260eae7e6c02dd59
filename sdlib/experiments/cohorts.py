"""A cohort: which tiles of a source are trained or tested on, and how they are prepared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sdlib.datasets.source import Request, Source, balanced
from sdlib.datasets.sources import TILES, source_of
from sdlib.datasets.splits import PARTS
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError

__all__ = ["UNPREPARED", "Cohort", "Preparation", "load_cohort"]


def _as_they_are(tiles: TileSet, seed: int) -> TileSet:
    return tiles


@dataclass(frozen=True)
class Preparation:
    """What an experiment does to tiles before any network sees them.

    Parameters
    ----------
    name : str
        Part of a configuration's hash.
    function : callable
        Tiles and the experiment's data seed to prepared tiles.
    fitted : bool
        Whether the function also takes the training cohort's tiles, before their preparation: it
        is fitted on them, as a normaliser of stains is.
    """

    name: str
    function: Callable[..., TileSet] = field(repr=False, compare=False)
    fitted: bool = False

    def __call__(self, tiles: TileSet, seed: int, training: TileSet) -> TileSet:
        """Prepare tiles.

        Parameters
        ----------
        tiles : TileSet
            Of the cohort.
        seed : int
            The experiment's data seed.
        training : TileSet
            The training cohort's tiles, before their preparation.
        """
        if self.fitted:
            return self.function(tiles, seed, training)
        return self.function(tiles, seed)


UNPREPARED = Preparation("none", _as_they_are)


@dataclass(frozen=True)
class Cohort:
    """Tiles that networks are trained or tested on.

    Parameters
    ----------
    parts : tuple of str
        Parts of the source, one behind the other: ``train``, ``validation``, ``test``.
    where : mapping of str to str
        Restrictions that the source understands, such as ``{"cluster": "A"}``.
    prepare : Preparation
        What is done to the tiles.
    source : str
        Where its tiles come from, if not from the run's own source.
    whole : bool
        All tiles there are, whatever the profile's number of tiles.
    sources : tuple of str
        The run's sources on which it is tested; on all of them where this is empty.
    balanced : bool
        Whether the larger class is cut down to the smaller one; if not, all images are used.
    most : int
        Largest number of tiles, half of each class; 0 if the profile alone sets the limit.
    metrics_only : bool
        Whether rows hold its metrics while its logits are not kept, which would fill the disk
        where an experiment has many cohorts.

    Examples
    --------
    >>> Cohort(("test",), where={"scanner": "flash2", "cohort": "external"}).prepare.name
    'none'
    """

    parts: tuple[str, ...]
    where: Mapping[str, str] = field(default_factory=dict, hash=False)
    prepare: Preparation = UNPREPARED
    source: str = ""
    whole: bool = False
    sources: tuple[str, ...] = ()
    balanced: bool = True
    most: int = 0
    metrics_only: bool = False

    def __post_init__(self) -> None:
        unknown = [part for part in self.parts if part not in PARTS]
        if unknown or not self.parts:
            raise ConfigError(f"expected parts among {', '.join(PARTS)}, got {self.parts}")
        if self.most and not self.balanced:
            raise ConfigError("expected a cohort of at most so many tiles to be balanced")

    def same_tiles(self, other: Cohort) -> bool:
        """Whether both hold the same tiles, however prepared: then they share their targets.

        >>> Cohort(("test",)).same_tiles(Cohort(("test",), whole=True))
        False
        """
        return self._tiles == other._tiles

    @property
    def _tiles(self) -> tuple:
        """All that decides which tiles it holds."""
        where = self.parts, dict(self.where), self.source, self.sources
        return *where, self.whole, self.balanced, self.most


def load_cohort(
    cohort: Cohort, source: Source, size: int, count: int, seed: int, images: str = TILES
) -> TileSet:
    """The tiles of a cohort, balanced between the classes if it is so, before its preparation.

    Parameters
    ----------
    cohort : Cohort
    source : Source
        The run's; the cohort's own takes its place where it has one.
    size, count, seed : int
        As in :class:`sdlib.datasets.source.Request`.
    images : str
        What the images show, where the cohort has a source of its own.

    Raises
    ------
    ConfigError
        The source does not know one of the cohort's restrictions.
    DataError
        The source is not at hand; the sentence says how to get it.
    """
    if cohort.source:
        source = source_of(cohort.source, images)
    requests = [Request(part, size, count, seed, cohort.where) for part in cohort.parts]
    found = [source.tiles(request) for request in requests]
    tiles = found[0] if len(found) == 1 else TileSet.joined(found)
    if not cohort.balanced:
        return tiles
    most = None
    if not cohort.whole:
        limits = [source.most(part, count) for part in cohort.parts]
        most = None if None in limits else sum(limits)
    if cohort.most:
        most = min(cohort.most, most or cohort.most)
    return balanced(tiles, seed, most)
