"""The comparisons behind the paper's claims, with the paper's own numbers."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from sdlib.paths import data_folder

__all__ = ["PARTS", "Part", "paper_table"]


@dataclass(frozen=True)
class Part:
    """One comparison behind a claim: ``arm`` minus ``rival`` in ``metric``.

    Parameters
    ----------
    claim, text : str
    kind : str
        gain, no gain, loss, no difference, level or apart: see :mod:`sdlib.report.verdicts`.
    metric : str
        A metric of the rows; a level of shift (such as ``blur-19``) where the experiment is swept.
    arm, rival : str
        Without a rival, the arm's own value is judged.
    paper : float
        The paper's difference, or level.
    experiment : str
    premise : bool
        Without it the claim cannot be tested.
    margin : float
        What counts as no difference, or as one level; 0 is half of the rival's mean.
    """

    claim: str
    text: str
    kind: str
    metric: str
    arm: str
    rival: str = ""
    paper: float = 0.0
    experiment: str = "cutout"
    premise: bool = False
    margin: float = 0.0


def paper_table(name: str) -> pd.DataFrame:
    """One of the paper's tables, from ``data/paper``.

    >>> list(paper_table("table2").columns[:3])
    ['arm', 'label', 'metric']
    """
    return pd.read_csv(data_folder() / "paper" / f"{name}.csv")


def _paper_difference(metric: str, arm: str, rival: str) -> float:
    means = paper_table("table2").set_index(["metric", "arm"])["mean"]
    return float(means[metric, arm] - means[metric, rival])


def _figure4(claim: str, text: str, arm: str) -> list[Part]:
    """The differences that section 3.2 prints, of one arm."""
    table = paper_table("figure4")
    return [
        Part(
            claim,
            f"{text}, {line.level}",
            "gain",
            line.level,
            arm,
            line.rival,
            line.difference,
            "robustness",
        )
        for line in table[table["arm"] == arm].itertuples()
    ]


SEVEREST = ("sharpen-1.0", "blur-20", "haematoxylin-0.0", "eosin-0.0")
CHANCE_MARGIN = 0.1  # "roughly 50 %": .4 to .6
SAME_MARGIN = 0.05  # accuracy; the paper's other differences reach .124
_AROUND = "cutout_sensitivity"
_EQ2, _DECAY = "sd_eq2_test_tuned", "weight_decay"
_GAIN = _paper_difference("accuracy", _EQ2, _DECAY)
PARTS = (
    Part("C1", "accuracy, SD over weight decay", "gain", "test.accuracy", _EQ2, _DECAY, _GAIN),
    Part(
        "C1",
        "recall, SD over weight decay",
        "gain",
        "test.recall",
        _EQ2,
        _DECAY,
        _paper_difference("recall", _EQ2, _DECAY),
    ),
    Part(
        "C1",
        "accuracy, control over weight decay",
        "gain",
        "test.accuracy",
        "control",
        _DECAY,
        _paper_difference("accuracy", "control", _DECAY),
        premise=True,
    ),
    Part("C2", "Eq. 1, paper's lambda", "no gain", "test.accuracy", "sd_eq1", _DECAY, _GAIN),
    Part("C2", "Eq. 1, tuned", "no gain", "test.accuracy", "sd_eq1_tuned", _DECAY, _GAIN),
    Part("C2", "Eq. 2, tuned on test", "gain", "test.accuracy", _EQ2, _DECAY, _GAIN),
    Part(
        "C3", "one step in lambda", "loss", "test.accuracy", "lam", _EQ2, 0.0, "cutout_sensitivity"
    ),
    Part(
        "C3", "one step in gamma", "loss", "test.accuracy", "gamma", _EQ2, 0.0, "cutout_sensitivity"
    ),
    Part("C4", "map for benign", "no difference", "cam.benign_share", _EQ2, _DECAY),
    Part("C4", "map for cancer", "no difference", "cam.cancer_share", _EQ2, _DECAY),
    *(
        Part(
            "C5",
            f"no augmentation, {level}: chance",
            "level",
            level,
            "weight_decay_none",
            paper=0.5,
            experiment="robustness",
            margin=CHANCE_MARGIN,
        )
        for level in SEVEREST
    ),
    *(_figure4("C5", "UniformAugment's gain", "weight_decay_uniform")),
    *(_figure4("C6", "SD over weight decay", "sd_eq1_uniform")),
    Part(
        "C6",
        "SD over weight decay, mean over all haematoxylin levels",
        "no difference",
        "haematoxylin",
        "sd_eq1_uniform",
        "weight_decay_uniform",
        experiment="robustness",
        margin=SAME_MARGIN,
    ),
)
