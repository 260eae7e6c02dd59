"""One look for every figure: readable sizes, and one colour and marker an arm throughout.

Colours are Okabe and Ito's, which readers with any common colour blindness tell apart, and three of
Paul Tol's; markers differ too, so that nothing rests on colour alone. Classes are shades of grey.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl

from sdlib.arms import CUTOUT

__all__ = ["ARMS", "CLASSES", "ArmStyle", "use_style"]


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
