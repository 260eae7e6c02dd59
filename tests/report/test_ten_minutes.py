"""Figures and sentences of the page "In ten minutes", on rows and networks that are known."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy.optimize import minimize_scalar

from sdlib.metrics import Interval, mean_interval
from sdlib.report import ten_minutes
from sdlib.report.cutout.cutoff_control import tuned_accuracy
from sdlib.results import Place
from sdlib.theory import moons
from tests.written_results import write_run


@pytest.fixture(autouse=True)
def closed_figures():
    """Leave no figure open."""
    yield
    plt.close("all")


def test_the_dots_are_the_lowest_points_of_the_curves():
    left, right = ten_minutes.margin_figure().axes
    dots = [line.get_xydata()[0] for line in left.get_lines() if line.get_marker() == "o"]
    strengths = [line.get_xydata()[0] for line in right.get_lines() if line.get_marker() == "o"]
    assert len(dots) == len(strengths) == 2
    for (margin, loss), (lam, rest) in zip(dots, strengths, strict=True):
        lowest = minimize_scalar(lambda m, lam=lam: np.logaddexp(0, -m) + lam / 2 * m * m)
        assert (margin, loss) == pytest.approx((lowest.x, lowest.fun), abs=1e-5)
        assert rest == margin


def test_moons_accuracy_is_the_mean_over_networks():
    x, y = moons.two_moons(40)
    runs = {"sd": moons.train(moons.ARMS["sd"], x, y, range(3), 5)}
    accuracy = [((net(x) > 0) == (y == 1)).double().mean().item() for net in runs["sd"].networks]
    expected = mean_interval(np.array(accuracy))
    said = ten_minutes.moons_sentence(runs, x, y)
    assert f"**{expected.mean:.3f}** ({expected.low:.3f} to {expected.high:.3f})" in said
    assert "over 3 networks each" in said


def test_both_methods_choose_their_cutoffs_on_the_same_images(rows):
    found = ten_minutes.accuracies(rows)
    assert list(found) == ["usual cut-off", "best on validation", "best on test"]
    for arm in ("weight_decay", "sd_eq2"):
        usual = rows.by_seed("test.accuracy", arm)
        assert found["usual cut-off"][arm].equals(usual)
        assert found["best on test"][arm].equals(tuned_accuracy(rows, arm, "test"))
        assert (found["best on test"][arm] >= usual - 1e-9).all()


def test_of_a_moved_threshold_no_gain_is_left_at_the_best_cutoff_on_test(rows):
    """The written network of Equation 2 has weight decay's features, and another threshold."""
    said = ten_minutes.result_sentence(rows)
    assert said.startswith("**your run: phantom (procedural tissue)")
    assert "; a gain, +" in said
    control = ten_minutes.control_sentence(rows)
    assert "a gain is left on validation alone" in control
    assert "AUROC is undecided" in control


def test_the_figure_has_a_panel_per_place_with_both_methods(rows):
    figure = ten_minutes.control_figure([Place("cutout", "laptop", "open"), rows])
    assert len(figure.axes) == 1  # the other place has no rows
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == list(ten_minutes.accuracies(rows))
    assert "n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}5" in figure.axes[0].get_title()


def test_longer_training_has_a_panel_of_its_own():
    """Two places of one source differ by their title, and none hides the other."""
    places = [Place("cutout", profile, "phantom") for profile in ("laptop", "long")]
    titles = [ax.get_title().replace("\n", " ") for ax in ten_minutes.control_figure(places).axes]
    assert [("trained long" in title) for title in titles] == [False, True]
    for title, place in zip(titles, places, strict=True):
        assert ten_minutes.result_sentence(place).startswith(f"**{title}**")


@pytest.mark.parametrize(
    ("validation", "test", "said"),
    [
        ((1, 3), (2, 4), "a gain is left"),
        ((1, 3), (-1, 4), "a gain is left on validation alone"),
        ((-3, 1), (-4, -1), "a loss is left on test alone"),
        ((-3, -1), (-4, -1), "a loss is left"),
        ((-3, 1), (-4, 1), "no difference is left that these seeds could show"),
        ((1, 3), (-4, -1), "there is a gain on validation and a loss on test"),
    ],
)
def test_what_is_left_follows_from_both_intervals(validation, test, said):
    ends = {"validation": validation, "test": test}
    found = {
        where: Interval(5, (low + high) / 2, 1.0, low, high) for where, (low, high) in ends.items()
    }
    assert ten_minutes._what_is_left(found) == said


def test_two_seeds_and_none_say_nothing(nothing):
    assert ten_minutes.result_sentence(nothing) == ten_minutes.control_sentence(nothing) == ""
    ten_minutes.control_figure([nothing])
    for arm in ("weight_decay", "sd_eq2"):
        for seed in (0, 1):
            write_run("cutout", arm, seed)
    two = Place("cutout", "laptop", "phantom", "this run")
    assert ten_minutes.result_sentence(two) == ten_minutes.control_sentence(two) == ""
    ten_minutes.control_figure([two])
