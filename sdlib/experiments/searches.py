"""Search spaces: the paper's grid for Equation 1, ranges for a Bayesian search of Equation 2."""

from __future__ import annotations

import math
from collections.abc import Mapping
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
#: Lowest value, highest value, whether logarithmic.
EQ2_RANGES = {
    "lam_neg": (*LAMBDA_RANGE, True),
    "lam_pos": (*LAMBDA_RANGE, True),
    "gamma_neg": (*GAMMA_RANGE, False),
    "gamma_pos": (*GAMMA_RANGE, False),
}


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

    Raises
    ------
    ConfigError
        Neither a grid nor ranges, or both; a value that no arm can take from a search; a metric
        that does not choose.
    """

    name: str
    judged_on: str
    grid: Mapping[str, tuple[float, ...]] | None = field(default=None, hash=False)
    ranges: Mapping[str, tuple[float, float, bool]] | None = field(default=None, hash=False)
    metric: str = "accuracy"

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

    def same_values(self, other: Space) -> bool:
        """Whether both try the same values: then trials of the one serve the other."""
        return (self.grid, self.ranges) == (other.grid, other.ranges)
