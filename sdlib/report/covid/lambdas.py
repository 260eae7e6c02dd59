"""Our own question: does a network rely less on a place's signature as lambda grows?"""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdlib.experiments.covid import CHANGED
from sdlib.experiments.covid_lambdas import LAMBDAS, lambda_arm
from sdlib.metrics import FEWEST_SEEDS, mean_interval
from sdlib.plotting import CLASSES, note
from sdlib.report.covid.reliance import reliance_of
from sdlib.report.intervals import seeds_text
from sdlib.report.tables import ends_in_points
from sdlib.results import Place

__all__ = ["draw_lambdas", "read_lambdas"]

COHORTS = {"test": "inside", "external": "outside", "surroundings": "inside, lungs hidden"}
MARKERS = ("o", "s", "^")
DASHES = ("-", "--", ":")


def _values(place: Place, lam: float) -> dict[str, np.ndarray]:
    """What was measured at one lambda, by column: reliance by part, then AUROCs; one per seed."""
    arm = lambda_arm(lam)
    found = {f"reliance on {part}": reliance_of(place, arm, part).dropna() for part in CHANGED}
    found |= {f"AUROC {name}": place.by_seed(f"{c}.auroc", arm) for c, name in COHORTS.items()}
    return {name: series.to_numpy(np.float64) for name, series in found.items()}


def draw_lambdas(place: Place, missing: str) -> Figure:
    """Draw reliance and AUROCs over lambda: each network a point, lines through their means.

    Bars are 95 % t intervals over seeds, where there are three or more.

    Parameters
    ----------
    place : Place
        Of the experiment ``covid_lambdas``.
    missing : str
        What the figure says where there are no rows.
    """
    if not place.arms:
        return note(missing)
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.6))
    values = {lam: _values(place, lam) for lam in LAMBDAS}
    everything = {"all": "reliance on all", "border": "reliance on border"}
    _draw(left, values, list(everything.values()))
    left.set_ylabel("reliance, SDs of the logits")
    _draw(right, values, [f"AUROC {name}" for name in COHORTS.values()])
    right.set_ylabel("AUROC")
    counts = [len(place.by_seed("test.auroc", lambda_arm(lam))) for lam in LAMBDAS]
    title = f"{place.name}; {seeds_text(n for n in counts if n)} per λ"
    fig.suptitle(title, fontsize=10)
    fig.supxlabel("λ of Equation 1", fontsize=11)
    return fig


def _draw(ax: Axes, values: dict[float, dict[str, np.ndarray]], names: list[str]) -> None:
    """A line of means for each name, at equal steps; lambda 0 comes first."""
    shades = (CLASSES[1], "#0072B2", CLASSES[0])
    for name, marker, dash, shade in zip(names, MARKERS, DASHES, shades, strict=False):
        found = [values[lam][name] for lam in LAMBDAS]
        steps = [k for k, one in enumerate(found) if len(one)]
        style = {"color": shade, "marker": marker}
        label = name.partition(" ")[2].removeprefix("on ")
        intervals = [mean_interval(found[k]) for k in steps]
        means = [one.mean for one in intervals]
        ax.plot(steps, means, linestyle=dash, label=label, **style)
        ends = [one.high - one.mean for one in intervals]  # NaN with few seeds: no bar
        ax.errorbar(steps, means, ends, fmt="none", ecolor=shade)
        for k in steps:
            ax.plot([k] * len(found[k]), found[k], alpha=0.35, linestyle="none", **style)
    ax.set_xticks(range(len(LAMBDAS)), [f"{lam:g}" for lam in LAMBDAS])
    ax.legend(fontsize=9)


def read_lambdas(place: Place) -> str:
    """Read the figure aloud, as Markdown: both ends, and every lambda's AUROC outside.

    Parameters
    ----------
    place : Place
        Of the experiment ``covid_lambdas``.

    Returns
    -------
    str
        Means at both ends, then AUROC outside of each lambda minus that without a penalty, in
        points, paired over seeds, with its 95 % t interval. Empty without rows at both ends.
    """
    first, last = _values(place, LAMBDAS[0]), _values(place, LAMBDAS[-1])
    told = []
    for name in ("reliance on all", "AUROC inside", "AUROC outside"):
        if not (len(first[name]) and len(last[name])):
            return ""
        told.append(f"{name} from {first[name].mean():.2f} to {last[name].mean():.2f}")
    text = f"**{place.name}**: from no penalty to λ = {LAMBDAS[-1]:g}, {'; '.join(told)}."
    gains = []
    for lam in LAMBDAS[1:]:
        gain = place.difference("external.auroc", lambda_arm(lam), lambda_arm(LAMBDAS[0]))
        if gain is not None and gain.n >= FEWEST_SEEDS:
            gains.append(f"λ = {lam:g} {ends_in_points(gain)}, n = {gain.n}")
    if gains:
        text += f" AUROC outside minus that without a penalty, in points: {'; '.join(gains)}."
    return text
