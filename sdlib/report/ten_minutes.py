"""Figures and sentences of the page "In ten minutes"."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from sdlib.losses import resting_logits
from sdlib.metrics import FEWEST_SEEDS, Interval, mean_interval
from sdlib.plotting import ARMS, panels
from sdlib.report.cutout.equal_access import MEASURES, equal_access
from sdlib.report.effects import where_trained
from sdlib.report.tables import ends_in_points
from sdlib.results import Place, sentence
from sdlib.theory.moons import Run

__all__ = [
    "accuracies",
    "control_figure",
    "control_sentence",
    "margin_figure",
    "moons_sentence",
    "result_sentence",
]

METHODS = {"weight_decay": "weight decay", "sd_eq2": "spectral decoupling (Eq. 2)"}
SHADES = {0.0: "#000000", 0.01: "#56B4E9", 0.1: "#0072B2"}  # colour by lambda


#: The rows of the control's figure, by label: how both methods' accuracy is measured there.
CUTOFFS: Mapping[str, Callable[[Place, str], pd.Series]] = {
    "usual cut-off": MEASURES["accuracy, both at .5"],
    "best on validation": MEASURES["accuracy, both at their best cut-off on validation"],
    "best on test": MEASURES["accuracy, both at their best cut-off on test"],
}


def margin_figure() -> Figure:
    """Draw the loss of one image over its margin, and where the penalty lets the margin rest.

    Returns
    -------
    matplotlib.figure.Figure
        Left: a curve for each of three strengths of the penalty, with a dot at its lowest point.
        Right: the resting margin over lambda, with the same dots.
    """
    margins = np.linspace(-2, 8, 300)
    fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4))
    for lam, colour in SHADES.items():
        label = f"λ = {lam:g}" if lam else "no penalty"
        loss = np.logaddexp(0, -margins) + lam / 2 * margins**2
        left.plot(margins, loss, color=colour, label=label)
        if lam:
            rest = resting_logits(lam)[1]
            lowest = np.logaddexp(0, -rest) + lam / 2 * rest**2
            left.plot(rest, lowest, "o", color=colour)
            right.plot(lam, rest, "o", color=colour, zorder=3)
    left.set(xlabel="margin", ylabel="loss of one image", ylim=(0, 2.6))
    left.legend()
    lambdas = np.geomspace(1e-4, 1, 200)
    right.semilogx(lambdas, [resting_logits(lam)[1] for lam in lambdas], color="0.5")
    right.set(xlabel="strength λ of the penalty", ylabel="margin at rest", ylim=(0, None))
    return fig


def moons_sentence(runs: Mapping[str, Run], x: Tensor, y: Tensor) -> str:
    """Say in Markdown how often each method's networks are right on some points.

    Parameters
    ----------
    runs : mapping of str to sdlib.theory.moons.Run
        Trained networks by arm, at least two of each.
    x, y : torch.Tensor
        The points (n, 2) and their targets (n,), 0 or 1.
    """
    said = []
    for arm, run in runs.items():
        right = (run.predict(x) > 0) == (y == 1)
        found = mean_interval(right.double().mean(dim=1).numpy())
        ends = f"{found.low:.3f} to {found.high:.3f}"
        said.append(f"{ARMS[arm].label} **{found.mean:.3f}** ({ends})")
    n = min(len(run.networks) for run in runs.values())
    return f"Accuracy: {'; '.join(said)}. Mean and 95 % t interval over {n} networks each."


def accuracies(place: Place) -> dict[str, dict[str, pd.Series]]:
    """Balanced accuracy on the test set of both methods at each cut-off: one value per seed.

    Parameters
    ----------
    place : Place
        Of the experiment ``cutout``.

    Returns
    -------
    dict of str to dict of str to pandas.Series
        By cut-off, then by arm; float64, empty where there are no networks or predictions.
    """
    return {
        cutoff: {arm: measure(place, arm) for arm in METHODS} for cutoff, measure in CUTOFFS.items()
    }


def control_figure(places: Sequence[Place]) -> Figure:
    """Draw the accuracy of both methods at three cut-offs that both choose alike.

    Parameters
    ----------
    places : sequence of Place
        Of the experiment ``cutout``, one panel each; those without both methods are left out.

    Returns
    -------
    matplotlib.figure.Figure
        One row per cut-off and method: a faint marker per seed, a solid one at the mean with its
        95 % t interval.
    """
    shown = {place.name: place for place in places if set(METHODS) <= set(place.arms)}
    titles = {name: _title(place) for name, place in shown.items()}
    for name, ax in panels(titles, sentence(places[-1]), 2, (3.7, 2.7)).items():
        _draw(ax, accuracies(shown[name]))
    fig = plt.gcf()
    if shown:
        fig.supxlabel("accuracy on test images", fontsize=11)
        handles, labels = fig.axes[0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside upper center", ncols=2)
    return fig


def _draw(ax: Axes, values: Mapping[str, Mapping[str, pd.Series]]) -> None:
    for row, by_arm in enumerate(values.values()):
        for arm, offset in zip(METHODS, (-0.2, 0.2), strict=True):
            seeds = by_arm[arm].to_numpy()
            if not len(seeds):
                continue
            style = {"color": ARMS[arm].colour, "marker": ARMS[arm].marker}
            level = np.full(len(seeds), row + offset - 0.07)
            ax.plot(seeds, level, alpha=0.35, linestyle="none", **style)
            found = mean_interval(seeds)
            length = found.high - found.mean if found.n >= FEWEST_SEEDS else None
            label = METHODS[arm] if row == 0 else None
            at = (found.mean, row + offset + 0.07)
            ax.errorbar(*at, xerr=length, capsize=3, linewidth=1.5, label=label, **style)
    ax.set_yticks(range(len(values)), list(values))
    ax.set_ylim(len(values) - 0.5, -0.5)


def _title(place: Place) -> str:
    """What a reader calls a place, with its number of seeds."""
    title = where_trained(place)
    seeds = f"n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{place.seeds}"
    return f"{title}, {seeds}" if place.recorded else f"your run: {title}, {seeds}"


def _judged(place: Place) -> dict[str, Interval]:
    """Differences of both methods with equal access to labels; empty below three seeds."""
    found = equal_access(place)
    return found if found and min(one.n for one in found.values()) >= FEWEST_SEEDS else {}


def result_sentence(place: Place) -> str:
    """Say in Markdown what a place's rows say of accuracy at the usual cut-off.

    Parameters
    ----------
    place : Place
        Of the experiment ``cutout``.

    Returns
    -------
    str
        Empty where there are fewer than three seeds of both methods.
    """
    found = _judged(place)
    if not found:
        return ""
    gain = found["accuracy, both at .5"]
    weight_decay, decoupling = (place.by_seed("test.accuracy", arm).mean() for arm in METHODS)
    said = "not clearly apart"
    if gain.low > 0:
        said = "a gain"
    if gain.high < 0:
        said = "a loss"
    return (
        f"**{_title(place)}** networks per method: accuracy {weight_decay:.3f} with weight decay, "
        f"{decoupling:.3f} with spectral decoupling; {said}, "
        f"{ends_in_points(gain)} points, 95 % interval."
    )


def control_sentence(place: Place) -> str:
    """Say in Markdown what of the gain is left where both methods have their best cut-off.

    Parameters
    ----------
    place : Place
        Of the experiment ``cutout``.

    Returns
    -------
    str
        Empty where there are fewer than three seeds of both methods, or no predictions.
    """
    found = _judged(place)
    at_best = {
        where: found.get(f"accuracy, both at their best cut-off on {where}")
        for where in ("validation", "test")
    }
    if not found or None in at_best.values():
        return ""
    listed = [f"{ends_in_points(one)} points on {where}" for where, one in at_best.items()]
    numbers = "; ".join(listed)
    ranking = found["AUROC"]
    order = "undecided"
    if ranking.low > 0:
        order = "higher with spectral decoupling"
    if ranking.high < 0:
        order = "lower with spectral decoupling"
    return (
        f"**{_title(place)}**. With the best cut-off for either method {_what_is_left(at_best)}: "
        f"{numbers}. AUROC is {order}: {ends_in_points(ranking)} points."
    )


def _what_is_left(at_best: Mapping[str, Interval]) -> str:
    """What the differences at both kinds of best cut-off have in common."""
    gains = [where for where, one in at_best.items() if one.low > 0]
    losses = [where for where, one in at_best.items() if one.high < 0]
    if gains and losses:
        return f"there is a gain on {gains[0]} and a loss on {losses[0]}"
    for clear, word in ((gains, "a gain"), (losses, "a loss")):
        if len(clear) == len(at_best):
            return f"{word} is left"
        if clear:
            return f"{word} is left on {clear[0]} alone"
    return "no difference is left that these seeds could show"
