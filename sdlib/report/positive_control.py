"""Two moons as a positive control: here the effect is known to exist. Is it found?

A page needs one call each: :func:`control_figure` and :func:`control_table`. The networks are
trained when one of them is first called, in about twenty seconds on one core. The page keeps their
accuracies, and so does the cache in ``SDLIB_OUTPUTS``, so that several pages train them once.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdlib.datasets.store import cache_folder, fingerprint
from sdlib.files import if_whole, read_json, write_json
from sdlib.losses import SpectralDecouplingLoss
from sdlib.metrics import Interval, mean_interval
from sdlib.plotting import ARMS
from sdlib.theory import moons, moons_grid
from sdlib.theory.moons_grid import MoonsGrid, run_grid

__all__ = [
    "control_figure",
    "control_sentence",
    "control_table",
    "library_sentence",
    "positive_control",
]

NO_BREAK = "\u00a0"
STRENGTHS = {"weight_decay": "strength of weight decay", "sd": "λ of spectral decoupling"}


@lru_cache(maxsize=1)
def positive_control() -> MoonsGrid:
    """Train the whole grid at its default size, or take it from the cache.

    Returns
    -------
    MoonsGrid
        Of :func:`sdlib.theory.moons_grid.run_grid`.

    Raises
    ------
    SdlibError
        The cache cannot be written.
    """
    # The name changes with all that the accuracies depend on: a grid of other code is not found.
    code = [Path(module.__file__).read_text(encoding="utf-8") for module in (moons, moons_grid)]
    name = fingerprint([*code, version("torch"), version("numpy")])
    file = cache_folder() / f"moons-grid-{name}.json"
    kept = if_whole(read_json, file, _from_json)
    if kept is not None:
        return _from_json(kept)
    grid = run_grid()
    write_json(file, _to_json(grid))
    return grid


def _to_json(grid: MoonsGrid) -> dict:
    accuracies = {
        arm: {name: values.tolist() for name, values in found.items()}
        for arm, found in grid.accuracies.items()
    }
    return {"strengths": grid.strengths, "seeds": grid.seeds, "accuracies": accuracies}


def _from_json(kept: dict) -> MoonsGrid:
    """The grid of a file; a ValueError where anything is missing."""
    try:
        accuracies = {
            arm: {name: np.array(kept["accuracies"][arm][name]) for name in moons_grid.SETS}
            for arm in moons.ARMS
        }
        strengths = {arm: tuple(values) for arm, values in kept["strengths"].items()}
        return MoonsGrid(strengths, tuple(kept["seeds"]), accuracies)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no grid on two moons: {error!r}") from error


def control_table(grid: MoonsGrid | None = None) -> pd.DataFrame:
    """Test accuracy of each arm at the strength chosen on validation, and what SD gains.

    Parameters
    ----------
    grid : MoonsGrid, optional
        By default :func:`positive_control`.

    Returns
    -------
    pandas.DataFrame
        One line per arm: the chosen ``strength``, mean accuracies on training points and on the
        ``validation`` and ``test`` points of moons put back together, the 95 % t interval of the
        last over seeds, and ``SD gains``: the mean paired difference over seeds with its
        95 % t interval, points.
    """
    grid = positive_control() if grid is None else grid
    lines = {}
    for arm in grid.accuracies:
        row = grid.chosen(arm)
        means = {name: values[row].mean() for name, values in grid.accuracies[arm].items()}
        interval = mean_interval(grid.test(arm))
        gain = "" if arm == "sd" else _points(_gain(grid, arm))
        strength = f"{grid.strengths[arm][row]:g}" if arm in grid.strengths else ""
        lines[ARMS[arm].label] = {
            "strength": strength,
            "training": f"{means['training']:.3f}",
            "validation": f"{means['validation']:.3f}",
            "test": f"{means['test']:.3f}",
            "test, 95 % interval": _ends(interval),
            "SD gains": gain,
        }
    return pd.DataFrame(lines).T


def control_sentence(grid: MoonsGrid | None = None) -> str:
    """What the control shows, in one sentence with n and interval.

    Parameters
    ----------
    grid : MoonsGrid, optional
        By default :func:`positive_control`.
    """
    grid = positive_control() if grid is None else grid
    found = _gain(grid, "weight_decay")
    n = len(grid.strengths["sd"])
    return (
        f"On two moons put back together, spectral decoupling gains {_points(found)} points of "
        f"accuracy over weight decay: mean paired difference and 95 % t interval over {found.n} "
        f"seeds, each method at the best of {n} strengths on validation points."
    )


def library_sentence(
    grid: MoonsGrid | None = None, epochs: int = moons_grid.EPOCHS, hidden: int = moons.HIDDEN
) -> str:
    """Train the first of the chosen networks again with the library's loss: do both agree?

    The grid's gradients are written out. Here :class:`sdlib.losses.SpectralDecouplingLoss`,
    autograd and PyTorch's SGD train the network, as they train all networks for images.

    Parameters
    ----------
    grid : MoonsGrid, optional
        By default :func:`positive_control`.
    epochs, hidden : int
        Those of the grid.
    """
    grid = positive_control() if grid is None else grid
    lam = grid.strengths["sd"][grid.chosen("sd")]
    seed = grid.seeds[0]
    points = moons_grid.points_of(seed)
    x, y = points["training"]
    model, criterion = moons.network(seed, hidden), SpectralDecouplingLoss(lam)
    optimiser = torch.optim.SGD(model.parameters(), moons.LEARNING_RATE, moons.MOMENTUM)
    for _ in range(epochs):
        optimiser.zero_grad()
        criterion(model(x), y).backward()
        optimiser.step()
    x, y = points["test"]
    with torch.no_grad():
        right = ((model(x) > 0) == (y == 1)).double().mean().item()
    return (
        f"Trained again with `SpectralDecouplingLoss` and PyTorch's SGD, the first network at λ = "
        f"{lam:g} is right on {right:.1%} of its test points; the grid's own on "
        f"{grid.test('sd')[0]:.1%}."
    )


def control_figure(grid: MoonsGrid | None = None) -> Figure:
    """Draw accuracy on moons put back together over the strength of either penalty.

    Parameters
    ----------
    grid : MoonsGrid, optional
        By default :func:`positive_control`.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels with one scale: weight decay and spectral decoupling. Faint markers are seeds,
        the line and its bars are means with 95 % t intervals, the ring is the strength chosen on
        validation points, and the black line with its band is cross-entropy alone.
    """
    grid = positive_control() if grid is None else grid
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True)
    for ax, arm in zip(axes, grid.strengths, strict=True):
        _draw_plain(ax, grid)
        _draw_arm(ax, grid, arm)
        ax.set(xscale="log", xlabel=STRENGTHS[arm], title=ARMS[arm].label)
    axes[0].set_ylabel("accuracy, moons back together")
    axes[0].legend(loc="upper left")
    return fig


def _draw_plain(ax: Axes, grid: MoonsGrid) -> None:
    look = ARMS["cross_entropy"]
    interval = mean_interval(grid.test("cross_entropy"))
    ax.axhline(interval.mean, color=look.colour, linestyle=":", label=look.label)
    if np.isfinite(interval.low):
        ax.axhspan(interval.low, interval.high, color=look.colour, alpha=0.1, linewidth=0)


def _draw_arm(ax: Axes, grid: MoonsGrid, arm: str) -> None:
    look, strengths = ARMS[arm], np.array(grid.strengths[arm])
    values = grid.accuracies[arm]["test"]
    style = {"color": look.colour, "marker": look.marker}
    across = np.repeat(strengths, values.shape[1])
    ax.plot(across, values.ravel(), alpha=0.35, linestyle="none", gid=f"{arm}:seeds", **style)
    intervals = [mean_interval(line) for line in values]
    means = np.array([interval.mean for interval in intervals])
    lengths = [
        [interval.mean - interval.low for interval in intervals],
        [interval.high - interval.mean for interval in intervals],
    ]
    ax.errorbar(strengths, means, yerr=lengths, capsize=3, color=look.colour)
    best = grid.chosen(arm)
    ring = {"s": 190, "facecolors": "none", "edgecolors": "black", "linewidths": 1.5, "zorder": 3}
    ax.scatter(strengths[best], means[best], label="chosen on validation", **ring)


def _gain(grid: MoonsGrid, arm: str) -> Interval:
    """What SD gains over another arm, both at their chosen strengths, seed by seed."""
    return mean_interval(grid.test("sd") - grid.test(arm))


def _ends(interval: Interval) -> str:
    """The ends of an interval, which no line breaks; empty below three seeds."""
    if np.isnan(interval.low):
        return ""
    return f"{interval.low:.3f} to {interval.high:.3f}".replace(" ", NO_BREAK)


def _points(gain: Interval) -> str:
    """A difference in points with its interval, which no line breaks."""
    mean, low, high = 100 * gain.mean, 100 * gain.low, 100 * gain.high
    if np.isnan(low):
        return f"{mean:+.1f}"
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f})".replace(" ", NO_BREAK)
