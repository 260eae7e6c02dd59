"""Many small networks trained at once, with a loss that may change once on the way.

Pezeshki et al.'s experiment on coloured digits trains with one loss, and from a certain step with
another. A :class:`Recipe` holds both losses and the optimiser, so that each can be changed alone.
The networks of all seeds are trained together, as batches of matrices: that takes two thirds of the
time of training one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from sdlib.checks import check_number, known
from sdlib.errors import ConfigError

__all__ = ["PUBLISHED", "History", "Recipe", "initial_weights", "predict", "train_recipe"]

MOMENTUM = 0.9  # of SGD
OPTIMISERS = ("adam", "sgd")


@dataclass(frozen=True)
class Recipe:
    """How to train: one loss until a switch, another one from there.

    A loss is a pair of weights: of the mean cross-entropy, and of the mean squared logit. Spectral
    decoupling of strength lambda (Algorithm 1) is the pair ``(1, lambda / 2)``.

    Attributes
    ----------
    first, second : pair of float
        The two losses.
    switch : int
        The step from which the second loss counts; 0 for the second loss alone.
    steps : int
        Gradient steps, at least 0, each on all training examples.
    learning_rate : float
        Of the optimiser.
    optimiser : {"adam", "sgd"}
        SGD has a momentum of 0.9.
    weight_decay : float
        As PyTorch's optimisers have it: its gradient is added to that of the loss.
    restart : bool
        Whether the optimiser forgets at the switch what it remembers of earlier gradients.
    width : int
        Units in each of the two hidden layers.

    Examples
    --------
    >>> PUBLISHED.second
    (2e-05, 2e-05)
    """

    first: tuple[float, float] = (1.0, 0.0)
    second: tuple[float, float] = (1.0, 0.0)
    switch: int = 0
    steps: int = 500
    learning_rate: float = 4e-3
    optimiser: str = "adam"
    weight_decay: float = 0.0
    restart: bool = False
    width: int = 32


#: The published experiment, as its public code has it.
PUBLISHED = Recipe((1.0, 2e-5), (2e-5, 2e-5), 450, 2001, 1e-4, width=300)


@dataclass(frozen=True)
class History:
    """What the networks predicted during training.

    Attributes
    ----------
    steps : numpy.ndarray
        int64 (T,), the steps before which logits were recorded, and the last one.
    logits : dict of str to numpy.ndarray
        By the name of a set of inputs: float32 (T, seeds, n).
    """

    steps: np.ndarray
    logits: dict[str, np.ndarray]


def initial_weights(width: int, inputs: int, seeds: Sequence[int]) -> list[Tensor]:
    """Draw the weights of one network per seed: Glorot's uniform distribution, biases of 0.

    Parameters
    ----------
    width : int
        Units in each of the two hidden layers.
    inputs : int
        Numbers per example.
    seeds : sequence of int
        One network per seed, the same whichever others there are.

    Returns
    -------
    list of torch.Tensor
        Weights and biases of the three layers in turn: float32 (seeds, inputs, outputs) and
        (seeds, 1, outputs).
    """
    shapes = [(inputs, width), (width, width), (width, 1)]
    networks = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(int(seed))
        weights = [torch.empty(shape) for shape in shapes]
        for weight in weights:
            nn.init.xavier_uniform_(weight, generator=generator)
        networks.append(weights)
    found = []
    for layer, (_, outputs) in enumerate(shapes):
        found.append(torch.stack([weights[layer] for weights in networks]))
        found.append(torch.zeros(len(networks), 1, outputs))
    return found


def predict(weights: Sequence[Tensor], x: Tensor) -> Tensor:
    """Compute the logits of every network on inputs of its own.

    Parameters
    ----------
    weights : sequence of torch.Tensor
        Of :func:`initial_weights`, or as trained.
    x : torch.Tensor
        float32 (seeds, n, inputs).

    Returns
    -------
    torch.Tensor
        float32 (seeds, n).
    """
    first, first_bias, second, second_bias, last, last_bias = weights
    hidden = torch.baddbmm(first_bias, x, first).relu()
    hidden = torch.baddbmm(second_bias, hidden, second).relu()
    return torch.baddbmm(last_bias, hidden, last)[..., 0]


def train_recipe(
    recipe: Recipe,
    images: np.ndarray,
    targets: np.ndarray,
    seeds: Sequence[int],
    watched: Mapping[str, np.ndarray],
    record_every: int = 25,
) -> History:
    """Train one network per seed, each on examples of its own, and record what they predict.

    Parameters
    ----------
    recipe : Recipe
        How to train.
    images : numpy.ndarray
        float32 (seeds, n, inputs), the training examples.
    targets : numpy.ndarray
        bool (seeds, n).
    seeds : sequence of int
        Of the initial weights.
    watched : mapping of str to numpy.ndarray
        By name: float32 (seeds, m, inputs), the inputs whose logits are recorded.
    record_every : int
        Logits are recorded before the first step, after every ``record_every`` steps and after
        the last; at least 1.

    Returns
    -------
    History
        Logits of the watched inputs.

    Raises
    ------
    ConfigError
        Arrays that do not belong together, or a recipe with a number out of its range.

    Examples
    --------
    >>> images = np.zeros((2, 5, 8), np.float32)
    >>> targets = np.zeros((2, 5), bool)
    >>> found = train_recipe(Recipe(steps=30), images, targets, [0, 1], {"same": images})
    >>> found.steps.tolist(), found.logits["same"].shape
    ([0, 25, 30], (3, 2, 5))
    """
    _check(recipe, images, targets, seeds, watched, record_every)
    x, y = torch.from_numpy(images), torch.from_numpy(targets).float()
    inputs = {name: torch.from_numpy(values) for name, values in watched.items()}
    weights = initial_weights(recipe.width, x.shape[-1], seeds)
    for weight in weights:
        weight.requires_grad_()
    optimiser = _optimiser(recipe, weights)
    recorded = sorted({*range(0, recipe.steps, record_every), recipe.steps})
    kept: dict[str, list[np.ndarray]] = {name: [] for name in inputs}
    for step in range(recipe.steps + 1):
        if step in recorded:
            with torch.no_grad():
                for name, values in inputs.items():
                    kept[name].append(predict(weights, values).numpy())
        if step == recipe.steps:
            break
        if step == recipe.switch and recipe.restart:
            optimiser = _optimiser(recipe, weights)
        ours, penalty = recipe.first if step < recipe.switch else recipe.second
        logits = predict(weights, x)
        entropy = nn.functional.binary_cross_entropy_with_logits(logits, y, reduction="none")
        loss = ours * entropy.mean(dim=1) + penalty * logits.square().mean(dim=1)
        optimiser.zero_grad()
        # A sum over networks: none has a part in the gradient of another.
        loss.sum().backward()
        optimiser.step()
    logits = {name: np.stack(values) for name, values in kept.items()}
    return History(np.array(recorded), logits)


def _optimiser(recipe: Recipe, weights: list[Tensor]) -> torch.optim.Optimizer:
    given = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay}
    if recipe.optimiser == "adam":
        return torch.optim.Adam(weights, fused=True, **given)
    return torch.optim.SGD(weights, momentum=MOMENTUM, **given)


def _check(
    recipe: Recipe,
    images: np.ndarray,
    targets: np.ndarray,
    seeds: Sequence[int],
    watched: Mapping[str, np.ndarray],
    record_every: int,
) -> None:
    """Raise a ConfigError unless everything belongs together."""
    known("optimiser", recipe.optimiser, OPTIMISERS)
    for name in ("switch", "steps"):
        check_number(name, getattr(recipe, name), 0, whole=True)
    check_number("width", recipe.width, 1, whole=True)
    check_number("record_every", record_every, 1, whole=True)
    for name in ("learning_rate", "weight_decay"):
        check_number(name, getattr(recipe, name), 0)
    for weight in (*recipe.first, *recipe.second):
        check_number("every weight of the loss", weight, 0)
    if images.ndim != 3 or len(images) != len(seeds) or not images.size:
        raise ConfigError(
            f"expected images of {len(seeds)} seeds, (seeds, n, inputs), got {images.shape}"
        )
    if targets.shape != images.shape[:2]:
        raise ConfigError(f"expected targets {images.shape[:2]}, got {targets.shape}")
    for name, values in watched.items():
        if values.ndim != 3 or values.shape[::2] != images.shape[::2]:
            wanted = f"({len(seeds)}, m, {images.shape[2]})"
            raise ConfigError(f"expected watched inputs {wanted} in {name!r}, got {values.shape}")
