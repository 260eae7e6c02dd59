"""AUROC with lungs or surroundings hidden, from known logits."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from sdlib.errors import ConfigError
from sdlib.experiments.covid import ARMS, DECAY, SD
from sdlib.metrics import mean_interval
from sdlib.report.covid.hidden import draw_hidden, hidden_table, read_dice, read_hidden
from sdlib.report.covid.situations import PAIRS, SITUATIONS
from sdlib.report.tables import describe, in_points
from sdlib.results import Place

TARGETS = np.tile([0, 1], 60)
SEEDS = (0, 1, 2)
A, _ = SITUATIONS.values()
COHORTS = {"whole films": "test", "lungs only": "lungs", "surroundings only": "surroundings"}
DISTANCES = {
    DECAY: {"test": 2.5, "lungs": 1.0, "surroundings": 1.5},
    SD: {"test": 2.0, "lungs": 1.2, "surroundings": 1.4},
}


def network(apart, seed):
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1, (len(apart), len(TARGETS)))
    return {
        name: distance * (TARGETS - 0.5) + own
        for (name, distance), own in zip(apart.items(), noise, strict=True)
    }


@pytest.fixture
def logits():
    return {arm: {s: network(apart, s) for s in SEEDS} for arm, apart in DISTANCES.items()}


def areas(logits, arm, cohort):
    return np.array([roc_auc_score(TARGETS, one[cohort]) for one in logits[arm].values()])


def label(arm):
    return next(one.label for one in ARMS if one.name == arm)


class TestTable:
    def test_lines_are_arms_and_their_differences(self, written, logits):
        place = written(TARGETS, logits)
        table = hidden_table([place], (DECAY, SD))
        assert list(table) == list(COHORTS)
        names = [label(DECAY), label(SD), "difference in points, as given"]
        assert list(table.index) == [(A, place.name, name) for name in names]
        for heading, cohort in COHORTS.items():
            own, rival = areas(logits, SD, cohort), areas(logits, DECAY, cohort)
            expected = [describe(mean_interval(rival)), describe(mean_interval(own))]
            assert table[heading].tolist() == [*expected, in_points(own - rival)]

    def test_masked_films_of_one_kind_are_enough(self, written, logits):
        """On the other, and in the other arm, there are no rows."""
        found = {DECAY: {0: {name: logits[DECAY][0][name] for name in ("test", "lungs")}}}
        place = written(TARGETS, found)
        table = hidden_table([place], (SD, DECAY))
        assert list(table.index) == [(A, place.name, label(DECAY))]
        assert table["surroundings only"].tolist() == ["–"]

    def test_places_without_masked_films_are_left_out(self, written, logits, empty):
        whole = {SD: {0: {"test": logits[SD][0]["test"]}}}
        place = written(TARGETS, whole)
        assert hidden_table([place, empty()], (SD, DECAY)).empty

    def test_other_experiments_and_unknown_arms_are_refused(self, written, logits):
        with pytest.raises(ConfigError, match="unknown experiment with a training situation"):
            hidden_table([Place("cutout", "laptop", "phantom")], (SD,))
        with pytest.raises(ConfigError, match="unknown arm of covid 'control'"):
            hidden_table([written(TARGETS, logits)], ("control",))


class TestReading:
    def test_read_aloud(self, written, logits):
        place = written(TARGETS, logits)
        told = read_hidden(place)
        whole, lungs, around = (areas(logits, DECAY, one).mean() for one in COHORTS.values())
        assert f"AUROC of {whole:.3f} on whole films, {lungs:.3f} on lungs alone" in told
        assert f"{around:.3f} with the lungs hidden, where no lung is visible: they know" in told
        differences = areas(logits, SD, "surroundings") - areas(logits, DECAY, "surroundings")
        assert told.endswith(f"*{label(SD)}* changes the last by {in_points(differences)}.")

    @pytest.mark.parametrize(
        ("distances", "words"),
        [
            ((-3, -3, -3), "no lung is visible: they are wrong more often than chance"),
            ((1, 0, -1), "the 95 % interval has chance in it"),
        ],
    )
    def test_what_surroundings_tell(self, written, logits, distances, words):
        for (seed, one), distance in zip(logits[DECAY].items(), distances, strict=True):
            noise = np.random.default_rng(seed).normal(0, 1, len(TARGETS))
            one["surroundings"] = distance * TARGETS + noise
        assert words in read_hidden(written(TARGETS, logits))

    def test_two_networks_give_no_interval(self, written, logits):
        two = {arm: {seed: logits[arm][seed] for seed in (0, 1)} for arm in logits}
        assert "where of 2 networks there is no interval." in read_hidden(written(TARGETS, two))

    def test_without_the_other_arm_or_rows(self, written, logits, empty):
        place = written(TARGETS, {DECAY: logits[DECAY]})
        assert read_hidden(place).endswith("they know something else.")
        assert read_hidden(empty()) == ""
        assert read_hidden(place, *PAIRS["tuned"]) == ""


def test_the_dice_of_the_masks_is_told():
    lungs = {
        "networks": {"phantom": [0.5, 0.7], "both": [0.9, 1.0]},
        "used": "both",
        "sources": ["cohen", "hannover"],
        "groups": ["a", "b"],
    }
    told = read_dice(lungs)
    assert "2 held-out real films of 2 patients" in told
    assert "0.950 (SD 0.071, least 0.900); a network of phantoms alone has 0.600." in told
    assert read_dice({}) == ""


def test_the_figure_has_every_network_of_the_table(written, logits):
    place = written(TARGETS, logits)
    figure = draw_hidden([place], (DECAY, SD), "no rows")
    assert [ax.get_xlabel() for ax in figure.axes] == list(COHORTS)
    drawn = {line.get_gid(): line.get_xdata() for ax in figure.axes for line in ax.lines}
    for heading, cohort in COHORTS.items():
        for arm in (DECAY, SD):
            assert drawn[f"{arm}:{heading}:seeds"] == pytest.approx(areas(logits, arm, cohort))


def test_the_figure_says_that_there_is_nothing():
    (ax,) = draw_hidden([], (DECAY, SD), "no rows here").axes
    assert [text.get_text() for text in ax.texts] == ["no rows here"]
