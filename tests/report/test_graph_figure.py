"""The picture of the graph has the steps that the graph has, in its order."""

import re

import matplotlib as mpl
from matplotlib import pyplot as plt

from sdlib.paths import ROOT
from sdlib.report.graph_figure import STEPS, graph_figure


def drawn_texts():
    with mpl.rc_context({"backend": "agg"}):
        (ax,) = graph_figure().axes
        found = {text.get_text(): text.get_position() for text in ax.texts}
        plt.close("all")
    return found


def test_the_steps_are_those_of_the_snakefile_in_its_order():
    first = (ROOT / "Snakefile").read_text(encoding="utf-8").splitlines()[0]
    line = re.search(r"The graph: (.*?)\.", first)[1]
    names = line.split(" -> ")
    drawn = [step.name for step in STEPS if step.name != "data"]
    assert drawn == [name for name in names if name != "checks"]


def test_every_step_stands_right_of_the_one_before_it_with_its_texts_below():
    found = drawn_texts()
    places = [found[step.name] for step in STEPS]
    assert [x for x, _ in places] == sorted({x for x, _ in places})
    for step in STEPS:
        x, y = found[step.name]
        below = found[step.leaves]
        assert below[0] == x
        assert below[1] < y


def test_seeds_are_named_where_chance_enters():
    assert [step.name for step in STEPS if step.seed] == ["data", "search", "train"]
    assert {step.seed for step in STEPS} <= drawn_texts().keys()
