"""Section 3.1: black squares betray the class; which arms learn the tissue nevertheless?

Two experiments. ``cutout`` compares the arms of Table 2 (claims C1, C2, C4); ``cutout_sensitivity``
takes one step around the tuned values of Equation 2 in every direction (claim C3).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sdlib.datasets.cutout import make_cutout_set
from sdlib.experiments.arm import Arm, Look, Step
from sdlib.experiments.cohorts import Cohort, Preparation
from sdlib.experiments.comparisons import Comparison, Kind, Measured, PairedDifference
from sdlib.experiments.experiment import Experiment
from sdlib.experiments.measurements import ACTIVATION_MAPS
from sdlib.experiments.paper import (
    PAPER_EQ1,
    PAPER_EQ2_GAMMA,
    PAPER_EQ2_LAM,
    PAPER_WEIGHT_DECAY,
    paper_table,
)
from sdlib.experiments.searches import DECAY_GRID, EQ2_RANGES, LAMBDA_GRID, RATE_GRID, Space
from sdlib.metrics import mean_interval

__all__ = ["CUTOUT", "EXPERIMENTS", "SENSITIVITY", "NeighbourMean"]


def _with_cutouts(kind: str) -> Preparation:
    return Preparation(kind, functools.partial(_laid, kind=kind))


def _laid(tiles, seed, kind):
    return make_cutout_set(tiles, kind, seed)


#: Squares mark 25 % of the benign and 2.5 % of the cancerous training tiles.
TRAINING = Cohort(("train",), prepare=_with_cutouts("train"))
EVALUATION = {
    "validation": Cohort(("validation",), prepare=_with_cutouts("train")),
    "test": Cohort(("test",), prepare=_with_cutouts("test")),
    "clean": Cohort(("test",), prepare=_with_cutouts("none")),
    "all": Cohort(("test",), prepare=_with_cutouts("all")),
}

CUTOUT = (
    Arm(
        "weight_decay",
        "weight decay",
        weight_decay=PAPER_WEIGHT_DECAY,
        look=Look("#D55E00", "s"),
        main=True,
        headline=True,
    ),
    Arm(
        "weight_decay_tuned",
        "weight decay, validation-tuned",
        search="weight_decay",
        look=Look("#882255", "p"),
    ),
    Arm(
        "weight_decay_test_tuned",
        "weight decay, tuned on the test split",
        search="weight_decay_test",
        look=Look("#661100", "H"),
        headline=True,
    ),
    Arm(
        "sd_eq1",
        "SD Eq. 1, paper's λ",
        lam=PAPER_EQ1,
        look=Look("#56B4E9", "^"),
        main=True,
    ),
    Arm(
        "sd_eq1_tuned",
        "SD Eq. 1, validation-tuned",
        search="sd_eq1",
        look=Look("#332288", "v"),
    ),
    Arm(
        "sd_eq2",
        "SD Eq. 2, paper's values",
        lam=PAPER_EQ2_LAM,
        gamma=PAPER_EQ2_GAMMA,
        look=Look("#009E73", "D"),
        main=True,
        headline=True,
    ),
    Arm(
        "sd_eq2_tuned",
        "SD Eq. 2, validation-tuned",
        search="sd_eq2",
        look=Look("#CC79A7", "P"),
    ),
    Arm(
        "sd_eq2_test_tuned",
        "SD Eq. 2, tuned on the test split",
        search="sd_eq2_test",
        look=Look("#E69F00", "X"),
        headline=True,
    ),
    Arm(
        "control",
        "control + weight decay",
        weight_decay=PAPER_WEIGHT_DECAY,
        training=Cohort(("train",), prepare=_with_cutouts("control")),
        look=Look("#999933", "*"),
        main=True,
        headline=True,
    ),
)

SEARCHES = (
    Space("learning_rate", "validation", grid={"learning_rate": RATE_GRID}),
    Space("weight_decay", "validation", grid={"weight_decay": DECAY_GRID}),
    Space("weight_decay_test", "test", grid={"weight_decay": DECAY_GRID}),
    Space("sd_eq1", "validation", grid={"lam": LAMBDA_GRID}),
    Space("sd_eq2", "validation", ranges=EQ2_RANGES),
    Space("sd_eq2_test", "test", ranges=EQ2_RANGES),
)

# Section 2.4: all prostate networks have UniformAugment. Its Cutout would confound cutouts.
OVERRIDES = {"paper": {"augment": "crop_flip+uniform_no_cutout"}}


def _neighbours() -> tuple[Arm, ...]:
    """Two 3 x 3 maps around the tuned point, without their common centre."""
    steps = [
        Step(pair, benign, cancer)
        for pair in ("gamma", "lam")
        for benign in (0, 1, -1)
        for cancer in (0, 1, -1)
        if benign or cancer
    ]
    return tuple(
        Arm(
            f"{step.pair}_{step.benign:+d}_{step.cancer:+d}",
            f"{step.pair} steps ({step.benign:+d}, {step.cancer:+d})",
            search="sd_eq2_test",
            step=step,
        )
        for step in steps
    )


SENSITIVITY = _neighbours()


@dataclass(frozen=True)
class NeighbourMean:
    """Mean of all neighbours in one pair of values, minus the tuned point, paired over seeds.

    Parameters
    ----------
    metric : str
    pair : str
        ``lam`` or ``gamma``.
    centre : str
        The arm of ``cutout`` that the neighbours surround.
    """

    metric: str
    pair: str
    centre: str

    def __call__(self, place: Any) -> Measured:
        """Over the seeds that the centre and every neighbour have."""
        arms = [arm.name for arm in place.definition.arms if arm.step.pair == self.pair]
        table = pd.DataFrame({arm: place.by_seed(self.metric, arm) for arm in arms})
        centre = place.of("cutout").by_seed(self.metric, self.centre)
        change = (table.mean(axis=1, skipna=False) - centre).dropna().to_numpy(np.float64)
        reference = float(centre.mean()) if len(centre) else 0.0
        return Measured(mean_interval(change) if len(change) else None, reference)


def _paper_difference(metric: str, arm: str, rival: str) -> float:
    means = paper_table("table2").set_index(["metric", "arm"])["mean"]
    return float(means[metric, arm] - means[metric, rival])


def _accuracy(arm: str) -> PairedDifference:
    return PairedDifference("test.accuracy", arm, "weight_decay")


_EQ2 = "sd_eq2_test_tuned"
_GAIN = _paper_difference("accuracy", _EQ2, "weight_decay")
COMPARISONS = (
    Comparison("C1", "accuracy, SD over weight decay", Kind.GAIN, _accuracy(_EQ2), _GAIN),
    Comparison(
        "C1",
        "recall, SD over weight decay",
        Kind.GAIN,
        PairedDifference("test.recall", _EQ2, "weight_decay"),
        _paper_difference("recall", _EQ2, "weight_decay"),
    ),
    Comparison(
        "C1",
        "accuracy, control over weight decay",
        Kind.GAIN,
        _accuracy("control"),
        _paper_difference("accuracy", "control", "weight_decay"),
        premise=True,
    ),
    Comparison("C2", "Eq. 1, paper's lambda", Kind.NO_GAIN, _accuracy("sd_eq1"), _GAIN),
    Comparison("C2", "Eq. 1, tuned", Kind.NO_GAIN, _accuracy("sd_eq1_tuned"), _GAIN),
    Comparison("C2", "Eq. 2, tuned on test", Kind.GAIN, _accuracy(_EQ2), _GAIN),
    Comparison(
        "C4",
        "map for benign",
        Kind.NO_DIFFERENCE,
        PairedDifference("cam.benign_share", _EQ2, "weight_decay"),
    ),
    Comparison(
        "C4",
        "map for cancer",
        Kind.NO_DIFFERENCE,
        PairedDifference("cam.cancer_share", _EQ2, "weight_decay"),
    ),
)
STEPS = (
    Comparison("C3", "one step in lambda", Kind.LOSS, NeighbourMean("test.accuracy", "lam", _EQ2)),
    Comparison("C3", "one step in gamma", Kind.LOSS, NeighbourMean("test.accuracy", "gamma", _EQ2)),
)

EXPERIMENTS = (
    Experiment(
        "cutout",
        "Dominant features (section 3.1, Table 2)",
        CUTOUT,
        TRAINING,
        EVALUATION,
        searches=SEARCHES,
        overrides=OVERRIDES,
        main_only=("long",),
        measurements=(ACTIVATION_MAPS,),
        comparisons=COMPARISONS,
    ),
    Experiment(
        "cutout_sensitivity",
        "How sharp is the optimum of Eq. 2? (section 3.1)",
        SENSITIVITY,
        TRAINING,
        EVALUATION,
        searched_in="cutout",
        overrides={"laptop": {"seeds": 3}, "paper": {**OVERRIDES["paper"], "seeds": 3}},
        profiles=("smoke", "laptop", "paper"),
        measurements=(ACTIVATION_MAPS,),
        comparisons=STEPS,
    ),
)
