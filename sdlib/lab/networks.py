"""The networks of the shift lab, and one small file that keeps some of them.

The file holds a few networks in half precision: tensors called ``arm/seedK/name``, and as metadata
the experiment, profile, source, network and side of the tiles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from sdlib.checks import check_number
from sdlib.errors import ConfigError, DataError, SdlibError
from sdlib.experiments import Run, check_names, experiment_of
from sdlib.files import atomic_path
from sdlib.training.prediction import normalise

__all__ = ["LabNetworks", "load_lab_networks", "save_lab_networks"]

MOST_BYTES = 5_000_000
METADATA = ("experiment", "profile", "source", "network", "size")
SIDES = (16, 1024)  # px, of tiles: phantoms are not drawn smaller, and larger ones take minutes
LFS_POINTER = b"version https://git-lfs"  # how a file begins that git-lfs has not fetched

#: By arm and seed, the tensors of a network by name.
States = dict[tuple[str, int], dict[str, torch.Tensor]]


@dataclass(frozen=True)
class LabNetworks:
    """Trained networks of several arms and seeds; without any, the lab has pictures only.

    Parameters
    ----------
    networks : mapping
        By (arm, seed), all for tiles of ``size`` px; they are put into evaluation mode.
    size : int
    profile, origin : str
        Where they were trained; ``recorded`` or ``this run``.
    problem : str
        Why there are none, where there should be some.
    also : str
        What else is among them, for ``sentence``.
    """

    networks: Mapping[tuple[str, int], nn.Module] = field(default_factory=dict)
    size: int = 64
    profile: str = "laptop"
    origin: str = "recorded"
    problem: str = ""
    also: str = ""

    def __post_init__(self) -> None:
        for network in self.networks.values():
            network.eval()

    @property
    def arms(self) -> list[str]:
        """In order, each once."""
        return list(dict.fromkeys(arm for arm, _ in self.networks))

    @property
    def sentence(self) -> str:
        """What the networks are, or how to get some."""
        if self.problem:
            return f"There are pictures only, because the networks cannot be read: {self.problem}"
        if not self.networks:
            return (
                "There are no trained networks here, hence pictures only; "
                "make reproduce trains some in minutes."
            )
        where = "recorded" if self.origin == "recorded" else "trained on this machine"
        return (
            f"{len(self.networks)} networks of {len(self.arms)} arms, {where}: "
            f"profile {self.profile}, tiles of {self.size} px.{self.also}"
        )

    def probabilities(self, image: np.ndarray) -> dict[tuple[str, int], float]:
        """Every network's probability of cancer for one tile, uint8 RGB (size, size, 3).

        They are :func:`sdlib.training.prediction.predict`'s, but the tile is prepared once for all.
        """
        if not self.networks:
            return {}
        with torch.inference_mode():
            prepared = normalise(torch.from_numpy(image[None]))
            logits = [network(prepared)[0, 0] for network in self.networks.values()]
            values = torch.sigmoid(torch.stack(logits)).tolist()
        return dict(zip(self.networks, values, strict=True))


def save_lab_networks(runs: Sequence[Run], path: Path) -> int:
    """Write the trained networks of ``runs`` to one file, kernels in half precision.

    Parameters
    ----------
    runs : sequence of Run
        Finished on this machine, of one experiment, profile and source.
    path : pathlib.Path
        Usually :func:`sdlib.lab.sources.recorded_networks`.

    Returns
    -------
    int
        Bytes written.

    Raises
    ------
    ConfigError
        No runs, runs of several profiles, or more than 5 MB of networks.
    DataError
        A run has no weights on this machine, or weights that are not finite.
    """
    scales = {(run.experiment, run.profile, run.source) for run in runs}
    if len(scales) != 1:
        raise ConfigError(f"expected runs of one experiment at one profile, got {len(scales)}")
    tensors = {}
    for run in runs:
        file = run.folder / "model.safetensors"
        if not file.exists():
            raise DataError(f"no weights of {run.id} at {file}: run the training first")
        try:
            state = load_file(file)
        except SafetensorError as error:
            raise DataError(f"{file} is not a whole safetensors file: {error}") from error
        # Vectors (batch norm, biases) are few, and half precision could lose small variances.
        kept = {name: one.half() if one.ndim > 1 else one for name, one in state.items()}
        _check_finite(kept, f"{run.id} in half precision")
        for name, tensor in kept.items():
            tensors[f"{run.arm}/seed{run.seed}/{name}"] = tensor.contiguous()
    size = sum(tensor.nbytes for tensor in tensors.values())
    if size > MOST_BYTES:
        raise ConfigError(
            f"expected at most {MOST_BYTES / 1e6:.0f} MB, got {size / 1e6:.1f} MB "
            f"of {len(runs)} networks: choose fewer"
        )
    experiment, profile, source = scales.pop()
    settings = runs[0].settings
    values = (experiment, profile, source, settings.network, str(settings.size))
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, dict(zip(METADATA, values, strict=True)))
    return path.stat().st_size


def load_lab_networks(path: Path) -> LabNetworks:
    """Read what :func:`save_lab_networks` wrote, back into single precision.

    Networks are in the order of the experiment's arms, then of seeds.

    Raises
    ------
    DataError
        The file is absent, broken, or of something else.
    """
    try:
        about, tensors = _read(path)
        return _networks(about, tensors)
    except FileNotFoundError as error:
        raise DataError(f"no networks at {path}: save_lab_networks writes them") from error
    except (OSError, SdlibError) as error:
        raise DataError(
            f"{path} does not hold networks of the lab: {error}; "
            "restore the file from git, or remove it and the lab goes without"
        ) from error


def _read(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Metadata and tensors of a safetensors file."""
    # safetensors would count a pointer's first letters as the length of a header.
    with path.open("rb") as stream:
        beginning = stream.read(len(LFS_POINTER))
    if not beginning:
        raise DataError("the file is empty")
    if beginning == LFS_POINTER:
        raise DataError("it is a pointer of git-lfs, whose file 'git lfs pull' fetches")
    try:
        with safe_open(path, "pt") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            return stored.metadata() or {}, tensors
    except SafetensorError as error:
        raise DataError(f"it is cut or not a safetensors file ({error})") from error


def _networks(about: Mapping[str, str], tensors: Mapping[str, torch.Tensor]) -> LabNetworks:
    """The networks that a file describes; SdlibError where it contradicts itself."""
    if missing := [name for name in METADATA if name not in about]:
        raise DataError(f"expected {', '.join(METADATA)} in its metadata, found no {missing[0]}")
    check_names(about["experiment"], about["profile"], about["source"])
    size = about["size"]
    # int() takes other alphabets and underscores, and refuses thousands of digits in its own words.
    whole = size.isascii() and size.isdecimal() and len(size) < 9
    check_number("a side of tiles in px", int(size) if whole else size, *SIDES, whole=True)
    experiment, states = experiment_of(about["experiment"]), _states(tensors)
    for arm, _ in states:
        experiment.arm(arm)  # which raises an error if there is none of that name
    order = [arm.name for arm in experiment.arms]
    networks = {
        key: _filled(about["network"], states[key], f"{key[0]}, seed {key[1]}")
        for key in sorted(states, key=lambda key: (order.index(key[0]), key[1]))
    }
    return LabNetworks(networks, int(size), about["profile"])


def _states(tensors: Mapping[str, torch.Tensor]) -> States:
    """Tensors called ``arm/seedK/name``, by network."""
    states: States = {}
    for key, tensor in tensors.items():
        arm, _, rest = key.partition("/")
        seed, _, name = rest.partition("/")
        number = seed.removeprefix("seed")
        if not (seed.startswith("seed") and number.isdecimal() and len(number) < 9 and name):
            raise DataError(f"expected tensors called arm/seedK/name, got {key!r}")
        states.setdefault((arm, int(number)), {})[name] = tensor
    if not states:
        raise DataError("expected at least one network, found no tensors")
    return states


def _filled(network: str, state: Mapping[str, torch.Tensor], whose: str) -> nn.Module:
    """A network with the weights of ``state``."""
    from sdlib.models import create_network  # timm takes seconds to import

    made = create_network(network)
    wanted, found = (
        {name: (one.shape, one.is_floating_point()) for name, one in weights.items()}
        for weights in (made.state_dict(), state)
    )
    if wanted != found:
        other = min(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
        raise DataError(f"the weights of {whose} are not a {network}'s: {other!r} differs")
    _check_finite(state, whose)
    made.load_state_dict(state)
    return made


def _check_finite(state: Mapping[str, torch.Tensor], whose: str) -> None:
    """Raise an error if a network would predict NaN: it has weights that are not finite."""
    for name, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise DataError(f"expected finite weights of {whose}, found NaN or infinity in {name}")
