"""Reliance and AUROCs over lambda, from logits whose changes are known."""

import numpy as np
import pytest

from sdlib.experiments.covid import CHANGED, changed_name
from sdlib.experiments.covid_lambdas import LAMBDAS, lambda_arm
from sdlib.metrics import auroc, mean_interval
from sdlib.report.covid.lambdas import draw_lambdas, read_lambdas
from sdlib.report.covid.reliance import reliance_of
from sdlib.report.tables import ends_in_points

TARGETS = np.tile([0, 1], 40)
SEEDS = (0, 1, 2)
#: SDs by which changing everything moves the logits: less, the stronger the penalty.
ALL = {lam: 1.6 - 0.2 * number for number, lam in enumerate(LAMBDAS)}
COHORTS = {"test": 2.0, "external": 1.0, "surroundings": 0.5}  # distance of the classes


def network(lam, seed):
    """Logits of which all of the signature moves every one by `ALL[lam]`, a part by less."""
    rng = np.random.default_rng([seed, LAMBDAS.index(lam)])
    found = {
        name: distance * TARGETS + rng.normal(0, 1, len(TARGETS))
        for name, distance in COHORTS.items()
    }
    spread = found["test"].std(ddof=1)
    for number, part in enumerate(CHANGED):
        moved = ALL[lam] + 0.1 * seed if part == "all" else 0.01 * (number + 1)
        found[changed_name(part)] = found["test"] + moved * spread
    return found


@pytest.fixture
def place(written):
    """`place(lambdas, seeds)`: rows of those networks."""

    def make(lambdas=LAMBDAS, seeds=SEEDS):
        logits = {lambda_arm(lam): {seed: network(lam, seed) for seed in seeds} for lam in lambdas}
        return written(TARGETS, logits, experiment="covid_lambdas")

    return make


@pytest.fixture
def nothing(empty):
    return empty("covid_lambdas")


class TestFigure:
    def test_lines_through_means_and_a_point_for_each_network(self, place):
        rows = place()
        left, right = draw_lambdas(rows, "nothing").axes
        for ax, names in ((left, ["all", "border"]), (right, [*named(COHORTS)])):
            assert ax.get_legend_handles_labels()[1] == names
            assert [one.get_text() for one in ax.get_xticklabels()] == [
                f"{lam:g}" for lam in LAMBDAS
            ]
        mean_line = next(line for line in left.lines if line.get_label() == "all")
        found = [reliance_of(rows, lambda_arm(lam), "all") for lam in LAMBDAS]
        np.testing.assert_allclose(mean_line.get_ydata(), [one.mean() for one in found])
        assert mean_line.get_xdata().tolist() == list(range(len(LAMBDAS)))
        points = [line for line in left.lines if line.get_linestyle() == "None"]
        drawn = np.concatenate([line.get_ydata() for line in points[: len(LAMBDAS)]])
        np.testing.assert_allclose(drawn, np.concatenate(found))

    def test_bars_are_intervals_over_seeds_where_there_are_three(self, place):
        rows = place()
        left, _ = draw_lambdas(rows, "nothing").axes
        bars = left.collections[0].get_segments()
        for lam, bar in zip(LAMBDAS, bars, strict=True):
            expected = mean_interval(reliance_of(rows, lambda_arm(lam), "all"))
            np.testing.assert_allclose(bar[:, 1], [expected.low, expected.high])

    def test_two_seeds_have_no_bars(self, place):
        left, _ = draw_lambdas(place(seeds=(0, 1)), "nothing").axes
        assert not any(len(bar) for bar in left.collections[0].get_segments())

    def test_a_lambda_without_rows_is_left_out(self, place):
        left, _ = draw_lambdas(place((LAMBDAS[0], LAMBDAS[-1])), "nothing").axes
        assert left.lines[0].get_xdata().tolist() == [0, len(LAMBDAS) - 1]
        assert len(left.get_xticks()) == len(LAMBDAS)

    def test_without_rows_it_says_what_is_missing(self, nothing):
        (ax,) = draw_lambdas(nothing, "no rows yet").axes
        assert "no rows yet" in " ".join(text.get_text() for text in ax.texts)


def named(cohorts):
    """What the figure calls the AUROCs of cohorts."""
    meanings = {"test": "inside", "external": "outside", "surroundings": "inside, lungs hidden"}
    return [meanings[name] for name in cohorts]


class TestReading:
    def test_both_ends_are_told(self, place):
        told = read_lambdas(place())
        mean = 0.1 * np.mean(SEEDS)
        first, last = ALL[LAMBDAS[0]] + mean, ALL[LAMBDAS[-1]] + mean
        assert told.startswith(
            f"**this run: phantom, laptop**: from no penalty to λ = {LAMBDAS[-1]:g}, "
        )
        assert f"reliance on all from {first:.2f} to {last:.2f}; " in told
        for heading, cohort in (("inside", "test"), ("outside", "external")):
            ends = [
                np.mean([auroc(TARGETS, network(lam, seed)[cohort]) for seed in SEEDS])
                for lam in (LAMBDAS[0], LAMBDAS[-1])
            ]
            assert f"AUROC {heading} from {ends[0]:.2f} to {ends[1]:.2f}" in told

    def test_auroc_outside_is_compared_with_no_penalty(self, place):
        told = read_lambdas(place())
        gains = [
            auroc(TARGETS, network(LAMBDAS[1], seed)["external"])
            - auroc(TARGETS, network(LAMBDAS[0], seed)["external"])
            for seed in SEEDS
        ]
        assert f"λ = {LAMBDAS[1]:g} {ends_in_points(mean_interval(gains))}, n = 3; " in told

    def test_two_seeds_are_not_compared(self, place):
        assert "minus that without" not in read_lambdas(place(seeds=(0, 1)))

    @pytest.mark.parametrize("lambdas", [LAMBDAS[:-1], LAMBDAS[1:]])
    def test_nothing_is_told_of_one_end(self, place, lambdas):
        assert read_lambdas(place(lambdas)) == ""

    def test_nothing_is_told_without_rows(self, nothing):
        assert read_lambdas(nothing) == ""
