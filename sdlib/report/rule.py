"""The rule behind the verdicts, in one place.

A claim has several parts, each a comparison that an experiment declares
(:mod:`sdlib.experiments.comparisons`). Let ``d`` be what was measured (mostly a mean paired
difference), its interval the 95 % t interval over seeds, and ``p`` the paper's value.

- A *gain* is **found** if ``d`` is above 0 by a one-sided t test at 2.5 %, Holm-adjusted over the
  gains and losses of the claim. A gain that is found is **reproduced** if ``d`` is at least
  ``p / 2``, else **partly**. A gain that is not found is **not reproduced** if its interval ends
  below ``p / 2``: half of the paper's gain would have shown. Otherwise it is **undecided**.
- *No gain* is **reproduced** if the interval ends below ``p / 2``, where ``p`` is the gain of the
  method that does help; **not reproduced** if it lies above 0 and ``d`` is at least ``p / 2``.
- *A loss* is **reproduced** if it is found, in the sense of a gain with the arms exchanged, and
  **not reproduced** if the interval leaves out every loss beyond the part's margin.
- *No difference* is **reproduced** if two one-sided tests at 5 % say that the difference is within
  the part's margin, and **not reproduced** if the interval leaves out 0. The margin is given, or
  is a share of the largest effect that could have been found.
- *A level* is an arm's own value: **reproduced** if its interval lies within the margin of ``p``,
  **not reproduced** if it lies outside.
- *Apart* is the distance of an AUROC from .5: **reproduced** if its interval lies above .1,
  **not reproduced** if it lies below, **partly** if it lies above 0 but on both sides of .1.

Whatever is neither is **undecided**. With fewer than three paired seeds nothing is judged.

A claim is reproduced if all parts that were judged are, not reproduced if none is and none is
undecided, partly if some are, and undecided otherwise. Parts that were not attempted do not count.
A method that does nothing differs nowhere and gains nothing: where a claim has gains and none of
them is found, *no difference* and *no gain* elsewhere do not count, and where none of its gains
was attempted the claim is undecided. A *premise* is a part without which the claim cannot be
tested: it adds nothing to the verdict, but where it was judged and its verdict is any other than
reproduced, the claim is undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum

from sdlib.experiments.comparisons import Comparison, Kind, Measured
from sdlib.metrics import FEWEST_SEEDS, Interval, equivalent, holm, one_sided_p

__all__ = ["Verdict", "judge", "overall"]

VISIBLY = 0.1  # two sets differ visibly where six of ten pairs of tiles are told apart
LEVEL = 0.025  # one-sided, as the upper half of a 95 % interval


class Verdict(StrEnum):
    """What is said about a part or a claim."""

    REPRODUCED = "reproduced"
    PARTLY = "partly"
    NOT_REPRODUCED = "not reproduced"
    UNDECIDED = "undecided"
    NOT_ATTEMPTED = "not attempted yet"


HOLDS = (Verdict.REPRODUCED, Verdict.PARTLY)
#: What holds for a method without any effect.
TRUE_OF_NOTHING = (Kind.NO_DIFFERENCE, Kind.NO_GAIN)


def _gain(part: Comparison, measured: Measured, p_value: float) -> Verdict:
    found = measured.interval
    if p_value < LEVEL:
        return Verdict.REPRODUCED if found.mean >= part.paper / 2 else Verdict.PARTLY
    return Verdict.NOT_REPRODUCED if found.high < part.paper / 2 else Verdict.UNDECIDED


def _no_gain(part: Comparison, measured: Measured, p_value: float) -> Verdict:
    found = measured.interval
    if found.high < part.paper / 2:
        return Verdict.REPRODUCED
    helps = found.low > 0 and found.mean >= part.paper / 2
    return Verdict.NOT_REPRODUCED if helps else Verdict.UNDECIDED


def _loss(part: Comparison, measured: Measured, p_value: float) -> Verdict:
    if p_value < LEVEL:
        return Verdict.REPRODUCED
    small = measured.interval.low > -part.margin
    return Verdict.NOT_REPRODUCED if small else Verdict.UNDECIDED


def _no_difference(part: Comparison, measured: Measured, p_value: float) -> Verdict:
    found = measured.interval
    margin = part.margin or part.margin_share * measured.largest
    if margin > 0 and equivalent(found, margin):
        return Verdict.REPRODUCED
    differs = found.low > 0 or found.high < 0
    return Verdict.NOT_REPRODUCED if differs else Verdict.UNDECIDED


def _level(part: Comparison, measured: Measured, p_value: float) -> Verdict:
    found = measured.interval
    low, high = part.paper - part.margin, part.paper + part.margin
    if low <= found.low and found.high <= high:
        return Verdict.REPRODUCED
    outside = found.high < low or found.low > high
    return Verdict.NOT_REPRODUCED if outside else Verdict.UNDECIDED


def _apart(part: Comparison, measured: Measured, p_value: float) -> Verdict:
    found = measured.interval
    if found.low > VISIBLY:
        return Verdict.REPRODUCED
    if found.high < VISIBLY:
        return Verdict.NOT_REPRODUCED
    return Verdict.PARTLY if found.low > 0 else Verdict.UNDECIDED


RULES: dict[Kind, Callable[[Comparison, Measured, float], Verdict]] = {
    Kind.GAIN: _gain,
    Kind.NO_GAIN: _no_gain,
    Kind.LOSS: _loss,
    Kind.NO_DIFFERENCE: _no_difference,
    Kind.LEVEL: _level,
    Kind.APART: _apart,
}


def _judged(measured: Measured) -> bool:
    return measured.interval is not None and measured.interval.n >= FEWEST_SEEDS


def _p_value(part: Comparison, interval: Interval) -> float:
    """One-sided, in the direction that the part expects."""
    if part.kind != Kind.LOSS:
        return one_sided_p(interval)
    turned = replace(interval, mean=-interval.mean, low=-interval.high, high=-interval.low)
    return one_sided_p(turned)


def judge(parts: Sequence[tuple[Comparison, Measured]]) -> list[Verdict]:
    """The verdicts on the parts of one claim.

    Parameters
    ----------
    parts : sequence of (Comparison, Measured)
        All parts of one claim in one reading: tests of gains and losses are adjusted together,
        premises alone.

    Returns
    -------
    list of Verdict
        One per part, in order.

    Examples
    --------
    >>> part = Comparison("C1", "", Kind.GAIN, lambda place: Measured(None), paper=0.1)
    >>> found = Measured(Interval(5, 0.08, 0.01, 0.068, 0.092))
    >>> [str(verdict) for verdict in judge([(part, found)])]
    ['reproduced']
    """
    alone = [
        _p_value(part, measured.interval) if _judged(measured) else float("nan")
        for part, measured in parts
    ]
    family = [
        k
        for k, (part, _) in enumerate(parts)
        if part.kind in (Kind.GAIN, Kind.LOSS) and not part.premise
    ]
    adjusted = dict(enumerate(alone))
    adjusted |= dict(zip(family, holm([alone[k] for k in family]), strict=True))
    return [
        RULES[part.kind](part, measured, adjusted[k])
        if _judged(measured)
        else Verdict.NOT_ATTEMPTED
        for k, (part, measured) in enumerate(parts)
    ]


def overall(parts: Sequence[tuple[Comparison, Verdict]]) -> Verdict:
    """One verdict on a claim from the verdicts on its parts.

    Parameters
    ----------
    parts : sequence of (Comparison, Verdict)
        All parts of one claim in one reading.
    """
    judged = [(part, v) for part, v in parts if v != Verdict.NOT_ATTEMPTED]
    premises = [v for part, v in judged if part.premise]
    judged = [(part, v) for part, v in judged if not part.premise]
    if not judged:
        return Verdict.NOT_ATTEMPTED
    if any(v != Verdict.REPRODUCED for v in premises):
        return Verdict.UNDECIDED
    expects_gains = any(part.kind == Kind.GAIN and not part.premise for part, _ in parts)
    if expects_gains and not any(part.kind == Kind.GAIN and v in HOLDS for part, v in judged):
        judged = [(part, v) for part, v in judged if part.kind not in TRUE_OF_NOTHING]
    if not judged:
        return Verdict.UNDECIDED
    verdicts = {v for _, v in judged}
    if len(verdicts) == 1:
        return verdicts.pop()
    return Verdict.PARTLY if verdicts & set(HOLDS) else Verdict.UNDECIDED
