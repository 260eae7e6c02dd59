"""Sentences of the page on your own images, from differences that are made up."""

import pytest
from scipy import stats

from sdlib.metrics import Interval
from sdlib.report.own_data import verdict
from sdlib.report.own_data.paired import Paired

UNBROKEN = "\N{NO-BREAK SPACE}"
SEEDS, PATIENTS = 5, 40


def paired(mean, low, high):
    """A difference with such an interval, in points."""
    error = (high - low) / 200 / stats.t.ppf(0.975, SEEDS - 1)
    level = Interval(SEEDS, 0.8, 0.01, 0.79, 0.81)
    over_seeds = Interval(SEEDS, mean / 100, 0.0, mean / 100, mean / 100)
    return Paired(level, level, over_seeds, error, PATIENTS)


@pytest.mark.parametrize(
    ("low", "high", "answer"),
    [
        (1, 5, "helps"),
        (-5, -1, "does harm"),
        (-1, 1.2, "makes no difference that matters"),
        (-3, 5, "cannot be decided"),
        (float("nan"), float("nan"), "cannot be decided"),
    ],
)
def test_answers_by_the_interval(low, high, answer):
    assert verdict.answer(paired((low + high) / 2, low, high)) == answer


@pytest.mark.parametrize(
    ("mean", "low", "high", "text"),
    [
        (1.2, -0.5, 2.9, "+1.2 (-0.5 to +2.9)"),
        (-0.01, -0.3, 0.28, "0.0 (-0.3 to +0.3)"),
        (0.52, 0.04, 1, "+0.5 (0.0 to +1.0)"),
        (-0.01, float("nan"), float("nan"), "0.0 (no interval)"),
    ],
)
def test_points_have_no_sign_where_they_round_to_nothing(mean, low, high, text):
    found = verdict.points(paired(mean, low, high))
    assert found.replace(UNBROKEN, " ") == text
    assert " " not in found
