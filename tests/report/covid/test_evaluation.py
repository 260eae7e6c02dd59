"""AUROC outside from known logits, against scikit-learn, SciPy and DeLong's test itself."""

import math

import numpy as np
import pytest
from scipy import special, stats
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from sdlib.errors import ConfigError
from sdlib.experiments import paper_table
from sdlib.experiments.covid import ARMS, DECAY, SD
from sdlib.metrics import bootstrap_auroc, bootstrap_difference, delong_test, mean_interval
from sdlib.report.covid.evaluation import (
    auroc_table,
    delong_of,
    delong_table,
    read_evaluation,
    read_networks,
    small_p,
)
from sdlib.report.covid.situations import PAIRS, SITUATIONS, in_order, scored, situation_of
from sdlib.report.tables import describe, ends_in_points, in_points
from sdlib.results import Place

TARGETS = np.tile([0, 1, 1, 0], 30)
PATIENTS = np.repeat(np.arange(60), 2)
SEEDS = (0, 1, 2)
A, B = SITUATIONS.values()
PAPER = paper_table("figure7").set_index(["experiment", "arm"])


def logits_of(distance, seed, targets=TARGETS):
    rng = np.random.default_rng([seed, int(100 * distance)])
    return np.float32(distance * (targets - 0.5) + rng.normal(0, 1, len(targets)))


def networks(inside, outside, seeds=SEEDS):
    return {
        seed: {"test": logits_of(inside, seed), "external": logits_of(outside, seed)}
        for seed in seeds
    }


DISTANCES = {DECAY: (2.5, 0.9), SD: (2.4, 1.6), f"{DECAY}_tuned": (2.5, 1.0)}


@pytest.fixture
def logits():
    return {arm: networks(*apart) for arm, apart in DISTANCES.items()}


@pytest.fixture
def place(written, logits):
    return written(TARGETS, logits, PATIENTS)


def ensemble(logits, arm, cohort="external"):
    return np.mean([expit(np.float64(one[cohort])) for one in logits[arm].values()], axis=0)


def label(arm):
    return next(one.label for one in ARMS if one.name == arm)


class TestPValues:
    @pytest.mark.parametrize("z", [-15.914, -13.553, -3.3, -8.0, -37.0])
    def test_against_the_complementary_error_function(self, z):
        p = special.erfc(-z / math.sqrt(2)) / 2
        mantissa, exponent = f"{p:.1e}".split("e")
        told = small_p(stats.norm.logcdf(z) / math.log(10))
        raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        assert told == f"{mantissa} × 10{raised}"

    def test_what_is_not_tiny_has_three_digits(self):
        assert small_p(math.log10(0.0449)) == "0.045"
        assert small_p(0.0) == "1.000"
        assert small_p(-3.0) == "0.001"

    def test_a_factor_is_never_rounded_to_ten(self):
        assert small_p(math.log10(9.97) - 8) == "1.0 × 10⁻⁷"
        assert small_p(math.log10(9.94) - 8) == "9.9 × 10⁻⁸"

    def test_below_the_smallest_double(self):
        assert small_p(math.log10(3) - 500) == "3.0 × 10⁻⁵⁰⁰"
        assert small_p(-math.inf) == "0"
        assert small_p(math.nan) == "–"


class TestSituations:
    def test_places_without_rows_are_left_out_and_others_sorted_by_situation(
        self, written, logits, empty
    ):
        added = written(TARGETS, logits, experiment="covid_added")
        shared = written(TARGETS, logits)
        found = list(in_order([added, empty(), shared]))
        assert found == [("covid", A, [shared]), ("covid_added", B, [added])]

    def test_another_experiment_is_refused(self):
        place = Place("cutout", "laptop", "phantom")
        for call in (situation_of, lambda one: auroc_table([one])):
            with pytest.raises(ConfigError, match=r"'cutout'; expected one of: covid, covid_added"):
                call(place)

    def test_predictions_without_targets_are_no_ensemble(self, place):
        """A run whose file of targets is gone."""
        assert scored(place, SD).networks == len(SEEDS)
        again = Place(place.experiment, place.profile, place.source, place.origin)
        for run in again.runs:
            (run.folder / "targets.npz").unlink(missing_ok=True)
        assert scored(again, SD) is None
        assert delong_of(again, SD, DECAY) is None
        assert "ensemble outside, over films" not in auroc_table([again])


class TestAuroc:
    def test_the_papers_numbers_are_there_without_rows(self, empty):
        table = auroc_table([empty()])
        assert list(table) == ["paper: ensemble outside"]
        assert len(table) == 4
        for experiment, title in SITUATIONS.items():
            for arm in (SD, DECAY):
                line = PAPER.loc[experiment, arm]
                told = table.loc[(title, label(arm), "–")].item()
                assert told == f"{line.auroc:.3f} [{line.low:.3f}, {line.high:.3f}]"

    def test_single_networks_are_means_over_seeds(self, place, logits):
        line = auroc_table([place]).loc[(A, label(SD), place.name)]
        for cohort, heading in (("test", "inside"), ("external", "outside")):
            areas = [roc_auc_score(TARGETS, one[cohort]) for one in logits[SD].values()]
            assert line[f"{heading}, single networks"] == describe(mean_interval(areas))
        assert line["networks"] == "3"

    def test_ensembles_average_probabilities_and_have_two_intervals(self, place, logits):
        line = auroc_table([place]).loc[(A, label(SD), place.name)]
        scores = ensemble(logits, SD)
        area = roc_auc_score(TARGETS, scores)
        films = bootstrap_auroc(TARGETS, scores)
        patients = bootstrap_auroc(TARGETS, scores, groups=PATIENTS)
        told = f"{area:.3f} [{films.low:.3f}, {films.high:.3f}]"
        assert line["ensemble outside, over films"] == told
        assert line["over patients"] == f"[{patients.low:.3f}, {patients.high:.3f}]"
        assert line["over patients"] not in told
        assert line["films (patients)"] == "120 (60)"

    def test_arms_that_the_paper_has_not_have_a_dash(self, place):
        line = auroc_table([place]).loc[(A, label(f"{DECAY}_tuned"), place.name)]
        assert line["paper: ensemble outside"] == "–"
        assert line["networks"] == "3"

    def test_every_place_has_a_line_under_its_situation(self, written, logits, place):
        added = written(TARGETS, {SD: logits[DECAY]}, experiment="covid_added")
        table = auroc_table([added, place])
        assert list(table.index) == [
            *((A, label(arm), place.name) for arm in (DECAY, f"{DECAY}_tuned", SD)),
            (B, label(DECAY), "–"),
            (B, label(SD), added.name),
        ]
        assert table.iloc[-1]["films (patients)"] == "120 (120)"
        assert table.iloc[-1]["over patients"] in table.iloc[-1]["ensemble outside, over films"]


class TestDeLong:
    def test_the_papers_z_and_what_it_gives(self, empty):
        table = delong_table([empty()])
        assert list(table.index) == [(A, "as given", "–"), (B, "as given", "–")]
        assert table["paper: p"].tolist() == ["1 × 10⁻⁵⁶", "1 × 10⁻⁴¹"]
        assert table["p of the paper's z"].tolist() == ["2.5 × 10⁻⁵⁷", "3.8 × 10⁻⁴²"]
        zs = [f"{PAPER.loc[(name, SD), 'z']:.3f}" for name in SITUATIONS]
        assert table["paper: z (weight decay minus SD)"].tolist() == zs
        assert table["paper: difference, points"].tolist() == ["+3.4", "+3.6"]

    def test_ours_is_sd_minus_weight_decay(self, place, logits):
        line = delong_table([place]).loc[(A, "as given", place.name)]
        test = delong_test(TARGETS, ensemble(logits, SD), ensemble(logits, DECAY), "greater")
        own, rival = (roc_auc_score(TARGETS, ensemble(logits, arm)) for arm in (SD, DECAY))
        assert own > rival
        assert line["z"] == f"{test.z:+.2f}"
        assert test.z > 0
        ends = f"[{100 * test.low:+.1f}, {100 * test.high:+.1f}]"
        assert line["difference, points"] == f"{100 * (own - rival):+.1f} {ends}"
        assert line["p"] == small_p(math.log10(stats.norm.sf(test.z)))
        scores = [ensemble(logits, arm) for arm in (SD, DECAY)]
        patients = bootstrap_difference(TARGETS, *scores, groups=PATIENTS)
        assert line["over patients"] == f"[{100 * patients.low:+.1f}, {100 * patients.high:+.1f}]"
        assert line["paper: difference, points"] == "+3.4"

    def test_pairs_of_which_one_arm_is_missing_have_no_line(self, place, written, logits):
        assert "tuned" not in delong_table([place]).index.get_level_values("pair")
        tuned = dict(zip(PAIRS["tuned"], (logits[SD], logits[DECAY]), strict=True))
        both = written(TARGETS, logits | tuned, PATIENTS)
        both = Place(both.experiment, both.profile, both.source, both.origin)
        table = delong_table([both])
        line = table.loc[(A, "tuned", both.name)]
        assert line["paper: p"] == "–"
        assert line["z"] == table.loc[(A, "as given", both.name), "z"]

    def test_ensembles_that_rank_alike_do_not_differ(self, written, logits):
        place = written(TARGETS, {SD: logits[SD], DECAY: logits[SD]})
        line = delong_table([place]).loc[(A, "as given", place.name)]
        assert line[["difference, points", "z", "p"]].tolist() == [
            "+0.0 [+0.0, +0.0]",
            "+0.00",
            "0.500",
        ]


class TestReading:
    def test_ensembles_test_and_spread(self, place, logits):
        told = read_evaluation(place)
        own, rival = (roc_auc_score(TARGETS, ensemble(logits, arm)) for arm in (SD, DECAY))
        assert told.startswith(f"**{A}** ({place.name}): outside, the ensemble of 3 networks")
        assert f"AUROC of {own:.3f}" in told
        assert f"networks of *{label(DECAY)}* {rival:.3f}" in told
        line = delong_table([place]).loc[(A, "as given", place.name)]
        assert f"{line['difference, points']} points" in told
        assert f"p = {line['p']})" in told
        areas = [
            np.array([roc_auc_score(TARGETS, one["external"]) for one in logits[arm].values()])
            for arm in (SD, DECAY)
        ]
        sds = [100 * one.std(ddof=1) for one in areas]
        assert f"SDs of {sds[0]:.1f} and {sds[1]:.1f} points" in told
        assert max(sds) < 100 * (own - rival)
        assert "the larger no more than the ensembles' difference" in told
        assert in_points(areas[0] - areas[1]) in told

    def test_a_spread_larger_than_the_difference_is_said(self, written, logits):
        mixed = {0: logits[SD][0], 1: logits[SD][1], 2: {k: -v for k, v in logits[SD][2].items()}}
        told = read_evaluation(written(TARGETS, {SD: mixed, DECAY: mixed}))
        assert "the larger more than the ensembles' difference" in told

    def test_one_network_has_no_spread(self, written, logits):
        one = {arm: {0: logits[arm][0]} for arm in (SD, DECAY)}
        told = read_evaluation(written(TARGETS, one))
        assert told.endswith(").")
        assert "the ensemble of 1 network of" in told
        assert "SDs" not in told

    def test_networks_without_a_seed_in_common_are_not_paired(self, written, logits):
        found = {SD: networks(2, 1, (0, 1)), DECAY: networks(2, 1, (2, 3))}
        assert "pairs of networks" not in read_evaluation(written(TARGETS, found))

    def test_without_rows_nothing_is_said(self, empty, place):
        assert read_evaluation(empty()) == ""
        assert read_evaluation(place, *PAIRS["tuned"]) == ""


def test_single_networks_are_compared_pair_by_pair(place, written, logits):
    told = read_networks([place])
    as_given = place.difference("external.auroc", SD, DECAY)
    assert told.startswith(f"- **{A}** ({place.name}): as given: inside ")
    assert f"outside {ends_in_points(as_given)}" in told
    assert "tuned" not in told  # one arm of that pair has no networks
    logits[f"{SD}_tuned"] = networks(2.4, 1.2)
    both = written(TARGETS, logits, PATIENTS)
    tuned = both.difference("external.auroc", f"{SD}_tuned", f"{DECAY}_tuned")
    assert read_networks([both]).endswith(f"outside {ends_in_points(tuned)}.")


def test_two_networks_of_a_pair_are_not_compared(written):
    two = {arm: networks(*apart, seeds=(0, 1)) for arm, apart in DISTANCES.items()}
    assert read_networks([written(TARGETS, two, PATIENTS)]) == ""
