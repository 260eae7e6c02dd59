"""What there is to train and to measure, and the jobs that do it: behind the Snakefile.

Importing torch and its company takes longer than a run at the profile quick, so a job makes
several runs in one process. A run whose row is there is not repeated, so a killed job goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sdlib.experiments import EXPERIMENTS, PROFILES, Profile, Run, Search, config_hash, runs_of
from sdlib.experiments.measurements import Measurement
from sdlib.experiments.trials import read_trials
from sdlib.results import is_recorded

__all__ = [
    "Job",
    "MeasurementJob",
    "jobs",
    "lenders",
    "measurement_jobs",
    "pending",
    "results_here",
    "search_before",
    "search_needed",
    "train",
]


@dataclass(frozen=True)
class Job:
    """Runs of one experiment made one after another by one process.

    Attributes
    ----------
    name : str
        Unique in the graph, such as ``cutout_tuned_by_sd_eq2_test_0``.
    runs : tuple of Run
    search : Search or None
        What has to be searched first.
    """

    name: str
    runs: tuple[Run, ...]
    search: Search | None

    @property
    def experiment(self) -> str:
        """Whose runs they are."""
        return self.runs[0].experiment

    @property
    def configurations(self) -> list[str]:
        """What changes with each run's settings, though not with a search's result."""
        arms = [run.definition.arm(run.arm) for run in self.runs]
        stamps = [config_hash(run.config(arm)) for run, arm in zip(self.runs, arms, strict=True)]
        return [f"{stamp} {arm.step}" for stamp, arm in zip(stamps, arms, strict=True)]

    @property
    def settings(self) -> Profile:
        """The profile with what is different in the experiment: memory, minutes, and all else."""
        run = self.runs[0]
        return run.definition.settings(run.profile, run.source)

    @property
    def urgent(self) -> bool:
        """Whether a measurement waits for its runs."""
        return any(m.of_networks and not m.per_run for m in self.runs[0].definition.measurements)


@dataclass(frozen=True)
class MeasurementJob:
    """A measurement of one experiment, made by one process.

    Attributes
    ----------
    experiment, profile, source : str
    measurement : Measurement
    """

    experiment: str
    measurement: Measurement
    profile: str
    source: str

    @property
    def id(self) -> str:
        """Such as ``robustness/sweep``."""
        return f"{self.experiment}/{self.measurement.name}"

    @property
    def done_file(self) -> Path:
        """Where it is written to, last of all."""
        return self.measurement.done_file(self.experiment, self.profile, self.source)


def pending(experiment: str, profile: str, source: str, fresh: bool = False) -> list[Run]:
    """The runs whose rows this machine has to hold: those not recorded, or all if ``fresh``.

    >>> len(pending("cutout", "smoke", "phantom", fresh=True)) == len(
    ...     runs_of("cutout", "smoke", "phantom")
    ... )
    True
    """
    runs = runs_of(experiment, profile, source)
    return [run for run in runs if fresh or not is_recorded(run)]


def search_needed(run: Run, fresh: bool = False) -> Search | None:
    """The search this machine has to hold for a run: none if it is recorded whole."""
    search = run.search
    if search is None or search.file.exists() or fresh:
        return search
    trials = read_trials(search)
    if not trials:
        return search
    from sdlib.training.proposals import is_whole  # optuna

    return None if is_whole(search, trials) else search


def search_before(search: Search, jobs: list[Job]) -> Search | None:
    """The search among the jobs' that must end before this one, so that trials are not made twice.

    Searches that try the same values share their trials, whatever they are judged on: the one that
    the experiment lists first goes first.
    """
    searched = {job.search for job in jobs if job.search}
    for space in EXPERIMENTS[search.experiment].searches:
        earlier = Search(search.experiment, space.name, search.profile, search.source)
        if earlier == search:
            return None
        if earlier in searched and space.same_values(search.space):
            return earlier
    return None


def jobs(profile: str, source: str, fresh: bool = False) -> list[Job]:
    """Every training job, runs that wait for the same search together.

    >>> found = jobs("smoke", "phantom", fresh=True)
    >>> len({job.name for job in found}) == len(found)
    True
    """
    found = []
    for experiment in EXPERIMENTS:
        waiting: dict[Search | None, list[Run]] = {}
        for run in pending(experiment, profile, source, fresh):
            waiting.setdefault(search_needed(run, fresh), []).append(run)
        for search, runs in waiting.items():
            label = f"tuned_by_{search.family}" if search else "as_given"
            size = PROFILES[profile].runs_per_job
            for start in range(0, len(runs), size):
                name = f"{experiment}_{label}_{start // size}"
                found.append(Job(name, tuple(runs[start : start + size]), search))
    return found


def lenders(job: Job, jobs: list[Job]) -> list[Run]:
    """The runs among the jobs' whose networks a job's runs test: they must be trained before.

    Parameters
    ----------
    job : Job
    jobs : list of Job
        All that there are.

    Returns
    -------
    list of Run
        Empty where the job's experiment trains its own networks, or where none is to be trained.
    """
    made = {run for other in jobs for run in other.runs}
    wanted = [run.lender for run in job.runs]
    return [run for run in wanted if run is not None and run in made]


def measurement_jobs(profile: str, source: str, fresh: bool = False) -> list[MeasurementJob]:
    """The measurements that this machine has to make, of the experiments that it runs.

    Those of networks where it trains some; the others where they are not recorded.

    >>> [job.id for job in measurement_jobs("smoke", "phantom", fresh=True)]
    ['robustness/sweep', 'robustness/sharpness', 'prostate/sweep', 'covid/heads']
    >>> [job.id for job in measurement_jobs("smoke", "pcam", fresh=True)]
    ['robustness/sweep']
    """
    found = []
    for name, experiment in EXPERIMENTS.items():
        if not runs_of(name, profile, source):
            continue
        trains = bool(pending(name, profile, source, fresh))
        for measurement in experiment.measurements:
            if measurement.per_run or (measurement.sources and source not in measurement.sources):
                continue
            if measurement.of_networks:
                needed = trains
            else:
                recorded = measurement.recorded_file(name, profile, source)
                needed = fresh or not recorded.exists()
            if needed:
                found.append(MeasurementJob(name, measurement, profile, source))
    return found


def results_here(experiment: str, profile: str, source: str) -> list[Path]:
    """The files of this machine's rows and measurements of an experiment that are there.

    Whether they are recorded as well makes no difference: pages show them.
    """
    files = [run.row_file for run in runs_of(experiment, profile, source)]
    files += [
        measurement.done_file(experiment, profile, source)
        for measurement in EXPERIMENTS[experiment].measurements
        if not measurement.per_run
    ]
    return [file for file in files if file.exists()]


def train(runs: list[Run]) -> None:
    """Make runs one after another; rows that are there are kept.

    Raises
    ------
    SdlibError
        A run cannot be made; those before it are kept.
    """
    from sdlib.training import run as training  # torch and its company

    for number, run in enumerate(runs, start=1):
        row = training.execute(run, log=lambda line: None)
        accuracy, seconds = row["metrics"]["test"]["accuracy"], row["seconds"]
        print(
            f"[{number}/{len(runs)}] {run.id}: test accuracy {accuracy:.3f}, {seconds:.0f} s",
            flush=True,
        )
