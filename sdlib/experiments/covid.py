"""Section 3.4: COVID-19 in films of the chest, and a place that gives itself away.

Figure 7 (claims C12 to C14). Trained where both classes come from the same places (the paper: the
BIMCV data), or with most negatives from a place of their own (the paper: PadChest added), and
tested on films from elsewhere. On phantoms each part of a place's signature is changed alone, and
lungs or surroundings are hidden: what do the networks look at?
"""

from __future__ import annotations

from dataclasses import replace

from sdlib.datasets.sources import FILMS
from sdlib.experiments.arm import Arm
from sdlib.experiments.cohorts import Cohort
from sdlib.experiments.comparisons import (
    AboveChance,
    Comparison,
    DifferenceInChange,
    EnsembleDeLong,
    Kind,
    PairedDifference,
)
from sdlib.experiments.cutout import CUTOUT
from sdlib.experiments.effects import Effect
from sdlib.experiments.experiment import Experiment
from sdlib.experiments.measurements import LINEAR_HEADS
from sdlib.experiments.paper import paper_table
from sdlib.experiments.searches import EQ2_RANGES, LAMBDA_RANGE, Space, eq2_values

__all__ = [
    "ADDED_EXPERIMENT",
    "ARMS",
    "CHANGED",
    "DECAY",
    "EXPERIMENTS",
    "HIDDEN",
    "PHANTOMS",
    "SD",
    "SHARED_EXPERIMENT",
    "changed_name",
]

SD, DECAY = "sd_eq2", "weight_decay"
SHARED, ADDED = "covid", "covid_added"

#: The paper's values of Equation 2 in this section: (negative, positive).
FILM_LAM, FILM_GAMMA = (0.01, 0.001), (0.0, 1.0)

#: The parts of a phantom film's signature that are changed alone; then all of them.
CHANGED = ("token", "border", "contrast", "pose", "text", "all")
#: What is left visible of a film while all else is hidden.
HIDDEN = ("lungs", "surroundings")


def _arm(name: str) -> Arm:
    """An arm of chapter 4, drawn as there."""
    return next(arm for arm in CUTOUT if arm.name == name)


ARMS = (
    replace(_arm("weight_decay"), headline=False),
    _arm("weight_decay_tuned"),
    replace(_arm("sd_eq2"), lam=FILM_LAM, gamma=FILM_GAMMA, headline=False),
    _arm("sd_eq2_tuned"),
)

#: Both by Bayesian optimisation with the profile's budget, judged by AUROC on validation patients.
SEARCHES = (
    Space(
        "weight_decay", "validation", ranges={"weight_decay": (*LAMBDA_RANGE, True)}, metric="auroc"
    ),
    Space(
        "sd_eq2",
        "validation",
        ranges=EQ2_RANGES,
        metric="auroc",
        first=(eq2_values(FILM_LAM, FILM_GAMMA),),
    ),
)

#: The regimen of DeGrave et al. 2021: its rate is .01 for a batch of 16, here given for 512.
REGIMEN = {
    "batch_size": 16,
    "learning_rate": 0.32,
    "falling": "steps",
    "kept": "best",
    "pretrained": True,
    "augment": "none",
}
PHANTOMS = {"augment": "none", "kept": "best"}
OVERRIDES = {
    "smoke": PHANTOMS,
    "quick": {**PHANTOMS, "tiles": 320},
    ("quick", "open"): {**REGIMEN, "network": "efficientnet_lite0", "size": 96, "epochs": 2},
    # Three networks a trial: the best of single networks says more of luck than of its values.
    "laptop": {**PHANTOMS, "size": 96, "tiles": 1500, "trials": 5, "networks": 3},
    ("laptop", "open"): {
        **REGIMEN,
        "network": "efficientnet_lite0",
        "size": 96,
        "epochs": 10,
        # Some thirty validation films: the best epoch on them would be chosen by chance.
        "kept": "last",
    },
    "paper": {
        **REGIMEN,
        "network": "densenet121",
        "epochs": 30,
        "dropout": 0.0,
        "drop_path": 0.0,
    },
}


def changed_name(part: str) -> str:
    """The evaluation cohort in which a part of the signature is changed.

    >>> changed_name("token")
    'changed_token'
    """
    return f"changed_{part}"


def _films(part: str, **where: str) -> Cohort:
    """All films of a part, as many of each class as there are."""
    return Cohort((part,), where, whole=True, balanced=False)


def _evaluation(situation: str) -> dict[str, Cohort]:
    inside = _films("test", situation=situation)
    found = {
        "validation": _films("validation", situation=situation),
        "test": inside,
        "external": _films("test", place="outside"),
    }
    for seen in HIDDEN:
        where = {"situation": situation, "visible": seen}
        found[seen] = replace(_films("test", **where), sources=("phantom", "open"))
    for part in CHANGED:
        where = {"situation": situation, "changed": part}
        found[changed_name(part)] = replace(_films("test", **where), sources=("phantom",))
    return found


def _paper(experiment: str, arm: str) -> float:
    figure = paper_table("figure7").set_index(["experiment", "arm"])
    return float(figure.loc[(experiment, arm), "auroc"])


def _gains(claim: str, experiment: str, trained_on: str) -> tuple[Comparison, ...]:
    """SD over weight decay outside: of ensembles, as in the paper, and of single networks.

    Networks that have learned nothing inside cannot lose or keep it outside: a premise.
    """
    paper = round(_paper(experiment, SD) - _paper(experiment, DECAY), 3)
    return (
        Comparison(
            claim,
            f"premise: weight decay is above chance inside, {trained_on}",
            Kind.GAIN,
            AboveChance("test.auroc", DECAY),
            premise=True,
        ),
        Comparison(
            claim,
            f"AUROC outside, SD over weight decay, ensembles (DeLong), {trained_on}",
            Kind.GAIN,
            EnsembleDeLong("external", SD, DECAY),
            paper,
        ),
        Comparison(
            claim,
            f"AUROC outside, SD over weight decay, single networks, {trained_on}",
            Kind.GAIN,
            PairedDifference("external.auroc", SD, DECAY),
            paper,
        ),
    )


#: Both arms lose alike if their losses differ by less; the paper's differ by .002.
ALIKE = 0.02

ADDED_COMPARISONS = (
    *_gains("C13", ADDED, "most negatives from a place of their own"),
    *(
        Comparison(
            "C14",
            f"AUROC outside, ensembles of {label}: other negatives added over not",
            Kind.LOSS,
            EnsembleDeLong("external", arm, arm, rival_experiment=SHARED),
            margin=ALIKE,
        )
        for arm, label in ((DECAY, "weight decay"), (SD, "SD"))
    ),
    Comparison(
        "C14",
        "AUROC outside, the loss of SD over the loss of weight decay, single networks",
        Kind.NO_DIFFERENCE,
        DifferenceInChange("external.auroc", "external.auroc", SD, DECAY, SHARED),
        margin=ALIKE,
    ),
)


def _effects(experiment: str, situation: str) -> tuple[Effect, ...]:
    """Single networks, as their interval is over seeds; the paper's gain is of ensembles."""
    gain = round(_paper(experiment, SD) - _paper(experiment, DECAY), 3)
    return tuple(
        Effect(
            f"{situation}{ending}",
            "AUROC",
            PairedDifference("external.auroc", arm, rival),
            2,
            "3_clinical/07_covid",
            paper,
            premise=AboveChance("test.auroc", rival),
            missing="on test films from the places of training, AUROC of weight decay minus .5",
        )
        for ending, arm, rival, paper in (
            ("", SD, DECAY, gain),
            (", both tuned", f"{SD}_tuned", f"{DECAY}_tuned", float("nan")),
        )
    )


def _trained_on(
    name: str, situation: str, title: str, comparisons, effects, measurements=()
) -> Experiment:
    return Experiment(
        name,
        title,
        ARMS,
        _films("train", situation=situation),
        _evaluation(situation),
        searches=SEARCHES,
        overrides=OVERRIDES,
        main_only=("quick",),
        images=FILMS,
        profiles=("smoke", "quick", "laptop", "paper"),
        sources=("phantom", "open", "bimcv"),
        measurements=measurements,
        comparisons=comparisons,
        effects=effects,
    )


SHARED_EXPERIMENT = _trained_on(
    SHARED,
    "shared",
    "COVID-19, both classes from the same places (section 3.4, Figure 7A)",
    _gains("C12", SHARED, "both classes from the same places"),
    _effects(SHARED, "COVID-19 in films from elsewhere"),
    # Of both situations: they share the films' features.
    (LINEAR_HEADS,),
)
ADDED_EXPERIMENT = _trained_on(
    ADDED,
    "added",
    "COVID-19, most negatives from a place of their own (section 3.4, Figure 7B)",
    ADDED_COMPARISONS,
    _effects(ADDED, "COVID-19, the source betrays the label"),
)
EXPERIMENTS = (SHARED_EXPERIMENT, ADDED_EXPERIMENT)
