"""What a page needs to train on two moons: the library's points, weights and settings."""

import base64
import json

import numpy as np
import pytest
import torch

from sdlib.errors import ConfigError
from sdlib.lab import moons_figure
from sdlib.lab.moons_figure import NODES, UP, moons_state, show_moons
from sdlib.losses import SpectralDecouplingLoss, resting_logits
from sdlib.theory.moons import ARMS, Arm, network, two_moons


def unpacked(state):
    """The state's columns of numbers, set by set."""
    return [
        [np.frombuffer(base64.b64decode(column), "<f4") for column in columns]
        for columns in state["data"]
    ]


def test_weights_and_points_are_the_librarys_to_the_last_bit():
    (weights,), points, fresh, _ = unpacked(moons_state(seed=3, fresh=50))
    first, _, second, _ = network(3)
    units = weights[:-1].reshape(-1, 4)
    assert np.array_equal(units[:, :2], first.weight.detach())
    assert np.array_equal(units[:, 2], first.bias.detach())
    assert np.array_equal(units[:, 3], second.weight.detach()[0])
    assert weights[-1] == second.bias.item()
    for found, (x, y) in ((points, two_moons()), (fresh, two_moons(2000, margin=None, seed=1))):
        assert np.array_equal(np.stack(found[:2], axis=1), x[: len(found[0])])
        assert np.array_equal(found[2], y[: len(found[2])])
    assert [len(columns[0]) for columns in (points, fresh)] == [300, 50]


def test_the_grid_covers_the_axes_column_by_column():
    state = moons_state(fresh=1, hidden=2)
    first, second = (column.reshape(NODES) for column in unpacked(state)[3])
    axes = state["fixed"]["axes"]
    assert (second == second[:, :1]).all()
    assert (first == first[:1]).all()
    for values, ends in ((second[:, 0], axes["x"]), (first[0], axes["y"])):
        assert np.allclose([values[0], values[-1]], ends)
        assert np.allclose(np.diff(values, 2), 0, atol=1e-6)


def test_the_buttons_have_the_settings_of_the_arms():
    state = moons_state(epochs=7)
    fixed, buttons = state["fixed"], list(state["presets"].values())
    settings = [
        Arm(lam=fixed["lams"][one["lam"]], weight_decay=fixed["decays"][one["decay"]])
        for one in buttons[: len(ARMS)]
    ]
    assert settings == list(ARMS.values())
    assert [one["goal"] for one in buttons[len(ARMS) :]] == [7, 21, 0]
    assert fixed["last"] == 21


def test_every_strength_has_its_resting_margin():
    fixed = moons_state()["fixed"]
    assert fixed["rests"][0] == "without λ none is at rest"
    for lam, words in zip(fixed["lams"][1:], fixed["rests"][1:], strict=True):
        assert float(words.split()[-1]) == pytest.approx(resting_logits(lam)[1], abs=0.005)


def bend(model):
    """Farthest distance of the boundary from the best straight line, along the first coordinate."""
    first, second = unpacked(moons_state(fresh=1, hidden=2))[3]
    grid = torch.from_numpy(np.stack([first, second], axis=1))
    with torch.no_grad():
        positive = model(grid).numpy().reshape(NODES) > 0
    crossed = positive[:, :-1] != positive[:, 1:]
    x, y = (one.reshape(NODES)[:, :-1][crossed] for one in (second, first))
    return np.abs(np.polyval(np.polyfit(x, y, 1), x) - y).max()


def trained(model, epochs, lam=0.0, decay=0.0):
    """The same network after more epochs, as the page trains it on."""
    x, y = two_moons()
    optimiser = torch.optim.SGD(model.parameters(), 0.01, 0.9, weight_decay=decay)
    criterion = SpectralDecouplingLoss(lam)
    for _ in range(epochs):
        optimiser.zero_grad()
        criterion(model(x), y).backward()
        optimiser.step()
    return model


def right(model):
    x, y = two_moons(2000, margin=None, seed=1)
    with torch.no_grad():
        return ((model(x) > 0) == (y > 0.5)).double().mean().item()


def test_the_boundary_does_what_the_page_says():
    """Cross-entropy, then SD; and SD with weight decay from the first weights on."""
    model = trained(network(0), 1000)
    before, straight = right(model), bend(model)
    trained(model, 2000, lam=0.006)
    after, bent = right(model), bend(model)
    both = trained(network(0), 3000, lam=0.006, decay=0.01)
    nodes = (UP[1] - UP[0]) / (NODES[1] - 1)
    assert straight < nodes  # the grid cannot tell it from a line
    assert bent > 4 * nodes
    assert after > before + 0.05
    assert bend(both) < bent / 2
    assert right(both) < after - 0.05


def test_a_state_is_json_and_leaves_random_numbers_alone():
    before = torch.random.get_rng_state()
    state = moons_state()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert json.loads(json.dumps(state, allow_nan=False)) == state
    # A link changes numbers and texts at the top: nothing there that it must not change.
    changed = {key for key, value in state.items() if isinstance(value, (int, float, str))}
    assert changed == {"lam", "decay", "goal", "predicted"}


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"fresh": 0}, {"fresh": 2001}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match=r"at least 1 epoch and 1 to 2000 fresh points, got"):
        moons_state(**wrong)


def test_it_is_shown_as_the_figure_moons(monkeypatch):
    shown = []
    monkeypatch.setattr(moons_figure, "show_live", lambda *given: shown.append(given))
    show_moons()
    assert shown == [("moons", moons_state())]
