"""The margin at which Equation 1 holds training data, for every kind of classification head.

The **margin** of an example is the logit of its class minus the largest other one. Of a single
logit it is that logit, with its sign changed for negatives. Without a penalty no margin is large
enough. With it, each head has a margin at which cross-entropy and the penalty balance: the **cap**.
Label smoothing has a cap, too, and where both are used their pulls add up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from scipy.optimize import brentq

from sdlib.checks import check_number
from sdlib.errors import ConfigError
from sdlib.theory.optima import check_lambda

__all__ = ["HEADS", "cap_table", "equal_lambdas", "lambda_of_cap", "margin_cap", "probability_at"]

HEADS = {"one logit": 1, "two logits": 2, "3 classes": 3, "10 classes": 10}
"""Heads by name and number of classes, for tables. A multi-label head has one logit per label."""

LAMBDAS = (1.0, 0.1, 0.01, 1e-3, 1e-4)
LARGEST_MARGIN = 700.0  # exp of more is infinite in double precision


def margin_cap(lam: float, classes: int = 1, smoothing: float = 0.0) -> float:
    """Compute the margin at which cross-entropy and the penalty balance on separable data.

    For a softmax of C logits ``lam * m / C**2 = 1 / (exp(m) + C - 1)``, and for a single logit
    (``classes=1``) ``lam * m = 1 / (exp(m) + 1)``. A softmax of two logits therefore needs four
    times the lambda of a single logit for the same margin.

    Parameters
    ----------
    lam : float
        Strength in Algorithm 1's convention, ``lam / 2 * mean(logits**2)``, with the mean over the
        batch and over all logits; finite and at least 0.
    classes : int
        1 for a head of one logit, or for each logit of a multi-label head whose cross-entropy is
        averaged over labels; otherwise the number of softmax classes.
    smoothing : float
        Of labels, 0 to less than 1, as PyTorch and timm mean it: the target of the true class is
        ``1 - smoothing + smoothing / C``, of a single logit ``1 - smoothing / 2``.

    Returns
    -------
    float
        Above 0; infinite where neither the penalty nor smoothing limits it.

    Raises
    ------
    ConfigError
        A number that is out of its range.

    Examples
    --------
    >>> [round(margin_cap(0.01), 3), round(margin_cap(0.04, classes=2), 3)]
    [3.359, 3.359]
    >>> round(margin_cap(0.0, smoothing=0.1), 3)
    2.944
    """
    check_lambda(lam)
    check_number("classes", classes, 1, whole=True)
    check_number("smoothing", smoothing, 0, 1)
    if smoothing == 1:
        raise ConfigError("expected smoothing below 1, got 1: nothing is left of the labels")
    if lam == 0 and smoothing == 0:
        return math.inf
    pull = lam * _share(classes)
    smoothed = smoothing * _others(classes) / (_others(classes) + 1)
    caps = []  # either would have its cap here or above, if it were alone
    if smoothed:
        caps.append(math.log(_others(classes) * (1 - smoothed) / smoothed))
    if pull:
        caps.append(max(1.0, math.log(_others(classes) / pull)) + 1)

    def excess(margin: float) -> float:
        return pull * margin + smoothed - _left_out(margin, classes)

    # One more on the upper side keeps the signs apart after rounding.
    return brentq(excess, 0.0, min(caps) + 1, xtol=1e-13)


def lambda_of_cap(margin: float, classes: int = 1) -> float:
    """Compute the lambda whose cap is a given margin; the inverse of :func:`margin_cap`.

    Parameters
    ----------
    margin : float
        Above 0 and finite.
    classes : int
        As for :func:`margin_cap`.

    Returns
    -------
    float
        In Algorithm 1's convention.

    Raises
    ------
    ConfigError
        A number that is out of its range.

    Examples
    --------
    >>> round(lambda_of_cap(margin_cap(0.01), classes=2), 6)
    0.04
    """
    check_number("classes", classes, 1, whole=True)
    check_number("margin", margin, 0, LARGEST_MARGIN)
    if margin == 0:
        raise ConfigError("expected a margin above 0, got 0: no finite lambda has this cap")
    return _left_out(margin, classes) / (_share(classes) * margin)


def probability_at(margin: float, classes: int = 1) -> float:
    """Compute the predicted probability of the true class at a margin, all other classes alike.

    Parameters
    ----------
    margin : float
        Of the true class before each of the others.
    classes : int
        As for :func:`margin_cap`.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ConfigError
        There is no class.

    Examples
    --------
    >>> round(probability_at(3.359), 3)
    0.966
    """
    check_number("classes", classes, 1, whole=True)
    return 1 - _left_out(margin, classes)


def cap_table(lambdas: Sequence[float] = LAMBDAS) -> pd.DataFrame:
    """Caps of the margin by lambda and head.

    Parameters
    ----------
    lambdas : sequence of float
        Strengths in Algorithm 1's convention.

    Returns
    -------
    pandas.DataFrame
        float64; one line per lambda, one column per head of :data:`HEADS`.

    Examples
    --------
    >>> cap_table([0.01]).round(2).iloc[0].tolist()
    [3.36, 4.48, 5.15, 7.23]
    """
    found = {name: [margin_cap(lam, n) for lam in lambdas] for name, n in HEADS.items()}
    return pd.DataFrame(found, pd.Index(lambdas, name="λ"))


def equal_lambdas(lambdas: Sequence[float] = LAMBDAS) -> pd.DataFrame:
    """Lambdas that give every head the cap which a single logit has.

    Parameters
    ----------
    lambdas : sequence of float
        Strengths for a single logit, above 0.

    Returns
    -------
    pandas.DataFrame
        float64; one line per lambda of a single logit, one column per head of :data:`HEADS`.

    Examples
    --------
    >>> equal_lambdas([0.01])["two logits"].round(4).tolist()
    [0.04]
    """
    caps = [margin_cap(lam) for lam in lambdas]
    found = {name: [lambda_of_cap(cap, n) for cap in caps] for name, n in HEADS.items()}
    return pd.DataFrame(found, pd.Index(lambdas, name="λ of one logit"))


def _share(classes: int) -> float:
    """What the penalty pulls a margin with, as a share of ``lam * margin``.

    At the optimum the logits of C classes sum to 0: the true one is ``(C - 1) / C`` of the margin,
    and the mean over logits divides its pull by C.
    """
    return 1.0 if classes == 1 else (classes - 1) / classes**2


def _others(classes: int) -> int:
    """Classes beside the true one; a single logit is a softmax of it and of a constant 0."""
    return max(classes - 1, 1)


def _left_out(margin: float, classes: int) -> float:
    """The probability of all other classes; 1 minus that of the true one would have no digits."""
    against = _others(classes) * math.exp(-margin)
    return against / (1 + against)
