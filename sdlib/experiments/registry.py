"""Every experiment of the book by name: a new one is a file beside this and a name in the list."""

from __future__ import annotations

from sdlib.errors import ConfigError
from sdlib.experiments import (
    covid,
    covid_lambdas,
    cutout,
    cutout_interpolation,
    cutout_sensitivity,
    hospitals,
    own_data,
    prostate,
    robustness,
    stain_transfer,
)
from sdlib.experiments.arm import Look
from sdlib.experiments.experiment import Experiment

__all__ = ["EXPERIMENTS", "experiment_of", "looks", "register"]

EXPERIMENTS: dict[str, Experiment] = {}


def register(experiment: Experiment) -> None:
    """Make an experiment known to the graph, the command line and the report.

    Raises
    ------
    ConfigError
        There is another one of that name, one that compares something under the same words, or
        the experiment whose searches or networks it borrows is not known.
    """
    if experiment.name in EXPERIMENTS:
        raise ConfigError(f"there are two experiments called {experiment.name!r}: rename one")
    borrowed = experiment.searched_in
    if borrowed and borrowed not in EXPERIMENTS:
        raise ConfigError(
            f"{experiment.name} borrows the searches of the unknown experiment {borrowed!r}; "
            f"expected one of: {', '.join(EXPERIMENTS)}"
        )
    lender = experiment.networks_of
    if lender and lender not in EXPERIMENTS:
        raise ConfigError(
            f"{experiment.name} tests networks of the unknown experiment {lender!r}; "
            f"expected one of: {', '.join(EXPERIMENTS)}"
        )
    told = {(c.claim_id, c.text) for other in EXPERIMENTS.values() for c in other.comparisons}
    for comparison in experiment.comparisons:
        if (comparison.claim_id, comparison.text) in told:
            raise ConfigError(
                f"two experiments compare {comparison.text!r} for {comparison.claim_id}: give the "
                f"comparison of {experiment.name} words of its own"
            )
    EXPERIMENTS[experiment.name] = experiment


MODULES = (
    *(cutout, cutout_sensitivity, cutout_interpolation),
    robustness,
    *(prostate, stain_transfer, hospitals),
    *(covid, covid_lambdas),
    own_data,
)

for _module in MODULES:
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
