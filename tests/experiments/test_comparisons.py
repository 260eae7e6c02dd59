"""Statistics that compare two metrics, and preparations that are fitted."""

import numpy as np
import pandas as pd
import pytest

from sdlib.datasets.tiles import TileSet
from sdlib.experiments.cohorts import UNPREPARED, Preparation
from sdlib.experiments.comparisons import DifferenceInChange, PairedDifference
from sdlib.metrics import mean_interval


class Written:
    """A place with metrics that are written here: (metric, arm) to values by seed."""

    def __init__(self, **values):
        self.series = {
            tuple(name.split("__")): pd.Series(by_seed, dtype=float)
            for name, by_seed in values.items()
        }

    def by_seed(self, metric, arm):
        return self.series.get((metric, arm), pd.Series(dtype=float))


PLACE = Written(
    outside__new={0: 0.8, 1: 0.7, 2: 0.75, 4: 0.1},
    inside__new={0: 0.9, 1: 0.85, 2: 0.9, 5: 0.9},
    outside__old={0: 0.6, 1: 0.5, 2: 0.7, 3: 0.2},
    inside__old={0: 0.95, 1: 0.9, 2: 0.9, 3: 0.9},
)


class TestTwoMetrics:
    def test_an_arm_against_another_ones_other_metric(self):
        found = PairedDifference("outside", "new", "old", rival_metric="inside")(PLACE)
        assert found.interval == mean_interval([0.8 - 0.95, 0.7 - 0.9, 0.75 - 0.9])
        assert np.isnan(found.largest)

    def test_an_arms_own_change(self):
        found = PairedDifference("outside", "old", "old", rival_metric="inside")(PLACE)
        expected = mean_interval([0.6 - 0.95, 0.5 - 0.9, 0.7 - 0.9, 0.2 - 0.9])
        assert found.interval.n == 4
        assert found.interval.mean == pytest.approx(expected.mean)

    def test_without_another_metric_it_is_the_rivals_own(self):
        found = PairedDifference("inside", "new", "old")(PLACE)
        assert found.interval.mean == pytest.approx(np.mean([-0.05, -0.05, 0]))

    @pytest.mark.parametrize("metric", ["elsewhere", "outside"])
    def test_nothing_to_compare(self, metric):
        statistic = PairedDifference(metric, "new", "older", rival_metric="elsewhere")
        assert statistic(PLACE).interval is None


class TestDifferenceInChange:
    def test_changes_are_paired_over_seeds_with_all_four_values(self):
        found = DifferenceInChange("outside", "inside", "new", "old")(PLACE).interval
        own, rival = np.array([-0.1, -0.15, -0.15]), np.array([-0.35, -0.4, -0.2])
        expected = mean_interval(own - rival)
        assert (found.n, found.mean, found.sd) == pytest.approx((3, expected.mean, expected.sd))
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))

    def test_its_sign_turns_with_the_arms_and_with_the_metrics(self):
        forth = DifferenceInChange("outside", "inside", "new", "old")(PLACE).interval.mean
        for turned in (
            DifferenceInChange("outside", "inside", "old", "new"),
            DifferenceInChange("inside", "outside", "new", "old"),
        ):
            assert turned(PLACE).interval.mean == pytest.approx(-forth)

    def test_an_arm_changes_no_more_than_itself(self):
        found = DifferenceInChange("outside", "inside", "old", "old")(PLACE).interval
        assert (found.n, found.mean) == (4, 0)

    def test_nothing_to_compare(self):
        assert DifferenceInChange("outside", "inside", "new", "older")(PLACE).interval is None


class TestPreparation:
    TILES, TRAINING = (
        TileSet(np.full((2, 4, 4, 3), level, np.uint8), np.array([0, 1]), np.array(["a", "b"]))
        for level in (1, 2)
    )

    def test_a_fitted_one_takes_the_training_tiles(self):
        seen = []
        prepare = Preparation("fit", lambda *given: seen.append(given) or given[0], fitted=True)
        assert prepare(self.TILES, 7, self.TRAINING) is self.TILES
        assert seen == [(self.TILES, 7, self.TRAINING)]

    def test_another_one_does_not(self):
        seen = []
        prepare = Preparation("plain", lambda *given: seen.append(given) or given[0])
        assert prepare(self.TILES, 7, self.TRAINING) is self.TILES
        assert seen == [(self.TILES, 7)]
        assert UNPREPARED(self.TILES, 7, self.TRAINING) is self.TILES

    def test_two_of_one_name_are_one_though_not_if_one_is_fitted(self):
        first, second = (Preparation("same", lambda tiles, seed: tiles) for _ in range(2))
        assert first == second
        assert first != Preparation("same", lambda tiles, seed, training: tiles, fitted=True)
