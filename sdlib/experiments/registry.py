"""The registry of experiments: which arms are trained and asked what, at which scale, on what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sdlib.experiments import arms as arms_module
from sdlib.experiments.arms import Arm
from sdlib.experiments.profiles import PROFILES, SOURCES

__all__ = ["EXPERIMENTS", "Experiment"]

CUTOUT_SETS = MappingProxyType(
    {
        "validation": ("validation", "train"),
        "test": ("test", "test"),
        "clean": ("test", "none"),
        "all": ("test", "all"),
    }
)
PLAIN_SETS = MappingProxyType({"validation": ("validation", "none"), "test": ("test", "none")})
ACROSS_SETS = MappingProxyType({**PLAIN_SETS, "across": ("across", "none")})
NATIVE_SIZES = MappingProxyType(
    {(profile, source): 96 for profile in ("laptop", "long") for source in ("open", "pcam")}
)
# Section 2.4: all prostate networks have UniformAugment. Its Cutout would confound cutouts.
PAPER_AUGMENT = MappingProxyType({"paper": "uniform_no_cutout"})
# Searches and blur would double what a newcomer waits for; a longer schedule asks whether the main
# arms still say the same.
FEW_CUTOUT = MappingProxyType({"long": tuple(a.name for a in arms_module.CUTOUT_MAIN)})
FEW_ROBUSTNESS = MappingProxyType(
    dict.fromkeys(("quick", "long"), tuple(a.name for a in arms_module.ROBUSTNESS_MAIN))
)


TRIAL = Arm("trial", "trial")


@dataclass(frozen=True)
class Experiment:
    """A question with its arms.

    Parameters
    ----------
    name, title : str
    claims : tuple of str
        Of the paper, such as ``C1``.
    arms : tuple of Arm
    sets : mapping
        What every network is asked, by name: which part of the data, and which tiles of it carry
        cutouts (a kind of :func:`sdlib.datasets.cutout.make_cutout_set`).
    families : tuple of str
        Its searches; ``searched_in`` names the experiment whose searches it borrows instead.
    trial : Arm
        What a trial trains, but for the values on trial.
    augment : mapping
        Of :data:`sdlib.augment.AUGMENTATIONS`, by profile, between the profile's and the arm's own.
    few : mapping
        By profile, the names of the arms that are run there, where not all of them are.
    seeds : int, optional
        Caps the profile's number of seeds.
    profiles, sources : tuple of str
        Where it is run.
    sizes : mapping
        Side of the tiles by (profile, source), where it is not the profile's.
    cluster : str
        The stain cluster that is trained on; empty for all tiles.
    maps : bool
        Whether class activation maps are measured.
    swept : bool
        Whether its networks are asked about every level of every shift, too.
    """

    name: str
    title: str
    claims: tuple[str, ...]
    arms: tuple[Arm, ...]
    sets: Mapping[str, tuple[str, str]] = field(hash=False)
    families: tuple[str, ...] = ()
    searched_in: str = ""
    trial: Arm = TRIAL
    augment: Mapping[str, str] = field(default_factory=dict, hash=False)
    few: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    seeds: int | None = None
    profiles: tuple[str, ...] = tuple(PROFILES)
    sources: tuple[str, ...] = tuple(SOURCES)
    sizes: Mapping[tuple[str, str], int] = field(default_factory=dict, hash=False)
    cluster: str = ""
    maps: bool = False
    swept: bool = False
    data_seed: int = 0
    search_seed: int = 1000


EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        Experiment(
            "cutout",
            "Dominant features (section 3.1, Table 2)",
            ("C1", "C2", "C4"),
            arms_module.CUTOUT,
            CUTOUT_SETS,
            maps=True,
            augment=PAPER_AUGMENT,
            few=FEW_CUTOUT,
            families=(
                "learning_rate",
                "weight_decay",
                "weight_decay_test",
                "sd_eq1",
                "sd_eq2",
                "sd_eq2_test",
            ),
        ),
        Experiment(
            "cutout_sensitivity",
            "How sharp is the optimum of Eq. 2? (section 3.1)",
            ("C3",),
            arms_module.SENSITIVITY,
            CUTOUT_SETS,
            searched_in="cutout",
            maps=True,
            augment=PAPER_AUGMENT,
            seeds=3,
            profiles=("smoke", "laptop", "paper"),
        ),
        Experiment(
            "robustness",
            "Blur, sharpness and stain (section 3.2, Figure 4)",
            ("C5", "C6"),
            arms_module.ROBUSTNESS,
            PLAIN_SETS,
            families=("weight_decay_uniform", "sd_eq1_uniform"),
            trial=Arm("trial", "trial", train_set="none", augment=arms_module.UNIFORM),
            few=FEW_ROBUSTNESS,
            sizes=NATIVE_SIZES,
            swept=True,
        ),
        *(
            Experiment(
                f"stain_{cluster.lower()}",
                f"Trained on stain cluster {cluster}, tested on the other",
                (),
                arms_module.ROBUSTNESS_MAIN,
                ACROSS_SETS,
                profiles=("smoke", "quick", "laptop"),
                sources=("open",),
                cluster=cluster,
            )
            for cluster in ("A", "B")
        ),
    )
}
