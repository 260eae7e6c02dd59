"""Pictures of tiles, and the tiles that pages show.

The README's picture is made by ``python -m sdlib.report.tile_figures book/images/cutout_pair.png``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from sdlib.cutouts import add_cutouts
from sdlib.datasets.tiles import TileSet
from sdlib.errors import DataError
from sdlib.experiments import Run
from sdlib.files import atomic_path
from sdlib.phantoms.histology import draw_tiles, render
from sdlib.training.data import load_tiles

__all__ = ["cutout_pair", "example_tiles", "live_tiles", "save_pair", "show_tiles"]

EXAMPLES = (31, 26)  # of 60 tiles of seed 11: a benign and a cancerous one, chosen by eye


def example_tiles(size: int = 224) -> tuple[np.ndarray, np.ndarray]:
    """A benign and a cancerous phantom tile, uint8 RGB ``(size, size, 3)``, for pictures.

    >>> [tile.shape for tile in example_tiles(64)]
    [(64, 64, 3), (64, 64, 3)]
    """
    tiles = draw_tiles(60, seed=11)
    benign, cancer = (render(tiles[index], size) for index in EXAMPLES)
    return benign, cancer


def cutout_pair(seed: int = 5) -> np.ndarray:
    """The paper's Figure 1 on procedural tissue: a benign tile, and 16 cutouts of 8 x 8 px on it.

    Parameters
    ----------
    seed : int
        Of the cutouts' places.

    Returns
    -------
    numpy.ndarray
        uint8 RGB (2, 224, 224, 3): without and with cutouts.
    """
    benign, _ = example_tiles()
    return np.stack([benign, add_cutouts(benign, rng=seed)])


def save_pair(path: Path, zoom: int = 2, gap: int = 16) -> None:
    """Write :func:`cutout_pair` side by side as a PNG, every pixel ``zoom`` pixels wide."""
    without, with_cutouts = cutout_pair().repeat(zoom, axis=1).repeat(zoom, axis=2)
    between = np.full((len(without), gap, 3), 255, np.uint8)
    picture = Image.fromarray(np.concatenate([without, between, with_cutouts], axis=1))
    with atomic_path(Path(path)) as temporary:
        picture.save(temporary, format="png", optimize=True)


def show_tiles(images: Sequence[np.ndarray], titles: Sequence[str], width: float = 7.5) -> Figure:
    """Tiles in one row, each pixel a sharp square, without axes.

    Parameters
    ----------
    images : sequence of numpy.ndarray
        uint8 RGB (S, S, 3); they may differ in S.
    titles : sequence of str
        One per tile.
    width : float
        Of the whole row, inches.
    """
    fig, axes = plt.subplots(1, len(images), figsize=(width, width / len(images) + 0.3))
    for ax, image, title in zip(np.atleast_1d(axes), images, titles, strict=True):
        ax.imshow(image, interpolation="nearest")
        ax.set_title(title)
        ax.set_axis_off()
    return fig


def _unprepared(profile: str, source: str) -> dict[str, TileSet]:
    run = Run("cutout", "weight_decay", 0, profile, source)
    tiles = load_tiles(run, prepared=False)
    return {cohort: tiles[cohort] for cohort in ("train", "validation", "test")}


def live_tiles(profile: str, source: str) -> tuple[dict[str, TileSet], str]:
    """Tiles for a page to look at, few enough to be made while it is executed.

    Those of the profile, but never more than ``quick`` has. Where the source is not at hand,
    phantom tissue takes its place.

    Returns
    -------
    tiles : dict of str to TileSet
        ``train``, ``validation`` and ``test`` without cutouts.
    sentence : str
        What they are.
    """
    scale = profile if profile == "smoke" else "quick"
    instead = ""
    try:
        tiles = _unprepared(scale, source)
    except DataError as error:
        if source == "phantom":
            raise
        tiles = _unprepared(scale, "phantom")
        instead = f", because {source} is not at hand ({error})"
        source = "phantom"
    size, count = tiles["train"].size, len(tiles["train"])
    return tiles, (
        f"Made for this page: {count} training tiles of {source}, {size} x {size} px{instead}. "
        "They are few, so that the page is quick."
    )


if __name__ == "__main__":
    save_pair(Path(sys.argv[1]))
