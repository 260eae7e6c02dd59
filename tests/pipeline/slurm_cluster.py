"""A Slurm of three nodes on this machine, for the length of a test module."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psutil

CONFIGURED = Path("/etc/slurm")  # jobs look there alone: snakemake takes SLURM_CONF from them
OWNER = "# Written by a test of process "
COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "scancel")
PATIENCE = 30  # seconds in which a daemon answers

# Nodes 1 and 2 are for everybody; node 3 is lent to jobs that urgent ones preempt. Each has a GPU
# that is none. Slurm looks whether a requeued job may start again after `cred_expire` seconds.
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName=DEFAULT CPUs=2 RealMemory=8000 Gres=gpu:1
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]}
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]}
NodeName=node3 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[3]} CPUs=1
PartitionName=main Nodes=node[1-2] Default=YES PriorityTier=5 PreemptMode=OFF
PartitionName=lent Nodes=node3 PriorityTier=1 GraceTime=60
PartitionName=urgent Nodes=node3 PriorityTier=9 PreemptMode=OFF
"""
GPUS = "NodeName=node[1-3] Name=gpu File=/dev/null\n"
NODES = ("node1", "node2", "node3")


def lacking() -> str:
    """Why there can be no cluster on this machine, in a sentence; empty if there can be one."""
    absent = [command for command in COMMANDS if not _found(command)]
    if absent:
        return f"Slurm is not installed (no {', '.join(absent)})"
    if os.getuid() != 0:
        return "only root may start Slurm's daemons"
    if os.environ.get("SLURM_CONF"):
        return "SLURM_CONF names somebody's cluster"
    for name in ("slurm.conf", "gres.conf"):
        if (CONFIGURED / name).exists() and not _abandoned(CONFIGURED / name):
            return f"{CONFIGURED / name} is somebody's: it is not overwritten"
    if not CONFIGURED.is_dir():
        return f"Slurm reads its configuration elsewhere than in {CONFIGURED}"
    return ""


def _found(command: str) -> str | None:
    return shutil.which(command, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def _abandoned(file: Path) -> bool:
    """Whether a configuration is of a test that was killed."""
    first = file.read_text(errors="replace").partition("\n")[0]
    number = first.removeprefix(OWNER)
    return first.startswith(OWNER) and not psutil.pid_exists(int(number))


@contextmanager
def cluster(folder: Path):
    """Run a cluster for the length of a block; yields why it does not work, or nothing."""
    for name in ("state", "munge"):
        (folder / name).mkdir()
    key = folder / "munge" / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    daemons = [
        ["munged", "--foreground", f"--socket={folder}/munge.socket", f"--key-file={key}"]
        + [f"--{kind}-file={folder}/munge/{kind}" for kind in ("log", "pid", "seed")]
        + ["--force"],  # the folders above may be anybody's
        ["slurmctld", "-D"],
        *(["slurmd", "-D", "-N", node] for node in NODES),
    ]
    with ExitStack() as stack:
        _configure(folder, stack)
        for command in daemons:
            log = stack.enter_context((folder / "daemons.log").open("a"))
            daemon = subprocess.Popen(
                [_found(command[0]), *command[1:]], stdout=log, stderr=log, process_group=0
            )
            stack.callback(_ended, daemon)
            if command[0] == "munged":
                _wait(lambda: (folder / "munge.socket").exists())
        stack.callback(_emptied)
        works = _wait(lambda: slurm("sinfo", "-h", "-t", "idle", "-o", "%D", check=False) == "3")
        ran = works and slurm("srun", "-t", "1", "-n", "1", "hostname", check=False)
        said = (folder / "daemons.log").read_text().splitlines()[-1:]
        yield "" if ran else f"Slurm's daemons run no job here: {said}"


def _configure(folder: Path, stack: ExitStack) -> None:
    sockets = [closing(socket.create_server(("127.0.0.1", 0))) for _ in range(4)]
    with ExitStack() as opened:
        ports = [opened.enter_context(one).getsockname()[1] for one in sockets]
    values = {"folder": folder, "ports": ports, "host": socket.gethostname().partition(".")[0]}
    for name, text in (("slurm.conf", CONFIGURATION.format(**values)), ("gres.conf", GPUS)):
        stack.callback((CONFIGURED / name).unlink, missing_ok=True)
        (CONFIGURED / name).write_text(f"{OWNER}{os.getpid()}\n{text}")


def _ended(daemon: subprocess.Popen) -> None:
    daemon.terminate()
    try:
        daemon.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _emptied() -> None:
    """No job, and no process of one, outlives the cluster."""
    slurm("scancel", "--me", check=False)
    _wait(lambda: not slurm("squeue", "-h", check=False))


def _wait(condition) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def slurm(*command: str, check: bool = True) -> str:
    """What a command of Slurm prints; nothing if it fails or hangs and need not work."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=check, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        if check:
            raise
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
