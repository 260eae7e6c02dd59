"""The configuration of a run: all that can change its numbers, and a hash of it.

Every row carries the hash. A row with another hash than today's is *stale*: it was made with other
settings, and no table shows it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json

from sdlib.datasets.sources import TILES
from sdlib.experiments.arm import Arm
from sdlib.experiments.experiment import Experiment
from sdlib.experiments.profiles import Profile

__all__ = ["config_hash", "configuration"]

#: Settings that are part of every hash, from the first recorded row on, whatever their value.
HASHED = (
    *("network", "size", "tiles", "epochs", "batch_size", "learning_rate"),
    *("augment", "dropout", "drop_path", "precision"),
    *("lam", "gamma", "weight_decay"),
)
#: Settings that change no number of a run: names, counts, resources, looks. A step is not among
#: the settings either: lambda and gamma have been moved by it.
UNHASHED = (
    *("name", "seeds", "trials", "networks", "workers", "memory_mb", "minutes", "gpu"),
    "runs_per_job",
    *("label", "search", "training", "look", "main", "headline", "step"),
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


def configuration(experiment: Experiment, arm: Arm, profile: str, source: str, seed: int) -> dict:
    """Everything that can change the numbers of one training, as plain values.

    Parameters
    ----------
    experiment : Experiment
    arm : Arm
        With its searched values in place.
    profile, source : str
    seed : int
    """
    settings = experiment.settings(profile, source)
    training = arm.training or experiment.training
    values = {**_settings(settings), **_settings(arm)}
    values["augment"] = "+".join(filter(None, (settings.augment, arm.augment)))
    values["train_set"] = training.prepare.name
    values["shift"] = None  # a former setting, always at its default: part of the oldest hashes
    values["source"] = source
    values |= training.where
    if training.parts != ("train",):  # younger settings count away from their defaults alone
        values["train_parts"] = list(training.parts)
    if training.whole:
        values["train_whole"] = True
    if training.most:
        values["train_most"] = training.most
    if not training.balanced:
        values["train_balanced"] = False
    if experiment.images != TILES:
        values["images"] = experiment.images
    if version := experiment.source(source).version:
        values[f"{source}_version"] = version
    values["data_seed"] = experiment.data_seed
    values["seed"] = seed
    if experiment.revision:
        values["revision"] = experiment.revision
    return values


def config_hash(values: dict) -> str:
    """Twelve hexadecimal digits that change with any value of a configuration.

    >>> config_hash({"lam": 0.1}) == config_hash({"lam": 0.2})
    False
    """
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
