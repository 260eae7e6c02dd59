"""Two moons that a straight line separates: gradient starvation in two dimensions.

The set-up of Pezeshki et al. (arXiv 2011.09468): 300 points, noise 0.1, a 2-500-1 ReLU network,
full-batch SGD at a learning rate of 0.01 with momentum 0.9. The moons are moved apart until their
first coordinates no longer overlap. A straight line then separates them, and a network that has
found it gains little from the curved gap between the moons.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from sdlib.errors import ConfigError
from sdlib.theory.optima import check_lambda

__all__ = ["ARMS", "Arm", "Run", "network", "train", "two_moons"]

HIDDEN = 500
LEARNING_RATE, MOMENTUM = 0.01, 0.9


@dataclass(frozen=True)
class Arm:
    """One way to train the network.

    Attributes
    ----------
    weight_decay : float
        SGD's weight decay, at least 0.
    lam : float
        Strength of spectral decoupling in Algorithm 1's convention, at least 0.

    Examples
    --------
    >>> ARMS["sd"]
    Arm(weight_decay=0.0, lam=0.006)
    """

    weight_decay: float = 0.0
    lam: float = 0.0


ARMS: dict[str, Arm] = {
    "cross_entropy": Arm(),
    "weight_decay": Arm(weight_decay=0.01),
    # The published coefficient of the penalty is 0.003 without the factor 1/2.
    "sd": Arm(lam=0.006),
}
"""The ways to train that the book compares."""


def two_moons(
    n: int = 300, noise: float = 0.1, margin: float | None = 0.1, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Draw the points of two moons, moved apart along their first coordinate.

    Parameters
    ----------
    n : int
        Number of points, at least 4, half of them in each class.
    noise : float
        Standard deviation of the noise on both coordinates, at least 0.
    margin : float, optional
        Class 0 is shifted along the first coordinate until it ends at ``-margin``, and class 1
        until it starts at ``+margin``. A negative margin leaves an overlap; with None the moons
        are not shifted.
    seed : int
        Seed of angles and noise.

    Returns
    -------
    x : torch.Tensor
        float32 (n, 2), points; the first coordinate runs across the moons.
    y : torch.Tensor
        int64 (n,), targets, 0 or 1.

    Raises
    ------
    ConfigError
        Fewer than 4 points, a negative noise.

    Examples
    --------
    >>> x, y = two_moons()
    >>> round(x[y == 0, 0].max().item(), 3), round(x[y == 1, 0].min().item(), 3)
    (-0.1, 0.1)
    """
    if n < 4 or not noise >= 0:
        raise ConfigError(f"expected n of at least 4 and noise of at least 0, got {n} and {noise}")
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    angle = rng.uniform(0, np.pi, n)
    # The upper moon is class 1; the lower one is the same arch, rotated and shifted.
    across = np.where(y == 1, np.sin(angle), 0.5 - np.sin(angle))
    along = np.where(y == 1, np.cos(angle), 1 - np.cos(angle))
    x = np.stack([across - 0.25, along - 0.5], axis=1) + rng.normal(0, noise, (n, 2))
    # Only the first coordinate moves: the curved gap between the moons keeps its shape.
    if margin is not None:
        x[y == 0, 0] -= x[y == 0, 0].max() + margin
        x[y == 1, 0] -= x[y == 1, 0].min() - margin
    return torch.from_numpy(x).float(), torch.from_numpy(y)


def network(seed: int, hidden: int = HIDDEN) -> nn.Sequential:
    """Create the ReLU network of a seed, with two inputs, one hidden layer and one logit.

    Parameters
    ----------
    seed : int
        Seed of PyTorch's initialisation. The global generator is left as it was.
    hidden : int
        Number of hidden units.

    Returns
    -------
    torch.nn.Sequential
        Maps float32 (N, 2) to logits (N,).

    Examples
    --------
    >>> network(0)(torch.zeros(3, 2)).shape
    torch.Size([3])
    """
    # With a forked generator the caller's random numbers do not depend on networks made before.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, 1), nn.Flatten(start_dim=-2)
        )


@dataclass(frozen=True)
class Run:
    """The trained networks of one arm, one per seed, and their logits during training.

    Attributes
    ----------
    networks : list of torch.nn.Sequential
        One per seed.
    epochs : list of int
        The epochs after which logits were recorded.
    logits : torch.Tensor
        (seeds, epochs, N), logits of the training points.
    """

    networks: list[nn.Sequential]
    epochs: list[int]
    logits: Tensor

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """Predict the logits of points, float32 (N, 2), with every network: (seeds, N)."""
        return torch.stack([trained(x) for trained in self.networks])


def train(
    arm: Arm,
    x: Tensor,
    y: Tensor,
    seeds: Iterable[int] = range(10),
    epochs: int = 1000,
    record_every: int = 10,
    hidden: int = HIDDEN,
) -> Run:
    """Train one network per seed, by full-batch gradient descent.

    A seed gives the same network whichever other seeds are trained.

    Parameters
    ----------
    arm : Arm
        How to train.
    x : torch.Tensor
        (N, 2), points; float64 trains in float64.
    y : torch.Tensor
        (N,), targets, 0 or 1.
    seeds : iterable of int
        At least one.
    epochs : int
        Number of gradient steps, at least 0.
    record_every : int
        Logits are recorded before the first step, after every ``record_every`` steps and after the
        last step; at least 1.
    hidden : int
        Number of hidden units.

    Returns
    -------
    Run
        Trained networks and recorded logits.

    Raises
    ------
    ConfigError
        No seeds, a negative number of epochs, ``record_every`` below 1, a bad lambda.

    Examples
    --------
    >>> x, y = two_moons(20)
    >>> run = train(ARMS["sd"], x, y, seeds=[0, 1], epochs=4, record_every=2)
    >>> run.epochs, run.logits.shape, run.predict(x[:5]).shape
    ([0, 2, 4], torch.Size([2, 3, 20]), torch.Size([2, 5]))
    """
    seeds = list(seeds)
    if not seeds or epochs < 0 or record_every < 1:
        raise ConfigError(
            "expected at least one seed, epochs of at least 0 and record_every of at least 1, "
            f"got {seeds}, {epochs} and {record_every}"
        )
    check_lambda(arm.lam)
    recorded = sorted({*range(0, epochs, record_every), epochs})
    # One network is trained after the other, so that its activations stay in the cache.
    networks = [network(seed, hidden).to(x.dtype) for seed in seeds]
    logits = [_train_one(one, arm, x, y, recorded) for one in networks]
    return Run(networks, recorded, torch.stack(logits))


@torch.no_grad()
def _train_one(model: nn.Sequential, arm: Arm, x: Tensor, y: Tensor, recorded: list[int]) -> Tensor:
    """Train a network in place and return its recorded logits (epochs, N)."""
    # The gradients are written out: for a network this small, autograd takes five times as long.
    inputs = torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
    first = torch.cat([model[0].weight.T, model[0].bias[None]])  # (3, hidden): weights, then bias
    second, bias = model[2].weight[0].clone(), model[2].bias.clone()
    parameters = [first, second, bias]
    velocities = [torch.zeros_like(p) for p in parameters]
    kept = []
    for epoch in range(recorded[-1] + 1):
        active = (inputs @ first).clamp_(min=0)
        logits = active @ second + bias
        if epoch in recorded:
            kept.append(logits)
        if epoch == recorded[-1]:
            break
        d_logits = (logits.sigmoid() - y + arm.lam * logits) / len(x)
        # A ReLU's output is its input where it is active, so one product serves both layers.
        by_unit = (d_logits[:, None] * inputs).T @ active.sign_()
        gradients = [by_unit * second, (by_unit * first).sum(0), d_logits.sum(0, keepdim=True)]
        for p, velocity, gradient in zip(parameters, velocities, gradients, strict=True):
            velocity.mul_(MOMENTUM).add_(gradient).add_(p, alpha=arm.weight_decay)
            p.sub_(velocity, alpha=LEARNING_RATE)
    model[0].weight.copy_(first[:2].T)
    model[0].bias.copy_(first[2])
    model[2].weight.copy_(second[None])
    model[2].bias.copy_(bias)
    return torch.stack(kept)
