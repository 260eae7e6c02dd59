"""Figures of the first three chapters: shortcuts, gradient starvation, spectral decoupling.

Each function draws what a chapter has computed on its page, and computes nothing that the chapter
explains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from sdlib.losses import resting_logits
from sdlib.plotting import ARMS, CLASSES, arm_rows
from sdlib.theory.moons import Run

__all__ = [
    "class_losses",
    "decision_boundaries",
    "dose_curves",
    "feature_responses",
    "margin_at_rest",
    "reader_scores",
    "resting_points",
    "resting_responses",
    "seeds_by_arm",
]

# The first chapter's readers have the colours of two arms of the paper's experiment: the first is
# trained where squares predict the class, the second where they do not.
READER_ARMS = ("weight_decay", "control")


def reader_scores(scores: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Draw the accuracy of two readers on several sets, with one marker per draw.

    Parameters
    ----------
    scores : mapping of str to mapping
        By reader and set: one accuracy per draw. There are two readers.

    Returns
    -------
    matplotlib.figure.Figure
        One column of markers per reader at each set, and a dotted line at 0.5 (guessing).
    """
    fig, ax = plt.subplots(figsize=(8, 3.6))
    sets = []
    for offset, arm, name in zip((-0.12, 0.12), READER_ARMS, scores, strict=True):
        sets = list(scores[name])
        values = np.array([scores[name][each] for each in sets])
        spread = np.linspace(-0.07, 0.07, values.shape[1])
        places = np.arange(len(sets))[:, None] + offset + spread
        style = ARMS[arm].kwargs | {"label": name, "linestyle": "none"}
        ax.plot(places.ravel(), values.ravel(), markersize=5, **style)
    ax.axhline(0.5, color="black", linestyle=":", linewidth=1)
    ax.set_xticks(range(len(sets)), sets)
    ax.set_ylabel("accuracy")
    ax.legend(loc="lower left")
    return fig


def dose_curves(
    doses: np.ndarray, accuracies: Mapping[str, np.ndarray], shift: np.ndarray, best: np.ndarray
) -> Figure:
    """Draw what a stronger coincidence does to accuracy and to the logit's shift.

    Parameters
    ----------
    doses : numpy.ndarray
        Shares of benign training tiles with squares, (n,).
    accuracies : mapping of str to numpy.ndarray
        Two sets of tiles: one accuracy per draw and dose, (draws, n).
    shift : numpy.ndarray
        The logit with squares minus the logit without, (draws, n).
    best : numpy.ndarray
        The shift of the best possible reader at all doses but the first and the last, (n - 2,).

    Returns
    -------
    matplotlib.figure.Figure
        Two panels. Lines are means over draws, bands are one SD.
    """
    colour = ARMS["weight_decay"].colour
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
    for line, (name, values) in zip(("o--", "s-"), accuracies.items(), strict=True):
        left.plot(doses, values.mean(axis=0), line, color=colour, label=name)
        _band(left, doses, values, colour)
    right.plot(doses, shift.mean(axis=0), "s-", color=colour, label="this reader")
    _band(right, doses, shift, colour)
    right.plot(doses[1:-1], best, "k:", label="best possible reader")
    left.set_ylabel("accuracy")
    right.set_ylabel("logit with squares minus without")
    for ax in (left, right):
        ax.set_xlabel("share of benign training tiles with squares")
        ax.legend()
    return fig


def decision_boundaries(runs: Mapping[str, Run], x: Tensor, y: Tensor) -> Figure:
    """Draw two moons with the decision boundary of every network, one panel per arm.

    Parameters
    ----------
    runs : mapping of str to sdlib.theory.moons.Run
        Trained networks by arm.
    x, y : torch.Tensor
        The points (n, 2) and their targets (n,), 0 or 1.

    Returns
    -------
    matplotlib.figure.Figure
        Lines are boundaries; the shading is the probability of class 1, averaged over networks.
    """
    side = torch.linspace(-2, 2, 120)
    across, along = torch.meshgrid(side, side, indexing="ij")
    plane = torch.stack([across.flatten(), along.flatten()], dim=1)
    fig, axes = plt.subplots(1, len(runs), figsize=(9.5, 3.7), sharey=True, squeeze=False)
    for ax, (arm, run) in zip(axes[0], runs.items(), strict=True):
        logits = run.predict(plane).reshape(-1, *across.shape)
        probability = logits.sigmoid().mean(dim=0)
        # The shading starts at grey, so that black points can be seen on it.
        ax.pcolormesh(along, across, probability, cmap="gray", vmin=-1, vmax=1)
        for network in logits:
            ax.contour(along, across, network, [0], colors=ARMS[arm].colour)
        ax.scatter(x[:, 1], x[:, 0], c=y, cmap="gray", edgecolors="black", lw=0.4, s=9)
        ax.set(title=ARMS[arm].label, xlabel="second coordinate", ylim=(-1.7, 1.7))
    axes[0, 0].set_ylabel("first coordinate")
    return fig


def seeds_by_arm(values: Mapping[str, np.ndarray], xlabel: str) -> Figure:
    """Draw one number of every network, and the mean over networks with its 95 % t interval.

    Parameters
    ----------
    values : mapping of str to numpy.ndarray
        By arm: one value per network, (n,), from 0 to 1.
    xlabel : str
        What the number is.

    Returns
    -------
    matplotlib.figure.Figure
        One line per arm, from top to bottom.
    """
    fig, ax = plt.subplots(figsize=(7.5, 0.8 + 0.5 * len(values)))
    arm_rows(ax, values, ARMS)
    ax.set_xlabel(xlabel)
    return fig


def resting_responses(strengths: np.ndarray, resting: Mapping[str, np.ndarray]) -> Figure:
    """Draw the resting responses of two coupled features as the first one grows stronger.

    Parameters
    ----------
    strengths : numpy.ndarray
        Of the growing feature, (n,).
    resting : mapping of str to numpy.ndarray
        By arm: the responses of both features, (n, 2).

    Returns
    -------
    matplotlib.figure.Figure
        One panel per feature.
    """
    fig, (growing, other) = plt.subplots(1, 2, figsize=(9, 3.6))
    for arm, responses in resting.items():
        style = ARMS[arm].kwargs
        growing.plot(strengths, responses[:, 0], markevery=13, **style)
        other.plot(strengths, responses[:, 1], markevery=13, **style)
    growing.set(title="the growing feature", ylabel="resting response $z^*$", ylim=(0, 11))
    other.set(title="the other feature", ylim=(0, 2))
    other.legend(loc="lower left")
    for ax in (growing, other):
        ax.set_xlabel("strength $s_1$ of the growing feature")
    return fig


def feature_responses(
    epochs: Sequence[int], straight: Mapping[str, np.ndarray], curved: Mapping[str, np.ndarray]
) -> Figure:
    """Draw how large the responses of strong and of weak features become over training.

    Parameters
    ----------
    epochs : sequence of int
        When responses were recorded, (n,).
    straight, curved : mapping of str to numpy.ndarray
        By arm: the size of the responses per network and epoch, (networks, n), of the features
        that a straight line expresses and of those that it does not.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels. Lines are means over networks, bands are one SD.
    """
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.7))
    for ax, sizes in zip(axes, (straight, curved), strict=True):
        for arm, values in sizes.items():
            ax.plot(epochs, values.mean(axis=0), markevery=20, **ARMS[arm].kwargs)
            _band(ax, epochs, values, ARMS[arm].colour)
        ax.set(xlabel="epoch", ylim=(0, None))
    axes[0].set(title="features 1 to 3: the straight line", ylabel="size of the responses")
    axes[1].set_title("features 4 to 20: the curve")
    axes[0].legend()
    return fig


def resting_points(rest: Mapping[str, tuple[float, float]], arms: Sequence[str]) -> Figure:
    """Draw where the penalty holds the logits of the two classes, one row per setting.

    Parameters
    ----------
    rest : mapping of str to pair of float
        By the setting's name: the resting logit of negatives and of positives.
    arms : sequence of str
        One per setting, for its colour.

    Returns
    -------
    matplotlib.figure.Figure
        Light dots are negatives, dark dots positives; the dotted line is the cut-off.
    """
    fig, ax = plt.subplots(figsize=(8, 2.6))
    for row, (arm, pair) in enumerate(zip(arms, rest.values(), strict=True)):
        ax.plot(pair, [row, row], color=ARMS[arm].colour, zorder=1)
        for shade, logit in zip(CLASSES, pair, strict=True):
            ax.scatter(logit, row, s=90, color=shade, zorder=2)
            ax.text(logit, row - 0.2, f"{logit:.2f}", ha="center")
    ax.axvline(0, color="black", linestyle=":", linewidth=1)
    ax.set_yticks(range(len(rest)), list(rest))
    ax.set_ylim(len(rest) - 0.6, -0.6)
    ax.set(xlabel="logit at rest (light: negative, dark: positive)", xlim=(-5, 8))
    ax.grid(axis="y", visible=False)
    return fig


def margin_at_rest(grid: np.ndarray, margins: Sequence[float], chosen: float) -> Figure:
    """Draw the margin at which Equation 1 holds training data, against lambda.

    Parameters
    ----------
    grid : numpy.ndarray
        The values of lambda that were searched.
    margins : sequence of float
        One per value of the grid.
    chosen : float
        The value that the search ended with; it gets a circle.

    Returns
    -------
    matplotlib.figure.Figure
        A curve with the grid's points on it.
    """
    style = ARMS["sd_eq1"]
    lambdas = np.geomspace(1e-7, 10, 200)
    curve = [resting_logits(lam)[1] for lam in lambdas]
    fig, ax = plt.subplots(figsize=(7, 3.6))
    ax.plot(lambdas, curve, color=style.colour)
    ax.scatter(grid, margins, 60, style.colour, marker=style.marker, label="the paper's grid")
    margin = resting_logits(chosen)[1]
    ax.scatter(chosen, margin, 180, "none", edgecolors="black", label="the paper's choice")
    ax.set(xscale="log", xlabel=r"$\lambda$ (Algorithm 1)", ylabel="margin at rest")
    ax.legend()
    return fig


def class_losses(
    settings: Mapping[str, tuple[tuple[float, float], tuple[float, float]]],
) -> Figure:
    """Draw the loss of one example against its logit under Equation 2, one panel per setting.

    Parameters
    ----------
    settings : mapping of str to pair
        By name: lambda and gamma, each a (negative, positive) pair.

    Returns
    -------
    matplotlib.figure.Figure
        Light curves are of a negative, dark ones of a positive. Dotted curves are cross-entropy
        alone; dots are minima.
    """
    logits = np.linspace(-6, 10, 300)
    # Cross-entropy of a negative grows with the logit, that of a positive falls.
    plain = (np.logaddexp(0, logits), np.logaddexp(0, -logits))
    fig, axes = plt.subplots(1, len(settings), figsize=(9, 3.6), sharey=True, squeeze=False)
    for ax, (name, (lam, gamma)) in zip(axes[0], settings.items(), strict=True):
        rest = resting_logits(lam, gamma)
        for target, shade in enumerate(CLASSES):
            loss = plain[target] + lam[target] / 2 * (logits - gamma[target]) ** 2
            ax.plot(logits, plain[target], ":", color=shade)
            ax.plot(logits, loss, "-", color=shade)
            ax.plot(rest[target], loss.min(), "o", color=shade, markersize=9)
        ax.set(title=name, xlabel="logit (light: negative, dark: positive)", ylim=(-0.1, 2.5))
    axes[0, 0].set_ylabel("loss of one example")
    return fig


def _band(ax: Axes, x: Sequence[float], values: np.ndarray, colour: str) -> None:
    """One SD over the first axis on either side of the mean."""
    mean = values.mean(axis=0)
    sd = values.std(axis=0, ddof=1)
    ax.fill_between(x, mean - sd, mean + sd, color=colour, alpha=0.2)
