"""Section 3.3 on real slides: five hospitals of Camelyon17, two centres of PANDA, and PESO.

The public relatives of the paper's data. Nothing here has been run for this book: the data sets are
large, and a reader who has them gets the experiment with one command each.
"""

from __future__ import annotations

from dataclasses import replace

from sdlib.experiments.cohorts import Cohort
from sdlib.experiments.comparisons import Comparison, Kind, PairedDifference
from sdlib.experiments.experiment import Experiment
from sdlib.experiments.prostate import (
    DECAY,
    MACENKO,
    PAPER_GAINS,
    SD,
    from_one_place_to_another,
)
from sdlib.experiments.robustness import MAIN

__all__ = ["EXPERIMENTS", "SEEDS"]

#: Networks per arm at the profile ``paper``. On Camelyon17-WILDS accuracies of networks of one arm
#: have a spread of 6.4 points: 20 show a gain of 6 points (in four of five experiments), the usual
#: five none below 13; see :func:`sdlib.report.prostate.hospitals.power_table`.
SEEDS = 20
WILDS_TILES = 432_052  # of which 21 of 30 are as many as the training part has
WILDS_SIZE = 96  # px, as published
PROFILES = ("smoke", "quick", "laptop", "gpu", "paper")


def _outside(where: str, cohort: str) -> tuple[Comparison, ...]:
    return (
        Comparison(
            "C8",
            f"SD over weight decay, {where}",
            Kind.GAIN,
            PairedDifference(f"{cohort}.accuracy", SD, DECAY),
            paper=PAPER_GAINS["external"],
        ),
    )


CAMELYON17 = Experiment(
    "hospitals",
    "Trained in three hospitals, tested in a fifth (Camelyon17-WILDS)",
    MAIN,
    Cohort(("train",)),
    {
        # The official validation hospital; it is neither of the training's nor the test's.
        "validation": Cohort(("validation",)),
        "inside": Cohort(("validation",), {"distribution": "in"}),
        "test": Cohort(("test",), whole=True),
        "test_normalised": Cohort(("test",), whole=True, prepare=MACENKO),
    },
    overrides={"paper": {"size": WILDS_SIZE, "tiles": WILDS_TILES, "seeds": SEEDS}},
    main_only=("quick",),
    profiles=PROFILES,
    sources=("camelyon17",),
    recorded_at="paper",
    comparisons=_outside("Camelyon17's test hospital", "test"),
)


def _panda(trained: str, other: str) -> Experiment:
    inside, outside = {"centre": trained}, {"centre": other}
    return Experiment(
        f"panda_{trained}",
        f"Trained on biopsies of {trained.title()}, tested on those of {other.title()} (PANDA)",
        MAIN,
        Cohort(("train",), inside),
        from_one_place_to_another(inside, outside),
        overrides={"paper": {"seeds": SEEDS}},
        profiles=PROFILES,
        sources=("panda",),
        recorded_at="paper",
        comparisons=_outside(f"PANDA, {trained.title()} to {other.title()}", "across"),
    )


PANDA = (_panda("karolinska", "radboud"), _panda("radboud", "karolinska"))

#: The networks of Karolinska's biopsies on the paper's own external set.
PESO = replace(
    PANDA[0],
    name="peso",
    title="Trained on biopsies of Karolinska, tested on PESO, the paper's external set",
    evaluation={
        "validation": Cohort(("validation",), {"centre": "karolinska"}),
        "test": Cohort(("test",), source="peso", whole=True),
        "normalised": Cohort(("test",), source="peso", whole=True, prepare=MACENKO),
    },
    networks_of="panda_karolinska",
    comparisons=_outside("PESO", "test"),
)

EXPERIMENTS = (CAMELYON17, *PANDA, PESO)
