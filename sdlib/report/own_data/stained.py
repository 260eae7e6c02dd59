"""Are these images of haematoxylin and eosin? Fading stains means something only there."""

from __future__ import annotations

import numpy as np

from sdlib.checks import known
from sdlib.datasets.tiles import TileSet

__all__ = ["RULE", "STAIN", "is_stained", "pink_or_purple"]

#: What a user may say: decide by the images, or do as told.
STAIN = ("auto", "yes", "no")
SEEN = 64  # images that are looked at
BRIGHT = 200  # grey level from which on a pixel is glass, not tissue
FEWEST_PIXELS = 0.01  # share of an image that tissue has to fill
DARKER = 5  # grey levels by which green has to be the darkest colour: greys of a JPEG are not
MOST = 0.5
RULE = "green is the darkest colour in most pixels of the tissue, as in pink and purple"


def pink_or_purple(image: np.ndarray) -> float:
    """Share of the tissue's pixels that are pink or purple: green is the darkest colour.

    Both stains of H&E absorb green most. In photographs of skin and retina, and in brown stains,
    it is blue; in radiographs no colour is darker than another.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 (H, W, 3), RGB.

    Returns
    -------
    float
        0 to 1; 0 where there is hardly any tissue.

    Examples
    --------
    >>> purple, grey = (np.full((8, 8, 3), c, np.uint8) for c in ((150, 90, 160), 90))
    >>> pink_or_purple(purple), pink_or_purple(grey)
    (1.0, 0.0)
    """
    red, green, blue = np.moveaxis(image.astype(np.int16), -1, 0)
    tissue = (red + green + blue) / 3 < BRIGHT
    if tissue.mean() < FEWEST_PIXELS:
        return 0.0
    darkest = np.minimum(red, blue) - green > DARKER
    return float(darkest[tissue].mean())


def is_stained(tiles: TileSet, stain: str = "auto") -> bool:
    """Whether images are shown with their stains faded: as told, or by :data:`RULE`.

    Parameters
    ----------
    tiles : TileSet
        At least one image; at most 64 are looked at, spread evenly over the set.
    stain : str
        One of :data:`STAIN`.

    Raises
    ------
    ConfigError
        ``stain`` is none of them.
    """
    if known("choice for stains", stain, STAIN) != "auto":
        return stain == "yes"
    rows = np.unique(np.linspace(0, len(tiles) - 1, min(SEEN, len(tiles))).astype(int))
    return bool(np.median([pink_or_purple(image) for image in tiles.batch(rows)]) > MOST)
