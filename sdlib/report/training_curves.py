"""The figure of chapter 9: what a network does to its margins while it is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sdlib.plotting import ARMS
from sdlib.theory.heads import margin_cap

__all__ = ["draw_training", "epoch_table"]

BAND = (0.1, 0.9)  # quantiles of the margins; eight of ten tiles are between them

#: The margins after one epoch, float64 (n,), by part: ``train`` and ``validation``.
Epoch = Mapping[str, np.ndarray]


def epoch_table(history: Sequence[Epoch], lam: float) -> dict[str, np.ndarray]:
    """Compute what the margins after each epoch say.

    Parameters
    ----------
    history : sequence of mapping
        One per epoch: the margins of training and of validation tiles.
    lam : float
        Of a single logit: its cap divides the margins.

    Returns
    -------
    dict of str to numpy.ndarray
        float64 (epochs,) each: ``cross-entropy`` on training tiles, ``accuracy`` on validation
        tiles, and of the training margins ``mean``, ``low`` and ``high`` (a tenth of them is below
        and above), and ``beyond``, the share that exceeds the cap.

    Examples
    --------
    >>> one = {"train": np.array([1.0, 4.0]), "validation": np.array([-1.0, 2.0])}
    >>> found = epoch_table([one], lam=0.01)
    >>> found["accuracy"].tolist(), found["beyond"].tolist()
    ([0.5], [0.5])
    """
    cap = margin_cap(lam)
    lines = []
    for epoch in history:
        low, high = np.quantile(epoch["train"], BAND)
        lines.append(
            {
                "cross-entropy": np.logaddexp(0, -epoch["train"]).mean(),
                "accuracy": (epoch["validation"] > 0).mean(),
                "mean": epoch["train"].mean(),
                "low": low,
                "high": high,
                "beyond": (epoch["train"] > cap).mean(),
            }
        )
    return {name: np.array([line[name] for line in lines]) for name in lines[0]}


def draw_training(histories: Mapping[str, Sequence[Epoch]], lam: float) -> Figure:
    """Draw margins beside their cap, and loss and accuracy, over the epochs of a training.

    Parameters
    ----------
    histories : mapping of str to sequence
        By arm, as :func:`epoch_table` takes them; all of the same length.
    lam : float
        Of the arm with a penalty, which has one logit.

    Returns
    -------
    matplotlib.figure.Figure
        On the left, large, margins of training tiles: the mean as a line, and a band with eight of
        ten tiles. On the right cross-entropy on training tiles and accuracy on validation tiles.
    """
    fig, axes = plt.subplot_mosaic(
        [["margins", "loss"], ["margins", "accuracy"]], figsize=(8, 3.7), width_ratios=(1.5, 1)
    )
    for arm, history in histories.items():
        found = epoch_table(history, lam)
        epochs = np.arange(1, len(history) + 1)
        style = ARMS[arm].kwargs
        axes["margins"].plot(epochs, found["mean"], **style)
        axes["margins"].fill_between(
            epochs, found["low"], found["high"], color=ARMS[arm].colour, alpha=0.15, linewidth=0
        )
        axes["loss"].plot(epochs, found["cross-entropy"], **style)
        axes["accuracy"].plot(epochs, found["accuracy"], **style)
    label = f"cap of λ = {lam:g}"
    style = {"color": "black", "linestyle": "--", "linewidth": 1.2}
    axes["margins"].axhline(margin_cap(lam), label=label, **style)
    axes["margins"].set(title="margins of training tiles", xlabel="epoch")
    axes["margins"].legend(loc="upper left")
    axes["loss"].set(title="cross-entropy, training", ylim=(0, None))
    axes["loss"].tick_params(labelbottom=False)
    axes["accuracy"].set(title="accuracy, validation", xlabel="epoch")
    for ax in axes.values():
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return fig
