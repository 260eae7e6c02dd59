"""Predictions of networks, in chunks that suit the device, and the sweep over shifts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from sdlib.datasets.image_stores import ImageStore, as_store
from sdlib.datasets.reading import iter_chunks

if TYPE_CHECKING:
    from sdlib.shifts import Level

__all__ = ["IMAGENET_MEAN", "IMAGENET_SD", "normalise", "predict", "predict_logits", "sweep"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_SD = (0.229, 0.224, 0.225)
CPU_PIXELS = 8 * 224 * 224  # on two cores larger chunks are slower: they leave the cache
GPU_PIXELS = 512 * 224 * 224


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Convert 8-bit images to a network's input: float, ImageNet's mean at 0 and its SD at 1.

    Parameters
    ----------
    images : torch.Tensor
        uint8, shape ``(N, S, S, 3)``, RGB, on any device.

    Returns
    -------
    torch.Tensor
        float32, shape ``(N, 3, S, S)``, on the same device. It is laid out channels-last: only
        the conversion to float makes a copy.

    Examples
    --------
    >>> tuple(normalise(torch.zeros(1, 4, 4, 3, dtype=torch.uint8)).shape)
    (1, 3, 4, 4)
    """
    # Scale and offset are joined, so that each pixel is touched twice, not four times.
    scale = 1 / (255 * torch.tensor(IMAGENET_SD, device=images.device))
    offset = torch.tensor(IMAGENET_MEAN, device=images.device) * 255 * scale
    return images.to(torch.float32).mul_(scale).sub_(offset).permute(0, 3, 1, 2)


def _chunk_length(size: int, device: torch.device | str) -> int:
    """Number of tiles of ``size`` px that a network takes at a time."""
    budget = CPU_PIXELS if torch.device(device).type == "cpu" else GPU_PIXELS
    return max(1, budget // size**2)


@torch.inference_mode()
def predict_logits(
    network: nn.Module, images: np.ndarray | ImageStore, device: torch.device | str = "cpu"
) -> np.ndarray:
    """Predict the logit of every image, with the network in evaluation mode.

    Parameters
    ----------
    network : torch.nn.Module
        Float images, shape ``(N, 3, S, S)``, to logits, shape ``(N, 1)``; already on ``device``.
        It is left in the mode in which it came.
    images : numpy.ndarray or TileSet
        uint8 RGB, shape ``(n, S, S, 3)``, or tiles; only one chunk of them is in memory.
    device : torch.device or str
        Where the network is.

    Returns
    -------
    numpy.ndarray
        float32, shape ``(n,)``.

    Raises
    ------
    DataError
        If an array has another dtype or shape.

    Examples
    --------
    >>> from sdlib.models import create_network
    >>> images = np.full((3, 32, 32, 3), 200, np.uint8)
    >>> predict_logits(create_network("test_efficientnet"), images).shape
    (3,)
    """
    store = as_store(images)
    logits = np.empty(len(store), np.float32)
    was_training = network.training
    network.eval()
    for rows, chunk in iter_chunks(store, _chunk_length(store.size, device)):
        # A chunk is an array of its own, so PyTorch may take it without a copy.
        output = network(normalise(torch.from_numpy(chunk).to(device)))
        # NumPy does not know bfloat16.
        logits[rows] = output[:, 0].float().cpu().numpy()
    network.train(was_training)
    return logits


def predict(
    network: nn.Module, images: np.ndarray | ImageStore, device: torch.device | str = "cpu"
) -> np.ndarray:
    """Predict the probability of cancer for every image.

    Parameters
    ----------
    network, images, device
        As for :func:`predict_logits`.

    Returns
    -------
    numpy.ndarray
        float32, shape ``(n,)``, in [0, 1]: the sigmoid of the logits.

    Examples
    --------
    >>> from sdlib.models import create_network
    >>> images = np.full((3, 32, 32, 3), 200, np.uint8)
    >>> bool((predict(create_network("test_efficientnet"), images) <= 1).all())
    True
    """
    return torch.sigmoid(torch.from_numpy(predict_logits(network, images, device))).numpy()


def sweep(
    networks: Sequence[nn.Module],
    images: np.ndarray | ImageStore,
    levels: Sequence[Level],
    device: torch.device | str = "cpu",
) -> Iterator[tuple[slice, Level, np.ndarray]]:
    """Predict tiles at several levels of shift by several networks, a chunk of tiles at a time.

    Every tile is shifted once per level, whatever the number of networks, and its stains are
    separated once for all levels. Only one chunk at one level is in memory.

    Parameters
    ----------
    networks : sequence of torch.nn.Module
        As in :func:`predict_logits`.
    images : numpy.ndarray or TileSet
        uint8 RGB, shape ``(n, S, S, 3)``, or tiles.
    levels : sequence of Level
        From :data:`sdlib.shifts.LEVELS`.
    device : torch.device or str
        Where the networks are.

    Yields
    ------
    tiles : slice
        Which tiles of ``images``.
    level : Level
        The shift that they were given.
    logits : numpy.ndarray
        float32, shape ``(len(networks), m)``, where m is the number of tiles in the chunk.

    Raises
    ------
    DataError
        If an array has another dtype or shape.

    Examples
    --------
    >>> from sdlib.models import create_network
    >>> from sdlib.shifts import LEVELS
    >>> images = np.full((3, 32, 32, 3), 200, np.uint8)
    >>> found = list(sweep([create_network("test_efficientnet")], images, LEVELS[:2]))
    >>> [(level.name, logits.shape) for _, level, logits in found]
    [('blur-02', (1, 3)), ('blur-03', (1, 3))]
    """
    from sdlib.shifts import iter_levels  # loads compiled code, which training does not need

    store = as_store(images)
    # All levels of a chunk before the next one: its stains are separated once.
    for tiles, chunk in iter_chunks(store, _chunk_length(store.size, device)):
        for level, shifted in iter_levels(chunk, levels):
            logits = [predict_logits(network, shifted, device) for network in networks]
            yield tiles, level, np.stack(logits)
