"""Is anything starved? What squares do to the logit, beside what they are worth by Bayes' rule.

A network that has read its training data exactly lowers its logit by the price of the coincidence
where it sees squares. Less tells of squares that were not learned, more of squares that count for
too much: those would be what a method against starvation can undo. A penalty makes all logits
smaller, so the shift alone proves nothing about features. The share r, which no scale changes, and
AUROC without squares tell whether the tissue has gained.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sdlib.datasets.cutout import RATES
from sdlib.experiments.cutout_interpolation import FITTED
from sdlib.metrics import FEWEST_SEEDS, Interval, mean_interval
from sdlib.report.cutout.cutoff_control import logit_shift, share_of_squares
from sdlib.report.intervals import interval_plot
from sdlib.report.margins import binding, mean_margins
from sdlib.report.tables import describe, in_points
from sdlib.results import Place

__all__ = [
    "bayes_price",
    "freed_sentence",
    "starved_plot",
    "starved_sentence",
    "starved_table",
    "surplus",
]

RIVAL = "weight_decay"


def bayes_price() -> float:
    """What squares are worth in the training set, in logits: the log of their likelihood ratio.

    Cutouts against none, cancerous against benign: the best possible reader of the training data
    changes its logit by so much where squares are laid on a tile.

    Examples
    --------
    >>> round(bayes_price(), 3)
    -2.565
    """
    benign, cancer = RATES["train"]
    with_squares = np.log(cancer / benign)
    without = np.log((1 - cancer) / (1 - benign))
    return float(with_squares - without)


def surplus(place: Place, arm: str) -> np.ndarray:
    """The shift of the logit by squares minus Bayes' price, one value per seed; empty without any.

    Negative values: squares count more than the training data say.
    """
    return logit_shift(place, arm)["shift"].to_numpy(np.float64) - bayes_price()


def starved_table(place: Place) -> pd.DataFrame:
    """How well networks fit, whether their penalty was binding, and what squares do; text.

    Parameters
    ----------
    place : Place
        Of ``cutout_interpolation``.

    Returns
    -------
    pandas.DataFrame
        One line per arm. Means over networks; intervals are 95 % t intervals over seeds.
    """
    lines = {}
    for arm in place.arms:
        bound = binding(place, arm, FITTED)
        cells = {
            "accuracy, training tiles": _mean(place.values(f"{FITTED}.accuracy", arm)),
            "accuracy, test tiles": _mean(place.values("test.accuracy", arm)),
            "AUROC, clean test tiles": _mean(place.values("clean.auroc", arm)),
            "cap of the margin": f"{bound['positive']:.2f}" if bound else "–",
            "mean margin, training tiles": _mean(mean_margins(place, arm, FITTED), 2),
            "beyond the cap": f"{bound['own']:.0%}" if bound else "–",
            "shift s minus Bayes' price": describe(_interval(surplus(place, arm)), True, 2),
            "share r": describe(_interval(share_of_squares(place, arm).to_numpy()), True, 2),
        }
        lines[place.label(arm)] = cells
    return pd.DataFrame(lines).T


def starved_plot(places: Sequence[Place]) -> Figure:
    """Draw surplus, share r and AUROC without squares of every arm, a block per place."""
    measures = {
        surplus: "s minus Bayes' price",
        share_of_squares: "share r",
        "clean.auroc": "AUROC, no squares",
    }
    return interval_plot(places, measures, missing="no rows of this experiment yet")


def starved_sentence(place: Place, rival: str = RIVAL) -> str:
    """Whether squares count for more than they are worth, as a sentence of Markdown.

    Parameters
    ----------
    place : Place
        Of ``cutout`` or ``cutout_interpolation``.
    rival : str
        The arm without penalty that is looked at.

    Returns
    -------
    str
        Empty with fewer than three seeds.
    """
    found = _interval(surplus(place, rival))
    if found is None or found.n < FEWEST_SEEDS:
        return ""
    price = bayes_price()
    said = "cannot be told from what Bayes' rule says: nothing is seen to be starved by them"
    if found.high < 0:
        said = "is larger than Bayes' rule says: squares count for more than they are worth"
    if found.low > 0:
        said = "is smaller than Bayes' rule says: squares have not been learned in full"
    numbers = f"{found.mean + price:+.2f}, {found.low + price:+.2f} to {found.high + price:+.2f}"
    return (
        f"Squares shift the logit of *{place.label(rival)}* by {numbers} (mean and 95 % interval "
        f"over {found.n} seeds), which {said} ({price:+.3f})."
    )


def freed_sentence(place: Place, arm: str, rival: str = RIVAL) -> str:
    """Whether a penalty made squares count for less beside the disease, as a sentence of Markdown.

    Parameters
    ----------
    place : Place
        Of ``cutout_interpolation``.
    arm, rival : str
        With and without a penalty.

    Returns
    -------
    str
        Empty for an arm without penalty, and with fewer than three seeds of both.
    """
    bound = binding(place, arm, FITTED)
    if not bound or rival not in place.arms:
        return ""
    sizes = (share_of_squares(place, arm).abs() - share_of_squares(place, rival).abs()).dropna()
    if len(sizes) < FEWEST_SEEDS:
        return ""
    found = mean_interval(sizes.to_numpy())
    said = "can be shown to count for neither less nor more"
    if found.high < 0:
        said = "count for less"
    if found.low > 0:
        said = "count for more"
    ranking = in_points(place.paired("clean.auroc", arm, rival))
    return (
        f"With *{place.label(arm)}* {bound['own']:.0%} of the training tiles lie beyond the cap. "
        f"Beside the disease, squares {said} than with *{place.label(rival)}*: the size of r "
        f"differs by {found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f}), AUROC without "
        f"squares by {ranking}, in points."
    )


def _interval(values: np.ndarray) -> Interval | None:
    return mean_interval(values) if len(values) else None


def _mean(values: np.ndarray, digits: int = 3) -> str:
    return f"{np.mean(values):.{digits}f}" if len(values) else "–"
