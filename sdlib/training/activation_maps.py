"""How much of a class activation map is on the cutouts (claim C4), with grad-cam."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from sdlib.checks import check_number
from sdlib.datasets.cutout import cutout_mask, scaled_cutout_size
from sdlib.datasets.image_stores import ImageStore, as_store
from sdlib.datasets.reading import iter_chunks
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError
from sdlib.training.prediction import check_finite, normalise

__all__ = ["activation_maps", "cutout_shares", "measure", "target_layer"]

COARSEST = 7  # cells per side; EfficientNet-b0's last map at 224 px has 7 x 7
CHUNK = 64  # tiles whose maps are made at a time
MEASURED_TILES = 256  # cancerous test tiles whose maps are measured in every run


class _BenignOutput(ClassifierOutputTarget):
    """The score of the benign class: minus the one logit."""

    def __call__(self, model_output: torch.Tensor) -> torch.Tensor:
        return -super().__call__(model_output)


def target_layer(network: nn.Module, size: int) -> nn.Module:
    """Find the deepest stage of a timm network whose map still has 7 x 7 cells or more.

    At 224 px that is EfficientNet-b0's last stage, as usual. At 64 px the last maps of every
    network have 2 x 2 cells, too few to tell places apart, so an earlier stage is taken.

    Parameters
    ----------
    network : torch.nn.Module
        A timm network, which describes its stages in ``feature_info``.
    size : int
        Side of the tiles in pixels.

    Returns
    -------
    torch.nn.Module
        The stage.

    Raises
    ------
    ConfigError
        If the maps of all stages are coarser.

    Examples
    --------
    >>> from sdlib.models import create_network
    >>> network = create_network("efficientnet_b0")
    >>> target_layer(network, 224) is network.blocks[-1]
    True
    """
    reductions = {entry["module"]: entry["reduction"] for entry in network.feature_info}
    # Strided convolutions round the side of their map up.
    fine = [name for name, by in reductions.items() if -(-size // by) >= COARSEST]
    if not fine:
        raise ConfigError(
            f"no stage of the network has {COARSEST} x {COARSEST} cells at {size} px: "
            f"use larger tiles"
        )
    return network.get_submodule(fine[-1])


def activation_maps(
    network: nn.Module, images: np.ndarray | ImageStore, class_index: int, chunk: int = CHUNK
) -> np.ndarray:
    """Compute Grad-CAM maps (Selvaraju et al. 2017) for one class.

    Parameters
    ----------
    network : torch.nn.Module
        A timm network with one logit, on the CPU or a GPU. Nothing about it changes: the maps are
        made with a copy of it. Its weights may be frozen.
    images : numpy.ndarray or TileSet
        uint8 RGB, shape ``(n, S, S, 3)``, or tiles.
    class_index : {0, 1}
        0 explains benign (minus the logit), 1 explains cancer (the logit).
    chunk : int
        Images that are read and explained at a time.

    Returns
    -------
    numpy.ndarray
        float32, shape ``(n, S, S)``, each map scaled to [0, 1] by grad-cam; all 0 where nothing
        activates.

    Raises
    ------
    ConfigError
        If the images are too small for a map, or a store reads images of another dtype or shape.
    DataError
        If an array has another dtype or shape.

    Examples
    --------
    >>> from sdlib.models import create_network
    >>> images = np.full((2, 64, 64, 3), 200, np.uint8)
    >>> activation_maps(create_network("test_efficientnet"), images, class_index=1).shape
    (2, 64, 64)
    """
    if class_index not in (0, 1):
        raise ConfigError(f"expected class_index in {{0, 1}}, got {class_index!r}")
    check_number("chunk", chunk, 1, whole=True)
    store = as_store(images)
    maps = np.empty((len(store), store.size, store.size), np.float32)
    for rows, found in _iter_maps(network, store, class_index, chunk):
        maps[rows] = found
    return maps


def _iter_maps(
    network: nn.Module, store: ImageStore, class_index: int, chunk: int
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield rows of the store and their maps, float32 ``(m, S, S)``."""
    target = ClassifierOutputTarget(0) if class_index else _BenignOutput(0)
    own = _differentiable_copy(network)
    device = next(own.parameters()).device
    # It hooks into the network, and removes the hooks at the end of the block.
    with GradCAM(own, [target_layer(own, store.size)]) as cam:
        for rows, images in iter_chunks(store, chunk):
            # Not around the `yield`: the caller's code goes on in the caller's mode.
            with torch.inference_mode(False), torch.enable_grad():
                inputs = normalise(torch.from_numpy(images).to(device))
                maps = cam(inputs, [target] * len(inputs))
            check_finite("maps", network, maps)
            yield rows, maps


def _differentiable_copy(network: nn.Module) -> nn.Module:
    """A copy of a network, in evaluation mode, through which gradients flow.

    grad-cam empties the gradients of the network that it is given and leaves its own there; the
    caller's network may have frozen weights, or be in the middle of a training step.
    """
    with torch.inference_mode(False):
        return copy.deepcopy(network).requires_grad_(True).eval()


def cutout_shares(network: nn.Module, tiles: TileSet, class_index: int) -> dict[str, np.ndarray]:
    """Measure the share of each map's activation that is on the cutouts.

    It is to be compared with the cutouts' share of the area: a network that does not look at
    cutouts has shares near it. A map of zeros counts as exactly the area's share. Only the maps
    of one chunk of tiles are in memory.

    Parameters
    ----------
    network : torch.nn.Module
        As in :func:`activation_maps`.
    tiles : TileSet
        Tiles with cutouts on every one, from :func:`sdlib.datasets.cutout.make_cutout_set`.
    class_index : {0, 1}
        As in :func:`activation_maps`.

    Returns
    -------
    dict of str to numpy.ndarray
        ``activation`` and ``area``, float64, shape ``(n,)``, each in [0, 1].

    Raises
    ------
    ConfigError
        If a tile has no cutouts, the tiles are too small for a map, or a store reads images of
        another dtype or shape.

    Examples
    --------
    >>> from sdlib.datasets.cutout import make_cutout_set
    >>> from sdlib.models import create_network
    >>> images = np.full((2, 64, 64, 3), 200, np.uint8)
    >>> clean = TileSet(images, np.array([0, 1]), np.array(["a", "b"]))
    >>> tiles = make_cutout_set(clean, "all", seed=0)
    >>> sorted(cutout_shares(create_network("test_efficientnet"), tiles, class_index=1))
    ['activation', 'area']
    """
    has_cutouts = tiles.factors.get("cutout", np.zeros(len(tiles), bool))
    if not has_cutouts.all():
        without = np.count_nonzero(~has_cutouts)
        raise ConfigError(
            f"expected tiles that all carry cutouts, got {without} of {len(tiles)} without: make "
            f"them by make_cutout_set(tiles, 'all', seed)"
        )
    positions, cutout_size = tiles.factors["cutout_positions"], scaled_cutout_size(tiles.size)
    activation, area = np.empty(len(tiles)), np.empty(len(tiles))
    for rows, maps in _iter_maps(network, tiles, class_index, CHUNK):
        mask = cutout_mask(positions[rows], tiles.size, cutout_size)
        area[rows] = mask.mean(axis=(1, 2))
        activation[rows] = _share_on(mask, maps)
    return {"activation": activation, "area": area}


def measure(network: nn.Module, test: TileSet) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Measure the maps of a trained network on cancerous test tiles, as every run does.

    Parameters
    ----------
    network : torch.nn.Module
        As in :func:`activation_maps`.
    test : TileSet
        Test tiles whose cancerous tiles all carry cutouts.

    Returns
    -------
    means : dict of str to float
        ``benign_share``, ``cancer_share`` and ``area_share``, for the row.
    shares : dict of str to numpy.ndarray
        ``cam.benign`` and ``cam.cancer``, float32 (n,), for the stored predictions.

    Raises
    ------
    DataError
        There are no cancerous tiles.
    """
    cancer = test.subset(np.flatnonzero(test.targets == 1)[:MEASURED_TILES])
    if not len(cancer):
        raise DataError(f"expected cancerous tiles to measure maps of, got none of {len(test)}")
    means, kept = {}, {}
    for class_index, name in enumerate(("benign", "cancer")):
        shares = cutout_shares(network, cancer, class_index)
        means[f"{name}_share"] = float(shares["activation"].mean())
        kept[f"cam.{name}"] = shares["activation"].astype(np.float32)
        area = float(shares["area"].mean())
    means["area_share"] = area
    return means, kept


def _share_on(mask: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Share of each map inside its mask; the mask's share of the area where a map is all 0."""
    # In float32 the sums of whole maps would lose digits.
    values = maps.astype(np.float64)
    total = values.sum(axis=(1, 2))
    inside = (values * mask).sum(axis=(1, 2))
    # Maps of zeros get the area's share below; the least divisor avoids a warning about them.
    share = inside / np.maximum(total, 1e-12)
    return np.where(total > 0, share, mask.mean(axis=(1, 2)))
