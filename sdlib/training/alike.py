"""Reuse a finished run of the same configuration, so that nothing is trained twice."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable

from torch import nn

from sdlib.errors import DataError
from sdlib.experiments import Run
from sdlib.files import atomic_path, write_json
from sdlib.models import create_network, load_weights
from sdlib.results.rows import own_row
from sdlib.training.loop import CHECKPOINT
from sdlib.training.own_files import discard, say_damaged

__all__ = ["copy_run", "find_twin", "finished_row", "lent_network", "trained_network"]

Log = Callable[[str], None]

WEIGHTS = "model.safetensors"
COPIED = ("config.json", "predictions.npz", "targets.npz", WEIGHTS)


def finished_row(run: Run, stamp: str, log: Log) -> dict | None:
    """The row of a run on this machine, if it is whole and of a given configuration.

    Parameters
    ----------
    run : Run
    stamp : str
        The hash of the configuration.
    log : callable
        Takes a line about a damaged row.
    """
    row = own_row(run)
    if row is None:
        say_damaged(run.row_file, log)
        return None
    return row if row["config_hash"] == stamp else None


def find_twin(run: Run, stamp: str, log: Log) -> tuple[Run | None, dict | None]:
    """Another arm's finished run of the very same configuration, and its row.

    Parameters
    ----------
    run, stamp, log
        As for :func:`finished_row`.
    """
    for arm in run.definition.arms:
        other = dataclasses.replace(run, arm=arm.name)
        if other == run:
            continue
        row = finished_row(other, stamp, log)
        if row is not None and all((other.folder / name).exists() for name in COPIED):
            return other, row
    return None, None


def copy_run(twin: Run, row: dict, run: Run) -> dict:
    """Copy the files of a finished run to another arm's run of the same configuration.

    What ``run`` has left of another configuration is removed first.

    Parameters
    ----------
    twin, row
        What :func:`find_twin` returns.
    run : Run
        Whose files are written.

    Returns
    -------
    dict
        The row of ``run``: the seconds are those of the training, and ``trained_as`` says of
        which arm it was.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    discard(run.folder / CHECKPOINT)
    discard(run.row_file)  # it would describe another run's predictions
    for name in COPIED:
        with atomic_path(run.folder / name) as temporary:
            shutil.copyfile(twin.folder / name, temporary)
    row = row | {"arm": run.arm, "trained_as": row.get("trained_as", twin.arm)}
    write_json(run.row_file, row)
    return row


def lent_network(run: Run, stamp: str, log: Log) -> tuple[nn.Module | None, dict | None]:
    """The network of another experiment's finished run of the very same configuration, and its row.

    Broken weights, which the log says, count as not there.

    Parameters
    ----------
    run, stamp, log
        As for :func:`finished_row`.
    """
    other = run.lender
    if other is None:
        return None, None
    row = finished_row(other, stamp, log)
    if row is None or not (other.folder / WEIGHTS).exists():
        return None, None
    try:
        network = trained_network(other)
    except DataError as error:
        log(f"{run.id}: trains a network of its own, for {error}")
        return None, None
    log(f"{run.id}: tests the network of {other.id}")
    return network, row


def trained_network(run: Run) -> nn.Module:
    """The network that a run has left on this machine, on the CPU.

    Raises
    ------
    DataError
        It has left none, or a broken one.
    """
    return load_weights(create_network(run.settings.network), run.folder / WEIGHTS)
