"""Figures of chapter 4 show what the rows say, under the right names."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from scipy.special import expit

from sdlib.experiments.cutout import CUTOUT
from sdlib.experiments.cutout_sensitivity import SENSITIVITY
from sdlib.losses import resting_logits
from sdlib.metrics import reliability
from sdlib.report.cutout import cutoff_control, figures
from sdlib.report.tables import paper_interval
from sdlib.results import Place
from tests.written_results import SEARCHES, TARGETS

LABELS = [arm.label for arm in CUTOUT]
NAMES = [arm.name for arm in CUTOUT]
SEEDS = 5


@pytest.fixture(autouse=True)
def agg():
    """Draw into memory, and leave no figure open."""
    with mpl.rc_context({"backend": "agg"}):
        yield
        plt.close("all")


def titles(figure):
    return [ax.get_title().replace("\n", " ") for ax in figure.axes]


def rows_of(figure):
    """Labels of the rows, from top to bottom; panels share them."""
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def lines(ax, marker):
    return [line for line in ax.lines if line.get_marker() == marker]


def test_accuracy_and_recall_have_the_arms_of_this_experiment_and_the_papers_means(rows):
    elsewhere = Place("cutout", "laptop", "open")
    figure = figures.accuracy_and_recall([elsewhere, rows])
    assert titles(figure) == [f"{name}; {rows.name}" for name in ("accuracy", "recall")]
    assert rows_of(figure) == LABELS
    for ax, metric in zip(figure.axes, ("accuracy", "recall"), strict=True):
        seeds = lines(ax, rows.look("sd_eq1").marker)[0]
        assert seeds.get_xdata() == pytest.approx(rows.values(f"test.{metric}", "sd_eq1"))
        strokes = [(*line.get_xdata(), *line.get_ydata()) for line in lines(ax, "|")]
        papers = {row: paper_interval(metric, arm) for row, arm in enumerate(NAMES)}
        expected = {(paper.mean, row) for row, paper in papers.items() if paper}
        assert len(expected) == 3
        assert expected <= set(strokes)


def test_an_arm_without_rows_keeps_an_empty_row(rows):
    table = rows.all_rows
    vars(rows)["all_rows"] = table[table["arm"] != "sd_eq1"]
    figure = figures.accuracy_and_recall([rows])
    assert rows_of(figure) == LABELS
    for ax in figure.axes:
        assert not lines(ax, rows.look("sd_eq1").marker)


def test_reliability_has_a_grey_and_a_coloured_line_per_seed(rows):
    figure = figures.reliability_curves([rows])
    assert titles(figure) == LABELS
    diagonal, *curves = figure.axes[3].lines
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 1]
    assert len(curves) == 2 * SEEDS
    score, share = reliability(TARGETS, expit(rows.logits("sd_eq1", "test")[0]))
    drawn = curves[SEEDS]
    assert drawn.get_xdata() == pytest.approx(score)
    assert drawn.get_ydata() == pytest.approx(share)
    assert drawn.get_color() == rows.look("sd_eq1").colour
    grey = to_rgb(curves[0].get_color())
    assert len(set(grey)) == 1


def test_three_cutoffs_are_the_means_of_the_same_networks(rows):
    figure = figures.three_cutoffs([rows])
    (ax,) = figure.axes
    assert rows_of(figure) == LABELS
    assert ax.yaxis_inverted()
    row = NAMES.index("sd_eq2")
    joined, *single = (line for line in ax.lines if line.get_ydata()[0] == row)
    expected = [rows.values("test.accuracy", "sd_eq2").mean()]
    for cohort in ("validation", "test"):
        expected.append(cutoff_control.tuned_accuracy(rows, "sd_eq2", cohort).mean())
    assert joined.get_xdata() == pytest.approx(expected)
    assert [line.get_xdata()[0] for line in single] == pytest.approx(expected)
    markers = [line.get_marker() for line in single]
    assert markers == [rows.look("sd_eq2").marker, "|", "o"]
    # No cut-off does better on the test set than the one that was tuned there.
    assert expected[2] >= max(expected[:2])


def test_histograms_are_densities_and_triangles_are_at_rest(rows):
    figure = figures.logit_histograms([rows])
    assert titles(figure) == LABELS
    by_arm = dict(zip(NAMES, figure.axes, strict=True))
    assert not by_arm["control"].lines
    arm = next(arm for arm in CUTOUT if arm.name == "sd_eq2")
    (triangles,) = by_arm["sd_eq2"].lines
    assert list(triangles.get_xdata()) == list(resting_logits(arm.lam, arm.gamma))
    width = figures.BINS[1] - figures.BINS[0]
    bars = by_arm["control"].patches
    filled = [bar.get_height() for bar in bars if hasattr(bar, "get_height")]
    assert sum(filled) * width == pytest.approx(2)  # one density per class


def test_logits_beyond_the_edge_are_counted_at_it(rows, monkeypatch):
    name = "control/seed0/clean.logits"
    far = np.where(TARGETS == 1, 50, -50).astype(np.float32)
    monkeypatch.setitem(rows._predictions, name, far)
    logits = figures._clipped(rows, "control", "clean")
    assert logits.shape == (SEEDS, len(TARGETS))
    assert set(logits[0]) == {-figures.EDGE, figures.EDGE}


def test_searches_have_their_arms_looks_and_the_chosen_trial_a_circle(rows):
    figure = figures.search_trials(rows)
    by_name = {ax.get_title().split(":")[0]: ax for ax in figure.axes}
    assert SEARCHES.keys() < by_name.keys()
    tuned = by_name["sd_eq2_test"]
    trials, circle = tuned.lines
    mine = rows.trials[rows.trials["family"] == "sd_eq2_test"]
    assert trials.get_color() == rows.look("sd_eq2_test_tuned").colour
    assert trials.get_xdata() == pytest.approx(mine["validation"])
    assert trials.get_ydata() == pytest.approx(mine["test"])
    (best,) = mine[mine["best"]].itertuples()
    assert (*circle.get_xdata(), *circle.get_ydata()) == (best.validation, best.test)
    runs = rows.interval("test.accuracy", "sd_eq2_test_tuned").mean
    title = f"sd_eq2_test: 20 trials\ntest {best.value:.3f}, runs {runs:.3f}"
    assert tuned.get_title() == title


def test_the_common_learning_rate_has_no_runs_of_its_own(rows):
    ax = next(
        ax for ax in figures.search_trials(rows).axes if ax.get_title().startswith("learning_rate")
    )
    assert "runs" not in ax.get_title()
    assert ax.lines[0].get_color() == rows.look("weight_decay").colour


def test_sensitivity_maps_are_in_points(rows):
    around = rows.of("cutout_sensitivity")
    figure = figures.sensitivity_maps(around)
    assert titles(figure) == ["λ", "γ"]
    centre = rows.values("test.accuracy", "sd_eq2_test_tuned")[:3]
    for arm in SENSITIVITY:
        ax = figure.axes[("lam", "gamma").index(arm.step.pair)]
        texts = {tuple(text.get_position()): text.get_text() for text in ax.texts}
        assert texts[1, 1] == "tuned"
        change = 100 * (around.values("test.accuracy", arm.name) - centre)
        text = f"{change.mean():+.1f}\n(SD {change.std(ddof=1):.1f})"
        row, column = arm.step.benign + 1, arm.step.cancer + 1
        assert texts[column, row] == text
        assert ax.images[0].get_array()[row, column] == pytest.approx(change.mean())


def test_shares_of_maps_are_beside_the_share_of_the_area(rows):
    figure = figures.map_shares(rows)
    assert titles(figure) == ["map for benign", "map for cancer"]
    assert rows_of(figure) == LABELS
    for ax, name in zip(figure.axes, ("benign", "cancer"), strict=True):
        shares = rows.values(f"cam.{name}_share", "weight_decay")
        assert ax.lines[0].get_xdata() == pytest.approx(shares)
        assert list(ax.lines[-1].get_xdata()) == pytest.approx([0.02, 0.02])


def test_without_rows_every_figure_names_the_command(nothing):
    drawn = {
        figures.accuracy_and_recall: [nothing],
        figures.reliability_curves: [nothing],
        figures.three_cutoffs: [nothing],
        figures.logit_histograms: [nothing],
        figures.search_trials: nothing,
        figures.map_shares: nothing,
        figures.sensitivity_maps: nothing.of("cutout_sensitivity"),
    }
    for draw, where in drawn.items():
        (ax,) = draw(where).axes
        (text,) = ax.texts
        assert "make reproduce PROFILE=laptop" in text.get_text(), draw
