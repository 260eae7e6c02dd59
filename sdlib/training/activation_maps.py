"""How much of a class activation map lies on the cutouts (claim C4), with grad-cam."""

from __future__ import annotations

import numpy as np
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from sdlib.datasets.cutout import cutout_mask, scaled_cutout_size
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError
from sdlib.training.prediction import normalise

__all__ = ["activation_maps", "cutout_shares", "target_layer"]

COARSEST = 7  # cells a side; EfficientNet-b0's last map at 224 px has 7 x 7


class _BenignOutput(ClassifierOutputTarget):
    """The score of the benign class: minus the one logit."""

    def __call__(self, model_output: torch.Tensor) -> torch.Tensor:
        return -super().__call__(model_output)


def target_layer(network: nn.Module, size: int) -> nn.Module:
    """The deepest stage of a timm network whose map still has 7 x 7 cells or more.

    At 224 px that is EfficientNet-b0's last stage, as usual; at 64 px the last maps of every
    network are 2 x 2 and say nothing about where, so an earlier stage is taken.
    """
    reductions = {entry["module"]: entry["reduction"] for entry in network.feature_info}
    fine = [name for name, by in reductions.items() if -(-size // by) >= COARSEST]
    if not fine:
        raise ConfigError(f"no stage of the network has {COARSEST} x {COARSEST} cells at {size} px")
    return network.get_submodule(fine[-1])


def activation_maps(
    network: nn.Module, images: np.ndarray, class_index: int, chunk: int = 64
) -> np.ndarray:
    """Grad-CAM maps (Selvaraju et al. 2017) for one class.

    Parameters
    ----------
    network : torch.nn.Module
        A timm network with one logit, on the CPU or a GPU.
    images : numpy.ndarray
        uint8 RGB (n, S, S, 3).
    class_index : int
        0 explains benign (minus the logit), 1 explains cancer (the logit).

    Returns
    -------
    numpy.ndarray
        float32 (n, S, S), each map scaled to [0, 1] by grad-cam; all 0 where nothing activates.
    """
    device = next(network.parameters()).device
    target = ClassifierOutputTarget(0) if class_index else _BenignOutput(0)
    network.eval()
    maps = np.empty(images.shape[:3], np.float32)
    with GradCAM(network, [target_layer(network, images.shape[1])]) as cam:
        for start in range(0, len(images), chunk):
            part = normalise(torch.tensor(images[start : start + chunk]).to(device))
            maps[start : start + chunk] = cam(part, [target] * len(part))
    return maps


def cutout_shares(network: nn.Module, tiles: TileSet, class_index: int) -> dict[str, np.ndarray]:
    """Share of each map's activation on the cutouts, and the cutouts' share of the area.

    ``tiles`` must come from :func:`sdlib.datasets.cutout.make_cutout_set` and carry cutouts on
    every tile. A network that does not look at cutouts has shares near the area's; a map of zeros
    counts as exactly that.

    Returns
    -------
    dict of str to numpy.ndarray
        ``activation`` and ``area``, float64 (n,), each in [0, 1].
    """
    if not tiles.factors["cutout"].all():
        raise ConfigError("expected tiles that all carry cutouts")
    maps = activation_maps(network, tiles.images, class_index).astype(np.float64)
    mask = cutout_mask(
        tiles.factors["cutout_positions"], tiles.size, scaled_cutout_size(tiles.size)
    )
    area = mask.mean(axis=(1, 2))
    total = maps.sum(axis=(1, 2))
    on = (maps * mask).sum(axis=(1, 2))
    return {"activation": np.where(total > 0, on / np.maximum(total, 1e-12), area), "area": area}
