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

from sdlib.errors import ConfigError, DataError
from sdlib.experiments import Run, experiment_of
from sdlib.files import atomic_path
from sdlib.training.prediction import normalise

__all__ = ["LabNetworks", "load_lab_networks", "save_lab_networks"]

MOST_BYTES = 5_000_000
METADATA = ("experiment", "profile", "source", "network", "size")


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
    """

    networks: Mapping[tuple[str, int], nn.Module] = field(default_factory=dict)
    size: int = 64
    profile: str = "laptop"
    origin: str = "recorded"

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
        if not self.networks:
            return (
                "There are no trained networks here, hence pictures only; "
                "make reproduce trains some in minutes."
            )
        where = "recorded" if self.origin == "recorded" else "trained on this machine"
        return (
            f"{len(self.networks)} networks of {len(self.arms)} arms, {where}: "
            f"profile {self.profile}, tiles of {self.size} px."
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
        A run has no weights on this machine.
    """
    scales = {(run.experiment, run.profile, run.source) for run in runs}
    if len(scales) != 1:
        raise ConfigError(f"expected runs of one experiment at one profile, got {len(scales)}")
    tensors = {}
    for run in runs:
        file = run.folder / "model.safetensors"
        if not file.exists():
            raise DataError(f"no weights of {run.id} at {file}: run the training first")
        for name, tensor in load_file(file).items():
            # Vectors (batch norm, biases) are few, and half precision could lose small variances.
            kept = tensor.half() if tensor.ndim > 1 else tensor
            tensors[f"{run.arm}/seed{run.seed}/{name}"] = kept.contiguous()
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
    from sdlib.models import create_network  # timm takes seconds to import

    states: dict[tuple[str, int], dict[str, torch.Tensor]] = {}
    try:
        with safe_open(path, "pt") as stored:
            about = stored.metadata() or {}
            for key in stored.keys():  # noqa: SIM118 - not a mapping
                arm, seed, name = key.split("/", 2)
                state = states.setdefault((arm, int(seed.removeprefix("seed"))), {})
                state[name] = stored.get_tensor(key)
        arms = [arm.name for arm in experiment_of(about["experiment"]).arms]
        networks = {}
        for key in sorted(states, key=lambda key: (arms.index(key[0]), key[1])):
            networks[key] = create_network(about["network"])
            networks[key].load_state_dict(states[key])
        return LabNetworks(networks, int(about["size"]), about["profile"])
    except FileNotFoundError as error:
        raise DataError(f"no networks at {path}: save_lab_networks writes them") from error
    except (SafetensorError, KeyError, ValueError, RuntimeError, ConfigError) as error:
        raise DataError(f"{path} does not hold networks of the lab: {error}") from error
