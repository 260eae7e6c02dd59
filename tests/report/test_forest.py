"""The forest plot: what is drawn are the intervals of rows and the paper's differences."""

import json

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt

from sdlib.experiments import EXPERIMENTS, Run
from sdlib.experiments.comparisons import Kind
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
def place(outputs, recorded, row_of):
    """Three seeds of weight decay and of the control."""
    found = Place("cutout", "quick", "phantom")
    lines = []
    for arm, values in ACCURACIES.items():
        for seed, value in enumerate(values):
            row = row_of(Run("cutout", arm, seed, "quick"), test__accuracy=value)
            lines.append(json.dumps(row) + "\n")
    found.recorded_file(".jsonl").write_text("".join(lines))
    return found


def test_every_gain_of_the_paper_is_looked_up(place):
    found = forest.gains_at(place.of("robustness"))
    parts = [part for one in EXPERIMENTS.values() for part in one.comparisons]
    gains = [f"{part.claim}: {part.text}" for part in parts if part.kind == Kind.GAIN]
    assert list(found) == gains
    measured = {title for title, (_, interval) in found.items() if interval is not None}
    assert measured == {CONTROL}
    _, interval = found[CONTROL]
    gained = np.subtract(ACCURACIES["control"], ACCURACIES["weight_decay"])
    assert (interval.n, interval.mean) == (3, pytest.approx(gained.mean()))


def test_panels_show_the_interval_and_the_papers_difference(place):
    comparison, interval = forest.gains_at(place)[CONTROL]
    forest.forest_figure([place], "nothing")
    ax = next(ax for ax in plt.gcf().axes if ax.get_title().replace("\n", " ") == CONTROL)
    ends, mean, paper, zero = (line.get_xdata() for line in ax.lines)
    assert list(ends) == pytest.approx([interval.low, interval.high])
    assert list(mean) == pytest.approx([interval.mean])
    assert list(paper) == pytest.approx([comparison.paper] * 2)
    assert list(zero) == [0, 0]
    assert [label.get_text() for label in ax.get_yticklabels()] == [place.name]
    others = [other for other in plt.gcf().axes if other is not ax]
    assert {len(other.lines) for other in others} == {2}


def test_without_places_the_figure_says_why():
    forest.forest_figure([], "no rows: run make reproduce")
    texts = [text.get_text() for ax in plt.gcf().axes for text in ax.texts]
    assert texts == ["no rows: run make reproduce"]
