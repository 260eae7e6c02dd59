"""Coloured digits on the page: readers by simulation, tables and figures of known courses."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy import stats

from sdlib.datasets.coloured_digits import coloured_digits
from sdlib.report.digits import figures, runs
from sdlib.report.digits.runs import Course
from sdlib.theory.two_phases import Recipe

STEPS = np.array([0, 100, 500, 1500])


@pytest.fixture(autouse=True)
def agg():
    """Draw into memory, and leave no figure open."""
    with mpl.rc_context({"backend": "agg"}):
        yield
        plt.close("all")


def course(inside, outside, seed=0):
    """A course whose last accuracies are near the given ones, of four seeds."""
    noise = 0.02 * np.random.default_rng(seed).random((len(STEPS), 4))
    ways = np.linspace(0.5, 1, len(STEPS))[:, None]
    return Course(STEPS, ways * inside + noise, ways * outside - noise, noise, -noise)


@pytest.fixture
def courses():
    names = [*runs.CONSTANT, *runs.APART]
    return {name: course(0.8, 0.2 + 0.01 * k, k) for k, name in enumerate(names)}


@pytest.mark.parametrize("agreement", [(0.9, 0.8, 0.1), (0.7, 0.6, 0.1), (1.0, 1.0, 0.3)])
def test_the_best_readers_are_those_of_a_count(agreement):
    """Every combination of shape and colour, read as the training digits suggest."""
    found = runs.best_readers(agreement)
    seen = (agreement[0] + agreement[1]) / 2
    expected = {"in distribution": 0.0, "test": 0.0}
    # By symmetry the label is 1; shape and colour may each be right or wrong about it.
    for shape in (1, 0):
        for colour in (1, 0):
            witnesses = [(0.75, shape), (seen, colour)]
            ratio = np.prod([(p / max(1 - p, 1e-12)) ** (2 * says - 1) for p, says in witnesses])
            for column, share in (("in distribution", seen), ("test", agreement[2])):
                chance = (0.75 if shape else 0.25) * (share if colour else 1 - share)
                expected[column] += chance * (ratio > 1)
    for column, value in expected.items():
        assert found.loc["shape and colour", column] == pytest.approx(value)
        assert found.loc["shape alone", column] == 0.75


def test_training_measures_shape_and_colour():
    short = {"one": Recipe(steps=60), "none": Recipe(steps=0)}
    found = runs.train_recipes(short, n_seeds=2, agreement=(1.0, 1.0, 0.0))
    one = found["one"]
    assert one.steps.tolist() == [0, 25, 50, 60]
    # A colour that is always right is all that is used; reversed, it is always wrong.
    assert (one.inside[-1] > 0.97).all()
    assert (one.outside[-1] < 0.03).all()
    assert (one.colour[-1] > 1).all()
    np.testing.assert_array_equal(found["none"].inside[0], one.inside[0])
    grey = runs.train_recipes(short, n_seeds=2, grey=True)["one"]
    np.testing.assert_allclose(grey.colour, 0, atol=1e-6)
    np.testing.assert_array_equal(grey.shape, grey.outside)


def test_the_strongest_is_chosen_among_those_of_the_name(courses):
    assert runs.strongest_on_test(courses, "SD") == "SD, λ = 100"
    assert runs.strongest_on_test(courses, "weight decay") == "weight decay 0.1"


def test_gains_are_paired_over_seeds(courses):
    table = runs.gain_table(courses)
    gain = 100 * (courses["SD, λ = 1"].outside[-1] - courses["cross-entropy"].outside[-1])
    low, high = stats.t.interval(0.95, 3, gain.mean(), stats.sem(gain))
    line = table.loc["SD, λ = 1"]
    assert line["test, difference"] == f"{gain.mean():+.1f}"
    assert line["test, interval"].replace("\u00a0", " ") == f"{low:+.1f} to {high:+.1f}"
    assert table.loc["cross-entropy", "test, interval"] == ""


def test_the_published_numbers_stand_beside_the_recipes_end(courses):
    table = runs.published_table(courses, courses)
    assert table["published", "reversed"].tolist() == ["23.7", "68.4"]
    end = 100 * courses["the recipe, trained on"].outside[2].mean()  # step 500
    assert table.loc["the recipe", ("MNIST, n = 4", "reversed")] == f"{end:.1f}"


def test_steps_are_chosen_per_seed(courses):
    one = courses["cross-entropy"]
    rows = runs.step_rows(courses, {"grey digits": one})
    assert rows["the recipe"].steps.tolist() == [0, 100, 500]
    axes = figures.step_figure(rows).axes
    for ax, values in zip(axes, (one.inside[-1], None, None), strict=True):
        dots = ax.lines[0].get_xdata()
        if values is not None:
            assert dots == pytest.approx(100 * values)
    by_validation = one.outside[one.inside.argmax(axis=0), np.arange(4)]
    assert [line for line in axes[1].lines if len(line.get_xdata()) == 4][1].get_xdata() == (
        pytest.approx(100 * by_validation)
    )
    by_test = one.outside.max(axis=0)
    assert [line for line in axes[2].lines if len(line.get_xdata()) == 4][1].get_xdata() == (
        pytest.approx(100 * by_test)
    )


def test_the_map_has_every_last_step_and_the_way_of_the_recipe(courses):
    grey = {"digits": course(0.7, 0.7)}
    (ax,) = figures.map_figure({"digits": courses}, grey).axes
    points = [
        tuple(np.round(c.get_offsets()[0], 6)) for c in ax.collections if len(c.get_offsets()) == 1
    ]
    for name in runs.CONSTANT:
        one = courses[name]
        mean = (100 * one.inside[-1].mean(), 100 * one.outside[-1].mean())
        assert tuple(np.round(mean, 6)) in points, name
    assert "n = 4 seeds" in ax.get_title(loc="left")


def test_the_other_figures_draw_every_seed(courses):
    shown = {name: courses[name] for name in list(runs.APART)[:2]}
    for ax in figures.courses_figure(shown).axes:
        assert len([line for line in ax.lines if line.get_alpha() == 0.2]) == 8
    left, right = figures.use_figure(shown).axes
    assert len([line for line in left.lines if line.get_alpha() == 0.2]) == 8
    assert [text.get_text() for text in right.get_legend().get_texts()] == list(shown)
    digits = coloured_digits(seeds=[0])["training"]
    axes = figures.digits_figure(digits, n=3).axes
    assert [ax.get_title() for ax in axes] == [str(int(t)) for t in digits.targets[0, :3]]


def test_a_profile_has_its_seeds():
    assert [runs.seeds_at(name) for name in ("smoke", "quick", "laptop", "paper")] == [3, 3, 10, 10]
