"""Scales and the images that go through networks, against counts by hand."""

import pytest

from sdlib.experiments import EXPERIMENTS, PROFILES, runs_of
from sdlib.report import scale


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


def test_every_run_and_every_trial_is_counted():
    """At quick all searches of both swept experiments are run, the sensitivity's are not."""
    counted = scale.images_needed("quick", "phantom")
    runs = [run for name in EXPERIMENTS for run in runs_of(name, "quick", "phantom")]
    families = {(run.search.experiment, run.search.family) for run in runs if run.search}
    trials = 0
    for experiment, family in families:
        space = EXPERIMENTS[experiment].space(family)
        trials += 6 if space.grid else PROFILES["quick"].trials
    assert counted == (len(runs) + trials) * scale.images_seen(PROFILES["quick"])


def test_hours_fall_with_the_rate():
    table = scale.hours_table("phantom", (500, 1000))
    assert list(table.columns) == ["hours at 500 images/s", "hours at 1,000 images/s"]
    slow, fast = table.loc["paper"]
    assert slow == pytest.approx(2 * fast)
    assert slow == pytest.approx(scale.images_needed("paper", "phantom") / 500 / 3600)
