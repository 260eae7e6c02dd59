"""One look for every figure: readable sizes, and one colour and marker an arm throughout.

Colours are Okabe and Ito's, which readers with any common colour blindness tell apart, and three of
Paul Tol's; markers differ too, so that nothing rests on colour alone. Classes are shades of grey.

The README's picture is made by ``python -m sdlib.plotting book/images/cutout_pair.png``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from sdlib.arms import CUTOUT
from sdlib.datasets.cutout import add_cutouts
from sdlib.files import atomic_path

__all__ = [
    "ARMS",
    "CLASSES",
    "ArmStyle",
    "cutout_pair",
    "example_tiles",
    "note",
    "save_pair",
    "show_tiles",
    "use_style",
]


@dataclass(frozen=True)
class ArmStyle:
    """How an arm is drawn.

    >>> ARMS["sd"].kwargs["label"]
    'spectral decoupling'
    """

    label: str
    colour: str
    marker: str

    @property
    def kwargs(self) -> dict[str, Any]:
        """Colour, marker and label as matplotlib's ``plot``, ``errorbar`` and ``scatter`` want."""
        return {"color": self.colour, "marker": self.marker, "label": self.label}


_LOOKS = {
    "weight_decay": ("#D55E00", "s"),
    "weight_decay_tuned": ("#882255", "p"),
    "sd_eq1": ("#56B4E9", "^"),
    "sd_eq1_tuned": ("#332288", "v"),
    "sd_eq2": ("#009E73", "D"),
    "sd_eq2_tuned": ("#CC79A7", "P"),
    "sd_eq2_test_tuned": ("#E69F00", "X"),
    "control": ("#999933", "*"),
}

#: Chapters 2 and 3 have two arms of their own; all others are the registry's.
ARMS: dict[str, ArmStyle] = {
    "cross_entropy": ArmStyle("cross-entropy", "#000000", "h"),
    "sd": ArmStyle("spectral decoupling", "#0072B2", "o"),
    **{arm.name: ArmStyle(arm.label, *_LOOKS[arm.name]) for arm in CUTOUT},
}

#: Shades of target 0 and 1 (benign and cancer), where arms have the colours.
CLASSES: tuple[str, str] = ("#9A9A9A", "#1A1A1A")


def use_style() -> None:
    """Set matplotlib's defaults for the book; call it once a chapter."""
    mpl.rcParams.update(
        {
            "figure.figsize": (7.5, 4.2),
            "figure.dpi": 120,
            "figure.constrained_layout.use": True,
            "font.size": 11,
            "axes.titlesize": 11,
            "axes.labelsize": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.prop_cycle": mpl.cycler(color=[style.colour for style in ARMS.values()]),
            "grid.color": "#E5E5E5",
            "grid.linewidth": 0.7,
            "lines.linewidth": 2,
            "lines.markersize": 6,
            "legend.frameon": False,
            "legend.fontsize": 10,
            "image.cmap": "cividis",
        }
    )


def show_tiles(images: Sequence[np.ndarray], titles: Sequence[str], width: float = 7.5) -> Figure:
    """Tiles in one row, each pixel a sharp square, without axes.

    Parameters
    ----------
    images : sequence of numpy.ndarray
        uint8 RGB (S, S, 3); they may differ in S.
    titles : sequence of str
        One a tile.
    width : float
        Of the whole row, inches.
    """
    fig, axes = plt.subplots(1, len(images), figsize=(width, width / len(images) + 0.3))
    for ax, image, title in zip(np.atleast_1d(axes), images, titles, strict=True):
        ax.imshow(image, interpolation="nearest")
        ax.set_title(title)
        ax.set_axis_off()
    return fig


def note(text: str) -> Figure:
    """A low figure that says why there is nothing to draw: its label still leads somewhere."""
    fig, ax = plt.subplots(figsize=(7.5, 1.1))
    ax.text(0.5, 0.5, text, ha="center", va="center", wrap=True)
    ax.set_axis_off()
    return fig


EXAMPLES = (31, 26)  # of 60 tiles of seed 11: a benign and a cancerous one, chosen by eye


def example_tiles(size: int = 224) -> tuple[np.ndarray, np.ndarray]:
    """A benign and a cancerous phantom tile, uint8 RGB ``(size, size, 3)``, for pictures.

    >>> [tile.shape for tile in example_tiles(64)]
    [(64, 64, 3), (64, 64, 3)]
    """
    from sdlib.phantoms.histology import draw_tiles, render  # most chapters draw no tissue

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


if __name__ == "__main__":
    save_pair(Path(sys.argv[1]))
