"""How slides are cut into tiles."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sdlib.checks import check_number
from sdlib.datasets.shards.tile import QUALITY
from sdlib.errors import ConfigError
from sdlib.slides import BORDERS, LARGEST_REGION, LabelRule, check_mpp, tile_step

__all__ = ["MAX_BACKGROUND", "Tiling"]

UNSCANNED = ("refuse", "background")
#: Tiles with a larger share of background are left out.
MAX_BACKGROUND = 0.75


@dataclass(frozen=True)
class Tiling:
    """How slides are cut, and how tiles are stored.

    Parameters
    ----------
    size : int
        Side of a tile in pixels, 1 to 32,768.
    overlap : float
        Share of a tile that the next one repeats, from 0 to below 1.
    mpp : float, optional
        Microns per pixel of tiles; by default slides' pixels are used as they are.
    border : {"pad", "shift", "drop"}
        What becomes of tiles that reach beyond the slide (see :mod:`sdlib.slides.grid`).
    max_background : float
        Tiles with a larger share of background are left out, 0 to 1.
    quality : int
        Quality of the JPEG, 1 to 100.
    rule : LabelRule, optional
        How masks make labels; without it tiles have none.
    unscanned : {"refuse", "background"}, optional
        What pixels without content in a slide are: damage, or glass that the scanner left out.
        By default the slide's format decides (see :func:`~sdlib.slides.slide.open_slide`).

    Raises
    ------
    ConfigError
        If a value is out of its range.

    Examples
    --------
    >>> Tiling(size=512, overlap=0.2).step_rule
    '410 px: 512 - 102 (512 x 0.2, cut off to whole pixels)'
    """

    size: int = 512
    overlap: float = 0.2
    mpp: float | None = None
    border: str = "pad"
    max_background: float = MAX_BACKGROUND
    quality: int = QUALITY
    rule: LabelRule | None = None
    unscanned: str | None = None

    def __post_init__(self) -> None:
        check_number("size", self.size, 1, LARGEST_REGION, whole=True)
        tile_step(self.size, self.overlap)  # checks the overlap
        if self.mpp is not None:
            check_mpp(self.mpp)
        if self.border not in BORDERS:
            raise ConfigError(f"expected a border of {', '.join(BORDERS)}, got {self.border!r}")
        check_number("max_background", self.max_background, 0, 1)
        check_number("quality", self.quality, 1, 100, whole=True)
        if self.unscanned not in (None, *UNSCANNED):
            raise ConfigError(
                f"expected unscanned of {', '.join(UNSCANNED)}, got {self.unscanned!r}"
            )

    @property
    def step_rule(self) -> str:
        """The distance of tiles and how it was computed, in words for a manifest."""
        step = tile_step(self.size, self.overlap)
        product = f"{self.size} x {float(self.overlap)}, cut off to whole pixels"
        return f"{step} px: {self.size} - {self.size - step} ({product})"

    @property
    def label_rule(self) -> str:
        """How labels are made, in words for a manifest.

        >>> Tiling(rule=LabelRule(positive=(3, 4), negative=(0, 1))).label_rule
        '1 where 3, 4 are at least 0.1 of the pixels of 3, 4, 0, 1, else 0'
        """
        if self.rule is None:
            return "no labels"
        positive = ", ".join(map(str, self.rule.positive))
        counted = ", ".join(map(str, (*self.rule.positive, *self.rule.negative)))
        share = float(self.rule.threshold)
        return f"1 where {positive} are at least {share} of the pixels of {counted}, else 0"

    @property
    def record(self) -> dict[str, Any]:
        """All values as JSON holds them."""
        values = asdict(self)
        if self.rule is not None:
            # JSON has lists where the rule has tuples; they must be equal when read again.
            rule = {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in values["rule"].items()
            }
            values["rule"] = rule
        return values
