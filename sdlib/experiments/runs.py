"""Runs and searches by name: ``experiment/arm/seed`` at a profile on a source.

Data split, initialisation and search have seeds of their own.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from sdlib.checks import check_number, is_number, known
from sdlib.datasets.folder_names import file_name
from sdlib.datasets.sources import check_source
from sdlib.errors import ConfigError
from sdlib.experiments import trials
from sdlib.experiments.arm import Arm
from sdlib.experiments.configuration import config_hash, configuration
from sdlib.experiments.experiment import Experiment
from sdlib.experiments.profiles import PROFILES, Profile
from sdlib.experiments.registry import EXPERIMENTS, experiment_of
from sdlib.experiments.searches import Space
from sdlib.paths import outputs_folder

__all__ = ["Run", "Search", "check_names", "parse_run", "parse_search", "runs_of", "searches_of"]

LARGEST_SEED = 2**64 - 1  # of PyTorch's generators
MOST_DIGITS = 100  # of a seed in a run's name; Python reads numbers of some thousands only
#: What the first arm had and ``trial`` had not when the first learning rates were searched.
RATE_ARM = {"weight_decay": 1e-4}


@dataclass(frozen=True)
class Search:
    """A search for the values of an arm, at a profile on a source.

    Parameters
    ----------
    experiment, family, profile, source : str
        ``family`` is the name of a :class:`sdlib.experiments.searches.Space`.
    """

    experiment: str
    family: str
    profile: str
    source: str

    @property
    def id(self) -> str:
        """Such as ``cutout/sd_eq2``."""
        return f"{self.experiment}/{self.family}"

    @property
    def space(self) -> Space:
        """Which values it tries; ConfigError if the experiment has no such search."""
        return experiment_of(self.experiment).space(self.family)

    @property
    def folder(self) -> Path:
        """Where this machine keeps its journal and its trials."""
        place = outputs_folder() / file_name(self.source) / self.profile / self.experiment
        return place / "search" / self.family

    @property
    def file(self) -> Path:
        """Its finished trials; written when the search has ended."""
        return self.folder / "trials.jsonl"

    @property
    def run(self) -> Run:
        """Data, settings and seed of its trials, not their arm; no reported run has this seed."""
        definition = experiment_of(self.experiment)
        arm, seed = definition.arms[0].name, definition.search_seed
        return Run(self.experiment, arm, seed, self.profile, self.source)

    @property
    def arm(self) -> Arm:
        """What its trials train, apart from the values on trial."""
        definition = experiment_of(self.experiment)
        if self.space.arm:
            return definition.arm(self.space.arm)
        return definition.arms[0] if "learning_rate" in self.space.names else definition.trial

    @property
    def config_hash(self) -> str:
        """A hash of everything that the trials have in common: others are stale."""
        definition = experiment_of(self.experiment)
        arm = self.arm if self.space.arm else definition.trial
        values = self._configuration(arm)
        if arm != self.arm:
            # Learning rates were first hashed as trials of ``trial``, and those keep their hash.
            trained = self._configuration(self.arm)
            names = sorted(values.keys() | trained.keys())
            differs = {n: trained.get(n) for n in names if trained.get(n) != values.get(n)}
            if differs != RATE_ARM:
                values["trained"] = differs
        if self.space.metric != "accuracy":  # younger than the recorded trials, which keep theirs
            values["judged_by"] = self.space.metric
        if self.space.arm:
            values["arm"] = self.space.arm
        networks = definition.settings(self.profile, self.source).networks
        if networks > 1:
            values["networks"] = networks
        return config_hash(values)

    def _configuration(self, arm: Arm) -> dict:
        """What trials of an arm have in common."""
        definition = experiment_of(self.experiment)
        values = configuration(definition, arm, self.profile, self.source, definition.search_seed)
        for field in dataclasses.fields(Profile):  # settings that are on trial themselves
            if field.name in self.space.names:
                del values[field.name]
        return values


@dataclass(frozen=True)
class Run:
    """One training, checked against the registry when it is made.

    Parameters
    ----------
    experiment, arm : str
    seed : int
        Of initialisation and order of the tiles; 0 to 2**64 - 1.
    profile, source : str

    Raises
    ------
    ConfigError
        A name that is not known, with those that are; a seed out of its range.
    """

    experiment: str
    arm: str
    seed: int
    profile: str = "quick"
    source: str = "phantom"

    def __post_init__(self) -> None:
        check_names(self.experiment, self.profile, self.source)
        self.definition.check_source(self.source)
        self.definition.arm(self.arm)
        if is_number(self.seed) and self.seed < 0:
            raise ConfigError(f"expected a seed of 0 or more, got {self.seed}")
        check_number("a seed", self.seed, 0, LARGEST_SEED, whole=True)

    @property
    def definition(self) -> Experiment:
        """The experiment itself."""
        return experiment_of(self.experiment)

    @property
    def id(self) -> str:
        """Such as ``cutout/sd_eq2/seed3``."""
        return f"{self.experiment}/{self.arm}/seed{self.seed}"

    @property
    def folder(self) -> Path:
        """Where this machine keeps its files."""
        return outputs_folder() / file_name(self.source) / self.profile / self.id

    @property
    def row_file(self) -> Path:
        """Written last: where it exists, the run is whole."""
        return self.folder / "row.json"

    @property
    def settings(self) -> Profile:
        """The profile with what is different in this experiment."""
        return self.definition.settings(self.profile, self.source)

    @property
    def search(self) -> Search | None:
        """The search that its arm needs; None if the arm has its values."""
        family = self.definition.arm(self.arm).search
        if family is None:
            return None
        owner = self.definition.searched_in or self.experiment
        return Search(owner, family, self.profile, self.source)

    @property
    def lender(self) -> Run | None:
        """The run whose network this one may test; None if it has to train its own."""
        other = self.definition.networks_of
        if not other:
            return None
        lent = experiment_of(other)
        if self.arm not in [arm.name for arm in lent.arms] or not lent.runs_on(self.source):
            return None
        return dataclasses.replace(self, experiment=other)

    def resolved_arm(self, recorded: bool = False) -> Arm:
        """The arm with its searched values filled in.

        Parameters
        ----------
        recorded : bool
            Read recorded trials only, not this machine's.

        Raises
        ------
        DataError
            The search has not been run.
        """
        arm = self.definition.arm(self.arm)
        return arm.tuned(trials.best(self.search, recorded)) if self.search else arm

    def config(self, arm: Arm | None = None) -> dict:
        """Everything that can change its numbers, as plain values.

        Parameters
        ----------
        arm : Arm, optional
            In the place of :meth:`resolved_arm`.

        Raises
        ------
        DataError
            The arm needs a search that has not been run.
        """
        arm = arm or self.resolved_arm()
        return configuration(self.definition, arm, self.profile, self.source, self.seed)


def check_names(experiment: str, profile: str, source: str) -> None:
    """Raise a ConfigError that lists the known names if one of these is unknown."""
    experiment_of(experiment)
    known("profile", profile, PROFILES)
    check_source(source)


def parse_run(text: str, profile: str, source: str) -> Run:
    """``experiment/arm/seedK`` as a :class:`Run`.

    >>> parse_run("cutout/sd_eq2/seed3", "laptop", "phantom").seed
    3
    """
    parts = text.split("/")
    if len(parts) != 3 or not parts[2].startswith("seed") or not parts[2][4:].isdecimal():
        raise ConfigError(f"expected a run such as cutout/sd_eq2/seed3, got {text!r}")
    digits = parts[2].removeprefix("seed")
    if len(digits) > MOST_DIGITS:
        raise ConfigError(
            f"expected a seed from 0 to {LARGEST_SEED}, got one of {len(digits)} digits"
        )
    return Run(parts[0], parts[1], int(digits), profile, source)


def parse_search(text: str, profile: str, source: str) -> Search:
    """``experiment/family`` as a :class:`Search`.

    >>> parse_search("cutout/sd_eq2", "laptop", "phantom").space.judged_on
    'validation'
    """
    experiment, _, family = text.partition("/")
    found = searches_of(experiment, profile, source)
    names = [search.id for search in found]
    if text not in names:
        raise ConfigError(f"unknown search {text!r}; expected one of: {', '.join(names) or 'none'}")
    return Search(experiment, family, profile, source)


def runs_of(experiment: str, profile: str, source: str) -> list[Run]:
    """Every run of an experiment at a profile on a source, by arm; none where it is not run."""
    check_names(experiment, profile, source)
    definition = EXPERIMENTS[experiment]
    if profile not in definition.profiles or not definition.runs_on(source):
        return []
    return [
        Run(experiment, arm.name, seed, profile, source)
        for arm in definition.arms_at(profile)
        for seed in range(definition.seeds(arm.name, profile, source))
    ]


def searches_of(experiment: str, profile: str, source: str) -> list[Search]:
    """Every search of an experiment, at a profile on a source."""
    check_names(experiment, profile, source)
    spaces = EXPERIMENTS[experiment].searches
    return [Search(experiment, space.name, profile, source) for space in spaces]
