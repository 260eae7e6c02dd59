"""The paper's claims against rows: what was measured, judged by :mod:`sdlib.report.rule`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from sdlib.experiments import EXPERIMENTS, paper_table
from sdlib.experiments.comparisons import Comparison, Kind, Measured
from sdlib.metrics import Interval
from sdlib.report.rule import Verdict, judge, overall
from sdlib.results import Place
from sdlib.theory import dual

__all__ = [
    "Verdict",
    "assess",
    "attempted_claims",
    "claims_at",
    "parts_of",
    "report",
    "theory_verdict",
]

MISSING = Interval(0, *[float("nan")] * 4)
COLUMNS = (
    *("experiment", "claim", "reading", "part", "kind", "premise", "paper"),
    *("n", "mean", "sd", "low", "high", "verdict"),
)

Part = tuple[str, str, Comparison, Measured]  # experiment, text, what is compared, what was found


def parts_of(place: Place, *claims: str) -> dict[str, list[Part]]:
    """The parts of every claim and reading, with what a place's rows say; in the paper's order."""
    found: dict[str, list[Part]] = {}
    for name, experiment in EXPERIMENTS.items():
        for part in experiment.comparisons:
            if claims and part.claim not in claims:
                continue
            for text, measured in part.measured(place.of(name)).items():
                found.setdefault(part.claim_id, []).append((name, text, part, measured))
    order = list(paper_table("claims")["id"])

    def rank(claim_id: str) -> int:
        claim = found[claim_id][0][2].claim
        return order.index(claim) if claim in order else len(order)  # our own come last

    return {claim_id: found[claim_id] for claim_id in sorted(found, key=rank)}


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
        experiment, claim, reading (the claim with its reading, such as ``C1, tuned on test``),
        part, kind, premise (bool), paper, n, mean, sd, low, high, verdict; differences as
        fractions.
    """
    lines = []
    for claim_id, parts in parts_of(place, *claims).items():
        verdicts = judge([(part, measured) for _, _, part, measured in parts])
        for (experiment, text, part, measured), verdict in zip(parts, verdicts, strict=True):
            lines.append(
                {
                    "experiment": experiment,
                    "claim": part.claim,
                    "reading": claim_id,
                    "part": text,
                    "kind": part.kind,
                    "premise": part.premise,
                    "paper": part.paper if part.kind in (Kind.GAIN, Kind.LEVEL) else np.nan,
                    **vars(measured.interval or MISSING),
                    "verdict": verdict,
                }
            )
    return pd.DataFrame(lines, columns=COLUMNS)


def claims_at(place: Place, *claims: str) -> dict[str, Verdict]:
    """The verdict on every claim (or on some) at a place, by claim and reading.

    A claim whose statistic found nothing to compare is not among them.
    """
    found = {}
    for claim_id, parts in parts_of(place, *claims).items():
        pairs = [(part, measured) for _, _, part, measured in parts]
        verdicts = judge(pairs)
        found[claim_id] = overall(
            [(part, verdict) for (part, _), verdict in zip(pairs, verdicts, strict=True)]
        )
    return found


def _readings() -> Iterator[tuple[str, str]]:
    """Every claim with each of its readings: the paper's in its order, then our own."""
    declared: dict[str, dict[str, None]] = {}
    for experiment in EXPERIMENTS.values():
        for part in experiment.comparisons:
            declared.setdefault(part.claim, {})[part.claim_id] = None
    for claim in paper_table("claims")["id"]:
        for claim_id in declared.pop(claim, {claim: None}):
            yield claim, claim_id
    for claim, claim_ids in declared.items():
        for claim_id in claim_ids:
            yield claim, claim_id


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


def report(place: Place) -> pd.DataFrame:
    """Every claim, in each of its readings, with a verdict at a place.

    Returns
    -------
    pandas.DataFrame
        id (with the reading, such as ``C1, tuned on test``), where, claim, verdict, why. Claims of
        our own, which some experiment declares beside the paper's, come last.
    """
    verdicts, parts = claims_at(place), assess(place)
    texts = paper_table("claims").set_index("id")
    lines = []
    for claim, claim_id in _readings():
        mine = parts[parts["reading"] == claim_id]
        judged = mine[mine["verdict"] != Verdict.NOT_ATTEMPTED]
        ours = claim not in texts.index
        lines.append(
            {
                "id": claim_id,
                "where": "ours" if ours else texts.loc[claim, "where"],
                "claim": _own_text(claim) if ours else texts.loc[claim, "claim"],
                "verdict": verdicts.get(claim_id, Verdict.NOT_ATTEMPTED),
                "why": "; ".join(_reason(line) for line in judged.itertuples()),
            }
        )
    return pd.DataFrame(lines)


def _own_text(claim: str) -> str:
    """What a claim of ours is about: its first comparison."""
    comparisons = [c for experiment in EXPERIMENTS.values() for c in experiment.comparisons]
    return next(c.text for c in comparisons if c.claim == claim)


def _reason(line) -> str:
    interval = f"{line.low:+.3f} to {line.high:+.3f}, n = {line.n}"
    return f"{line.part}: {line.mean:+.3f} ({interval}), {line.verdict}"
