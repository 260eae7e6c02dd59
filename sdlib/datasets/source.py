"""A source: a place where images come from, which knows its loader, its folder and its needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from sdlib.checks import known
from sdlib.datasets.splits import PAPER_PATIENTS, PARTS
from sdlib.datasets.store import data_folder
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError

__all__ = ["Request", "Source", "balanced", "balanced_rows"]


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
    more_folders : tuple of str
        Others that it needs beside ``folder``.
    fetch : str
        The command that gets the files, if there is one.
    procedural : bool
        Whether its tiles are drawn: what was built into them is no finding about the world.
    parts : tuple of str
        The parts that it has: a set that is published for testing only has no other.
    version : int or str
        Of images that are drawn, or of a folder's content: when it changes, rows are stale.
    images : int
        How many there are, as many of each class; 0 where this is not known beforehand.
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
    version: int | str = 0
    more_folders: tuple[str, ...] = ()
    images: int = 0

    def tiles(self, request: Request) -> TileSet:
        """The tiles of a part, not yet balanced between the classes.

        Raises
        ------
        ConfigError
            A part or a restriction that this source does not have.
        DataError
            The source is not at hand; the sentence says how to get it.
        """
        known("part", request.part, PARTS)
        if request.part not in self.parts:
            raise ConfigError(
                f"the source {self.name} has no part {request.part!r}, only "
                f"{', '.join(self.parts)}: choose another source for the others"
            )
        unknown = sorted(set(request.where) - set(self.where))
        if unknown:
            names = ", ".join(self.where) or "none"
            raise ConfigError(
                f"the source {self.name} knows no restriction {unknown[0]!r}; expected: {names}"
            )
        return self.load(request)

    def most(self, part: str, count: int) -> int | None:
        """How many tiles of a part are used at most, in the paper's shares; None for all of them.

        >>> from sdlib.datasets.sources import SOURCES
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

        >>> from sdlib.datasets.sources import SOURCES
        >>> SOURCES["open"].trains, SOURCES["peso"].trains
        (True, False)
        """
        return set(self.parts) == set(PARTS)

    @property
    def state(self) -> str:
        """Whether it can be used on this machine, in words.

        >>> from sdlib.datasets.sources import SOURCES
        >>> SOURCES["phantom"].state
        'ready'
        """
        if not self.folder:
            return "ready"
        try:
            found = [str(data_folder(name)) for name in (self.folder, *self.more_folders)]
            return f"found in {', '.join(found)}"
        except DataError as error:
            hint = f" It can be had by '{self.fetch}'." if self.fetch else ""
            return f"{error}{hint}"


def balanced(tiles: TileSet, seed: int, most: int | None = None) -> TileSet:
    """As many benign as cancerous tiles (at most ``most`` in all), drawn by ``seed``, in order."""
    return tiles.subset(balanced_rows(tiles.targets, seed, most))


def balanced_rows(targets: np.ndarray, seed: int, most: int | None = None) -> np.ndarray:
    """The rows that :func:`balanced` draws, sorted.

    >>> balanced_rows(np.array([0, 1, 1, 0, 1, 1]), seed=0).tolist()
    [0, 2, 3, 5]
    """
    rng = np.random.default_rng(seed)
    each = min(np.bincount(targets, minlength=2))
    if most is not None:
        each = min(each, most // 2)
    chosen = [rng.choice(np.flatnonzero(targets == c), each, replace=False) for c in (0, 1)]
    return np.sort(np.concatenate(chosen))
