"""Measurements: what can be measured on trained networks (or tiles), as plug-ins of experiments.

An experiment names its measurements; command line, graph and recording follow from that. Code that
makes them is named by its place, as text, because it needs torch and lies above this module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from sdlib.datasets.folder_names import file_name
from sdlib.errors import ConfigError
from sdlib.paths import outputs_folder, recorded_folder

__all__ = ["ACTIVATION_MAPS", "LINEAR_HEADS", "SHARPNESS", "SWEEP", "Measurement"]


@dataclass(frozen=True)
class Measurement:
    """Something that an experiment measures beside the metrics of its rows.

    Parameters
    ----------
    name : str
        In commands and file names.
    title : str
        What the graph prints while it is made.
    maker : str
        ``module:function``. Of a measurement per run: takes the network and the prepared test
        tiles, returns metrics for the row and arrays for its predictions. Of any other: takes
        experiment, profile, source and a ``log``, and writes :meth:`done_file` last.
    per_run : bool
        Made at the end of every run, while its network is at hand.
    of_networks : bool
        Whether it waits for the experiment's runs.
    recorder : str
        ``module:function`` that copies this machine's measurement to the recorded ones, given
        experiment, profile and source; returns a sentence, empty where there is nothing to copy.
    sources : tuple of str
        Where it can be made; empty for every source.
    cohort : str
        The evaluation cohort that a sweep shifts.
    shifts : tuple of str
        The shifts of a sweep, such as ``eosin``; empty for all of them.
    """

    name: str
    title: str
    maker: str
    per_run: bool = False
    of_networks: bool = True
    recorder: str = ""
    sources: tuple[str, ...] = ()
    cohort: str = "test"
    shifts: tuple[str, ...] = ()

    def make(self) -> Callable:
        """The function that makes it."""
        return _resolved(self.maker)

    def record(self, experiment: str, profile: str, source: str) -> str:
        """Copy this machine's measurement to the recorded ones; a sentence, or nothing."""
        if not self.recorder:
            return ""
        return _resolved(self.recorder)(experiment, profile, source)

    def folder(self, experiment: str, profile: str, source: str) -> Path:
        """Where this machine keeps it."""
        return outputs_folder() / file_name(source) / profile / experiment / self.name

    def done_file(self, experiment: str, profile: str, source: str) -> Path:
        """Written last: where it exists, the measurement is whole."""
        return self.folder(experiment, profile, source) / "done.json"

    def recorded_file(self, experiment: str, profile: str, source: str) -> Path:
        """Where it is kept in git."""
        return recorded_folder() / f"{experiment}-{file_name(source)}-{profile}-{self.name}.npz"


def _resolved(place: str) -> Callable:
    module, _, function = place.partition(":")
    if not function:
        raise ConfigError(f"expected module:function, got {place!r}")
    return getattr(import_module(module), function)


ACTIVATION_MAPS = Measurement(
    "cam",
    "activation maps",
    "sdlib.training.activation_maps:measure",
    per_run=True,
)
SWEEP = Measurement(
    "sweep",
    "shifting the test tiles",
    "sdlib.training.sweep:make",
    recorder="sdlib.results.sweeps:record",
)
SHARPNESS = Measurement(
    "sharpness",
    "measuring the sharpness of scanners",
    "sdlib.training.sharpness:make",
    of_networks=False,
    recorder="sdlib.results.sharpness:record",
    sources=("phantom", "open"),
)
LINEAR_HEADS = Measurement(
    "heads",
    "training linear heads on frozen features",
    "sdlib.training.linear_heads:make",
    of_networks=False,
    recorder="sdlib.results.linear_heads:record",
    sources=("phantom", "open"),
)
