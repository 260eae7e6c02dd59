"""The table of settings: what the rows say, else what the arms say."""

import pytest

from sdlib.experiments.cutout import CUTOUT
from sdlib.experiments.paper import PAPER_EQ2_GAMMA, PAPER_EQ2_LAM
from sdlib.report.cutout.settings import setting_table

EQ2 = "SD Eq. 2, paper's values"


def test_every_arm_has_its_values_training_set_and_search(rows):
    table = setting_table(rows)
    assert table.index.tolist() == [arm.label for arm in CUTOUT]
    assert table.loc[EQ2, "lam"] == pytest.approx(list(PAPER_EQ2_LAM))
    assert table.loc[EQ2, "gamma"] == list(PAPER_EQ2_GAMMA)
    assert table.loc[EQ2, "weight_decay"] == ""
    assert table["trained on"].tolist() == ["train"] * 9 + ["control"]
    assert table.loc[EQ2, "search"] == "none"
    assert table.loc["SD Eq. 2, tuned on the test split", "search"] == "sd_eq2_test"


def test_searched_arms_have_the_values_of_their_search(rows):
    trials = rows.trials
    best = trials[(trials["family"] == "sd_eq2") & trials["best"]].iloc[0]
    line = setting_table(rows).loc["SD Eq. 2, validation-tuned"]
    assert line["lam"] == pytest.approx([best["lam_neg"], best["lam_pos"]], abs=1e-6)
    assert line["gamma"] == pytest.approx([best["gamma_neg"], best["gamma_pos"]], abs=1e-6)


def test_without_rows_arms_have_their_own_values(nothing):
    table = setting_table(nothing)
    assert table.loc[EQ2, "gamma"] == list(PAPER_EQ2_GAMMA)
    assert table.loc["SD Eq. 2, validation-tuned", "gamma"] == ""
