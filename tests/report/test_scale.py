"""Scales and the images that go through networks, against counts by hand."""

from dataclasses import replace

import pytest

from sdlib.experiments import EXPERIMENTS, PROFILES
from sdlib.experiments.cohorts import Cohort
from sdlib.experiments.searches import EQ2_RANGES, Space
from sdlib.report import scale
from tests.toy_experiments import ARMS, TOY_SHIFTS


def test_every_profile_is_a_line():
    table = scale.profile_table()
    assert list(table.index) == list(PROFILES)
    assert table.loc["laptop", "batch_size"] == PROFILES["laptop"].batch_size


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_a_training_sees_21_of_30_patients_tiles_in_every_epoch(profile):
    assert scale.images_seen(profile) == round(0.7 * profile.tiles) * profile.epochs


def test_the_paper_is_the_unit():
    table = scale.scale_table()
    assert table.loc["paper", "share of paper"] == "1.0e+00"
    assert table.loc["paper", "images seen"] == "18,018,000"
    assert table.loc["paper", "area of cut-outs"] == "0.020"  # 16 squares of 8 x 8 on 224 x 224
    assert table.loc["laptop", "cut-out px"] == 2


def test_every_run_and_every_trial_is_counted_with_the_experiments_own_settings(monkeypatch):
    before = scale.images_needed("smoke", "phantom")
    few = replace(ARMS[0], name="few", training=Cohort(("train",), most=10))
    toy = replace(
        TOY_SHIFTS,
        name="toy_scaled",
        arms=(few, *ARMS[:3], replace(ARMS[2], name="proposed", search="bayes")),
        searches=(*TOY_SHIFTS.searches, Space("bayes", "validation", ranges=EQ2_RANGES)),
        overrides={"smoke": {"tiles": 100, "epochs": 3, "seeds": 2, "trials": 5, "networks": 2}},
    )
    monkeypatch.setitem(EXPERIMENTS, toy.name, toy)
    runs = 4 * 2
    trainings = (2 + 5) * 2  # a grid of two points, the budget of the other; no run needs the third
    added = scale.images_needed("smoke", "phantom") - before
    assert added == (runs + trainings) * 70 * 3 + 2 * 10 * 3


def test_hours_fall_with_the_rate():
    table = scale.hours_table("phantom", (500, 1000))
    assert list(table.columns) == ["hours at 500 images/s", "hours at 1,000 images/s"]
    slow, fast = table.loc["paper"]
    assert slow == pytest.approx(2 * fast)
    assert slow == pytest.approx(scale.images_needed("paper", "phantom") / 500 / 3600)
