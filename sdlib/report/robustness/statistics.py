"""What shifts do to networks: curves, paired differences, and the smallest effect to be found.

Everything is computed from the stored logits of a sweep (:mod:`sdlib.results.sweeps`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sdlib.errors import DataError
from sdlib.experiments import experiment_of, paper_table
from sdlib.experiments.paper import PAPER_EQ1
from sdlib.metrics import mean_interval, smallest_effect
from sdlib.report.tables import describe
from sdlib.results import Place
from sdlib.results.sweeps import BY_NAME, CLEAN, Sweep
from sdlib.theory.optima import resting_logits

__all__ = ["convergence", "curves", "differences", "gain_table", "summary"]

RESAMPLES = 1000


def curves(sweep: Sweep) -> pd.DataFrame:
    """Balanced accuracy of each arm at each level: Figure 4 as numbers.

    Parameters
    ----------
    sweep : Sweep

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
    """Whether predictions at a cut-off of .5 are right: int8 (seeds, levels, n), 1 if so."""
    right = [~np.signbit(sweep.logits[arm, seed]) == (sweep.targets == 1) for seed in seeds]
    return np.array(right, np.int8)


def differences(
    sweep: Sweep, arm: str, rival: str, resamples: int = RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Differences of two arms in balanced accuracy at every level, with intervals.

    The interval is a hierarchical bootstrap. It draws seeds with replacement, and with a seed both
    arms' networks. It then draws tiles within each class, the same ones for every network and
    level. It does not draw patients, because the test tiles come from too few. The t interval over
    seeds is given as well.

    Parameters
    ----------
    sweep : Sweep
    arm, rival : str
        The result is ``arm - rival``.
    resamples : int
        How often the bootstrap draws.
    seed : int
        Of the bootstrap's random numbers.

    Returns
    -------
    pandas.DataFrame
        One line per level: level, shift, strength, mean, low and high (95 %, bootstrap), seeds_low
        and seeds_high (95 %, t over seeds), sd (over seeds), detectable
        (:func:`sdlib.metrics.smallest_effect`), n (seeds).

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
    """How much each tile counts in each draw of the chosen tiles: float32 (n, resamples)."""
    weights = np.zeros((len(chosen), resamples), np.float32)
    count = int(chosen.sum())
    weights[chosen] = rng.multinomial(count, np.full(count, 1 / count), resamples).T / count
    return weights


def summary(place: Place, arm: str, rival: str) -> str:
    """Say in Markdown what :func:`differences` finds; empty with fewer than two seeds of both."""
    try:
        table = differences(place.sweep, arm, rival)
    except DataError:
        return ""
    table = table[table["level"] != CLEAN]
    above, below = (table["low"] > 0).sum(), (table["high"] < 0).sum()
    least, most = 100 * table["mean"].min(), 100 * table["mean"].max()
    return (
        f"{place.label(arm)}, minus {place.label(rival)}: from {least:+.1f} to {most:+.1f} points "
        f"over {len(table)} levels of shift. The bootstrap's interval lies above zero at {above} "
        f"of them and below at {below}; the median of the smallest effects that "
        f"{table['n'].max()} seeds could have found is {100 * table['detectable'].median():.1f}."
    )


def gain_table(columns: Sequence[Place]) -> pd.DataFrame:
    """The differences printed in section 3.2 of the paper, and ours at the same levels.

    Parameters
    ----------
    columns : sequence of Place
        Of one experiment. Comparisons of arms that the experiment does not have are left out.

    Returns
    -------
    pandas.DataFrame
        Text, in points. One line per level and comparison. The first column is ``paper``; each
        place with a sweep has a column with mean, SD and t interval over seeds.
    """
    definition = columns[0].definition if columns else experiment_of("robustness")
    labels = {arm.name: arm.label for arm in definition.arms}
    lines = {}
    for line in paper_table("figure4").itertuples():
        if not {line.arm, line.rival} <= labels.keys():
            continue
        cells = {"paper": f"{100 * line.difference:+.1f}"}
        for place in columns:
            values = 100 * place.paired(line.level, line.arm, line.rival)
            if len(values):
                cells[place.name] = describe(mean_interval(values), sign=True, digits=1)
        lines[line.level, f"{labels[line.arm]}, minus {labels[line.rival]}"] = cells
    if not lines:
        return pd.DataFrame()
    return pd.DataFrame(lines).T.fillna("–").rename_axis(["level", "difference"])


def convergence(place: Place) -> pd.DataFrame:
    """Training losses at the end of training, and margins beside the cap that SD sets.

    The first tell whether training had ended, the second whether the penalty had any effect.

    Parameters
    ----------
    place : Place

    Returns
    -------
    pandas.DataFrame
        One line per arm, means over seeds. ``before`` and ``last loss`` are the training losses of
        the last two epochs, penalty included. ``margin`` is the mean margin on validation tiles,
        ``cap`` the margin at which Equation 1 rests (for arms that use it), and ``above`` the
        share of validation tiles whose margin exceeds the cap of the paper's lambda.
    """
    lines, target = {}, place.targets("validation")
    for arm in place.arms:
        rows = place.rows[place.rows["arm"] == arm]
        losses = np.array([[epoch["train_loss"] for epoch in h] for h in rows["history"]])
        lam = place.setting(arm)["lam"]
        logits = place.logits(arm, "validation").values()
        margins = np.array([(2.0 * target - 1) * values for values in logits])
        cap = resting_logits(lam)[1] if lam else float("nan")
        lines[place.label(arm)] = {
            "before": losses[:, -2].mean() if losses.shape[1] > 1 else float("nan"),
            "last loss": losses[:, -1].mean(),
            "margin": margins.mean(),
            "cap": cap,
            "above": (margins > resting_logits(PAPER_EQ1)[1]).mean(),
        }
    return pd.DataFrame(lines).T
