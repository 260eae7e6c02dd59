"""The two moons as a positive control: every lambda against every weight decay.

Networks learn moons that a straight line separates, and are tested on moons put back together,
where only the curve between them helps. Both penalties get the same number of strengths. The
strength of each is chosen on validation points and shown on test points. Every seed has points
and a network of its own; the two penalties share them, so their difference is a paired one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sdlib.errors import ConfigError
from sdlib.theory.moons import HIDDEN, Arm, train, two_moons

__all__ = ["DECAYS", "LAMBDAS", "SETS", "MoonsGrid", "points_of", "run_grid"]

#: Strengths of spectral decoupling; the published one is the first. The range was moved upwards
#: after a first look, until the best was inside; from 20 on, training at this rate diverges.
LAMBDAS = (0.006, 0.02, 0.06, 0.2, 0.6, 2.0, 6.0)
#: Strengths of weight decay, as many.
DECAYS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)

#: Points, by name: those that are trained on, and two draws of moons put back together.
SETS = ("training", "validation", "test")

EPOCHS = 1000
POINTS = 2000  # of validation and of test
# Seeds of points: far enough apart that no two sets share one.
VALIDATION, TEST = 100_000, 200_000


@dataclass(frozen=True)
class MoonsGrid:
    """Accuracies of every strength, seed by seed.

    Attributes
    ----------
    strengths : dict of str to tuple of float
        By arm, ``weight_decay`` and ``sd``.
    seeds : tuple of int
        Of points and initial weights.
    accuracies : dict of str to dict of str to numpy.ndarray
        By arm, ``cross_entropy`` included, and by set (:data:`SETS`): float64
        (strengths, seeds), from 0 to 1. Cross-entropy has one line.
    """

    strengths: dict[str, tuple[float, ...]]
    seeds: tuple[int, ...]
    accuracies: dict[str, dict[str, np.ndarray]]

    def chosen(self, arm: str) -> int:
        """The position of the strength with the best mean accuracy on validation points."""
        return int(self.accuracies[arm]["validation"].mean(axis=1).argmax())

    def test(self, arm: str) -> np.ndarray:
        """Test accuracies of the chosen strength, float64 (seeds,)."""
        return self.accuracies[arm]["test"][self.chosen(arm)]


def run_grid(
    lambdas: Sequence[float] = LAMBDAS,
    decays: Sequence[float] = DECAYS,
    seeds: Iterable[int] = range(5),
    epochs: int = EPOCHS,
    hidden: int = HIDDEN,
) -> MoonsGrid:
    """Train a network per strength and seed, and test each on moons put back together.

    Parameters
    ----------
    lambdas, decays : sequence of float
        Strengths, at least 0; the same number of both.
    seeds : iterable of int
        At least one, each from 0 to 99,999 and given once. A seed draws the points and the
        initial weights.
    epochs : int
        Gradient steps, at least 0.
    hidden : int
        Number of hidden units.

    Returns
    -------
    MoonsGrid
        Accuracies of cross-entropy, weight decay and spectral decoupling.

    Raises
    ------
    ConfigError
        No strengths, or more of one penalty than of the other; no seeds, a seed that is given
        twice or out of range; whatever :func:`sdlib.theory.moons.train` refuses.

    Examples
    --------
    >>> grid = run_grid([0.1], [0.01], seeds=[0, 1], epochs=2, hidden=8)
    >>> grid.accuracies["sd"]["test"].shape, grid.chosen("sd")
    ((1, 2), 0)
    """
    seeds = tuple(seeds)
    _check(lambdas, decays, seeds)
    settings = {
        "cross_entropy": [Arm()],
        "weight_decay": [Arm(weight_decay=decay) for decay in decays],
        "sd": [Arm(lam=lam) for lam in lambdas],
    }
    accuracies = {
        arm: {name: np.empty((len(listed), len(seeds))) for name in SETS}
        for arm, listed in settings.items()
    }
    for column, seed in enumerate(seeds):
        points = points_of(seed)
        for arm, listed in settings.items():
            for row, setting in enumerate(listed):
                found = _accuracies(setting, points, seed, epochs, hidden)
                for name, value in found.items():
                    accuracies[arm][name][row, column] = value
    strengths = {"weight_decay": tuple(decays), "sd": tuple(lambdas)}
    return MoonsGrid(strengths, seeds, accuracies)


def points_of(seed: int) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Draw the points of a seed of the grid, by set, as :func:`sdlib.theory.moons.two_moons` does.

    >>> {name: len(x) for name, (x, y) in points_of(0).items()}
    {'training': 300, 'validation': 2000, 'test': 2000}
    """
    return {
        "training": two_moons(seed=seed),
        "validation": two_moons(POINTS, margin=None, seed=VALIDATION + seed),
        "test": two_moons(POINTS, margin=None, seed=TEST + seed),
    }


def _accuracies(
    setting: Arm,
    points: dict[str, tuple[torch.Tensor, torch.Tensor]],
    seed: int,
    epochs: int,
    hidden: int,
) -> dict[str, float]:
    """Train one network; its accuracy by set of points."""
    x, y = points["training"]
    # Only the trained network is looked at, so nothing is recorded on the way.
    run = train(setting, x, y, [seed], epochs, record_every=max(epochs, 1), hidden=hidden)
    found = {}
    for name, (inputs, targets) in points.items():
        right = (run.predict(inputs)[0] > 0) == (targets == 1)
        found[name] = right.double().mean().item()
    return found


def _check(lambdas: Sequence[float], decays: Sequence[float], seeds: tuple[int, ...]) -> None:
    """Raise a ConfigError unless budgets are equal and seeds are right."""
    if not len(lambdas) or len(lambdas) != len(decays):
        raise ConfigError(
            "expected at least one strength, and as many of weight decay as of the penalty, "
            f"got {len(lambdas)} lambdas and {len(decays)} decays"
        )
    wrong = [seed for seed in seeds if not 0 <= seed < VALIDATION]
    if not seeds or wrong or len(set(seeds)) < len(seeds):
        raise ConfigError(
            f"expected at least one seed from 0 to {VALIDATION - 1}, each of them once, "
            f"got {list(seeds)}"
        )
