"""What the cutout experiment is judged by: claims C1, C2 and C4."""

from __future__ import annotations

from sdlib.experiments.comparisons import (
    Comparison,
    Elsewhere,
    Kind,
    MapShare,
    PairedDifference,
)
from sdlib.experiments.effects import Effect
from sdlib.experiments.paper import paper_table

__all__ = ["COMPARISONS", "EFFECTS", "TUNED", "gain_premise"]


def _paper_difference(metric: str, arm: str, rival: str) -> float:
    means = paper_table("table2").set_index(["metric", "arm"])["mean"]
    return float(means[metric, arm] - means[metric, rival])


def _accuracy(arm: str) -> PairedDifference:
    return PairedDifference("test.accuracy", arm, "weight_decay")


TUNED, _AS_GIVEN = "sd_eq2_test_tuned", "sd_eq2"
_GAIN = _paper_difference("accuracy", TUNED, "weight_decay")
_RECALL_GAIN = _paper_difference("recall", TUNED, "weight_decay")
_PRICE = _paper_difference("accuracy", "control", "weight_decay")
SAME_SHARE = 0.2  # of the largest effect: a change of the maps by less counts as none


def _gains(arm: str, variant: str) -> tuple[Comparison, ...]:
    """C1 for one reading of it: which values Equation 2 has."""
    recall = PairedDifference("test.recall", arm, "weight_decay")
    return (
        Comparison(
            "C1",
            "accuracy, SD over weight decay",
            Kind.GAIN,
            _accuracy(arm),
            _GAIN,
            variant=variant,
        ),
        Comparison(
            "C1",
            "recall, SD over weight decay",
            Kind.GAIN,
            recall,
            _RECALL_GAIN,
            variant=variant,
        ),
        Comparison(
            "C1",
            "accuracy, control over weight decay",
            Kind.GAIN,
            _accuracy("control"),
            _PRICE,
            premise=True,
            variant=variant,
        ),
    )


def gain_premise(claim: str) -> Comparison:
    """C1's gain, without which there is nothing to explain or to lose."""
    return Comparison(
        claim,
        "premise: accuracy, SD over weight decay",
        Kind.GAIN,
        Elsewhere("cutout", _accuracy(TUNED)),
        _GAIN,
        premise=True,
    )


COMPARISONS = (
    *_gains(TUNED, "tuned on test"),
    *_gains(_AS_GIVEN, "paper's values"),
    Comparison("C2", "Eq. 1, paper's lambda", Kind.NO_GAIN, _accuracy("sd_eq1"), _GAIN),
    Comparison("C2", "Eq. 1, tuned", Kind.NO_GAIN, _accuracy("sd_eq1_tuned"), _GAIN),
    Comparison("C2", "Eq. 2, tuned on test", Kind.GAIN, _accuracy(TUNED), _GAIN),
    gain_premise("C4"),
    Comparison(
        "C4",
        "map for benign",
        Kind.NO_DIFFERENCE,
        MapShare("benign", TUNED, "weight_decay"),
        margin_share=SAME_SHARE,
    ),
    Comparison(
        "C4",
        "map for cancer",
        Kind.NO_DIFFERENCE,
        MapShare("cancer", TUNED, "weight_decay"),
        margin_share=SAME_SHARE,
    ),
)

_CHAPTER = "2_simulations/04_dominant_features"


def _effects(
    situation: str, cohort: str, arms: tuple[str, str], equation: int, paper: float = float("nan")
) -> tuple[Effect, ...]:
    """Accuracy and AUROC on one cohort: the first arm minus the second."""
    return tuple(
        Effect(
            situation,
            heading,
            PairedDifference(f"{cohort}.{metric}", *arms),
            equation,
            _CHAPTER,
            printed,
        )
        for heading, metric, printed in (
            ("accuracy", "accuracy", paper),
            ("AUROC", "auroc", float("nan")),
        )
    )


_SQUARES = "squares betray the class"

EFFECTS = (
    # The paper's gain is that of values tuned on its own test split.
    *_effects(_SQUARES, "test", (_AS_GIVEN, "weight_decay"), 2, _GAIN),
    *_effects(
        "the same networks on tiles without squares", "clean", (_AS_GIVEN, "weight_decay"), 2
    ),
    *_effects(f"{_SQUARES}, both tuned", "test", ("sd_eq2_tuned", "weight_decay_tuned"), 2),
    *_effects(_SQUARES, "test", ("sd_eq1", "weight_decay"), 1),
)
