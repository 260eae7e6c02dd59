"""Ours: trained on one stain cluster of PatchCamelyon, tested on the other, as if on a centre.

The nearest real stand-in for the paper's other medical centre. The other cluster is tested as it is
and with its stains normalised to those of the training cluster, and two arms are trained with stain
augmentation, which practitioners would reach for.
"""

from __future__ import annotations

from dataclasses import replace

from sdlib.experiments.arm import Arm
from sdlib.experiments.cohorts import Cohort
from sdlib.experiments.comparisons import Comparison, Kind, PairedDifference
from sdlib.experiments.effects import Effect
from sdlib.experiments.experiment import Experiment
from sdlib.experiments.prostate import (
    DECAY,
    GAIN_LEFT,
    NORMALISATION_GAIN,
    PAPER_GAINS,
    SD,
    from_one_place_to_another,
)
from sdlib.experiments.robustness import MAIN, UNIFORM

__all__ = ["EXPERIMENTS"]

DOTTED = "-."  # the line of arms with stain augmentation


def _with_stain_augmentation(arm: Arm) -> Arm:
    return replace(
        arm,
        name=arm.name.replace("_uniform", "_stain"),
        label=f"{arm.label} + stain augmentation",
        augment=f"{UNIFORM}+stain",
        look=replace(arm.look, dash=DOTTED),
        main=False,
        headline=False,
    )


ARMS = (*MAIN, *(_with_stain_augmentation(arm) for arm in MAIN if arm.augment == UNIFORM))


def _comparisons(direction: str) -> tuple[Comparison, ...]:
    return (
        Comparison(
            "C8",
            f"SD over weight decay, same stain cluster ({direction})",
            Kind.GAIN,
            PairedDifference("test.accuracy", SD, DECAY),
            paper=PAPER_GAINS["test"],
        ),
        Comparison(
            "C8",
            f"SD over weight decay, other stain cluster ({direction})",
            Kind.GAIN,
            PairedDifference("across.accuracy", SD, DECAY),
            paper=PAPER_GAINS["external"],
        ),
        Comparison(
            "C10",
            f"Macenko normalisation's gain for weight decay, other stain cluster ({direction})",
            Kind.GAIN,
            PairedDifference(
                "across_normalised.accuracy", DECAY, DECAY, rival_metric="across.accuracy"
            ),
            paper=NORMALISATION_GAIN,
        ),
        Comparison(
            "C10",
            "SD without normalisation over weight decay with it, other stain cluster "
            f"({direction})",
            Kind.GAIN,
            PairedDifference(
                "across.accuracy", SD, DECAY, rival_metric="across_normalised.accuracy"
            ),
            paper=GAIN_LEFT,
        ),
    )


def _trained_on(cluster: str, other: str) -> Experiment:
    inside, outside = {"cluster": cluster}, {"cluster": other}
    return Experiment(
        f"stain_{cluster.lower()}",
        f"Trained on stain cluster {cluster}, tested on the other",
        ARMS,
        Cohort(("train",), inside),
        from_one_place_to_another(inside, outside),
        main_only=("quick",),
        profiles=("smoke", "quick", "laptop"),
        sources=("open",),
        comparisons=_comparisons(f"{cluster} to {other}"),
        effects=tuple(
            Effect(
                f"other stains ({cluster} to {other})",
                heading,
                PairedDifference(f"across.{metric}", SD, DECAY),
                1,
                "3_clinical/06_prostate",
            )
            for heading, metric in (("accuracy", "accuracy"), ("AUROC", "auroc"))
        ),
    )


EXPERIMENTS = (_trained_on("A", "B"), _trained_on("B", "A"))
