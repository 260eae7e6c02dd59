"""Predictions of networks, in chunks that suit the device, and the sweep over shifts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from sdlib.shifts import Level

__all__ = ["IMAGENET_MEAN", "IMAGENET_SD", "normalise", "predict", "predict_logits", "sweep"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_SD = (0.229, 0.224, 0.225)
CPU_PIXELS = 8 * 224 * 224  # on two cores larger chunks are slower: they leave the cache
GPU_PIXELS = 512 * 224 * 224


def normalise(images: torch.Tensor) -> torch.Tensor:
    """uint8 RGB (N, S, S, 3) to float32 (N, 3, S, S), ImageNet's mean 0 and SD 1.

    The result is a channels-last view: nothing is copied but the conversion itself.

    >>> tuple(normalise(torch.zeros(1, 4, 4, 3, dtype=torch.uint8)).shape)
    (1, 3, 4, 4)
    """
    scale = 1 / (255 * torch.tensor(IMAGENET_SD, device=images.device))
    offset = torch.tensor(IMAGENET_MEAN, device=images.device) * 255 * scale
    return images.to(torch.float32).mul_(scale).sub_(offset).permute(0, 3, 1, 2)


def _chunk(size: int, device: torch.device | str) -> int:
    """How many tiles of ``size`` px a network takes at a time."""
    budget = CPU_PIXELS if torch.device(device).type == "cpu" else GPU_PIXELS
    return max(1, budget // size**2)


@torch.inference_mode()
def predict_logits(
    network: nn.Module, images: np.ndarray, device: torch.device | str = "cpu"
) -> np.ndarray:
    """Logits of every image, the network in evaluation mode (and left in the mode it had).

    Parameters
    ----------
    network : torch.nn.Module
        Float images (N, 3, S, S) to logits (N, 1), already on ``device``.
    images : numpy.ndarray
        uint8 RGB (n, S, S, 3); a memory map is read a chunk at a time.

    Returns
    -------
    numpy.ndarray
        float32, shape (n,).
    """
    chunk = _chunk(images.shape[1], device)
    was_training = network.training
    network.eval()
    parts = [
        network(normalise(torch.tensor(images[i : i + chunk]).to(device)))[:, 0].float().cpu()
        for i in range(0, len(images), chunk)
    ]
    network.train(was_training)
    return torch.cat(parts).numpy()


def predict(
    network: nn.Module, images: np.ndarray, device: torch.device | str = "cpu"
) -> np.ndarray:
    """Probabilities of cancer, float32 (n,): the sigmoid of :func:`predict_logits`."""
    return torch.sigmoid(torch.from_numpy(predict_logits(network, images, device))).numpy()


def sweep(
    networks: Sequence[nn.Module],
    images: np.ndarray,
    levels: Sequence[Level],
    device: torch.device | str = "cpu",
) -> Iterator[tuple[slice, Level, np.ndarray]]:
    """Ask several networks about tiles at several levels of shift, a chunk of tiles at a time.

    Every tile is shifted once a level, whatever the number of networks, and its stains are
    separated once for all levels. Only one chunk at one level is in memory.

    Parameters
    ----------
    networks : sequence of torch.nn.Module
        As in :func:`predict_logits`.
    images : numpy.ndarray
        uint8 RGB (n, S, S, 3), possibly a memory map.
    levels : sequence of Level
        Of :data:`sdlib.shifts.LEVELS`.

    Yields
    ------
    tiles : slice
        Which tiles of ``images``.
    level : Level
    logits : numpy.ndarray
        float32 (len(networks), tiles in the chunk).

    Examples
    --------
    >>> from sdlib.models import create_network
    >>> from sdlib.shifts import LEVELS
    >>> images = np.full((3, 32, 32, 3), 200, np.uint8)
    >>> found = list(sweep([create_network("test_efficientnet")], images, LEVELS[:2]))
    >>> [(level.name, logits.shape) for _, level, logits in found]
    [('blur-02', (1, 3)), ('blur-03', (1, 3))]
    """
    from sdlib.shifts import iter_levels  # compiled code, which training does without

    chunk = _chunk(images.shape[1], device)
    for start in range(0, len(images), chunk):
        tiles = slice(start, min(start + chunk, len(images)))
        for level, shifted in iter_levels(np.asarray(images[tiles]), levels):
            answers = [predict_logits(network, shifted, device) for network in networks]
            yield tiles, level, np.stack(answers)
