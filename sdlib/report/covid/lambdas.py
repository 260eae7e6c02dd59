"""Our own question: does a network rely less on a place's signature as lambda grows?"""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdlib.experiments.covid import CHANGED
from sdlib.experiments.covid_lambdas import LAMBDAS, lambda_arm
from sdlib.plotting import CLASSES, note
from sdlib.report.covid.reliance import reliance_of
from sdlib.report.intervals import seeds_text
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
    """Draw reliance and AUROCs over lambda, each network a point, lines through their means.

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
        ax.plot(steps, [found[k].mean() for k in steps], linestyle=dash, label=label, **style)
        for k in steps:
            ax.plot([k] * len(found[k]), found[k], alpha=0.35, linestyle="none", **style)
    ax.set_xticks(range(len(LAMBDAS)), [f"{lam:g}" for lam in LAMBDAS])
    ax.legend(fontsize=9)


def read_lambdas(place: Place) -> str:
    """Read the ends of the figure aloud, as Markdown; empty without rows at both ends."""
    first, last = _values(place, LAMBDAS[0]), _values(place, LAMBDAS[-1])
    told = []
    for name in ("reliance on all", "AUROC inside", "AUROC outside"):
        if not (len(first[name]) and len(last[name])):
            return ""
        told.append(f"{name} from {first[name].mean():.2f} to {last[name].mean():.2f}")
    return f"**{place.name}**: from no penalty to λ = {LAMBDAS[-1]:g}, {'; '.join(told)}."
