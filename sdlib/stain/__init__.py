"""Haematoxylin and eosin: estimation, separation, recombination, normalisation.

Stains are estimated by Macenko's method (:mod:`sdlib.stain.estimate`, which also says what happens
where there is too little tissue).
"""

from sdlib.stain.estimate import REFERENCE, StainEstimate, check_rgb, estimate_macenko
from sdlib.stain.normaliser import MacenkoNormaliser
from sdlib.stain.separation import (
    Separation,
    check_multipliers,
    fade_levels,
    recombine,
    separate,
)

__all__ = [
    "REFERENCE",
    "MacenkoNormaliser",
    "Separation",
    "StainEstimate",
    "check_multipliers",
    "check_rgb",
    "estimate_macenko",
    "fade_levels",
    "recombine",
    "separate",
]
