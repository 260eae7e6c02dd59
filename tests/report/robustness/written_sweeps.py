"""Sweeps that are written by hand, so that every accuracy in them is known."""

import numpy as np
import pandas as pd

from sdlib.results import Place
from sdlib.results.sweeps import Sweep
from sdlib.shifts import LEVELS

SD, WD = "sd_eq1_uniform", "weight_decay_uniform"
NAMES = ("clean", *(level.name for level in LEVELS))
TARGETS = (np.arange(200) % 2).astype(np.int8)


def logits_of(accuracy):
    """Logits (levels, n) that are right on exactly a share of either class, level by level."""
    rank = np.arange(200) // 2
    right = rank < 100 * np.asarray(accuracy)[:, None]
    return np.where(right == (TARGETS == 1), 1, -1).astype(np.float16)


def sweep_of(seeds=2, **accuracies):
    """One accuracy per level, by arm; each further seed is one point better throughout."""
    logits = {}
    for arm, values in accuracies.items():
        for seed in range(seeds):
            logits[arm, seed] = logits_of(np.asarray(values) + 0.01 * seed)
    return Sweep(NAMES, TARGETS, np.arange(200), logits)


def falling(to=0.5, start=0.9):
    """From ``start`` on unshifted tiles down to ``to`` at the strongest level of each shift."""
    parts = [[start]]
    for shift in ("blur", "sharpen", "haematoxylin", "eosin"):
        count = sum(level.shift == shift for level in LEVELS)
        parts.append(np.linspace(start, to, count))
    return np.concatenate(parts)


EMPTY = Sweep((), np.empty(0, np.int8), np.empty(0, np.int16), {})


def place_with(sweep, profile="smoke"):
    """A place that has the sweep, and a row for each of its networks."""
    place = Place("robustness", profile, "phantom")
    vars(place)["sweep"] = sweep  # in place of what would be read from files
    vars(place)["rows"] = pd.DataFrame([*sweep.logits], columns=["arm", "seed"])
    return place
