"""How tissue becomes an image: by which laboratory's stain, which scanner, at which magnification.

A cohort has its own laboratory and scanner. Here the same tissue is stained or scanned elsewhere,
so that one step can be changed while everything else stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sdlib.checks import known
from sdlib.phantoms.cohorts import CENTRES, COHORTS, SCANNERS
from sdlib.phantoms.tile import HistologyTile

__all__ = ["MAGNIFICATIONS", "Acquisition"]

MAGNIFICATIONS = {"20x": 1.0, "10x": 0.8}
"""Length of a structure in the image, relative to 20x.

At 10x a tile shows a field of 240 um in place of 192 um: glands and their secretory nuclei are
smaller and nearer to each other, and there are more of everything. The sizes of other nuclei and of
fibres are no factors of a tile, and stay as they are in pixels, as does the point spread.

The paper's two centres differ likewise: 1,024 px at 20x by one scanner, 512 px at 10x by another.
The factor is ours.
"""

#: Factors that are lengths, and those that are numbers per area.
LENGTHS = ("gland_size", "nuclear_size", "nuclear_spacing")
DENSITIES = ("gland_density", "stroma_cellularity", "inflammation")


@dataclass(frozen=True)
class Acquisition:
    """What is different from the way in which a cohort's own images were made.

    Parameters
    ----------
    stain : str
        A key of ``CENTRES``: who stained the tissue; empty for the cohort's own laboratory.
    scanner : str
        A key of ``SCANNERS``; empty for the cohort's own scanner.
    magnification : str
        A key of ``MAGNIFICATIONS``; empty for 20x.

    Raises
    ------
    ConfigError
        A name that is not known.

    Examples
    --------
    >>> Acquisition(stain="radboud", magnification="10x").name
    'radboud-10x'
    """

    stain: str = ""
    scanner: str = ""
    magnification: str = ""

    def __post_init__(self) -> None:
        for kind, names in (
            ("stain", CENTRES),
            ("scanner", SCANNERS),
            ("magnification", MAGNIFICATIONS),
        ):
            value = getattr(self, kind)
            if value:
                known(kind, value, names)

    @property
    def name(self) -> str:
        """What is changed, joined by hyphens; empty where nothing is."""
        return "-".join(filter(None, (self.stain, self.scanner, self.magnification)))

    def apply(self, tiles: Sequence[HistologyTile]) -> list[HistologyTile]:
        """The same tissue, acquired in this way.

        Parameters
        ----------
        tiles : sequence of HistologyTile
            As drawn by :func:`sdlib.phantoms.draw_tiles`, n of them.

        Returns
        -------
        list of HistologyTile
            n tiles. Their seeds, patients, targets and all other factors are as they were.

        Examples
        --------
        >>> from sdlib.phantoms import draw_tiles
        >>> drawn = draw_tiles(2, seed=0)
        >>> small = Acquisition(magnification="10x").apply(drawn)
        >>> round(small[0].nuclear_size / drawn[0].nuclear_size, 6)
        0.8
        """
        return [self._applied(tile) for tile in tiles]

    def _applied(self, tile: HistologyTile) -> HistologyTile:
        changed: dict[str, float | str] = {}
        if self.stain:
            changed |= _stained(tile, self.stain)
        if self.scanner:
            change = SCANNERS[self.scanner].sharpness / SCANNERS[tile.scanner].sharpness
            changed |= {"scanner": self.scanner, "sharpness": tile.sharpness * change}
        if self.magnification:
            length = MAGNIFICATIONS[self.magnification]
            changed |= {name: getattr(tile, name) * length for name in LENGTHS}
            changed |= {name: getattr(tile, name) / length**2 for name in DENSITIES}
        return replace(tile, **changed)


def _stained(tile: HistologyTile, centre: str) -> dict[str, float | str]:
    """The stains of a centre, in its mean amounts and without the cohort's drift."""
    new, old, cohort = CENTRES[centre], CENTRES[tile.centre], COHORTS[tile.cohort]
    haematoxylin = new.haematoxylin_mean / (old.haematoxylin_mean * cohort.haematoxylin_drift)
    eosin = new.eosin_mean / (old.eosin_mean * cohort.eosin_drift)
    return {
        "centre": centre,
        "haematoxylin": tile.haematoxylin * haematoxylin,
        "eosin": tile.eosin * eosin,
    }
