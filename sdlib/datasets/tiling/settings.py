"""How slides are cut into tiles."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sdlib.checks import check_number
from sdlib.datasets.shards.tile import QUALITY
from sdlib.errors import ConfigError
from sdlib.slides import BORDERS, LabelRule, tile_step

__all__ = ["MAX_BACKGROUND", "Tiling"]

#: Tiles with a larger share of background are left out.
MAX_BACKGROUND = 0.75


@dataclass(frozen=True)
class Tiling:
    """How slides are cut, and how tiles are stored.

    Parameters
    ----------
    size : int
        Side of a tile in pixels.
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

    Raises
    ------
    ConfigError
        If a value is out of its range.

    Examples
    --------
    >>> Tiling(size=512, overlap=0.2).step_rule
    '410 px: 512 x (1 - 0.2), to the nearest whole pixel, halves up'
    """

    size: int = 512
    overlap: float = 0.2
    mpp: float | None = None
    border: str = "pad"
    max_background: float = MAX_BACKGROUND
    quality: int = QUALITY
    rule: LabelRule | None = None

    def __post_init__(self) -> None:
        tile_step(self.size, self.overlap)  # checks both
        if self.mpp is not None and not self.mpp > 0:
            raise ConfigError(f"expected microns per pixel above 0, got {self.mpp}")
        if self.border not in BORDERS:
            raise ConfigError(f"expected a border of {', '.join(BORDERS)}, got {self.border!r}")
        check_number("max_background", self.max_background, 0, 1)
        check_number("quality", self.quality, 1, 100, whole=True)

    @property
    def step_rule(self) -> str:
        """The distance of tiles and how it was computed, in words for a manifest."""
        step = tile_step(self.size, self.overlap)
        rule = f"{self.size} x (1 - {self.overlap:g}), to the nearest whole pixel, halves up"
        return f"{step} px: {rule}"

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
        share = f"{self.rule.threshold:g}"
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
