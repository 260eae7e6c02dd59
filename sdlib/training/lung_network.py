"""Training a small U-Net to find lungs, and how well it finds them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from sdlib.checks import check_number
from sdlib.datasets.v7_lungs import LungMasks
from sdlib.errors import ConfigError
from sdlib.films.lungs import LungUNet, lung_mask_of, predict_lungs

__all__ = ["dice", "dice_of", "train_lung_network"]

BATCH = 8  # films of each set
RATE = 3e-3  # AdamW's, at its highest
TURN = 10  # degrees, the most that a film is turned
SCALES = (0.8, 1.25)  # of each side by itself
SHIFT = 0.08  # of the side
GAMMAS = (0.6, 1.7)  # of the grey levels


def train_lung_network(
    sets: Sequence[LungMasks], steps: int, seed: int, log: Callable[[str], object]
) -> LungUNet:
    """Train a network on sets of films, of each of which every batch has the same number.

    Films are turned, stretched, moved and mirrored, and their grey levels are bent.

    Parameters
    ----------
    sets : sequence of LungMasks
        Films of 96 x 96 px and their masks.
    steps : int
        Batches of 8 films of each set.
    seed : int
        Of the initial weights and all that is drawn.
    log : callable
        Called with a line of text now and then.

    Returns
    -------
    LungUNet
        In evaluation mode.

    Raises
    ------
    ConfigError
        If there are no sets, a set has no films, or the steps are not a whole number of at least 1.

    Examples
    --------
    >>> network = train_lung_network([load_v7_lungs(96)], 400, 0, print)  # doctest: +SKIP
    """
    if not sets or not all(map(len, sets)):
        raise ConfigError("expected sets with films, got none: there is nothing to train on")
    check_number("steps", steps, 1, whole=True)
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = LungUNet().train()
    optimiser = torch.optim.AdamW(network.parameters(), RATE)
    # A short rise, since the first steps' gradients are large, then a cosine.
    rise = max(1, steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min((step + 1) / rise, (1 + math.cos(math.pi * step / steps)) / 2),
    )
    for step in range(steps):
        films, masks = _batch(sets, rng)
        logits = network(films)
        loss = _loss(logits, masks)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        if (step + 1) % 100 == 0 or step + 1 == steps:
            log(f"step {step + 1}/{steps}  loss {loss.item():.3f}")
    return network.eval()


def _batch(
    sets: Sequence[LungMasks], rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw films and masks, each float32 ``(n, 1, S, S)``, masks from 0 to 1."""
    films, masks = [], []
    for chosen in sets:
        for row in rng.integers(len(chosen), size=BATCH):
            film, mask = _changed(chosen.films[row, ..., 0], chosen.masks[row], rng)
            films.append(film)
            masks.append(mask)
    return tuple(torch.from_numpy(np.stack(images)[:, None]) for images in (films, masks))


def _changed(
    film: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Change a film, uint8 ``(S, S)``, and its mask alike; both become float32 from 0 to 1."""
    side = len(film)
    angle = math.radians(rng.uniform(-TURN, TURN))
    stretch = np.exp(rng.uniform(*np.log(SCALES), 2)) * (rng.choice((-1, 1)), 1)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = turn * stretch
    centre = (side - 1) / 2
    shift = centre - matrix @ (centre, centre) + rng.uniform(-SHIFT, SHIFT, 2) * side
    affine = np.column_stack([matrix, shift])
    gamma = math.exp(rng.uniform(*np.log(GAMMAS)))
    images = []
    for image in (film, mask):
        # What comes in from beyond the border is black, as collimated parts of films are.
        images.append(cv2.warpAffine(image, affine, (side, side)).astype(np.float32) / 255)
    return images[0] ** np.float32(gamma), images[1]


def _loss(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Cross-entropy, plus one minus the Dice coefficient of probabilities."""
    probability = torch.sigmoid(logits)
    both = (probability * masks).sum(dim=(1, 2, 3))
    either = (probability + masks).sum(dim=(1, 2, 3))
    soft_dice = (2 * both + 1) / (either + 1)
    return functional.binary_cross_entropy_with_logits(logits, masks) + (1 - soft_dice).mean()


def dice(found: np.ndarray, true: np.ndarray) -> float:
    """Dice coefficient of two masks: twice their common area, by the sum of their areas.

    Parameters
    ----------
    found, true : numpy.ndarray
        bool, of one shape.

    Returns
    -------
    float
        0 (nothing in common) to 1 (the same); 1 for two empty masks.

    Examples
    --------
    >>> dice(np.array([True, True, False]), np.array([True, False, False]))
    0.6666666666666666
    """
    areas = int(found.sum()) + int(true.sum())
    return 2 * int((found & true).sum()) / areas if areas else 1.0


def dice_of(network: nn.Module, films: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Dice coefficient of the lungs that a network finds in each film.

    Parameters
    ----------
    network : LungUNet
        In evaluation mode.
    films : numpy.ndarray
        uint8, shape ``(n, 96, 96, 3)``.
    masks : numpy.ndarray
        uint8, shape ``(n, S, S)``: the true masks, 0 to 255, at the size that they are compared at.

    Returns
    -------
    numpy.ndarray
        float64, shape ``(n,)``.
    """
    probabilities = predict_lungs(network, films)
    coefficients = []
    for probability, mask in zip(probabilities, masks, strict=True):
        found = lung_mask_of(probability, len(mask))
        coefficients.append(dice(found, mask > 127))
    return np.array(coefficients)
