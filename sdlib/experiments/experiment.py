"""An experiment: one question with everything that is its own."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sdlib.checks import known
from sdlib.datasets.folder_names import is_folder
from sdlib.datasets.source import Source
from sdlib.datasets.sources import IMAGES, TILES, source_of
from sdlib.errors import ConfigError
from sdlib.experiments.arm import Arm
from sdlib.experiments.cohorts import Cohort
from sdlib.experiments.comparisons import Comparison
from sdlib.experiments.effects import Effect
from sdlib.experiments.measurements import SWEEP, Measurement
from sdlib.experiments.profiles import PROFILES, Profile
from sdlib.experiments.searches import Space

__all__ = ["Experiment"]

Scale = str | tuple[str, str]
TRIAL = Arm("trial", "trial")
DEFAULT_SOURCES = ("phantom", "open", "pcam")


@dataclass(frozen=True)
class Experiment:
    """A question, and everything that is its own.

    Tables, colours, the graph, the command line, the report and README's table follow from it.

    Parameters
    ----------
    name, title : str
        Used in run ids; used in tables.
    arms : tuple of Arm
        In the order of tables and figures.
    training : Cohort
        What is trained on; an arm may have its own.
    evaluation : mapping of str to Cohort
        What every network is tested on, by name. ``validation`` and ``test`` are needed.
    searches : tuple of Space
        For arms that are tuned; ``searched_in`` names the experiment whose searches are borrowed.
    trial : Arm
        What a trial trains, apart from the values on trial.
    networks_of : str
        The experiment whose networks these are, if it has arms of the same names and settings:
        where such a network is at hand, it is tested on this experiment's cohorts, not trained
        again.
    overrides : mapping
        Settings of a profile that are different here, by profile or by (profile, source):
        ``{"paper": {"seeds": 3}, ("laptop", "open"): {"size": 96}}``.
    more_seeds : mapping
        Arms that have more networks than the profile says, by (profile, source):
        ``{("laptop", "open"): {"sd_eq2": 10}}``.
    main_only : tuple of str
        Profiles at which only the main arms are run.
    images : str
        What the images show: a key of :data:`sdlib.datasets.sources.IMAGES`.
    profiles, sources : tuple of str
        Where it is run; by default on the sources of tiles that have no experiments of their own.
        Folders of your own need not be named: see :meth:`runs_on`.
    recorded_at : str
        The profile whose rows the book records and shows first.
    measurements : tuple of Measurement
        Of :mod:`sdlib.experiments.measurements`.
    comparisons : tuple of Comparison
        Behind the paper's claims, or our own.
    effects : tuple of Effect
        What the book's first page shows of it, the most important metric first.
    printed : str
        The paper's table with numbers of these arms, such as ``table2``; empty without one.
    data_seed, search_seed : int
        Of the split and the preparation; of trials, which no reported run uses.
    most_epochs : int
        Where a source has fewer images than the profile's number of tiles, epochs are multiplied
        until there are about as many steps, but not by more than this.
    revision : int
        Part of the hash where it is not 0: raise it when preparation or evaluation changes.

    Raises
    ------
    ConfigError
        Two arms of one name, an arm whose search is nowhere, a missing cohort, a name that is not
        known: whatever would go wrong later, and far from here.
    """

    name: str
    title: str
    arms: tuple[Arm, ...]
    training: Cohort
    evaluation: Mapping[str, Cohort] = field(hash=False)
    searches: tuple[Space, ...] = ()
    searched_in: str = ""
    trial: Arm = TRIAL
    networks_of: str = ""
    overrides: Mapping[Scale, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    more_seeds: Mapping[tuple[str, str], Mapping[str, int]] = field(
        default_factory=dict, hash=False
    )
    main_only: tuple[str, ...] = ()
    images: str = TILES
    profiles: tuple[str, ...] = tuple(PROFILES)
    sources: tuple[str, ...] = DEFAULT_SOURCES
    recorded_at: str = "laptop"
    measurements: tuple[Measurement, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    effects: tuple[Effect, ...] = ()
    printed: str = ""
    data_seed: int = 0
    search_seed: int = 1000
    most_epochs: int = 1
    revision: int = 0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9_]+", self.name):
            raise ConfigError(
                f"expected the name of an experiment in small letters, digits and _, got "
                f"{self.name!r}"
            )
        names = [arm.name for arm in self.arms]
        if len(set(names)) < len(names):
            raise ConfigError(f"expected arms of {self.name} with names of their own, got {names}")
        self._check_cohorts()
        self._check_sweep()
        self._check_scales()
        spaces = {space.name for space in self.searches}
        for space in self.searches:
            if space.arm:
                known(f"arm of the search {space.name}", space.arm, names)
        for arm in self.arms:
            if arm.search and not self.searched_in and arm.search not in spaces:
                raise ConfigError(
                    f"the arm {arm.name} of {self.name} needs the search {arm.search}, "
                    f"which is not among: {', '.join(sorted(spaces)) or 'none'}"
                )

    def _check_cohorts(self) -> None:
        for cohort in ("validation", "test"):
            known(f"cohort of {self.name}", cohort, self.evaluation)
        measured = [m.name for m in self.measurements if m.per_run]
        taken = sorted({"train", *measured} & set(self.evaluation))
        if taken:
            raise ConfigError(
                f"an evaluation cohort of {self.name} is called {taken[0]!r}, which is the "
                "training cohort or a measurement: rename it"
            )

    def _check_sweep(self) -> None:
        found = self.sweep
        if found is None:
            return
        cohort = self.evaluation[known(f"cohort of {self.name}", found.cohort, self.evaluation)]
        if cohort.metrics_only:
            raise ConfigError(f"{self.name} sweeps {found.cohort}, whose logits are not kept")

    def _check_scales(self) -> None:
        sources = IMAGES[known(f"kind of images of {self.name}", self.images, IMAGES)]
        fields = [field.name for field in dataclasses.fields(Profile)]
        for scale, changed in self.overrides.items():
            profile, *source = (scale,) if isinstance(scale, str) else scale
            known(f"profile in the overrides of {self.name}", profile, PROFILES)
            for name in source:
                known(f"source in the overrides of {self.name}", name, sources)
            for name in changed:
                known(f"setting in the overrides of {self.name}", name, fields)
        for (profile, source), arms in self.more_seeds.items():
            known(f"profile with more seeds of {self.name}", profile, PROFILES)
            known(f"source with more seeds of {self.name}", source, sources)
            for name in arms:
                known(f"arm with more seeds of {self.name}", name, [arm.name for arm in self.arms])
        for profile in (*self.profiles, *self.main_only, self.recorded_at):
            known(f"profile of {self.name}", profile, PROFILES)
        for cohort in self.evaluation.values():
            for source in cohort.sources:
                known(f"source of a cohort of {self.name}", source, sources)
        for source in self.sources:
            known(f"source of {self.name}", source, sources)

    @property
    def claims(self) -> tuple[str, ...]:
        """The claims that its comparisons are about, each once."""
        return tuple(dict.fromkeys(comparison.claim for comparison in self.comparisons))

    @property
    def sweep(self) -> Measurement | None:
        """Its sweep over shifts, with the cohort that is shifted; None if it has none."""
        return next((one for one in self.measurements if one.name == SWEEP.name), None)

    @property
    def swept(self) -> bool:
        """Whether its networks predict at every level of some shifts."""
        return self.sweep is not None

    def arm(self, name: str) -> Arm:
        """The arm called ``name``; ConfigError if there is none."""
        known(f"arm of {self.name}", name, [arm.name for arm in self.arms])
        return next(arm for arm in self.arms if arm.name == name)

    def space(self, name: str) -> Space:
        """The search space called ``name``; ConfigError if there is none."""
        known(f"search of {self.name}", name, [space.name for space in self.searches])
        return next(space for space in self.searches if space.name == name)

    def measurement(self, name: str) -> Measurement:
        """The measurement called ``name``; ConfigError if the experiment has none such."""
        known(f"measurement of {self.name}", name, [m.name for m in self.measurements])
        return next(m for m in self.measurements if m.name == name)

    def arms_at(self, profile: str) -> tuple[Arm, ...]:
        """The arms that are run at a profile: all, or only the main ones."""
        if profile in self.main_only:
            return tuple(arm for arm in self.arms if arm.main)
        return self.arms

    def runs_on(self, source: str) -> bool:
        """Whether it can be run on a source: one of its own, or a folder where it wants tiles.

        The tiles of a folder cannot be restricted, to a scanner for instance: experiments whose
        cohorts are, and those of films, are not run on folders.

        >>> from sdlib.experiments import EXPERIMENTS
        >>> [EXPERIMENTS[name].runs_on("folder:/data/mine") for name in ("cutout", "prostate")]
        [True, False]
        """
        if not is_folder(source):
            return source in self.sources
        cohorts = (self.training, *(arm.training for arm in self.arms), *self.evaluation.values())
        restricted = any(one and (one.where or one.source) for one in cohorts)
        return self.images == TILES and not restricted

    def check_source(self, source: str) -> None:
        """Raise a ConfigError that lists the sources of this experiment unless one is given."""
        if not self.runs_on(source):
            known(f"source of {self.name}", source, self.sources or ("folder:/A/FOLDER/OF/YOURS",))

    def source(self, name: str) -> Source:
        """The source called ``name`` with images of the kind that this experiment needs."""
        return source_of(name, self.images)

    def evaluation_at(self, source: str) -> dict[str, Cohort]:
        """The evaluation cohorts that there are on a source, by name."""
        return {
            name: cohort
            for name, cohort in self.evaluation.items()
            if not cohort.sources or source in cohort.sources
        }

    def settings(self, profile: str, source: str) -> Profile:
        """The profile with what is different in this experiment."""
        changed = {
            **self.overrides.get(profile, {}),
            **self.overrides.get((profile, source), {}),
        }
        found = dataclasses.replace(PROFILES[profile], **changed)
        if self.most_epochs > 1 and self.runs_on(source):
            images = self.source(source).images or found.tiles
            times = min(self.most_epochs, max(1, round(found.tiles / images)))
            found = dataclasses.replace(found, epochs=times * found.epochs)
        return found

    def seeds(self, arm: str, profile: str, source: str) -> int:
        """How many networks an arm has.

        >>> from sdlib.experiments import EXPERIMENTS
        >>> EXPERIMENTS["cutout"].seeds("control", "laptop", "phantom")
        5
        """
        more = self.more_seeds.get((profile, source), {})
        return more.get(arm, self.settings(profile, source).seeds)

    def cohort_of_targets(self, name: str) -> str:
        """The first evaluation cohort with the same tiles: its targets are stored for both.

        >>> from sdlib.experiments import EXPERIMENTS
        >>> EXPERIMENTS["cutout"].cohort_of_targets("clean")
        'test'
        """
        known(f"cohort of {self.name}", name, self.evaluation)
        mine = self.evaluation[name]
        return next(other for other, one in self.evaluation.items() if one.same_tiles(mine))
