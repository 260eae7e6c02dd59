"""What a test on real hospitals takes, against simulated experiments and counted images."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sdlib.experiments import EXPERIMENTS, runs_of
from sdlib.paths import ROOT
from sdlib.report.prostate import hospitals
from sdlib.report.scale import images_seen


@pytest.mark.parametrize("seeds", [5, 20])
def test_the_smallest_gain_is_found_in_four_of_five_experiments(seeds):
    spread = 0.064
    gain = hospitals.power_table(spread, [seeds]).loc[seeds, "smallest gain, points"] / 100
    rng = np.random.default_rng(0)
    rivals, arms = rng.normal(0, spread, (2, 20_000, seeds))
    found = stats.ttest_ind(arms + gain, rivals, axis=1).pvalue < 0.05
    # The sum of two quantiles is an approximation, on the safe side with few seeds.
    assert found.mean() == pytest.approx(0.8, abs=0.03)


def test_more_seeds_show_smaller_gains():
    table = hospitals.power_table(0.064, [5, 8, 10, 20])["smallest gain, points"]
    assert table.is_monotonic_decreasing
    doubled = hospitals.power_table(0.128, [5])["smallest gain, points"]
    assert doubled.loc[5] == pytest.approx(2 * table.loc[5], abs=0.1)


def test_hours_are_images_over_rates(monkeypatch):
    monkeypatch.setattr(hospitals, "training_rate", lambda network, size: 50.0)
    table = hospitals.cost_projection(rates=[2000])
    settings = EXPERIMENTS["hospitals"].settings("paper", "camelyon17")
    images = len(runs_of("hospitals", "paper", "camelyon17")) * images_seen(settings)
    assert images == 80 * 302_436 * 90
    line = table.loc["hospitals, 96 px"]
    assert line["images, millions"] == f"{images / 1e6:,.0f}"
    assert line["hours at that rate"] == f"{images / 50 / 3600:,.0f}"
    assert line["hours at 2,000 images/s"] == f"{images / 2000 / 3600:,.0f}"


def test_a_rate_is_measured():
    small, large = (hospitals.training_rate("test_efficientnet", size) for size in (32, 128))
    assert small > large > 0


def test_what_others_found_is_read_from_its_file():
    written = pd.read_csv(ROOT / "data" / "elsewhere.csv")
    table = hospitals.published_table()
    assert len(table) == len(written)
    for line in written.itertuples():
        assert table.loc[(line.data, line.method), "accuracy, %"] == line.accuracy
    plain = written[written["method"] == "plain training"].set_index("data")
    spread = hospitals.published_spread("Camelyon17-WILDS", "plain training")
    assert spread == pytest.approx(plain.loc["Camelyon17-WILDS", "sd"] / 100)
