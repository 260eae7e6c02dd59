"""Networks trained together: against torch.nn and torch.optim one by one, and closed forms."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from sdlib.errors import ConfigError
from sdlib.theory.optima import resting_logits
from sdlib.theory.two_phases import PUBLISHED, Recipe, initial_weights, predict, train_recipe

SMALL = Recipe((1.0, 2e-5), (0.02, 0.01), switch=7, steps=20, learning_rate=0.01, width=6)
RECIPES = {
    "adam": SMALL,
    "restart": replace(SMALL, restart=True),
    "sgd": replace(SMALL, optimiser="sgd", learning_rate=0.5),
    "decay": replace(SMALL, weight_decay=0.1),
    "one phase": replace(SMALL, switch=0),
    "no labels": replace(SMALL, second=(0.0, 1.0)),
}


@pytest.fixture
def examples():
    rng = np.random.default_rng(0)
    return rng.random((3, 40, 5), np.float32), rng.random((3, 40)) < 0.5


def one_network(recipe, images, targets, seed, watched):
    """A recipe as its words have it, with PyTorch's own layers and optimisers."""
    layers = [nn.Linear(5, recipe.width), nn.Linear(recipe.width, recipe.width)]
    layers.append(nn.Linear(recipe.width, 1))
    weights = initial_weights(recipe.width, 5, [seed])
    with torch.no_grad():
        for layer, weight in zip(layers, weights[::2], strict=True):
            layer.weight.copy_(weight[0].T)
            layer.bias.zero_()
    model = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2], nn.Flatten(0))
    x, y = torch.from_numpy(images), torch.from_numpy(targets).float()

    def optimiser():
        given = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay}
        if recipe.optimiser == "sgd":
            return torch.optim.SGD(model.parameters(), momentum=0.9, **given)
        return torch.optim.Adam(model.parameters(), **given)

    current = optimiser()
    for step in range(recipe.steps):
        if step == recipe.switch and recipe.restart:
            current = optimiser()
        entropy, penalty = recipe.first if step < recipe.switch else recipe.second
        logits = model(x)
        loss = entropy * nn.functional.binary_cross_entropy_with_logits(logits, y)
        loss = loss + penalty * logits.square().mean()
        current.zero_grad()
        loss.backward()
        current.step()
    return model(torch.from_numpy(watched)).detach().numpy()


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_networks_together_are_networks_alone(examples, recipe):
    images, targets = examples
    seeds = [5, 0, 9]
    found = train_recipe(recipe, images, targets, seeds, {"same": images[:, :11]}, 8)
    assert found.steps.tolist() == [0, 8, 16, 20]
    for k, seed in enumerate(seeds):
        expected = one_network(recipe, images[k], targets[k], seed, images[k, :11])
        np.testing.assert_allclose(found.logits["same"][-1, k], expected, atol=2e-5)


def test_a_constant_penalty_ends_where_theory_says():
    """Four separable examples, each with an input of its own: lambda is twice the coefficient."""
    images = np.eye(4, dtype=np.float32)[None]
    targets = np.array([[False, False, True, True]])
    recipe = Recipe(second=(1.0, 0.05), steps=3000, learning_rate=0.01, width=16)
    logits = train_recipe(recipe, images, targets, [0], {"same": images}, 3000).logits["same"]
    negative, positive = resting_logits(0.1)
    expected = [negative, negative, positive, positive]
    np.testing.assert_allclose(logits[-1, 0], expected, atol=1e-3)


def test_initial_weights_are_glorots_and_of_their_seed():
    weights = initial_weights(50, 30, [1, 2])
    assert [tuple(w.shape) for w in weights[::2]] == [(2, 30, 50), (2, 50, 50), (2, 50, 1)]
    assert weights[0].abs().max() <= (6 / 80) ** 0.5
    assert weights[0].std() == pytest.approx((2 / 80) ** 0.5, rel=0.05)
    assert not any(bias.any() for bias in weights[1::2])
    for both, alone in zip(weights, initial_weights(50, 30, [2]), strict=True):
        assert torch.equal(both[1:], alone)


def test_before_training_logits_are_those_of_the_initial_weights(examples):
    images, targets = examples
    found = train_recipe(replace(SMALL, steps=0), images, targets, [0, 1, 2], {"x": images})
    expected = predict(initial_weights(6, 5, [0, 1, 2]), torch.from_numpy(images))
    np.testing.assert_array_equal(found.logits["x"][0], expected)


def test_the_published_recipe_is_as_published():
    stated = Recipe((1, 2e-5), (2e-5, 2e-5), 450, 2001, 1e-4, "adam", width=300)
    assert stated == PUBLISHED


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"optimiser": "lion"}, "unknown optimiser 'lion'"),
        ({"steps": -1}, "expected steps of at least 0"),
        ({"steps": 2.5}, "steps .* a whole number"),
        ({"switch": -1}, "expected switch"),
        ({"width": 0}, "expected width of at least 1"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"second": (1.0, -1.0)}, "every weight of the loss"),
    ],
)
def test_wrong_recipes_are_refused(examples, changed, match):
    images, targets = examples
    with pytest.raises(ConfigError, match=match):
        train_recipe(replace(SMALL, **changed), images, targets, [0, 1, 2], {})


def test_arrays_that_do_not_belong_together_are_refused(examples):
    images, targets = examples
    with pytest.raises(ConfigError, match=r"images of 2 seeds, .* got \(3, 40, 5\)"):
        train_recipe(SMALL, images, targets, [0, 1], {})
    with pytest.raises(ConfigError, match=r"expected targets \(3, 40\), got \(3, 39\)"):
        train_recipe(SMALL, images, targets[:, :39], [0, 1, 2], {})
    with pytest.raises(ConfigError, match=r"watched inputs \(3, m, 5\) in 'x', got \(3, 40, 4\)"):
        train_recipe(SMALL, images, targets, [0, 1, 2], {"x": images[..., :4]})
    with pytest.raises(ConfigError, match="record_every"):
        train_recipe(SMALL, images, targets, [0, 1, 2], {}, 0)
