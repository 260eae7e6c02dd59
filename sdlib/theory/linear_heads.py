"""Linear heads on frozen features: where spectral decoupling and weight decay come to rest.

Standardised features of n films and a column of ones for the bias are the rows of ``Phi``, (n, d),
with ``Phi = U S V^T``; a head ``w`` has the logits ``f = Phi w``. The losses, labels y in {-1, 1}:

- spectral decoupling: ``mean CE(f) + lam/2 mean (f - gamma)^2``;
- weight decay: ``mean CE(f) + decay/2 ||w||^2``.

**Where spectral decoupling rests.** Its loss depends on ``w`` through ``f`` alone. With more
features than films (rank n) every ``f`` can be reached, so each film rests where its own loss is
least: at the logit of its class, of :func:`sdlib.theory.optima.resting_logits`. Under Equation 1
all films have one margin m, with ``lam m = sigmoid(-m)``.

**Which head has these logits.** Many have them. The gradient ``Phi^T df`` is a sum of films, so
that gradient descent from 0 never leaves their span. One head there has the logits ``f``, and it is
the shortest of all: ``w = Phi^+ f = sum_i v_i (u_i . f) / s_i``.

**What follows.** Every direction ``v_i`` is used until it gives its whole share of the margins,
and the weaker it is, the larger is its weight: ``1 / s_i``. Directions of noise are not left out.
``lam`` sets the length of ``w``, not its direction. So does ``gamma``, except for the bias: centred
features are orthogonal to ones, and ``Phi^+ 1`` is the bias alone. With more features than films,
therefore, no ``lam`` and no ``gamma`` changes the ranking of new films by a head at rest.

**Weight decay** weighs directions the other way. With a large ``decay`` the logits are small,
``CE`` is linear in them, and ``w = sum_i v_i s_i (u_i . y) / (2 n decay)``: weights in proportion
to strength. With a ``decay`` towards 0 the head turns to that of the largest margin, in which the
films that are easy have no say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg
from scipy.special import expit

from sdlib.checks import check_number
from sdlib.errors import ConfigError
from sdlib.theory.linearised import Array
from sdlib.theory.optima import check_lambda, check_pairs, resting_logits

__all__ = [
    "Design",
    "Head",
    "centroid_head",
    "descend",
    "fit_head",
    "least_norm_head",
    "make_design",
]

MAX_STEPS = 200  # Newton steps after which the search gives up
TOLERANCE = 1e-10  # of the last step in a logit
REACHED = 1e-8  # how far logits may be from those wanted, as a share of them


@dataclass(frozen=True)
class Design:
    """Films to train on, as their features' directions: ``Phi = U S V^T``.

    Attributes
    ----------
    mean, sd : numpy.ndarray
        float64 (d,), of the features of these films; the SD is 1 where a feature is constant.
    u : numpy.ndarray
        float64 (n, r), orthonormal columns; r is the rank, at most n.
    s : numpy.ndarray
        float64 (r,), strengths, falling.
    v : numpy.ndarray
        float64 (d + 1, r), orthonormal columns: directions of the features, the bias last.
    """

    mean: Array
    sd: Array
    u: Array
    s: Array
    v: Array

    def rows(self, features: ArrayLike) -> Array:
        """Standardise features, float (m, d), as these films', with a 1 for the bias.

        Returns
        -------
        numpy.ndarray
            float64 (m, d + 1).
        """
        features = _check_features(features)
        if features.shape[1] != len(self.mean):
            raise ConfigError(
                f"expected {len(self.mean)} features, as of the films of the design, got "
                f"{features.shape[1]}"
            )
        standardised = (features - self.mean) / self.sd
        return np.hstack([standardised, np.ones((len(features), 1))])

    def coordinates(self, features: ArrayLike) -> Array:
        """How far features, float (m, d), lie along each direction; for many heads of a design.

        Returns
        -------
        numpy.ndarray
            float64 (m, r); times :attr:`Head.along` these are logits.
        """
        return self.rows(features) @ self.v


@dataclass(frozen=True)
class Head:
    """A linear head.

    Attributes
    ----------
    design : Design
        What it was trained on.
    shares : numpy.ndarray
        float64 (r,): what each direction gives to the logits, ``s_i (v_i . w)``. The logits of the
        design's films are ``u @ shares``.
    """

    design: Design
    shares: Array

    @property
    def weights(self) -> Array:
        """float64 (d + 1,), of standardised features; the bias last."""
        return self.design.v @ self.along

    @property
    def along(self) -> Array:
        """The weight along each direction, float64 (r,)."""
        return self.shares / self.design.s

    @property
    def logits(self) -> Array:
        """Of the design's films, float64 (n,)."""
        return self.design.u @ self.shares

    def predict(self, features: ArrayLike) -> Array:
        """Predict the logits of new films, float64 (m,), from their features, (m, d)."""
        return self.design.rows(features) @ self.weights

    @property
    def weak_share(self) -> float:
        """Share of the squared weight, without the bias, on the weaker half of the directions."""
        # Centred features are orthogonal to ones: the bias is a direction of its own.
        features = np.abs(self.design.v[-1]) < 0.5
        squares = self.along[features] ** 2
        return float(squares[len(squares) // 2 :].sum() / squares.sum())


def make_design(features: ArrayLike) -> Design:
    """Standardise the features of the films to train on, and find their directions.

    Parameters
    ----------
    features : array_like
        (n, d), finite, n of at least 2.

    Returns
    -------
    Design
        A feature that is the same for all films is left at 0.

    Raises
    ------
    ConfigError
        Another shape, or values that are not finite.

    Examples
    --------
    >>> design = make_design(np.random.default_rng(0).normal(size=(5, 20)))
    >>> design.u.shape, design.v.shape
    ((5, 5), (21, 5))
    """
    features = _check_features(features)
    if len(features) < 2:
        raise ConfigError(f"expected the features of at least 2 films, got {len(features)}")
    mean, sd = features.mean(axis=0), features.std(axis=0)
    # The mean of equal numbers may miss them by a rounding, which would be scaled up to 1.
    constant = sd <= 1e-9 * np.abs(mean)
    sd = np.where(constant, 1.0, sd)
    centred = np.where(constant, 0.0, (features - mean) / sd)
    phi = np.hstack([centred, np.ones((len(features), 1))])
    u, s, vt = linalg.svd(phi, full_matrices=False)
    rank = int((s > s[0] * max(phi.shape) * np.finfo(float).eps).sum())
    return Design(mean, sd, u[:, :rank], s[:rank], vt[:rank].T)


def least_norm_head(
    design: Design,
    targets: ArrayLike,
    lam: float | Sequence[float],
    gamma: Sequence[float] = (0.0, 0.0),
) -> Head:
    """Where gradient descent from 0 rests under spectral decoupling, in closed form.

    Parameters
    ----------
    design : Design
        Of more features than films, none of which is there twice with two targets.
    targets : array_like
        (n,), 0 or 1.
    lam : float or sequence of float
        Positive: of Equation 1, or the (negative, positive) pair of Equation 2.
    gamma : sequence of float
        The (negative, positive) pair of Equation 2.

    Returns
    -------
    Head
        The shortest of those with the resting logit of its class on every film.

    Raises
    ------
    ConfigError
        No head has these logits: then they depend on the features, and :func:`fit_head` finds
        them. Or a ``lam`` of 0, which has no rest.

    Examples
    --------
    >>> design = make_design(np.random.default_rng(0).normal(size=(4, 20)))
    >>> least_norm_head(design, [0, 1, 1, 0], lam=0.01).logits.round(4)
    array([-3.3593,  3.3593,  3.3593, -3.3593])
    """
    targets = _check_targets(design, targets)
    negative, positive = resting_logits(lam, gamma)
    if not np.isfinite([negative, positive]).all():
        raise ConfigError("expected a positive lam: without a penalty there is no rest")
    logits = np.where(targets == 1, positive, negative)
    head = Head(design, design.u.T @ logits)
    if np.abs(head.logits - logits).max() > REACHED * np.abs(logits).max():
        n, rank = design.u.shape
        raise ConfigError(
            f"expected features with which any logits can be had, got {n} films of rank {rank}: "
            "use fewer films, or fit_head"
        )
    return head


def centroid_head(design: Design, targets: ArrayLike) -> Head:
    """Where a large weight decay leads, except for the length: each direction by its strength.

    Parameters
    ----------
    design : Design
    targets : array_like
        (n,), 0 or 1.

    Returns
    -------
    Head
        ``sum_i v_i s_i (u_i . y) / n``: with as many films of either class, half the difference of
        the class means.

    Examples
    --------
    >>> design = make_design([[1.0], [2.0], [3.0], [4.0]])
    >>> centroid_head(design, [0, 0, 1, 1]).weights.round(3)
    array([0.894, 0.   ])
    """
    signs = 2.0 * _check_targets(design, targets) - 1
    return Head(design, design.s**2 * (design.u.T @ signs) / len(signs))


def fit_head(
    design: Design,
    targets: ArrayLike,
    lam: float | Sequence[float] = 0.0,
    gamma: Sequence[float] = (0.0, 0.0),
    decay: float = 0.0,
    start: Head | None = None,
) -> Head:
    """Train a head until it rests, by Newton's method in the span of the films.

    Gradient descent from 0 comes to the same head, in many more steps.

    Parameters
    ----------
    design : Design
    targets : array_like
        (n,), 0 or 1.
    lam, gamma
        As for :func:`least_norm_head`; a ``lam`` of 0 is no penalty of the logits.
    decay : float
        Strength of weight decay, which the bias has like any weight; at least 0.
    start : Head, optional
        A head of the same design to begin with, such as that of the next strength.

    Returns
    -------
    Head

    Raises
    ------
    ConfigError
        Values outside these ranges, or no penalty at all.
    ArithmeticError
        Newton's method did not converge.

    Examples
    --------
    >>> design = make_design(np.random.default_rng(0).normal(size=(4, 20)))
    >>> fit_head(design, [0, 1, 1, 0], lam=0.01).logits.round(4)
    array([-3.3593,  3.3593,  3.3593, -3.3593])
    """
    positive = _check_targets(design, targets) == 1
    pair = lam if isinstance(lam, Sequence) else (lam, lam)
    (lam_neg, lam_pos), (gamma_neg, gamma_pos) = check_pairs(pair, gamma)
    check_lambda(decay, "decay")
    if decay == 0 and min(lam_neg, lam_pos) == 0:
        raise ConfigError(
            "expected a positive lam or decay: without a penalty a head of more features than "
            "films grows for ever"
        )
    n, signs = len(positive), np.where(positive, 1.0, -1.0)
    lams = np.where(positive, lam_pos, lam_neg)
    gammas = np.where(positive, gamma_pos, gamma_neg)
    u, cost = design.u, decay / design.s**2
    shares = np.zeros_like(design.s) if start is None else start.shares

    def loss(at: Array) -> float:
        f = u @ at
        each = np.logaddexp(0, -signs * f) + lams * (f - gammas) ** 2 / 2
        return each.mean() + cost @ at**2 / 2

    for _ in range(MAX_STEPS):
        f = u @ shares
        wrong = expit(-signs * f)
        gradient = u.T @ (-signs * wrong + lams * (f - gammas)) / n + cost * shares
        curvature = wrong * (1 - wrong) + lams
        hessian = (u.T * (curvature / n)) @ u
        hessian[np.diag_indices_from(hessian)] += cost
        step = linalg.solve(hessian, -gradient, assume_a="pos")
        now, size = loss(shares), 1.0
        # The tolerance keeps the loss's own rounding from stopping the last steps.
        while loss(shares + size * step) > now * (1 + 1e-12):
            size /= 2
        shares = shares + size * step
        if np.abs(u @ step).max() < TOLERANCE * (1 + np.abs(f).max()):
            return Head(design, shares)
    raise ArithmeticError(f"the head did not come to rest in {MAX_STEPS} Newton steps")


def descend(
    design: Design,
    targets: ArrayLike,
    lam: float = 0.0,
    decay: float = 0.0,
    steps: int = 1000,
) -> Head:
    """Train a head by gradient descent from 0, for a number of steps, at rest or not.

    Parameters
    ----------
    design : Design
    targets : array_like
        (n,), 0 or 1.
    lam, decay : float
        Strengths of Equation 1 and of weight decay, at least 0.
    steps : int
        Of all films each. Their rate is the inverse of the loss's largest curvature, the largest
        that is safe.

    Returns
    -------
    Head

    Raises
    ------
    ConfigError
        Values outside these ranges.

    Examples
    --------
    >>> design = make_design(np.random.default_rng(0).normal(size=(4, 20)))
    >>> descend(design, [0, 1, 1, 0], lam=1.0, steps=200).logits.round(4)
    array([-0.4011,  0.4011,  0.4011, -0.4011])
    """
    signs = 2.0 * _check_targets(design, targets) - 1
    check_lambda(lam)
    check_lambda(decay, "decay")
    check_number("steps", steps, 0, whole=True)
    phi = design.u * design.s  # the films in terms of the directions
    rate = 1 / (design.s[0] ** 2 * (lam + 1 / 4) / len(signs) + decay)
    along = np.zeros_like(design.s)
    for _ in range(steps):
        f = phi @ along
        slopes = lam * f - signs * expit(-signs * f)
        along = along - rate * (slopes @ phi / len(signs) + decay * along)
    return Head(design, along * design.s)


def _check_features(features: ArrayLike) -> Array:
    features = np.asarray(features, dtype=float)
    if features.ndim != 2 or not features.shape[1]:
        raise ConfigError(f"expected features of shape (n, d), got {features.shape}")
    strange = ~np.isfinite(features).all(axis=1)
    if strange.any():
        raise ConfigError(
            f"expected finite features, got NaN or an infinity in row {np.flatnonzero(strange)[0]}"
        )
    return features


def _check_targets(design: Design, targets: ArrayLike) -> np.ndarray:
    targets = np.asarray(targets)
    if targets.shape != (len(design.u),):
        raise ConfigError(
            f"expected {len(design.u)} targets, one per film of the design, got {targets.shape}"
        )
    if not np.isin(targets, (0, 1)).all():
        raise ConfigError(
            f"expected targets in {{0, 1}}, got {targets[~np.isin(targets, (0, 1))][0]}"
        )
    return targets
