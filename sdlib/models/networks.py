"""Networks from timm, each with one logit for a binary task.

timm is imported where a network is made: with torchvision, which it needs, that takes seconds, and
most pages make none.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from sdlib.checks import check_number, known
from sdlib.errors import ConfigError, SdlibError
from sdlib.models.imagenet import (
    HUB_WEIGHTS,
    LITE0,
    LITE0_OF_TIMM,
    add_imagenet_weights,
    initial_weights,
)

__all__ = ["HEADS", "NETWORKS", "Rescale", "create_network"]

NETWORKS = {
    "efficientnet_b0": "the paper's prostate network (Tan and Le 2019), 4.0 M parameters",
    "densenet121": "the paper's COVID-19 network (Huang et al. 2017), 7.0 M parameters",
    "efficientnet_lite0": "ImageNet weights that need no download, 3.4 M parameters",
    "test_efficientnet": "timm's miniature EfficientNet for two cores, 0.1 M parameters",
    "test_resnet": "timm's miniature ResNet for two cores, 0.4 M parameters",
}
"""The networks that experiments may use, with what each is for."""

HEADS = {
    "timm": "as timm begins it, and as the paper's networks began",
    "small": "as PyTorch begins any layer: weights up to 1/sqrt(number of features)",
}
"""How the last layer may begin, with what each is."""

TIMM_NAMES = {LITE0: LITE0_OF_TIMM}  # of those that timm calls otherwise
SEEDS = (-(2**63), 2**64 - 1)  # the least and the largest of PyTorch's generators
LITE0_MEAN, LITE0_SD = 0.5, 0.5  # of the images that EfficientNet-Lite0's weights were trained on


class Rescale(nn.Module):
    """From images with ImageNet's mean at 0 and its SD at 1 to those with another mean and SD.

    Parameters
    ----------
    mean, sd : float
        In intensities from 0 to 1, the same for R, G and B.

    Examples
    --------
    >>> from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
    >>> white = (1 - torch.tensor(IMAGENET_DEFAULT_MEAN)) / torch.tensor(IMAGENET_DEFAULT_STD)
    >>> Rescale(0.5, 0.5)(white[:, None, None]).flatten().round(decimals=5)
    tensor([1., 1., 1.])
    """

    def __init__(self, mean: float, sd: float) -> None:
        from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

        super().__init__()
        scale = torch.tensor(IMAGENET_DEFAULT_STD) / sd
        offset = (torch.tensor(IMAGENET_DEFAULT_MEAN) - mean) / sd
        # Constants, not weights: they follow the network to its device, and are not saved.
        self.register_buffer("scale", scale[:, None, None], persistent=False)
        self.register_buffer("offset", offset[:, None, None], persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Rescale float images, shape ``(N, 3, S, S)``."""
        return images * self.scale + self.offset


def create_network(
    name: str,
    dropout: float = 0.0,
    drop_path: float = 0.0,
    pretrained: bool = False,
    seed: int = 0,
    head: str = "timm",
) -> nn.Module:
    """Create a timm network with one logit, in channels-last memory format.

    Every network takes images as :func:`sdlib.training.prediction.normalise` makes them, with
    ImageNet's mean and SD. One whose weights were trained with others rescales them first.

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
        Whether to start from ImageNet weights; :func:`sdlib.models.initial_weights` says which.
        The last layer is new in any case. ``efficientnet_lite0`` has its weights from an installed
        package; those of other networks are downloaded from timm's hub at first use.
    seed : int
        Seed of the initial weights, of the last layer alone in a pretrained network; -2**63 to
        2**64 - 1. The global generator is left as it was.
    head : str
        How the last layer begins; a key of :data:`HEADS`. timm draws the weights of an EfficientNet
        from -1/sqrt(k) to 1/sqrt(k) for k outputs: with one logit from -1 to 1, however many
        features there are. First logits are then several times as large as with ``small``, and at a
        high rate such a network diverges, first of all under a penalty on logits.

    Returns
    -------
    torch.nn.Module
        Maps float32 images (N, 3, S, S) to float32 logits (N, 1); in training mode.

    Raises
    ------
    ConfigError
        An unknown network or head, a number out of its range, a drop path where the network has no
        residual path, or a pretrained network that has no ImageNet weights.
    SdlibError
        The ImageNet weights cannot be had.
    DataError
        Their file is broken.

    Examples
    --------
    >>> network = create_network("test_efficientnet", dropout=0.2)
    >>> tuple(network.eval()(torch.zeros(2, 3, 32, 32)).shape)
    (2, 1)
    """
    import timm

    if name not in NETWORKS:
        raise ConfigError(f"unknown network {name!r}; expected one of {', '.join(NETWORKS)}")
    known("beginning of the last layer", head, HEADS)
    check_number("dropout", dropout, 0, 1)
    check_number("drop_path", drop_path, 0, 1)
    check_number("seed", seed, *SEEDS, whole=True)
    initial_weights(name, pretrained)  # raises an error where there are none
    options = {"num_classes": 1, "drop_rate": dropout}
    if drop_path:
        if name.startswith("densenet"):
            raise ConfigError(f"{name} has no residual path to drop; set drop_path to 0")
        options["drop_path_rate"] = drop_path
    # With a forked generator the caller's random numbers do not depend on networks made before.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if pretrained and name in HUB_WEIGHTS:
            network = _from_hub(name, options)
        else:
            network = timm.create_model(TIMM_NAMES.get(name, name), **options)
        if head == "small":
            network.get_classifier().reset_parameters()
    if name == LITE0:
        if pretrained:
            add_imagenet_weights(network)
        # At its first layer, not around the whole: then its features pass through it as well. And
        # not within the layer's weights: the zeros that it pads with are of the rescaled image.
        stem = OrderedDict(rescale=Rescale(LITE0_MEAN, LITE0_SD), convolution=network.conv_stem)
        network.conv_stem = nn.Sequential(stem)
    return network.to(memory_format=torch.channels_last)


def _from_hub(name: str, options: dict) -> nn.Module:
    """A network with ImageNet weights of timm's hub."""
    import timm

    try:
        return timm.create_model(HUB_WEIGHTS[name], pretrained=True, **options)
    except Exception as error:  # the hub's client raises exceptions of many kinds
        raise SdlibError(
            f"could not get ImageNet weights of {name}: {type(error).__name__}. Connect once "
            "to the internet, or copy timm's files into the folder that HF_HOME names, or "
            "run with pretrained=False and say so"
        ) from error
