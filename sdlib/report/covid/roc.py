"""Figure 7: ROC curves of ensembles on films from elsewhere, with bootstrap bands and an inset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from sklearn.metrics import roc_curve

from sdlib.experiments import Look
from sdlib.metrics import bootstrap_auroc, resample_counts
from sdlib.plotting import note
from sdlib.report.covid.situations import scored, situation_of
from sdlib.results import Place

__all__ = ["Curve", "curve_of", "draw_roc"]

#: False positive rates at which a band is drawn.
GRID = np.linspace(0, 1, 201)
INSET = (0.5, 0.07, 0.48, 0.48)  # where the inset is, shares of the panel: left, bottom, sides
SIDE = 0.3  # of the part that the inset shows


@dataclass(frozen=True, eq=False)
class Curve:
    """A ROC curve with its band and its area.

    Attributes
    ----------
    false_rate, true_rate : numpy.ndarray
        float64 (m,), the corners of the curve, from (0, 0) to (1, 1).
    low, high : numpy.ndarray
        float64 (201,), ends of the band over equally spaced false positive rates, 0 to 1.
    auroc : tuple of float
        The area and the ends of its interval, from the same resamples.
    """

    false_rate: np.ndarray
    true_rate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    auroc: tuple[float, float, float]

    @property
    def corner(self) -> np.ndarray:
        """The point of the curve that is closest to no error at all, (0, 1); float64 (2,)."""
        points = np.stack([self.false_rate, self.true_rate], axis=1)
        return points[np.argmin(np.hypot(*(points - (0, 1)).T))]


def curve_of(
    y_true: ArrayLike, score: ArrayLike, n_resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> Curve:
    """The ROC curve of some scores, with percentile bands over resampled examples.

    At every false positive rate the band holds the middle ``level`` of the true positive rates of
    the resamples. It is a band for each rate, not for the whole curve at once.

    Parameters
    ----------
    y_true : array_like
        (n,), 0 (negative) or 1 (positive); both must occur.
    score : array_like
        (n,), finite numbers, higher for the positive class.
    n_resamples, level, seed
        As for :func:`sdlib.metrics.bootstrap_auroc`. Resamples with one class only are left out.

    Raises
    ------
    ConfigError
        As :func:`sdlib.metrics.bootstrap_auroc`.

    Examples
    --------
    >>> curve = curve_of([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> curve.auroc[0], curve.true_rate.tolist()
    (0.75, [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    area = bootstrap_auroc(y_true, score, n_resamples, level, seed=seed)
    targets, score = np.asarray(y_true), np.asarray(score, np.float64)
    counts = resample_counts(targets, n_resamples, seed=seed)
    rates = _true_rates(targets, score, counts)
    low, high = np.nanquantile(rates, [(1 - level) / 2, (1 + level) / 2], axis=0)
    false_rate, true_rate, _ = roc_curve(targets, score)
    return Curve(false_rate, true_rate, low, high, (area.estimate, area.low, area.high))


def _true_rates(targets: np.ndarray, score: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """True positive rates on the grid, one line per resample; NaN where a class is missing."""
    order = np.argsort(-score, kind="stable")
    ranked, positive = score[order], targets[order] == 1
    # A threshold lies behind every run of equal scores, and before the first.
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    found = np.full((len(counts), len(GRID)), np.nan)
    for line, drawn in zip(found, counts, strict=True):
        weights = drawn[order]
        true = np.append(0, np.cumsum(weights * positive)[ends])
        false = np.append(0, np.cumsum(weights * ~positive)[ends])
        if true[-1] and false[-1]:
            line[:] = np.interp(GRID, false / false[-1], true / true[-1])
    return found


def draw_roc(shared: Place, added: Place, arms: Sequence[str], missing: str) -> Figure:
    """Draw Figure 7: panel A and panel B, ROC curves of the ensembles on films from elsewhere.

    Bands are 95 % intervals over films, as in the paper. The inset enlarges the part next to the
    upper left corner to which the curves come closest.

    Parameters
    ----------
    shared, added : Place
        Of the experiments ``covid`` and ``covid_added``.
    arms : sequence of str
        In the order of the legend; arms without predictions are left out.
    missing : str
        What a panel says without predictions; the figure, where neither has any.
    """
    curves = {situation_of(place): _curves(place, arms) for place in (shared, added)}
    if not any(curves.values()):
        return note(missing)
    size = (7.8, 5.1 + 0.25 * max(len(mine) for mine in curves.values()))
    fig, axes = plt.subplots(1, 2, figsize=size, sharey=True)
    for (title, mine), place, ax in zip(curves.items(), (shared, added), axes, strict=True):
        ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="false positive rate")
        ax.set_title(f"{title}\n{place.name}{_size_of(place, arms)}", loc="left", fontsize=9)
        if not mine:
            ax.text(0.5, 0.5, missing, ha="center", va="center", wrap=True)
            continue
        inset = ax.inset_axes(INSET)
        for one in (ax, inset):
            _draw_curves(one, mine, place.looks)
        _zoom(inset, mine)
        ax.indicate_inset_zoom(inset, edgecolor="0.4")
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16)}
        ax.legend(**below, fontsize=9, title="AUROC (95 % interval)", title_fontsize=9)
    axes[0].set_ylabel("true positive rate")
    return fig


def _curves(place: Place, arms: Sequence[str]) -> dict[str, Curve]:
    """Curves by arm, of arms whose predictions are at hand."""
    ensembles = {arm: scored(place, arm) for arm in arms}
    return {
        arm: curve_of(one.targets, one.scores) for arm, one in ensembles.items() if one is not None
    }


def _size_of(place: Place, arms: Sequence[str]) -> str:
    """How many films and networks a panel's curves are of; nothing without predictions."""
    found = [one for one in (scored(place, arm) for arm in arms) if one is not None]
    if not found:
        return ""
    networks = " or ".join(str(k) for k in sorted({one.networks for one in found}))
    return f"\nn = {len(found[0].targets):,} films, {networks} networks"


def _draw_curves(ax: Axes, curves: Mapping[str, Curve], looks: Mapping[str, Look]) -> None:
    ax.plot([0, 1], [0, 1], color="0.6", linestyle=":", linewidth=1)
    for arm, curve in curves.items():
        look = looks[arm]
        area, low, high = curve.auroc
        label = f"{look.label}, {area:.3f} ({low:.3f} to {high:.3f})"
        ax.fill_between(GRID, curve.low, curve.high, color=look.colour, alpha=0.18, linewidth=0)
        style = {"color": look.colour, "linestyle": look.dash, "linewidth": 1.5}
        ax.plot(curve.false_rate, curve.true_rate, label=label, **style)


def _zoom(inset: Axes, curves: Mapping[str, Curve]) -> None:
    """Show a square around the mean corner of the curves, moved into the panel if need be."""
    corner = np.mean([curve.corner for curve in curves.values()], axis=0)
    left, bottom = np.clip(corner - SIDE / 2, 0, 1 - SIDE)
    inset.set(xlim=(left, left + SIDE), ylim=(bottom, bottom + SIDE))
    inset.tick_params(labelsize=7)
    inset.locator_params(nbins=3)
