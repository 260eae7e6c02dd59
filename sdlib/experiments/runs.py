"""Runs and searches of the registry's experiments, by name, with all that decides their numbers.

A run is ``experiment/arm/seed`` at a profile on a source. Data split, initialisation and search
have seeds of their own. Everything that can change a run's numbers is in :func:`config`, whose
hash every row carries.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from sdlib.errors import ConfigError
from sdlib.experiments import trials as tuning
from sdlib.experiments.arms import Arm
from sdlib.experiments.profiles import PROFILES, SOURCES, Profile
from sdlib.experiments.registry import EXPERIMENTS, Experiment
from sdlib.paths import outputs_folder
from sdlib.phantoms.histology import PHANTOM_VERSION

__all__ = [
    "EXPERIMENTS",
    "PROFILES",
    "SOURCES",
    "Experiment",
    "Profile",
    "Run",
    "Search",
    "check_names",
    "config",
    "config_hash",
    "parse_run",
    "runs",
    "searches",
]


@dataclass(frozen=True)
class Search:
    """A search for an arm's values: ``family`` names the space and the set it is judged on."""

    experiment: str
    family: str
    profile: str
    source: str

    @property
    def id(self) -> str:
        return f"{self.experiment}/{self.family}"

    @property
    def folder(self) -> Path:
        return (
            outputs_folder() / self.source / self.profile / self.experiment / "search" / self.family
        )

    @property
    def file(self) -> Path:
        return self.folder / "trials.jsonl"

    @property
    def run(self) -> Run:
        """What its trials train, but for the values on trial; no reported run has this seed."""
        definition = EXPERIMENTS[self.experiment]
        return Run(
            self.experiment,
            definition.arms[0].name,
            definition.search_seed,
            self.profile,
            self.source,
        )

    @property
    def config_hash(self) -> str:
        """Of everything the trials have in common: trials with another hash are stale."""
        values = config(self.run, EXPERIMENTS[self.experiment].trial)
        if self.family == "learning_rate":  # the value on trial itself
            del values["learning_rate"]
        return config_hash(values)


@dataclass(frozen=True)
class Run:
    """One training, checked against the registry when it is made."""

    experiment: str
    arm: str
    seed: int
    profile: str = "quick"
    source: str = "phantom"

    def __post_init__(self) -> None:
        check_names(self.experiment, self.profile, self.source)
        _known(f"source of {self.experiment}", self.source, self.definition.sources)
        _known(f"arm of {self.experiment}", self.arm, [a.name for a in self.definition.arms])
        if self.seed < 0:
            raise ConfigError(f"expected a seed of 0 or more, got {self.seed}")

    @property
    def definition(self) -> Experiment:
        return EXPERIMENTS[self.experiment]

    @property
    def id(self) -> str:
        return f"{self.experiment}/{self.arm}/seed{self.seed}"

    @property
    def folder(self) -> Path:
        return outputs_folder() / self.source / self.profile / self.id

    @property
    def row_file(self) -> Path:
        return self.folder / "row.json"

    @property
    def size(self) -> int:
        """Side of the tiles in pixels."""
        own = self.definition.sizes.get((self.profile, self.source))
        return own or PROFILES[self.profile].size

    def augmentation(self, arm: Arm) -> str:
        """What the profile, the experiment and the arm do to training tiles, joined by ``+``."""
        own = self.definition.augment.get(self.profile, "")
        return "+".join(filter(None, (PROFILES[self.profile].augment, own, arm.augment)))

    @property
    def search(self) -> Search | None:
        family = next(a for a in self.definition.arms if a.name == self.arm).search
        owner = self.definition.searched_in or self.experiment
        return Search(owner, family, self.profile, self.source) if family else None

    def resolved_arm(self, recorded: bool = False) -> Arm:
        """The arm with its searched values filled in; DataError where the search has not run."""
        arm = next(a for a in self.definition.arms if a.name == self.arm)
        return arm.tuned(tuning.best(self.search, recorded)) if self.search else arm


def check_names(experiment: str, profile: str, source: str) -> None:
    """Raise a ConfigError that lists the known names if one of these is unknown."""
    _known("experiment", experiment, EXPERIMENTS)
    _known("profile", profile, PROFILES)
    _known("source", source, SOURCES)


def _known(kind: str, name: str, names) -> None:
    if name not in names:
        raise ConfigError(f"unknown {kind} {name!r}; expected one of: {', '.join(names)}")


def parse_run(text: str, profile: str, source: str) -> Run:
    """``experiment/arm/seedK`` as a :class:`Run`.

    >>> parse_run("cutout/sd_eq2/seed3", "laptop", "phantom").seed
    3
    """
    parts = text.split("/")
    if len(parts) != 3 or not parts[2].startswith("seed") or not parts[2][4:].isdecimal():
        raise ConfigError(f"expected a run such as cutout/sd_eq2/seed3, got {text!r}")
    return Run(parts[0], parts[1], int(parts[2][4:]), profile, source)


def runs(experiment: str, profile: str, source: str) -> list[Run]:
    """Every run of an experiment at a profile on a source, arm by arm; none where it has none."""
    check_names(experiment, profile, source)
    definition = EXPERIMENTS[experiment]
    if profile not in definition.profiles or source not in definition.sources:
        return []
    seeds = min(PROFILES[profile].seeds, definition.seeds or PROFILES[profile].seeds)
    return [
        Run(experiment, arm.name, seed, profile, source)
        for arm in definition.arms
        if arm.name in definition.few.get(profile, (arm.name,))
        for seed in range(seeds)
    ]


def searches(experiment: str, profile: str, source: str) -> list[Search]:
    """Every search of an experiment."""
    check_names(experiment, profile, source)
    return [Search(experiment, f, profile, source) for f in EXPERIMENTS[experiment].families]


#: Settings that are part of every hash, from the first recorded row on, whatever their value.
HASHED = (
    *("network", "size", "tiles", "epochs", "batch_size", "learning_rate"),
    *("augment", "dropout", "drop_path", "precision"),
    *("lam", "gamma", "weight_decay", "train_set", "shift"),
)
#: Settings of a profile or an arm that change no number of a run: names, counts, resources.
UNHASHED = (
    *("name", "seeds", "trials", "workers", "memory_mb", "minutes"),
    *("label", "search"),
)


def _settings(record: Profile | Arm) -> dict:
    """The fields of a profile or an arm that can change a run's numbers.

    A field that is younger than the recorded rows counts only where it is not at its default:
    those rows were made without it, and keep their hash.
    """
    found = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        younger = field.name not in HASHED
        if field.name in UNHASHED or (younger and value == _default(field)):
            continue
        found[field.name] = value
    return found


def _default(field: dataclasses.Field):
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def config(run: Run, arm: Arm | None = None) -> dict:
    """Everything that can change the run's numbers, as plain values.

    Raises
    ------
    DataError
        The arm needs a search that has not been run.
    """
    arm = arm or run.resolved_arm()
    values = {**_settings(PROFILES[run.profile]), **_settings(arm)}
    values["size"] = run.size
    values["augment"] = run.augmentation(arm)
    values["source"] = run.source
    if run.definition.cluster:
        values["cluster"] = run.definition.cluster
    if run.source == "phantom":
        values["phantom_version"] = PHANTOM_VERSION
    values["data_seed"] = run.definition.data_seed
    values["seed"] = run.seed
    return values


def config_hash(values: dict) -> str:
    """Twelve hexadecimal digits that change with any value of a configuration."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
