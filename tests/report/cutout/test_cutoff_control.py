"""The tuned rival and what cutouts do to logits, on rows that are written here."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from sklearn import metrics as sk

from sdlib.errors import ConfigError
from sdlib.experiments.cutout import CUTOUT
from sdlib.metrics import Interval, mean_interval
from sdlib.report import tables as analysis
from sdlib.report.cutout import cutoff_control as rivals
from sdlib.report.tables import ends_in_points
from sdlib.results import Place
from tests.written_results import TARGETS, write_run, write_search


def test_a_cutoff_tuned_on_test_is_the_best_there_is(rows):
    found = rivals.tuned_accuracy(rows, "weight_decay", "test")
    for seed, logits in rows.logits("weight_decay", "test").items():
        false_rate, true_rate, _ = sk.roc_curve(TARGETS, logits)
        assert found[seed] == pytest.approx(((1 + true_rate - false_rate) / 2).max())
    assert (found >= rows.values("test.accuracy", "weight_decay") - 1e-12).all()


def test_a_cutoff_tuned_on_validation_sees_no_test_label(rows):
    found = rivals.tuned_accuracy(rows, "weight_decay", "validation")
    for seed, logits in rows.logits("weight_decay", "validation").items():
        false_rate, true_rate, cutoffs = sk.roc_curve(TARGETS, logits, drop_intermediate=False)
        best = true_rate - false_rate >= (true_rate - false_rate).max() - 1e-12
        test = rows.logits("weight_decay", "test")[seed]
        scores = [sk.balanced_accuracy_score(TARGETS, test >= cutoff) for cutoff in cutoffs[best]]
        # Between neighbouring scores any cut-off is as good on validation, not on test.
        assert min(scores) - 0.02 <= found[seed] <= max(scores) + 0.02
    with pytest.raises(ConfigError, match="expected judged_on as validation or test"):
        rivals.tuned_accuracy(rows, "weight_decay", "clean")


def test_a_moved_threshold_is_told_from_other_features(rows):
    moved = rivals.cutoff_control(rows, "sd_eq2", "test")
    assert moved.explained == "moved cut-off"
    assert moved.auroc.low < 0 < moved.auroc.high
    learned = rivals.cutoff_control(rows, "sd_eq2_test_tuned", "test")
    assert learned.explained == "more than a cut-off"
    assert "ranked better" in learned.finding
    same = rivals.cutoff_control(rows, "sd_eq1_tuned", "validation")
    assert same.explained == "no gain"
    assert "no gain at .5 to explain" in same.finding


def test_the_controls_numbers_are_paired_differences(rows):
    control = rivals.cutoff_control(rows, "sd_eq2_test_tuned", "test", "weight_decay_tuned")
    own = rows.values("test.accuracy", "sd_eq2_test_tuned")
    rival = rivals.tuned_accuracy(rows, "weight_decay_tuned", "test").to_numpy()
    assert vars(control.left) == pytest.approx(vars(mean_interval(own - rival)))
    table = rivals.control_table([control])
    assert table.iloc[0]["rival's cut-off tuned"] == analysis.describe(control.left, sign=True)


def test_no_control_without_both_arms(nothing):
    assert rivals.cutoff_control(nothing, "sd_eq2", "test") is None
    write_run("cutout", "sd_eq2", 0)
    assert rivals.cutoff_control(nothing, "sd_eq2", "test") is None
    assert rivals.conclusion(nothing) == ""


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_fewer_than_three_seeds_conclude_nothing(nothing, seeds):
    write_search("cutout", "sd_eq2_test", 3)
    for arm in ("weight_decay", "sd_eq2_test_tuned"):
        for seed in range(seeds):
            write_run("cutout", arm, seed)
    control = rivals.cutoff_control(nothing, "sd_eq2_test_tuned", "test")
    assert control.gain.n == control.left.n == seeds
    for told in (control.finding, control.short_finding):
        assert told.endswith(rivals.TOO_FEW) == (seeds < 3)
    assert (rivals.conclusion(nothing) == "") == (seeds < 3)


@pytest.mark.parametrize(
    ("gain", "left", "expected"),
    [
        ((0.01, 0.05), (0.01, 0.03), "more than a cut-off"),
        ((0.01, 0.05), (-0.01, 0.03), "moved cut-off"),
        ((0.01, 0.05), (-0.05, -0.03), "moved cut-off"),
        ((-0.01, 0.05), (0.01, 0.03), "no gain"),
        ((0.0, 0.05), (0.0, 0.03), "no gain"),
    ],
)
@pytest.mark.parametrize(
    ("auroc", "words"),
    [((0.01, 0.02), "is higher"), ((-0.02, -0.01), "is lower"), ((-0.1, 0.1), "does not tell")],
)
def test_findings_follow_the_intervals_ends(gain, left, expected, auroc, words):
    ends = [Interval(5, (low + high) / 2, 0.01, low, high) for low, high in (gain, left, auroc)]
    control = rivals.CutoffControl("sd_eq2", "weight_decay", "test", *ends, ("SD", "weight decay"))
    assert control.explained == expected
    assert words in control.finding
    answer = control.finding.split("**")[2].split(":")[0]  # up to the first number
    assert answer in control.short_finding
    for interval in ends:
        assert ends_in_points(interval) in control.short_finding


def test_the_conclusion_names_both_searches(rows):
    told = rivals.conclusion(rows)
    start = "Tuned on the test split, Equation 2 gains more than"
    assert 0 == told.index(start) < told.index("Tuned on validation")
    # The paper's values saw no label of ours: no cut-off that did is set against them.
    assert "paper's values" not in told
    control = rivals.cutoff_control(rows, "sd_eq2_test_tuned", "test")
    higher = (
        f"SD Eq. 2, tuned on the test split: AUROC is higher by {ends_in_points(control.auroc)}"
    )
    assert (higher in told) == (control.auroc.low > 0)


# -- What cutouts do to logits


def test_the_shift_is_what_was_added(rows):
    found = rivals.logit_shift(rows, "sd_eq2_test_tuned")
    for seed, line in found.iterrows():
        cut = rows.logits("sd_eq2_test_tuned", "all")[seed]
        bare = rows.logits("sd_eq2_test_tuned", "clean")[seed]
        assert line["shift"] == pytest.approx(np.mean(cut - bare), abs=1e-6)
        assert line["shift"] == pytest.approx(-1.0, abs=0.4)
        distance = bare[TARGETS == 1].mean() - bare[TARGETS == 0].mean()
        assert line["share"] == pytest.approx(line["shift"] / distance, rel=1e-5)


@settings(deadline=None, max_examples=30)
@given(scale=st.floats(0.01, 100), move=st.floats(-50, 50))
def test_the_share_ignores_scale_and_threshold(scale, move):
    rng = np.random.default_rng(0)
    bare = rng.normal(3 * TARGETS, 1)
    places = []
    for a, b in ((1.0, 0.0), (scale, move)):
        place = Place("cutout", "laptop", "phantom", "this run")
        one = {"arm": ["sd_eq2"], "seed": [0], "stale": [False]}
        place.__dict__["all_rows"] = place.__dict__["rows"] = pd.DataFrame(one)
        place.__dict__["_predictions"] = {
            "test.targets": TARGETS,
            "sd_eq2/seed0/clean.logits": a * bare + b,
            "sd_eq2/seed0/all.logits": a * (bare - 1.5) + b,
        }
        places.append(rivals.logit_shift(place, "sd_eq2").loc[0])
    assert places[1]["share"] == pytest.approx(places[0]["share"], rel=1e-6)
    assert places[1]["shift"] == pytest.approx(scale * places[0]["shift"], rel=1e-6)


def test_the_shift_table_compares_with_weight_decay(rows):
    table = rivals.shift_table(rows)
    assert list(table.index) == [arm.label for arm in CUTOUT]
    assert table.loc["weight decay", "r minus weight decay's"] == "–"
    shifts = [rivals.logit_shift(rows, arm)["share"] for arm in ("control", "weight_decay")]
    expected = analysis.describe(mean_interval((shifts[0] - shifts[1]).to_numpy()), sign=True)
    assert table.loc["control + weight decay", "r minus weight decay's"] == expected


def test_without_predictions_there_is_no_shift(nothing):
    assert not len(rivals.logit_shift(nothing, "sd_eq2"))
    assert not len(rivals.shift_table(nothing))


def test_panels_have_the_numbers_of_the_table(rows):
    controls = rivals.every_control(rows)
    assert controls
    panels = rivals.control_panels(controls)
    table = rivals.control_table(controls)
    assert list(panels) == list(table.columns)
    for heading, found in panels.items():
        drawn = [analysis.describe(interval, sign=True) for interval in found.values()]
        assert drawn == list(table[heading])


def test_measures_of_the_shift_have_the_numbers_of_its_table(rows):
    table = rivals.shift_table(rows)
    for arm in rows.scored:
        cells = []
        for measure in rivals.SHIFT_MEASURES:
            values = measure(rows, arm)
            cells.append(
                analysis.describe(mean_interval(values.to_numpy()), sign=True)
                if len(values)
                else "–"
            )
        assert cells == list(table.loc[rows.label(arm)])
