"""Surplus over Bayes' price on written networks whose shift by squares is known."""

import numpy as np
import pytest
from scipy import stats

from sdlib.experiments.cutout_interpolation import FITTED
from sdlib.report.cutout import starved
from sdlib.report.cutout.cutoff_control import logit_shift
from sdlib.results import Place
from tests.written_results import write_run

SHIFTS = {
    "weight_decay": -4.0,
    "weight_decay_strong": -2.565,
    "sd_eq1": -1.0,
    "sd_eq1_strong": -0.5,
}


@pytest.fixture
def fitted(outputs, recorded):
    """Networks that squares shift by what :data:`SHIFTS` says, give or take a tenth."""
    for arm, shift in SHIFTS.items():
        for seed in range(5):
            write_run("cutout_interpolation", arm, seed, network=(0.0, 6.0, shift))
    return Place("cutout_interpolation", "laptop", "phantom", "this run")


def test_the_price_is_the_log_of_the_likelihood_ratio():
    carrying = 0.025 / 0.25
    free = (1 - 0.025) / (1 - 0.25)
    assert starved.bayes_price() == pytest.approx(np.log(carrying / free))
    assert round(starved.bayes_price(), 3) == -2.565


def test_surplus_is_the_shift_beyond_the_price(fitted):
    for arm, shift in SHIFTS.items():
        found = starved.surplus(fitted, arm)
        assert len(found) == 5
        assert found.mean() == pytest.approx(shift - starved.bayes_price(), abs=0.15)


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        ("weight_decay", "is larger than Bayes' rule says"),
        ("weight_decay_strong", "cannot be told from what Bayes' rule says"),
        ("sd_eq1", "is smaller than Bayes' rule says"),
    ],
)
def test_the_sentence_follows_the_interval(fitted, arm, said):
    sentence = starved.starved_sentence(fitted, arm)
    assert said in sentence
    shifts = starved.surplus(fitted, arm) + starved.bayes_price()
    low, high = stats.t.interval(0.95, 4, shifts.mean(), stats.sem(shifts))
    assert f"{shifts.mean():+.2f}, {low:+.2f} to {high:+.2f}" in sentence


def test_the_table_says_whether_the_penalty_was_binding(fitted):
    table = starved.starved_table(fitted)
    assert table.index.tolist() == [fitted.label(arm) for arm in SHIFTS]
    assert table.loc[fitted.label("weight_decay"), "cap of the margin"] == "–"
    line = table.loc[fitted.label("sd_eq1_strong")]
    assert line["cap of the margin"] == "1.63"
    targets = fitted.targets(FITTED)
    beyond = [
        np.where(targets == 1, f, -f) > 1.6335
        for f in fitted.logits("sd_eq1_strong", FITTED).values()
    ]
    assert line["beyond the cap"] == f"{np.mean(beyond):.0%}"


def test_what_a_penalty_frees_is_told_by_what_no_scale_changes(fitted):
    """The written networks of the penalty have the same distance between classes, less shift."""
    said = starved.freed_sentence(fitted, "sd_eq1")
    assert "squares count for less than with *weight decay*" in said
    own, rival = (
        abs(logit_shift(fitted, arm)["share"].astype(float)) for arm in ("sd_eq1", "weight_decay")
    )
    low, high = stats.ttest_rel(own, rival).confidence_interval()
    assert f"({low:+.3f} to {high:+.3f})" in said
    reverse = starved.freed_sentence(fitted, "sd_eq1", "sd_eq1_strong")
    assert "squares count for more" in reverse
    assert starved.freed_sentence(fitted, "weight_decay_strong") == ""


def test_without_rows_nothing_is_said(outputs, recorded):
    nothing = Place("cutout_interpolation", "laptop", "phantom", "this run")
    assert starved.starved_sentence(nothing) == ""
    assert not len(starved.starved_table(nothing))
    (ax,) = starved.starved_plot([nothing]).axes
    assert "no rows" in ax.texts[0].get_text()
