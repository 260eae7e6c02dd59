"""Your own images: does spectral decoupling help there? Weight decay and Equation 1, equal budgets.

Run on any folder with a ``manifest.csv`` by ``python -m sdlib compare FOLDER``.

Equation 2 is not among the arms. Its published values were tuned on the test split of another
task, and what they change first is the cut-off (the paper's are worth one of .391), which a tuned
cut-off does without any training; to tune its four values fairly takes far more trials than the
one value of either arm here.
"""

from __future__ import annotations

from dataclasses import replace

from sdlib.experiments.cohorts import Cohort
from sdlib.experiments.cutout import CUTOUT
from sdlib.experiments.experiment import Experiment
from sdlib.experiments.measurements import SWEEP
from sdlib.experiments.searches import DECAY_GRID, LAMBDA_GRID, Space

__all__ = ["AT_PAPER_VALUES", "EXPERIMENTS", "MOST_EPOCHS", "OWN_DATA", "PRETRAINED", "TUNED"]

#: Rival and method, in this order: tuned on validation images, or with the paper's values.
TUNED = ("weight_decay_tuned", "sd_eq1_tuned")
AT_PAPER_VALUES = ("weight_decay", "sd_eq1")
#: A hundred images are trained on for at most so many times the profile's epochs.
MOST_EPOCHS = 10
SEEDS = 5
NETWORKS = 3  # of each trial: the best of single ones would be chosen by luck

_BY_NAME = {arm.name: arm for arm in CUTOUT}
ARMS = tuple(replace(_BY_NAME[name], headline=False) for name in (*AT_PAPER_VALUES, *TUNED))

#: As many trials for either, judged by AUROC, which few validation images measure more finely than
#: accuracy, and which no cut-off changes.
SEARCHES = (
    Space("weight_decay", "validation", grid={"weight_decay": DECAY_GRID}, metric="auroc"),
    Space("sd_eq1", "validation", grid={"lam": LAMBDA_GRID}, metric="auroc"),
)

# From logits of 10 and more either way would be judged by how fast it shrinks them.
_START = {"head": "small"}
_FULL = {"seeds": SEEDS, "networks": NETWORKS, **_START}
OVERRIDES = {
    "smoke": {"seeds": 3, **_START},
    # Half as many steps again as the book's: here the result counts, there ten minutes do.
    "quick": {**_FULL, "tiles": 1500},
    **dict.fromkeys(("laptop", "long", "gpu", "paper"), _FULL),
}

# The only network whose ImageNet weights need no download. It wants more pixels than the small
# networks, a lower rate (.16 for a batch of 512 did well on PatchCamelyon), and fewer epochs.
_LITE0 = {"network": "efficientnet_lite0", "pretrained": True, "learning_rate": 0.16}
_OF_LITE0 = {
    "smoke": {},
    "quick": {"size": 96, "epochs": 2},
    "laptop": {"size": 128, "epochs": 4},
    "long": {"size": 128, "epochs": 8},
    "gpu": {},
    "paper": {"epochs": 30},
}
PRETRAINED_OVERRIDES = {
    profile: {**changed, **_LITE0, **_OF_LITE0[profile]} for profile, changed in OVERRIDES.items()
}


def _own_data(name: str, title: str, overrides: dict) -> Experiment:
    return Experiment(
        name,
        title,
        ARMS,
        Cohort(("train",)),
        {"validation": Cohort(("validation",)), "test": Cohort(("test",))},
        searches=SEARCHES,
        overrides=overrides,
        sources=(),
        measurements=(SWEEP,),
        most_epochs=MOST_EPOCHS,
    )


OWN_DATA = _own_data("own_data", "Weight decay and SD on your own images", OVERRIDES)
PRETRAINED = _own_data(
    "own_data_pretrained",
    "Weight decay and SD on your own images, from ImageNet weights",
    PRETRAINED_OVERRIDES,
)
EXPERIMENTS = (OWN_DATA, PRETRAINED)
