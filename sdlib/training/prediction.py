"""Predictions of networks, in chunks that suit the device, and the sweep over shifts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.special import expit
from torch import nn

from sdlib.datasets.image_stores import ImageStore, as_store
from sdlib.datasets.reading import iter_chunks
from sdlib.errors import ConfigError, DataError

if TYPE_CHECKING:
    from sdlib.shifts import Level

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_SD",
    "check_finite",
    "chunk_length",
    "evaluating",
    "normalise",
    "predict",
    "predict_logits",
    "sweep",
]

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

    Raises
    ------
    ConfigError
        Another type, dtype or shape. A network would take them, and predict rubbish.

    Examples
    --------
    >>> tuple(normalise(torch.zeros(1, 4, 4, 3, dtype=torch.uint8)).shape)
    (1, 3, 4, 4)
    """
    _check_input(images)
    # Scale and offset are joined, so that each pixel is touched twice, not four times.
    scale = 1 / (255 * torch.tensor(IMAGENET_SD, device=images.device))
    offset = torch.tensor(IMAGENET_MEAN, device=images.device) * 255 * scale
    return images.to(torch.float32).mul_(scale).sub_(offset).permute(0, 3, 1, 2)


def _check_input(images: torch.Tensor) -> None:
    """Raise an error unless images are a batch that networks were trained on the like of."""
    expected = "expected a batch of uint8 images as a tensor, RGB (N, S, S, 3)"
    if not isinstance(images, torch.Tensor):
        found = type(images).__name__
        raise ConfigError(f"{expected}, got {found}: pass torch.from_numpy(images)")
    problem = ""
    if images.dtype != torch.uint8:
        problem = "scale the values to 0 to 255 and convert them with .to(torch.uint8)"
    elif images.ndim == 3:
        problem = "make a batch of the image with image[None]"
    elif images.ndim != 4 or images.shape[3] != 3:
        problem = "the last axis must hold R, G and B, for instance after images.movedim(1, -1)"
    if problem:
        dtype = str(images.dtype).removeprefix("torch.")
        raise ConfigError(f"{expected}, got {dtype} {tuple(images.shape)}: {problem}")


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, and each of its parts back into its own at the end.

    Parameters
    ----------
    network : torch.nn.Module
        It may be in any mode.

    Examples
    --------
    >>> network = nn.Sequential(nn.Dropout(0.5))
    >>> with evaluating(network):
    ...     network.training
    False
    >>> network.training
    True
    """
    modes = {part: part.training for part in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


def chunk_length(size: int, device: torch.device | str) -> int:
    """Number of images that a network takes at a time: few on a CPU, many on a GPU.

    Parameters
    ----------
    size : int
        Side of the images in pixels.
    device : torch.device or str
        Where the network is.

    Examples
    --------
    >>> chunk_length(224, "cpu"), chunk_length(64, "cpu")
    (8, 98)
    """
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
        It is left in the mode in which it came, each of its parts in its own.
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
    ConfigError
        If a store reads images of another dtype or shape.
    DataError
        If an array has another dtype or shape, or the network predicts what is not a number.

    Examples
    --------
    >>> from sdlib.models import create_network
    >>> images = np.full((3, 32, 32, 3), 200, np.uint8)
    >>> predict_logits(create_network("test_efficientnet"), images).shape
    (3,)
    """
    store = as_store(images)
    logits = np.empty(len(store), np.float32)
    with evaluating(network):
        for rows, chunk in iter_chunks(store, chunk_length(store.size, device)):
            # A chunk is an array of its own, so PyTorch may take it without a copy.
            output = network(normalise(torch.from_numpy(chunk).to(device)))
            # NumPy does not know bfloat16.
            logits[rows] = output[:, 0].float().cpu().numpy()
    check_finite("logits", network, logits)
    return logits


def check_finite(what: str, network: nn.Module, found: np.ndarray) -> None:
    """Raise an error that names the network unless all that it makes of images are numbers.

    Parameters
    ----------
    what : str
        What it makes, for the message.
    network : torch.nn.Module
        The network.
    found : numpy.ndarray
        Floats, shape ``(n, ...)``, of n images.

    Raises
    ------
    DataError
        Some are NaN or infinite.

    Examples
    --------
    >>> check_finite("logits", nn.Linear(2, 1), np.array([0.5]))
    """
    strange = np.count_nonzero(~np.isfinite(found).all(axis=tuple(range(1, found.ndim))))
    if strange:
        # Networks of timm know what they are called; others have the name of their class.
        name = getattr(network, "pretrained_cfg", {}).get("architecture", type(network).__name__)
        raise DataError(
            f"expected finite {what} of the network {name}, got {strange} of {len(found)} that are "
            "NaN or infinite: its weights are broken, train it anew"
        )


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
        float64, shape ``(n,)``, in [0, 1]: the sigmoid of the logits. In float32 it would be
        exactly 1 for every logit above 17.

    Raises
    ------
    ConfigError, DataError
        As :func:`predict_logits`.

    Examples
    --------
    >>> from sdlib.models import create_network
    >>> images = np.full((3, 32, 32, 3), 200, np.uint8)
    >>> bool((predict(create_network("test_efficientnet"), images) <= 1).all())
    True
    """
    return expit(predict_logits(network, images, device).astype(np.float64))


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
        At least one, as in :func:`predict_logits`.
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
    ConfigError
        If there are no networks, or a store reads images of another dtype or shape.
    DataError
        As :func:`predict_logits`.

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

    if not networks:
        raise ConfigError("expected at least one network to sweep, got none")
    store = as_store(images)
    # All levels of a chunk before the next one: its stains are separated once.
    for tiles, chunk in iter_chunks(store, chunk_length(store.size, device)):
        for level, shifted in iter_levels(chunk, levels):
            logits = [predict_logits(network, shifted, device) for network in networks]
            yield tiles, level, np.stack(logits)
