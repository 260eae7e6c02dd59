"""Training to find lungs: Dice against scikit-learn, changes of films, and what is learnt."""

import cv2
import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from sdlib.datasets.v7_lungs import LungMasks
from sdlib.errors import ConfigError
from sdlib.training import lung_network
from sdlib.training.lung_network import dice, dice_of, train_lung_network


def ellipses(n, seed, size=96):
    """Films with two dark ellipses on grey noise, which are the lungs."""
    rng = np.random.default_rng(seed)
    films = rng.integers(120, 200, (n, size, size), dtype=np.uint8)
    masks = np.zeros_like(films)
    for film, mask in zip(films, masks, strict=True):
        for x in (0.3, 0.7):
            centre = size * (np.array([x, 0.5]) + rng.uniform(-0.05, 0.05, 2))
            axes = size * rng.uniform((0.1, 0.22), (0.14, 0.32))
            cv2.ellipse(mask, centre.astype(int), axes.astype(int), 0, 0, 360, 255, -1)
        film[mask > 0] //= 3
    names = np.arange(n).astype(str)
    return LungMasks(np.repeat(films[..., None], 3, axis=3), masks, names, names)


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(lung_network, "BATCH", 4)


@pytest.mark.parametrize("seed", range(5))
def test_dice_is_scikit_learns_f1(seed):
    found, true = np.random.default_rng(seed).random((2, 9, 7)) > (0.2, 0.7)[seed % 2]
    assert dice(found, true) == pytest.approx(f1_score(true.ravel(), found.ravel()))


def test_dice_of_nothing():
    nothing, something = np.zeros((3, 3), bool), np.eye(3, dtype=bool)
    assert (dice(nothing, nothing), dice(nothing, something), dice(something, something)) == (
        1,
        0,
        1,
    )


def test_films_and_masks_change_alike():
    lungs, rng = ellipses(1, 0), np.random.default_rng(0)
    both = []
    for _ in range(20):
        # The mask itself as the film: bent grey levels leave black and white as they are.
        film, mask = lung_network._changed(lungs.masks[0], lungs.masks[0], rng)
        assert film.dtype == mask.dtype == np.float32
        np.testing.assert_array_equal(film > 0, mask > 0)
        np.testing.assert_array_equal(film == 1, mask == 1)
        both.append(mask)
    areas = np.array(both).sum(axis=(1, 2)) / (lungs.masks[0] / 255).sum()
    # Each side is stretched by .8 to 1.25; a part may leave the film.
    assert areas.min() > 0.4
    assert areas.max() < 1.25**2 + 0.05
    assert np.ptp(areas) > 0.2


def test_what_is_shown_is_learnt(small_batches):
    lines = []
    network = train_lung_network([ellipses(24, 0, 32)], 40, 0, lines.append)
    assert not network.training
    assert lines[-1].startswith("step 40/40  loss ")
    test = ellipses(6, 1, 32)
    with torch.no_grad():
        logits = network(torch.from_numpy(test.films[:, None, :, :, 0].astype(np.float32)))[:, 0]
    found = [dice(one > 0, mask > 0) for one, mask in zip(logits.numpy(), test.masks, strict=True)]
    assert min(found) > 0.8


@pytest.mark.parametrize("size", [96, 192])
def test_dice_of_a_network_that_knows(size):
    test = ellipses(5, 1)
    masks = np.stack([cv2.resize(mask, (size, size)) for mask in test.masks])
    # Lungs are darker than 67, all else is brighter than 119.
    found = dice_of(lambda films: 93 - films, test.films, masks)
    assert found.min() > 0.97
    assert found.max() == 1 or size != 96
    np.testing.assert_array_equal(dice_of(lambda films: films - 300, test.films, masks), 0)


def test_the_seed_decides(small_batches):
    sets = [ellipses(5, 0, 32), ellipses(3, 1, 32)]
    before = torch.random.get_rng_state()
    first, again, other = (
        train_lung_network(sets, 2, seed, lambda line: None).last.weight for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    "sets", [[], [ellipses(2, 0, 32), ellipses(2, 0, 32).subset(np.arange(0))]]
)
def test_nothing_to_train_on(sets):
    with pytest.raises(ConfigError, match="expected sets with films, got none"):
        train_lung_network(sets, 2, 0, print)


@pytest.mark.parametrize("steps", [0, 1.5, "9"])
def test_steps_that_cannot_be(steps):
    with pytest.raises(ConfigError, match="steps"):
        train_lung_network([ellipses(2, 0, 32)], steps, 0, print)


@pytest.mark.parametrize("steps", [1, 9, 10, 11])
def test_few_steps_are_enough_to_begin(small_batches, steps):
    assert not train_lung_network([ellipses(2, 0, 16)], steps, 0, lambda line: None).training
