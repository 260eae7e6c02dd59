"""Curves, paired differences and their intervals, power, convergence: each against an oracle."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from sdlib.errors import DataError
from sdlib.experiments import Run, paper_table
from sdlib.experiments.paper import PAPER_EQ1
from sdlib.metrics import mean_interval, smallest_effect
from sdlib.report.robustness import statistics as robustness
from sdlib.report.robustness.statistics import differences
from sdlib.results import Place
from sdlib.results.sweeps import Sweep
from sdlib.theory.optima import resting_logits

LEVELS = ("clean", "blur-19", "sharpen-1.0", "eosin-0.9", "eosin-0.0")
SD, WD, NONE = "sd_eq1_uniform", "weight_decay_uniform", "weight_decay_none"


def random_sweep(arms=(WD, SD), seeds=3, n=40, levels=LEVELS, seed=0):
    """Logits from noise; two thirds of the tiles are benign."""
    rng = np.random.default_rng(seed)
    targets = (np.arange(n) % 3 == 0).astype(np.int8)
    logits = {
        (arm, k): rng.normal(0.5 * (2 * targets - 1), 1, (len(levels), n)).astype(np.float16)
        for arm in arms
        for k in range(seeds)
    }
    return Sweep(levels, targets, np.arange(n, dtype=np.int16), logits)


def place_with(sweep, profile="smoke"):
    """A place that has the sweep, and a row for each of its networks."""
    place = Place("robustness", profile, "phantom")
    vars(place)["sweep"] = sweep  # in place of what would be read from files
    vars(place)["rows"] = pd.DataFrame([*sweep.logits], columns=["arm", "seed"])
    return place


class TestCurves:
    def test_means_and_spreads_are_of_scikit_learns_accuracies(self):
        sweep = random_sweep()
        table = robustness.curves(sweep).set_index(["level", "arm"])
        for k, level in enumerate(LEVELS):
            for arm in (WD, SD):
                values = [
                    balanced_accuracy_score(sweep.targets, sweep.logits[arm, seed][k] > 0)
                    for seed in range(3)
                ]
                line = table.loc[(level, arm)]
                assert line["mean"] == pytest.approx(np.mean(values))
                assert line["sd"] == pytest.approx(np.std(values, ddof=1))
                assert line["n"] == 3

    def test_one_seed_has_no_spread(self):
        assert robustness.curves(random_sweep(seeds=1))["sd"].isna().all()

    def test_without_networks_there_are_no_lines(self):
        assert len(robustness.curves(random_sweep(seeds=0))) == 0


def gains_of(sweep, level):
    """How much more often SD is right than weight decay: float64 (seeds, n), -1, 0 or 1."""
    seeds = sorted({seed for _, seed in sweep.logits})
    right = {
        key: (logits[level] > 0) == (sweep.targets == 1) for key, logits in sweep.logits.items()
    }
    return np.array([right[SD, seed].astype(float) - right[WD, seed] for seed in seeds])


def every_draw(values):
    """The mean of every draw of as many values, with replacement."""
    draws = itertools.product(range(len(values)), repeat=len(values))
    return np.array([values[list(draw)].mean() for draw in draws])


def simulated(n, spread, tiles=400, times=400):
    """Many independent comparisons, each a level of one sweep, and their true difference.

    A prediction is right where the sum of its arm's mean, its network's effect, its tile's effects
    and noise is above 0. Networks and tiles are drawn anew for every comparison. Over all networks
    and tiles the sum is normal, which gives the true accuracies.
    """
    rng = np.random.default_rng(0)
    targets = (np.arange(tiles) % 3 == 0).astype(np.int8)
    shared = rng.normal(0, spread["tile"], (times, tiles))
    whole = np.linalg.norm([*spread.values()])
    logits, truth = {}, {}
    for arm, mean in ((WD, 0.5), (SD, 0.8)):
        own = rng.normal(0, spread["tile and arm"], (times, tiles))
        for seed in range(n):
            network = rng.normal(0, spread["network"], (times, 1))
            noise = rng.normal(0, spread["noise"], (times, tiles))
            margin = mean + network + shared + own + noise
            logits[arm, seed] = np.where((margin > 0) == (targets == 1), 1, -1).astype(np.float16)
        truth[arm] = stats.norm.cdf(mean / whole)
    names = tuple(f"comparison {k}" for k in range(times))
    return Sweep(names, targets, np.arange(tiles), logits), truth[SD] - truth[WD]


def bootstrap_ends(sweep, resamples=1000):
    """Quantiles over draws of seeds and, within either class, of tiles: (2, levels)."""
    rng = np.random.default_rng(1)
    gains = np.array([gains_of(sweep, k) for k in range(len(sweep.levels))], np.float32)
    weights = np.zeros((gains.shape[2], resamples), np.float32)
    for target in (0, 1):
        mine = np.flatnonzero(sweep.targets == target)
        drawn = rng.multinomial(len(mine), np.full(len(mine), 1 / len(mine)), resamples)
        weights[mine] = drawn.T / len(mine) / 2
    n = gains.shape[1]
    seeds = rng.multinomial(n, np.full(n, 1 / n), resamples) / n
    means = np.einsum("lsr,rs->lr", gains @ weights, seeds)
    return np.quantile(means, (0.025, 0.975), axis=1)


def share_covered(low, high, truth):
    return np.mean((low <= truth) & (truth <= high))


class TestDifferences:
    def test_the_mean_is_that_of_paired_accuracies_and_its_t_interval_too(self):
        sweep = random_sweep()
        wide = sweep.accuracy().pivot(index=["level", "seed"], columns="arm", values="accuracy")
        for line in differences(sweep, SD, WD).itertuples():
            one = mean_interval((wide[SD] - wide[WD]).loc[line.level].to_numpy())
            assert line.mean == pytest.approx(one.mean, abs=1e-6)
            assert line.sd == pytest.approx(one.sd, abs=1e-6)
            assert (line.seeds_low, line.seeds_high) == pytest.approx((one.low, one.high), abs=1e-6)
            assert line.detectable == pytest.approx(smallest_effect(one.sd, 3), abs=1e-6)
            assert line.low < line.seeds_low < line.seeds_high < line.high

    @pytest.mark.parametrize("seeds", [3, 4, 5])
    def test_variances_over_seeds_and_tiles_are_added(self, seeds):
        sweep = random_sweep(seeds=seeds, seed=seeds)
        for k, line in enumerate(differences(sweep, SD, WD).itertuples()):
            gains = gains_of(sweep, k)
            benign, cancer = gains[:, sweep.targets == 0], gains[:, sweep.targets == 1]
            by_seed = (benign.mean(axis=1) + cancer.mean(axis=1)) / 2
            variance = stats.sem(by_seed) ** 2
            # A mean of two classes: either counts half, so its variance a quarter.
            for one in (benign, cancer):
                variance += stats.sem(one.mean(axis=0)) ** 2 / 4
            ends = stats.t.interval(0.95, seeds - 1, by_seed.mean(), np.sqrt(variance))
            assert (line.low, line.high) == pytest.approx(ends)

    @pytest.mark.parametrize("seed", range(4))
    def test_the_share_of_tiles_is_the_variance_of_every_possible_draw(self, seed):
        sweep = random_sweep(n=9, levels=("clean", "blur-19"), seed=seed)
        t = stats.t.ppf(0.975, 2)
        for k, line in enumerate(differences(sweep, SD, WD).itertuples()):
            over_tiles = gains_of(sweep, k).mean(axis=0)
            variance = 0
            for target in (0, 1):
                values = over_tiles[sweep.targets == target]
                # Draws from n values have (n - 1) / n of the variance of draws from all tiles.
                n = len(values)
                variance += every_draw(values).var() * n / (n - 1) / 4
            whole, alone = (line.high - line.low) / 2, (line.seeds_high - line.seeds_low) / 2
            assert whole**2 - alone**2 == pytest.approx(t**2 * variance)

    def test_two_seeds_have_a_difference_but_no_interval(self):
        table = differences(random_sweep(seeds=2), SD, WD)
        assert (table["n"] == 2).all()
        assert table[["low", "high", "seeds_low", "seeds_high"]].isna().all(axis=None)
        assert table[["mean", "sd"]].notna().all(axis=None)
        expected = [smallest_effect(sd, 2) for sd in table["sd"]]
        np.testing.assert_allclose(table["detectable"], expected)

    def test_equal_arms_differ_by_nothing_with_certainty(self):
        sweep = random_sweep()
        sweep.logits.update({(SD, k): sweep.logits[WD, k] for k in range(3)})
        table = differences(sweep, SD, WD)
        assert (table[["mean", "low", "high", "sd", "detectable"]] == 0).all(axis=None)

    def test_exchanging_the_arms_turns_the_sign(self):
        forth, back = (differences(random_sweep(), *pair) for pair in ((SD, WD), (WD, SD)))
        np.testing.assert_allclose(forth["mean"], -back["mean"], atol=1e-6)
        np.testing.assert_allclose(forth["low"], -back["high"], atol=1e-6)

    @pytest.mark.parametrize("n", [3, 5])
    def test_a_known_effect_is_covered_where_a_bootstrap_over_seeds_covers_too_little(self, n):
        spread = {"network": 0.35, "tile": 0.7, "tile and arm": 0.3, "noise": 0.6}
        sweep, truth = simulated(n, spread)
        table = differences(sweep, SD, WD)
        assert 0.93 <= share_covered(table["low"], table["high"], truth) <= 0.99
        assert 0.76 <= share_covered(*bootstrap_ends(sweep), truth) <= 0.86

    @pytest.mark.parametrize("n", [3, 5])
    def test_where_networks_are_alike_an_interval_over_seeds_alone_covers_too_little(self, n):
        spread = {"network": 0.02, "tile": 0.7, "tile and arm": 0.7, "noise": 0.3}
        sweep, truth = simulated(n, spread)
        table = differences(sweep, SD, WD)
        assert share_covered(table["low"], table["high"], truth) >= 0.93
        assert share_covered(table["seeds_low"], table["seeds_high"], truth) <= 0.86

    def test_only_seeds_of_both_arms_count(self):
        sweep = random_sweep(seeds=4)
        whole = differences(sweep, SD, WD)
        sweep.logits[SD, 7] = sweep.logits[SD, 0]
        pd.testing.assert_frame_equal(differences(sweep, SD, WD), whole)
        for left in (3, 2):
            del sweep.logits[WD, left]
            table = differences(sweep, SD, WD)
            assert (table["n"] == left).all()
            assert table["low"].notna().all() == (left == 3)
        del sweep.logits[WD, 1]
        with pytest.raises(
            DataError, match=r"at least 2 seeds of both sd_eq1_uniform and .*found 1"
        ):
            differences(sweep, SD, WD)

    def test_nothing_can_be_detected_where_every_network_is_at_chance(self):
        """Shares of either class that each network gets right; the levels differ in one network."""
        chance = [0.49, 0.5, 0.51]
        shares = {
            "all at chance": {WD: chance, SD: chance[::-1]},
            "one of SD is better": {WD: chance, SD: [0.49, 0.5, 0.55]},
            "one of weight decay is worse": {WD: [0.45, 0.5, 0.51], SD: chance},
            "none at chance": {WD: [0.7, 0.71, 0.73], SD: [0.8, 0.8, 0.8]},
        }
        targets, rank = (np.arange(200) % 2).astype(np.int8), np.arange(200) // 2
        logits = {}
        for arm, seed in itertools.product((WD, SD), range(3)):
            counts = [round(100 * by_arm[arm][seed]) for by_arm in shares.values()]
            right = [rank < count for count in counts]
            logits[arm, seed] = np.where(np.array(right) == (targets == 1), 1.0, -1.0)
        sweep = Sweep(tuple(shares), targets, np.arange(200), logits)
        table = differences(sweep, SD, WD).set_index("level")
        assert table["detectable"].isna().tolist() == [True, False, False, False]
        expected = [smallest_effect(sd, 3) for sd in table["sd"]]
        np.testing.assert_allclose(table["detectable"][1:], expected[1:])
        # What was found is told at chance, too.
        assert table[["mean", "low", "high", "sd"]].notna().all(axis=None)


class TestTables:
    RANGE = "from -3.0 to +2.0 points over 3 levels of shift."  # of the summaries below
    COUNTS = "The interval lies above zero at 1 of them and below at 1."

    def test_every_printed_gain_is_beside_ours_at_its_level(self):
        sweep = random_sweep(arms=(NONE, WD, SD))
        ours = place_with(sweep)
        table = robustness.gain_table([ours]).rename(columns={ours.name: "ours"})
        wide = sweep.accuracy().pivot(index=["level", "seed"], columns="arm", values="accuracy")
        printed = paper_table("figure4")
        assert len(table) == len(printed)
        for line, cells in zip(printed.itertuples(), table.itertuples(), strict=True):
            assert cells.paper == f"{100 * line.difference:+.1f}"
            ours = 100 * (wide[line.arm] - wide[line.rival]).loc[line.level]
            assert cells.ours.startswith(f"{ours.mean():+.1f} ({ours.std():.1f}) [")

    def test_places_without_networks_have_no_column(self):
        assert list(robustness.gain_table([]).columns) == ["paper"]
        empty = place_with(random_sweep(seeds=0))
        assert list(robustness.gain_table([empty]).columns) == ["paper"]

    def summary_of(self, monkeypatch, **columns):
        """What is said about three levels of shift; the unshifted tiles do not count."""
        table = pd.DataFrame(
            {
                "level": ["clean", "blur-02", "blur-03", "eosin-0.5"],
                "mean": [0.5, 0.02, -0.03, 0.0],
                "low": [0.4, 0.01, -0.05, -0.01],
                "high": [0.6, 0.03, -0.01, 0.01],
                "detectable": [9.0, 0.01, 0.02, 0.03],
                "n": 5,
            }
            | columns
        )
        monkeypatch.setattr(robustness, "differences", lambda *arguments: table)
        return robustness.summary(place_with(random_sweep(seeds=0)), SD, WD)

    def test_a_summary_counts_levels_by_the_intervals_ends(self, monkeypatch):
        told = self.summary_of(monkeypatch)
        assert told.startswith("SD Eq. 1 + UniformAugment, minus weight decay + UniformAugment: ")
        assert f"{self.RANGE} {self.COUNTS} At the 3 levels where some network" in told
        assert told.endswith("smallest effects that 5 seeds could have found is 2.0.")

    def test_a_summary_leaves_out_the_power_at_chance(self, monkeypatch):
        told = self.summary_of(monkeypatch, detectable=[9.0, 0.01, np.nan, 0.04])
        assert f"{self.COUNTS} At the 2 levels where some network is better than chance" in told
        assert told.endswith("smallest effects that 5 seeds could have found is 2.5.")
        told = self.summary_of(monkeypatch, detectable=[9.0, np.nan, np.nan, np.nan])
        assert told.endswith(f"{self.RANGE} {self.COUNTS}")

    def test_a_summary_of_two_seeds_has_no_interval_and_no_power(self, monkeypatch):
        told = self.summary_of(monkeypatch, n=2, low=np.nan, high=np.nan)
        assert told.endswith(f"{self.RANGE} Two seeds have no interval.")
        monkeypatch.undo()
        told = robustness.summary(place_with(random_sweep(seeds=2)), SD, WD)
        assert told.endswith("points over 4 levels of shift. Two seeds have no interval.")

    def test_without_two_seeds_there_is_no_summary(self):
        empty = Sweep((), np.empty(0, np.int8), np.empty(0, np.int16), {})
        assert robustness.summary(place_with(empty), SD, WD) == ""

    def test_convergence_reads_the_last_epochs_and_the_margins(self, recorded, row_of):
        targets = np.array([0, 1, 1, 0], np.int8)
        logits = {0: np.array([-4.0, 5.0, 1.0, 2.0]), 1: np.array([-1.0, 1.0, 9.0, -9.0])}
        history = [[{"train_loss": x} for x in seq] for seq in ((9, 0.4, 0.3), (9, 0.6, 0.5))]
        place = Place("robustness", "smoke", "phantom")
        arrays, rows = {"validation.targets": targets}, []
        for arm, seed in itertools.product((WD, SD), logits):
            rows.append(row_of(Run("robustness", arm, seed, "smoke")) | {"history": history[seed]})
            arrays[f"{arm}/seed{seed}/validation.logits"] = logits[seed]
        place.recorded_file(".jsonl").write_text("\n".join(map(json.dumps, rows)))
        np.savez(place.recorded_file(".npz"), **arrays)
        table = robustness.convergence(place)
        assert list(table.index) == [place.label(WD), place.label(SD)]
        first, second = table.iloc[0], table.iloc[1]
        assert (first["before"], first["last loss"]) == pytest.approx((0.5, 0.4))
        assert first["margin"] == pytest.approx((4 + 5 + 1 - 2 + 1 + 1 + 9 + 9) / 8)
        assert first["above"] == pytest.approx(4 / 8)  # 4, 5, 9, 9 exceed 3.36
        assert np.isnan(first["cap"])
        assert second["cap"] == pytest.approx(resting_logits(PAPER_EQ1)[1])
