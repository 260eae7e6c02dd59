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
from tests.written_results import TARGETS

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


def rows_of(ax):
    """Labels of the rows, from top to bottom."""
    return [label.get_text().replace("\n", " ") for label in ax.get_yticklabels()]


def artist(ax, gid):
    (found,) = ax.findobj(lambda one: one.get_gid() == gid)
    return found


def lines(ax, marker):
    return [line for line in ax.lines if line.get_marker() == marker]


def test_one_look_has_the_tiles_and_the_accuracy_with_and_without_squares(rows):
    elsewhere = Place("cutout", "laptop", "open")
    figure = figures.in_one_look([elsewhere, rows])
    without, with_squares, *plots = figure.axes
    dark = [(ax.images[0].get_array() == 0).all(axis=-1).sum() for ax in (without, with_squares)]
    assert dark[1] - dark[0] > 700  # 16 squares of 8 x 8 px, a few of which may overlap
    assert [ax.get_xlabel() for ax in plots] == list(figures.FIRST_METRICS.values())
    arms = [arm for arm in rows.arms if arm in figures.FIRST_ARMS]
    assert rows_of(plots[0]) == [rows.label(arm) for arm in arms]
    for ax, (metric, heading) in zip(plots, figures.FIRST_METRICS.items(), strict=True):
        seeds = artist(ax, f"sd_eq2:{heading}:seeds").get_xdata()
        assert seeds == pytest.approx(rows.values(metric, "sd_eq2"))
    assert plots[0].get_xlim() == plots[1].get_xlim()
    papers = plots[1].findobj(lambda one: str(one.get_gid()).endswith(":paper"))
    expected = [paper_interval("accuracy", arm) for arm in arms]
    assert [line.get_xdata()[0] for line in papers] == [one.mean for one in expected if one]
    assert not plots[0].findobj(lambda one: str(one.get_gid()).endswith(":paper"))


def test_the_tiles_are_at_the_top_of_a_tall_figure(rows):
    figure = figures.in_one_look([rows] * 4)
    figure.canvas.draw()
    height = figure.bbox.height
    for ax in figure.axes[:2]:
        bottom = ax.get_window_extent().y0
        assert height - bottom < 2.2 * figures.TILE_HEIGHT * figure.dpi < height


def test_without_rows_the_tiles_remain(nothing):
    figure = figures.in_one_look([nothing])
    assert len(figure.axes) == 2
    assert nothing.command in figure.get_suptitle()


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
    assert rows_of(figure.axes[0]) == LABELS
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
    assert rows_of(figure.axes[0]) == LABELS
    for ax, name in zip(figure.axes, ("benign", "cancer"), strict=True):
        shares = rows.values(f"cam.{name}_share", "weight_decay")
        assert ax.lines[0].get_xdata() == pytest.approx(shares)
        assert list(ax.lines[-1].get_xdata()) == pytest.approx([0.02, 0.02])


def test_without_rows_every_figure_names_the_command(nothing):
    drawn = {
        figures.reliability_curves: [nothing],
        figures.three_cutoffs: [nothing],
        figures.logit_histograms: [nothing],
        figures.map_shares: nothing,
        figures.sensitivity_maps: nothing.of("cutout_sensitivity"),
    }
    for draw, where in drawn.items():
        (ax,) = draw(where).axes
        (text,) = ax.texts
        assert "make reproduce PROFILE=laptop" in text.get_text(), draw
