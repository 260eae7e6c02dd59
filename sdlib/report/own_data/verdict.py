"""The findings of a comparison in plain sentences: does spectral decoupling help here?"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from sdlib.datasets.folder_names import short_name
from sdlib.metrics import equivalent
from sdlib.metrics.intervals import Interval
from sdlib.report.own_data.findings import ALL_LEVELS, BOTH, MOVED, NONE, Findings
from sdlib.report.own_data.paired import Paired
from sdlib.report.tables import ends_in_points, signed_points

__all__ = [
    "HARDLY",
    "MARGIN",
    "Answer",
    "answer",
    "cutoff_sentence",
    "decimal",
    "difference_sentence",
    "differs",
    "headline",
    "patients",
    "penalty_sentence",
    "points",
    "shift_sentence",
]

MARGIN = 0.02
"""Differences of accuracy within this count as the same."""
HARDLY = 0.05
"""Below this share of margins beyond the cap, the penalty had hardly anything to hold back."""
PARTLY = 0.25  # below this share it was binding in part
UNBROKEN = "\N{NO-BREAK SPACE}"


class Answer(StrEnum):
    """What is said about a difference in which more is better."""

    HELPS = "helps"
    HARMS = "does harm"
    SAME = "makes no difference that matters"
    UNDECIDED = "cannot be decided"


def answer(found: Paired) -> Answer:
    """Judge a difference by its interval.

    Above 0 it helps, below 0 it does harm. It is the same where two one-sided tests at 5 % put it
    within :data:`MARGIN`, and undecided otherwise.

    Parameters
    ----------
    found : Paired
        As a fraction, method minus rival; more is better.
    """
    if found.low > 0:
        return Answer.HELPS
    if found.high < 0:
        return Answer.HARMS
    if not np.isfinite(found.low):
        return Answer.UNDECIDED
    return Answer.SAME if equivalent(_interval(found), MARGIN) else Answer.UNDECIDED


def differs(found: Paired) -> bool:
    """Whether the interval leaves out 0."""
    return found.low > 0 or found.high < 0


def _interval(found: Paired) -> Interval:
    """A difference with the SD and n of its own interval, so that tests are those of it."""
    n = found.freedom + 1
    return Interval(n, found.mean, found.error * np.sqrt(n), found.low, found.high)


def points(found: Paired) -> str:
    """A difference in hundredths with its interval, such as ``+1.2 (-0.5 to +2.9)``, unbroken."""
    if np.isfinite(found.low):
        text = ends_in_points(_interval(found))
    else:
        text = f"{signed_points(found.mean)} (no interval)"
    return text.replace(" ", UNBROKEN)


def decimal(value: float) -> str:
    """A number without an exponent.

    >>> decimal(1e-05), decimal(0.0), decimal(0.1)
    ('0.00001', '0', '0.1')
    """
    return np.format_float_positional(value, trim="-")


def patients(found: Findings) -> str:
    """The test patients in words."""
    groups = len(set(found.test.groups))
    if groups == len(found.test):
        return f"{groups} test images, each counted as a patient"
    return f"{groups} test patients"


def headline(found: Findings) -> str:
    """The first sentence of the page: the answer."""
    name = short_name(found.place.source)
    return {
        Answer.HELPS: f"Spectral decoupling helps on the images of {name}.",
        Answer.HARMS: f"Spectral decoupling does not help on the images of {name}: it does harm.",
        Answer.SAME: f"Spectral decoupling does not help on the images of {name}: it makes no "
        "difference that matters.",
        Answer.UNDECIDED: f"Whether spectral decoupling helps on the images of {name} cannot be "
        "decided.",
    }[answer(found.main)]


def difference_sentence(found: Findings) -> str:
    """The difference behind the answer, and what could have been found where there is none."""
    text = (
        f"Its balanced accuracy on test images minus that of weight decay is {points(found.main)} "
        f"points: the mean and the 95 % interval over {len(found.seeds)} seeds and "
        f"{patients(found)}."
    )
    if answer(found.main) == Answer.UNDECIDED and np.isfinite(found.main.detectable):
        text += (
            " An experiment of this size would find a difference of "
            f"{100 * found.main.detectable:.0f} points or more in four of five cases."
        )
    return text


def shift_sentence(found: Findings) -> str:
    """What is found on shifted test images."""
    overall = found.shifts[ALL_LEVELS]
    kinds = [name for name in found.shifts if name not in ("clean", ALL_LEVELS)]
    text = {
        Answer.HELPS: "On shifted test images it helps",
        Answer.HARMS: "On shifted test images it does harm",
        Answer.SAME: "On shifted test images it makes no difference that matters",
        Answer.UNDECIDED: "On shifted test images it cannot be decided either way",
    }[answer(overall)]
    return (
        f"{text}: {points(overall)} points, the mean over all levels of {_listed(kinds)}. "
        f"On unshifted images it is {points(found.shifts['clean'])}: the price, or the gain, that "
        "comes with it."
    )


def cutoff_sentence(found: Findings) -> str:
    """Whether a cut-off that is tuned on validation images changes the answer."""
    tuned, auroc = found.cutoffs[BOTH], found.metrics["auroc"]
    first = (
        f"With both cut-offs tuned on validation images, the difference is {points(tuned)} points"
    )
    ranking = {
        Answer.HELPS: "is higher with spectral decoupling: it ranks the images better",
        Answer.HARMS: "is lower with spectral decoupling: it ranks the images worse",
        Answer.SAME: "is the same",
        Answer.UNDECIDED: "does not tell the two apart",
    }[answer(auroc)]
    ranking = f"AUROC, which no cut-off changes, {ranking}: {points(auroc)}"
    return f"{first}; {_of_cutoffs(found)}. {ranking}."


def _of_cutoffs(found: Findings) -> str:
    """What tuned cut-offs change, as a part of a sentence."""
    plain, tuned, moved = found.cutoffs[NONE], found.cutoffs[BOTH], found.cutoffs[MOVED]
    if answer(plain) == answer(tuned):
        return "the answer is the same as with .5"
    helped = answer(plain) == Answer.HELPS
    if helped and moved.low > 0:
        return (
            f"with .5 it is larger, by {points(moved)}: a part of the gain, or all of it, is a "
            "moved cut-off, which needs no penalty"
        )
    if helped and answer(tuned) == Answer.UNDECIDED:
        return f"with .5 it was {points(plain)}, a gain that can no longer be decided"
    if differs(moved):
        return f"with .5 it was {points(plain)}, so the cut-off matters here"
    return f"with .5 it was {points(plain)}, and whether the cut-off matters cannot be decided"


def penalty_sentence(found: Findings) -> str:
    """Whether the penalty was binding."""
    penalty, share = found.penalty, found.penalty.beyond[found.rival]
    text = (
        f"With λ = {decimal(penalty.lam)} a network that separates its training images rests at a "
        f"margin of {penalty.cap:.1f} on average, the cap. Networks with weight decay go beyond it "
        f"on {share:.0%} of the images"
    )
    if share < HARDLY:
        return f"{text}: the penalty had hardly anything to hold back, and can change little here."
    if share < PARTLY:
        return f"{text}: the penalty was binding in part."
    return f"{text}: the penalty was binding."


def _listed(names: list[str]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else names[0]
