"""Ours: as lambda grows, does a network rely less on the signature of a place?

Equation 1 over a grid of lambda, trained on phantom films of which most negatives are from a place
of their own; each part of the signature is changed alone, as in :mod:`sdlib.experiments.covid`.
"""

from __future__ import annotations

from sdlib.experiments.arm import Arm
from sdlib.experiments.covid import ADDED_EXPERIMENT, PHANTOMS
from sdlib.experiments.experiment import Experiment

__all__ = ["EXPERIMENTS", "LAMBDAS", "lambda_arm"]

LAMBDAS = (0.0, 1e-2, 1e-1, 1.0)


def lambda_arm(lam: float) -> str:
    """The arm of a lambda.

    >>> lambda_arm(0.01)
    'sd_eq1_0.01'
    """
    return f"sd_eq1_{lam:g}"


EXPERIMENTS = (
    Experiment(
        "covid_lambdas",
        "COVID-19: reliance on a place's signature over lambda",
        tuple(Arm(lambda_arm(lam), f"SD Eq. 1, λ = {lam:g}", lam=lam) for lam in LAMBDAS),
        ADDED_EXPERIMENT.training,
        ADDED_EXPERIMENT.evaluation_at("phantom"),
        overrides={
            "smoke": PHANTOMS,
            # Fewer films than in the experiment of the paper: a minute per network.
            "laptop": {**ADDED_EXPERIMENT.overrides["laptop"], "tiles": 600},
        },
        images=ADDED_EXPERIMENT.images,
        profiles=("smoke", "laptop"),
        sources=("phantom",),
    ),
)
