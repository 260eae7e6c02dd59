"""The forest plot: what is drawn are the intervals of rows and the paper's differences."""

import json

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt

from sdlib.experiments import EXPERIMENTS, Run
from sdlib.experiments.comparisons import Elsewhere, Kind
from sdlib.report import forest
from sdlib.results import Place

CONTROL = "C1: accuracy, control over weight decay"
ACCURACIES = {"weight_decay": [0.7, 0.72, 0.71], "control": [0.8, 0.81, 0.86]}


@pytest.fixture(autouse=True)
def agg():
    """Draw into memory, and leave no figure open."""
    with mpl.rc_context({"backend": "agg"}):
        yield
        plt.close("all")


@pytest.fixture
def place_of(outputs, recorded, row_of):
    """`place_of(n, profile)`: so many seeds of weight decay and of the control."""

    def make(n, profile="quick"):
        found = Place("cutout", profile, "phantom")
        lines = []
        for arm, values in ACCURACIES.items():
            for seed, value in enumerate(values[:n]):
                row = row_of(Run("cutout", arm, seed, profile), test__accuracy=value)
                lines.append(json.dumps(row) + "\n")
        found.recorded_file(".jsonl").write_text("".join(lines))
        return found

    return make


@pytest.fixture
def place(place_of):
    """Three seeds of weight decay and of the control."""
    return place_of(3)


def test_every_gain_of_the_paper_is_looked_up(place):
    found = forest.gains_at(place.of("robustness"))
    parts = [part for one in EXPERIMENTS.values() for part in one.comparisons]
    gains = [part for part in parts if part.kind == Kind.GAIN]
    conditions = [part for part in gains if part.premise and part.paper == 0]
    assert conditions  # such as "weight decay is above chance inside": no gain of the paper
    assert not any(part in conditions for part, _ in found.values())
    titles = {part.claim_id if not part.premise else part.claim: part for part in gains}
    assert {title.split(":")[0] for title in found} == set(titles) - {"C2", "C3", "C4"}
    # C1's gain is a premise of C3 and C4, and a part of C2: it has its panel already.
    assert not any(isinstance(part.statistic, Elsewhere) for part, _ in found.values())
    # Two experiments may measure the same, each on its own networks; one does so once.
    for experiment in EXPERIMENTS.values():
        own = [part.statistic for part, _ in found.values() if part in experiment.comparisons]
        assert all(own.count(one) == 1 for one in own)
    measured = {title for title, (_, interval) in found.items() if interval is not None}
    assert measured == {CONTROL}
    _, interval = found[CONTROL]
    gained = np.subtract(ACCURACIES["control"], ACCURACIES["weight_decay"])
    assert (interval.n, interval.mean) == (3, pytest.approx(gained.mean()))


def test_a_line_is_the_interval_and_the_papers_difference_in_points(place):
    _, interval = forest.gains_at(place)[CONTROL]
    forest.forest_figure([place], "nothing")
    (ax,) = plt.gcf().axes
    ends, mean, paper, zero = (line.get_xdata() for line in ax.lines)
    assert list(ends) == pytest.approx([100 * interval.low, 100 * interval.high])
    assert list(mean) == pytest.approx([(10 + 9 + 15) / 3])
    assert list(paper) == pytest.approx([87.5 - 75.2] * 2)
    assert list(zero) == [0, 0]
    assert [label.get_text() for label in ax.get_yticklabels()] == [place.name]
    # What was measured nowhere has no line.
    assert [text.get_text() for text in ax.texts] == [CONTROL, "n = 3"]
    low, high = ax.get_xlim()
    assert low < interval.mean * 100 < high


def test_a_place_that_is_given_twice_is_one_line(place):
    forest.forest_figure([place, place.of("cutout")], "nothing")
    (ax,) = plt.gcf().axes
    assert len(ax.get_yticks()) == 1  # the same place is one line
    heights = [line.get_ydata() for line in ax.lines if line.get_linestyle() == "--"]
    assert [list(one) for one in heights] == [[0.5, 1.5]]


def test_the_papers_line_runs_beside_all_places(place_of):
    places = [place_of(3), place_of(2, "long"), place_of(3, "laptop")]
    forest.forest_figure(places, "nothing")
    (ax,) = plt.gcf().axes
    shown = [label.get_text() for label in ax.get_yticklabels()]
    assert shown == [places[0].name, places[2].name]  # two seeds are too few for a line
    assert list(ax.get_yticks()) == [1, 2]
    heights = [line.get_ydata() for line in ax.lines if line.get_linestyle() == "--"]
    assert [list(one) for one in heights] == [[0.5, 2.5]]


def test_two_seeds_are_not_drawn(place_of):
    place = place_of(2)
    assert forest.gains_at(place)[CONTROL][1].n == 2
    forest.forest_figure([place], "too few seeds")
    assert [text.get_text() for ax in plt.gcf().axes for text in ax.texts] == ["too few seeds"]


def test_without_places_the_figure_says_why():
    forest.forest_figure([], "no rows: run make reproduce")
    texts = [text.get_text() for ax in plt.gcf().axes for text in ax.texts]
    assert texts == ["no rows: run make reproduce"]
