"""Which network a training ends with, and how its learning rate falls."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from sdlib.errors import ConfigError

__all__ = ["BestNetwork", "falling_rate"]

STEP_EPOCHS = 5  # DeGrave et al. 2021 divide the rate by 10 every five epochs
STEP_FACTOR = 0.1


def falling_rate(name: str, steps: int, epochs: int) -> Callable[[int], float]:
    """The learning rate as a share of the first one.

    Parameters
    ----------
    name : str
        ``cosine`` or ``steps``, as in :class:`sdlib.training.batches.Schedule`.
    steps, epochs : int
        Of the whole training.

    Returns
    -------
    callable
        The number of a step, from 0, to its share of the first rate.

    Examples
    --------
    >>> [falling_rate("steps", 100, 10)(step) for step in (0, 49, 50)]
    [1.0, 1.0, 0.1]
    """
    if name == "cosine":
        return lambda step: 0.5 * (1 + math.cos(math.pi * min(step / steps, 1)))
    each = steps // epochs
    return lambda step: STEP_FACTOR ** (step // each // STEP_EPOCHS)


class BestNetwork:
    """A copy of a network as it was after its best epoch.

    Parameters
    ----------
    network : torch.nn.Module
        The network in training.

    Raises
    ------
    ConfigError
        An epoch without an AUROC: there is nothing to choose by.

    Examples
    --------
    >>> network = nn.Linear(1, 1)
    >>> best = BestNetwork(network)
    >>> best.consider({"auroc": 0.8})
    >>> best.auroc
    0.8
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.auroc = -math.inf
        self.weights: Mapping[str, Any] = {}

    def consider(self, entry: Mapping[str, float]) -> None:
        """Copy the network if its AUROC on the validation set is the highest so far.

        Parameters
        ----------
        entry : mapping of str to float
            Of one epoch, with ``auroc``.
        """
        if "auroc" not in entry:
            raise ConfigError("expected a validation set to choose the best epoch on, got none")
        if entry["auroc"] > self.auroc:
            self.auroc = entry["auroc"]
            self.weights = copy.deepcopy(self.network.state_dict())

    def restore(self) -> None:
        """Put the best epoch's weights back into the network."""
        self.network.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        """The copy and its AUROC, as a checkpoint keeps them."""
        return {"auroc": self.auroc, "weights": dict(self.weights)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.auroc = state["auroc"]
        self.weights = state["weights"]
