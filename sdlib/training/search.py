"""Searches with optuna: the paper's grid for Eq. 1, Bayesian optimisation for Eq. 2.

The journal on disk makes a search resumable; every trial is kept as a row with what it scored on
validation and on the test split, whichever of the two it was judged on.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from sdlib.checks import check_number
from sdlib.datasets.tiles import TileSet
from sdlib.experiments import Run, Search, searches_of
from sdlib.experiments.searches import Space
from sdlib.experiments.trials import check_trial, read_trials
from sdlib.files import REASONS, atomic_path, cannot_write, read_json_lines
from sdlib.metrics import summary
from sdlib.training import run as running
from sdlib.training.data import load_tiles
from sdlib.training.lock import only_process
from sdlib.training.own_files import read_or_none
from sdlib.training.proposals import distributions, is_whole, next_values

__all__ = ["execute"]

Objective = Callable[[dict[str, float], int], dict]
Log = Callable[[str], None]
Done = Callable[[int, int], None]

LARGEST_SEED = 2**32 - 1  # of optuna's samplers
KEPT = ("metrics", "seconds", "by_network")  # of what a trial's training returns


def _evaluated(objective: Objective, space: Space, values: dict, number: int) -> FrozenTrial:
    """A finished trial at the given values."""
    found = objective(values, number)
    return create_trial(
        value=found.pop("value"),
        params=values,
        distributions=distributions(space, values),
        user_attrs=found,
    )


@contextmanager
def _writing(journal: Path) -> Iterator[None]:
    """Say in one sentence that optuna cannot write its journal."""
    try:
        yield
    except OSError as error:
        if error.errno not in REASONS:
            raise
        raise cannot_write(journal, error) from error


def _is_entry(line: bytes) -> bool:
    """Whether a line of a journal is whole."""
    try:
        entry = json.loads(line)
    except ValueError:
        return False
    return isinstance(entry, dict) and "op_code" in entry and line.endswith(b"\n")


def _mend(journal: Path, log: Log) -> None:
    """Cut a journal at its first damaged line, past which optuna could not read.

    What comes next depends only on the trials that were finished: the lines before the damage are
    the journal of a search that was stopped there.
    """
    if not journal.exists():
        return
    lines = journal.read_bytes().splitlines(keepends=True)
    whole = list(itertools.takewhile(_is_entry, lines))
    if len(whole) == len(lines):
        return
    log(f"{journal} is damaged in line {len(whole) + 1}: trials from there on are made again")
    with atomic_path(journal) as temporary:
        temporary.write_bytes(b"".join(whole))


def _study(search: Search, journal: Path, fresh: bool, log: Log) -> optuna.Study:
    # No other process is at this search: if optuna's lock is there, a killed one has left it.
    journal.with_name(f"{journal.name}.lock").unlink(missing_ok=True)
    if fresh:
        journal.unlink(missing_ok=True)
        search.file.unlink(missing_ok=True)
    _mend(journal, log)
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(journal))
    )
    name = f"{search.id} {search.config_hash}"  # trials of another configuration are another study
    return optuna.create_study(
        storage=storage, study_name=name, direction="maximize", load_if_exists=True
    )


def _complete(
    study: optuna.Study, space: Space, objective: Objective, run: Run, done: Done
) -> list[FrozenTrial]:
    """Run trials until none is left to run; the finished ones, in order.

    The journal may hold trials of another grid or other ranges: those outside today's do not count.
    """
    while True:
        stored = study.get_trials(states=(TrialState.COMPLETE,))
        finished = [trial for trial in stored if space.holds(trial.params)]
        tried = [(trial.params, trial.value) for trial in finished]
        values = next_values(space, tried, run.settings.trials, run.seed)
        left = 0 if values is None else 1
        done(len(finished), max(space.count(run.settings.trials), len(finished) + left))
        if values is None:
            return finished
        study.add_trial(_evaluated(objective, space, values, len(finished)))


def _own_trials(search: Search, log: Log) -> list[dict]:
    """Every trial in this machine's file of a search, those of other configurations too."""
    return read_or_none(search.file, lambda file: read_json_lines(file, check_trial), log) or []


def _trials_of_others(search: Search, log: Log) -> list[dict]:
    """What this machine's other searches have trained: the same values need no second training."""
    found = []
    for other in searches_of(search.experiment, search.profile, search.source):
        if other != search:
            found += _own_trials(other, log)
    return [trial for trial in found if trial.get("config_hash") == search.config_hash]


def _train(search: Search, values: dict[str, float], tiles: Mapping[str, TileSet]) -> dict:
    """Mean metrics of the networks of a trial, by cohort, and the seconds they took."""
    start, rate = time.perf_counter(), values.get("learning_rate")
    space, run, arm = search.space, search.run, search.arm.tuned(values)
    found = []
    for number in range(run.settings.networks):
        one = dataclasses.replace(run, seed=run.seed + number)
        logits = running.train_and_evaluate(one, arm, tiles, lambda line: None, learning_rate=rate)
        found.append(
            {
                name: summary(tiles[name].targets, scores, from_logits=True)
                for name, scores in logits.items()
            }
        )
    trained = {"metrics": _mean(found), "seconds": round(time.perf_counter() - start, 1)}
    if len(found) > 1:
        trained["by_network"] = [
            {cohort: one[cohort][space.metric] for cohort in ("validation", "test")}
            for one in found
        ]
    return trained


def _mean(found: list[dict]) -> dict:
    """Each metric of each cohort, averaged over networks."""
    return {
        cohort: {
            name: statistics.fmean(one[cohort][name] for one in found) for name in found[0][cohort]
        }
        for cohort in found[0]
    }


def execute(
    search: Search,
    fresh: bool = False,
    log: Log = print,
    done: Done = lambda finished, total: None,
) -> list[dict]:
    """Run a search to the end of its budget and write its trials, one per line.

    Every trial trains with the same initialisations and orders (from the experiment's search seed
    on, which no reported run uses), so trials differ by their values alone. The score of a trial is
    the mean of its networks, of which the profile says how many. What comes next depends only
    on the trials that were finished: a resumed search proposes what the unbroken one would.

    Parameters
    ----------
    search : Search
    fresh : bool
        Make its trials anew, whatever is there.
    log : callable
        Takes a line per trial, and one about each damaged file.
    done : callable
        Takes how many trials are finished and how many there are: before the first is made, and
        after each. A grid that goes on beyond its ends has more than it began with.

    Returns
    -------
    list of dict
        family, trial, values, value (of the space's metric on the set judged on), metrics, seconds;
        by_network, the same metric of each network on validation and test, if there are several.

    Raises
    ------
    ConfigError
        The experiment has no such search, or a seed of it that samplers do not take.
    SdlibError
        The search's folder cannot be written to, or another process is at this search.
    """
    space, run = search.space, search.run  # either raises an error for a name that is not known
    if not fresh and _own_trials(search, log):
        finished = read_trials(search)
        if finished and is_whole(search, finished):
            done(len(finished), len(finished))
            return finished
    with _writing(search.folder / "journal.log"):
        search.folder.mkdir(parents=True, exist_ok=True)
    # Two processes would both make every trial, and neither would end with the unbroken search's.
    with only_process(search.folder / ".lock", f"the search {search.id}"):
        return _execute(search, space, run, fresh, log, done)


def _execute(
    search: Search, space: Space, run: Run, fresh: bool, log: Log, done: Done
) -> list[dict]:
    """Run a search as the only process that does."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    siblings = _trials_of_others(search, log)
    last = LARGEST_SEED - space.count(run.settings.trials)
    check_number(f"the search seed of {search.experiment}", run.seed, 0, last, whole=True)
    tiles = load_tiles(run, search.arm)

    def objective(values: dict[str, float], number: int) -> dict:
        known = next((other for other in siblings if other["values"] == values), None)
        tried = known or _train(search, values, tiles)
        found = {name: tried[name] for name in KEPT if name in tried}
        if known:
            found["trained_as"] = f"{known['family']} trial {known['trial']}"
        found["value"] = tried["metrics"][space.judged_on][space.metric]
        log(f"{search.id} trial {number}: {values} -> {space.judged_on} {found['value']:.4f}")
        return found

    journal = search.folder / "journal.log"
    with _writing(journal):
        study = _study(search, journal, fresh, log)
        finished = _complete(study, space, objective, run, done)
    rows = [
        {
            "family": search.family,
            "config_hash": search.config_hash,
            "trial": number,
            "judged_on": space.judged_on,
            "values": trial.params,
            "value": trial.value,
            **trial.user_attrs,
        }
        for number, trial in enumerate(finished)
    ]
    with atomic_path(search.file) as temporary:
        temporary.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rows
