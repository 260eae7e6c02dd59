"""A small U-Net (Ronneberger et al., 2015) that finds lungs, and where its weights are kept."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from sdlib.errors import DataError
from sdlib.models import load_weights
from sdlib.paths import outputs_folder

__all__ = ["LUNG_SIZE", "TRAIN_COMMAND", "LungUNet", "load_lung_network", "lung_weights_file"]

#: Side in pixels of the films that the network takes; a lung is about 30 px wide in them.
LUNG_SIZE = 96
#: Channels of each level, the finest first: 96, 48, 24, 12 and 6 px.
CHANNELS = (8, 16, 32, 64, 64)
TRAIN_COMMAND = "python -m sdlib.training.lungs"


class LungUNet(nn.Module):
    """A U-Net of five levels, 0.3 million parameters, that maps a film to logits of its lungs.

    It standardises each film by the film's own mean and SD, so that brightness and contrast of
    the input do not matter.

    Examples
    --------
    >>> network = LungUNet().eval()
    >>> tuple(network(torch.zeros(2, 1, 96, 96)).shape)
    (2, 1, 96, 96)
    >>> sum(weights.numel() for weights in network.parameters())
    307153
    """

    def __init__(self) -> None:
        super().__init__()
        down, up = [], []
        before = 1
        for width in CHANNELS:
            down.append(_level(before, width))
            before = width
        for width in reversed(CHANNELS[:-1]):
            # The coarser level, and the same level on the way down.
            up.append(_level(before + width, width))
            before = width
        self.down = nn.ModuleList(down)
        self.up = nn.ModuleList(up)
        self.last = nn.Conv2d(before, 1, 1)

    def forward(self, films: torch.Tensor) -> torch.Tensor:
        """Logits of the lungs in grey films of any scale: float32 ``(n, 1, S, S)``, as the films.

        ``S`` is a multiple of 16.
        """
        spread, mean = torch.std_mean(films, dim=(2, 3), correction=0, keepdim=True)
        # A film of one grey has no contrast to divide by.
        values = (films - mean) / spread.clamp_min(1e-6)
        passed = []
        for level in self.down:
            if passed:
                values = functional.max_pool2d(values, 2)
            values = level(values)
            passed.append(values)
        for level, same in zip(self.up, reversed(passed[:-1]), strict=True):
            values = functional.interpolate(values, scale_factor=2, mode="nearest")
            values = level(torch.cat([values, same], dim=1))
        return self.last(values)


def _level(before: int, width: int) -> nn.Sequential:
    """Two convolutions with batch normalisation."""
    layers = []
    for channels in (before, width):
        layers += [
            nn.Conv2d(channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def lung_weights_file() -> Path:
    """The file of the trained network's weights, which need not exist yet.

    Examples
    --------
    >>> lung_weights_file().name
    'lungs.safetensors'
    """
    return outputs_folder() / "cache" / "lungs.safetensors"


def load_lung_network(file: Path | None = None) -> LungUNet:
    """Load the network that was trained to find lungs, ready to predict.

    Parameters
    ----------
    file : pathlib.Path, optional
        Its weights; by default :func:`lung_weights_file`.

    Returns
    -------
    LungUNet
        In evaluation mode.

    Raises
    ------
    DataError
        If no network has been trained, or the file is damaged.

    Examples
    --------
    >>> network = load_lung_network()  # doctest: +SKIP
    """
    file = file or lung_weights_file()
    if not file.is_file():
        raise DataError(
            f"expected the weights of a network that finds lungs at {file}, found none: train it "
            f"by '{TRAIN_COMMAND}', which takes minutes"
        )
    return load_weights(LungUNet(), file).eval()
