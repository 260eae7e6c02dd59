"""Statistics that compare two metrics, and preparations that are fitted."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from sdlib.datasets.source import Source
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError
from sdlib.experiments.cohorts import UNPREPARED, Cohort, Preparation, load_cohort
from sdlib.experiments.comparisons import (
    AboveChance,
    DifferenceInChange,
    EnsembleDeLong,
    PairedDifference,
)
from sdlib.metrics import delong_test, mean_interval
from sdlib.results.place import Ensemble


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


class TestAboveChance:
    def test_the_distance_from_a_half(self):
        place = SimpleNamespace(values=lambda metric, arm: np.array([0.5, 0.7, 0.9]))
        found = AboveChance("test.auroc", "new")(place).interval
        expected = mean_interval(np.array([0.0, 0.2, 0.4]))
        assert (found.n, found.mean, found.low) == pytest.approx((3, 0.2, expected.low))

    def test_nothing_without_values(self):
        place = SimpleNamespace(values=lambda metric, arm: np.empty(0))
        assert AboveChance("test.auroc", "new")(place).interval is None


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


class Ensembles:
    """A place with the ensembles of two experiments, which are written here."""

    def __init__(self, scores, targets, others=None):
        self.experiment, self.others = "here", others
        self.scores, self.values = scores, np.array(targets)

    def of(self, experiment):
        return self.others

    def ensemble(self, arm, cohort):
        scores = self.scores.get(arm)
        return None if scores is None else Ensemble(np.array(scores), 5)

    def targets(self, cohort):
        return self.values


class TestEnsembleDeLong:
    TARGETS = (0, 0, 0, 1, 1, 1)
    GOOD, BAD = (0.1, 0.2, 0.6, 0.5, 0.8, 0.9), (0.6, 0.2, 0.7, 0.1, 0.8, 0.9)

    def test_two_experiments_on_the_same_images(self):
        other = Ensembles({"arm": self.BAD}, self.TARGETS)
        place = Ensembles({"arm": self.GOOD}, self.TARGETS, other)
        found = EnsembleDeLong("external", "arm", "arm", "there")(place).interval
        test = delong_test(self.TARGETS, self.GOOD, self.BAD)
        assert (found.mean, found.low, found.high) == pytest.approx((2 / 9, test.low, test.high))

    def test_other_images_are_refused(self):
        other = Ensembles({"arm": self.BAD}, [1, 0, 0, 1, 1, 0])
        other.experiment = "there"
        place = Ensembles({"arm": self.GOOD}, self.TARGETS, other)
        with pytest.raises(ConfigError, match="same images in external of here and there, got oth"):
            EnsembleDeLong("external", "arm", "arm", "there")(place)

    def test_nothing_without_both(self):
        place = Ensembles({"arm": self.GOOD}, self.TARGETS, Ensembles({}, self.TARGETS))
        assert EnsembleDeLong("external", "arm", "arm", "there")(place).interval is None


class TestWhichImages:
    @pytest.fixture
    def source(self, toy_tiles):
        tiles = toy_tiles(64).subset(np.arange(40))
        return Source("toy", "toy", "tiles of the test", lambda request: tiles)

    def test_a_cohort_that_is_not_balanced_has_all_images(self, source):
        every = load_cohort(Cohort(("test",), balanced=False), source, 8, 6, 0)
        assert len(every) == 40
        halves = load_cohort(Cohort(("test",), whole=True), source, 8, 6, 0)
        assert halves.targets.sum() * 2 == len(halves) < 40

    def test_what_decides_on_the_images_decides_whether_they_are_the_same(self):
        plain = Cohort(("test",))
        assert plain.same_tiles(Cohort(("test",), metrics_only=True))
        for other in (
            Cohort(("test",), balanced=False),
            Cohort(("test",), sources=("open",)),
            Cohort(("test",), {"place": "outside"}),
        ):
            assert not plain.same_tiles(other)
