"""What shifts do to networks: curves, paired differences, and the smallest effect to be found.

Everything is computed from the stored logits of a sweep (:mod:`sdlib.results.sweeps`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from sdlib.errors import DataError
from sdlib.experiments import experiment_of, paper_table
from sdlib.experiments.comparisons import OverAllLevels
from sdlib.experiments.paper import PAPER_EQ1
from sdlib.metrics import FEWEST_SEEDS, Interval, mean_interval, smallest_effect
from sdlib.report.tables import ends_in_points, in_points, order_in_words
from sdlib.results import Place
from sdlib.results.sweeps import BY_NAME, CLEAN, Sweep
from sdlib.theory.optima import resting_logits

__all__ = [
    "convergence",
    "curves",
    "differences",
    "gain_table",
    "over_all_levels",
    "summary",
    "tuned_summary",
]

CHANCE = 0.02  # accuracies nearer to .5 are at chance


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


def differences(sweep: Sweep, arm: str, rival: str) -> pd.DataFrame:
    """Differences of two arms in balanced accuracy at every level, with intervals.

    The interval is Student's over seeds, widened by what another draw of test tiles would change:
    the variance of the seeds' mean and that of the tiles' mean are added, with the degrees of
    freedom of the seeds. It errs on the wide side where networks agree and tiles decide, because
    what a seed and a tile do together is counted in both. Patients are not drawn, because the test
    tiles come from too few.

    Parameters
    ----------
    sweep : Sweep
    arm, rival : str
        The result is ``arm - rival``.

    Returns
    -------
    pandas.DataFrame
        One line per level: level, shift, strength, mean, low and high (95 %; NaN below three
        seeds), seeds_low and seeds_high (the same over seeds alone), sd (over seeds), detectable
        (:func:`sdlib.metrics.smallest_effect`; NaN where every network is at chance, and nothing
        could be lost), n (seeds).

    Raises
    ------
    DataError
        The two arms share fewer than two seeds.
    """
    of = {name: {s for a, s in sweep.logits if a == name} for name in (arm, rival)}
    seeds = sorted(of[arm] & of[rival])
    if len(seeds) < 2:
        raise DataError(f"expected at least 2 seeds of both {arm} and {rival}, found {len(seeds)}")
    right, rivals_right = (_correct(sweep, name, seeds) for name in (arm, rival))
    gained = right - rivals_right
    classes = [sweep.targets == target for target in (0, 1)]
    by_seed = np.mean([gained[:, :, chosen].mean(2) for chosen in classes], axis=0)
    from_tiles = _tile_variance(gained, classes)
    at_chance = np.all([_at_chance(one, classes) for one in (right, rivals_right)], axis=0)
    lines = []
    for k, name in enumerate(sweep.levels):
        level, over_seeds = BY_NAME.get(name), mean_interval(by_seed[:, k])
        half = _half_width(over_seeds, from_tiles[k])
        detectable = smallest_effect(over_seeds.sd, over_seeds.n)
        lines.append(
            {
                "level": name,
                "shift": level.shift if level else name,
                "strength": level.strength if level else np.nan,
                "mean": over_seeds.mean,
                "low": over_seeds.mean - half,
                "high": over_seeds.mean + half,
                "seeds_low": over_seeds.low,
                "seeds_high": over_seeds.high,
                "sd": over_seeds.sd,
                "detectable": np.nan if at_chance[k] else detectable,
                "n": over_seeds.n,
            }
        )
    return pd.DataFrame(lines)


def _tile_variance(gained: np.ndarray, classes: Sequence[np.ndarray]) -> np.ndarray:
    """Variance of the mean difference over draws of test tiles, per level: float64 (levels,)."""
    over_seeds = gained.mean(axis=0)
    variances = [over_seeds[:, chosen].var(axis=1, ddof=1) / chosen.sum() for chosen in classes]
    return np.sum(variances, axis=0) / len(classes) ** 2


def _at_chance(right: np.ndarray, classes: Sequence[np.ndarray]) -> np.ndarray:
    """Whether all networks of an arm are at chance, per level: bool (levels,)."""
    accuracy = np.mean([right[:, :, chosen].mean(2) for chosen in classes], axis=0)
    return (np.abs(accuracy - 0.5) < CHANCE).all(axis=0)


def _half_width(over_seeds: Interval, from_tiles: float) -> float:
    if over_seeds.n < FEWEST_SEEDS:
        return float("nan")
    error = np.sqrt(over_seeds.sd**2 / over_seeds.n + from_tiles)
    return float(error * stats.t.ppf(0.975, over_seeds.n - 1))


def summary(place: Place, arm: str, rival: str) -> str:
    """Say in Markdown what :func:`differences` finds; empty with fewer than two seeds of both."""
    try:
        table = differences(place.sweep, arm, rival)
    except DataError:
        return ""
    table = table[table["level"] != CLEAN]
    least, most = 100 * table["mean"].min(), 100 * table["mean"].max()
    text = (
        f"{place.label(arm)}, minus {place.label(rival)}: from {least:+.1f} to {most:+.1f} points "
        f"over {len(table)} levels of shift."
    )
    seeds = table["n"].max()
    if seeds < FEWEST_SEEDS:
        return f"{text} Two seeds have no interval."
    above, below = (table["low"] > 0).sum(), (table["high"] < 0).sum()
    seen = table["detectable"].dropna()
    text += f" The interval lies above zero at {above} of them and below at {below}."
    if not len(seen):
        return text
    return (
        f"{text} At the {len(seen)} levels where some network is better than chance, the median "
        f"of the smallest effects that {seeds} seeds could have found is {100 * seen.median():.1f}."
    )


def over_all_levels(place: Place, arm: str, rival: str) -> Interval | None:
    """``arm - rival`` in accuracy, mean over all levels of shift, paired over seeds.

    Returns
    -------
    Interval or None
        Student's over seeds, as fractions; None where no seed has both arms swept.
    """
    return OverAllLevels(arm, rival)(place).interval


def tuned_summary(place: Place) -> str:
    """Say in Markdown how both methods compare once each was tuned on validation tiles."""
    arm, rival = "sd_eq1_uniform_tuned", "weight_decay_uniform_tuned"
    found = over_all_levels(place, arm, rival)
    if found is None or found.n < FEWEST_SEEDS:
        return ""
    return (
        "Both tuned on validation tiles by grids of equal size, spectral decoupling against weight "
        f"decay is {order_in_words(found)} over all levels of shift: "
        f"{ends_in_points(found)} points."
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
            values = place.paired(line.level, line.arm, line.rival)
            if len(values):
                cells[place.name] = in_points(values)
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
