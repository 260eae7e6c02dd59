"""What shifts do to networks: curves, paired differences with intervals, and what could be seen.

Everything is computed from a sweep's stored logits (:mod:`sdlib.results.sweeps`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from sdlib.errors import DataError
from sdlib.experiments.arms import PAPER_EQ1
from sdlib.metrics import mean_interval
from sdlib.report.tables import LABELS, describe
from sdlib.report.verdicts import paired, paper_table
from sdlib.results.place import Evidence
from sdlib.results.sweeps import BY_NAME, CLEAN, Sweep
from sdlib.theory.optima import resting_logits

__all__ = [
    "convergence",
    "curves",
    "differences",
    "gain_table",
    "smallest_effect",
    "summary",
]

RESAMPLES = 1000
POWER = 0.8


def curves(sweep: Sweep) -> pd.DataFrame:
    """Figure 4 as numbers: balanced accuracy of each arm at each level.

    Returns
    -------
    pandas.DataFrame
        shift, strength, level, arm, mean, sd (NaN with one seed), n (seeds).
    """
    table = sweep.accuracy()
    keys = ["shift", "strength", "level", "arm"]
    found = table.groupby(keys, sort=False, dropna=False)["accuracy"].agg(["mean", "std", "size"])
    return found.rename(columns={"std": "sd", "size": "n"}).reset_index()


def _correct(sweep: Sweep, arm: str, seeds: Sequence[int]) -> np.ndarray:
    """int8 (seeds, levels, n): 1 where a network's answer at a cut-off of .5 is right."""
    right = [~np.signbit(sweep.logits[arm, seed]) == (sweep.targets == 1) for seed in seeds]
    return np.array(right, np.int8)


def differences(
    sweep: Sweep, arm: str, rival: str, resamples: int = RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """``arm - rival`` in balanced accuracy at every level, with intervals over seeds and tiles.

    The interval is a hierarchical bootstrap: seeds are drawn with replacement, the two arms' by
    pairs, and then tiles, within their class and the same for every network and level. Patients
    are not drawn: the test part has too few. The t interval over seeds stands beside it.

    Parameters
    ----------
    resamples : int
        Of the bootstrap.
    seed : int
        Of its draws.

    Returns
    -------
    pandas.DataFrame
        level, shift, strength, mean, low, high (95 %, bootstrap), seeds_low, seeds_high (95 %, t
        over seeds), sd (over seeds), detectable (:func:`smallest_effect`), n (seeds).

    Raises
    ------
    DataError
        The two arms share fewer than two seeds.
    """
    of = {name: {s for a, s in sweep.logits if a == name} for name in (arm, rival)}
    seeds = sorted(of[arm] & of[rival])
    if len(seeds) < 2:
        raise DataError(f"expected at least 2 seeds of both {arm} and {rival}, found {len(seeds)}")
    rng = np.random.default_rng(seed)
    gained = _correct(sweep, arm, seeds) - _correct(sweep, rival, seeds)
    tiles = [_tile_weights(sweep.targets == target, resamples, rng) for target in (0, 1)]
    # (seeds, levels, resamples): each seed's difference on each draw of tiles.
    by_seed = np.mean([gained.astype(np.float32) @ weights for weights in tiles], axis=0)
    drawn = rng.multinomial(len(seeds), np.full(len(seeds), 1 / len(seeds)), resamples) / len(seeds)
    draws = np.einsum("sld,ds->ld", by_seed, drawn)
    low, high = np.quantile(draws, (0.025, 0.975), axis=1)
    exact = np.mean([gained[:, :, sweep.targets == t].mean(2) for t in (0, 1)], axis=0)
    lines = []
    for k, name in enumerate(sweep.levels):
        level, over_seeds = BY_NAME.get(name), mean_interval(exact[:, k])
        lines.append(
            {
                "level": name,
                "shift": level.shift if level else name,
                "strength": level.strength if level else np.nan,
                "mean": over_seeds.mean,
                "low": float(low[k]),
                "high": float(high[k]),
                "seeds_low": over_seeds.low,
                "seeds_high": over_seeds.high,
                "sd": over_seeds.sd,
                "detectable": smallest_effect(over_seeds.sd, over_seeds.n),
                "n": over_seeds.n,
            }
        )
    return pd.DataFrame(lines)


def _tile_weights(chosen: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """float32 (n, resamples): how much each tile counts in each draw of the chosen ones."""
    weights = np.zeros((len(chosen), resamples), np.float32)
    count = int(chosen.sum())
    weights[chosen] = rng.multinomial(count, np.full(count, 1 / count), resamples).T / count
    return weights


def summary(sweep: Sweep, arm: str, rival: str) -> str:
    """:func:`differences` in a sentence of Markdown; empty where two seeds of both are missing."""
    try:
        table = differences(sweep, arm, rival)
    except DataError:
        return ""
    table = table[table["level"] != CLEAN]
    above, below = (table["low"] > 0).sum(), (table["high"] < 0).sum()
    least, most = 100 * table["mean"].min(), 100 * table["mean"].max()
    return (
        f"{LABELS[arm]}, minus {LABELS[rival]}: from {least:+.1f} to {most:+.1f} points over "
        f"{len(table)} levels of shift. The bootstrap's interval lies above zero at {above} of "
        f"them and below at {below}; the median of the smallest effects that "
        f"{table['n'].max()} seeds could have found is {100 * table['detectable'].median():.1f}."
    )


def smallest_effect(sd: float, n: int, power: float = POWER) -> float:
    """The mean paired difference that a two-sided t test at 5 % finds with the given power.

    The sum of two t quantiles: with three seeds or more within .05 of the power asked for.

    Parameters
    ----------
    sd : float
        Of the differences over seeds.
    n : int
        Seeds.

    Examples
    --------
    >>> round(smallest_effect(0.02, 5), 3)
    0.033
    """
    if n < 2:
        return float("nan")
    quantiles = stats.t.ppf(0.975, n - 1) + stats.t.ppf(power, n - 1)
    return float(quantiles * sd / np.sqrt(n))


def gain_table(columns: Sequence[Evidence]) -> pd.DataFrame:
    """The differences that section 3.2 prints beside ours at the same levels, in points.

    Returns
    -------
    pandas.DataFrame
        A line a level and comparison; ``paper``, then a column a place with a sweep: mean, SD and
        t interval over seeds. Text.
    """
    printed, lines = paper_table("figure4"), {}
    for line in printed.itertuples():
        key = line.level, f"{LABELS[line.arm]}, minus {LABELS[line.rival]}"
        cells = {"paper": f"{100 * line.difference:+.1f}"}
        for place in columns:
            wide = _wide(place.sweep)
            values = 100 * paired(wide, line.level, line.arm, line.rival)
            if len(values):
                cells[place.name] = describe(mean_interval(values), sign=True, digits=1)
        lines[key] = cells
    return pd.DataFrame(lines).T.fillna("–").rename_axis(["level", "difference"])


def _wide(sweep: Sweep) -> pd.DataFrame:
    """A line an arm and seed, a column a level."""
    table = sweep.accuracy()
    if not len(table):
        return table
    wide = table.pivot(index=["arm", "seed"], columns="level", values="accuracy")
    return wide.reset_index().assign(stale=False)


def convergence(place: Evidence) -> pd.DataFrame:
    """Had training ended, and had margins come near the cap at which SD acts?

    Returns
    -------
    pandas.DataFrame
        A line an arm, means over seeds: ``last loss`` and ``before`` (training loss of the last
        two epochs, penalty included), ``margin`` (mean on validation tiles), ``cap`` (the margin
        at which Equation 1 rests, where the arm has it) and ``above`` (share of validation tiles
        whose margin exceeds that of the paper's lambda).
    """
    lines, target = {}, place.targets("validation")
    for arm in place.arms:
        rows = place.rows[place.rows["arm"] == arm]
        losses = np.array([[epoch["train_loss"] for epoch in h] for h in rows["history"]])
        lam = place.setting(arm)["lam"]
        logits = place.logits(arm, "validation").values()
        margins = np.array([(2.0 * target - 1) * values for values in logits])
        cap = resting_logits(lam)[1] if lam else float("nan")
        lines[LABELS[arm]] = {
            "before": losses[:, -2].mean() if losses.shape[1] > 1 else float("nan"),
            "last loss": losses[:, -1].mean(),
            "margin": margins.mean(),
            "cap": cap,
            "above": (margins > resting_logits(PAPER_EQ1)[1]).mean(),
        }
    return pd.DataFrame(lines).T
