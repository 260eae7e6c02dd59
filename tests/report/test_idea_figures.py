"""Figures of the first three chapters show the numbers that they are given."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy import stats

from sdlib.losses import resting_logits
from sdlib.plotting import ARMS, CLASSES
from sdlib.report import idea_figures
from sdlib.theory import moons


@pytest.fixture(autouse=True)
def agg():
    """Draw into memory, and leave no figure open."""
    with mpl.rc_context({"backend": "agg"}):
        yield
        plt.close("all")


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_every_draw_of_a_reader_has_a_marker_beside_its_set():
    scores = {
        "with": {"training": [0.8, 0.9, 0.7], "test": [0.5, 0.4, 0.6]},
        "without": {"training": [0.8, 0.8, 0.8], "test": [0.7, 0.7, 0.7]},
    }
    (ax,) = idea_figures.reader_scores(scores).axes
    first, second, guessing = ax.lines
    assert first.get_ydata() == pytest.approx([0.8, 0.9, 0.7, 0.5, 0.4, 0.6])
    assert first.get_xdata().round().tolist() == [0, 0, 0, 1, 1, 1]
    assert (first.get_xdata() < second.get_xdata()).all()
    assert set(guessing.get_ydata()) == {0.5}
    assert [label.get_text() for label in ax.get_xticklabels()] == ["training", "test"]
    assert legend(ax) == ["with", "without"]


def test_dose_curves_are_means_with_a_band_of_one_sd():
    doses = np.linspace(0, 1, 4)
    rng = np.random.default_rng(0)
    validation, test, shift = rng.random((3, 5, 4))
    accuracies = {"validation": validation, "test": test}
    fig = idea_figures.dose_curves(doses, accuracies, shift, best=np.array([-1.0, -2.0]))
    left, right = fig.axes
    assert left.lines[1].get_ydata() == pytest.approx(test.mean(axis=0))
    assert right.lines[0].get_ydata() == pytest.approx(shift.mean(axis=0))
    assert right.lines[1].get_xdata() == pytest.approx(doses[1:3])
    assert legend(left) == ["validation", "test"]
    band = left.collections[0].get_paths()[0].vertices
    ends = validation.mean(axis=0)[0] + validation.std(axis=0, ddof=1)[0] * np.array([-1, 1])
    at_first_dose = band[band[:, 0] == 0, 1]
    assert [at_first_dose.min(), at_first_dose.max()] == pytest.approx(ends)


def test_every_network_has_a_boundary_in_the_panel_of_its_arm():
    x, y = moons.two_moons(20)
    runs = {}
    for arm in ("weight_decay", "sd"):
        runs[arm] = moons.train(moons.ARMS[arm], x, y, seeds=[0, 1], epochs=30, hidden=20)
    fig = idea_figures.decision_boundaries(runs, x, y)
    assert [ax.get_title() for ax in fig.axes] == [ARMS[arm].label for arm in runs]
    shading, *boundaries, points = fig.axes[0].collections
    assert shading.get_array().shape == (120, 120)
    assert len(boundaries) == 2
    # The first coordinate is drawn upwards.
    assert np.asarray(points.get_offsets()) == pytest.approx(x.numpy()[:, ::-1])


def test_resting_responses_have_a_panel_for_each_feature():
    strengths = np.linspace(2, 8, 20)
    responses = np.stack([strengths, 1 / strengths], axis=1)
    fig = idea_figures.resting_responses(strengths, {"weight_decay": responses})
    growing, other = fig.axes
    assert growing.lines[0].get_ydata() == pytest.approx(strengths)
    assert other.lines[0].get_ydata() == pytest.approx(1 / strengths)
    assert legend(other) == [ARMS["weight_decay"].label]


def test_responses_over_training_are_means_over_networks():
    epochs = [0, 10, 20]
    straight = {"sd": np.array([[0.0, 2.0, 4.0], [0.0, 4.0, 8.0]])}
    curved = {"sd": straight["sd"] / 10}
    fig = idea_figures.feature_responses(epochs, straight, curved)
    left, right = fig.axes
    assert left.lines[0].get_ydata() == pytest.approx([0, 3, 6])
    assert right.lines[0].get_ydata() == pytest.approx([0, 0.3, 0.6])
    assert left.get_ylim()[0] == 0


def test_resting_points_are_labelled_with_their_logits():
    rest = {"Eq. 1": (-3.359, 3.359), "Eq. 2": (-0.982, 6.034)}
    (ax,) = idea_figures.resting_points(rest, ["sd_eq1", "sd_eq2"]).axes
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["-3.36", "3.36", "-0.98", "6.03"]
    assert ax.lines[1].get_color() == ARMS["sd_eq2"].colour
    assert ax.yaxis_inverted()
    with pytest.raises(ValueError, match="argument 2"):
        idea_figures.resting_points(rest, ["sd_eq1"])


def test_the_grid_lies_on_the_curve_of_margins():
    grid = np.array([0.1, 0.01])
    margins = [resting_logits(lam)[1] for lam in grid]
    (ax,) = idea_figures.margin_at_rest(grid, margins, chosen=0.01).axes
    lambdas, curve = ax.lines[0].get_data()
    assert np.interp(0.01, lambdas, curve) == pytest.approx(margins[1], abs=0.01)
    circle = np.asarray(ax.collections[1].get_offsets())
    assert circle == pytest.approx(np.array([[0.01, margins[1]]]))


def test_the_dots_of_the_classes_lie_at_the_minimum_of_their_losses():
    settings = {"Eq. 2": ((0.0969, 0.000698), (1.83, 2.61))}
    (ax,) = idea_figures.class_losses(settings).axes
    for target, shade in enumerate(CLASSES):
        plain, penalised, dot = ax.lines[3 * target : 3 * target + 3]
        logits, loss = penalised.get_data()
        assert (loss >= plain.get_ydata()).all()
        assert dot.get_xdata()[0] == pytest.approx(logits[loss.argmin()], abs=0.06)
        assert dot.get_color() == shade


def test_every_network_has_a_marker_beside_its_mean_and_t_interval():
    values = {"sd": np.array([0.9, 0.91, 0.92]), "weight_decay": np.array([0.8, 0.82, 0.84])}
    fig = idea_figures.seeds_by_arm(values, "accuracy")
    (ax,) = fig.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        ARMS[arm].label for arm in values
    ]
    assert ax.get_xlabel() == "accuracy"
    for bars, line, seeds in zip(ax.containers, ax.lines[::4], values.values(), strict=False):
        assert line.get_xdata() == pytest.approx(seeds)
        assert bars.lines[0].get_xdata() == pytest.approx([seeds.mean()])
        (drawn,) = bars.lines[2][0].get_segments()
        expected = stats.t.interval(0.95, 2, seeds.mean(), stats.sem(seeds))
        assert drawn[:, 0] == pytest.approx(expected)
