"""The rule for verdicts, case by case."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from sdlib.errors import ConfigError
from sdlib.experiments.comparisons import Comparison, Kind, Measured
from sdlib.metrics import FEWEST_SEEDS, Interval, mean_interval
from sdlib.report.rule import RULES, Verdict, judge, overall


def interval(low, high, n=5):
    """A t interval with these ends."""
    half = (high - low) / 2
    sd = half * np.sqrt(n) / stats.t.ppf(0.975, n - 1)
    return Interval(n, (low + high) / 2, sd, low, high)


def part_of(kind, text="", **values):
    return Comparison("C1", text, kind, lambda place: Measured(None), **values)


def verdict(part, low, high, largest=float("nan")):
    return judge([(part, Measured(interval(low, high), largest))])[0]


def test_every_kind_has_a_rule_and_an_unknown_kind_is_an_error():
    assert set(RULES) == set(Kind)
    sentence = r"unknown kind 'no diference' of the comparison '' of C1; expected one of: gain, no"
    with pytest.raises(ConfigError, match=sentence):
        part_of("no diference")


@pytest.mark.parametrize(
    ("kind", "low", "high", "expected"),
    [
        # The paper's difference is .1: half of it is wanted.
        ("gain", 0.07, 0.13, "reproduced"),
        ("gain", 0.04, 0.06, "reproduced"),
        ("gain", 0.01, 0.05, "partly"),
        ("gain", -0.01, 0.3, "undecided"),
        ("gain", -0.14, 0.16, "undecided"),
        ("gain", -0.01, 0.049, "not reproduced"),
        ("gain", -0.2, -0.1, "not reproduced"),
        ("no gain", -0.3, -0.2, "reproduced"),
        ("no gain", 0.01, 0.04, "reproduced"),
        ("no gain", -0.01, 0.06, "undecided"),
        ("no gain", 0.01, 0.06, "undecided"),
        ("no gain", 0.04, 0.08, "not reproduced"),
        # A loss of less than .01 would not count.
        ("loss", -0.02, -0.01, "reproduced"),
        ("loss", -0.02, 0.001, "undecided"),
        ("loss", -0.009, 0.02, "not reproduced"),
        ("loss", 0.01, 0.02, "not reproduced"),
        # The distance of an AUROC from .5.
        ("apart", 0.11, 0.3, "reproduced"),
        ("apart", 0.05, 0.3, "partly"),
        ("apart", 0.01, 0.05, "not reproduced"),
        ("apart", -0.01, 0.3, "undecided"),
    ],
)
def test_rule(kind, low, high, expected):
    part = part_of(kind, paper=0.1, margin=0.01)
    assert verdict(part, low, high) == expected
    two = mean_interval([0.1, 0.2])
    assert judge([(part, Measured(two))]) == ["not attempted yet"]
    assert judge([(part, Measured(None))]) == ["not attempted yet"]
    assert FEWEST_SEEDS == 3


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.45, 0.55, "reproduced"),
        (0.4, 0.6, "reproduced"),
        (0.39, 0.5, "undecided"),
        (0.3, 0.9, "undecided"),
        (0.61, 0.7, "not reproduced"),
        (0.2, 0.39, "not reproduced"),
    ],
)
def test_rule_of_levels(low, high, expected):
    assert verdict(part_of(Kind.LEVEL, paper=0.5, margin=0.1), low, high) == expected


def test_no_difference_is_two_one_sided_tests():
    part = part_of(Kind.NO_DIFFERENCE, margin=0.05)
    # The 90 % interval counts: a 95 % interval may reach a little beyond the margin.
    assert verdict(part, -0.04, 0.04) == "reproduced"
    assert verdict(part, -0.06, 0.06) == "reproduced"
    assert verdict(part, -0.07, 0.07) == "undecided"
    assert verdict(part, 0.01, 0.03) == "reproduced"  # there, but too small to matter
    assert verdict(part, 0.03, 0.09) == "not reproduced"
    share = part_of(Kind.NO_DIFFERENCE, margin_share=0.2)
    assert verdict(share, -0.04, 0.04, largest=0.25) == "reproduced"
    assert verdict(share, -0.04, 0.04, largest=0.1) == "undecided"
    assert verdict(share, -0.04, 0.04) == "undecided"  # the largest effect is not known


def test_gains_are_adjusted_for_their_number():
    """One gain of p = .02 is found alone, but not among four of which the others show nothing."""
    found = stats.t.ppf(0.98, 4)
    error = 0.05 / found
    one = Interval(5, 0.05, error * np.sqrt(5), 0.05 - 2.776 * error, 0.05 + 2.776 * error)
    nothing = interval(-0.04, 0.04)
    part = part_of(Kind.GAIN, paper=0.06)
    assert judge([(part, Measured(one))])[0] == "reproduced"
    four = judge([(part, Measured(one)), *[(part, Measured(nothing))] * 3])
    assert four[0] == "undecided"
    # Premises are no part of the family.
    premise = part_of(Kind.GAIN, paper=0.06, premise=True)
    assert judge([(part, Measured(one)), *[(premise, Measured(nothing))] * 3])[0] == "reproduced"


GAIN, SAME, NONE = (part_of(k) for k in (Kind.GAIN, Kind.NO_DIFFERENCE, Kind.NO_GAIN))
PREMISE = part_of(Kind.GAIN, premise=True)
R, P, N, U, A = Verdict


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(GAIN, R), (GAIN, R)], R),
        ([(GAIN, R), (GAIN, A)], R),  # a part that was not attempted does not make it partly
        ([(GAIN, R), (GAIN, N)], P),
        ([(GAIN, R), (GAIN, U)], P),
        ([(GAIN, P)], P),
        ([(GAIN, N), (GAIN, N)], N),
        ([(GAIN, N), (GAIN, U)], U),
        ([(GAIN, U)], U),
        ([(GAIN, A)], A),
        ([(GAIN, N), (SAME, R)], N),  # a method that does nothing differs nowhere
        ([(GAIN, N), (NONE, R)], N),  # ... and gains nothing
        ([(GAIN, U), (NONE, R)], U),
        ([(GAIN, A), (NONE, R)], U),  # the gain beside it was not attempted
        ([(GAIN, A), (SAME, R)], U),
        ([(GAIN, R), (NONE, R)], R),
        ([(GAIN, R), (NONE, N)], P),
        ([(NONE, R)], R),
        ([(GAIN, R), (SAME, R)], R),
        ([(SAME, R)], R),
        ([(PREMISE, N), (GAIN, R)], U),
        ([(PREMISE, U), (GAIN, R)], U),
        ([(PREMISE, R), (GAIN, N)], N),
        ([(PREMISE, A), (GAIN, N)], N),
        ([(PREMISE, R)], A),
    ],
)
def test_a_claim_from_its_parts(parts, expected):
    assert overall(parts) == expected


@given(st.lists(st.tuples(st.floats(-0.2, 0.2), st.floats(0.001, 0.1)), min_size=1, max_size=6))
def test_more_parts_never_make_a_gain_easier_to_find(ends):
    part = part_of(Kind.GAIN, paper=0.1)
    parts = [(part, Measured(interval(mean - half, mean + half))) for mean, half in ends]
    alone = [judge([one])[0] for one in parts]
    together = judge(parts)
    for single, joint in zip(alone, together, strict=True):
        if joint in (Verdict.REPRODUCED, Verdict.PARTLY):
            assert single == joint
