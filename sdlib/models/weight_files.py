"""Weights of networks on disk, as safetensors."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from sdlib.errors import DataError
from sdlib.files import atomic_path

__all__ = ["load_weights", "save_weights"]


def save_weights(network: nn.Module, path: Path) -> None:
    """Write the weights of a network as a safetensors file, in one step.

    Parameters
    ----------
    network : torch.nn.Module
        Its parameters and buffers are written.
    path : pathlib.Path
        The file; missing parent folders are made.

    Raises
    ------
    SdlibError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "network.safetensors"
    >>> save_weights(nn.Linear(2, 1), path)
    >>> path.exists()
    True
    """
    # Channels-last weights are not contiguous, and safetensors writes only what is.
    with atomic_path(path) as temporary:
        save_file({k: v.contiguous() for k, v in network.state_dict().items()}, temporary)


def load_weights(network: nn.Module, path: Path) -> nn.Module:
    """Read weights that :func:`save_weights` wrote into a network.

    Parameters
    ----------
    network : torch.nn.Module
        A network of the same kind; its weights are overwritten.
    path : pathlib.Path
        The file.

    Returns
    -------
    torch.nn.Module
        ``network`` itself.

    Raises
    ------
    DataError
        The file is absent or broken, or holds the weights of another network, or weights that are
        not finite.

    Examples
    --------
    >>> import tempfile
    >>> from sdlib.models import create_network
    >>> path = Path(tempfile.mkdtemp()) / "network.safetensors"
    >>> save_weights(create_network("test_resnet", seed=1), path)
    >>> network = load_weights(create_network("test_resnet", seed=2), path)
    """
    try:
        weights = load_file(path)
    except FileNotFoundError as error:
        raise DataError(f"no weights at {path}: run the training first") from error
    except SafetensorError as error:
        raise DataError(f"{path} is not a whole safetensors file: {error}") from error
    except OSError as error:
        raise DataError(f"cannot read the weights at {path}: {error}") from error
    for name, tensor in weights.items():
        # With one such weight every prediction may be NaN, which would pass for a result.
        if not torch.isfinite(tensor).all():
            raise DataError(
                f"expected finite weights in {path}, got NaN or an infinity in {name}: "
                "delete the file and train the network anew"
            )
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        own = type(network).__name__
        raise DataError(f"{path} holds the weights of another network, not of {own}") from error
    return network
