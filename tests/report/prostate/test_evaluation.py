"""Figure 5: accuracies and paired differences on the four evaluation sets, from known rows."""

import numpy as np
import pandas as pd
import pytest

from sdlib.experiments import EXPERIMENTS, paper_table
from sdlib.experiments.prostate import DECAY, SD
from sdlib.metrics import balanced_accuracy
from sdlib.phantoms import ANNOTATIONS, annotate
from sdlib.report.prostate.evaluation import (
    accuracy_figure,
    difference_figure,
    difference_table,
    panel_titles,
    read_room,
    read_searches,
    room_table,
)
from sdlib.report.tables import in_points
from sdlib.results import Place

SETS = ("test", "later", "rescanned", "external")
PAIRS = {"paper's values": (SD, DECAY)}
BASE = {"test": 0.9, "later": 0.8, "rescanned": 0.85, "external": 0.7}
GAINS = {"test": 0.01, "later": -0.02, "rescanned": 0.0, "external": 0.1}
#: What a seed adds to the gain: 0 on average.
SPREAD = {0: -0.01, 1: 0.0, 2: 0.01}


@pytest.fixture
def place(record):
    decay = {seed: {name: BASE[name] + 0.02 * seed for name in SETS} for seed in SPREAD}
    sd = {
        seed: {name: decay[seed][name] + GAINS[name] + SPREAD[seed] for name in SETS}
        for seed in SPREAD
    }
    return record(**{SD: sd, DECAY: decay})


def test_panels_are_the_papers():
    assert list(panel_titles()) == list(SETS)
    assert [title[:3] for title in panel_titles().values()] == ["A  ", "B  ", "C  ", "D  "]


class TestTable:
    def test_differences_are_paired_over_seeds_in_points(self, place):
        table = difference_table([place], PAIRS)
        assert list(table.index) == list(panel_titles().values())
        (heading,) = [name for name in table if name != "paper"]
        assert heading == f"{place.name}: paper's values"
        # Half of the interval: t at two degrees of freedom, 1 point of spread over three seeds.
        half = 4.3027 * 1 / np.sqrt(3)
        for cohort, cell in zip(SETS, table[heading], strict=True):
            mean = 100 * GAINS[cohort]
            text = f"{mean:+.1f} (1.0) [{mean - half:+.1f}, {mean + half:+.1f}] n = 3"
            assert cell.replace("-0.0", "+0.0") == text

    def test_the_papers_gains_stand_beside(self, place):
        printed = paper_table("figure5").set_index("cohort")["difference"]
        table = difference_table([place], PAIRS)
        assert table["paper"].tolist() == [f"{100 * printed[name]:+.2f}" for name in SETS]

    def test_only_seeds_of_both_arms_count(self, record):
        sd = {seed: dict.fromkeys(SETS, 0.8) for seed in (1, 2, 5)}
        decay = {seed: dict.fromkeys(SETS, 0.7 + 0.01 * seed) for seed in (0, 1, 2, 3)}
        place = record(**{SD: sd, DECAY: decay})
        cell = difference_table([place], PAIRS).iloc[0, 1]
        assert cell == in_points(np.array([0.09, 0.08]))
        assert cell.endswith("two seeds")

    def test_places_and_pairs_without_rows_have_no_column(self, record):
        assert list(difference_table([record()], PAIRS)) == ["paper"]
        place = record(**{SD: {0: dict.fromkeys(SETS, 0.8)}})
        assert list(difference_table([place], PAIRS)) == ["paper"]
        assert list(difference_table([], PAIRS)) == ["paper"]


class TestFigures:
    def test_every_network_is_a_point_of_its_panel(self, place):
        figure = accuracy_figure(place, (DECAY, SD), "nothing")
        assert len(figure.axes) == 4
        for ax, cohort in zip(figure.axes, SETS, strict=True):
            points = [line.get_xdata() for line in ax.get_lines() if len(line.get_xdata()) == 3]
            drawn = np.sort(np.concatenate([x for x in points if len(set(x)) > 1]))
            expected = [place.values(f"{cohort}.accuracy", arm) for arm in (DECAY, SD)]
            np.testing.assert_allclose(drawn, np.sort(np.concatenate(expected)))
            assert ax.get_title(loc="left").startswith(panel_titles()[cohort][:3])

    def test_differences_are_at_their_sets(self, place):
        figure = difference_figure(place, PAIRS, "nothing")
        (ax,) = figure.axes
        bars = ax.containers[0]
        assert bars.get_label() == "paper's values"
        np.testing.assert_allclose(bars[0].get_xdata(), [100 * GAINS[s] for s in SETS], atol=1e-9)
        crosses = next(line for line in ax.get_lines() if line.get_label() == "paper")
        printed = paper_table("figure5").set_index("cohort")["difference"]
        np.testing.assert_allclose(crosses.get_xdata(), [100 * printed[s] for s in SETS])

    @pytest.mark.parametrize("draw", [lambda p: accuracy_figure(p, (SD, DECAY), "no rows yet")])
    def test_without_rows_a_figure_says_what_is_missing(self, record, draw):
        figure = draw(record())
        assert "no rows yet" in [text.get_text() for ax in figure.axes for text in ax.texts]

    def test_pairs_without_a_seed_in_common_are_not_drawn(self, record):
        """Both arms have rows, of other seeds: there is nothing to pair."""
        some = dict.fromkeys(SETS, 0.8)
        place = record(**{SD: {0: some}, DECAY: {1: some}})
        figure = difference_figure(place, PAIRS, "no pairs yet")
        assert "no pairs yet" in [text.get_text() for ax in figure.axes for text in ax.texts]
        tuned = {"tuned": ("sd_eq1_uniform_tuned", "weight_decay_uniform_tuned")}
        place = record(**{SD: {0: some}, DECAY: {0: some}})
        figure = difference_figure(place, PAIRS | tuned, "no pairs yet")
        assert [bars.get_label() for bars in figure.axes[0].containers] == ["paper's values"]


class TestRoom:
    def test_room_is_what_is_lost_beyond_the_labels(self, place):
        table = room_table(place, DECAY)
        home = 0.92  # mean over seeds: .9, .92, .94
        for cohort, title in panel_titles().items():
            rule = EXPERIMENTS["prostate"].evaluation[cohort].where.get("labels", "consensus")
            best = ANNOTATIONS[rule].best_accuracy
            by_labels = home * best + (1 - home) * (1 - best)
            room = 100 * (by_labels - (BASE[cohort] + 0.02))
            assert table.loc[title, "room"] == pytest.approx(room)

    def test_an_arm_whose_errors_are_independent_of_the_labels_leaves_no_room(self):
        """Brute force: flipped labels and independent errors agree as often as the formula says."""
        rng = np.random.default_rng(0)
        truth = rng.integers(0, 2, 400_000)
        labels = annotate(truth, rng.integers(0, 2**62, len(truth)), "outlines")
        predicted = np.where(rng.random(len(truth)) < 0.9, truth, 1 - truth)
        best = ANNOTATIONS["outlines"].best_accuracy
        found = balanced_accuracy(labels, predicted.astype(float))
        assert found == pytest.approx(0.9 * best + 0.1 * (1 - best), abs=0.003)

    def test_sets_without_room_for_half_of_the_papers_gain_are_named(self, record):
        accuracies = {"test": 0.9, "later": 0.6, "rescanned": 0.89, "external": 0.5}
        place = record(**{DECAY: {0: accuracies}})
        told = read_room(place, DECAY)
        assert "In A, C this is less than half of the paper's gain" in told

    def test_without_rows_nothing_is_said(self, record):
        assert len(room_table(record(), DECAY)) == 0
        assert read_room(record(), DECAY) == ""


def test_how_clearly_searches_have_chosen(monkeypatch, place):
    values = {"sd_eq1_uniform": [0.95, 0.949, 0.94], "weight_decay_uniform": [0.9, 0.95, 0.96]}
    lines = []
    for family, found in values.items():
        name = "lam" if family.startswith("sd") else "weight_decay"
        for value, tried in zip(found, (0.1, 0.01, 0.001), strict=True):
            best = value == max(found)
            line = {"family": family, "value": value, "best": best, "networks": 3, name: tried}
            lines.append(line)
    trials = pd.DataFrame(lines)
    monkeypatch.setattr(Place, "trials", property(lambda self: trials))
    first, second = read_searches(place).splitlines()
    assert first.startswith("- sd_eq1_uniform: chosen lam = 0.1; 2 of 3 trials (0.01 to 0.1)")
    assert first.endswith("networks of each trial: 3.")
    assert second.startswith("- weight_decay_uniform: chosen weight_decay = 0.001; 1 of 3 trials")
    monkeypatch.setattr(Place, "trials", property(lambda self: trials[:0]))
    assert read_searches(place) == ""
