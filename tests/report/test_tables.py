"""Tables, on rows that are written here and so are known."""

import numpy as np
import pytest
from scipy import stats

from sdlib import results
from sdlib.metrics import Interval, mean_interval
from sdlib.report import tables as analysis, verdicts as claims


@pytest.mark.parametrize("arm", ["weight_decay", "sd_eq2_test_tuned", "control"])
def test_the_papers_interval_is_students(arm):
    found = analysis.paper_interval("accuracy", arm)
    ends = stats.t.interval(0.95, 4, found.mean, found.sd / np.sqrt(5))
    assert (found.low, found.high) == pytest.approx(ends)


def test_the_paper_has_no_other_arms():
    assert analysis.paper_interval("accuracy", "sd_eq1") is None


def test_cells_say_what_one_seed_cannot():
    assert analysis.describe(mean_interval([0.7])) == "0.700, one seed"
    found = analysis.describe(Interval(2, 0.1, 0.2, -0.3, 0.5), sign=True)
    assert found == "+0.100 (0.200) [-0.300, +0.500] n = 2"


def test_side_by_side_has_the_places_with_rows_and_their_intervals(rows):
    places = results.columns("cutout", "laptop", "phantom")
    table = analysis.side_by_side(places, {"test.recall": "recall"})
    assert list(table.columns) == ["paper", "this run: phantom, laptop"]
    cell = table.loc[("weight decay", "recall"), "this run: phantom, laptop"]
    assert cell == analysis.describe(mean_interval(rows.values("test.recall", "weight_decay")))
    assert table.loc[("SD Eq. 1, paper's λ", "recall"), "paper"] == "–"


def test_without_rows_the_table_is_the_papers(nothing):
    table = analysis.side_by_side([nothing], {"test.recall": "recall"})
    assert list(table.columns) == ["paper"]
    assert len(table) == 3
    assert not len(analysis.interval_table(nothing, {"test.auroc": "AUROC"}))
    assert not len(analysis.verdict_table([nothing]))


def test_verdicts_are_those_of_the_rule(rows):
    table = analysis.verdict_table([rows])["this run: phantom, laptop"]
    parts = claims.assess(rows)
    for part, cell in zip(parts.itertuples(), table, strict=True):
        assert cell.endswith(part.verdict)
        assert part.n == 0 or f"{100 * part.mean:+.1f}" in cell
    some = analysis.verdict_table([rows], "C1", "C4")
    assert set(some.index.get_level_values(0)) == {"C1", "C4"}
    told = analysis.claim_sentences(rows, "C1", "C5")
    assert told.startswith("**C1: reproduced**")
    assert told.endswith("**C5: not attempted yet** (this run: phantom, laptop): too few rows.")
