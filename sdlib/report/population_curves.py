"""The figure of the population optimum: which logit belongs to which share of positives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from sdlib.plotting import ARMS
from sdlib.theory.population import cutoff_worth, population_logits

__all__ = ["population_curves"]

DASHES = ("-", "--", "-.", ":")
HIGHEST = 6.0  # logit; honest probabilities go on to infinity


def population_curves(
    settings: Mapping[str, tuple[float | Sequence[float], Sequence[float]]], arms: Sequence[str]
) -> Figure:
    """Draw the logit that is best at each share of positives, one curve per setting.

    Parameters
    ----------
    settings : mapping of str to (lambda, gamma)
        By name; as :func:`sdlib.theory.population.population_logits` takes them.
    arms : sequence of str
        One per setting, for its colour.

    Returns
    -------
    matplotlib.figure.Figure
        A grey curve is cross-entropy alone. A dot marks where a curve crosses the cut-off, a logit
        of 0; the legend says at which share of positives.
    """
    eta = np.linspace(0, 1, 401)
    fig, ax = plt.subplots(figsize=(7, 4))
    inside = eta[1:-1]
    ax.plot(inside, np.log(inside / (1 - inside)), color="0.6", label="cross-entropy alone")
    for dash, arm, (name, (lam, gamma)) in zip(DASHES, arms, settings.items(), strict=False):
        look = ARMS[arm]
        cutoff = cutoff_worth(lam, gamma)
        label = f"{name}: 0 at {cutoff:.3f}"
        ax.plot(eta, population_logits(eta, lam, gamma), dash, color=look.colour, label=label)
        ax.plot(cutoff, 0, "o", color=look.colour, zorder=3)
    ax.axhline(0, color="black", linestyle=":", linewidth=1)
    ax.set(
        xlabel="share of positives among examples that look alike (posterior)",
        ylabel="best logit",
        ylim=(-HIGHEST, HIGHEST),
        xlim=(0, 1),
    )
    ax.legend(loc="upper left", fontsize=9)
    return fig
