"""The paper's claims against rows: verdicts by one stated rule.

A claim has several parts, each a comparison that an experiment declares
(:mod:`sdlib.experiments.comparisons`). With ``d`` what was measured (mostly a mean paired
difference with its 95 % t interval over seeds) and ``p`` the paper's value:

- a *gain* is **reproduced** if the interval lies above 0 and ``d`` is at least ``p / 2``,
  **partly** if the interval lies above 0 but ``d`` is smaller, **not reproduced** otherwise;
- *no gain* is **reproduced** if the interval lies below ``p / 2``, where ``p`` is the gain that
  the paper reports for the method that does help; else **not reproduced**;
- *a loss* is a gain with the arms exchanged, of whatever size;
- *no difference* is **reproduced** if the interval contains 0 and is narrower than the part's
  margin (half the rival's mean, where it names none) to each side; **not reproduced** if it does
  not contain 0; **undecided** if it contains 0 but is too wide to mean anything;
- *a level* is an arm's own value: **reproduced** if the interval lies within the part's margin of
  ``p``, **not reproduced** if it lies outside, **undecided** if it does both;
- *apart* is the distance of an AUROC from .5, by bootstrap: **reproduced** if its interval lies
  above .1, **partly** if above 0, **not reproduced** otherwise.

A claim is reproduced if all of its parts are, not reproduced if none is, and partly otherwise. A
method that does nothing differs nowhere: where a claim has gains and none of them is there,
*no difference* elsewhere does not make it partly.
A *premise* is a part that has to hold for the claim to be testable at all (without a price of the
coincidence there is nothing to win back): it adds nothing to the verdict, but where it was judged
and is not reproduced, the claim is undecided.
With fewer than two paired seeds nothing is judged.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import numpy as np
import pandas as pd

from sdlib.experiments import EXPERIMENTS, paper_table
from sdlib.experiments.comparisons import Comparison, Kind, Measured
from sdlib.metrics import Interval
from sdlib.results import Place
from sdlib.theory import dual

__all__ = [
    "Verdict",
    "assess",
    "attempted_claims",
    "overall",
    "report",
    "theory_verdict",
    "verdict_of",
]

VISIBLY = 0.1  # two sets differ visibly where six of ten pairs of tiles are told apart
MISSING = Interval(0, *[float("nan")] * 4)
COLUMNS = (
    *("experiment", "claim", "part", "kind", "paper"),
    *("n", "mean", "sd", "low", "high", "verdict"),
)


class Verdict(StrEnum):
    """What is said about a part or a claim."""

    REPRODUCED = "reproduced"
    PARTLY = "partly"
    NOT_REPRODUCED = "not reproduced"
    UNDECIDED = "undecided"
    NOT_ATTEMPTED = "not attempted yet"


def _gain(part: Comparison, found: Interval, reference: float) -> Verdict:
    if not found.low > 0:
        return Verdict.NOT_REPRODUCED
    return Verdict.REPRODUCED if found.mean >= part.paper / 2 else Verdict.PARTLY


def _no_gain(part: Comparison, found: Interval, reference: float) -> Verdict:
    return Verdict.REPRODUCED if found.high < part.paper / 2 else Verdict.NOT_REPRODUCED


def _loss(part: Comparison, found: Interval, reference: float) -> Verdict:
    return Verdict.REPRODUCED if found.high < 0 else Verdict.NOT_REPRODUCED


def _no_difference(part: Comparison, found: Interval, reference: float) -> Verdict:
    if found.low > 0 or found.high < 0:
        return Verdict.NOT_REPRODUCED
    margin = part.margin or abs(reference) / 2
    narrow = (found.high - found.low) / 2 < margin
    return Verdict.REPRODUCED if narrow else Verdict.UNDECIDED


def _level(part: Comparison, found: Interval, reference: float) -> Verdict:
    low, high = part.paper - part.margin, part.paper + part.margin
    if low <= found.low and found.high <= high:
        return Verdict.REPRODUCED
    outside = found.high < low or found.low > high
    return Verdict.NOT_REPRODUCED if outside else Verdict.UNDECIDED


def _apart(part: Comparison, found: Interval, reference: float) -> Verdict:
    if found.low > VISIBLY:
        return Verdict.REPRODUCED
    return Verdict.PARTLY if found.low > 0 else Verdict.NOT_REPRODUCED


RULES: dict[Kind, Callable[[Comparison, Interval, float], Verdict]] = {
    Kind.GAIN: _gain,
    Kind.NO_GAIN: _no_gain,
    Kind.LOSS: _loss,
    Kind.NO_DIFFERENCE: _no_difference,
    Kind.LEVEL: _level,
    Kind.APART: _apart,
}


def verdict_of(part: Comparison, measured: Measured) -> Verdict:
    """The verdict on one part by the rule of this module.

    >>> part = Comparison("C1", "", Kind.GAIN, lambda place: Measured(None), paper=0.1)
    >>> str(verdict_of(part, Measured(Interval(5, 0.08, 0.01, 0.07, 0.09))))
    'reproduced'
    """
    found = measured.interval
    if found is None or found.n < 2:
        return Verdict.NOT_ATTEMPTED
    return RULES[part.kind](part, found, measured.reference)


def assess(place: Place, *claims: str) -> pd.DataFrame:
    """Every part of every claim (or of some) with what was measured at a place.

    Parameters
    ----------
    place : Place
        Of any experiment: those that declare the claims are looked up at its profile, source and
        origin.
    claims : str
        Such as ``C1``; all of them without any.

    Returns
    -------
    pandas.DataFrame
        experiment, claim, part, kind, paper, n, mean, sd, low, high, verdict; by claim;
        differences as fractions.
    """
    lines = []
    for name, experiment in EXPERIMENTS.items():
        for part in experiment.comparisons:
            if claims and part.claim not in claims:
                continue
            for text, measured in part.measured(place.of(name)).items():
                lines.append(_line(name, part, text, measured))
    table = pd.DataFrame(lines, columns=COLUMNS)
    order = {claim: k for k, claim in enumerate(paper_table("claims")["id"])}
    rank = table["claim"].map(order).fillna(len(order))  # claims of our own come last
    table = table.assign(_rank=rank).sort_values("_rank", kind="stable")
    return table.drop(columns="_rank").reset_index(drop=True)


def _line(experiment: str, part: Comparison, text: str, measured: Measured) -> dict:
    has_value = part.kind in (Kind.GAIN, Kind.LEVEL)
    return {
        "experiment": experiment,
        "claim": part.claim,
        "part": text,
        "kind": "premise" if part.premise else part.kind,
        "paper": part.paper if has_value else float("nan"),
        **vars(measured.interval or MISSING),
        "verdict": verdict_of(part, measured),
    }


def attempted_claims() -> list[str]:
    """The claims that some experiment is about, in the paper's order.

    >>> attempted_claims()[:2]
    ['C1', 'C2']
    """
    declared = {claim for experiment in EXPERIMENTS.values() for claim in experiment.claims}
    return [claim for claim in paper_table("claims")["id"] if claim in declared]


def theory_verdict(lam: float = 0.01) -> tuple[Verdict, str]:
    """C0, judged on the spot: two coupled features, the first of which grows; no rows are needed.

    Under cross-entropy with weight decay the second feature's resting response has to fall, under
    spectral decoupling it must not move.

    Returns
    -------
    verdict : Verdict
    why : str

    >>> str(theory_verdict()[0])
    'reproduced'
    """
    u, strengths = dual.coupled_pair(0.5), (2.001, 3.0, 4.0, 5.0, 6.0)
    rest = {}
    for penalty in ("weight_decay", "sd"):  # by descent on the weights, which knows the strengths
        flows = [dual.primal_flow(u, [s, 2.0], lam, penalty, [0.0, 2000.0]) for s in strengths]
        rest[penalty] = np.array([flow[-1, 1] for flow in flows])
    starved, moved = rest["weight_decay"], float(np.ptp(rest["sd"]))
    holds = bool((np.diff(starved) < 0).all()), moved < 1e-4
    why = (
        "two coupled features, the strong one growing: the weak response falls from "
        f"{starved[0]:.3f} to {starved[-1]:.3f} under weight decay and moves by {moved:.0e} "
        "under spectral decoupling"
    )
    if all(holds):
        return Verdict.REPRODUCED, why
    return (Verdict.PARTLY if any(holds) else Verdict.NOT_REPRODUCED), why


def overall(parts: pd.DataFrame) -> Verdict:
    """One verdict on a claim from the verdicts on its parts.

    Parameters
    ----------
    parts : pandas.DataFrame
        The lines of one claim in :func:`assess`.
    """
    premise = parts["kind"] == "premise"
    fails = [Verdict.PARTLY, Verdict.NOT_REPRODUCED]
    if parts.loc[premise, "verdict"].isin(fails).any():
        return Verdict.UNDECIDED
    parts = parts[~premise]
    gains = parts.loc[parts["kind"] == Kind.GAIN, "verdict"]
    if len(gains) and (gains == Verdict.NOT_REPRODUCED).all():
        parts = parts[parts["kind"] != Kind.NO_DIFFERENCE]
    verdicts = parts["verdict"]
    judged = set(verdicts) - {Verdict.NOT_ATTEMPTED}
    if not judged:
        return Verdict.NOT_ATTEMPTED
    if len(set(verdicts)) == 1 or judged == {Verdict.UNDECIDED}:
        return judged.pop()
    some = judged & {Verdict.REPRODUCED, Verdict.PARTLY}
    return Verdict.PARTLY if some else Verdict.NOT_REPRODUCED


def report(place: Place) -> pd.DataFrame:
    """Every claim with a verdict at a place: id, where, claim, verdict, why.

    Claims of our own, which some experiment declares beside the paper's, come last.
    """
    parts = assess(place)
    table = paper_table("claims")
    own = [claim for claim in dict.fromkeys(parts["claim"]) if claim not in set(table["id"])]
    for claim in own:
        text = parts.loc[parts["claim"] == claim, "part"].iloc[0]
        table.loc[len(table), ["id", "where", "claim"]] = claim, "ours", text
    verdicts, reasons = [], []
    for claim in table["id"]:
        mine = parts[parts["claim"] == claim]
        verdicts.append(overall(mine))
        judged = mine[mine["verdict"] != Verdict.NOT_ATTEMPTED]
        reasons.append("; ".join(_reason(line) for line in judged.itertuples()))
    return table.assign(verdict=verdicts, why=reasons)


def _reason(line) -> str:
    interval = f"{line.low:+.3f} to {line.high:+.3f}, n = {line.n}"
    return f"{line.part}: {line.mean:+.3f} ({interval}), {line.verdict}"
