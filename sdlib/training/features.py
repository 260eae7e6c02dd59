"""Frozen features: what a pretrained network has learned on photographs, read off every image.

Nothing of the network is trained. A linear head on such features is trained in milliseconds, so
that hundreds of subsets and strengths can be compared.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sdlib.datasets.image_stores import ImageStore, as_store
from sdlib.datasets.reading import iter_chunks
from sdlib.datasets.store import cache_folder
from sdlib.errors import ConfigError
from sdlib.files import atomic_path, if_whole, read_arrays
from sdlib.models import create_network
from sdlib.training.prediction import check_finite, chunk_length, evaluating, normalise

__all__ = ["frozen_features", "predict_features"]


def frozen_features(
    images: np.ndarray | ImageStore,
    network: str = "efficientnet_lite0",
    pretrained: bool = True,
    device: torch.device | str = "cpu",
    cache: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Read the features of images off a network, or from disk where that has been done before.

    They are kept by a hash of the images and of the weights: other images, another size or other
    weights are never taken for these. About 30 images of 224 px are read in a second on two cores.

    Parameters
    ----------
    images : numpy.ndarray or TileSet
        uint8 RGB, shape ``(n, S, S, 3)``, or a set of films or tiles; at least one. Only a few are
        in memory at a time.
    network : str
        A key of :data:`sdlib.models.NETWORKS`.
    pretrained : bool
        Whether it has its ImageNet weights; else it is random, which makes a control.
    device : torch.device or str
        Where the network works.
    cache : str or os.PathLike, optional
        Folder for the features; by default ``features`` in
        :func:`~sdlib.datasets.store.cache_folder`.

    Returns
    -------
    numpy.ndarray
        float32, shape ``(n, d)``: the values that the last layer is given, 1,280 of
        ``efficientnet_lite0``.

    Raises
    ------
    ConfigError
        No images, or an unknown network.
    SdlibError
        Its ImageNet weights cannot be had, or the folder cannot be written to.
    DataError
        An array has another dtype or shape.

    Examples
    --------
    >>> import tempfile
    >>> images = np.zeros((2, 32, 32, 3), np.uint8)
    >>> folder = tempfile.mkdtemp()
    >>> frozen_features(images, "test_resnet", pretrained=False, cache=folder).shape
    (2, 96)
    """
    store = as_store(images)
    if not len(store):
        raise ConfigError("expected at least one image to read features of, got none")
    made = create_network(network, pretrained=pretrained)
    folder = Path(cache) if cache is not None else cache_folder() / "features"
    kept = folder / f"{network}-{store.size}px-n{len(store)}-{_digest(store, made, device)}.npz"

    def check(arrays: Mapping[str, np.ndarray]) -> None:
        found = arrays.get("features")
        if found is None or found.dtype != np.float32 or found.shape[:1] != (len(store),):
            raise ValueError(f"expected float32 features of {len(store)} images")

    arrays = if_whole(read_arrays, kept, check)
    if arrays is not None:
        return arrays["features"]
    features = predict_features(made.to(device), store, device)
    with atomic_path(kept) as temporary, temporary.open("wb") as file:
        np.savez(file, features=features)
    return features


@torch.inference_mode()
def predict_features(
    network: nn.Module, images: np.ndarray | ImageStore, device: torch.device | str = "cpu"
) -> np.ndarray:
    """Predict what the last layer of a network is given, with the network in evaluation mode.

    Parameters
    ----------
    network : torch.nn.Module
        Of :func:`sdlib.models.create_network`, already on ``device``.
    images : numpy.ndarray or TileSet
        uint8 RGB, shape ``(n, S, S, 3)``, or a set of films or tiles; at least one.
    device : torch.device or str
        Where the network is.

    Returns
    -------
    numpy.ndarray
        float32, shape ``(n, d)``.

    Raises
    ------
    DataError
        An array has another dtype or shape, or the network predicts what is not a number.

    Examples
    --------
    >>> images = np.zeros((3, 32, 32, 3), np.uint8)
    >>> predict_features(create_network("test_efficientnet"), images).shape
    (3, 256)
    """
    store, found = as_store(images), []
    with evaluating(network):
        for _, chunk in iter_chunks(store, chunk_length(store.size, device)):
            maps = network.forward_features(normalise(torch.from_numpy(chunk).to(device)))
            found.append(network.forward_head(maps, pre_logits=True).float().cpu().numpy())
    features = np.concatenate(found)
    check_finite("features", network, features)
    return features


def _digest(store: ImageStore, network: nn.Module, device: torch.device | str) -> str:
    """The hash of all that features depend on: images, weights, and the kind of device."""
    digest = hashlib.sha256(f"{store.size} {torch.device(device).type}".encode())
    for name, weights in network.state_dict().items():
        # The last layer is not used: its seed changes no feature.
        if not name.startswith(f"{network.pretrained_cfg['classifier']}."):
            digest.update(name.encode() + weights.contiguous().numpy().tobytes())
    for _, chunk in iter_chunks(store, chunk_length(store.size, "cpu")):
        digest.update(np.ascontiguousarray(chunk))
    return digest.hexdigest()[:24]
