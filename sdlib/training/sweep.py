"""Making a sweep: every trained network predicts a cohort's tiles at every level of its shifts."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from sdlib.errors import ConfigError, DataError
from sdlib.experiments import EXPERIMENTS, Run
from sdlib.experiments.measurements import SWEEP
from sdlib.experiments.profiles import scale_options
from sdlib.files import cannot_write, write_json
from sdlib.results.key import THIS_RUN, PlaceKey
from sdlib.results.rows import own_row
from sdlib.results.sweeps import levels_of, read_level, stamps_of_today, write_level
from sdlib.shifts import Level
from sdlib.training.lock import only_process
from sdlib.training.own_files import say_damaged

__all__ = ["make"]

Log = Callable[[str], None]
Done = Callable[[int, int], None]

FARTHEST = float(np.finfo(np.float16).max)  # logits beyond it are kept as it


def make(
    experiment: str,
    profile: str,
    source: str,
    log: Log = print,
    arms: Sequence[str] = (),
    done: Done = lambda finished, total: None,
) -> Path:
    """Sweep the trained networks of today's configuration; returns the folder of the sweep.

    A level whose file holds today's logits of a network is not predicted again. Only the chunk in
    hand is in memory; the logits of a group of levels wait in a file on disk. Stale rows do not
    count; damaged rows and levels count as not there.

    Parameters
    ----------
    experiment, profile, source : str
        As in :mod:`sdlib.experiments`.
    log : callable
        Takes a line per group of levels, and one about each damaged file.
    arms : sequence of str
        Whose networks predict; by default those of all arms. What is there of the others is kept.
    done : callable
        Takes how many levels are finished and how many there are: before the first is made, and
        after each group.

    Raises
    ------
    ConfigError
        The experiment is not swept.
    DataError
        No network of today's configuration is on this machine, or one of them is broken.
    SdlibError
        The sweep cannot be written, or another process is at it.
    """
    key = PlaceKey(experiment, profile, source, THIS_RUN)
    measurement = EXPERIMENTS[experiment].sweep
    if measurement is None:
        known = ", ".join(name for name, one in EXPERIMENTS.items() if one.swept)
        raise ConfigError(f"{experiment} is not swept; expected one of: {known}")
    stamps = {run.id: stamp for run, stamp in stamps_of_today(key).items()}
    wanted = [run for run in key.runs if not arms or run.arm in arms]
    for run in wanted:
        if own_row(run) is None:
            say_damaged(run.row_file, log)
    trained = [run for run in wanted if run.id in stamps]
    if not trained:
        raise DataError(
            f"no trained networks of {experiment} on {source}, {profile}: "
            f"python -m sdlib run {experiment}/ARM/seed0 {scale_options(profile, source)}"
        )
    folder = SWEEP.folder(experiment, profile, source)
    # Two processes would overwrite each other's levels.
    with only_process(folder / ".lock", f"the sweep of {experiment}"):
        _make(folder, levels_of(profile, measurement.shifts), trained, stamps, log, done)
        swept = {run.id: stamps[run.id] for run in trained}
        write_json(SWEEP.done_file(experiment, profile, source), swept)
    return folder


def _make(
    folder: Path,
    levels: Sequence[Level],
    trained: list[Run],
    stamps: dict[str, str],
    log: Log,
    done: Done,
) -> None:
    """Predict whatever the files of the levels lack of the trained runs."""
    from sdlib.training.run import loaded  # torch and its company

    to_do = _to_do(folder, levels, trained, stamps, log)
    finished = len(levels) - sum(map(len, to_do.values()))
    done(finished, len(levels))
    for chosen, missing in to_do.items():
        session = loaded(chosen, chosen[0].definition.sweep.cohort)
        for group in _shifted_together(missing):
            _predict(session, chosen, group, folder, stamps)
            names = ", ".join(level.name for level in group)
            log(f"{chosen[0].experiment}: {len(chosen)} networks at {names}")
            finished += len(group)
            done(finished, len(levels))


def _to_do(
    folder: Path, levels: Sequence[Level], trained: list[Run], stamps: dict[str, str], log: Log
) -> dict[tuple[Run, ...], list[Level]]:
    """Levels by the runs whose logits there are missing or of an earlier training."""
    found: dict[tuple[Run, ...], list[Level]] = {}
    for level in levels:
        there, _ = _stored(folder / f"{level.name}.npz", log)
        lacking = tuple(run for run in trained if there.get(run.id) != stamps[run.id])
        if lacking:
            found.setdefault(lacking, []).append(level)
    return found


def _stored(file: Path, log: Log) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Stamps and logits of one level, by run; empty where its file is absent or damaged."""
    stamps, logits = read_level(file)
    if not stamps:
        say_damaged(file, log)
    return stamps, logits


def _shifted_together(levels: Sequence[Level]) -> list[list[Level]]:
    """Groups of levels: fadings share a separation of stains, all others are alone."""
    groups = []
    for shift, found in itertools.groupby(levels, key=lambda level: level.shift):
        if shift in ("haematoxylin", "eosin"):
            groups.append(list(found))
        else:
            groups += [[level] for level in found]
    return groups


def _predict(
    session, chosen: Sequence[Run], group: list[Level], folder: Path, stamps: dict[str, str]
) -> None:
    """Fill one file per level of ``group`` with the logits of the chosen runs.

    Logits of other runs are kept if those are among ``stamps``, the runs of today's configuration.
    """
    from sdlib.training.prediction import sweep

    networks, tiles, device = session
    with _Waiting(folder, len(chosen), len(tiles)) as waiting:
        for rows, level, logits in sweep(networks, tiles, group, device):
            waiting.write(group.index(level), rows, logits)
        for number, level in enumerate(group):
            found = waiting.read(number)
            file = folder / f"{level.name}.npz"
            before, kept = _stored(file, lambda line: None)  # what is damaged has been said
            kept |= {run.id: logits for run, logits in zip(chosen, found, strict=True)}
            kept = {name: logits for name, logits in kept.items() if name in stamps}
            done = before | {run.id: stamps[run.id] for run in chosen}
            write_level(file, {name: done[name] for name in kept}, kept)


class _Waiting:
    """Logits of a group of levels, float16 (levels, networks, tiles), in a file without a name.

    A file without a name is gone with its process, however that ends. It is written plainly: on a
    full disk a writable map kills the process, while a write raises an error that can be explained.
    """

    def __init__(self, folder: Path, networks: int, tiles: int) -> None:
        self.folder = folder
        self.shape = (networks, tiles)
        try:
            self.stream = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        except OSError as error:
            raise cannot_write(folder, error) from error

    def __enter__(self) -> _Waiting:
        return self

    def __exit__(self, *error: object) -> None:
        self.stream.close()

    def write(self, level: int, tiles: slice, logits: np.ndarray) -> None:
        """Keep the logits of all networks, (networks, m), for m of the tiles."""
        rounded = np.clip(logits, -FARTHEST, FARTHEST).astype(np.float16)
        for network, found in enumerate(rounded):
            start = np.ravel_multi_index((level, network, tiles.start), (level + 1, *self.shape))
            self._write_bytes(found.tobytes(), int(start) * rounded.itemsize)

    def _write_bytes(self, content: bytes, start: int) -> None:
        try:
            while content:  # a disk that fills up may take a part of it first
                written = os.pwrite(self.stream.fileno(), content, start)
                content, start = content[written:], start + written
        except OSError as error:
            raise cannot_write(self.folder, error) from error

    def read(self, level: int) -> np.ndarray:
        """All logits of one level, float16 (networks, tiles)."""
        count = self.shape[0] * self.shape[1]
        self.stream.seek(level * count * 2)
        return np.fromfile(self.stream, np.float16, count).reshape(self.shape)
