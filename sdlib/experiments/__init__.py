"""What is run: profiles, sources, arms, experiments, and the names of their runs."""

from sdlib.experiments.runs import (
    EXPERIMENTS,
    PROFILES,
    SOURCES,
    Experiment,
    Profile,
    Run,
    Search,
    check_names,
    config,
    config_hash,
    parse_run,
    runs,
    searches,
)

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
