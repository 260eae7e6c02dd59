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
Done = Callable[[int, int], None]  # takes how many steps are finished, and how many there are

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
    >>> times = iter([0.0, 10.0, 40.0])
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
        """Count steps that are there already; the time up to now is that of no step."""
        self.done += steps
        self._start = self._clock()

    def step(self, steps: int = 1) -> str:
        """Count steps that have just been made; says how many there are, and what is left."""
        now = self._clock()
        self._seconds += now - self._start
        self._start = now
        self._made += steps
        self.done += steps
        return f"{self.done} of {self.total}{self._left()}"

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
        Takes a line per trial, per run and per group of levels, and lines with the time left.

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
    searched = sum(search.run.settings.networks * _trials_of(search) for search in searches)
    progress = Progress(searched + len(runs))
    log(f"{searched} networks for the searches, {len(runs)} for the comparison")
    for search in searches:
        networks = search.run.settings.networks
        done = _counting(progress, _trials_of(search), "networks trained", log, networks)
        searching.execute(search, log=log, done=done)
    for run in runs:
        _run(run, progress, log)
    _sweep(experiment, profile, source, arms, log)
    return runs


def _trials_of(search: Search) -> int:
    return search.space.count(search.run.settings.trials)


def _counting(progress: Progress, expected: int, what: str, log: Log, size: int = 1) -> Done:
    """Count the steps of a part of the comparison, and log them; those there before are skipped.

    Parameters
    ----------
    progress : Progress
        Of the whole.
    expected : int
        Steps of the part, as they are counted in the whole.
    what : str
        What a step makes, for the log.
    log : callable
        Takes a line whenever steps have been made.
    size : int
        Steps of the whole in one of the part.

    Returns
    -------
    callable
        Takes how many steps of the part are finished, at first those that were there before, and
        how many there are.
    """
    before: int | None = None

    def done(finished: int, total: int) -> None:
        nonlocal before, expected
        progress.total += size * (total - expected)  # a grid may go on beyond its ends
        expected = total
        if before is None:
            progress.skip(size * finished)
        elif finished > before:
            log(f"{what} ({progress.step(size * (finished - before))})")
        before = finished

    return done


def _run(run: Run, progress: Progress, log: Log) -> None:
    """Make a run; its epochs are not told, which are many where images are few."""
    before = own_row(run)
    row = training.execute(run, log=log, epoch_log=lambda line: None)
    if before == row:
        progress.skip()
        return
    accuracy = row["metrics"]["test"]["accuracy"]
    log(f"{run.id}: test accuracy {accuracy:.3f} ({progress.step()})")


def _sweep(experiment: str, profile: str, source: str, arms: Sequence[str], log: Log) -> None:
    """Sweep the networks of the arms."""
    levels = len(levels_of(profile, experiment_of(experiment).sweep.shifts))
    log(f"shifting the test images to {levels} levels")
    done = _counting(Progress(levels), levels, "levels that images were shifted by", log)
    sweep.make(experiment, profile, source, log=log, arms=arms, done=done)
