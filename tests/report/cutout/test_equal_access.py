"""The paper's values against weight decay, on rows that are written here and so are known."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit
from sklearn import metrics as sk

from sdlib.report.cutout import equal_access
from sdlib.results import Place
from tests.written_results import TARGETS, write_run


def best_possible(logits):
    """The highest balanced accuracy that any cut-off gives."""
    false_rate, true_rate, _ = sk.roc_curve(TARGETS, expit(logits.astype(float)))
    return ((1 + true_rate - false_rate) / 2).max()


def test_differences_are_paired_and_both_arms_see_the_same(rows):
    found = equal_access.equal_access(rows)
    pair = ("sd_eq2", "weight_decay")
    for heading, metric in (
        ("accuracy, both at .5", "test.accuracy"),
        ("recall, both at .5", "test.recall"),
        ("AUROC", "test.auroc"),
        ("accuracy on clean tiles, both at .5", "clean.accuracy"),
    ):
        expected = stats.ttest_rel(*(rows.values(metric, arm) for arm in pair))
        ends = expected.confidence_interval()
        assert (found[heading].low, found[heading].high) == pytest.approx((ends.low, ends.high))
    best = [[best_possible(f) for f in rows.logits(arm, "test").values()] for arm in pair]
    at_best = found["accuracy, both at their best cut-off on test"]
    assert at_best.mean == pytest.approx(np.mean(best[0]) - np.mean(best[1]))


def test_a_moved_threshold_gains_at_a_half_and_nothing_at_equal_cutoffs(rows):
    """The written network of Equation 2 has weight decay's features, and another threshold."""
    found = equal_access.equal_access(rows)
    assert found["accuracy, both at .5"].low > 0
    at_best = found["accuracy, both at their best cut-off on test"]
    assert at_best.low < 0 < at_best.high
    said = equal_access.finding(rows)
    assert "Equation 2 gains in accuracy at .5" in said
    assert "AUROC does not differ clearly" in said


def test_the_cutoff_that_values_are_worth_needs_no_labels(rows):
    """Weight decay at .391, the posterior at which the paper's values have a logit of 0."""
    cutoff = (0.5 - 0.0969 * 1.83) / (1 + 0.000698 * 2.61 - 0.0969 * 1.83)
    assert equal_access.worth(rows) == pytest.approx(cutoff)
    own = rows.by_seed("test.accuracy", "sd_eq2")
    rival = [
        sk.balanced_accuracy_score(TARGETS, expit(f.astype(float)) > cutoff)
        for f in rows.logits("weight_decay", "test").values()
    ]
    found = equal_access.equal_access(rows)[equal_access.WORTH]
    assert found.mean == pytest.approx(own.mean() - np.mean(rival))


def test_the_table_is_side_by_side_with_the_papers(rows):
    elsewhere = Place("cutout", "laptop", "open")
    table = equal_access.access_table([rows, elsewhere])
    assert list(table) == ["paper", rows.name]  # the other place has no rows
    assert table.loc["accuracy, both at .5", "paper"] == "+8.5"
    assert table.loc["AUROC", "paper"] == "–"
    assert table.loc["seeds", rows.name] == 5


def test_the_ceiling_is_clean_accuracy(rows):
    column = equal_access.ceiling_table([rows])[rows.name]
    mean = {c: rows.values(f"{c}.accuracy", "weight_decay").mean() for c in ("test", "clean")}
    to_win = 100 * (mean["clean"] - mean["test"])
    assert column["to win back: weight decay, clean minus test, points"] == f"{to_win:.1f}"
    control = rows.values("test.accuracy", "control").mean()
    distance = 100 * (control - mean["test"])
    assert column["the control's distance, points"] == f"{distance:.1f}"


def test_what_does_not_flatter_is_said(rows):
    said = equal_access.unflattering(rows)
    assert "Both tuned on validation tiles" in said
    assert "its search on test tiles chose" in said


def test_two_seeds_and_none_conclude_nothing(nothing):
    assert equal_access.equal_access(nothing) == {}
    assert equal_access.finding(nothing) == equal_access.unflattering(nothing) == ""
    assert list(equal_access.access_table([nothing])) == ["paper"]
    assert equal_access.ceiling_table([nothing]).empty
    for arm in ("sd_eq2", "weight_decay"):
        for seed in (0, 1):
            write_run("cutout", arm, seed)
    two = Place("cutout", "laptop", "phantom", "this run")
    assert equal_access.finding(two) == ""
    cell = equal_access.access_table([two]).loc["AUROC", two.name]
    assert cell.endswith("no interval")
