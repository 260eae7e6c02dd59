"""Haematoxylin and eosin: estimation, separation, recombination, normalisation.

- :mod:`sdlib.stain.estimate`: the stains of a tile by Macenko's method, and what happens where
  there is too little tissue.
- :mod:`sdlib.stain.separation`: how much of either stain is in each pixel, and images with less.
- :mod:`sdlib.stain.normaliser`: every image with the stains of one target.
- :mod:`sdlib.stain.kernels`, :mod:`sdlib.stain.extremes`: the compiled loops behind them.
"""

from sdlib.stain.estimate import REFERENCE, StainEstimate, estimate_macenko
from sdlib.stain.normaliser import MacenkoNormaliser
from sdlib.stain.separation import (
    Separation,
    check_multipliers,
    fade_levels,
    recombine,
    scale_stains,
    separate,
)

__all__ = [
    "REFERENCE",
    "MacenkoNormaliser",
    "Separation",
    "StainEstimate",
    "check_multipliers",
    "estimate_macenko",
    "fade_levels",
    "recombine",
    "scale_stains",
    "separate",
]
