"""Intervals of a mean over seeds, and the smallest difference that so many seeds can find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from sdlib.checks import check_number, check_probability
from sdlib.errors import ConfigError

__all__ = ["FEWEST_SEEDS", "Interval", "mean_interval", "smallest_effect"]


FEWEST_SEEDS = 3  # an interval over fewer seeds says nothing: none is given


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its spread and its confidence interval.

    Attributes
    ----------
    n : int
        Number of values.
    mean : float
        Their mean.
    sd : float
        Their standard deviation with n - 1 degrees of freedom; NaN for one value.
    low, high : float
        Ends of the interval; NaN for one or two values.

    Examples
    --------
    >>> print(Interval(3, 0.8, 0.1, 0.552, 1.048))
    0.800 (SD 0.100; 0.552 to 1.048; n = 3)
    """

    n: int
    mean: float
    sd: float
    low: float
    high: float

    def __str__(self) -> str:
        return (
            f"{self.mean:.3f} (SD {self.sd:.3f}; {self.low:.3f} to {self.high:.3f}; n = {self.n})"
        )


def mean_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Student's t interval of a mean, for instance of paired differences over seeds.

    Parameters
    ----------
    values : array_like
        (n,), one value per seed, n of at least 1.
    level : float
        Confidence level, above 0 and below 1.

    Returns
    -------
    Interval
        With one value, SD and ends are NaN: one seed has no spread. With two the ends are NaN, too:
        at 95 % the interval would be thirteen times as long as the values are apart.

    Raises
    ------
    ConfigError
        No values, or more than one axis; a level that is not above 0 and below 1.

    Examples
    --------
    >>> print(mean_interval([0.7, 0.8, 0.9]))
    0.800 (SD 0.100; 0.552 to 1.048; n = 3)
    """
    check_probability("a level", level)
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not len(values):
        raise ConfigError(f"expected values of shape (n,), n >= 1, got {values.shape}")
    n = len(values)
    mean = float(values.mean())
    if n == 1:
        return Interval(1, mean, float("nan"), float("nan"), float("nan"))
    sd = float(values.std(ddof=1))
    if n < FEWEST_SEEDS:
        return Interval(n, mean, sd, float("nan"), float("nan"))
    # Seeds are few: the normal distribution would make the interval too narrow.
    half = sd / np.sqrt(n) * special.stdtrit(n - 1, (1 + level) / 2)
    return Interval(n, mean, sd, float(mean - half), float(mean + half))


def smallest_effect(sd: float, n: int, power: float = 0.8) -> float:
    """The mean paired difference that a two-sided t test at 5 % finds with the given power.

    The sum of two t quantiles, as is usual: with three seeds or more the true power is within .05
    of the given one.

    Parameters
    ----------
    sd : float
        Standard deviation of the paired differences over seeds, at least 0.
    n : int
        Number of seeds.
    power : float
        Probability that the test finds the difference, above 0 and below 1.

    Returns
    -------
    float
        In the unit of ``sd``; NaN below two seeds, for one seed has no spread.

    Raises
    ------
    ConfigError
        A power that is not above 0 and below 1; a standard deviation below 0.

    Examples
    --------
    >>> round(smallest_effect(0.02, 5), 3)
    0.033
    """
    check_probability("a power", power)
    if n < 2:
        return float("nan")
    check_number("a standard deviation", sd, 0)
    # The exact power needs the noncentral t distribution, which has no inverse in closed form.
    quantiles = stats.t.ppf(0.975, n - 1) + stats.t.ppf(power, n - 1)
    return float(quantiles * sd / np.sqrt(n))
