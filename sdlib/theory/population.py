r"""The penalised risk of a whole population, minimised at every input by itself.

A network that could take any logit at any input would take the one that minimises

.. math:: \eta\,\ell_\mathrm{pos}(f) + (1 - \eta)\,\ell_\mathrm{neg}(f),

where eta is the posterior: the share of positives among all examples that look like this one, and a
loss is cross-entropy with the penalty of its class. What such a network does is the part of a
method's effect that has nothing to do with finite data, features or training.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

import numpy as np
from scipy.optimize.elementwise import find_root
from scipy.special import expit

from sdlib.errors import ConfigError
from sdlib.theory.optima import check_pairs, resting_logits

__all__ = ["cutoff_worth", "population_logits"]

SEPARATED = (0.0, 0.0)  # gamma of Equation 1


def population_logits(
    posteriors: np.ndarray,
    lam: float | Sequence[float],
    gamma: Sequence[float] = SEPARATED,
) -> np.ndarray:
    """Compute the logits that minimise the penalised risk where the posteriors are known.

    Parameters
    ----------
    posteriors : array_like of float
        Shape ``(n,)``, from 0 to 1: the probability of the positive class at each input.
    lam : float or pair of float
        As in :func:`sdlib.theory.optima.resting_logits`, above 0.
    gamma : pair of float
        (negative, positive) target logits.

    Returns
    -------
    numpy.ndarray
        float64 ``(n,)``; rises with the posterior.

    Raises
    ------
    ConfigError
        Posteriors outside 0 to 1; a lambda of 0; values at which positives rest below negatives.

    Examples
    --------
    >>> population_logits([0.0, 0.5, 1.0], lam=0.01).round(4).tolist()
    [-3.3593, 0.0, 3.3593]
    """
    eta = np.asarray(posteriors, np.float64)
    if not ((eta >= 0) & (eta <= 1)).all():
        raise ConfigError(f"expected posteriors from 0 to 1, got {eta.min():g} to {eta.max():g}")
    (lam_neg, lam_pos), gamma = _pairs(lam, gamma)
    if not min(lam_neg, lam_pos) > 0:
        raise ConfigError("expected lambdas above 0: without a penalty sure examples never rest")
    negative, positive = _rests((lam_neg, lam_pos), gamma)

    def slope(f, eta):
        """The derivative of the risk by the logit."""
        pulled = lam_pos * (f - gamma[1]) - expit(-f)
        pushed = lam_neg * (f - gamma[0]) + expit(f)
        return eta * pulled + (1 - eta) * pushed

    # Between the resting logits of the classes; one more on either side survives rounding.
    ends = np.full(eta.shape, negative - 1), np.full(eta.shape, positive + 1)
    return find_root(slope, ends, args=(eta,), tolerances={"xatol": 1e-12}).x


def cutoff_worth(lam: float | Sequence[float], gamma: Sequence[float] = SEPARATED) -> float:
    r"""Compute the posterior above which the penalised optimum predicts the positive class.

    It is the cut-off that a network with honest probabilities would need to make the same
    decisions: .5 for Equation 1, and for Equation 2

    .. math:: \eta_0 = \frac{1/2 - \lambda_\mathrm{neg} \gamma_\mathrm{neg}}
        {1 + \lambda_\mathrm{pos} \gamma_\mathrm{pos} - \lambda_\mathrm{neg} \gamma_\mathrm{neg}} .

    Parameters
    ----------
    lam, gamma
        As for :func:`population_logits`; here lambda may be 0.

    Returns
    -------
    float
        From 0 (everything is positive) to 1 (nothing is).

    Raises
    ------
    ConfigError
        A negative or non-finite lambda, a non-finite gamma; values at which positives rest below
        negatives.

    Examples
    --------
    >>> round(cutoff_worth((0.0969, 0.000698), (1.83, 2.61)), 3)  # the paper's, section 3.1
    0.391
    """
    (lam_neg, lam_pos), gamma = _pairs(lam, gamma)
    _rests((lam_neg, lam_pos), gamma)
    # How strongly a negative is pushed down, and a positive pulled up, at a logit of 0.
    down = max(0.5 - lam_neg * gamma[0], 0.0)
    up = max(0.5 + lam_pos * gamma[1], 0.0)
    return down / (down + up)


def _pairs(lam, gamma) -> tuple[tuple[float, float], tuple[float, float]]:
    return check_pairs((lam, lam) if isinstance(lam, Real) else lam, gamma)


def _rests(lam: tuple[float, float], gamma: tuple[float, float]) -> tuple[float, float]:
    """Where the classes rest; an error unless the positive one rests above the negative one."""
    negative, positive = resting_logits(lam, gamma)
    if not negative < positive:
        raise ConfigError(
            f"expected positives to rest above negatives, got logits of {positive:g} and "
            f"{negative:g}: lower the negative gamma, or raise the positive one"
        )
    return negative, positive
