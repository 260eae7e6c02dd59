"""The optimum of cross-entropy with spectral decoupling, and how sources write its strength.

For separable data the penalised loss has a finite optimum, with one logit per class. It depends on
lambda and gamma only: not on the features, the network or the class shares.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import NamedTuple

from scipy.optimize import brentq
from scipy.special import expit

from sdlib.errors import ConfigError

__all__ = [
    "LAMBDA_CONVENTIONS",
    "LambdaConvention",
    "check_lambda",
    "check_pairs",
    "convert_lambda",
    "resting_logits",
]


class LambdaConvention(NamedTuple):
    """One way to write the strength of the penalty.

    Attributes
    ----------
    source : str
        Who writes it so, for how many logits.
    penalty : str
        The penalty as a formula.
    to_single : float
        This times the written value is the lambda of Algorithm 1 with a single logit that has its
        optimum at the same margin.
    """

    source: str
    penalty: str
    to_single: float


LAMBDA_CONVENTIONS: dict[str, LambdaConvention] = {
    "algorithm_1": LambdaConvention("Algorithm 1, one logit", "λ/2 · mean(f²)", 1.0),
    "algorithm_1_two_logits": LambdaConvention(
        "Algorithm 1, two-logit softmax", "λ/2 · mean over batch and both logits", 1 / 4
    ),
    "equation_1_two_logits": LambdaConvention(
        "Equation 1 read literally, two-logit softmax", "λ/2 · sum over both logits", 1 / 2
    ),
    "coefficient": LambdaConvention("gradient-starvation code, one logit", "c · mean(f²)", 2.0),
    "coefficient_two_logits": LambdaConvention(
        "DomainBed, two-logit softmax", "c · mean over batch and both logits", 1 / 2
    ),
}
"""How each source writes the strength of the penalty, for a binary task."""


def resting_logits(
    lam: float | Sequence[float], gamma: Sequence[float] = (0.0, 0.0)
) -> tuple[float, float]:
    """Compute the logits at which the penalised loss of separable data is least.

    The logit of a positive example solves ``lam_pos (f - gamma_pos) = sigmoid(-f)``, that of a
    negative ``lam_neg (f - gamma_neg) = -sigmoid(f)``.

    Parameters
    ----------
    lam : float or sequence of float
        Strength of Equation 1, for which the two logits differ in sign only, or the
        (negative, positive) pair of Equation 2; finite and at least 0.
    gamma : sequence of float
        (negative, positive) target logits, finite.

    Returns
    -------
    negative, positive : float
        One logit per class; infinite where lambda is 0.

    Raises
    ------
    ConfigError
        A negative or non-finite lambda, a non-finite gamma.

    Examples
    --------
    >>> [round(f, 4) for f in resting_logits(0.01)]
    [-3.3593, 3.3593]
    """
    pair = (lam, lam) if isinstance(lam, Real) else lam
    (lam_neg, lam_pos), gamma = check_pairs(pair, gamma)
    # With f -> -f and gamma -> -gamma, the negative's equation becomes the positive's.
    return -_resting_positive(lam_neg, -gamma[0]), _resting_positive(lam_pos, gamma[1])


def convert_lambda(value: float, source: str, target: str = "algorithm_1") -> float:
    """Convert the strength of a penalty from the convention of one source to that of another.

    With either value, separable examples of a binary task have their optimum at the same margin.

    Parameters
    ----------
    value : float
        The strength as ``source`` writes it, finite and at least 0.
    source, target : str
        Keys of :data:`LAMBDA_CONVENTIONS`.

    Returns
    -------
    float
        The strength as ``target`` writes it.

    Raises
    ------
    ConfigError
        An unknown convention, a negative or non-finite value.

    Examples
    --------
    >>> round(convert_lambda(0.1, "coefficient_two_logits"), 4)  # DomainBed's default
    0.05
    """
    check_lambda(value)
    for name in (source, target):
        if name not in LAMBDA_CONVENTIONS:
            raise ConfigError(
                f"expected a convention in {sorted(LAMBDA_CONVENTIONS)}, got {name!r}"
            )
    return value * LAMBDA_CONVENTIONS[source].to_single / LAMBDA_CONVENTIONS[target].to_single


def _resting_positive(lam: float, gamma: float) -> float:
    """The root f of ``lam (f - gamma) = sigmoid(-f)``."""
    if lam == 0:
        return math.inf
    # The root exceeds gamma, where the penalty's pull is 0; beyond the upper end the pull exceeds
    # sigmoid(-f). One more on either side keeps the signs apart after rounding.
    upper = max(gamma, 0.0) + max(1.0, -math.log(lam))
    return brentq(lambda f: lam * (f - gamma) - expit(-f), gamma - 1, upper + 1, xtol=1e-13)


def check_lambda(lam: object, name: str = "lam") -> None:
    """Raise an error unless a strength is one finite number of at least 0.

    Parameters
    ----------
    lam : object
        The strength.
    name : str
        What the message calls it.

    Raises
    ------
    ConfigError
        Anything else.

    Examples
    --------
    >>> check_lambda(0.01)
    """
    if not isinstance(lam, Real) or not math.isfinite(lam) or lam < 0:
        raise ConfigError(f"expected {name} to be one finite number of at least 0, got {lam!r}")


def check_pairs(lam: object, gamma: object) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return lambda and gamma as (negative, positive) tuples, or raise an error.

    Parameters
    ----------
    lam : object
        A sequence of two finite numbers of at least 0.
    gamma : object
        A sequence of two finite numbers.

    Returns
    -------
    lam, gamma : tuple of float
        (negative, positive) each.

    Raises
    ------
    ConfigError
        Anything else.

    Examples
    --------
    >>> check_pairs([0.01, 0.001], [0.0, 1.0])
    ((0.01, 0.001), (0.0, 1.0))
    """
    for name, pair in (("lam", lam), ("gamma", gamma)):
        if not isinstance(pair, Sequence) or len(pair) != 2:
            raise ConfigError(f"expected {name} as a pair (negative, positive), got {pair!r}")
    for which, one_lam, one_gamma in zip(("negative", "positive"), lam, gamma, strict=True):
        check_lambda(one_lam, f"the {which} class's lam")
        if not isinstance(one_gamma, Real) or not math.isfinite(one_gamma):
            raise ConfigError(
                f"expected the {which} class's gamma to be a finite number, got {one_gamma!r}"
            )
    return tuple(lam), tuple(gamma)
