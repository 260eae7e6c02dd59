"""Curves, paired differences and their intervals, power, convergence: each against an oracle."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
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


def every_draw(sweep, level):
    """The bootstrap's exact distribution: all draws of seeds and of tiles within either class."""
    seeds = sorted({seed for _, seed in sweep.logits})
    right = {
        key: (logits[level] > 0) == (sweep.targets == 1) for key, logits in sweep.logits.items()
    }
    gained = np.array([right[SD, s].astype(float) - right[WD, s] for s in seeds])
    parts = [np.flatnonzero(sweep.targets == target) for target in (0, 1)]
    draws = [list(itertools.product(part, repeat=len(part))) for part in parts]
    found = []
    for chosen in itertools.product(range(len(seeds)), repeat=len(seeds)):
        mean = gained[list(chosen)].mean(axis=0)
        by_class = [[mean[list(draw)].mean() for draw in draws[k]] for k in (0, 1)]
        found += [(a + b) / 2 for a, b in itertools.product(*by_class)]
    return np.array(found)


class TestDifferences:
    def test_the_mean_is_that_of_paired_accuracies_and_its_t_interval_too(self):
        sweep = random_sweep()
        wide = sweep.accuracy().pivot(index=["level", "seed"], columns="arm", values="accuracy")
        for line in differences(sweep, SD, WD, resamples=10).itertuples():
            one = mean_interval((wide[SD] - wide[WD]).loc[line.level].to_numpy())
            assert line.mean == pytest.approx(one.mean, abs=1e-6)
            assert (line.seeds_low, line.seeds_high) == pytest.approx((one.low, one.high), abs=1e-6)
            assert line.detectable == pytest.approx(smallest_effect(one.sd, 3), abs=1e-6)

    @pytest.mark.parametrize("seed", range(4))
    def test_ends_are_the_quantiles_of_every_possible_draw(self, seed):
        sweep = random_sweep(seeds=2, n=6, levels=("clean", "blur-19"), seed=seed)
        table = differences(sweep, SD, WD, resamples=4000, seed=seed)
        for k, line in enumerate(table.itertuples()):
            exact, slack = every_draw(sweep, k), 0.01
            assert (exact < line.low - 1e-6).mean() <= 0.025 + slack
            assert (exact <= line.low + 1e-6).mean() >= 0.025 - slack
            assert (exact > line.high + 1e-6).mean() <= 0.025 + slack
            assert (exact >= line.high - 1e-6).mean() >= 0.025 - slack

    def test_equal_arms_differ_by_nothing_with_certainty(self):
        sweep = random_sweep()
        sweep.logits.update({(SD, k): sweep.logits[WD, k] for k in range(3)})
        table = differences(sweep, SD, WD, resamples=50)
        assert (table[["mean", "low", "high", "sd", "detectable"]] == 0).all(axis=None)

    def test_exchanging_the_arms_turns_the_sign(self):
        forth, back = (differences(random_sweep(), *p, resamples=200) for p in ((SD, WD), (WD, SD)))
        np.testing.assert_allclose(forth["mean"], -back["mean"], atol=1e-6)
        np.testing.assert_allclose(forth["low"], -back["high"], atol=1e-6)

    def test_a_known_effect_is_covered_about_as_often_as_promised(self):
        rng, n, covered = np.random.default_rng(0), 200, []
        targets = (np.arange(n) % 2).astype(np.int8)
        for _ in range(200):
            logits = {}
            for arm, accuracy in ((WD, 0.7), (SD, 0.8)):
                for seed in range(5):
                    right = rng.random(n) < accuracy
                    sign = np.where(right == (targets == 1), 1, -1)
                    logits[arm, seed] = sign[None].astype(np.float16)
            sweep = Sweep(("clean",), targets, np.arange(n), logits)
            line = differences(sweep, SD, WD, resamples=200).iloc[0]
            covered.append(line["low"] <= 0.1 <= line["high"])
        # Here tiles are drawn anew for each network: the interval, for tiles in common, is wider.
        assert 0.93 <= np.mean(covered) <= 1

    def test_only_seeds_of_both_arms_count(self):
        sweep = random_sweep()
        whole = differences(sweep, SD, WD, resamples=10)
        sweep.logits[SD, 7] = sweep.logits[SD, 0]
        pd.testing.assert_frame_equal(differences(sweep, SD, WD, resamples=10), whole)
        del sweep.logits[WD, 0]
        assert (differences(sweep, SD, WD, resamples=10)["n"] == 2).all()
        del sweep.logits[WD, 1]
        with pytest.raises(
            DataError, match=r"at least 2 seeds of both sd_eq1_uniform and .*found 1"
        ):
            differences(sweep, SD, WD)


class TestTables:
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

    def test_a_summary_counts_levels_by_the_bootstraps_ends(self, monkeypatch):
        levels = ["clean", "blur-02", "blur-03", "eosin-0.5"]
        table = pd.DataFrame(
            {
                "level": levels,
                "mean": [0.5, 0.02, -0.03, 0.0],
                "low": [0.4, 0.01, -0.05, -0.01],
                "high": [0.6, 0.03, -0.01, 0.01],
                "detectable": [9.0, 0.01, 0.02, 0.03],
                "n": 5,
            }
        )
        monkeypatch.setattr(robustness, "differences", lambda *arguments: table)
        told = robustness.summary(place_with(random_sweep(seeds=0)), SD, WD)
        assert told.startswith("SD Eq. 1 + UniformAugment, minus weight decay + UniformAugment: ")
        assert "from -3.0 to +2.0 points over 3 levels of shift" in told
        assert "above zero at 1 of them and below at 1" in told
        assert told.endswith("smallest effects that 5 seeds could have found is 2.0.")

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
