"""What a search tries next, from the trials that have finished."""

from __future__ import annotations

from collections.abc import Sequence

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
)
from optuna.trial import FrozenTrial

from sdlib.experiments.searches import Space

__all__ = ["distributions", "next_values"]


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


def next_values(
    space: Space, finished: Sequence[FrozenTrial], budget: int, seed: int
) -> dict[str, float] | None:
    """The values to try next, or None if enough has been tried.

    The samplers see the finished trials alone: to GridSampler, a trial that failed or was killed
    would be a point visited, and TPE would propose something else.

    Parameters
    ----------
    space : Space
    finished : sequence of optuna.trial.FrozenTrial
        In the order in which they were run.
    budget : int
        Trials of a Bayesian search; a grid has as many as it has points, and those beyond its ends.
    seed : int
        Of the samplers.
    """
    tried = [trial.params for trial in finished]
    if space.grid:
        inside = next((point for point in _points(space, seed) if point not in tried), None)
        return inside or space.beyond([(trial.params, trial.value) for trial in finished])
    if len(finished) >= space.count(budget):
        return None
    first = next((dict(point) for point in space.first if dict(point) not in tried), None)
    return first or _sampled(space, finished, seed + len(finished))


def _points(space: Space, seed: int) -> list[dict[str, float]]:
    """A grid in the order in which optuna's sampler, seeded, visits it."""
    grid = {name: list(values) for name, values in space.grid.items()}
    study = optuna.create_study(sampler=optuna.samplers.GridSampler(grid, seed=seed))
    ways = {name: CategoricalDistribution(values) for name, values in grid.items()}
    return [study.ask(ways).params for _ in range(space.count(0))]


def _sampled(space: Space, finished: Sequence[FrozenTrial], seed: int) -> dict[str, float]:
    """What optuna's Bayesian sampler proposes after the finished trials."""
    sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.add_trials(finished)
    return study.ask(distributions(space, {})).params
