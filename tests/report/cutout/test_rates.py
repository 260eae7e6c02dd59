"""Each method at its best learning rate and at that of all runs, on trials known beforehand."""

import numpy as np
import pytest
from scipy import stats

from sdlib.report.cutout import rates
from sdlib.results import Place

USED = 0.4  # of profile laptop
#: Accuracy on test of three networks, by search and rate; on validation the last rate is best.
TESTED = {
    "learning_rate": {0.2: (0.60, 0.62, 0.64), USED: (0.66, 0.70, 0.74)},
    "learning_rate_sd_eq1": {USED: (0.60, 0.70, 0.80), 0.8: (0.71, 0.72, 0.76)},
    "learning_rate_sd_eq2": {USED: (0.70, 0.74, 0.78), 0.8: (0.80, 0.80, 0.83)},
}
WEIGHT_DECAY, EQ2 = "weight decay", "SD Eq. 2, paper's values"


def trial(rate, tested, validation, several):
    found = {
        "values": {"learning_rate": rate},
        "value": validation,
        "metrics": {
            "validation": {"accuracy": validation},
            "test": {"accuracy": float(np.mean(tested))},
        },
    }
    if several:
        found["by_network"] = [{"validation": validation, "test": one} for one in tested]
    return found


@pytest.fixture
def trials(monkeypatch):
    """`trials(several)`: let the searches have the trials above, of three networks or of one."""

    def make(several=True, without=()):
        def read(search, recorded):
            found = TESTED.get(search.family, {}).items()
            return [
                trial(rate, tested, 0.9 + rate / 100, several)
                for rate, tested in found
                if rate not in without
            ]

        monkeypatch.setattr(rates, "read_trials", read)
        return Place("cutout", "laptop", "phantom")

    return make


def points(differences):
    mean = 100 * np.mean(differences)
    half = 100 * stats.sem(differences) * stats.t.ppf(0.975, len(differences) - 1)
    return f"{mean:+.1f} ({mean - half:+.1f} to {mean + half:+.1f})"


def test_gains_are_paired_at_the_rate_of_all_runs_and_at_the_best_rates(trials):
    said = rates.rates_sentence(trials())
    assert f"Best on validation: 0.4 ({WEIGHT_DECAY}), 0.8 (SD Eq. 1, paper's λ), 0.8" in said
    rival = np.array(TESTED["learning_rate"][USED])
    ours = TESTED["learning_rate_sd_eq2"]
    used, best = points(ours[USED] - rival), points(ours[0.8] - rival)
    assert f"{EQ2}: {used} points at 0.4, {best} with each method at its best, n = 3." in said


def test_one_network_has_no_interval(trials):
    said = rates.rates_sentence(trials(several=False))
    assert f"{EQ2}: +4.0 points at 0.4, +11.0 with each method at its best, n = 1." in said


def test_the_table_has_both_rates_of_every_method(trials):
    place = trials()
    table = rates.rates_table([place])
    assert len(table) == 2 * len(TESTED)
    line = table.loc[place.name, EQ2, "best on validation"]
    assert (line["learning rate"], line["rates tried"]) == ("0.8", "2")
    assert line["test"].startswith("0.810 (0.017) [")
    assert table.loc[place.name, WEIGHT_DECAY, "of all runs"]["test"].startswith("0.700 (0.040) [")


def test_a_search_that_has_not_tried_the_rate_of_all_runs_is_left_out(trials):
    place = trials(without={USED})
    assert rates.rates_sentence(place) == ""
    assert len(rates.rates_table([place])) == 0
