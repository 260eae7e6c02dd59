"""Section 3.3: cancer of the prostate in four evaluation sets, ever further from the training data.

Figure 5 (claim C8) and Figure 6 (claims C9 and C10). The networks are those of section 3.2. On
phantoms the gap between the training data and another medical centre is taken apart: each of five
shifts alone, and in pairs.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

from sdlib.datasets.normalised import normalise_tiles
from sdlib.experiments.cohorts import Cohort, Preparation
from sdlib.experiments.comparisons import (
    Comparison,
    DifferenceInChange,
    Kind,
    PairedDifference,
)
from sdlib.experiments.effects import Effect
from sdlib.experiments.experiment import Experiment
from sdlib.experiments.measurements import SWEEP
from sdlib.experiments.paper import paper_table
from sdlib.experiments.robustness import ROBUSTNESS

__all__ = [
    "ARMS",
    "DECAY",
    "EXPERIMENTS",
    "GAIN_LEFT",
    "MACENKO",
    "NORMALISATION_GAIN",
    "PAPER_GAINS",
    "PARTS_OF_D",
    "SD",
    "STAIN_SWEEP",
    "from_one_place_to_another",
    "parts_name",
]

SD, DECAY = "sd_eq1_uniform", "weight_decay_uniform"

#: The arms of section 3.2 without those that have blur among the augmentations.
ARMS = tuple(arm for arm in ROBUSTNESS if not arm.name.endswith("_blur"))

MACENKO = Preparation("macenko", normalise_tiles, fitted=True)
STAIN_SWEEP = replace(SWEEP, cohort="external", shifts=("haematoxylin", "eosin"))

#: What is different in the other medical centre (D), by the phantom's own restrictions.
PARTS_OF_D = {
    "stain": {"stain": "radboud"},
    "scanner": {"scanner": "flash2"},
    "magnification": {"magnification": "10x"},
    "patients": {"cohort": "external", "stain": "helsinki", "scanner": "axioscan"},
    "labels": {"labels": "regions"},
}
D = {"cohort": "external", "magnification": "10x", "labels": "regions"}


def parts_name(parts: tuple[str, ...]) -> str:
    """The evaluation cohort in which only some parts of D are different.

    >>> parts_name(("stain", "labels"))
    'only_stain_labels'
    """
    return "_".join(("only", *parts))


def _where(parts: tuple[str, ...]) -> dict[str, str]:
    """The restrictions of such a cohort; patients come first, so that others overrule theirs."""
    where: dict[str, str] = {}
    for part in sorted(parts, key=lambda part: part != "patients"):
        where |= PARTS_OF_D[part]
    return where


def _taken_apart() -> dict[str, Cohort]:
    """Cohorts in which one or two parts of D are different from the test patients' own tiles."""
    chosen = [
        *((part,) for part in PARTS_OF_D),
        *itertools.combinations(PARTS_OF_D, 2),
    ]
    return {
        parts_name(parts): Cohort(("test",), _where(parts), metrics_only=True) for parts in chosen
    }


COHORTS = {
    "validation": Cohort(("validation",)),
    "test": Cohort(("test",)),
    "later": Cohort(("test",), {"cohort": "later", "labels": "outlines"}),
    "rescanned": Cohort(("test",), {"scanner": "flash3"}),
    "external": Cohort(("test",), D),
    "external_normalised": Cohort(("test",), D, prepare=MACENKO),
}

HALF_FADED = "eosin-0.5"

#: The paper's gains of Figure 5 by evaluation cohort, and normalisation's for weight decay outside.
PAPER_GAINS = paper_table("figure5").set_index("cohort")["difference"].to_dict()
NORMALISATION_GAIN = float(
    paper_table("figure6").set_index("quantity").loc["normalisation_gain", "value"]
)
#: What is left of the gain outside if weight decay has normalised tiles and SD has not.
GAIN_LEFT = round(PAPER_GAINS["external"] - NORMALISATION_GAIN, 3)


def from_one_place_to_another(
    inside: Mapping[str, str], outside: Mapping[str, str]
) -> dict[str, Cohort]:
    """Evaluation cohorts of networks that were trained in one place and are tested in two.

    Parameters
    ----------
    inside, outside : mapping of str to str
        The source's restrictions to the place of training and to the other one.

    Returns
    -------
    dict of str to Cohort
        ``validation`` and ``test`` inside; ``across``, and ``across_normalised`` to the stains of
        the training tiles, outside. Validation tiles from outside have chosen nothing, so they may
        test as well.
    """
    elsewhere = {"parts": ("validation", "test"), "where": outside, "whole": True}
    return {
        "validation": Cohort(("validation",), inside),
        "test": Cohort(("test",), inside),
        "across": Cohort(**elsewhere),
        "across_normalised": Cohort(**elsewhere, prepare=MACENKO),
    }


COMPARISONS = (
    *(
        Comparison(
            "C8",
            f"SD over weight decay, {line.title}",
            Kind.GAIN,
            PairedDifference(f"{line.cohort}.accuracy", SD, DECAY),
            line.difference,
        )
        for line in paper_table("figure5").itertuples()
    ),
    *(
        Comparison(
            "C9",
            f"outside, SD loses less than weight decay when {stain} fades (mean over levels)",
            Kind.GAIN,
            DifferenceInChange(stain, "clean", SD, DECAY),
        )
        for stain in ("haematoxylin", "eosin")
    ),
    Comparison(
        "C9",
        "outside, weight decay gains when half of the eosin is taken away",
        Kind.GAIN,
        PairedDifference(HALF_FADED, DECAY, DECAY, rival_metric="clean"),
    ),
    Comparison(
        "C10",
        "Macenko normalisation's gain for weight decay, outside",
        Kind.GAIN,
        PairedDifference(
            "external_normalised.accuracy", DECAY, DECAY, rival_metric="external.accuracy"
        ),
        paper=NORMALISATION_GAIN,
    ),
    Comparison(
        "C10",
        "SD without normalisation over weight decay with it, outside (paper: 9.5 - 7.5)",
        Kind.GAIN,
        PairedDifference(
            "external.accuracy", SD, DECAY, rival_metric="external_normalised.accuracy"
        ),
        paper=GAIN_LEFT,
    ),
)

EXPERIMENTS = (
    Experiment(
        "prostate",
        "Prostate cancer in four evaluation sets (section 3.3, Figures 5 and 6)",
        ARMS,
        Cohort(("train",)),
        {**COHORTS, **_taken_apart()},
        searched_in="robustness",
        networks_of="robustness",
        main_only=("quick", "gpu"),
        # Not at laptop, where training has not settled: the penalty acts on large margins alone.
        profiles=("smoke", "quick", "long", "gpu", "paper"),
        sources=("phantom",),
        recorded_at="long",
        measurements=(STAIN_SWEEP,),
        comparisons=COMPARISONS,
        effects=tuple(
            Effect(
                "another medical centre",
                heading,
                PairedDifference(f"external.{metric}", SD, DECAY),
                1,
                "3_clinical/06_prostate",
                paper,
            )
            for heading, metric, paper in (
                ("accuracy", "accuracy", PAPER_GAINS["external"]),
                ("AUROC", "auroc", float("nan")),
            )
        ),
    ),
)
