"""Figures 2 to 4: they show what the tables say, under the right names."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

from sdlib.experiments import paper_table
from sdlib.report.robustness import figures as shift_figures
from sdlib.report.robustness.statistics import curves, differences
from sdlib.results import Place
from sdlib.results.sharpness import Sharpness
from sdlib.results.sweeps import Sweep
from sdlib.shifts import LEVELS
from sdlib.stain import recombine, separate

ORDER = ["sharpen", "blur", "haematoxylin", "eosin"]
SD, WD = "sd_eq1_uniform", "weight_decay_uniform"


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    yield
    plt.close("all")


def sweep_of(seeds):
    """Noise, a little larger for tiles of cancer."""
    rng, targets = np.random.default_rng(0), (np.arange(30) % 2).astype(np.int8)
    names = ("clean", *(level.name for level in LEVELS))
    logits = {
        (arm, seed): rng.normal(targets, 1, (len(names), 30)).astype(np.float16)
        for arm in (WD, SD)
        for seed in range(seeds)
    }
    return Sweep(names, targets, np.arange(30), logits)


@pytest.fixture
def sweep():
    return sweep_of(3)


@pytest.fixture
def here(sweep):
    """A place that has the sweep."""
    return place_with(sweep)


def place_with(sweep):
    place = Place("robustness", "smoke", "phantom")
    vars(place)["sweep"] = sweep  # in place of what would be read from files
    return place


def said(figure):
    return " ".join(text.get_text() for ax in figure.axes for text in ax.texts)


def lines(ax, label):
    return [line for line in ax.lines if line.get_label() == label]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


class TestRobustness:
    def test_every_line_is_a_curve_in_its_panel(self, here):
        figure = shift_figures.robustness_figure(here, [WD, "sd_eq1_none", SD])
        table = curves(here.sweep)
        assert [ax.get_title(loc="left") for ax in figure.axes] == [
            f"{letter}  {shift}" for letter, shift in zip("ABCD", ORDER, strict=True)
        ]
        for shift, ax in zip(ORDER, figure.axes, strict=True):
            for arm in (WD, SD):
                mine = table[(table["arm"] == arm) & (table["shift"] == shift)]
                look = here.look(arm)
                [drawn] = lines(ax, look.label)
                np.testing.assert_allclose(drawn.get_xdata(), mine["strength"])
                np.testing.assert_allclose(drawn.get_ydata(), mine["mean"])
                assert drawn.get_color() == look.colour
                assert drawn.get_linestyle() == look.dash
            bands = [band.get_paths()[0].vertices[:, 1] for band in ax.collections]
            tops = [
                (one["mean"] + one["sd"]).max()
                for _, one in table[table["shift"] == shift].groupby("arm", sort=False)
            ]
            assert [band.max() for band in bands] == pytest.approx(tops)
        assert legend(figure) == [here.label(WD), here.label(SD)]
        assert figure.get_suptitle() == "recorded: phantom, smoke"

    def test_shifts_grow_to_the_right(self, here):
        figure = shift_figures.robustness_figure(here, [WD])
        inverted = [ax.xaxis_inverted() for ax in figure.axes]
        assert inverted == [False, False, True, True]

    def test_unshifted_accuracy_and_chance_are_marked(self, here):
        figure = shift_figures.robustness_figure(here, [WD])
        clean = curves(here.sweep).query("shift == 'clean' and arm == @WD")["mean"].item()
        for ax in figure.axes:
            levels = [set(line.get_ydata()) for line in ax.lines]
            assert {0.5} in levels
            assert {clean} in levels

    def test_without_networks_it_says_what_is_missing(self, here):
        assert "train first" in said(shift_figures.robustness_figure(here, ["x"], "train first"))
        empty = place_with(Sweep((), np.empty(0, np.int8), np.empty(0, np.int16), {}))
        assert "nothing" in said(shift_figures.robustness_figure(empty, [WD], "nothing"))


class TestDifferences:
    def test_lines_are_in_points_and_crosses_are_the_papers(self, sweep):
        table = differences(sweep, SD, WD)
        figure = shift_figures.differences_figure({"here": table}, SD, WD)
        crosses = []
        for shift, ax in zip(ORDER, figure.axes, strict=True):
            [drawn] = lines(ax, "here")
            mine = table[table["shift"] == shift]
            np.testing.assert_allclose(drawn.get_ydata(), 100 * mine["mean"])
            np.testing.assert_allclose(drawn.get_xdata(), mine["strength"])
            [band] = ax.collections
            heights = band.get_paths()[0].vertices[:, 1]
            assert heights.max() == pytest.approx(100 * mine["high"].max())
            assert heights.min() == pytest.approx(100 * mine["low"].min())
            crosses += [(shift, *line.get_xydata()[0]) for line in lines(ax, "paper")]
        printed = paper_table("figure4").query("arm == @SD and rival == @WD")
        strengths = {level.name: (level.shift, level.strength) for level in LEVELS}
        expected = [(*strengths[p.level], 100 * p.difference) for p in printed.itertuples()]
        for found, wanted in zip(sorted(crosses), sorted(expected), strict=True):
            assert found[0] == wanted[0]
            assert found[1:] == pytest.approx(wanted[1:])
        assert legend(figure) == ["here", "paper"]

    def test_two_seeds_have_a_line_without_a_band(self):
        table = differences(sweep_of(2), SD, WD)
        figure = shift_figures.differences_figure({"here": table}, SD, WD)
        for shift, ax in zip(ORDER, figure.axes, strict=True):
            [drawn] = lines(ax, "here")
            np.testing.assert_allclose(
                drawn.get_ydata(), 100 * table[table["shift"] == shift]["mean"]
            )
            assert [path for band in ax.collections for path in band.get_paths()] == []
        figure.canvas.draw()

    def test_without_tables_it_says_what_is_missing(self):
        assert "two seeds" in said(shift_figures.differences_figure({}, SD, WD, "two seeds"))


class TestSharpness:
    def sets(self):
        rng = np.random.default_rng(0)
        groups = np.arange(500, dtype=np.int16)
        return {
            name: Sharpness(name, rng.normal(mean, 0.2, 500).astype(np.float32), groups)
            for name, mean in (("one", 1.0), ("two", 2.0))
        }

    def test_every_set_has_a_density_with_its_peak_in_place(self):
        figure = shift_figures.sharpness_figure({"left": self.sets(), "none": {}})
        [ax] = figure.axes
        assert ax.get_title() == "left"
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "two"]
        for line, mean in zip(ax.lines, (1.0, 2.0), strict=True):
            x, y = line.get_data()
            assert x[np.argmax(y)] == pytest.approx(mean, abs=0.15)
            assert np.trapezoid(y, x) == pytest.approx(1, abs=0.02)
        assert len({line.get_linestyle() for line in ax.lines}) == 2
        assert len({to_rgb(line.get_color()) for line in ax.lines}) == 2

    def test_a_tile_without_tissue_does_not_stretch_the_axis(self):
        sets = self.sets()
        sets["one"].values[0] = -9
        [ax] = shift_figures.sharpness_figure({"left": sets}).axes
        low, high = ax.get_xlim()
        assert 0 < low < 0.6
        assert 2.4 < high < 3

    def test_without_sets_it_says_what_is_missing(self):
        assert "measure" in said(shift_figures.sharpness_figure({"left": {}}, "measure"))


def shown(ax):
    return np.asarray(ax.get_images()[0].get_array())


def test_separation_shows_the_tile_and_either_stain_alone():
    rng = np.random.default_rng(0)
    image = rng.integers(60, 240, (32, 32, 3), dtype=np.uint8)
    axes = shift_figures.separation_figure(image).axes
    parts = separate(image)
    assert [ax.get_title() for ax in axes] == ["tile", "haematoxylin alone", "eosin alone"]
    np.testing.assert_array_equal(shown(axes[0]), image)
    np.testing.assert_array_equal(shown(axes[1]), recombine(parts, eosin=0.0))
    np.testing.assert_array_equal(shown(axes[2]), recombine(parts, haematoxylin=0.0))


def test_the_gallery_names_every_operation_and_says_that_blur_is_none_of_them():
    image = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    axes = [ax for ax in shift_figures.gallery_figure(image).axes if ax.get_title()]
    titles = [ax.get_title() for ax in axes]
    assert len(titles) == 16
    assert titles[0] == "shear x"
    assert titles[-1] == "not in it: blur"
    inverted = axes[titles.index("invert")]
    np.testing.assert_array_equal(shown(inverted), 255 - image)


def test_tables_with_other_columns_are_refused():
    with pytest.raises(KeyError):
        shift_figures.differences_figure({"x": pd.DataFrame({"a": [1]})}, SD, WD)
