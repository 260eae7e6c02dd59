"""Where tiles begin: by size, overlap and target resolution.

**The step.** The overlap is cut off to whole pixels and taken from the size: ``size - int(size *
overlap)``, so 512 px with an overlap of .2 have a step of 410, and 1024 px one of 820. That is the
rule of HistoPrep, the paper's tiler, when the paper was written. Others differ by a pixel, which
moves every tile: ``int(512 * .8)`` is 409, and rounding, as hs2p and later HistoPrep do, makes 819
of 1024. The product is computed in fractions, so that .29 of 100 is 29 and no less.

**The border.** A tile begins wherever the tile before it has not reached the border yet, so 2500 px
have six tiles of 512 px at a step of 410. The last one reaches beyond the border:

========== ========================================================================
``pad``    it is kept, and what is beyond the border is white (background)
``shift``  it is moved back until it ends at the border; tiles overlap more there
``drop``   it is left out, and a rim of the slide is in no tile
========== ========================================================================

**The level.** Tiles are read from the coarsest level that is at least as fine as the target. If it
is within 5 % of the target, its pixels are used as they are and the tile's resolution is that of
the level; else a larger region is read and averaged down to the tile.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from sdlib.checks import check_number, describe_value, is_number
from sdlib.errors import ConfigError

__all__ = [
    "BORDERS",
    "LARGEST_REGION",
    "TileGrid",
    "check_mpp",
    "grid_starts",
    "plan_grid",
    "tile_step",
]

BORDERS = ("pad", "shift", "drop")
TOLERANCE = 0.05  # relative difference from the target resolution
#: Side in pixels of the largest region that is read for a tile: 3 GiB of memory.
LARGEST_REGION = 1 << 15


class Pyramid(Protocol):
    """What a grid has to know about a slide; :class:`~sdlib.slides.slide.Slide` is one."""

    level_dimensions: Sequence[tuple[int, int]]
    level_downsamples: Sequence[float]
    mpp: float | None

    def known_mpp(self) -> float:
        """Microns per pixel of level 0, or an error."""


@dataclass(frozen=True)
class TileGrid:
    """The places of a slide's tiles.

    Parameters
    ----------
    size : int
        Side of a tile in pixels.
    level : int
        The level that tiles are read from.
    read_size : int
        Side of the region that is read for a tile, in pixels of the level.
    downsample : float
        Pixels of level 0 in a pixel of the level.
    mpp : float or None
        Microns per pixel of the tiles; None where the slide's are unknown.
    xs, ys : tuple of int
        Where tiles begin, in pixels of the level.
    """

    size: int
    level: int
    read_size: int
    downsample: float
    mpp: float | None
    xs: tuple[int, ...]
    ys: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.xs) * len(self.ys)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Corners ``(x, y)`` in pixels of the level, row by row."""
        for y in self.ys:
            for x in self.xs:
                yield x, y

    @property
    def size_0(self) -> int:
        """Side of a tile in pixels of level 0."""
        return round(self.read_size * self.downsample)

    def corner_0(self, x: int, y: int) -> tuple[int, int]:
        """A corner in pixels of level 0."""
        return round(x * self.downsample), round(y * self.downsample)


def check_mpp(mpp: float) -> None:
    """Raise an error unless a target resolution is a finite number above 0.

    Parameters
    ----------
    mpp : float
        Microns per pixel.

    Raises
    ------
    ConfigError
        Anything else.

    Examples
    --------
    >>> check_mpp(0.5)
    """
    if not is_number(mpp) or not 0 < mpp <= sys.float_info.max:
        raise ConfigError(
            "expected microns per pixel to be a finite number above 0, such as 0.5, got "
            f"{describe_value(mpp)}"
        )


def tile_step(size: int, overlap: float) -> int:
    """Pixels from one tile to the next: ``size - int(size * overlap)``.

    Parameters
    ----------
    size : int
        Side of a tile in pixels, at least 1.
    overlap : float
        Share of a tile that the next one repeats, from 0 to below 1.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    ConfigError
        A value out of its range.

    Examples
    --------
    >>> tile_step(512, 0.2), tile_step(1024, 0.2), tile_step(100, 0.29)
    (410, 820, 71)
    """
    check_number("size", size, 1, whole=True)
    check_number("overlap", overlap, 0, 1)
    if overlap == 1:
        raise ConfigError("expected overlap below 1, got 1: tiles would all begin at one place")
    return int(size) - math.floor(int(size) * Fraction(str(float(overlap))))


def grid_starts(length: int, size: int, step: float, border: str = "pad") -> tuple[int, ...]:
    """Where tiles begin along one side of an image.

    Parameters
    ----------
    length, size : int
        Pixels of the side and of a tile.
    step : float
        Pixels from one tile to the next; a start that is not whole is rounded, halves up.
    border : {"pad", "shift", "drop"}
        What becomes of a tile that reaches beyond the end (see the module).

    Returns
    -------
    tuple of int
        Ascending; empty if ``border`` is ``"drop"`` and no tile fits. A side shorter than a tile
        has one tile that begins at 0, padded, for ``"pad"`` and ``"shift"``.

    Raises
    ------
    ConfigError
        Another border.

    Examples
    --------
    >>> grid_starts(2500, 512, 410)
    (0, 410, 820, 1230, 1640, 2050)
    >>> grid_starts(2500, 512, 410, "shift")[-1], len(grid_starts(2500, 512, 410, "drop"))
    (1988, 5)
    """
    if border not in BORDERS:
        raise ConfigError(f"expected a border of {', '.join(BORDERS)}, got {border!r}")
    starts = [0]
    while starts[-1] + size < length:
        starts.append(math.floor(len(starts) * step + 0.5))
    if border == "shift":
        starts[-1] = max(0, min(starts[-1], length - size))
    if border == "drop" and starts[-1] + size > length:
        starts.pop()
    return tuple(starts)


def plan_grid(
    slide: Pyramid,
    size: int = 512,
    overlap: float = 0.2,
    mpp: float | None = None,
    border: str = "pad",
) -> TileGrid:
    """Lay a grid of tiles over a slide.

    Parameters
    ----------
    slide : Slide
        The slide.
    size : int
        Side of a tile in pixels.
    overlap : float
        Share of a tile that the next one repeats, from 0 to below 1.
    mpp : float, optional
        Target microns per pixel; by default the pixels of level 0 are used as they are.
    border : {"pad", "shift", "drop"}
        What becomes of tiles that reach beyond the slide (see the module).

    Returns
    -------
    TileGrid
        The places, row by row.

    Raises
    ------
    ConfigError
        A value out of its range; a target finer than the slide, or so coarse that a tile would be
        read from a region of more than 32,768 px.
    DataError
        There is a target, but the slide does not tell its resolution.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> slide = SimpleNamespace(level_dimensions=[(8000, 4000), (2000, 1000)],
    ...     level_downsamples=[1.0, 4.0], mpp=0.25, known_mpp=lambda: 0.25)
    >>> grid = plan_grid(slide, 512, 0.2, mpp=1.0)
    >>> grid.level, grid.read_size, grid.size_0, len(grid), grid.xs
    (1, 512, 2048, 15, (0, 410, 820, 1230, 1640))
    """
    step = tile_step(size, overlap)
    level, scale = 0, 1.0
    if mpp is not None:
        level, scale = _level(slide, mpp)
    downsample = slide.level_downsamples[level]
    side = size if abs(scale - 1) <= TOLERANCE else size * scale
    if side > LARGEST_REGION:
        raise ConfigError(
            f"expected tiles that are read from at most {LARGEST_REGION} px a side, got "
            f"{side:.6g} px of level {level}: choose smaller tiles or finer pixels"
        )
    read_size = round(side)
    width, height = slide.level_dimensions[level]
    # Each start is rounded by itself: errors do not add up along a row.
    read_step = step if read_size == size else step * read_size / size
    found = slide.mpp * downsample * read_size / size if slide.mpp else None
    return TileGrid(
        size=size,
        level=level,
        read_size=read_size,
        downsample=downsample,
        mpp=found,
        xs=grid_starts(width, read_size, read_step, border),
        ys=grid_starts(height, read_size, read_step, border),
    )


def _level(slide: Pyramid, mpp: float) -> tuple[int, float]:
    """The level to read for a target resolution, and how many of its pixels span a tile's pixel."""
    check_mpp(mpp)
    finest = slide.known_mpp()
    if mpp < finest * (1 - TOLERANCE):
        raise ConfigError(
            f"expected mpp of at least the slide's own {finest:g}, got {mpp:g}: finer pixels would "
            f"be made up"
        )
    resolutions = [finest * downsample for downsample in slide.level_downsamples]
    fine = [k for k, value in enumerate(resolutions) if value <= mpp * (1 + TOLERANCE)]
    level = max(fine, key=lambda k: resolutions[k], default=0)
    return level, mpp / resolutions[level]
