"""Ours: trained on one stain cluster of PatchCamelyon, tested on the other, as if on a centre."""

from __future__ import annotations

from sdlib.experiments.cohorts import Cohort
from sdlib.experiments.experiment import Experiment
from sdlib.experiments.robustness import MAIN

__all__ = ["EXPERIMENTS"]


def _trained_on(cluster: str, other: str) -> Experiment:
    inside, outside = {"cluster": cluster}, {"cluster": other}
    return Experiment(
        f"stain_{cluster.lower()}",
        f"Trained on stain cluster {cluster}, tested on the other",
        MAIN,
        Cohort(("train",), inside),
        {
            "validation": Cohort(("validation",), inside),
            "test": Cohort(("test",), inside),
            # Validation tiles of the other cluster have chosen nothing, so they may test as well.
            "across": Cohort(("validation", "test"), outside, whole=True),
        },
        profiles=("smoke", "quick", "laptop"),
        sources=("open",),
    )


EXPERIMENTS = (_trained_on("A", "B"), _trained_on("B", "A"))
