"""The graph behind the book as a picture: its steps, what they leave, which seeds enter."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

__all__ = ["STEPS", "Step", "graph_figure"]

WIDTH, HEIGHT = 1.3, 2.0  # inches per step, and of the figure
BOX = {"boxstyle": "round,pad=0.5", "facecolor": "#F3F3F3", "edgecolor": "#1A1A1A"}
SEED = "#0072B2"


class Step(NamedTuple):
    """A step of the graph.

    Parameters
    ----------
    name : str
        What the step does.
    leaves : str
        What it leaves for the next steps; a line break where the picture has one.
    seed : str
        Which choices by chance enter here; empty where there are none.
    """

    name: str
    leaves: str
    seed: str = ""


#: In their order. Whatever a step has left before is not made again.
STEPS: tuple[Step, ...] = (
    Step("data", "images,\nclasses, patients", "seed of\ndata and split"),
    Step("search", "values for\ntuned arms", "seed of\nthe search"),
    Step("train", "a network and\na row per run", "seed of\neach run"),
    Step("measure", "sweeps,\nmaps"),
    Step("chapters", "tables,\nfigures"),
    Step("site", "these pages"),
)


def graph_figure() -> Figure:
    """Draw the steps from left to right, what each leaves below it, and the seeds at the bottom.

    Returns
    -------
    matplotlib.figure.Figure
        Black: steps and what they leave. Blue: the seeds.
    """
    fig, ax = plt.subplots(figsize=(WIDTH * len(STEPS), HEIGHT))
    middle = {"ha": "center", "va": "center"}
    for k, step in enumerate(STEPS):
        ax.text(k, 1, step.name, bbox=BOX, weight="bold", size=11, **middle)
        ax.text(k, 0.45, step.leaves, size=10, **middle)
        ax.text(k, -0.1, step.seed, size=10, color=SEED, style="italic", **middle)
        if k:
            ax.annotate("", (k - 0.4, 1), (k - 0.6, 1), arrowprops={"arrowstyle": "-|>"})
    ax.set(xlim=(-0.6, len(STEPS) - 0.4), ylim=(-0.4, 1.3))
    ax.set_axis_off()
    return fig
