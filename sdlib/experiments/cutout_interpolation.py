"""Is anything starved? The cutout experiment with few tiles, fitted to the last one (ours).

Where tiles are plenty, weight decay reads the coincidence of squares and class as Bayes' rule has
it: no feature is starved, and a method that frees features has nothing to free. Here networks see
few tiles many times, without augmentation, until they fit all of them. Margins on the training
tiles tell whether the penalty of Equation 1 was binding.
"""

from __future__ import annotations

import dataclasses

from sdlib.experiments.arm import Arm, Look
from sdlib.experiments.cutout import CUTOUT, EVALUATION, TRAINING
from sdlib.experiments.experiment import Experiment

__all__ = ["EXPERIMENTS", "FITTED", "INTERPOLATION", "TILES"]

TILES = 1200  # that are trained on
STRONG_DECAY = 1e-2
FITTED = "fitted"  # the training tiles themselves, predicted after training

_FEW = dataclasses.replace(TRAINING, most=TILES)


def _arm(name: str) -> Arm:
    """An arm of chapter 4, drawn as there, in no table of README."""
    arm = next(arm for arm in CUTOUT if arm.name == name)
    return dataclasses.replace(arm, headline=False)


INTERPOLATION = (
    _arm("weight_decay"),
    Arm(
        "weight_decay_strong",
        "weight decay, a hundred times as strong",
        weight_decay=STRONG_DECAY,
        look=Look("#AA4466", "<"),
    ),
    _arm("sd_eq1"),
    _arm("sd_eq1_strong"),
)

#: Fitted to the last tile: many epochs of few tiles, each always the same.
SCHEDULE = {"epochs": 50, "augment": "none"}


EXPERIMENTS = (
    Experiment(
        "cutout_interpolation",
        "Few tiles, fitted to the last one (ours)",
        INTERPOLATION,
        _FEW,
        {**EVALUATION, FITTED: _FEW},
        overrides={"laptop": SCHEDULE, "smoke": {"augment": "none"}},
        profiles=("smoke", "laptop"),
    ),
)
