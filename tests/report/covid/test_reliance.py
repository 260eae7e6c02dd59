"""Reliance on parts of a signature, from logits whose changes are known."""

import numpy as np
import pytest

from sdlib.errors import ConfigError, DataError
from sdlib.experiments.covid import ARMS, CHANGED, DECAY, SD, changed_name
from sdlib.metrics import mean_interval
from sdlib.report.covid.reliance import (
    draw_reliance,
    read_reliance,
    reliance_of,
    reliance_table,
)
from sdlib.report.covid.situations import PAIRS, SITUATIONS
from sdlib.report.tables import describe

TARGETS = np.tile([0, 1], 40)
SEEDS = (0, 1, 2)
A, B = SITUATIONS.values()
#: SDs by which changing a part moves the logits, of seed 1.
MOVES = {
    DECAY: dict(zip(CHANGED, (0.9, 0.5, 0.0, 0.2, 0.1, 1.5), strict=True)),
    SD: dict(zip(CHANGED, (0.4, 0.5, 0.3, 0.1, 0.1, 1.2), strict=True)),
}
#: What a seed adds to them; of both arms, so that paired differences have no spread...
SPREAD = {0: 0.1, 1: 0.0, 2: 0.2}
#: ...but for this part.
LOOSE = "border"


def network(moves, seed, arm=DECAY, scale=3.0):
    """Logits of any scale; a change moves half of the films up and half of them down."""
    rng = np.random.default_rng(seed)
    before = scale * (TARGETS + rng.normal(0, 1, len(TARGETS)))
    signs = rng.permutation(np.tile([-1, 1], len(TARGETS) // 2))
    found = {"test": before}
    for part, moved in moves.items():
        extra = SPREAD[seed] * (seed if arm == SD and part == LOOSE else 1)
        found[changed_name(part)] = before + signs * (moved + extra) * before.std(ddof=1)
    return found


@pytest.fixture
def logits():
    return {
        arm: {seed: network(moves, seed, arm, 3.0 if arm == SD else 0.2) for seed in SEEDS}
        for arm, moves in MOVES.items()
    }


@pytest.fixture
def place(written, logits):
    return written(TARGETS, logits)


def label(arm):
    return next(one.label for one in ARMS if one.name == arm)


def texts(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


class TestReliance:
    @pytest.mark.parametrize("part", CHANGED)
    def test_changes_are_in_sds_of_the_unchanged_logits(self, place, part):
        found = reliance_of(place, DECAY, part)
        assert found.index.tolist() == list(SEEDS)
        expected = [MOVES[DECAY][part] + SPREAD[seed] for seed in SEEDS]
        np.testing.assert_allclose(found, expected, rtol=1e-4)

    def test_a_constant_shift_counts_and_no_change_is_zero(self, written):
        before = TARGETS + np.linspace(0, 1, len(TARGETS))
        found = {"test": before, "changed_token": before + 1, "changed_text": before}
        place = written(TARGETS, {SD: {0: found}})
        assert reliance_of(place, SD, "token").item() == pytest.approx(1 / before.std(ddof=1))
        assert reliance_of(place, SD, "text").item() == 0
        assert not len(reliance_of(place, SD, "border"))

    def test_equal_logits_have_no_scale(self, written):
        flat = np.ones(len(TARGETS))
        found = {"test": flat, "changed_token": flat + 1}
        place = written(TARGETS, {SD: {0: found}})
        assert np.isnan(reliance_of(place, SD, "token").item())
        assert reliance_table([place], (SD,)).empty

    def test_other_films_are_refused(self, written):
        found = {"test": TARGETS * 1.0, "changed_token": TARGETS * 1.0}
        targets = {"test": TARGETS, "changed_token": TARGETS[::-1]}
        place = written(targets, {SD: {0: found}})
        for call in (
            lambda: reliance_of(place, SD, "token"),
            lambda: reliance_table([place], (SD,)),
        ):
            with pytest.raises(DataError, match="expected the test films in changed_token of cov"):
                call()

    def test_unknown_parts_are_refused(self, place):
        with pytest.raises(ConfigError, match="unknown part of the signature 'ribs'"):
            reliance_of(place, SD, "ribs")


class TestTable:
    def test_means_over_seeds_and_paired_differences(self, place):
        table = reliance_table([place], (DECAY, SD))
        assert list(table) == [label(DECAY), label(SD), "difference, as given"]
        names = [*CHANGED[:-1], "all of them at once"]
        assert list(table.index) == [(A, place.name, name) for name in names]
        for part, name in zip(CHANGED, names, strict=True):
            line = table.loc[(A, place.name, name)]
            by_seed = {arm: reliance_of(place, arm, part) for arm in (DECAY, SD)}
            for arm, values in by_seed.items():
                assert line[label(arm)] == describe(mean_interval(values), digits=2)
            paired = mean_interval(by_seed[SD] - by_seed[DECAY])
            told = line["difference, as given"]
            assert told == describe(paired, sign=True, digits=2)
            if part != LOOSE:
                assert told.startswith(f"{MOVES[SD][part] - MOVES[DECAY][part]:+.2f} (0.00)") or (
                    MOVES[SD][part] == MOVES[DECAY][part]
                )

    def test_arms_and_places_without_changed_films_are_left_out(self, place, written, logits):
        opened = {SD: {seed: {"test": one["test"]} for seed, one in logits[SD].items()}}
        other = written(TARGETS, opened, experiment="covid_added")
        table = reliance_table([other, place], (*PAIRS["tuned"], SD))
        assert list(table) == [label(SD)]
        assert set(table.index.get_level_values("trained on")) == {A}

    def test_networks_without_a_seed_in_common_are_not_paired(self, written, logits):
        place = written(TARGETS, {SD: {0: logits[SD][0]}, DECAY: {1: logits[DECAY][1]}})
        table = reliance_table([place], (SD, DECAY))
        assert set(table["difference, as given"]) == {"–"}

    def test_without_rows_there_are_no_lines(self, empty):
        assert reliance_table([empty()], (SD, DECAY)).empty
        assert reliance_table([], (SD,)).empty


class TestFigure:
    def test_means_stand_at_their_parts(self, place):
        figure = draw_reliance([place], (DECAY, SD), "nothing")
        (ax,) = figure.axes
        assert [one.get_text() for one in ax.get_yticklabels()] == [
            *CHANGED[:-1],
            "all of them at once",
        ]
        for bars, arm, shift in zip(ax.containers, (DECAY, SD), (-0.09, 0.09), strict=True):
            assert bars.get_label() == label(arm)
            means = [reliance_of(place, arm, part).mean() for part in CHANGED]
            np.testing.assert_allclose(bars[0].get_xdata(), means)
            np.testing.assert_allclose(bars[0].get_ydata(), np.arange(len(CHANGED)) + shift)
            ends = bars[1][0].get_xdata()
            assert min(ends) >= 0

    def test_a_panel_for_each_situation(self, place, written, logits):
        added = written(TARGETS, {SD: logits[SD]}, experiment="covid_added")
        figure = draw_reliance([place, added], (DECAY, SD), "nothing")
        titles = [ax.get_title(loc="left") for ax in figure.axes]
        assert titles == [f"{A}\n{place.name}; n = 3 seeds", f"{B}\n{added.name}; n = 3 seeds"]
        assert [len(ax.containers) for ax in figure.axes] == [2, 1]
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == [label(DECAY), label(SD)]

    def test_one_network_has_no_interval(self, written, logits):
        place = written(TARGETS, {SD: {1: logits[SD][1]}})
        (ax,) = draw_reliance([place], (SD,), "nothing").axes
        means = ax.containers[0][0].get_xdata()
        np.testing.assert_allclose(means, [*MOVES[SD].values()], rtol=1e-4, atol=1e-6)

    def test_without_changed_films_it_says_what_is_missing(self, empty, place):
        assert "no rows yet" in texts(draw_reliance([empty()], (SD,), "no rows yet"))
        assert "no rows yet" in texts(draw_reliance([place], (f"{SD}_tuned",), "no rows yet"))


class TestReading:
    def test_parts_by_how_much_weight_decay_relies_on_them(self, place):
        told = read_reliance(place)
        assert told.startswith(f"**{A}** ({place.name}): ")
        order = ("token", "border", "pose", "text", "contrast")
        listed = ", ".join(
            f"{part} {reliance_of(place, DECAY, part).mean():.2f} "
            f"({reliance_of(place, SD, part).mean():.2f})"
            for part in order
        )
        assert f"on average: {listed}." in told
        assert told.endswith(f"*{label(SD)}* relies less on token, pose and more on contrast.")

    @pytest.mark.parametrize("seeds", [(0,), (0, 1)])
    def test_nothing_is_claimed_of_few_networks(self, written, logits, seeds):
        few = {arm: {seed: logits[arm][seed] for seed in seeds} for arm in (SD, DECAY)}
        told = read_reliance(written(TARGETS, few))
        assert told.endswith("Of fewer than 3 pairs of networks there is no interval.")

    def test_networks_without_a_seed_in_common_are_not_compared(self, written, logits):
        place = written(TARGETS, {SD: {0: logits[SD][0]}, DECAY: {1: logits[DECAY][1]}})
        assert read_reliance(place).endswith("there is no interval.")

    def test_no_difference_is_said(self, written, logits):
        place = written(TARGETS, {SD: logits[SD], DECAY: logits[SD]})
        told = read_reliance(place)
        assert told.endswith("relies less on none of them and more on none of them.")

    def test_without_rows_nothing_is_said(self, empty, place):
        assert read_reliance(empty()) == ""
        assert read_reliance(place, *PAIRS["tuned"]) == ""
