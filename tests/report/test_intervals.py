"""Interval plots draw the numbers of the tables that they stand for, no more and no fewer."""

import re

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import same_color

from sdlib.experiments import Look
from sdlib.metrics import FEWEST_SEEDS, Interval, mean_interval
from sdlib.report import intervals, tables
from sdlib.report.verdicts import assess
from sdlib.results import Place

METRICS = {"test.accuracy": "accuracy", "test.recall": "recall"}
NUMBER = re.compile(r"[+-]?\d+\.\d+")


@pytest.fixture(autouse=True)
def agg():
    """Draw into memory, and leave no figure open."""
    with mpl.rc_context({"backend": "agg"}):
        yield
        plt.close("all")


def artist(ax, gid):
    (found,) = ax.findobj(lambda one: one.get_gid() == gid)
    return found


def gids(figure, end):
    names = {one.get_gid() for one in figure.findobj() if one.get_gid()}
    return sorted(name for name in names if name.endswith(f":{end}"))


def ends(ax, gid):
    ((low, _), (high, _)) = artist(ax, f"{gid}:interval").get_segments()[0]
    return low, high


def row_names(ax):
    return [label.get_text().replace("\n", " ") for label in ax.get_yticklabels()]


# -- Metrics of arms


@pytest.mark.parametrize("place", ["phantom", "open"])
def test_markers_have_the_numbers_of_the_table(place):
    """Read back from the table's own text, on the rows that the book records."""
    place = Place("cutout", "laptop", place)
    figure = intervals.interval_plot(place, METRICS)
    table = tables.interval_table(place, METRICS)
    assert row_names(figure.axes[0]) == list(table.index)
    for ax, (metric, heading) in zip(figure.axes, METRICS.items(), strict=True):
        assert ax.get_xlabel() == heading
        for arm, cell in zip(place.arms, table[heading], strict=True):
            mean, _, low, high = map(float, NUMBER.findall(cell))
            gid = f"{arm}:{heading}"
            assert artist(ax, f"{gid}:mean").get_xdata() == pytest.approx([mean], abs=6e-4)
            assert ends(ax, gid) == pytest.approx((low, high), abs=6e-4)
            assert sorted(artist(ax, f"{gid}:seeds").get_xdata()) == pytest.approx(
                sorted(place.values(metric, arm))
            )


def test_arms_have_their_own_colour_and_marker_and_the_papers_is_hollow(rows):
    figure = intervals.interval_plot(rows, METRICS)
    for ax, heading in zip(figure.axes, METRICS.values(), strict=True):
        for arm in rows.arms:
            look, mean = rows.look(arm), artist(ax, f"{arm}:{heading}:mean")
            assert same_color(mean.get_color(), look.colour)
            assert mean.get_marker() == look.marker
            paper = tables.paper_interval(heading, arm)
            if paper:
                hollow = artist(ax, f"{arm}:{heading}:paper")
                assert hollow.get_xdata() == pytest.approx([paper.mean])
                assert hollow.get_fillstyle() == "none"
    assert len(gids(figure, "paper")) == 3 * len(METRICS)


def test_only_table_2_gives_hollow_markers():
    place = Place("robustness", "laptop", "phantom")
    assert place.arms
    assert gids(intervals.interval_plot(place, {"test.accuracy": "accuracy"}), "paper") == []


def test_places_are_below_each_other_with_one_scale_and_their_seeds():
    places = [Place("cutout", "laptop", source) for source in ("phantom", "open")]
    figure = intervals.interval_plot(places, METRICS)
    above, below = figure.axes[::2]
    assert above.get_xlim() == below.get_xlim()
    for ax, place in zip((above, below), places, strict=True):
        counts = place.rows.groupby("arm").seed.nunique()
        assert ax.get_title("left") == f"{place.name}; {intervals.seeds_text(counts)}"
        low, high = ax.get_xlim()
        seeds = np.concatenate([place.values("test.accuracy", arm) for arm in place.arms])
        assert low < seeds.min() < seeds.max() < high


def test_chosen_arms_and_many_metrics(rows):
    many = {name: name for name in list(rows.rows.columns) if name.startswith("test.")}
    assert len(many) > intervals.PER_ROW
    figure = intervals.interval_plot(rows, many, arms=["control", "sd_eq2"])
    assert [ax.get_xlabel() for ax in figure.axes] == list(many)
    assert row_names(figure.axes[0]) == [rows.label("sd_eq2"), rows.label("control")]
    assert figure.get_size_inches()[0] == intervals.WIDTH


def test_a_measure_may_be_a_function_and_a_place_may_have_a_title(rows):
    figure = intervals.interval_plot(
        {"here": rows},
        {lambda place, arm: 100 * place.by_seed("test.recall", arm): "points"},
        printed={"points": "recall"},
    )
    (ax,) = figure.axes
    assert ax.get_title("left") == f"here; n = {rows.seeds} seeds"
    seeds = artist(ax, "sd_eq1:points:seeds").get_xdata()
    assert seeds == pytest.approx(100 * rows.values("test.recall", "sd_eq1"))
    expected = tables.paper_interval("recall", "control").mean
    assert artist(ax, "control:points:paper").get_xdata() == pytest.approx([expected])


def test_it_draws_into_a_part_of_a_figure(rows):
    whole = plt.figure()
    _, right = whole.subfigures(1, 2)
    assert intervals.interval_plot(rows, METRICS, figure=right) is right
    assert len(whole.axes) == len(right.axes) == 2


def test_few_seeds_have_no_line(rows):
    table = rows.all_rows
    vars(rows)["all_rows"] = table[table["seed"] < FEWEST_SEEDS - 1]
    figure = intervals.interval_plot(rows, METRICS)
    assert figure.axes[0].get_title("left").endswith("n = 2 seeds")
    gid = "control:accuracy"
    assert [len(one) for one in artist(figure.axes[0], f"{gid}:interval").get_segments()] == [0]
    mean = rows.values("test.accuracy", "control").mean()
    assert artist(figure.axes[0], f"{gid}:mean").get_xdata() == pytest.approx([mean])


def test_without_rows_the_figure_says_what_makes_them(nothing):
    (ax,) = intervals.interval_plot([nothing], METRICS).axes
    assert nothing.command in ax.texts[0].get_text()
    (ax,) = intervals.interval_plot(nothing, METRICS, missing="none here").axes
    assert ax.texts[0].get_text() == "none here"


# -- Differences

SEEDS = np.array([0.02, -0.01, 0.033, 0.004])


def test_differences_are_drawn_in_points_with_students_interval():
    found = {"a place": {"as seeds": SEEDS, "as interval": mean_interval(SEEDS)}}
    figure = intervals.difference_plot(found, paper={"as seeds": 0.05, "as interval": np.nan})
    (ax,) = figure.axes
    expected = mean_interval(100 * SEEDS)
    for name in found["a place"]:
        assert artist(ax, f"{name}:mean").get_xdata() == pytest.approx([expected.mean])
        assert ends(ax, name) == pytest.approx((expected.low, expected.high))
    assert gids(figure, "seeds") == ["as seeds:seeds"]
    assert artist(ax, "as seeds:seeds").get_xdata() == pytest.approx(100 * SEEDS)
    assert gids(figure, "paper") == ["as seeds:paper"]
    assert artist(ax, "as seeds:paper").get_xdata() == pytest.approx([5])
    assert ax.get_title("left") == "a place\nn = 4 seeds"


def test_panels_share_rows_and_a_scale_that_holds_every_interval():
    wide = Interval(3, 0.1, 0.2, -0.4, 0.6)
    found = {
        "first": {"one": SEEDS},
        "nothing": {},
        "second": {"two": wide, "one": SEEDS[:3]},
    }
    figure = intervals.difference_plot(found, look=Look("#0072B2", "s"))
    first, second = figure.axes
    assert row_names(first) == ["one", "two"]
    assert first.get_xlim() == second.get_xlim()
    low, high = second.get_xlim()
    assert low <= -40 < 60 <= high
    assert artist(second, "one:mean").get_ydata() == artist(first, "one:mean").get_ydata()
    assert same_color(artist(first, "one:mean").get_color(), "#0072B2")


def test_more_panels_than_fit_go_below():
    found = {f"panel {k}": {"one": SEEDS} for k in range(intervals.PER_ROW + 2)}
    figure = intervals.difference_plot(found)
    assert [ax.get_title("left").split("\n")[0] for ax in figure.axes] == list(found)
    assert row_names(figure.axes[0]) == row_names(figure.axes[intervals.PER_ROW]) == ["one"]
    assert figure.get_size_inches()[0] == intervals.WIDTH


def test_without_differences_the_figure_says_so():
    (ax,) = intervals.difference_plot({"a place": {}}, missing="two seeds are needed").axes
    assert ax.texts[0].get_text() == "two seeds are needed"


# -- Verdicts


def test_verdicts_are_drawn_as_they_are_judged():
    place = Place("cutout", "laptop", "phantom")
    figure = intervals.verdict_plot([place], "C1", "C2")
    (ax,) = figure.axes
    judged = assess(place, "C1", "C2")
    judged = judged[judged["n"] >= FEWEST_SEEDS]
    assert len(gids(figure, "mean")) == len(judged)
    words = [text.get_text() for text in ax.texts]
    assert words == [str(verdict) for verdict in judged["verdict"]]
    for part in judged.itertuples():
        name = f"{part.reading}: {part.part}" + " (premise)" * part.premise
        assert artist(ax, f"{name}:mean").get_xdata() == pytest.approx([100 * part.mean])
        assert ends(ax, name) == pytest.approx((100 * part.low, 100 * part.high))
        if np.isfinite(part.paper):
            assert artist(ax, f"{name}:paper").get_xdata() == pytest.approx([100 * part.paper])


def test_one_claim_needs_no_name_in_its_rows():
    place = Place("cutout", "laptop", "phantom")
    (ax,) = intervals.verdict_plot([place], "C2").axes
    assert row_names(ax) == list(assess(place, "C2")["part"])


def test_without_verdicts_the_figure_says_so(nothing):
    (ax,) = intervals.verdict_plot([nothing], "C1", missing="no rows yet").axes
    assert ax.texts[0].get_text() == "no rows yet"


@pytest.mark.parametrize(
    ("counts", "text"),
    [([], "no seeds"), ([1], "n = 1 seed"), ([5, 5], "n = 5 seeds"), ([5, 2], "n = 2 to 5 seeds")],
)
def test_seeds_in_words(counts, text):
    assert intervals.seeds_text(counts) == text
