"""What the rule says if there is no effect, and if the paper is exactly right.

A rule that is applied to five seeds has an error of its own. Here experiments are simulated whose
truth is known, with the spread over seeds that was measured, and judged by the very same rule.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sdlib.errors import ConfigError
from sdlib.experiments.comparisons import Comparison, Kind, Measured
from sdlib.metrics import mean_interval
from sdlib.report.rule import FEWEST, Verdict, judge, overall
from sdlib.report.verdicts import parts_of
from sdlib.results import Place

__all__ = ["TRUTHS", "characteristics", "simulated_verdicts"]

DRAWS = 1000
#: What is true in the simulations.
TRUTHS = ("no effect", "the paper is right")


def _truth(part: Comparison, truth: str, largest: float) -> float:
    """The true difference of a part."""
    if truth == "no effect" and not part.premise:
        # Of a level: accuracy does not fall there.
        return part.paper + 4 * part.margin if part.kind == Kind.LEVEL else 0.0
    if part.kind in (Kind.GAIN, Kind.LEVEL):
        return part.paper
    if part.kind == Kind.LOSS:
        return -2 * part.margin  # the paper gives no size: twice what would count
    return 0.0


def simulated_verdicts(
    parts: Sequence[tuple[Comparison, float, float]],
    n: int,
    truth: str,
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.Series:
    """How often each verdict is given on a claim whose truth is known.

    Seeds differ normally and independently from part to part.

    Parameters
    ----------
    parts : sequence of (Comparison, float, float)
        What is compared, its SD over seeds, and the largest effect that could be found.
    n : int
        Seeds, at least three.
    truth : str
        One of :data:`TRUTHS`.
    draws, seed : int
        Number of simulated experiments; of their random numbers.

    Returns
    -------
    pandas.Series
        Share of the experiments by verdict, float64, in the order of :class:`Verdict`.

    Raises
    ------
    ConfigError
        An unknown truth, or fewer than three seeds.

    Examples
    --------
    >>> part = Comparison("C1", "", Kind.GAIN, lambda place: Measured(None), paper=0.1)
    >>> shares = simulated_verdicts([(part, 0.01, 0.1)], 5, "the paper is right", draws=50)
    >>> float(shares["reproduced"])
    1.0
    """
    if truth not in TRUTHS:
        raise ConfigError(f"expected a truth of {TRUTHS}, got {truth!r}")
    if n < FEWEST:
        raise ConfigError(f"expected at least {FEWEST} seeds, got {n}")
    rng = np.random.default_rng(seed)
    means = np.array([_truth(part, truth, largest) for part, _, largest in parts])
    spreads = np.array([sd for _, sd, _ in parts])
    found = []
    for _ in range(draws):
        values = rng.normal(means[:, None], spreads[:, None], (len(parts), n))
        pairs = [
            (part, Measured(mean_interval(own), largest))
            for (part, _, largest), own in zip(parts, values, strict=True)
        ]
        verdicts = judge(pairs)
        found.append(overall([(p, v) for (p, _), v in zip(pairs, verdicts, strict=True)]))
    shares = pd.Series(found).value_counts(normalize=True)
    order = [str(verdict) for verdict in Verdict if verdict != Verdict.NOT_ATTEMPTED]
    return shares.rename(index=str).reindex(order).fillna(0.0)


def characteristics(place: Place, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """The rule's errors on every claim with the spread that was measured at a place.

    Parameters
    ----------
    place : Place
        Of any experiment; claims without at least three seeds are left out, and so are parts
        whose interval is not over seeds.
    draws, seed : int
        As in :func:`simulated_verdicts`.

    Returns
    -------
    pandas.DataFrame
        One line per claim and truth; seeds, and the share of simulated experiments by verdict.
    """
    lines = {}
    for claim_id, parts in parts_of(place).items():
        judged = [
            (part, measured)
            for _, _, part, measured in parts
            if measured.interval is not None
            and measured.interval.n >= FEWEST
            and np.isfinite(measured.interval.sd)
        ]
        usable = [(part, measured.interval.sd, measured.largest) for part, measured in judged]
        if not [part for part, _, _ in usable if not part.premise]:
            continue
        n = min(measured.interval.n for _, measured in judged)
        for truth in TRUTHS:
            shares = simulated_verdicts(usable, n, truth, draws, seed)
            lines[claim_id, truth] = {"seeds": n, **shares}
    return pd.DataFrame(lines).T
