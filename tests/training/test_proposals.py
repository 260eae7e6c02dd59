"""What a search tries next, beside optuna's own samplers."""

import optuna
import pytest
from optuna.trial import create_trial

from sdlib.experiments import searches_of
from sdlib.experiments.paper import PAPER_EQ2_GAMMA, PAPER_EQ2_LAM
from sdlib.experiments.searches import EQ2_RANGES, Space, eq2_values
from sdlib.experiments.trials import read_trials
from sdlib.paths import recorded_folder
from sdlib.training.proposals import distributions, is_whole, next_values

PAPER = eq2_values(PAPER_EQ2_LAM, PAPER_EQ2_GAMMA)
BAYESIAN = Space("bayesian", "validation", ranges=EQ2_RANGES, first=(PAPER,))
GRID = Space("grid", "validation", grid={"lam": (0.1, 0.01, 0.001)}, extends=True)
SEED, BUDGET = 1000, 14


def score(values):
    """Highest at a negative lambda of 1e-2 and a positive gamma of 1."""
    far = abs(values.get("lam_neg", 0) - 0.01) + abs(values.get("gamma_pos", 1) - 1)
    return 1 / (1 + far)


def searched(space, score, budget=BUDGET):
    tried = []
    while (values := next_values(space, tried, budget, SEED)) is not None:
        tried.append((values, score(values)))
    return [values for values, _ in tried]


def test_first_values_come_first_and_count_as_trials():
    found = searched(BAYESIAN, score)
    assert found[0] == PAPER
    assert len(found) == BUDGET
    assert PAPER not in found[1:]


def test_the_sampler_knows_the_first_values():
    """What is proposed next is what optuna proposes after all finished trials."""
    found = searched(BAYESIAN, score)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=SEED + BUDGET - 1)
    )
    for values in found[:-1]:
        ways = distributions(BAYESIAN, values)
        study.add_trial(create_trial(value=score(values), params=values, distributions=ways))
    assert study.ask(distributions(BAYESIAN, {})).params == found[-1]


@pytest.mark.parametrize(
    ("peak", "added"),
    [(0.01, set()), (0.1, {1.0}), (1.0, {1.0, 10.0}), (1e-4, {1e-4, 1e-5})],
)
def test_a_grid_is_tried_whole_and_then_beyond_its_better_end(peak, added):
    found = [values["lam"] for values in searched(GRID, lambda v: -abs(v["lam"] / peak - 1))]
    assert sorted(found[:3]) == [0.001, 0.01, 0.1]
    assert sorted(found[3:]) == pytest.approx(sorted(added))


RECORDED = [
    search
    for file in sorted(recorded_folder().glob("*-trials.jsonl"))
    for experiment, source, profile in [file.stem.removesuffix("-trials").rsplit("-", 2)]
    for search in searches_of(experiment, profile, source)
]


@pytest.mark.parametrize("search", RECORDED, ids=lambda s: f"{s.id} {s.source} {s.profile}")
def test_every_recorded_search_is_whole(search):
    trials = read_trials(search, recorded=True)
    assert is_whole(search, trials)
    assert not is_whole(search, trials[:1])


def test_a_trial_outside_the_ranges_is_of_another_search(trial_of):
    search = next(one for one in RECORDED if one.id == "cutout/sd_eq2")
    trials = read_trials(search, recorded=True)
    outside = trial_of(search, {**trials[0]["values"], "gamma_pos": 3.5})
    assert not is_whole(search, [*trials, outside])
