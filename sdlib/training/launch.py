"""A run on several devices: start a process for each, and end all of them when one fails.

``python -m sdlib run ... --devices N`` starts N processes on this machine; ``torchrun`` starts them
itself, on one machine or many, which must share the folder of outputs.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psutil
import torch
from joblib.externals.loky import get_reusable_executor
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import find_free_network_port

from sdlib.errors import ConfigError, SdlibError
from sdlib.experiments import Run
from sdlib.results.rows import own_row
from sdlib.training import run as running
from sdlib.training.data import TRAINING, load_tiles
from sdlib.training.devices import (
    PATIENCE,
    check_devices,
    is_called_to_train,
    rank_fabric,
)

__all__ = ["execute", "launch"]

Log = Callable[[str], None]

START = "spawn"  # a fork would take along what PyTorch has begun
#: Exit statuses of a rank that leaves a sentence, a traceback, or a sentence on another's loss.
REFUSED, MISTAKEN, LOST = 2, 1, 3
GO_ON = "the same command goes on from the last whole epoch"
GRACE = 60  # seconds, within which torchrun ends the processes of one that has failed
LOOPBACK = {"lo", "lo0"}  # what Linux and macOS call the interface within a machine


def execute(run: Run, fresh: bool, log: Log, devices: int | None = None) -> dict | None:
    """Train and evaluate one run on one or several devices.

    A row of today's configuration is not made anew because there are more devices now. A killed run
    goes on with the number of devices with which it was begun.

    Parameters
    ----------
    run, fresh, log
        As for :func:`sdlib.training.run.execute`; processes that are started here log to standard
        error.
    devices : int, optional
        GPUs, or CPU cores where there is no GPU; 1 by default. Where torchrun has started the
        processes, their number is what counts.

    Returns
    -------
    dict or None
        The row; None in a process of torchrun that does not report.

    Raises
    ------
    ConfigError
        There are fewer devices, or torchrun has started another number of processes.
    SdlibError
        As for :func:`sdlib.training.run.execute`, or a process was killed.
    """
    if torch.distributed.is_torchelastic_launched() and int(os.environ["WORLD_SIZE"]) > 1:
        try:
            return _execute_within_torchrun(run, fresh, log, devices)
        except Exception as error:
            _wait_unless_first()
            if _is_loss(error):
                raise SdlibError(_of_loss()) from error
            raise
    if devices is None or devices == 1:
        return running.execute(run, fresh, log)
    check_devices(devices)
    launch(devices, _execute_as_rank, run, fresh)
    return own_row(run)


def _execute_within_torchrun(run: Run, fresh: bool, log: Log, devices: int | None) -> dict | None:
    started = int(os.environ["WORLD_SIZE"])
    if devices not in (None, started):
        raise ConfigError(
            f"expected as many devices as torchrun has started processes, {started}, got "
            f"{devices}: leave --devices out"
        )
    check_devices(int(os.environ["LOCAL_WORLD_SIZE"]))
    return _execute_as_rank(run, fresh, log)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _silent(line: str) -> None:
    pass


def _execute_as_rank(run: Run, fresh: bool, log: Log = _say) -> dict | None:
    """What each rank does: rank 0 the whole run, the others their shares of its training."""
    fabric = rank_fabric(run.settings.precision)
    if fabric.is_global_zero:
        row = running.execute(run, fresh, log, fabric)
        fabric.broadcast(None)  # the others have waited until everything is written
    else:
        row = None
        if is_called_to_train(fabric):
            _train_share(run, fabric)
            fabric.broadcast(None)
    fabric.barrier()  # nobody leaves while another listens
    torch.distributed.destroy_process_group()
    return row


def _train_share(run: Run, fabric: Fabric) -> None:
    # Rank 0 has loaded the tiles before it called: what they are made of is on this disk by now.
    tiles = load_tiles(run)
    arm = run.resolved_arm()
    running.train(run, arm, tiles[TRAINING], tiles["validation"], _silent, run.folder, fabric)


def launch(n: int, function: Callable[..., object], *args: object) -> None:
    """Call a function in n processes of this machine that can form a group, and wait for them.

    When one fails, the others are ended, and none outlives this process, however it ends.

    Parameters
    ----------
    n : int
        How many.
    function : callable
        Of a module's top level: it is found by its name. Its result is dropped.
    *args
        Its arguments, which must be picklable.

    Raises
    ------
    SdlibError
        The function raised one, or a signal has ended a process.
    RuntimeError
        The function raised another error; the text is its traceback.
    """
    context, port = multiprocessing.get_context(START), find_free_network_port()
    with tempfile.TemporaryDirectory() as folder:
        notes = [Path(folder) / f"rank{rank}.txt" for rank in range(n)]
        processes = []
        try:
            for rank in range(n):
                arguments = (rank, n, port, notes[rank], function, args)
                process = context.Process(target=_rank, args=arguments, name=f"device {rank}")
                process.start()
                processes.append(process)
            _wait(processes)
            statuses = [process.exitcode for process in processes]
        finally:
            _end(processes)
        _raise_failure(statuses, notes)


def _wait(processes: list) -> None:
    """Wait until all processes have ended well or one has not."""
    waiting = {process.sentinel: process for process in processes}
    while waiting:
        for sentinel in multiprocessing.connection.wait(list(waiting)):
            process = waiting.pop(sentinel)
            process.join()
            if process.exitcode:
                return


def _end(processes: list) -> None:
    """End processes, and all that they have started."""
    for process in processes:
        below = []
        with contextlib.suppress(psutil.NoSuchProcess):
            below = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.join()
        for one in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()


def _raise_failure(statuses: list[int | None], notes: list[Path]) -> None:
    """Raise what went wrong first: where one rank fails, others often fail at its loss."""
    for status, note in zip(statuses, notes, strict=True):
        if status == REFUSED:
            raise SdlibError(note.read_text())
    for rank, status in enumerate(statuses):
        if status is not None and status < 0:
            raise SdlibError(
                f"the process of device {rank} was ended by {signal.Signals(-status).name}, "
                f"perhaps for want of memory: {GO_ON}"
            )
    for kind, exception in ((MISTAKEN, RuntimeError), (LOST, SdlibError)):
        for status, note in zip(statuses, notes, strict=True):
            if status == kind and note.exists():
                raise exception(note.read_text())
    if any(statuses):
        raise RuntimeError(f"expected exit status 0 of every device, got {statuses}")


def _rank(
    rank: int, n: int, port: int, note: Path, function: Callable[..., object], args: tuple
) -> None:
    """The life of a process that :func:`launch` has started."""
    # Python cannot act on a signal while it waits for another rank: Ctrl-C ends it at once.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    here = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    ranks = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": n, "LOCAL_WORLD_SIZE": n}
    os.environ.update({name: str(value) for name, value in {**here, **ranks}.items()})
    for _, interface in socket.if_nameindex():
        if interface in LOOPBACK:
            os.environ["GLOO_SOCKET_IFNAME"] = interface
    try:
        function(*args)
    except SdlibError as error:
        note.write_text(str(error))
        sys.exit(REFUSED)
    except Exception as error:
        note.write_text(_of_loss() if _is_loss(error) else traceback.format_exc())
        sys.exit(LOST if _is_loss(error) else MISTAKEN)
    finally:
        # Generating phantoms leaves joblib's processes, for whose idle end this one would wait.
        get_reusable_executor().shutdown(kill_workers=True)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    multiprocessing.connection.wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGKILL)


def _is_loss(error: Exception) -> bool:
    """Whether an error says that another rank is gone, or silent for too long."""
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)


def _of_loss() -> str:
    rank = os.environ["RANK"]
    return (
        f"device {rank} has lost another, which has ended, or was silent for {PATIENCE} hours: "
        f"{GO_ON}"
    )


def _wait_unless_first() -> None:
    """Let the first rank that fails report it: torchrun ends the others meanwhile."""
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT")
    try:
        # torchrun's own, so that it outlives the ranks.
        store = torch.distributed.TCPStore(
            address, port, is_master=False, timeout=timedelta(seconds=GRACE)
        )
        place = store.add(f"sdlib failed {attempt}", 1)
    except RuntimeError:  # then there may be several reports
        return
    if place > 1:
        time.sleep(GRACE)
