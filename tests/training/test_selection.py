"""The best epoch's network is kept, and the rate falls as its name says."""

import numpy as np
import pytest
import torch

from sdlib.errors import ConfigError
from sdlib.losses import SpectralDecouplingLoss
from sdlib.training import loop
from sdlib.training.loop import Schedule, fit
from sdlib.training.selection import BestNetwork, falling_rate

CRITERION = SpectralDecouplingLoss(lam=0.01)
BEST = Schedule(epochs=5, batch_size=16, learning_rate=1.6, seed=3, kept="best")


def silent(line):
    pass


def weights(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def scored(monkeypatch):
    """Make every epoch's AUROC what a test says, and keep the weights of each epoch."""

    def install(aurocs):
        seen, left = [], list(aurocs)

        def validate(network, validation, device):
            seen.append(weights(network))
            return {"accuracy": 0.5, "auroc": left.pop(0)}

        monkeypatch.setattr(loop, "_validate", validate)
        return seen

    return install


@pytest.mark.parametrize(
    ("aurocs", "best"),
    [
        ([0.5, 0.9, 0.7, 0.8, 0.6], 1),
        ([0.5, 0.6, 0.7, 0.7, 0.7], 2),  # the earliest among equals
        ([0.1, 0.2, 0.3, 0.4, 0.5], 4),
        ([0.0, 0.0, 0.0, 0.0, 0.0], 0),
    ],
)
def test_the_network_of_the_best_epoch_is_kept(scored, toy_network, toy_tiles, aurocs, best):
    seen = scored(aurocs)
    network = toy_network()
    history = fit(network, CRITERION, toy_tiles(64), toy_tiles(20, seed=1), BEST, log=silent)
    assert [entry["auroc"] for entry in history] == aurocs
    assert same(weights(network), seen[best])
    assert not any(same(seen[best], other) for k, other in enumerate(seen) if k != best)


def test_a_stopped_training_remembers_its_best_epoch(scored, toy_network, toy_tiles, tmp_path):
    class Stop(Exception):
        pass

    def stop(line):
        if line.startswith("epoch 4/"):
            raise Stop

    aurocs = [0.5, 0.9, 0.7, 0.8, 0.6]
    seen = scored(aurocs)
    arguments = CRITERION, toy_tiles(64), toy_tiles(20, seed=1), BEST, tmp_path
    with pytest.raises(Stop):
        fit(toy_network(), *arguments, log=stop)
    scored(aurocs[3:])
    network = toy_network(seed=99)
    fit(network, *arguments, log=silent)
    assert same(weights(network), seen[1])


def test_nothing_can_be_chosen_without_a_validation_set(toy_network, toy_tiles):
    with pytest.raises(ConfigError, match="expected a validation set to choose the best epoch on"):
        fit(toy_network(), CRITERION, toy_tiles(), None, BEST, log=silent)


@pytest.mark.parametrize("field", ["falling", "kept"])
def test_an_unknown_name_is_refused(field):
    with pytest.raises(ConfigError, match=r"unknown .* 'worst'; expected one of: "):
        Schedule(epochs=1, batch_size=2, **{field: "worst"})


def test_in_steps_the_rate_is_divided_by_ten_every_five_epochs():
    steps, epochs = 120, 12
    rate = falling_rate("steps", steps, epochs)
    for epoch in range(epochs):
        shares = {rate(step) for step in range(epoch * 10, epoch * 10 + 10)}
        assert shares == {0.1 ** (epoch // 5)}


def test_a_training_in_steps_ends_at_a_hundredth_of_its_rate(toy_network, toy_tiles, monkeypatch):
    seen = []

    class Spy(torch.optim.SGD):
        def step(self, *args, **kwargs):
            seen.append(self.param_groups[0]["lr"])
            return super().step(*args, **kwargs)

    monkeypatch.setattr(torch.optim, "SGD", Spy)
    plan = Schedule(epochs=11, batch_size=16, learning_rate=0.32, falling="steps")
    fit(toy_network(), CRITERION, toy_tiles(32), None, plan, log=silent)
    by_hand = 0.01 * np.array([1.0] * 10 + [0.1] * 10 + [0.01] * 2)
    np.testing.assert_allclose(seen, by_hand)


def test_a_copy_does_not_follow_the_network():
    network = torch.nn.Linear(2, 1)
    best = BestNetwork(network)
    best.consider({"auroc": 0.6})
    before = weights(network)
    with torch.no_grad():
        network.weight += 1
    assert not same(weights(network), before)
    best.restore()
    assert same(weights(network), before)
