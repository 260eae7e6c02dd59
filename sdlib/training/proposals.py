"""What a search tries next, from the trials that have finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
)
from optuna.trial import create_trial

from sdlib.experiments import Search
from sdlib.experiments.searches import Space

__all__ = ["distributions", "is_whole", "next_values"]

Tried = Sequence[tuple[Mapping[str, float], float]]


def distributions(space: Space, values: dict[str, float]) -> dict[str, BaseDistribution]:
    """What optuna stores beside the values of a trial: where each could have come from.

    Parameters
    ----------
    space : Space
    values : dict of str to float
        Of the trial. A value beyond the grid is stored as one more of its points.
    """
    if space.grid:
        return {
            name: CategoricalDistribution([*dict.fromkeys((*points, values[name]))])
            for name, points in space.grid.items()
        }
    return {
        name: FloatDistribution(low, high, log=log)
        for name, (low, high, log) in space.ranges.items()
    }


def is_whole(search: Search, trials: Sequence[Mapping]) -> bool:
    """Whether the trials of a search leave none to run, by today's grid, ranges and budget.

    None of the three is part of the trials' hash: a larger grid or budget keeps what was tried.

    Parameters
    ----------
    search : Search
    trials : sequence of mapping
        As :func:`sdlib.experiments.trials.read_trials` returns them.

    Returns
    -------
    bool
        False, too, where a trial lies outside today's grid or ranges: the best could be one of
        those.
    """
    if not all(search.space.holds(trial["values"]) for trial in trials):
        return False
    tried = [(trial["values"], trial["value"]) for trial in trials]
    return next_values(search.space, tried, search.run.settings.trials, search.run.seed) is None


def next_values(space: Space, tried: Tried, budget: int, seed: int) -> dict[str, float] | None:
    """The values to try next, or None if enough has been tried.

    The samplers see the finished trials alone: to GridSampler, a trial that failed or was killed
    would be a point visited, and TPE would propose something else.

    Parameters
    ----------
    space : Space
    tried : sequence of (values, score)
        The finished trials of this space, in the order in which they were run.
    budget : int
        Trials of a Bayesian search; a grid has as many as it has points, and those beyond its ends.
    seed : int
        Of the samplers.
    """
    # Every proposal is a study of its own, which optuna would announce.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    points = [values for values, _ in tried]
    if space.grid:
        inside = next((point for point in _points(space, seed) if point not in points), None)
        return inside or space.beyond(tried)
    if len(tried) >= space.count(budget):
        return None
    first = next((dict(point) for point in space.first if dict(point) not in points), None)
    return first or _sampled(space, tried, seed + len(tried))


def _points(space: Space, seed: int) -> list[dict[str, float]]:
    """A grid in the order in which optuna's sampler, seeded, visits it."""
    grid = {name: list(values) for name, values in space.grid.items()}
    study = optuna.create_study(sampler=optuna.samplers.GridSampler(grid, seed=seed))
    ways = {name: CategoricalDistribution(values) for name, values in grid.items()}
    return [study.ask(ways).params for _ in range(space.count(0))]


def _sampled(space: Space, tried: Tried, seed: int) -> dict[str, float]:
    """What optuna's Bayesian sampler proposes after the finished trials."""
    sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    ways = distributions(space, {})
    for values, score in tried:
        study.add_trial(create_trial(value=score, params=dict(values), distributions=ways))
    return study.ask(ways).params
