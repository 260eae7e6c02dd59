"""Search spaces: the paper's grid for Equation 1, ranges for a Bayesian search of Equation 2."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sdlib.checks import known
from sdlib.errors import ConfigError

__all__ = [
    "DECAY_GRID",
    "EQ2_RANGES",
    "LAMBDA_GRID",
    "LAMBDA_RANGE",
    "RATE_GRID",
    "Space",
    "eq2_values",
]

LAMBDA_GRID = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)  # S1 of the paper
DECAY_GRID = (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)  # ours: as many points as S1
RATE_GRID = (0.1, 0.2, 0.4, 0.8)  # of the weight decay arm: how a profile's rate was chosen
LAMBDA_RANGE = (1e-6, 1e-1)  # S1's ends, continuous
GAMMA_RANGE = (-1.0, 3.0)  # S2 is {-1, 0, 1, 2}; the paper's optimum, 2.61, lies beyond

#: What can be searched: values of an arm, and the learning rate, which all arms share.
SEARCHABLE = (
    *("weight_decay", "lam", "learning_rate"),
    *("lam_neg", "lam_pos", "gamma_neg", "gamma_pos"),
)
METRICS = ("accuracy", "auroc")
MOST_BEYOND = 3  # values tried beyond an end of a grid whose best value lies there
#: Lowest value, highest value, whether logarithmic.
EQ2_RANGES = {
    "lam_neg": (*LAMBDA_RANGE, True),
    "lam_pos": (*LAMBDA_RANGE, True),
    "gamma_neg": (*GAMMA_RANGE, False),
    "gamma_pos": (*GAMMA_RANGE, False),
}


def eq2_values(lam: tuple[float, float], gamma: tuple[float, float]) -> dict[str, float]:
    """The values of Equation 2 by the names that searches give them.

    Parameters
    ----------
    lam, gamma : pair of float
        (negative, positive), or (benign, cancer).

    Examples
    --------
    >>> eq2_values((0.01, 0.001), (0.0, 1.0))
    {'lam_neg': 0.01, 'lam_pos': 0.001, 'gamma_neg': 0.0, 'gamma_pos': 1.0}
    """
    names = ("lam_neg", "lam_pos", "gamma_neg", "gamma_pos")
    return dict(zip(names, (*lam, *gamma), strict=True))


@dataclass(frozen=True)
class Space:
    """The values that a search tries, and the cohort that it is judged on.

    Parameters
    ----------
    name : str
        Used in commands and file names.
    judged_on : str
        ``validation`` or, to repeat what the paper did in section 3.1, ``test``.
    grid : mapping of str to tuple of float, optional
        Every combination is tried.
    metric : str
        What the best trial has most of: ``accuracy`` or ``auroc``.
    ranges : mapping of str to (low, high, logarithmic), optional
        For Bayesian optimisation, with the profile's budget of trials.
    first : tuple of mapping of str to float
        Values that a Bayesian search tries before any others, such as the paper's.
    extends : bool
        Whether a grid of one value goes on beyond an end at which its best value lies.
    arm : str
        The arm whose other values its trials have; if empty, they are those of the experiment's
        ``trial``, or of its first arm where the learning rate is on trial.

    Raises
    ------
    ConfigError
        Neither a grid nor ranges, or both; a value that no arm can take from a search; a metric
        that does not choose; first values outside the ranges.

    Examples
    --------
    >>> Space("decay", "validation", grid={"weight_decay": (0.1, 0.01)}, extends=True).names
    ('weight_decay',)
    """

    name: str
    judged_on: str
    grid: Mapping[str, tuple[float, ...]] | None = field(default=None, hash=False)
    ranges: Mapping[str, tuple[float, float, bool]] | None = field(default=None, hash=False)
    metric: str = "accuracy"
    first: tuple[Mapping[str, float], ...] = field(default=(), hash=False)
    extends: bool = False
    arm: str = ""

    def __post_init__(self) -> None:
        if bool(self.grid) == bool(self.ranges):
            raise ConfigError(f"expected either a grid or ranges for the search {self.name!r}")
        known(f"metric of the search {self.name!r}", self.metric, METRICS)
        unknown = sorted(set(self.names) - set(SEARCHABLE))
        if unknown:
            raise ConfigError(
                f"the search {self.name!r} tries {unknown[0]!r}; expected names among: "
                f"{', '.join(SEARCHABLE)}"
            )
        if self.extends and (not self.grid or len(self.grid) > 1 or self.count(0) < 2):
            raise ConfigError(
                f"expected two points or more of one value in the search {self.name!r}, whose "
                "grid is to go on beyond its ends"
            )
        for point in self.first:
            self._check_first(point)

    def _check_first(self, point: Mapping[str, float]) -> None:
        """Raise a ConfigError if values that are to be tried first could not be proposed."""
        if not self.ranges or set(point) != set(self.ranges):
            raise ConfigError(
                f"expected first values of {', '.join(self.names)} for a Bayesian search, got "
                f"{', '.join(point)} for the search {self.name!r}"
            )
        for name, (low, high, _) in self.ranges.items():
            if not low <= point[name] <= high:
                raise ConfigError(
                    f"expected a first {name} from {low:g} to {high:g} in the search "
                    f"{self.name!r}, got {point[name]:g}"
                )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the values on trial."""
        return tuple(self.grid or self.ranges)

    def count(self, budget: int) -> int:
        """How many trials it has: the points of its grid, or the profile's budget.

        >>> Space("sd_eq1", "validation", grid={"lam": LAMBDA_GRID}).count(20)
        6
        """
        return math.prod(map(len, self.grid.values())) if self.grid else budget

    def holds(self, values: Mapping[str, float]) -> bool:
        """Whether a trial of these values is one of this search, as it is today.

        Parameters
        ----------
        values : mapping of str to float
            Of a trial, perhaps one made when the grid or the ranges were others.

        Returns
        -------
        bool
            True for values within the ranges, for a point of the grid and, where the grid goes on
            beyond its ends, for a value beyond them.

        Examples
        --------
        >>> space = Space("decay", "validation", grid={"weight_decay": (0.1, 0.01)}, extends=True)
        >>> [space.holds({"weight_decay": value}) for value in (0.1, 0.05, 1.0)]
        [True, False, True]
        """
        if set(values) != set(self.names):
            return False
        if self.ranges:
            return all(low <= values[name] <= high for name, (low, high, _) in self.ranges.items())
        if all(values[name] in points for name, points in self.grid.items()):
            return True
        if not self.extends:
            return False
        ((name, points),) = self.grid.items()
        return not min(points) <= values[name] <= max(points)

    def same_values(self, other: Space) -> bool:
        """Whether both try the same values: then trials of the one serve the other."""
        return (self.grid, self.ranges, self.arm) == (other.grid, other.ranges, other.arm)

    def beyond(self, tried: Sequence[tuple[Mapping[str, float], float]]) -> dict[str, float] | None:
        """The next value beyond an end of a grid, or None if the best value lies inside.

        An end at 0 has no beyond. At most :data:`MOST_BEYOND` values are tried beyond an end, each
        as many times the last as that one was the one before it.

        Parameters
        ----------
        tried : sequence of (values, score)
            The trials of the whole grid, and of what has been tried beyond it.

        Examples
        --------
        >>> space = Space("decay", "validation", grid={"weight_decay": (0.1, 0.01)}, extends=True)
        >>> space.beyond([({"weight_decay": 0.1}, 0.8), ({"weight_decay": 0.01}, 0.7)])
        {'weight_decay': 1.0}
        >>> inside = {0.01: 0.7, 0.1: 0.8, 1.0: 0.6}
        >>> space.beyond([({"weight_decay": v}, score) for v, score in inside.items()])
        """
        if not self.extends:
            return None
        ((name, points),) = self.grid.items()
        scores = {values[name]: score for values, score in tried}
        ordered = sorted(scores)
        best = [value for value in ordered if scores[value] == max(scores.values())]
        for end, neighbour in ((ordered[0], ordered[1]), (ordered[-1], ordered[-2])):
            outside = [
                v for v in ordered if v not in points and (v < min(points)) == (end < neighbour)
            ]
            if best == [end] and end > 0 and len(outside) < MOST_BEYOND:
                return {name: float(f"{end * end / neighbour:.6g}")}
        return None
