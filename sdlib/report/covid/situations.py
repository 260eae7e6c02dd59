"""The two training situations of section 3.4, the arms that are compared, and ensembles on films.

Every page of the chapter names situations, pairs and cohorts as they are named here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sdlib.checks import known
from sdlib.experiments.covid import DECAY, EXPERIMENTS, SD
from sdlib.results import Place

__all__ = [
    "HEADINGS",
    "INSIDE",
    "NOTHING",
    "OUTSIDE",
    "PAIRS",
    "SITUATIONS",
    "Scored",
    "in_order",
    "scored",
    "situation_of",
]

#: Test films of the places that were trained on, and of a place that was not.
INSIDE, OUTSIDE = "test", "external"
#: What tables and figures call them.
HEADINGS = {INSIDE: "inside", OUTSIDE: "outside"}
#: What an empty cell of a table says.
NOTHING = "–"
#: The panels of Figure 7 by experiment.
SITUATIONS = dict(
    zip(
        [experiment.name for experiment in EXPERIMENTS],
        ["A  both classes from the same places", "B  most negatives from a place of their own"],
        strict=True,
    )
)
#: (arm, rival): with the paper's values, and with values that were searched.
PAIRS = {"as given": (SD, DECAY), "tuned": (f"{SD}_tuned", f"{DECAY}_tuned")}


def situation_of(place: Place) -> str:
    """What a place's networks were trained on, as a title.

    Raises
    ------
    ConfigError
        The place is of another experiment.

    Examples
    --------
    >>> situation_of(Place("covid", "laptop", "phantom"))
    'A  both classes from the same places'
    """
    known("experiment with a training situation", place.experiment, SITUATIONS)
    return SITUATIONS[place.experiment]


def in_order(places: Sequence[Place]) -> Iterator[tuple[str, str, list[Place]]]:
    """Each situation with those of the places that have rows of it.

    Parameters
    ----------
    places : sequence of Place
        Of either experiment, in the order in which they are to be shown.

    Yields
    ------
    tuple
        Name of the experiment, title of the situation, and its places; no place without rows.

    Raises
    ------
    ConfigError
        A place is of another experiment.
    """
    titles = [situation_of(place) for place in places]
    for experiment, title in SITUATIONS.items():
        mine = [
            place for place, own in zip(places, titles, strict=True) if own == title and place.arms
        ]
        yield experiment, title, mine


@dataclass(frozen=True, eq=False)
class Scored:
    """What an ensemble says of a cohort's films, beside the truth.

    Attributes
    ----------
    targets : numpy.ndarray
        int8 (n,), 0 or 1 (COVID-19).
    scores : numpy.ndarray
        float64 (n,), the mean probability of the networks.
    groups : numpy.ndarray
        int (n,), the patient of each film.
    networks : int
        How many networks the ensemble has.
    """

    targets: np.ndarray
    scores: np.ndarray
    groups: np.ndarray
    networks: int


def scored(place: Place, arm: str, cohort: str = OUTSIDE) -> Scored | None:
    """The ensemble of an arm on a cohort; None where its predictions are not at hand.

    Parameters
    ----------
    place : Place
    arm, cohort : str
        Of the place's experiment.
    """
    ensemble, targets = place.ensemble(arm, cohort), place.targets(cohort)
    if ensemble is None or not len(targets):
        return None
    return Scored(targets, ensemble.scores, place.groups(cohort), ensemble.networks)
