"""Stain outside: fading from known sweeps, normalisation from known rows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from sdlib.experiments import Run
from sdlib.experiments.prostate import DECAY, SD
from sdlib.report.prostate.stain import (
    fading_figure,
    normalisation_figure,
    normalisation_table,
    read_fading,
)
from sdlib.report.tables import in_points
from sdlib.results import Place
from sdlib.results.sweeps import BY_NAME, Sweep
from tests.written_results import write_experiment

LEVELS = (
    *("clean", "haematoxylin-1.0", "haematoxylin-0.5", "haematoxylin-0.0"),
    *("eosin-1.0", "eosin-0.5", "eosin-0.0"),
)
TARGETS = np.repeat([0, 1], 50).astype(np.int8)
#: How many of each hundred tiles an arm gets right at each level; seed 1 gets two more.
RIGHT = {DECAY: (70, 70, 64, 50, 70, 78, 60), SD: (80, 80, 76, 50, 80, 80, 74)}


def logits_of(counts):
    """Logits that are right on that many tiles, as many of either class."""
    rank = np.tile(np.arange(50), 2)
    right = np.array([rank < count // 2 for count in counts])
    return np.where(right == (TARGETS == 1), 1.0, -1.0).astype(np.float32)


@pytest.fixture
def place(recorded):
    place = Place("prostate", "smoke", "phantom")
    logits = {
        (arm, seed): logits_of(np.array(counts) + 2 * seed)
        for arm, counts in RIGHT.items()
        for seed in (0, 1)
    }
    vars(place)["sweep"] = Sweep(LEVELS, TARGETS, np.arange(100, dtype=np.int16), logits)
    vars(place)["rows"] = pd.DataFrame([*logits], columns=["arm", "seed"])
    return place


def lines_of(ax, arm, place):
    return next(line for line in ax.get_lines() if line.get_label() == place.label(arm))


class TestFading:
    def test_lines_are_means_over_seeds(self, place):
        figure = fading_figure(place, (SD, DECAY), "nothing")
        for ax, stain in zip(figure.axes, ("haematoxylin", "eosin"), strict=True):
            assert stain in ax.get_xlabel()
            for arm, counts in RIGHT.items():
                line = lines_of(ax, arm, place)
                chosen = [k for k, name in enumerate(LEVELS) if name.startswith(stain)]
                strengths = [BY_NAME[LEVELS[k]].strength for k in chosen]
                assert line.get_xdata().tolist() == strengths
                expected = [
                    np.mean(
                        [
                            balanced_accuracy_score(TARGETS, place.sweep.logits[arm, s][k] > 0)
                            for s in (0, 1)
                        ]
                    )
                    for k in chosen
                ]
                np.testing.assert_allclose(line.get_ydata(), expected)
                assert expected[0] == pytest.approx(counts[chosen[0]] / 100 + 0.01)

    def test_the_unfaded_tiles_have_a_tick(self, place):
        figure = fading_figure(place, (DECAY,), "nothing")
        for ax in figure.axes:
            assert any(
                np.allclose(line.get_ydata(), 0.71) and len(line.get_ydata()) == 2
                for line in ax.get_lines()
            )

    def test_read_aloud(self, place):
        told = read_fading(place, (DECAY, SD, "weight_decay_none")).splitlines()
        assert told == [
            f"- haematoxylin: {place.label(DECAY)} 0.710 unfaded, best 0.710 at 1.0, 0.510 at 0.0; "
            f"{place.label(SD)} 0.810 unfaded, best 0.810 at 1.0, 0.510 at 0.0.",
            f"- eosin: {place.label(DECAY)} 0.710 unfaded, best 0.790 at 0.5, 0.610 at 0.0; "
            f"{place.label(SD)} 0.810 unfaded, best 0.810 at 1.0, 0.750 at 0.0.",
        ]

    def test_a_sweep_of_one_stain_is_read_as_far_as_it_goes(self, place):
        kept = [0, 4, 5, 6]
        vars(place)["sweep"] = Sweep(
            tuple(LEVELS[k] for k in kept),
            TARGETS,
            place.sweep.groups,
            {key: logits[kept] for key, logits in place.sweep.logits.items()},
        )
        (line,) = read_fading(place, (DECAY,)).splitlines()
        assert line.startswith("- eosin: ")
        assert len(fading_figure(place, (DECAY,), "nothing").axes) == 2

    def test_without_networks(self, recorded):
        place = Place("prostate", "smoke", "phantom")
        assert read_fading(place, (SD, DECAY)) == ""
        figure = fading_figure(place, (SD, DECAY), "no sweep yet")
        assert "no sweep yet" in [text.get_text() for ax in figure.axes for text in ax.texts]


class TestNormalisation:
    @pytest.fixture
    def titled(self, record):
        sd = {k: {"external": 0.8 + 0.01 * k, "external_normalised": 0.79} for k in (0, 1, 2)}
        decay = {
            k: {"external": 0.7 + 0.01 * k, "external_normalised": 0.78 + 0.02 * k}
            for k in (0, 1, 2)
        }
        prostate = record(**{SD: sd, DECAY: decay})
        across = {0: {"across": 0.75, "across_normalised": 0.7}}
        stain = record("stain_a", "open", weight_decay_stain=across)
        return {
            "phantom": (prostate, "external", "external_normalised"),
            "A to B": (stain, "across", "across_normalised"),
        }

    def test_changes_are_paired_over_seeds(self, titled):
        table = normalisation_table(titled)
        place = titled["phantom"][0]
        line = table.loc[("phantom", place.label(DECAY))]
        assert line["as it is"] == "0.710 (0.010)"
        assert line["normalised"] == "0.800 (0.020)"
        assert line["change"] == in_points(np.array([0.08, 0.09, 0.1]))
        line = table.loc[("phantom", place.label(SD))]
        assert line["change"] == in_points(np.array([-0.01, -0.02, -0.03]))
        other = titled["A to B"][0].label("weight_decay_stain")
        assert table.loc[("A to B", other), "change"] == "-5.0, one seed"
        assert table.loc[("A to B", other), "as it is"] == "0.750"
        assert len(table) == 3

    def test_some_arms_alone(self, titled):
        table = normalisation_table(titled, (SD,))
        assert [title for title, _ in table.index] == ["phantom"]
        assert normalisation_table({}, (SD,)).empty

    def test_every_network_is_a_line_from_before_to_after(self, titled):
        arms = (SD, DECAY, "weight_decay_stain")
        figure = normalisation_figure(titled, arms, "nothing")
        first, second = figure.axes
        assert [ax.get_title() for ax in figure.axes] == [
            "phantom\nn = 3 seeds",
            "A to B\nn = 1 seed",
        ]
        ends = {tuple(np.round(line.get_ydata(), 9)) for line in first.get_lines()}
        assert {(0.7, 0.78), (0.71, 0.8), (0.72, 0.82), (0.8, 0.79)} <= ends
        assert {tuple(line.get_ydata()) for line in second.get_lines()} == {(0.75, 0.7)}
        # The legend knows arms that only the second panel has.
        (legend,) = figure.legends
        place = titled["A to B"][0]
        labels = [text.get_text() for text in legend.get_texts()]
        assert labels == [
            *(titled["phantom"][0].label(arm) for arm in (SD, DECAY)),
            place.label("weight_decay_stain"),
        ]

    def test_places_without_rows_have_no_panel(self, titled, record):
        empty = {"nowhere": (Place("stain_b", "smoke", "open"), "across", "across_normalised")}
        figure = normalisation_figure(titled | empty, (SD,), "nothing")
        assert [ax.get_title() for ax in figure.axes] == ["phantom\nn = 3 seeds"]
        figure = normalisation_figure(empty, (SD,), "no rows yet")
        assert "no rows yet" in [text.get_text() for ax in figure.axes for text in ax.texts]


def test_written_results_of_the_whole_experiment(outputs, recorded):
    """Rows, predictions and sweep as runs leave them are found where they are looked for."""
    write_experiment("prostate", "long", seeds=3)
    place = Place("prostate", "long", "phantom", "this run")
    assert len(place.rows) == 3 * len(place.definition.arms)
    assert place.logits(SD, "only_stain") == {}
    assert set(place.logits(SD, "external")) == {0, 1, 2}
    assert len(read_fading(place, (SD, DECAY)).splitlines()) == 2
    run = Run("prostate", SD, 0, "long")
    with np.load(run.folder / "predictions.npz") as stored:
        expected = balanced_accuracy_score(place.targets("external"), stored["external.logits"] > 0)
    assert place.by_seed("clean", SD)[0] == pytest.approx(expected)
