"""Searches with optuna: the paper's grid for Eq. 1, Bayesian optimisation for Eq. 2.

The journal on disk makes a search resumable; every trial is kept as a row with what it scored on
validation and on the test split, whichever of the two it was judged on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import optuna
from scipy.special import expit

from sdlib import running
from sdlib.arms import CUTOUT, Arm
from sdlib.errors import ConfigError
from sdlib.experiments import EXPERIMENTS, PROFILES, Run, Search, searches
from sdlib.files import atomic_path
from sdlib.metrics import summary
from sdlib.sources import load_tiles

__all__ = ["FAMILIES", "Family", "execute"]

LAMBDA_GRID = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)  # S1 of the paper
DECAY_GRID = (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)  # ours: as many points as S1
RATE_GRID = (0.1, 0.2, 0.4, 0.8)  # of the weight decay arm: how a profile's rate was chosen
LAMBDA_RANGE = (1e-6, 1e-1)  # S1's ends, continuous
GAMMA_RANGE = (-1.0, 3.0)  # S2 is {-1, 0, 1, 2}; the paper's optimum, 2.61, lies beyond


@dataclass(frozen=True)
class Family:
    """A search space and the set it is judged on; a grid, or ranges for Bayesian optimisation."""

    judged_on: str
    grid: dict[str, tuple[float, ...]] | None = None
    ranges: dict[str, tuple[float, float, bool]] | None = None  # low, high, logarithmic


EQ2_RANGES = {
    "lam_neg": (*LAMBDA_RANGE, True),
    "lam_pos": (*LAMBDA_RANGE, True),
    "gamma_neg": (*GAMMA_RANGE, False),
    "gamma_pos": (*GAMMA_RANGE, False),
}
FAMILIES = {
    "learning_rate": Family("validation", grid={"learning_rate": RATE_GRID}),
    "weight_decay": Family("validation", grid={"weight_decay": DECAY_GRID}),
    "sd_eq1": Family("validation", grid={"lam": LAMBDA_GRID}),
    "sd_eq2": Family("validation", ranges=EQ2_RANGES),
    "sd_eq2_test": Family("test", ranges=EQ2_RANGES),
}


def _suggest(trial: optuna.Trial, family: Family) -> dict[str, float]:
    if family.grid:
        return {n: trial.suggest_categorical(n, list(v)) for n, v in family.grid.items()}
    return {
        name: trial.suggest_float(name, low, high, log=log)
        for name, (low, high, log) in family.ranges.items()
    }


def _study(search: Search, fresh: bool) -> optuna.Study:
    search.folder.mkdir(parents=True, exist_ok=True)
    journal = search.folder / "journal.log"
    if fresh:
        journal.unlink(missing_ok=True)
        search.file.unlink(missing_ok=True)
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(journal))
    )
    return optuna.create_study(
        storage=storage, study_name=search.id, direction="maximize", load_if_exists=True
    )


def _sampler(family: Family, seed: int) -> optuna.samplers.BaseSampler:
    if family.grid:
        return optuna.samplers.GridSampler({n: list(v) for n, v in family.grid.items()}, seed=seed)
    return optuna.samplers.TPESampler(seed=seed)


def execute(search: Search, fresh: bool = False, log: Callable[[str], None] = print) -> list[dict]:
    """Run a search to the end of its budget and write its trials, one a line.

    Every trial trains with the same initialisation and order (the experiment's search seed, which
    no reported run uses), so trials differ by their values alone. The sampler is seeded anew for
    each trial from the number finished: a resumed search proposes what the unbroken one would.

    Returns
    -------
    list of dict
        family, trial, values, value (balanced accuracy on the set judged on), metrics, seconds.

    Raises
    ------
    ConfigError
        The experiment has no such search.
    """
    if search not in searches(search.experiment, search.profile, search.source):
        known = ", ".join(
            f"{search.experiment}/{f}" for f in EXPERIMENTS[search.experiment].families
        )
        raise ConfigError(f"unknown search {search.id}; expected one of: {known}")
    family, definition = FAMILIES[search.family], EXPERIMENTS[search.experiment]
    if search.file.exists() and not fresh:
        return [json.loads(line) for line in search.file.read_text().splitlines()]
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = _study(search, fresh)
    run = Run(search.experiment, "sd_eq2", definition.search_seed, search.profile, search.source)
    parts = load_tiles(run)

    def objective(trial: optuna.Trial) -> float:
        start = time.perf_counter()
        values = _suggest(trial, family)
        rate = values.get("learning_rate")
        arm = CUTOUT[0] if rate else Arm("trial", "trial").tuned(values)
        _, _, sets, logits = running.train_and_evaluate(
            run, arm, parts, lambda line: None, learning_rate=rate
        )
        scores = {n: summary(sets[n].targets, expit(logits[n])) for n in sets}
        trial.set_user_attr("metrics", scores)
        trial.set_user_attr("seconds", round(time.perf_counter() - start, 1))
        value = scores[family.judged_on]["accuracy"]
        log(f"{search.id} trial {trial.number}: {values} -> {family.judged_on} {value:.4f}")
        return value

    budget = len(next(iter(family.grid.values()))) if family.grid else PROFILES[run.profile].trials
    complete = (optuna.trial.TrialState.COMPLETE,)
    while (done := len(study.get_trials(states=complete))) < budget:
        study.sampler = _sampler(family, definition.search_seed + (0 if family.grid else done))
        study.optimize(objective, n_trials=1)
    rows = [
        {
            "family": search.family,
            "trial": number,
            "judged_on": family.judged_on,
            "values": trial.params,
            "value": trial.value,
            **trial.user_attrs,
        }
        for number, trial in enumerate(study.get_trials(states=complete))
    ]
    with atomic_path(search.file) as temporary:
        temporary.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rows
