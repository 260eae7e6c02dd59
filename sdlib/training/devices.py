"""Training on several devices, each with a process of its own: shares of batches, one loss.

A *rank* is the number of a process, from 0. Every rank trains on its share of each batch by
PyTorch's DistributedDataParallel (DDP). Only rank 0 validates, predicts and writes; the others
wait for it.

What N devices have in common with one: the batches (a schedule's batch size is for all devices
together), the rates, the loss of a batch and its gradient, to rounding. What they have not: the
random numbers of augmentation, dropout and drop path, for every rank draws its own, and, on CPUs,
the statistics of batch normalisation (:func:`share_statistics`). A row therefore says how many
devices there were.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import TorchElasticEnvironment
from lightning_fabric.strategies import DDPStrategy
from torch import nn

from sdlib.checks import check_number
from sdlib.errors import ConfigError

__all__ = [
    "PATIENCE",
    "Criterion",
    "call_to_train",
    "check_devices",
    "check_share",
    "from_first",
    "is_called_to_train",
    "rank_fabric",
    "share_statistics",
    "whole_batch_loss",
]

Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Value = TypeVar("Value")

#: How long a rank waits for the others, wherever it waits. Rank 0 may evaluate for as long.
PATIENCE = timedelta(hours=2)
TRAIN = "train"  # what rank 0 says when there is something to train


def check_devices(wanted: int) -> None:
    """Raise an error unless this machine has so many devices.

    Parameters
    ----------
    wanted : int
        Number of GPUs; where there is no GPU, of CPU cores that this process may use.

    Raises
    ------
    ConfigError
        There are fewer, or the number is below 1.

    Examples
    --------
    >>> check_devices(1)
    """
    check_number("devices", wanted, 1, whole=True)
    found, kind, other = _n_cores(), "CPU core", " and no GPU"
    if torch.cuda.is_available():
        found, kind, other = torch.cuda.device_count(), "GPU", ""
    if wanted > found:
        have = f"is 1 {kind}" if found == 1 else f"are {found} {kind}s"
        raise ConfigError(f"expected devices from 1 to {found}, got {wanted}: there {have}{other}")


def _n_cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def rank_fabric(precision: str) -> Fabric:
    """Join the group of processes that a launcher has started.

    Parameters
    ----------
    precision : str
        Of Fabric, for GPUs. CPUs compute in float32, each rank on one thread.

    Returns
    -------
    lightning_fabric.Fabric
        Connected: through NCCL between GPUs, through gloo between CPUs. A rank that hears nothing
        from another for :data:`PATIENCE` fails.
    """
    # torchrun sets these variables, and so does sdlib.training.launch.
    local, world = (int(os.environ[name]) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    on_gpu = torch.cuda.is_available()
    if not on_gpu:
        torch.set_num_threads(1)
    # Each rank would say that it joins.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    fabric = Fabric(
        accelerator="cuda" if on_gpu else "cpu",
        devices=local,
        num_nodes=world // local,
        strategy=DDPStrategy(timeout=PATIENCE),
        precision=precision if on_gpu else "32-true",
        plugins=[TorchElasticEnvironment()],
    )
    fabric.launch()
    return fabric


def from_first(fabric: Fabric, function: Callable[..., Value], *args: object) -> Value:
    """Call a function on rank 0 only, and return what it returned there on every rank.

    Parameters
    ----------
    fabric : lightning_fabric.Fabric
        The other ranks wait, for :data:`PATIENCE` at most.
    function : callable
        Returns what can be pickled.
    *args
        Its arguments.

    Examples
    --------
    >>> from_first(Fabric(accelerator="cpu", devices=1), str.upper, "read by one")
    'READ BY ONE'
    """
    return fabric.broadcast(function(*args) if fabric.is_global_zero else None)


def call_to_train(fabric: Fabric) -> None:
    """Tell the other ranks, which wait in :func:`is_called_to_train`, that a training begins.

    Parameters
    ----------
    fabric : lightning_fabric.Fabric
        Of rank 0; with one device nothing happens.
    """
    fabric.broadcast(TRAIN)


def is_called_to_train(fabric: Fabric) -> bool:
    """Wait for what rank 0 says next: that a training begins, or anything else, which is dropped.

    Parameters
    ----------
    fabric : lightning_fabric.Fabric
        Of another rank than 0.
    """
    return fabric.broadcast(None) == TRAIN


def check_share(fabric: Fabric, smallest: int) -> None:
    """Raise an error unless each device gets a tile of every batch.

    Parameters
    ----------
    fabric : lightning_fabric.Fabric
        Its number of devices is used.
    smallest : int
        Tiles in the smallest batch.

    Raises
    ------
    ConfigError
        There are more devices.
    """
    if smallest < fabric.world_size:
        raise ConfigError(
            f"expected batches of {fabric.world_size} tiles or more, one for each device, got one "
            f"of {smallest}: raise batch_size, add tiles, or use fewer devices"
        )


def share_statistics(network: nn.Module, fabric: Fabric) -> nn.Module:
    """Let batch normalisation see the whole batch where the devices can, which are GPUs.

    Between GPUs its mean and variance are those of all shares together, as on one device
    (SyncBatchNorm). PyTorch has no such layer for CPUs: there every rank normalises by its own
    share, and the running statistics are rank 0's, so that a network with batch normalisation
    trained on N CPUs cannot equal one trained on one.

    Parameters
    ----------
    network : torch.nn.Module
        Its layers are replaced in place; parameters, buffers and their names stay.
    fabric : lightning_fabric.Fabric
        With one device nothing is replaced.

    Returns
    -------
    torch.nn.Module
        ``network`` itself, or what replaces it if it is such a layer.
    """
    if fabric.world_size == 1 or fabric.device.type != "cuda":
        return network
    from timm.layers import convert_sync_batchnorm

    return convert_sync_batchnorm(network)  # timm's keeps the activations within its layers


def whole_batch_loss(
    fabric: Fabric,
    criterion: Criterion,
    logits: torch.Tensor,
    targets: torch.Tensor,
    shares: Sequence[int],
) -> torch.Tensor:
    """Compute the loss of a whole batch, of which each rank has predicted a share.

    Every rank computes the loss from the logits of all and differentiates it by its own, so that
    the gradient of the whole batch is the sum of the ranks' gradients. DDP takes their mean, hence
    each is multiplied by the number of ranks. This holds for uneven shares and for any criterion
    whose parameters are the logits alone, such as the class means of Equation 2, of which a mean of
    the ranks' losses would be wrong.

    Parameters
    ----------
    fabric : lightning_fabric.Fabric
        The group of ranks; with one device the criterion is called as it is.
    criterion : callable
        Logits and targets of a batch to a scalar; it must not have parameters of its own.
    logits, targets : torch.Tensor
        This rank's: floating point (n, 1) or (n,), and (n,).
    shares : sequence of int
        n of every rank, each at least 1.

    Returns
    -------
    torch.Tensor
        A scalar, the same on every rank to the last bit.

    Examples
    --------
    >>> from sdlib.losses import SpectralDecouplingLoss
    >>> one_device = Fabric(accelerator="cpu", devices=1)
    >>> batch = torch.zeros(2), torch.tensor([0.0, 1.0])
    >>> whole_batch_loss(one_device, SpectralDecouplingLoss(0.01), *batch, shares=[2])
    tensor(0.6931)
    """
    world = fabric.world_size
    if world == 1:
        return criterion(logits, targets)
    # One table of equal shape on every rank; float64 holds any logit and target exactly.
    table = logits.new_zeros((max(shares), 2), dtype=torch.float64)
    table[: len(logits), 0] = logits.detach().flatten()
    table[: len(logits), 1] = targets
    tables = [torch.empty_like(table) for _ in shares]
    torch.distributed.all_gather(tables, table)
    found = [part[:n] for part, n in zip(tables, shares, strict=True)]
    all_logits = [part[:, 0].to(logits.dtype).reshape(-1, *logits.shape[1:]) for part in found]
    all_logits[fabric.global_rank] = logits
    if logits.requires_grad:
        logits.register_hook(lambda gradient: gradient * world)
    all_targets = torch.cat([part[:, 1] for part in found]).to(targets.dtype)
    return criterion(torch.cat(all_logits), all_targets)
