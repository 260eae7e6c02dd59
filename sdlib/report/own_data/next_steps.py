"""What to do after a comparison on your own images, in plain sentences."""

from __future__ import annotations

from sdlib.experiments.searches import Space
from sdlib.report.own_data.findings import BOTH, MOVED, NONE, Findings
from sdlib.report.own_data.verdict import HARDLY, Answer, answer, decimal, differs

__all__ = ["next_steps"]

CHANCE = 0.6  # an AUROC below it: next to nothing was learned
FEW_PATIENTS = 20
# What is tried after a profile; beyond these it takes a GPU.
LONGER = {"smoke": "laptop", "quick": "laptop", "laptop": "long"}


def next_steps(found: Findings) -> list[str]:
    """What to do next, the most useful first; one sentence or two each."""
    steps = [
        *_of_learning(found),
        *_of_precision(found),
        *_of_values(found),
        *_of_moved_cutoffs(found),
    ]
    if answer(found.metrics["brier"]) == Answer.HELPS:  # a higher Brier score is worse
        steps.append(
            "Calibrate the probabilities of networks with spectral decoupling on validation "
            "images before they are shown: their Brier score is higher."
        )
    if found.penalty.beyond[found.rival] < HARDLY:
        steps.append(
            "Train longer, or try a larger λ: while margins stay below the cap, both methods "
            "train nearly the same network."
        )
    if answer(found.main) in (Answer.SAME, Answer.HARMS):
        steps.append("Keep weight decay: nothing here speaks for the penalty.")
    steps.append(
        "Test what you keep on images of another scanner or another hospital. Blur, sharpness and "
        "stain are a stand-in for them, no more."
    )
    return steps


def _of_learning(found: Findings) -> list[str]:
    best = max(found.metrics["auroc"].own.mean, found.metrics["auroc"].rival.mean)
    if best >= CHANCE:
        return []
    options = _stronger(found)
    remedy = "Look whether the labels are right (python -m sdlib check)."
    if options:
        remedy = f"Try {options}."
    return [
        f"First make a network learn the task: the better AUROC is {best:.2f}, little more than "
        f"chance, and methods that have learned nothing cannot be compared. {remedy}"
    ]


def _of_precision(found: Findings) -> list[str]:
    if answer(found.main) != Answer.UNDECIDED:
        return []
    groups = len(set(found.test.groups))
    if found.main.patient_error >= found.main.seed_error:
        few = f", of which there are {groups}" if groups < FEW_PATIENTS else ""
        return [
            f"Add test patients{few}: most of the uncertainty comes from them, and more seeds "
            "would hardly narrow the interval."
        ]
    options = _stronger(found)
    how = f"for longer or on more images ({options})" if options else "on more images"
    return [
        f"Train {how}: most of the uncertainty is between seeds, as where training has not settled."
    ]


def _stronger(found: Findings) -> str:
    """Options of the command with which networks learn more than those of this page did."""
    options = []
    if found.place.profile in LONGER:
        options.append(f"--profile {LONGER[found.place.profile]}")
    if not found.place.runs[0].settings.pretrained:
        options.append("--pretrained")
    return ", or ".join(options)


def _of_moved_cutoffs(found: Findings) -> list[str]:
    plain, tuned = found.cutoffs[NONE], found.cutoffs[BOTH]
    if answer(plain) == answer(tuned):
        return []
    if differs(found.cutoffs[MOVED]):
        return [
            "Choose the cut-off on validation images, for either method: at .5 and at such a "
            "cut-off the answers differ."
        ]
    if (answer(plain), answer(tuned)) == (Answer.HELPS, Answer.UNDECIDED):
        return [
            "Do not rely on the gain at a cut-off of .5: with cut-offs tuned on validation images "
            "it can no longer be decided."
        ]
    return []


def _of_values(found: Findings) -> list[str]:
    """Searches whose best value lies at an end of its grid."""
    steps = []
    for name in (found.rival, found.arm):
        family = found.place.definition.arm(name).search
        if family is None:
            continue
        space = found.place.definition.space(family)
        chosen = found.place.setting(name)[space.names[0]]
        if chosen == _strong_end(space):
            steps.append(
                f"The search for {found.place.label(name)} chose the strongest value of its grid, "
                f"{decimal(chosen)}: a stronger one may be better still."
            )
    return steps


def _strong_end(space: Space) -> float:
    (values,) = space.grid.values()
    return max(values)
