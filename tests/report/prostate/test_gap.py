"""The gap taken apart: costs, sums and interactions against numbers worked out by hand."""

import itertools

import numpy as np
import pytest

from sdlib.experiments.prostate import DECAY, PARTS_OF_D, SD, parts_name
from sdlib.report.prostate.gap import (
    MEANING,
    SUM,
    WHOLE,
    cost_of,
    gap_figure,
    gap_table,
    interaction_table,
    read_gap,
)
from sdlib.report.tables import in_points

PARTS = tuple(PARTS_OF_D)
#: Points that each shift costs alone, and all of them at once.
ALONE = dict(zip(PARTS, (2, 4, 1, 3, 5), strict=True))
OUTSIDE = 20
#: What two shifts cost beyond both alone.
BEYOND = {("stain", "scanner"): 6, ("magnification", "labels"): -2}
PAIRS = list(itertools.combinations(PARTS, 2))


def accuracies(test=0.95, times=1.0, more=0.0):
    """Metrics of one run, whose costs are the ones above times a factor, and a little more."""
    costs = {parts_name((part,)): cost for part, cost in ALONE.items()}
    for first, second in PAIRS:
        beyond = BEYOND.get((first, second), 0)
        costs[parts_name((first, second))] = ALONE[first] + ALONE[second] + beyond
    costs["external"] = OUTSIDE
    lost = {name: test - times * cost / 100 - more for name, cost in costs.items()}
    return {"test": test, "later": 0.9, "rescanned": 0.9, **lost}


@pytest.fixture
def place(record):
    """Spectral decoupling loses half as much as weight decay; every seed starts elsewhere."""
    seeds = {0: -0.01, 1: 0.0, 2: 0.01}
    decay = {seed: accuracies(0.95 + more, more=more) for seed, more in seeds.items()}
    sd = {seed: accuracies(0.93 - more, 0.5, more=more) for seed, more in seeds.items()}
    return record(**{SD: sd, DECAY: decay})


def test_every_part_has_a_meaning_and_a_cohort(place):
    assert list(MEANING) == list(PARTS)
    for part in PARTS:
        assert parts_name((part,)) in place.definition.evaluation


def test_a_cost_is_what_is_lost_by_seed(place):
    lost = cost_of(place, DECAY, "only_labels")
    np.testing.assert_allclose(lost, [0.04, 0.05, 0.06])
    assert cost_of(place, DECAY, "test").tolist() == [0, 0, 0]
    assert len(cost_of(place, "weight_decay_none", "only_labels")) == 0


class TestTable:
    def test_lines_are_costs_their_sum_and_all_at_once(self, place):
        table = gap_table(place, SD, DECAY)
        assert list(table.index) == [*MEANING.values(), SUM, WHOLE]
        assert list(table.columns) == [
            place.label(DECAY),
            place.label(SD),
            f"less for {place.label(SD)}",
        ]
        spread = np.array([-0.01, 0.0, 0.01])
        for part, name in MEANING.items():
            cost = ALONE[part] / 100
            assert table.loc[name].tolist() == [
                in_points(cost + spread),
                in_points(cost / 2 + spread),
                in_points(np.full(3, cost / 2)),
            ]
        total = sum(ALONE.values()) / 100
        assert table.loc[SUM].tolist() == [
            in_points(total + 5 * spread),
            in_points(total / 2 + 5 * spread),
            in_points(np.full(3, total / 2)),
        ]
        assert table.loc[WHOLE, place.label(DECAY)] == in_points(OUTSIDE / 100 + spread)

    def test_the_last_column_is_paired_by_seed_not_by_place(self, record):
        """Arms of other seeds: only the two that both have count, each with its own."""
        sd = {seed: accuracies(0.9, 0.5, 0.01 * seed) for seed in (0, 1, 3)}
        decay = {seed: accuracies(0.9, 1.0, 0.03 * seed) for seed in (1, 2, 3, 4)}
        table = gap_table(record(**{SD: sd, DECAY: decay}), SD, DECAY)
        expected = np.array([0.01 + 0.02 * seed for seed in (1, 3)])
        assert table.loc[MEANING["stain"]].iloc[2] == in_points(expected)
        assert table.iloc[0, 0].endswith("n = 4")
        assert table.iloc[0, 1].endswith("n = 3")

    def test_arms_without_a_seed_in_common_have_costs_and_no_difference(self, record):
        place = record(**{SD: {0: accuracies()}, DECAY: {1: accuracies()}})
        table = gap_table(place, SD, DECAY)
        assert table.iloc[0].tolist() == ["+2.0, one seed", "+2.0, one seed", "–"]

    def test_without_rows_of_either_arm_there_are_no_lines(self, record):
        assert gap_table(record(), SD, DECAY).empty
        assert gap_table(record(**{SD: {0: accuracies()}}), SD, DECAY).empty


class TestInteractions:
    def test_pairs_beyond_the_sum_of_both(self, place):
        table = interaction_table(place, DECAY)
        assert list(table.index) == list(table.columns) == list(PARTS)
        np.testing.assert_allclose(np.diag(table), [*ALONE.values()])
        for first, second in PAIRS:
            expected = BEYOND.get((first, second), 0)
            for one in (table.loc[first, second], table.loc[second, first]):
                assert one == pytest.approx(expected, abs=1e-9)

    def test_without_rows(self, place):
        assert interaction_table(place, "weight_decay_none").empty


class TestReading:
    def test_sums_and_what_is_left(self, place):
        told = read_gap(place, DECAY)
        assert told.startswith(f"**{place.name}**, {place.label(DECAY)}: 20.0 points are lost")
        order = ["its labels +5.0", "its scanner +4.0", "its patients +3.0"]
        order += ["stain of the other centre +2.0", "its magnification +1.0"]
        assert ", ".join(order) in told
        assert "add up to 15.0; the other 5.0 points" in told

    def test_more_than_the_whole(self, record):
        """Shifts that overlap: alone they add up to more than what is lost."""
        run = accuracies() | {"external": 0.85}
        told = read_gap(record(**{DECAY: {0: run}}), DECAY)
        assert "10.0 points are lost" in told
        assert "add up to 15.0; that is 5.0 points more" in told

    def test_without_rows_nothing_is_said(self, record):
        assert read_gap(record(), DECAY) == ""


class TestFigure:
    def test_arms_stand_at_their_costs(self, place):
        figure = gap_figure(place, (SD, DECAY, "weight_decay_none"), "nothing")
        (ax,) = figure.axes
        assert [bars.get_label() for bars in ax.containers] == [place.label(SD), place.label(DECAY)]
        drawn = ax.containers[1][0].get_xdata()
        expected = [*ALONE.values(), sum(ALONE.values()), OUTSIDE]
        np.testing.assert_allclose(drawn, expected)

    def test_without_rows_it_says_what_is_missing(self, record):
        figure = gap_figure(record(), (SD, DECAY), "no rows yet")
        assert "no rows yet" in [text.get_text() for ax in figure.axes for text in ax.texts]
