"""Every experiment of the book by name: a new one is a file beside this and a name in the list."""

from __future__ import annotations

from sdlib.errors import ConfigError
from sdlib.experiments import cutout, robustness, stain_transfer
from sdlib.experiments.arm import Look
from sdlib.experiments.experiment import Experiment

__all__ = ["EXPERIMENTS", "experiment_of", "looks", "register"]

EXPERIMENTS: dict[str, Experiment] = {}


def register(experiment: Experiment) -> None:
    """Make an experiment known to the graph, the command line and the report.

    Raises
    ------
    ConfigError
        There is another one of that name.
    """
    if experiment.name in EXPERIMENTS:
        raise ConfigError(f"there are two experiments called {experiment.name!r}: rename one")
    EXPERIMENTS[experiment.name] = experiment


for _module in (cutout, robustness, stain_transfer):
    for _experiment in _module.EXPERIMENTS:
        register(_experiment)


def experiment_of(name: str) -> Experiment:
    """The experiment called ``name``.

    Raises
    ------
    ConfigError
        There is none of that name.
    """
    if name not in EXPERIMENTS:
        known = ", ".join(EXPERIMENTS)
        raise ConfigError(f"unknown experiment {name!r}; expected one of: {known}")
    return EXPERIMENTS[name]


def looks() -> dict[str, Look]:
    """How each arm that has a look of its own is drawn, by name of the arm.

    >>> looks()["control"].marker
    '*'
    """
    return {
        arm.name: arm.style
        for experiment in EXPERIMENTS.values()
        for arm in experiment.arms
        if arm.look is not None
    }
