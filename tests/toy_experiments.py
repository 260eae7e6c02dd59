"""Experiments that the book does not have: other arms, cohorts, searches and measurements.

Nothing in the library may depend on the names of the book's own experiments; these show it.
"""

from dataclasses import replace

import numpy as np

from sdlib.datasets.tiles import TileSet
from sdlib.experiments import Arm, Experiment, Look
from sdlib.experiments.cohorts import Cohort, Preparation
from sdlib.experiments.comparisons import (
    Comparison,
    DifferenceInChange,
    EnsembleDeLong,
    Kind,
    OwnValue,
    PairedDifference,
    Slope,
)
from sdlib.experiments.measurements import SWEEP
from sdlib.experiments.searches import Space

#: Tiles turned upside down: a preparation of its own.
TURNED = Preparation("turned", lambda tiles, seed: tiles.subset(list(range(len(tiles)))[::-1]))

ARMS = (
    Arm("plain", "plain training", look=Look("#111111", "o"), main=True, headline=True),
    Arm(
        "firm", "firm decay", weight_decay=0.1, look=Look("#AA3377", "s"), main=True, headline=True
    ),
    Arm("found", "decay from a search", search="decay", look=Look("#228833", "^")),
    Arm("turned", "trained upside down", training=Cohort(("train",), prepare=TURNED)),
)

#: Swept; a search with a test twin; four statistics of its own.
TOY_SHIFTS = Experiment(
    "toy_shifts",
    "A toy that is swept",
    ARMS,
    Cohort(("train",)),
    {"validation": Cohort(("validation",)), "test": Cohort(("test",))},
    searches=(
        Space("decay", "validation", grid={"weight_decay": (0.1, 0.01)}),
        Space("decay_seen", "test", grid={"weight_decay": (0.1, 0.01)}),
    ),
    overrides={"laptop": {"seeds": 3}},
    main_only=("long",),
    measurements=(SWEEP,),
    comparisons=(
        Comparison(
            "T1", "firm at blur 19", Kind.GAIN, PairedDifference("blur-19", "firm", "plain"), 0.1
        ),
        Comparison(
            "T1", "plain at the end", Kind.LEVEL, OwnValue("eosin-0.0", "plain"), 0.5, margin=0.4
        ),
        Comparison("T1", "slope under blur", Kind.LOSS, Slope("blur", "firm", "plain")),
    ),
)

#: Other cohorts, two scanners; an ensemble judged by DeLong; a claim of the paper.
TOY_SCANNERS = Experiment(
    "toy_scanners",
    "A toy with cohorts of two scanners",
    ARMS[:2],
    Cohort(("train",)),
    {
        "validation": Cohort(("validation",)),
        "test": Cohort(("test",)),
        "elsewhere": Cohort(("test",), {"cohort": "external", "scanner": "flash2"}, whole=True),
    },
    sources=("phantom",),
    comparisons=(
        Comparison(
            "C8",
            "what is kept elsewhere",
            Kind.NO_DIFFERENCE,
            DifferenceInChange("elsewhere.accuracy", "test.accuracy", "firm", "plain"),
            margin=0.5,
        ),
        Comparison(
            "C12",
            "ensembles elsewhere",
            Kind.GAIN,
            EnsembleDeLong("elsewhere", "firm", "plain"),
            paper=0.03,
        ),
        Comparison(
            "C12",
            "the ensemble here over the other experiment's",
            Kind.LOSS,
            EnsembleDeLong("test", "firm", "plain", rival_experiment="toy_shifts"),
            margin=0.5,
        ),
        Comparison(
            "C12",
            "losses are alike in the two experiments",
            Kind.NO_DIFFERENCE,
            DifferenceInChange("test.auroc", "test.auroc", "firm", "plain", "toy_shifts"),
            margin=0.5,
        ),
    ),
)

#: No grey level above the training tiles' mean.
FITTED = Preparation(
    "fitted",
    lambda tiles, seed, training: TileSet(
        np.minimum(tiles.images, training.images.mean().astype(np.uint8)),
        tiles.targets,
        tiles.groups,
        tiles.factors,
    ),
    fitted=True,
)

#: Tests the networks of another; borrows its search; sweeps one shift of a cohort of its own.
TOY_BORROWER = Experiment(
    "toy_borrower",
    "A toy that tests the networks of another",
    ARMS[:3],
    Cohort(("train",)),
    {
        "validation": Cohort(("validation",)),
        "test": Cohort(("test",)),
        "restained": Cohort(("test",), {"stain": "radboud"}),
        "capped": Cohort(("test",), prepare=FITTED),
        "counted": Cohort(("test",), {"scanner": "flash3"}, metrics_only=True),
    },
    searched_in="toy_shifts",
    networks_of="toy_shifts",
    profiles=("smoke", "long"),
    recorded_at="long",
    sources=("phantom",),
    measurements=(replace(SWEEP, cohort="restained", shifts=("eosin",)),),
)

TOYS = (TOY_SHIFTS, TOY_SCANNERS, TOY_BORROWER)
