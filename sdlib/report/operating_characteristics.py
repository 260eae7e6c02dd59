"""What the rule says if there is no effect, and if the paper is exactly right.

A rule that is applied to five seeds has an error of its own. Here experiments are simulated whose
truth is known, with the spread over seeds that was measured, and judged by the very same rule.

The parts of a claim share networks: accuracy and recall of one network rise and fall together, if
not always in step. Five seeds do not tell how far, so both ends are simulated: parts that have
nothing to do with each other, and parts that a seed moves all in step.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from sdlib.errors import ConfigError
from sdlib.experiments.comparisons import Comparison, Kind, Measured
from sdlib.metrics import FEWEST_SEEDS, mean_interval
from sdlib.report.rule import Verdict, judge, overall
from sdlib.report.verdicts import parts_of
from sdlib.results import Place

__all__ = ["TRUTHS", "characteristics", "error_sentence", "simulated_verdicts"]

DRAWS = 1000
#: What is true in the simulations.
TRUTHS = ("no effect", "the paper is right")
#: How a seed moves the parts of a claim.
ALONE, IN_STEP = "each part alone", "all parts in step"


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
    in_step: bool = False,
) -> pd.Series:
    """How often each verdict is given on a claim whose truth is known.

    Differences between seeds are normal.

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
    in_step : bool
        Whether a seed moves all parts in step; else each part has random numbers of its own.

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
    if n < FEWEST_SEEDS:
        raise ConfigError(f"expected at least {FEWEST_SEEDS} seeds, got {n}")
    rng = np.random.default_rng(seed)
    means = np.array([_truth(part, truth, largest) for part, _, largest in parts])
    spreads = np.array([sd for _, sd, _ in parts])
    found = []
    for _ in range(draws):
        moved = rng.normal(size=(1 if in_step else len(parts), n))
        values = means[:, None] + spreads[:, None] * moved
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
        One line per claim, truth and way in which a seed moves the parts (claims of one part have
        one); seeds, how many parts expect a gain, and the share of simulated experiments by
        verdict. Claims whose gains were not attempted are left out, as the rule does not judge
        them.
    """
    lines = {}
    for claim_id, parts in parts_of(place).items():
        judged = [
            (part, measured)
            for _, _, part, measured in parts
            if measured.interval is not None
            and measured.interval.n >= FEWEST_SEEDS
            and np.isfinite(measured.interval.sd)
        ]
        usable = [(part, measured.interval.sd, measured.largest) for part, measured in judged]
        if not [part for part, _, _ in usable if not part.premise]:
            continue
        gains = _gains(part for part, _, _ in usable)
        if gains < 1 <= _gains(part for _, _, part, _ in parts):
            continue  # the rule does not judge a claim none of whose gains was attempted
        n = min(measured.interval.n for _, measured in judged)
        ways = {ALONE: False, IN_STEP: True} if len(usable) > 1 else {ALONE: False}
        for truth, (way, in_step) in itertools.product(TRUTHS, ways.items()):
            shares = simulated_verdicts(usable, n, truth, draws, seed, in_step)
            lines[claim_id, truth, way] = {"seeds": n, "gains": gains, **shares}
    return pd.DataFrame(lines).T


def _gains(parts: Iterable[Comparison]) -> int:
    """How many parts expect a gain."""
    return sum(part.kind == Kind.GAIN and not part.premise for part in parts)


def error_sentence(table: pd.DataFrame) -> str:
    """The rule's largest errors over all claims on gains at a place, in a sentence.

    A claim without gains, such as *no difference*, holds of a method that does nothing.

    Parameters
    ----------
    table : pandas.DataFrame
        What :func:`characteristics` returns.

    Returns
    -------
    str
        Empty without such claims.
    """
    table = table[table["gains"] > 0] if len(table) else table
    if not len(table):
        return ""
    found = table[["reproduced", "partly"]].sum(axis=1).astype(float)
    truths = found.index.get_level_values(1)
    false, power = (found[truths == truth].groupby(level=0) for truth in TRUTHS)
    false, power = false.max(), power.min()
    return (
        f"Without any effect, the rule finds a claimed gain at least partly in at most "
        f"{false.max():.1%} of simulated experiments ({false.idxmax()}). If the paper is exactly "
        f"right, it finds that in {power.min():.0%} ({power.idxmin()}) to {power.max():.0%} "
        f"({power.idxmax()})."
    )
