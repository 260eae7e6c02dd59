"""The graph on a Slurm cluster: how its jobs are submitted, preempted and cancelled.

Snakemake's plugin submits each job with ``sbatch`` and looks at the queue. Here is the rest: the
options that fit this graph, jobs that go back to the queue when Slurm wants their node, and the end
of jobs whose graph was stopped.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from sdlib.errors import SdlibError
from sdlib.paths import outputs_folder

__all__ = [
    "arguments",
    "begin",
    "cancel",
    "end",
    "environment",
    "failures",
    "in_job",
    "log_folder",
    "requeue_on_notice",
    "submitted",
]

PLUGIN = "snakemake-executor-plugin-slurm"

#: Set in the environment of the jobs that a graph submits, and in no other job of Slurm.
SUBMITTED = "SDLIB_SLURM"
JOB = "SLURM_JOB_ID"  # Slurm sets it in all that belongs to a job

#: Slurm sends a job's notice to every process of the job, the two snakemakes around the training
#: included. Whoever has no handler for this signal ignores it; most others would end them.
NOTICE = signal.SIGURG
NOTICE_SECONDS = 120  # from the notice to the time limit; Slurm looks at the limits twice a minute

QUERY_SECONDS = 60  # Slurm's own tools may wait so long for a busy controller
END_SECONDS = 120  # from a cancellation to the end of the jobs: Slurm's KillWait is 30 s by default


def arguments(folder: Path) -> list[str]:
    """The options of snakemake that submit the graph of a folder to Slurm.

    The partition, the account and further options of ``sbatch`` come from the environment variables
    ``SBATCH_PARTITION``, ``SBATCH_ACCOUNT`` and ``SBATCH_ARGS``. The other variables of ``sbatch``,
    such as ``SBATCH_QOS``, are read by ``sbatch`` itself.

    Parameters
    ----------
    folder : pathlib.Path
        That of the Snakefile; all nodes must see it, and the outputs, under the same names.

    Raises
    ------
    SdlibError
        There is no ``sbatch``, no plugin, or no answer from Slurm.
    """
    if not shutil.which("sbatch"):
        raise SdlibError(
            "expected Slurm's command sbatch on the PATH, found none: call this on a login node of "
            "the cluster (some need `module load slurm` before), or run here with EXECUTOR=local"
        )
    if not importlib.util.find_spec(PLUGIN.replace("-", "_")):
        raise SdlibError(
            f"expected the package {PLUGIN}, found none: "
            f"{sys.executable} -m pip install -r requirements.txt"
        )
    given = [
        f"--slurm-logdir={log_folder()}",
        "--slurm-delete-logfiles-older-than=0",  # those of failed jobs stay until `make clean`
        f"--slurm-jobname-prefix={_prefix(folder)}",
        "--slurm-requeue",
        "--latency-wait=60",  # seconds until a file that one node has written is seen by another
    ]
    if "accounting_storage/none" in _answer("scontrol", "show", "config"):
        given.append("--slurm-status-command=squeue")  # sacct is there and would know nothing
    wanted = {
        "slurm_partition": os.environ.get("SBATCH_PARTITION"),
        "slurm_account": os.environ.get("SBATCH_ACCOUNT"),
        "slurm_extra": os.environ.get("SBATCH_ARGS"),
    }
    # Snakemake takes each value as an expression of Python.
    resources = [f"{name}={value!r}" for name, value in wanted.items() if value]
    return [*given, *(["--default-resources", *resources] if resources else [])]


def environment() -> dict[str, str]:
    """What ``sbatch``, and with it the jobs, find in their environment beside this process's.

    >>> environment()["SBATCH_SIGNAL"]
    'URG@120'
    """
    return {
        SUBMITTED: "1",
        "SBATCH_SIGNAL": f"{NOTICE.name.removeprefix('SIG')}@{NOTICE_SECONDS}",
        "SBATCH_OPEN_MODE": "append",  # a requeued job goes on in its log
    }


def log_folder() -> Path:
    """Where the logs of jobs are: ``outputs/logs``; that of a job that succeeds is removed.

    >>> log_folder().name
    'logs'
    """
    return outputs_folder() / "logs"


def failures(since: float) -> str:
    """The logs that jobs have left since a time, each with the last error that it tells.

    Parameters
    ----------
    since : float
        Seconds since 1970, such as those of :func:`time.time`.

    Examples
    --------
    >>> failures(since=float("inf")).startswith("no job has left a log in ")
    True
    """
    logs = [log for log in sorted(log_folder().rglob("*.log")) if log.stat().st_mtime >= since]
    if not logs:
        return f"no job has left a log in {log_folder()}"
    lines = ["the logs of jobs that did not succeed at once:"]
    for log in logs:
        text = log.read_text(encoding="utf-8", errors="replace")
        errors = [line for line in text.splitlines() if line.startswith("error: ")]
        lines.append(f"  {log}" + (f": {errors[-1]}" if errors else ""))
    return "\n".join(lines)


# -- In a job


def in_job(environment: dict[str, str]) -> bool:
    """Whether a process with this environment belongs to a Slurm job that this one is not in.

    >>> in_job({})
    False
    """
    return environment.get(JOB) not in (None, os.environ.get(JOB))


def submitted() -> bool:
    """Whether this process is in a job that a graph has submitted to Slurm.

    >>> submitted()
    False
    """
    return bool(os.environ.get(SUBMITTED) and os.environ.get(JOB))


def requeue_on_notice() -> None:
    """Let this job go back to Slurm's queue when its time is nearly over, or it is preempted.

    Training has written a checkpoint after its last epoch, from which the job goes on when Slurm
    starts it again. Nothing happens outside a job that a graph has submitted.
    """
    if submitted():
        owner = os.getpid()
        signal.signal(NOTICE, lambda number, frame: _on_notice(owner))
        signal.signal(signal.SIGTERM, lambda number, frame: _on_end(owner))


def _on_notice(owner: int) -> None:
    """The time limit is near. Where the job cannot be requeued, it uses the time that is left."""
    if os.getpid() != owner:  # processes that read tiles were forked with this handler
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # it may come while we are asking
    if _requeued("the time limit is near"):
        sys.exit(128 + NOTICE)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _on_end(owner: int) -> None:
    """Slurm wants this process to end: the job is preempted, or it is over already.

    A preempted job has some seconds of grace in which it counts as running. If it ended in them by
    itself, Slurm would take it for failed, so it asks for the queue. A job that was cancelled is no
    longer running here, and must not come back.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.getpid() == owner and _state() == "RUNNING":
        _requeued("it is preempted")
    sys.exit(128 + signal.SIGTERM)


def _state() -> str:
    """The state of this process's job, or nothing where Slurm does not say."""
    try:
        return _answer("squeue", "--noheader", "--jobs", os.environ[JOB], "--format", "%T").strip()
    except SdlibError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return ""


def _requeued(why: str) -> bool:
    """Ask Slurm to requeue this process's job; says whether it will."""
    job = os.environ[JOB]
    # Said before: Slurm ends this process before it has answered.
    print(f"{why}: job {job} goes back to the queue", file=sys.stderr, flush=True)
    try:
        _answer("scontrol", "requeue", job)
    except SdlibError as error:
        print(f"error: job {job} was not requeued: {error}", file=sys.stderr, flush=True)
        return False
    return True


# -- Around a graph


def begin(folder: Path) -> None:
    """Note in a folder that its graph has jobs in Slurm's queue from now on.

    A file says so until :func:`end` or :func:`cancel`; where there is none, Slurm is not asked.
    """
    mark = _mark(folder)
    mark.parent.mkdir(exist_ok=True)
    mark.touch()


def end(folder: Path) -> None:
    """Note that the graph of a folder has no more jobs in Slurm's queue."""
    _mark(folder).unlink(missing_ok=True)


def cancel(folder: Path) -> list[str]:
    """Cancel the jobs that a graph in a folder has in Slurm's queue, and wait for their end.

    Parameters
    ----------
    folder : pathlib.Path
        That of the Snakefile.

    Returns
    -------
    list of str
        The numbers of the jobs.

    Raises
    ------
    SdlibError
        Slurm does not answer, or the jobs do not end in time.

    Examples
    --------
    >>> import tempfile
    >>> cancel(Path(tempfile.mkdtemp()))
    []
    """
    if not _mark(folder).exists():
        return []
    found = _queued(folder)
    if found:
        _answer("scancel", *found)
    deadline = time.monotonic() + END_SECONDS
    while left := _queued(folder):
        if time.monotonic() > deadline:
            raise SdlibError(
                f"Slurm's jobs {', '.join(left)} were cancelled and have not ended yet: "
                "start again when `squeue --me` no longer lists them"
            )
        time.sleep(0.5)
    end(folder)
    return found


def _mark(folder: Path) -> Path:
    return folder / ".snakemake" / "slurm"


def _prefix(folder: Path) -> str:
    """What the names of a folder's jobs begin with."""
    return f"sdlib-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]}"


def _queued(folder: Path) -> list[str]:
    """The numbers of a folder's jobs that are waiting, running or ending."""
    lines = _answer("squeue", "--me", "--noheader", "--format", "%i %j").splitlines()
    jobs = [line.split(maxsplit=1) for line in lines]
    return [number for number, name in jobs if name.startswith(_prefix(folder))]


def _answer(*command: str) -> str:
    """What a command of Slurm prints."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=QUERY_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SdlibError(f"Slurm's command {command[0]} does not work: {error}") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise SdlibError(f"Slurm's command {command[0]} failed: {said[-1]}")
    return done.stdout
