"""Networks from timm, each with one logit for a binary task, and their weights on disk."""

from __future__ import annotations

from pathlib import Path

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from sdlib.checks import check_number
from sdlib.errors import ConfigError, DataError, SdlibError
from sdlib.files import atomic_path

__all__ = ["NETWORKS", "create_network", "load_weights", "save_weights"]

NETWORKS = {
    "efficientnet_b0": "the paper's prostate network (Tan and Le 2019), 4.0 M parameters",
    "densenet121": "the paper's COVID-19 network (Huang et al. 2017), 7.0 M parameters",
    "test_efficientnet": "timm's miniature EfficientNet for two cores, 0.1 M parameters",
    "test_resnet": "timm's miniature ResNet for two cores, 0.4 M parameters",
}
"""The networks that experiments may use, with what each is for."""

SEEDS = (-(2**63), 2**64 - 1)  # the least and the largest of PyTorch's generators


def create_network(
    name: str, dropout: float = 0.0, drop_path: float = 0.0, pretrained: bool = False, seed: int = 0
) -> nn.Module:
    """Create a timm network with one logit, in channels-last memory format.

    Parameters
    ----------
    name : str
        A key of :data:`NETWORKS`.
    dropout : float
        Probability of dropping a feature before the last layer, 0 to 1; the paper uses .2.
    drop_path : float
        Probability of skipping the deepest block (stochastic depth), 0 to 1; the paper uses .2.
        DenseNet has no residual path to skip: there it must be 0.
    pretrained : bool
        Whether to start from timm's ImageNet weights, which are downloaded at first use.
    seed : int
        Seed of the initial weights, -2**63 to 2**64 - 1. The global generator is left as it was.

    Returns
    -------
    torch.nn.Module
        Maps float32 images (N, 3, S, S) to float32 logits (N, 1); in training mode.

    Raises
    ------
    ConfigError
        An unknown network, a number out of its range, or a drop path where the network has no
        residual path.
    SdlibError
        The ImageNet weights cannot be had.

    Examples
    --------
    >>> network = create_network("test_efficientnet", dropout=0.2)
    >>> tuple(network.eval()(torch.zeros(2, 3, 32, 32)).shape)
    (2, 1)
    """
    if name not in NETWORKS:
        raise ConfigError(f"unknown network {name!r}; expected one of {', '.join(NETWORKS)}")
    check_number("dropout", dropout, 0, 1)
    check_number("drop_path", drop_path, 0, 1)
    check_number("seed", seed, *SEEDS, whole=True)
    options = {"num_classes": 1, "drop_rate": dropout, "pretrained": pretrained}
    if drop_path:
        if name.startswith("densenet"):
            raise ConfigError(f"{name} has no residual path to drop; set drop_path to 0")
        options["drop_path_rate"] = drop_path
    # With a forked generator the caller's random numbers do not depend on networks made before.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            network = timm.create_model(name, **options)
        except Exception as error:  # the hub's client raises exceptions of many kinds
            if not pretrained:
                raise
            raise SdlibError(
                f"could not get ImageNet weights of {name}: {type(error).__name__}. Connect once "
                "to the internet, or copy timm's files into the folder that HF_HOME names, or "
                "run with pretrained=False and say so"
            ) from error
    return network.to(memory_format=torch.channels_last)


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
