"""What there is to train, and the jobs that do it: the library side of the Snakefile.

Importing torch and its company takes longer than a run at the profile quick, so a job makes
several runs in one process. A run whose row stands is not repeated, so a killed job goes on.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from sdlib import experiments, results
from sdlib.errors import SdlibError
from sdlib.experiments import EXPERIMENTS, Run, Search, trials as tuning
from sdlib.paths import ROOT
from sdlib.results import sharpness

__all__ = [
    "Job",
    "jobs",
    "pending",
    "search_before",
    "search_needed",
    "sharpness_needed",
    "sweeps_needed",
    "train",
    "unlock",
]

# Long runs are worth a job each: more of them can be spread over a cluster, or be lost alone.
RUNS_A_JOB = {"smoke": 8, "quick": 8, "laptop": 4, "long": 2, "paper": 1}


@dataclass(frozen=True)
class Job:
    """Runs of one experiment made one after another by one process.

    Attributes
    ----------
    name : str
        Unique in the graph, such as ``cutout_sd_eq2_test_tuned_0``.
    runs : tuple of Run
    search : Search or None
        What has to be searched first.
    """

    name: str
    runs: tuple[Run, ...]
    search: Search | None

    @property
    def configurations(self) -> list[str]:
        """A hash a run that changes with its settings, though not with a search's result."""
        return [_configuration(run) for run in self.runs]


def _configuration(run: Run) -> str:
    arm = next(arm for arm in run.definition.arms if arm.name == run.arm)
    return experiments.config_hash(experiments.config(run, arm))


def pending(experiment: str, profile: str, source: str, fresh: bool = False) -> list[Run]:
    """The runs whose rows this machine has to hold: those not recorded, or all if ``fresh``.

    >>> len(pending("cutout", "smoke", "phantom", fresh=True)) == len(
    ...     experiments.runs("cutout", "smoke", "phantom")
    ... )
    True
    """
    runs = experiments.runs(experiment, profile, source)
    return [run for run in runs if fresh or not results.is_recorded(run)]


def search_needed(run: Run, fresh: bool = False) -> Search | None:
    """The search this machine has to hold for a run: none if its trials are recorded."""
    search = run.search
    if search is None or search.file.exists() or fresh:
        return search
    return None if tuning.trials(search) else search


def search_before(search: Search, jobs: list[Job]) -> Search | None:
    """The search among the jobs' that must end before this one, so that trials are not made twice.

    Searches of one space that are judged on two sets share the trials at equal values.
    """
    searched = {job.search for job in jobs if job.search}
    return next((one for one in searched if search.id == f"{one.id}_test"), None)


def jobs(profile: str, source: str, fresh: bool = False) -> list[Job]:
    """Every training job, runs that wait for the same search together.

    >>> found = jobs("smoke", "phantom", fresh=True)
    >>> len({job.name for job in found}) == len(found)
    True
    """
    found = []
    for experiment in EXPERIMENTS:
        runs, waiting = pending(experiment, profile, source, fresh), {}
        size = RUNS_A_JOB[profile]
        for run in runs:
            waiting.setdefault(search_needed(run, fresh), []).append(run)
        for search, runs in waiting.items():
            for start in range(0, len(runs), size):
                label = f"tuned_by_{search.family}" if search else "as_given"
                name = f"{experiment}_{label}_{start // size}"
                found.append(Job(name, tuple(runs[start : start + size]), search))
    return found


def sweeps_needed(profile: str, source: str, fresh: bool = False) -> list[str]:
    """The swept experiments that this machine trains: their networks have to be asked, too.

    >>> sweeps_needed("smoke", "phantom", fresh=True)
    ['robustness']
    """
    swept = [name for name, one in EXPERIMENTS.items() if one.swept]
    return [name for name in swept if pending(name, profile, source, fresh)]


def sharpness_needed(profile: str, source: str, fresh: bool = False) -> bool:
    """Whether this machine has to measure how sharp the scanners are.

    >>> sharpness_needed("smoke", "phantom"), sharpness_needed("smoke", "pcam")
    (True, False)
    """
    if source not in sharpness.SOURCES_MEASURED:
        return False
    return fresh or not sharpness.file_of(profile, source, "recorded").exists()


def train(runs: list[Run]) -> None:
    """Make runs one after another; what stands is kept.

    Raises
    ------
    SdlibError
        A run cannot be made; those before it stand.
    """
    from sdlib.training import run as running  # torch and its company

    for number, run in enumerate(runs, start=1):
        row = running.execute(run, log=lambda line: None)
        accuracy, seconds = row["metrics"]["test"]["accuracy"], row["seconds"]
        print(
            f"[{number}/{len(runs)}] {run.id}: test accuracy {accuracy:.3f}, {seconds:.0f} s",
            flush=True,
        )


def unlock(root: Path = ROOT) -> None:
    """Remove the lock that a killed snakemake left, unless another one is at work here.

    Raises
    ------
    SdlibError
        A snakemake is running in this folder.
    """
    locks = root / ".snakemake" / "locks"
    if not locks.is_dir() or not any(locks.iterdir()):
        return
    for process in psutil.process_iter(["cmdline", "cwd"]):
        command = process.info["cmdline"] or []
        if process.info["cwd"] == str(root) and any(Path(a).name == "snakemake" for a in command):
            raise SdlibError(
                f"snakemake is at work in this folder (process {process.pid}): "
                "wait for it, or stop it, and start again"
            )
    command = [sys.executable, "-m", "snakemake", "--unlock", "--quiet"]
    subprocess.run(command, check=True, cwd=root)
