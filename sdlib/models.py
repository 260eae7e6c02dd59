"""Networks, all from timm, all with one logit for the binary task."""

from __future__ import annotations

from pathlib import Path

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from sdlib.errors import ConfigError, DataError, SdlibError
from sdlib.files import atomic_path

__all__ = ["NETWORKS", "create_network", "load_weights", "save_weights"]

NETWORKS = {
    "efficientnet_b0": "the paper's prostate network (Tan and Le 2019), 4.0 M parameters",
    "densenet121": "the paper's COVID-19 network (Huang et al. 2017), 7.0 M parameters",
    "test_efficientnet": "timm's miniature EfficientNet for two cores, 0.1 M parameters",
    "test_resnet": "timm's miniature ResNet for two cores, 0.4 M parameters",
}


def create_network(
    name: str, dropout: float = 0.0, drop_path: float = 0.0, pretrained: bool = False, seed: int = 0
) -> nn.Module:
    """A timm network ending in one logit, in channels-last memory format.

    Parameters
    ----------
    name : str
        A key of :data:`NETWORKS`.
    dropout : float
        Probability of dropping a feature before the last layer; the paper uses .2.
    drop_path : float
        Stochastic depth, the probability of skipping the deepest block; the paper uses .2.
        DenseNet has no residual path to skip: there it must be 0.
    pretrained : bool
        Start from timm's ImageNet weights, downloaded at first use.
    seed : int
        Seeds the initial weights, and nothing else: the global generator is left as it was.

    Returns
    -------
    torch.nn.Module
        Maps float images (N, 3, S, S) to logits (N, 1).

    Raises
    ------
    ConfigError
        Unknown network, or a drop path where the network has none.
    SdlibError
        ``pretrained`` without a way to the weights.

    Examples
    --------
    >>> network = create_network("test_efficientnet", dropout=0.2)
    >>> tuple(network.eval()(torch.zeros(2, 3, 32, 32)).shape)
    (2, 1)
    """
    if name not in NETWORKS:
        raise ConfigError(f"unknown network {name!r}; expected one of {', '.join(NETWORKS)}")
    options = {"num_classes": 1, "drop_rate": dropout, "pretrained": pretrained}
    if drop_path:
        if name.startswith("densenet"):
            raise ConfigError(f"{name} has no residual path to drop; set drop_path to 0")
        options["drop_path_rate"] = drop_path
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            network = timm.create_model(name, **options)
        except Exception as error:  # the hub's client raises many kinds
            if not pretrained:
                raise
            raise SdlibError(
                f"could not get ImageNet weights of {name}: {type(error).__name__}. Connect once "
                "to the internet, or copy timm's files into the folder that HF_HOME names, or "
                "run with pretrained=False and say so"
            ) from error
    return network.to(memory_format=torch.channels_last)


def save_weights(network: nn.Module, path: Path) -> None:
    """Write the network's weights as safetensors, under a temporary name and then renamed."""
    with atomic_path(path) as temporary:
        save_file({k: v.contiguous() for k, v in network.state_dict().items()}, temporary)


def load_weights(network: nn.Module, path: Path) -> nn.Module:
    """Read weights written by :func:`save_weights` into ``network`` and return it.

    Raises
    ------
    DataError
        The file is absent, broken, or holds the weights of another network.
    """
    try:
        network.load_state_dict(load_file(path))
    except FileNotFoundError as error:
        raise DataError(f"no weights at {path}: run the training first") from error
    except SafetensorError as error:
        raise DataError(f"{path} is not a whole safetensors file: {error}") from error
    except RuntimeError as error:
        raise DataError(f"{path} holds the weights of another network: {error}") from error
    return network
