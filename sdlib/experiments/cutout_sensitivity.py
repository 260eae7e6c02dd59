"""Section 3.1: how sharp is the optimum of Equation 2 (claim C3)?

One step around the values tuned on the test split, in every direction. The tuned point itself is
an arm of :mod:`sdlib.experiments.cutout`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sdlib.experiments.arm import Arm, Step
from sdlib.experiments.comparisons import Comparison, Kind, Measured
from sdlib.experiments.cutout import EVALUATION, OVERRIDES, TRAINING
from sdlib.experiments.cutout_claims import TUNED, gain_premise
from sdlib.experiments.experiment import Experiment
from sdlib.experiments.measurements import ACTIVATION_MAPS
from sdlib.metrics import mean_interval

__all__ = ["EXPERIMENTS", "SENSITIVITY", "NeighbourMean"]


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


SMALL_LOSS = 0.01  # accuracy: a loss by less would not be called significant


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
        return Measured(mean_interval(change) if len(change) else None)


COMPARISONS = (
    gain_premise("C3"),
    Comparison(
        "C3",
        "one step in lambda",
        Kind.LOSS,
        NeighbourMean("test.accuracy", "lam", TUNED),
        margin=SMALL_LOSS,
    ),
    Comparison(
        "C3",
        "one step in gamma",
        Kind.LOSS,
        NeighbourMean("test.accuracy", "gamma", TUNED),
        margin=SMALL_LOSS,
    ),
)

EXPERIMENTS = (
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
        comparisons=COMPARISONS,
    ),
)
