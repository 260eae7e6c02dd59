"""Everything that a comparison on your own images trains and measures, with progress.

Searches first, then a seed of every arm after the other, then the sweep. Each part goes on where it
was stopped; nothing here trains or measures by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sdlib.experiments import Run, Search, experiment_of
from sdlib.results.rows import own_row
from sdlib.results.sweeps import levels_of
from sdlib.training import run as training, search as searching, sweep
from sdlib.training.data import load_tiles

__all__ = ["Progress", "compared_runs", "in_words", "make_comparison"]

Log = Callable[[str], None]

EPOCH = "epoch "  # what a run's lines about its epochs begin with
MINUTE, HOUR = 60, 3600
SHOWN_IN_SECONDS = 90  # longer times are told in minutes


class Progress:
    """How many steps of equal length have been made, and about how long the others will take.

    Parameters
    ----------
    total : int
        Steps, those that an earlier command has made among them.
    clock : callable, optional
        Seconds of a clock that never goes back.

    Examples
    --------
    >>> times = iter([0.0, 30.0])
    >>> progress = Progress(5, clock=lambda: next(times))
    >>> progress.skip(2)
    >>> progress.step()
    '3 of 5, about 1 minute left'
    """

    def __init__(self, total: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self.total = total
        self.done = 0
        self._clock = clock
        self._start = clock()
        self._made = 0  # by this command: earlier ones may have been on another machine
        self._seconds = 0.0

    def skip(self, steps: int = 1) -> None:
        """Count steps that need not be made again."""
        self.done += steps

    def step(self, steps: int = 1) -> str:
        """Count steps that have just been made; says how many there are, and what is left."""
        now = self._clock()
        self._seconds += now - self._start
        self._start = now
        self._made += steps
        self.done += steps
        return f"{self.done} of {self.total}{self._left()}"

    def reach(self, done: int) -> None:
        """Count at least so many steps as done: some may have been made before this command."""
        self.done = max(self.done, done)
        self._start = self._clock()

    def _left(self) -> str:
        left = self.total - self.done
        if left <= 0:
            return ""
        return f", about {in_words(left * self._seconds / self._made)} left"


def in_words(seconds: float) -> str:
    """A time as people say it.

    >>> in_words(42), in_words(60), in_words(200), in_words(9000)
    ('42 seconds', '1 minute', '3 minutes', '2.5 hours')
    """
    whole = max(1, round(seconds))
    if whole < MINUTE:
        return f"{whole} second{'s' if whole > 1 else ''}"
    if seconds < SHOWN_IN_SECONDS:
        return "1 minute"
    if seconds < 2 * HOUR:
        return f"{round(seconds / MINUTE)} minutes"
    return f"{seconds / HOUR:.1f} hours"


def compared_runs(experiment: str, profile: str, source: str, arms: Sequence[str]) -> list[Run]:
    """The runs of a comparison: every seed of each arm, seed by seed.

    Parameters
    ----------
    experiment, profile, source : str
        As in :mod:`sdlib.experiments`.
    arms : sequence of str
        Names of arms of the experiment.
    """
    seeds = experiment_of(experiment).settings(profile, source).seeds
    return [Run(experiment, arm, seed, profile, source) for seed in range(seeds) for arm in arms]


def make_comparison(
    experiment: str, profile: str, source: str, arms: Sequence[str], log: Log
) -> list[Run]:
    """Search, train and sweep whatever is not there yet; returns the runs.

    Parameters
    ----------
    experiment, profile, source, arms
        As for :func:`compared_runs`.
    log : callable
        Takes a line per trial, per run and per level of the sweep, with the time that is left.

    Raises
    ------
    DataError
        An image cannot be read; all are read before anything is trained.
    SdlibError
        Results cannot be written, another process is at the same search or sweep, or training
        fails.
    """
    runs = compared_runs(experiment, profile, source, arms)
    log("reading the images")
    tiles = load_tiles(runs[0])
    for name, found in tiles.items():
        log(f"{name}: {found!r}")
    searches = list(dict.fromkeys(run.search for run in runs if run.search))
    networks = runs[0].settings.networks
    trials = [search.space.count(search.run.settings.trials) for search in searches]
    progress = Progress(networks * sum(trials) + len(runs))
    log(f"{networks * sum(trials)} networks for the searches, {len(runs)} for the comparison")
    for number, search in enumerate(searches, start=1):
        _search(search, progress, log)
        progress.reach(networks * sum(trials[:number]))
    for run in runs:
        _run(run, progress, log)
    _sweep(experiment, profile, source, arms, log)
    return runs


def _search(search: Search, progress: Progress, log: Log) -> None:
    """Run a search; each of its lines is of a trial that has finished."""

    networks = search.run.settings.networks

    def told(line: str) -> None:
        log(f"{line} ({progress.step(networks)})")

    searching.execute(search, log=told)


def _run(run: Run, progress: Progress, log: Log) -> None:
    """Make a run; its epochs are not told, which are many where images are few."""
    before = own_row(run)
    row = training.execute(run, log=lambda line: None if line.startswith(EPOCH) else log(line))
    if before == row:
        progress.skip()
        return
    accuracy = row["metrics"]["test"]["accuracy"]
    log(f"{run.id}: test accuracy {accuracy:.3f} ({progress.step()})")


def _sweep(experiment: str, profile: str, source: str, arms: Sequence[str], log: Log) -> None:
    """Sweep the networks of the arms; each line names the levels that have been predicted."""
    shifts = experiment_of(experiment).sweep.shifts
    progress = Progress(len(levels_of(profile, shifts)))
    log(f"shifting the test images to {progress.total} levels")

    def told(line: str) -> None:
        levels = line.rpartition(" at ")[2].split(", ")
        last = f" to {levels[-1]}" if len(levels) > 1 else ""
        log(f"shifted by {levels[0]}{last} ({progress.step(len(levels))})")

    sweep.make(experiment, profile, source, told, arms=arms)
