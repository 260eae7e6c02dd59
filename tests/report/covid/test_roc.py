"""Figure 7: curves and bands against scikit-learn's curve of every resample."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.special import expit
from sklearn.metrics import auc, roc_curve

from sdlib.errors import ConfigError
from sdlib.experiments.covid import DECAY, SD
from sdlib.metrics import bootstrap_auroc, resample_counts
from sdlib.report.covid.roc import GRID, SIDE, curve_of, draw_roc
from sdlib.report.covid.situations import SITUATIONS

TARGETS = np.tile([0, 1, 1, 0, 0], 16)
A, B = SITUATIONS.values()


def scores_of(seed, distance=1.0, levels=None):
    rng = np.random.default_rng(seed)
    found = distance * TARGETS + rng.normal(0, 1, len(TARGETS))
    return found if levels is None else np.round(found * levels) / levels


def brute_band(targets, scores, n_resamples, seed):
    """True positive rates on the grid by scikit-learn, one resample at a time."""
    rates = []
    for counts in resample_counts(targets, n_resamples, seed=seed):
        drawn = np.repeat(np.arange(len(targets)), counts)
        if len(set(targets[drawn])) == 2:
            false_rate, true_rate, _ = roc_curve(targets[drawn], scores[drawn])
            rates.append(np.interp(GRID, false_rate, true_rate))
    return np.quantile(rates, [0.025, 0.975], axis=0)


class TestCurve:
    @pytest.mark.parametrize("levels", [None, 1, 3])
    def test_bands_are_those_of_scikit_learns_curves(self, levels):
        """With few levels many scores are equal, also across the classes."""
        scores = scores_of(0, levels=levels)
        curve = curve_of(TARGETS, scores, n_resamples=60, seed=3)
        low, high = brute_band(TARGETS, scores, 60, 3)
        np.testing.assert_allclose(curve.low, low, atol=1e-12)
        np.testing.assert_allclose(curve.high, high, atol=1e-12)

    def test_resamples_of_one_class_are_left_out(self):
        targets, scores = np.array([0, 0, 1]), np.array([0.1, 0.4, 0.3])
        one_class = [not 0 < row[2] < 3 for row in resample_counts(targets, 40)]
        assert 0 < sum(one_class) < 40
        curve = curve_of(targets, scores, n_resamples=40)
        np.testing.assert_allclose((curve.low, curve.high), brute_band(targets, scores, 40, 0))

    def test_the_area_and_its_interval_are_the_bootstraps(self):
        scores = scores_of(1)
        curve, found = curve_of(TARGETS, scores), bootstrap_auroc(TARGETS, scores)
        assert curve.auroc == (found.estimate, found.low, found.high)
        assert auc(curve.false_rate, curve.true_rate) == pytest.approx(found.estimate)

    @settings(max_examples=10, deadline=None)
    @given(st.integers(0, 1000), st.sampled_from([None, 1, 4]))
    def test_bands_rise_and_ranks_alone_count(self, seed, levels):
        scores = scores_of(seed, levels=levels)
        curve = curve_of(TARGETS, scores, n_resamples=30)
        for end in (curve.low, curve.high):
            assert (np.diff(end) >= 0).all()
            assert end.min() >= 0
            assert end[-1] == 1
        assert (curve.low <= curve.high).all()
        monotone = curve_of(TARGETS, expit(scores), n_resamples=30)
        np.testing.assert_allclose(monotone.low, curve.low)

    def test_the_corner_is_closest_to_no_error(self):
        perfect = curve_of([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], n_resamples=5)
        assert perfect.corner.tolist() == [0, 1]
        assert curve_of([0, 0, 1, 1], [0.1, 0.4, 0.3, 0.5], n_resamples=5).corner.tolist() in (
            [0.0, 0.5],
            [0.5, 1.0],
        )

    def test_one_class_has_no_curve(self):
        with pytest.raises(ConfigError, match="expected both targets"):
            curve_of([1, 1], [0.1, 0.2])


class TestFigure:
    @pytest.fixture
    def places(self, written):
        logits = {
            arm: {0: {"external": scores_of(7, apart), "test": scores_of(0, 2)}}
            for arm, apart in ((SD, 2.0), (DECAY, 1.0))
        }
        added = {DECAY: {0: {"external": scores_of(8), "test": scores_of(0)}}}
        return written(TARGETS, logits), written(TARGETS, added, experiment="covid_added")

    def test_two_panels_with_curves_areas_and_insets(self, places):
        figure = draw_roc(*places, (DECAY, SD), "nothing")
        assert [ax.get_title(loc="left").split("\n")[0] for ax in figure.axes] == [A, B]
        shared = places[0]
        ax = figure.axes[0]
        (inset,) = ax.child_axes
        for panel in (ax, inset):
            chance, *lines = panel.get_lines()
            np.testing.assert_array_equal(chance.get_xydata(), [[0, 0], [1, 1]])
            assert len(panel.collections) == 2
            for line, arm in zip(lines, (DECAY, SD), strict=True):
                scores = np.float64(shared.logits(arm, "external")[0])
                false_rate, true_rate, _ = roc_curve(TARGETS, scores)
                np.testing.assert_allclose(line.get_xdata(), false_rate)
                np.testing.assert_allclose(line.get_ydata(), true_rate)
                found = bootstrap_auroc(TARGETS, expit(scores))
                area = f"{found.estimate:.3f} ({found.low:.3f} to {found.high:.3f})"
                assert line.get_label() == f"{shared.label(arm)}, {area}"
                assert line.get_color() == shared.look(arm).colour
        legend = [text.get_text() for text in ax.get_legend().get_texts()]
        assert legend == [line.get_label() for line in ax.get_lines()[1:]]

    def test_the_inset_is_a_square_within_the_panel_where_curves_are_best(self, places):
        (inset,) = draw_roc(*places, (SD,), "nothing").axes[0].child_axes
        (left, right), (bottom, top) = inset.get_xlim(), inset.get_ylim()
        assert right - left == pytest.approx(SIDE)
        assert top - bottom == pytest.approx(SIDE)
        assert 0 <= left < right <= 1
        assert 0 <= bottom < top <= 1
        line = inset.get_lines()[1]
        errors = np.hypot(line.get_xdata(), line.get_ydata() - 1)
        best = np.argmin(errors)
        assert left <= line.get_xdata()[best] <= right
        assert bottom <= line.get_ydata()[best] <= top

    def test_a_situation_without_rows_says_so_in_its_panel(self, places, empty):
        figure = draw_roc(places[0], empty("covid_added"), (SD,), "no rows yet")
        left, right = figure.axes
        assert len(left.get_lines()) == 2
        assert [text.get_text() for text in right.texts] == ["no rows yet"]
        assert not right.get_lines()

    def test_without_rows_the_figure_says_what_is_missing(self, empty):
        figure = draw_roc(empty(), empty("covid_added"), (SD,), "no rows yet")
        assert [text.get_text() for text in figure.axes[0].texts] == ["no rows yet"]
