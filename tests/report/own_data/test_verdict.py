"""Sentences of the page on your own images, from differences that are made up."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from scipy import stats

from sdlib.experiments.own_data import OWN_DATA
from sdlib.metrics import Interval
from sdlib.report.own_data import verdict
from sdlib.report.own_data.findings import BOTH, METRICS, MOVED, NONE
from sdlib.report.own_data.next_steps import next_steps
from sdlib.report.own_data.paired import Paired

UNBROKEN = "\N{NO-BREAK SPACE}"
SEEDS, PATIENTS = 5, 40


def paired(mean, low, high):
    """A difference with such an interval, in points."""
    error = (high - low) / 200 / stats.t.ppf(0.975, SEEDS - 1)
    level = Interval(SEEDS, 0.8, 0.01, 0.79, 0.81)
    over_seeds = Interval(SEEDS, mean / 100, 0.0, mean / 100, mean / 100)
    return Paired(level, level, over_seeds, error, PATIENTS)


@pytest.mark.parametrize(
    ("low", "high", "answer"),
    [
        (1, 5, "helps"),
        (-5, -1, "does harm"),
        (-1, 1.2, "makes no difference that matters"),
        (-3, 5, "cannot be decided"),
        (float("nan"), float("nan"), "cannot be decided"),
    ],
)
def test_answers_by_the_interval(low, high, answer):
    assert verdict.answer(paired((low + high) / 2, low, high)) == answer


@pytest.mark.parametrize(
    ("mean", "low", "high", "text"),
    [
        (1.2, -0.5, 2.9, "+1.2 (-0.5 to +2.9)"),
        (-0.01, -0.3, 0.28, "0.0 (-0.3 to +0.3)"),
        (0.52, 0.04, 1, "+0.5 (0.0 to +1.0)"),
        (-0.01, float("nan"), float("nan"), "0.0 (no interval)"),
    ],
)
def test_points_have_no_sign_where_they_round_to_nothing(mean, low, high, text):
    found = verdict.points(paired(mean, low, high))
    assert found.replace(UNBROKEN, " ") == text
    assert " " not in found


def findings(profile="quick", pretrained=False, **changed):
    """Findings of 20 patients that nothing is to be said of but what a test changes."""
    run = SimpleNamespace(settings=SimpleNamespace(pretrained=pretrained))
    given = {
        "cutoffs": dict.fromkeys((NONE, BOTH, MOVED), paired(0, -1, 1)),
        "metrics": {name: paired(0, -3, 3) for name in METRICS},
        "main": paired(0, -1, 1),
        "penalty": SimpleNamespace(beyond={"weight_decay": 0.5}),
        "rival": "weight_decay",
        "arm": "sd_eq1",
        "place": SimpleNamespace(definition=OWN_DATA, profile=profile, runs=[run]),
        "test": SimpleNamespace(groups=range(20)),
    }
    return SimpleNamespace(**given | changed)


def of_cutoffs(plain, tuned, moved):
    """What is said of cut-offs, and what to do: of intervals with .5, tuned, and between both."""
    intervals = {NONE: paired(*plain), BOTH: paired(*tuned), MOVED: paired(*moved)}
    found = findings(cutoffs=intervals)
    sentence = verdict.cutoff_sentence(found).replace(UNBROKEN, " ")
    return sentence.partition(" points; ")[2].partition(". AUROC")[0], next_steps(found)


class TestCutoffs:
    def test_a_gain_that_is_moved(self):
        said, steps = of_cutoffs((5, 0.4, 9.6), (0.5, -4, 5), (4.5, 1, 8))
        assert said.startswith("with .5 it is larger, by +4.5 (+1.0 to +8.0): a part of the gain")
        assert "moved cut-off" in said
        assert sum("the answers differ" in step for step in steps) == 1

    def test_a_gain_that_is_as_large_and_less_certain(self):
        said, steps = of_cutoffs((5, 0.4, 9.6), (6, -0.6, 12.6), (-1, -5, 3))
        assert said == "with .5 it was +5.0 (+0.4 to +9.6), a gain that can no longer be decided"
        assert sum("can no longer be decided" in step for step in steps) == 1
        assert not [step for step in steps if "the answers differ" in step]

    def test_the_same_answer(self):
        said, steps = of_cutoffs((5, 1, 9), (2, 0.5, 3.5), (3, 1, 5))
        assert said == "the answer is the same as with .5"
        assert not [step for step in steps if "cut-off" in step]

    @pytest.mark.parametrize(
        ("moved", "end", "steps_of_it"),
        [
            ((-4, -6, -2), ", so the cut-off matters here", 1),
            ((-4, -9, 1), ", and whether the cut-off matters cannot be decided", 0),
        ],
    )
    def test_a_gain_that_tuning_brings(self, moved, end, steps_of_it):
        said, steps = of_cutoffs((1, -3, 5), (5, 1, 9), moved)
        assert said == f"with .5 it was +1.0 (-3.0 to +5.0){end}"
        assert sum("cut-off" in step for step in steps) == steps_of_it


class TestWhatToTry:
    """Of a page, no option is advised that it was made with."""

    @pytest.mark.parametrize(
        ("profile", "pretrained", "options"),
        [
            ("quick", False, "--profile laptop, or --pretrained"),
            ("quick", True, "--profile laptop"),
            ("laptop", False, "--profile long, or --pretrained"),
            ("laptop", True, "--profile long"),
            ("long", False, "--pretrained"),
            ("paper", True, ""),
        ],
    )
    def test_where_nothing_was_learned_and_where_seeds_differ(self, profile, pretrained, options):
        chance = Interval(SEEDS, 0.52, 0.01, 0.51, 0.53)
        metrics = dict.fromkeys(METRICS, replace(paired(0, -3, 3), own=chance, rival=chance))
        seeds = Interval(SEEDS, 0.0, 0.1, -0.1, 0.1)
        main = replace(paired(0, -3, 3), over_seeds=seeds)
        first, second, *_ = next_steps(findings(profile, pretrained, metrics=metrics, main=main))
        assert first.endswith(f" Try {options}." if options else "python -m sdlib check).")
        assert f"({options}): most" in second or second.startswith("Train on more images: most")
        assert ("--" in first, "--" in second) == (bool(options), bool(options))
