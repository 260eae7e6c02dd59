"""The networks of the shift lab in the page: recorded ones of two experiments, one seed each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from sdlib.errors import DataError
from sdlib.experiments import Run
from sdlib.files import atomic_path
from sdlib.lab.networks import LabNetworks, load_lab_networks, save_lab_networks
from sdlib.lab.panels import CLASS_NAMES, SCALES
from sdlib.metrics import balanced_accuracy
from sdlib.paths import recorded_folder
from sdlib.shifts import LEVELS, Level

__all__ = [
    "TASKS",
    "Task",
    "accuracies",
    "export",
    "page_networks",
    "record",
    "with_squares",
]

PROFILE, SOURCE = "laptop", "phantom"
NO_SHIFT = "none"  # the shift of a tile left alone, in the table of accuracies


@dataclass(frozen=True)
class Task:
    """What one kind of image is for in the page.

    Attributes
    ----------
    experiment : str
        Whose networks answer.
    arms : tuple of str
        In the order of their answers.
    cohort : str
        The experiment's evaluation cohort that accuracies under shift are measured on.
    classes : tuple of str
        Names of targets 0 and 1.
    shifts : tuple of str
        Which shifts its images can have.
    """

    experiment: str
    arms: tuple[str, ...]
    cohort: str
    classes: tuple[str, str]
    shifts: tuple[str, ...]

    @property
    def runs(self) -> list[Run]:
        """The first network of each arm."""
        return [Run(self.experiment, arm, 0, PROFILE, SOURCE) for arm in self.arms]

    @property
    def levels(self) -> list[Level]:
        """Of the paper's 52, those of its shifts."""
        return [level for level in LEVELS if level.shift in self.shifts]

    @property
    def file(self) -> Path:
        """Where its networks are recorded."""
        return recorded_folder() / f"page-networks-{self.experiment}.safetensors"


TASKS = {
    task.experiment: task
    for task in (
        Task(
            "cutout",
            ("control", "weight_decay", "sd_eq1", "sd_eq2"),
            "clean",
            CLASS_NAMES,
            tuple(SCALES),
        ),
        Task(
            "covid",
            ("weight_decay", "sd_eq2"),
            "external",
            ("no COVID-19", "COVID-19"),
            ("blur", "sharpen"),
        ),
    )
}
"""Tissue and films, by experiment. Films have no stains."""


def page_networks(experiment: str) -> LabNetworks:
    """The recorded networks of a task, in the order of its arms.

    Parameters
    ----------
    experiment : str
        A key of :data:`TASKS`.

    Raises
    ------
    DataError
        The file is absent, broken, or lacks an arm.
    """
    task = TASKS[experiment]
    found = load_lab_networks(task.file)
    keys = [(arm, 0) for arm in task.arms]
    if missing := [arm for arm, _ in keys if (arm, 0) not in found.networks]:
        raise DataError(f"expected a network of {missing[0]} in {task.file}, found none")
    return LabNetworks({key: found.networks[key] for key in keys}, found.size, found.profile)


def with_squares(networks: LabNetworks) -> LabNetworks:
    """Add the recorded networks of the squares' experiment, Equation 2's among them.

    Parameters
    ----------
    networks : LabNetworks
        Those of the lab. Without any, or for tiles of another size, they are left as they are, and
        so they are where none of the experiment are recorded.

    Raises
    ------
    DataError
        The file of the others is broken.
    """
    task = TASKS["cutout"]
    if not networks.networks or not task.file.exists():
        return networks
    others = page_networks(task.experiment)
    if others.size != networks.size:
        return networks
    also = f" {len(others.networks)} of them, recorded, are of the squares' experiment, chapter 4."
    return replace(networks, networks={**networks.networks, **others.networks}, also=also)


def export(folder: Path) -> dict[str, int]:
    """Write the networks of every task to ``folder`` as ONNX; returns the bytes by file.

    Parameters
    ----------
    folder : pathlib.Path
        Made if need be.

    Raises
    ------
    DataError
        A file of networks is absent or broken.
    SdlibError
        The folder cannot be written.
    """
    from sdlib.lab.onnx_files import write_onnx  # onnx, which the lab itself does not need

    written = {}
    for experiment in TASKS:
        path = folder / f"{experiment}.onnx"
        written[path.name] = write_onnx(page_networks(experiment), path)
    return written


def _accuracies_file() -> Path:
    return recorded_folder() / "page-accuracies.csv"


def accuracies(experiment: str) -> pd.DataFrame:
    """Recorded balanced accuracy of a task's networks at every level of its shifts.

    Returns
    -------
    pandas.DataFrame
        Columns experiment, arm, shift, strength (NaN without a shift) and accuracy (0 to 1).

    Raises
    ------
    DataError
        There is no such table.
    """
    path = _accuracies_file()
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(f"expected a table of accuracies at {path}: {error}") from error
    return table[table["experiment"] == experiment]


def record() -> dict[str, int]:
    """Keep this machine's networks of all tasks, and measure their accuracy under every shift.

    Returns
    -------
    dict of str to int
        The bytes by file.

    Raises
    ------
    DataError
        One of the networks has not been trained on this machine.
    """
    written = {task.file.name: save_lab_networks(task.runs, task.file) for task in TASKS.values()}
    table = pd.concat([_measured(task) for task in TASKS.values()])
    path = _accuracies_file()
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.4f")
    return written | {path.name: path.stat().st_size}


def _measured(task: Task) -> pd.DataFrame:
    """Accuracies of a task's recorded networks on the test images that no shift has touched."""
    from sdlib.training.data import load_tiles
    from sdlib.training.prediction import predict_logits, sweep

    networks = list(page_networks(task.experiment).networks.values())
    tiles = load_tiles(task.runs[0], only=[task.cohort])[task.cohort]
    logits: dict[tuple[str, float], np.ndarray] = {
        (NO_SHIFT, np.nan): np.stack([predict_logits(one, tiles) for one in networks])
    }
    for rows, level, found in sweep(networks, tiles, task.levels):
        empty = np.empty((len(networks), len(tiles)), np.float32)
        logits.setdefault((level.shift, level.strength), empty)[:, rows] = found
    lines = [
        (task.experiment, arm, shift, strength, balanced_accuracy(tiles.targets, expit(values)))
        for (shift, strength), found in logits.items()
        for arm, values in zip(task.arms, found, strict=True)
    ]
    return pd.DataFrame(lines, columns=["experiment", "arm", "shift", "strength", "accuracy"])
