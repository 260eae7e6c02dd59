"""Section 3.2: how far do blur, sharpness and stain move networks? (Figures 2 and 4)

Every network is tested at 52 levels of shift (claims C5, C6); beside it the sharpness of scanners
is measured, without any network (claim C7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sdlib.datasets.sources import SOURCES
from sdlib.experiments.arm import Arm, Look
from sdlib.experiments.cohorts import Cohort
from sdlib.experiments.comparisons import (
    Comparison,
    Kind,
    Measured,
    OverAllLevels,
    OwnValue,
    PairedDifference,
)
from sdlib.experiments.effects import Effect
from sdlib.experiments.experiment import Experiment
from sdlib.experiments.measurements import SHARPNESS, SWEEP
from sdlib.experiments.paper import PAPER_EQ1, PAPER_WEIGHT_DECAY, paper_table
from sdlib.experiments.searches import DECAY_GRID, LAMBDA_GRID, Space
from sdlib.metrics import Interval

__all__ = ["EXPERIMENTS", "MAIN", "ROBUSTNESS", "ScannersApart"]

UNIFORM = "uniform"  # UniformAugment with its Cutout: no tile of this experiment carries cutouts
BLUR = "uniform_blur"  # the same with the mean blur in the set

# The method has the colour and the marker, the augmentation the line.
WITHOUT, WITH, WITH_BLUR = "--", "-", ":"
_DECAY_LOOK = ("#D55E00", "s")
_SD_LOOK = ("#56B4E9", "^")

#: The paper has the first, third and fifth; the tuned arms have a grid of six values each.
ROBUSTNESS = (
    Arm(
        "weight_decay_none",
        "weight decay, no augmentation",
        weight_decay=PAPER_WEIGHT_DECAY,
        look=Look(*_DECAY_LOOK, WITHOUT),
        main=True,
        headline=True,
    ),
    Arm(
        "sd_eq1_none",
        "SD Eq. 1, no augmentation",
        lam=PAPER_EQ1,
        look=Look(*_SD_LOOK, WITHOUT),
        main=True,
        headline=True,
    ),
    Arm(
        "weight_decay_uniform",
        "weight decay + UniformAugment",
        weight_decay=PAPER_WEIGHT_DECAY,
        augment=UNIFORM,
        look=Look(*_DECAY_LOOK, WITH),
        main=True,
        headline=True,
    ),
    Arm(
        "weight_decay_uniform_tuned",
        "weight decay + UniformAugment, validation-tuned",
        augment=UNIFORM,
        search="weight_decay_uniform",
        look=Look("#882255", "p", WITH),
    ),
    Arm(
        "sd_eq1_uniform",
        "SD Eq. 1 + UniformAugment",
        lam=PAPER_EQ1,
        augment=UNIFORM,
        look=Look(*_SD_LOOK, WITH),
        main=True,
        headline=True,
    ),
    Arm(
        "sd_eq1_uniform_tuned",
        "SD Eq. 1 + UniformAugment, validation-tuned",
        augment=UNIFORM,
        search="sd_eq1_uniform",
        look=Look("#332288", "v", WITH),
    ),
    Arm(
        "weight_decay_blur",
        "weight decay + UniformAugment with blur",
        weight_decay=PAPER_WEIGHT_DECAY,
        augment=BLUR,
        look=Look(*_DECAY_LOOK, WITH_BLUR),
    ),
    Arm(
        "sd_eq1_blur",
        "SD Eq. 1 + UniformAugment with blur",
        lam=PAPER_EQ1,
        augment=BLUR,
        look=Look(*_SD_LOOK, WITH_BLUR),
    ),
)

#: Either method without and with UniformAugment, nothing tuned.
MAIN = tuple(arm for arm in ROBUSTNESS if arm.main)

SEVEREST = ("sharpen-1.0", "blur-20", "haematoxylin-0.0", "eosin-0.0")
CHANCE_MARGIN = 0.1  # "roughly 50 %": .4 to .6
SAME_MARGIN = 0.02  # accuracy: a sixth of the paper's largest gain, a twenty-fifth of the range


def _printed(claim: str, text: str, arm: str) -> list[Comparison]:
    """The differences of one arm that section 3.2 prints."""
    table = paper_table("figure4")
    return [
        Comparison(
            claim,
            f"{text}, {line.level}",
            Kind.GAIN,
            PairedDifference(line.level, arm, line.rival),
            line.difference,
        )
        for line in table[table["arm"] == arm].itertuples()
    ]


@dataclass(frozen=True)
class ScannersApart:
    """Every two scanners (or stain clusters): how far apart are they in sharpness alone?

    The distance of an AUROC from .5, with its bootstrap interval. Phantom scanners were built to
    differ, so nothing is judged on them.
    """

    def __call__(self, place: Any) -> dict[str, Measured]:
        """What was measured, by the names of the two sets; empty where nothing was."""
        if place.source in SOURCES and SOURCES[place.source].procedural:
            return {}
        found = {}
        for pair in place.sharpness_pairs.itertuples():
            if pair.same_scanner:
                continue
            sign = 1 if pair.auroc >= 0.5 else -1
            low, high = sorted((sign * (pair.low - 0.5), sign * (pair.high - 0.5)))
            distance = abs(pair.auroc - 0.5)
            interval = Interval(pair.groups, distance, float("nan"), low, high)
            found[f"{pair.first} and {pair.second}"] = Measured(interval)
        return found


COMPARISONS = (
    *(
        Comparison(
            "C5",
            f"no augmentation, {level}: chance",
            Kind.LEVEL,
            OwnValue(level, "weight_decay_none"),
            paper=0.5,
            margin=CHANCE_MARGIN,
        )
        for level in SEVEREST
    ),
    *_printed("C5", "UniformAugment's gain", "weight_decay_uniform"),
    *_printed("C6", "SD over weight decay", "sd_eq1_uniform"),
    Comparison(
        "C6",
        "SD over weight decay, mean over all haematoxylin levels",
        Kind.NO_DIFFERENCE,
        PairedDifference("haematoxylin", "sd_eq1_uniform", "weight_decay_uniform"),
        margin=SAME_MARGIN,
    ),
    Comparison("C7", "scanners apart in sharpness", Kind.APART, ScannersApart()),
)


def _effect(ending: str, arm: str, rival: str) -> Effect:
    """What an arm changes on shifted tiles; the ending of the heading says how it was set."""
    return Effect(
        f"blur, sharpening and fading stains{ending}",
        "accuracy",
        OverAllLevels(arm, rival),
        1,
        "2_simulations/05_distribution_shift",
    )


# Real tiles keep their own size where a profile would shrink them: shifts need the detail.
NATIVE_SIZES = {
    (profile, source): {"size": 96} for profile in ("laptop", "long") for source in ("open", "pcam")
}

EXPERIMENTS = (
    Experiment(
        "robustness",
        "Blur, sharpness and stain (section 3.2, Figure 4)",
        ROBUSTNESS,
        Cohort(("train",)),
        {"validation": Cohort(("validation",)), "test": Cohort(("test",))},
        searches=(
            Space(
                "weight_decay_uniform",
                "validation",
                grid={"weight_decay": DECAY_GRID},
                extends=True,
            ),
            Space("sd_eq1_uniform", "validation", grid={"lam": LAMBDA_GRID}, extends=True),
        ),
        trial=Arm("trial", "trial", augment=UNIFORM),
        # Three networks a trial: the best of single networks says more of luck than of its values.
        overrides={"laptop": {"networks": 3}, "long": {"networks": 3}, **NATIVE_SIZES},
        main_only=("quick", "long"),  # the rest would double what a newcomer waits for
        measurements=(SWEEP, SHARPNESS),
        comparisons=COMPARISONS,
        effects=(
            _effect("", "sd_eq1_uniform", "weight_decay_uniform"),
            _effect(", both tuned", "sd_eq1_uniform_tuned", "weight_decay_uniform_tuned"),
        ),
    ),
)
