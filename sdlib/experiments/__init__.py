"""Experiments: one file each, and what their runs are called.

- :mod:`sdlib.experiments.cutout`, :mod:`~sdlib.experiments.robustness`,
  :mod:`~sdlib.experiments.stain_transfer`: the experiments themselves.
- :mod:`sdlib.experiments.experiment`, :mod:`~sdlib.experiments.arm`,
  :mod:`~sdlib.experiments.cohorts`, :mod:`~sdlib.experiments.searches`,
  :mod:`~sdlib.experiments.measurements`, :mod:`~sdlib.experiments.comparisons`: what they are
  made of.
- :mod:`sdlib.experiments.profiles`: the scales. :mod:`sdlib.experiments.configuration`: the hash.
- :mod:`sdlib.experiments.runs`: runs and searches by name. :mod:`~sdlib.experiments.trials`: the
  results of searches. :mod:`sdlib.experiments.paper`: the paper's values.
"""

from sdlib.experiments.arm import Arm, Look
from sdlib.experiments.configuration import config_hash
from sdlib.experiments.experiment import Experiment
from sdlib.experiments.paper import paper_table
from sdlib.experiments.profiles import PROFILES, Profile
from sdlib.experiments.registry import EXPERIMENTS, experiment_of, looks
from sdlib.experiments.runs import (
    Run,
    Search,
    check_names,
    parse_run,
    parse_search,
    runs_of,
    searches_of,
)

__all__ = [
    "EXPERIMENTS",
    "PROFILES",
    "Arm",
    "Experiment",
    "Look",
    "Profile",
    "Run",
    "Search",
    "check_names",
    "config_hash",
    "experiment_of",
    "looks",
    "paper_table",
    "parse_run",
    "parse_search",
    "runs_of",
    "searches_of",
]
