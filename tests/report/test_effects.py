"""Effects in words and as a picture, from intervals that are written here."""

import re
from dataclasses import replace
from types import SimpleNamespace
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt

from sdlib.experiments import EXPERIMENTS
from sdlib.experiments.effects import Effect
from sdlib.metrics import Interval
from sdlib.paths import ROOT
from sdlib.report import effects
from sdlib.report.effects_figure import effects_figure, save_figure, shown_numbers
from sdlib.results import Place

OPEN = Place("cutout", "laptop", "open")
PHANTOM = Place("cutout", "laptop", "phantom")


def found(low, high, place=OPEN, metric="accuracy", doubt="", paper=float("nan"), equation=2):
    """An effect with an interval in points."""
    effect = Effect("squares", metric, lambda place: None, equation, "a/b", paper)
    interval = Interval(5, (low + high) / 200, 0.01, low / 100, high / 100)
    return effects.Found(effect, place, interval, doubt)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.1, 9, "helps"),
        (-9, -0.1, "harms"),
        (-1.9, 1.9, "makes no difference"),
        (-1.9, 2.1, "undecided"),
        (-2.1, 1.9, "undecided"),
        (float("nan"), float("nan"), "undecided"),
    ],
)
def test_words_follow_from_the_ends_of_the_interval(low, high, word):
    assert found(low, high).word == word
    assert found(low, high, doubt="at chance").word == "not judged"


def test_the_overview_counts_each_comparison_once_and_names_doubts():
    mine = [
        found(1, 3),
        found(-4, 6, metric="AUROC"),
        found(-5, -1, place=PHANTOM),
        found(1, 3, place=PHANTOM, doubt="at chance", equation=1),
    ]
    said = effects.overview_sentence(mine)
    assert said.startswith("In 3 comparisons of spectral decoupling with weight decay, 4 numbers")
    assert [line for line in said.splitlines() if line.lstrip().startswith("- ")] == [
        "- **helps**: 0",
        "- **harms**: 1",
        "  - Squares (Equation 2): phantom (procedural tissue)",
        "- **makes no difference**: 0",
        "- **accuracy and AUROC disagree**: 1",
        "  - Squares (Equation 2): PatchCamelyon (lymph nodes) (accuracy: helps, AUROC: undecided)",
        "- **undecided**: 0",
        "- **not judged**: 1",
        "  - Squares (Equation 1): phantom (procedural tissue) (at chance)",
    ]
    assert "0.2 of the 4 intervals" in said  # one in twenty
    assert "*Not judged*" in said
    assert "*Not judged*" not in effects.overview_sentence([found(1, 3)])


def test_a_line_has_every_number_with_its_sign_and_n():
    line = effects.effect_sentences([found(1, 3), found(-4, 6, metric="AUROC")])
    assert "+2.0\xa0(+1.0\xa0to\xa0+3.0)" in line  # no interval is broken
    line = line.replace("\xa0", " ")
    assert line.startswith("- [Squares (Equation 2)](a/b)\n  - PatchCamelyon (lymph nodes): ")
    assert "accuracy +2.0 (+1.0 to +3.0), AUROC +1.0 (-4.0 to +6.0), n = 5" in line
    assert "[" not in effects.effect_sentences([found(1, 3)], links=False)
    assert "(at chance)" in effects.effect_sentences([found(1, 3, doubt="at chance")])


def test_what_rounds_to_nothing_has_no_sign():
    assert found(-0.04, 0.02).numbers == "accuracy 0.0 (0.0 to 0.0)"
    assert found(-10.0, 10.04).numbers == "accuracy 0.0 (-10.0 to +10.0)"


def test_written_rows_give_the_effects_of_their_experiment(rows, recorded):
    assert effects.recorded_effects() == []  # they are this machine's own, and not recorded
    found = effects._at(rows)
    accuracy = found[0]
    level = rows.by_seed("test.accuracy", "weight_decay").mean()
    assert accuracy.level == pytest.approx(level)
    assert accuracy.effect.paper == pytest.approx(0.085)
    line = effects.effect_sentences([accuracy]).replace("\xa0", " ")
    assert line.endswith(f", weight decay has accuracy {level:.3f}")
    pairs = [
        ("test", "sd_eq2", "weight_decay"),
        ("clean", "sd_eq2", "weight_decay"),
        ("test", "sd_eq2_tuned", "weight_decay_tuned"),
        ("test", "sd_eq1", "weight_decay"),
    ]
    written = [one for one in pairs if set(one[1:]) <= set(rows.arms)]
    assert [one.interval for one in found] == [
        rows.difference(f"{cohort}.{metric}", arm, rival)
        for cohort, arm, rival in written
        for metric in ("accuracy", "auroc")
    ]


@pytest.mark.parametrize(
    ("needed", "said"),
    [
        (Interval(5, 0, 0.1, -0.1, 0.1), "AUROC above .5: 0.0 (-10.0 to +10.0) points"),
        (None, "AUROC above .5: not measured"),
    ],
)
def test_an_effect_whose_premise_fails_is_not_judged(rows, monkeypatch, needed, said):
    (first, *_) = rows.definition.effects
    kept = replace(
        first,
        premise=lambda place: SimpleNamespace(interval=needed),
        missing="AUROC above .5",
    )
    monkeypatch.setattr(type(rows), "definition", replace(rows.definition, effects=(kept,)))
    (one,) = effects._at(rows)
    assert one.word == "not judged"
    assert one.doubt == said


def test_an_effect_whose_premise_holds_is_judged(rows, monkeypatch):
    (first, *_) = rows.definition.effects
    holds = Interval(5, 0.2, 0.1, 0.1, 0.3)
    kept = replace(first, premise=lambda place: SimpleNamespace(interval=holds))
    monkeypatch.setattr(type(rows), "definition", replace(rows.definition, effects=(kept,)))
    (one,) = effects._at(rows)
    assert one.doubt == ""
    assert one.word != "not judged"


def test_every_declared_effect_points_to_a_chapter_and_gives_an_interval_or_none(rows):
    for name, experiment in EXPERIMENTS.items():
        for effect in experiment.effects:
            assert (ROOT / "book" / f"{effect.chapter}.ipynb").exists()
            interval = effect.statistic(rows.of(name)).interval
            assert interval is None or interval.n >= 1


def test_the_picture_has_a_line_per_effect_and_an_arrow_where_it_ends_outside():
    mine = [found(1, 3, paper=0.08), found(-40, 6, metric="AUROC")]
    (ax,) = effects_figure(mine).axes
    spans = [line.get_xdata() for line in ax.get_lines() if len(line.get_xdata()) == 2]
    assert [np.round(span, 9).tolist() for span in spans[:2]] == [[1, 3], [-15, 6]]
    markers = [line.get_marker() for line in ax.get_lines()]
    assert markers.count("<") == 1
    hollow = [line for line in ax.get_lines() if line.get_markerfacecolor() == "none"]
    assert [line.get_xdata()[0] for line in hollow] == [pytest.approx(8)]
    plt.close("all")


def test_the_file_holds_its_numbers_and_is_the_same_twice(tmp_path):
    before = mpl.rcParams["font.size"]
    for name in ("a.svg", "b.svg"):
        save_figure([found(1, 3)], tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    described = ElementTree.parse(tmp_path / "a.svg").find(".//{*}description")
    assert described.text == shown_numbers([found(1, 3)])
    assert "+2.0 (+1.0 to +3.0) helps" in described.text
    assert mpl.rcParams["font.size"] == before


def test_without_rows_there_is_a_note(nothing):
    assert effects.recorded_effects() == []
    assert effects.overview_sentence([]) == "There are no recorded rows yet."
    (ax,) = effects_figure([]).axes
    assert re.search("no recorded rows", ax.texts[0].get_text())
    plt.close("all")
