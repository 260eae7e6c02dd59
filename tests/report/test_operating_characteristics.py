"""The rule's errors, where they follow from the t distribution."""

import numpy as np
import pytest
from scipy import stats

from sdlib.errors import ConfigError
from sdlib.experiments.comparisons import Comparison, Kind, Measured
from sdlib.report.operating_characteristics import (
    characteristics,
    error_sentence,
    simulated_verdicts,
)

GAIN = Comparison("C1", "", Kind.GAIN, lambda place: Measured(None), paper=0.1)


def test_without_an_effect_a_gain_is_found_as_often_as_the_level_says():
    shares = simulated_verdicts([(GAIN, 0.02, np.nan)], 5, "no effect", draws=4000)
    found = shares["reproduced"] + shares["partly"]
    assert found == pytest.approx(0.025, abs=0.008)
    assert shares.sum() == pytest.approx(1)


@pytest.mark.parametrize("sd", [0.05, 0.1])
def test_a_true_gain_is_found_as_often_as_the_power_of_the_test(sd):
    shares = simulated_verdicts([(GAIN, sd, np.nan)], 5, "the paper is right", draws=4000)
    noncentral = stats.nct(4, 0.1 / (sd / np.sqrt(5)))
    power = noncentral.sf(stats.t.ppf(0.975, 4))
    assert shares["reproduced"] + shares["partly"] == pytest.approx(power, abs=0.03)


def test_four_gains_do_not_multiply_false_findings():
    parts = [(GAIN, 0.02, np.nan)] * 4
    shares = simulated_verdicts(parts, 5, "no effect", draws=4000)
    assert shares["reproduced"] + shares["partly"] < 0.035


def test_a_wide_spread_decides_nothing():
    shares = simulated_verdicts([(GAIN, 0.5, np.nan)], 3, "no effect")
    assert shares["undecided"] > 0.9
    assert shares["not reproduced"] < 0.1


def test_parts_in_step_stand_or_fall_together():
    """Two equal parts that a seed moves in step are one part: never one found and the other not."""
    parts = [(GAIN, 0.1, np.nan)] * 2
    together = simulated_verdicts(parts, 5, "the paper is right", draws=500, in_step=True)
    alone = simulated_verdicts(parts, 5, "the paper is right", draws=500)
    assert together["partly"] == 0  # the mean is at least half of the paper's wherever it is found
    assert alone["partly"] > 0.05


def test_bad_input():
    with pytest.raises(ConfigError, match="expected a truth of"):
        simulated_verdicts([(GAIN, 0.1, np.nan)], 5, "half an effect")
    with pytest.raises(ConfigError, match="expected at least 3 seeds, got 2"):
        simulated_verdicts([(GAIN, 0.1, np.nan)], 2, "no effect")


def test_a_place_has_a_line_per_claim_and_truth(rows):
    table = characteristics(rows, draws=50)
    claims = set(table.index.get_level_values(0))
    assert {"C1, tuned on test", "C1, paper's values", "C2", "C4"} <= claims
    assert set(table.index.get_level_values(1)) == {"no effect", "the paper is right"}
    assert (table["seeds"] >= 3).all()
    np.testing.assert_allclose(table.drop(columns=["seeds", "gains"]).sum(axis=1).astype(float), 1)


def test_without_rows_there_is_no_spread_to_simulate_with(nothing):
    assert characteristics(nothing, draws=50).empty


def test_the_largest_errors_are_said(rows):
    table = characteristics(rows, draws=50)
    said = error_sentence(table)
    # "No difference" (C4) is true of a method that does nothing: no error.
    assert table.xs("C4")["gains"].eq(0).all()
    table = table[table["gains"] > 0]
    under_none = table[table.index.get_level_values(1) == "no effect"]
    worst = under_none[["reproduced", "partly"]].sum(axis=1).max()
    assert f"at most {worst:.1%} of simulated" in said
    assert error_sentence(table.iloc[:0]) == ""
