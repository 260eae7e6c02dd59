"""The graph as processes: run snakemake so that Ctrl-C is quiet, and find what a kill left behind.

Rows, searches and chapters are whole or not there, so jobs may be stopped at any moment and the
same command goes on from there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

from sdlib.errors import SdlibError
from sdlib.pipeline import slurm

__all__ = ["GRAPH", "leave_on_request", "run_graph", "unlock"]

#: The Snakefile sets this variable to its folder, and every job inherits it.
GRAPH = "SDLIB_GRAPH"

#: Asks a job to end. Whatever has no handler for it dies in silence, such as a chapter; of SIGINT
#: and SIGTERM, nbclient makes tracebacks.
REQUEST = signal.SIGUSR1
PATIENCE = 10  # seconds from the request to the kill

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, `timeout`, a closed terminal
INTERRUPTED = 130  # the exit status of a command that Ctrl-C ended
GO_ON = "the same command goes on from here"


def leave_on_request() -> None:
    """Let this process end in order after a signal to stop: its temporary files are removed."""
    signal.signal(REQUEST, lambda number, frame: sys.exit(128 + number))


def run_graph(arguments: list[str]) -> int:
    """Run snakemake in the current folder; returns its exit status.

    Snakemake and its jobs are a process group of their own, which Ctrl-C does not reach. They are
    stopped here, in Slurm's queue, too, and one sentence says how to go on.

    Parameters
    ----------
    arguments : list of str
        Those of snakemake. With ``--executor slurm``, :func:`sdlib.pipeline.slurm.arguments` are
        put before them.

    Raises
    ------
    SdlibError
        Snakemake was killed; the jobs that it left are stopped. Or Slurm is asked for and is not
        at hand.
    """
    clustered = "slurm" in arguments
    start = time.time()
    environment = dict(os.environ)
    if clustered:
        arguments = [*slurm.arguments(Path.cwd()), *arguments]
        environment |= slurm.environment()
        slurm.begin(Path.cwd())
    # What is ignored (by `nohup`, say) stays so.
    heard = [number for number in STOPS if signal.getsignal(number) is not signal.SIG_IGN]
    command = [sys.executable, "-m", "snakemake", *arguments]
    graph = subprocess.Popen(command, process_group=0, env=environment)
    try:
        for number in heard:
            signal.signal(number, signal.default_int_handler)
        signal.signal(signal.SIGTSTP, lambda *_: _pause(graph.pid))
        status = graph.wait()
    except KeyboardInterrupt:
        for number in heard:
            signal.signal(number, signal.SIG_IGN)
        _stop_graph(graph)
        print(f"\nstopped: {GO_ON}", file=sys.stderr)
        return INTERRUPTED
    if status < 0:
        _stop(_jobs(Path.cwd()))
        slurm.cancel(Path.cwd())
        raise SdlibError(f"snakemake was killed by signal {-status}: {GO_ON}")
    slurm.end(Path.cwd())
    if status and clustered:
        print(f"\n{slurm.failures(start)}", file=sys.stderr)
    return status


def _pause(group: int) -> None:
    """Ctrl-Z: pause the process group with this process, until the shell lets both go on."""
    os.killpg(group, signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGSTOP)
    os.killpg(group, signal.SIGCONT)


def _stop_graph(graph: subprocess.Popen) -> None:
    """Kill snakemake, so that it starts and prints nothing more; then stop its jobs."""
    below = []
    with contextlib.suppress(psutil.NoSuchProcess):
        below = psutil.Process(graph.pid).children(recursive=True)
    graph.kill()
    graph.wait()
    _stop([*below, *_jobs(Path.cwd())])
    slurm.cancel(Path.cwd())


def _stop(processes: Iterable[psutil.Process]) -> None:
    """End processes, parents before their children: in order if they manage to in time."""
    processes = list(dict.fromkeys(processes))
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(REQUEST)
            process.send_signal(signal.SIGCONT)  # it may be paused
    _, alive = psutil.wait_procs(processes, PATIENCE)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, PATIENCE)


def _jobs(folder: Path) -> Iterator[psutil.Process]:
    """The jobs of a graph in this folder, and all that they have started; not those of Slurm."""
    for process in psutil.process_iter(["environ"]):
        environment = process.info["environ"] or {}
        ours = environment.get(GRAPH) == str(folder) and process.pid != os.getpid()
        if ours and not slurm.in_job(environment):
            yield process


def _snakemake(folder: Path) -> psutil.Process | None:
    """A snakemake that is at work in this folder, if there is one; not those in jobs of Slurm."""
    for process in psutil.process_iter(["cmdline", "cwd", "environ"]):
        command = process.info["cmdline"] or []
        named = any(Path(argument).name == "snakemake" for argument in command)
        here = process.info["cwd"] == str(folder)
        environment = process.info["environ"]  # empty in a process that is just ending
        if named and here and environment and not slurm.in_job(environment):
            return process
    return None


def unlock(folder: Path) -> None:
    """Clear away what a killed snakemake left in a folder: its jobs, which go on, and its lock.

    Jobs in Slurm's queue are cancelled: snakemake cannot take them up again.

    Parameters
    ----------
    folder : pathlib.Path
        That of the Snakefile.

    Raises
    ------
    SdlibError
        A snakemake is at work there, or the lock cannot be removed.
    """
    folder = folder.resolve()
    locks = folder / ".snakemake" / "locks"
    locked = locks.is_dir() and any(locks.iterdir())
    running = _snakemake(folder)
    if running and locked:
        raise SdlibError(
            f"snakemake is at work in this folder (process {running.pid}): "
            "wait for it, or stop it, and start again"
        )
    if running:  # a dry run, say
        return
    left = list(_jobs(folder))
    if left:
        numbers = ", ".join(str(process.pid) for process in left)
        print(
            f"stopping what a killed graph left at work (processes {numbers}): "
            "what is finished is kept",
            file=sys.stderr,
        )
        _stop(left)
    if queued := slurm.cancel(folder):
        print(
            f"cancelled what a killed graph left in Slurm's queue (jobs {', '.join(queued)}): "
            "what is finished is kept, and checkpoints are",
            file=sys.stderr,
        )
    if locked:
        command = [sys.executable, "-m", "snakemake", "--unlock", "--quiet"]
        if subprocess.run(command, check=False, cwd=folder).returncode:
            raise SdlibError("snakemake did not remove the lock of a killed one: see above")
