"""Predictions of a network, in chunks that suit the device."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

__all__ = ["IMAGENET_MEAN", "IMAGENET_SD", "normalise", "predict", "predict_logits"]

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
    budget = CPU_PIXELS if torch.device(device).type == "cpu" else GPU_PIXELS
    chunk = max(1, budget // images.shape[1] ** 2)
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
