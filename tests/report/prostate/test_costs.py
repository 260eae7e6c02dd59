"""Figure 6D: costs per million images as text, and the verdict on their ratio."""

import itertools

import pytest

from sdlib.report.prostate import costs
from sdlib.report.prostate.costs import (
    BATCH,
    LEAST_RATIO,
    PAPER_NORMALISATION,
    PAPER_PENALTY,
    Cost,
    cost_sentence,
    cost_table,
    measure_costs,
    ratio_verdict,
)
from sdlib.report.rule import Verdict

HOUR = 3600.0


def pair(normalisation, penalty):
    return [
        Cost("normalisation", normalisation, PAPER_NORMALISATION),
        Cost("on 2 cores", (1.0,), PAPER_NORMALISATION),
        Cost("penalty", penalty, PAPER_PENALTY),
        Cost("penalty and its gradient", (1e9,)),
    ]


@pytest.mark.parametrize(
    ("normalisation", "penalty", "verdict"),
    [
        ((38 * HOUR, 39 * HOUR, 40 * HOUR), (0.05, 0.06, 0.04), Verdict.REPRODUCED),
        ((3.9 * HOUR, 3.9 * HOUR, 3.9 * HOUR), (0.05, 0.06, 0.04), Verdict.REPRODUCED),
        ((3.8 * HOUR, 3.8 * HOUR, 3.8 * HOUR), (0.05, 0.06, 0.04), Verdict.PARTLY),
        ((1000.0, 1200.0, 1100.0), (0.5, 1.0, 0.6), Verdict.PARTLY),
        ((999.0, 1200.0, 1100.0), (0.5, 1.0, 0.6), Verdict.UNDECIDED),
        ((1000.0, 1200.0, 500.0), (0.5, 1.3, 1.2), Verdict.UNDECIDED),
        ((400.0, 499.0, 450.0), (0.5, 1.0, 0.6), Verdict.NOT_REPRODUCED),
        ((400.0, 500.0, 450.0), (0.5, 1.0, 0.6), Verdict.UNDECIDED),
    ],
)
def test_every_round_against_every_round(normalisation, penalty, verdict):
    found, ratio = ratio_verdict(pair(normalisation, penalty))
    assert found is verdict
    ratios = [a / b for a, b in itertools.product(normalisation, penalty)]
    holds = verdict in (Verdict.REPRODUCED, Verdict.PARTLY)
    assert (min(ratios) >= LEAST_RATIO) == holds
    assert (max(ratios) < LEAST_RATIO) == (verdict is Verdict.NOT_REPRODUCED)
    medians = sorted(normalisation)[1] / sorted(penalty)[1]
    assert ratio == pytest.approx(medians)


def test_the_table_has_seconds_hours_rates_and_the_papers():
    table = cost_table(
        [
            Cost("slow", (2 * HOUR, HOUR, 4 * HOUR), PAPER_NORMALISATION),
            Cost("fast", (0.011, 0.012, 0.0125), PAPER_PENALTY),
            Cost("ours", (1.0, 2.0, 3.0)),
        ]
    )
    assert table.loc["slow"].tolist() == ["7.2e+03 (3.6e+03 to 1.44e+04)", "2", "139", "38.5 h"]
    assert table.loc["fast", "seconds per million images"] == "0.012 (0.011 to 0.0125)"
    assert table.loc["fast", "paper"] == "0.05 s"
    assert table.loc["ours"].tolist()[2:] == ["500,000", "–"]


def test_the_sentence_says_the_verdict_and_both_ratios():
    told = cost_sentence(pair((HOUR, HOUR, HOUR), (0.1, 0.1, 0.1)))
    assert told.startswith("**C11: partly**")  # as large a ratio, and a 38th of the hours
    assert "1.00 hours on one core here, 38.5 in the paper" in told
    assert "36,000 times the penalty here and 2,772,000 times in the paper" in told


def test_what_is_measured(monkeypatch):
    """Rounds of a clock of our own: each call of the work takes a known time."""
    clock = itertools.count(step=0.25)
    monkeypatch.setattr(costs.time, "perf_counter", lambda: next(clock))
    done = []
    found = costs._rounds(lambda: done.append(1), images=10)
    assert len(found) == costs.ROUNDS
    # Begun at 0, looked at after .25 and .5 s: one call of 10 images, and .75 s have passed.
    assert found == tuple([0.75 / 10 * 1e6] * costs.ROUNDS)
    assert len(done) == 1 + costs.ROUNDS


def test_costs_of_both_on_any_number_of_cores(monkeypatch):
    monkeypatch.setattr(costs, "SECONDS", 0.0005)
    monkeypatch.setattr(costs, "ROUNDS", 2)
    found = measure_costs(size=32, tiles=4, workers=(1, 2))
    names = [cost.name for cost in found]
    assert names == [
        "Macenko normalisation, 32 x 32 px, 1 core",
        "Macenko normalisation, 32 x 32 px, 2 cores",
        f"penalty of Equation 1, {BATCH} x 1 logits",
        f"penalty and its gradient, {BATCH} x 1 logits",
    ]
    assert all(len(cost.seconds) == 2 and min(cost.seconds) > 0 for cost in found)
    assert [cost.paper for cost in found][:3] == [PAPER_NORMALISATION] * 2 + [PAPER_PENALTY]
    assert len(cost_table(found)) == 4
