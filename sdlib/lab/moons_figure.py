"""Two moons that a page trains on: the points, the first weights and the settings that it needs.

The page's network is the one of :mod:`sdlib.theory.moons`, in ``book/lab/js/moons_worker.js``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sdlib.errors import ConfigError
from sdlib.lab.live import packed, show_live
from sdlib.losses import resting_logits
from sdlib.plotting import ARMS
from sdlib.theory import moons
from sdlib.theory.moons_grid import DECAYS, LAMBDAS

__all__ = ["moons_state", "show_moons"]

LAMS = (0.0, 0.0006, 0.002, *LAMBDAS)
WEIGHT_DECAYS = (0.0, *DECAYS)
TOGETHER, TOGETHER_SEED = 2000, 1  # points that chapter 2 puts back together, and their seed
# The part of the plane that is shown: ends of the second and of the first coordinate.
ACROSS, UP = (-2.0, 2.0), (-1.7, 1.7)
NODES = (61, 24)  # of a grid over it: the boundary is looked for between them
INK = "currentColor"  # the page's own, where black would not be seen in the dark
ROUND = 3  # times the usual number of epochs, after which training stops for good
NOTE = (
    "Move the sliders at any time: training goes on from the weights that the network has. "
    "Restart goes back to its first weights."
)
ASK = {
    "question": "A network has been trained with cross-entropy until every training point was "
    "right. Now spectral decoupling is switched on, and training goes on from there. What happens "
    "to the boundary?",
    "choices": {
        "stays": "It stays: there is no mistake left to learn from",
        "bends": "It bends around the tips of the moons",
        "straight": "It becomes straighter",
    },
    "answer": "It bends. The penalty pulls large margins back to where every point has a gradient, "
    "and the curve is learned after all. Train to epoch 1,000, press spectral decoupling, and "
    "train to epoch 3,000.",
}


def moons_state(
    seed: int = 0, epochs: int = 1000, fresh: int = 500, hidden: int = moons.HIDDEN
) -> dict:
    """Points, first weights and settings, from which a page trains the library's network.

    Parameters
    ----------
    seed : int
        Of the first weights, as for :func:`sdlib.theory.moons.network`.
    epochs : int
        Steps to the first stop, at least 1; there is a second stop after three times as many. The
        page trains eight at a time, and stops where it has reached that many.
    fresh : int
        Number of points for accuracy, 1 to 2,000: the first ones of chapter 2's moons put back
        together.
    hidden : int
        Number of hidden units.

    Returns
    -------
    dict
        The state of the figure ``moons``, JSON of about 45 kB.

        - ``lam``, ``decay``: positions of the sliders, in ``fixed``'s lists ``lams``, ``decays``;
        - ``goal``: the epoch until which the network trains;
        - ``data``: the first weights, training points, fresh points and a grid, each as a list of
          packed columns. Weights are one column: for every hidden unit its weight of the first
          input, of the second, its bias and its weight in the logit; then the logit's bias. Points
          are first coordinate, second, and target where there is one;
        - ``fixed``: what readers do not change, not even by a link.

    Raises
    ------
    ConfigError
        Fewer than 1 epoch; a number of fresh points that is out of range.

    Examples
    --------
    >>> state = moons_state()
    >>> state["presets"]["spectral decoupling, 0.006"], state["fixed"]["lams"][3]
    ({'lam': 3, 'decay': 0}, 0.006)
    >>> [len(columns) for columns in state["data"]]
    [1, 3, 3, 2]
    """
    if epochs < 1 or not 1 <= fresh <= TOGETHER:
        raise ConfigError(
            f"expected at least 1 epoch and 1 to {TOGETHER} fresh points, got {epochs} and {fresh}"
        )
    x, y = moons.two_moons()
    together, targets = moons.two_moons(TOGETHER, margin=None, seed=TOGETHER_SEED)
    sets = [[*x.T, y], [*together[:fresh].T, targets[:fresh]], _grid()]
    return {
        "lam": 0,
        "decay": 0,
        "goal": 0,
        "data": [
            [packed(_weights(seed, hidden))],
            *([packed(column) for column in one] for one in sets),
        ],
        "presets": {**_settings(), **_stops(epochs)},
        "fixed": {
            "lams": list(LAMS),
            "decays": list(WEIGHT_DECAYS),
            "rests": [_rest(lam) for lam in LAMS],
            "last": ROUND * epochs,
            "arms": {arm: _boundary_look(arm) for arm in moons.ARMS},
            "classes": [_point_look(INK), _point_look("none")],
            "axes": {
                "title": "Discs: class 0. Rings: class 1.",
                "x": list(ACROSS),
                "y": list(UP),
                "xLabel": "second coordinate",
                "yLabel": "first coordinate",
            },
            "note": NOTE,
        },
        "predicted": "",
        "ask": ASK,
    }


def show_moons() -> None:
    """Display two moons that train where they are shown."""
    show_live("moons", moons_state())


def _settings() -> dict[str, dict[str, int]]:
    """Positions of the sliders for each arm, by what its button says."""
    found = {}
    for arm, setting in moons.ARMS.items():
        strength = setting.lam or setting.weight_decay
        label = f"{ARMS[arm].label}, {strength:g}" if strength else ARMS[arm].label
        found[label] = {
            "lam": LAMS.index(setting.lam),
            "decay": WEIGHT_DECAYS.index(setting.weight_decay),
        }
    return found


def _stops(epochs: int) -> dict[str, dict[str, int]]:
    goals = (epochs, ROUND * epochs)
    return {f"Train to epoch {goal:,}": {"goal": goal} for goal in goals} | {"Pause": {"goal": 0}}


def _rest(lam: float) -> str:
    """Where the penalty lets margins rest, as a part of a sentence."""
    if lam == 0:
        return "without λ none is at rest"
    return f"λ lets them rest at {resting_logits(lam)[1]:.2f}"


def _boundary_look(arm: str) -> dict:
    colour = INK if arm == "cross_entropy" else ARMS[arm].colour
    return {"colour": colour, "more": {"r": 2.5}}


def _point_look(fill: str) -> dict:
    return {"more": {"r": 2, "style": f"--arm: {INK}; fill: {fill}; stroke: {INK}"}}


def _weights(seed: int, hidden: int) -> Tensor:
    first, _, second, _ = moons.network(seed, hidden)
    units = torch.cat([first.weight, first.bias[:, None], second.weight.T], dim=1)
    return torch.cat([units.flatten(), second.bias]).detach()


def _grid() -> list[Tensor]:
    """First and second coordinates of nodes, from left to right, and within a column upwards."""
    across, up = (torch.linspace(*ends, n) for ends, n in zip((ACROSS, UP), NODES, strict=True))
    second, first = torch.meshgrid(across, up, indexing="ij")
    return [first.flatten(), second.flatten()]
