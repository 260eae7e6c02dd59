"""The grid on two moons: one network of it trained by PyTorch, its choice, and what it refuses."""

import numpy as np
import pytest
import torch

from sdlib.errors import ConfigError
from sdlib.losses import SpectralDecouplingLoss
from sdlib.theory.moons import Arm, network, train, two_moons
from sdlib.theory.moons_grid import DECAYS, LAMBDAS, SETS, TEST, VALIDATION, MoonsGrid, run_grid

SMALL = {"epochs": 30, "hidden": 16}


def share_right(model, x, y):
    with torch.no_grad():
        return ((model(x) > 0) == (y == 1)).double().mean().item()


@pytest.fixture(scope="module")
def small():
    return run_grid([0.5, 0.1], [0.3, 0.01], seeds=[4, 2], **SMALL)


@pytest.mark.parametrize(
    ("arm", "row", "decay", "lam"), [("weight_decay", 0, 0.3, 0.0), ("sd", 1, 0.0, 0.1)]
)
def test_a_network_of_the_grid_is_pytorchs(small, arm, row, decay, lam):
    x, y = two_moons(seed=2)
    model, criterion = network(2, 16), SpectralDecouplingLoss(lam)
    optimiser = torch.optim.SGD(model.parameters(), 0.01, 0.9, weight_decay=decay)
    for _ in range(30):
        optimiser.zero_grad()
        criterion(model(x), y).backward()
        optimiser.step()
    found = {name: values[row, 1] for name, values in small.accuracies[arm].items()}
    assert found["training"] == pytest.approx(share_right(model, x, y), abs=0.01)
    for name, start in (("validation", VALIDATION), ("test", TEST)):
        together = two_moons(2000, margin=None, seed=start + 2)
        assert found[name] == pytest.approx(share_right(model, *together), abs=0.002)


def test_cross_entropy_is_the_same_training_without_penalties(small):
    x, y = two_moons(seed=4)
    plain = train(Arm(), x, y, [4], 30, hidden=16)
    right = ((plain.predict(x)[0] > 0) == (y == 1)).double().mean().item()
    assert small.accuracies["cross_entropy"]["training"].tolist()[0][0] == right


def test_every_arm_has_every_set_with_a_line_per_strength(small):
    shapes = {
        arm: {values.shape for values in found.values()} for arm, found in small.accuracies.items()
    }
    assert shapes == {"cross_entropy": {(1, 2)}, "weight_decay": {(2, 2)}, "sd": {(2, 2)}}
    assert {tuple(found) for found in small.accuracies.values()} == {SETS}


def test_a_seed_is_the_same_alone(small):
    alone = run_grid([0.5, 0.1], [0.3, 0.01], seeds=[2], **SMALL)
    for arm, found in alone.accuracies.items():
        for name, values in found.items():
            np.testing.assert_array_equal(values[:, 0], small.accuracies[arm][name][:, 1])


def test_the_strength_is_chosen_on_validation_and_shown_on_test():
    validation = np.array([[0.7, 0.9], [0.9, 0.8]])  # means .8 and .85
    test = np.array([[0.95, 0.95], [0.6, 0.5]])  # the other strength would look better
    found = {"training": np.ones((2, 2)), "validation": validation, "test": test}
    grid = MoonsGrid({"sd": (0.1, 0.2)}, (0, 1), {"sd": found})
    assert grid.chosen("sd") == 1
    assert grid.test("sd").tolist() == [0.6, 0.5]


def test_both_penalties_have_as_many_strengths():
    assert len(LAMBDAS) == len(DECAYS)
    assert list(LAMBDAS) == sorted(set(LAMBDAS))
    assert list(DECAYS) == sorted(set(DECAYS))


@pytest.mark.parametrize(
    ("lambdas", "decays", "seeds", "match"),
    [
        ([], [], [0], "got 0 lambdas and 0 decays"),
        ([0.1, 0.2], [0.1], [0], "as many .* got 2 lambdas and 1 decays"),
        ([0.1], [0.1], [], r"at least one seed from 0 to 99999, .* got \[\]"),
        ([0.1], [0.1], [1, 1], r"each of them once, got \[1, 1\]"),
        ([0.1], [0.1], [-1], r"got \[-1\]"),
        ([0.1], [0.1], [100_000], r"got \[100000\]"),
        ([-0.1], [0.1], [0], "lam"),
    ],
)
def test_wrong_grids_are_refused(lambdas, decays, seeds, match):
    with pytest.raises(ConfigError, match=match):
        run_grid(lambdas, decays, seeds, **SMALL)
