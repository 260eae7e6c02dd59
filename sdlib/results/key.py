"""Where results are kept: an experiment at a profile on a source, recorded or of this machine."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from sdlib.datasets.folder_names import file_name
from sdlib.datasets.sources import SOURCES
from sdlib.errors import ConfigError
from sdlib.experiments import Experiment, Run, check_names, experiment_of, runs_of
from sdlib.experiments.profiles import scale_options
from sdlib.paths import recorded_folder

__all__ = ["ORIGINS", "READS", "RECORDED", "THIS_RUN", "PlaceKey", "check_declared"]

RECORDED, THIS_RUN = "recorded", "this run"
ORIGINS = (RECORDED, THIS_RUN)


@dataclass(frozen=True)
class PlaceKey:
    """The one key to all results of an experiment.

    Parameters
    ----------
    experiment, profile, source : str
        As in :mod:`sdlib.experiments`.
    origin : str
        ``recorded`` (in git) or ``this run`` (this machine's outputs).

    Raises
    ------
    ConfigError
        A name that is not known, with those that are.
    """

    experiment: str
    profile: str
    source: str
    origin: str = RECORDED

    def __post_init__(self) -> None:
        check_names(self.experiment, self.profile, self.source)
        if self.origin not in ORIGINS:
            raise ConfigError(f"unknown origin {self.origin!r}; expected one of {ORIGINS}")

    @property
    def recorded(self) -> bool:
        """Whether these results are kept in git."""
        return self.origin == RECORDED

    @property
    def definition(self) -> Experiment:
        """What the experiment declares."""
        return experiment_of(self.experiment)

    @property
    def runs(self) -> list[Run]:
        """Every run that the experiment has at this profile and source."""
        return runs_of(self.experiment, self.profile, self.source)

    def recorded_file(self, ending: str) -> Path:
        """A recorded file of this experiment, profile and source.

        >>> PlaceKey("cutout", "laptop", "open").recorded_file(".jsonl").name
        'cutout-open-laptop.jsonl'
        """
        name = f"{self.experiment}-{file_name(self.source)}-{self.profile}{ending}"
        return recorded_folder() / name

    @property
    def command(self) -> str:
        """The command that makes the results of this place.

        >>> PlaceKey("cutout", "smoke", "phantom", "this run").command
        'make reproduce PROFILE=smoke SOURCE=phantom'
        """
        source = shlex.quote(self.source).replace("$", "$$")  # $X is a variable of make's own
        make = f"make reproduce PROFILE={self.profile} SOURCE={source}"
        if self.source in SOURCES and SOURCES[self.source].folder:
            make += " SDLIB_DATA=/folder"
        if not self.recorded:
            return f"{make} FRESH=1" if os.path.exists(self.recorded_file(".jsonl")) else make
        record = f"python -m sdlib record {self.experiment}"
        return f"{make} && {record} {scale_options(self.profile, self.source)}"

    @property
    def remedy(self) -> str:
        """What to do where a recorded file is damaged."""
        recorded = replace(self, origin=RECORDED)
        return (
            "restore it with git checkout, or remove it and make it again with "
            f"`{recorded.command}`"
        )


#: Environment variable: the experiments that the chapter in execution has declared.
READS = "SDLIB_READS"


def check_declared(key: PlaceKey) -> None:
    """Refuse to read this machine's results for a chapter that has not declared the experiment.

    The graph executes a chapter when what it declares is there. A chapter that reads more would
    show whatever happened to be finished, and differ from one execution to the next.

    Raises
    ------
    ConfigError
        A chapter is in execution, and does not declare the experiment.
    """
    declared = os.environ.get(READS)
    if declared is None or key.experiment in declared.split(","):
        return
    raise ConfigError(
        f"this chapter reads this machine's results of {key.experiment!r}, which it does not "
        "declare: add the name to 'reads' under 'sdlib' in the notebook's metadata "
        f"(declared: {declared or 'nothing'})"
    )
