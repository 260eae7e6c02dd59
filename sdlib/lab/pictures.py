"""Pictures of shifted tiles: one for the shift lab, and a strip of many for a printed page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from sdlib import shifts
from sdlib.checks import check_rgb
from sdlib.cutouts import apply_cutouts, scaled_cutout_size
from sdlib.lab.panels import label
from sdlib.report.tile_figures import example_tiles
from sdlib.shifts import Level

__all__ = ["STRIP_LEVELS", "disturb", "fallback_strip"]

#: What the strip shows of each shift, beside the untouched tile.
STRIP_LEVELS = {
    "haematoxylin": (0.8, 0.6, 0.4, 0.2, 0.0),
    "eosin": (0.8, 0.6, 0.4, 0.2, 0.0),
    "blur": (4, 8, 12, 16, 20),
    "sharpen": (0.2, 0.4, 0.6, 0.8, 1.0),
}


def disturb(
    image: np.ndarray,
    haematoxylin: float = 1.0,
    eosin: float = 1.0,
    blur: float = 1,
    sharpen: float = 0.0,
    squares: Sequence[tuple[int, int]] = (),
) -> np.ndarray:
    """All four shifts of one tile: the stains, then blur, then sharpening; squares at the end.

    Squares are laid on the finished image, as in section 3.1: they stay black and sharp, and the
    stains are those of the tissue alone.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 RGB (S, S, 3).
    haematoxylin, eosin : float
        Multipliers, 1 to 0.
    blur : float
        Width n in pixels of a 224 px tile, at least 1; it is scaled to S.
    sharpen : float
        Share alpha of the sharpened image, 0 to 1.
    squares : sequence of tuple of int
        (row, column) of the top-left corner of each black square, whose side has the paper's share
        of S (:func:`sdlib.cutouts.scaled_cutout_size`).

    Returns
    -------
    numpy.ndarray
        A new array, equal to the image where no shift is wanted.

    Raises
    ------
    ConfigError
        An image of another shape or dtype, a strength outside its range, or a square that is not
        inside the image.

    Examples
    --------
    >>> image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    >>> bool((disturb(image) == image).all())
    True
    """
    check_rgb(image)
    faded = shifts.fade_stain(image, haematoxylin, eosin)
    blurred = shifts.blur(faded, shifts.blur_width(blur, image.shape[0]))
    finished = shifts.sharpen(blurred, sharpen)
    if squares:
        apply_cutouts(finished[None], np.array([squares]), scaled_cutout_size(image.shape[0]))
    return finished


def fallback_strip(size: int = 224) -> Figure:
    """What the lab shows, without a kernel: one phantom tile at five levels of each shift.

    Parameters
    ----------
    size : int
        Of the tile, px.

    Returns
    -------
    matplotlib.figure.Figure
        A row a shift; the first column is the untouched tile.
    """
    _, tile = example_tiles(size)
    fig, axes = plt.subplots(4, 6, figsize=(7.5, 5.9))
    for row, (shift, strengths) in zip(axes, STRIP_LEVELS.items(), strict=True):
        pictures = [tile, *(shifts.apply(tile, Level(shift, s)) for s in strengths)]
        titles = [shift, *(label(shift, strength) for strength in strengths)]
        for ax, picture, title in zip(row, pictures, titles, strict=True):
            ax.imshow(picture, interpolation="nearest")
            ax.set_title(title, fontsize=10, loc="left", pad=3)
            ax.set_axis_off()
    return fig
