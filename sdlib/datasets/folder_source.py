"""Your own folder as a source: training, validation and test images of a ``manifest.csv``.

Where the manifest has no column ``split``, patients (groups) are dealt 60 : 15 : 25, with the same
share of each class. The test part is larger than the paper's: a folder is often small, and
what cannot be seen on too few test images is not found by more training. A column that has no
validation rows gets them from its training patients.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib

import numpy as np
import pandas as pd

from sdlib.checks import known
from sdlib.datasets.content_hashes import Stamp, content_hashes, file_stamps
from sdlib.datasets.folder_names import name_parts
from sdlib.datasets.manifest import MANIFEST, SPLITS, ManifestDataset
from sdlib.datasets.source import Request, Source, balanced_rows
from sdlib.datasets.splits import grouped_split
from sdlib.datasets.store import fingerprint
from sdlib.datasets.tiles import TileSet
from sdlib.errors import DataError

__all__ = [
    "FEWEST_GROUPS",
    "FEWEST_IMAGES",
    "SHARES",
    "check_drawn",
    "folder_data",
    "folder_source",
    "with_parts",
]

#: Of the patients, where the manifest does not say.
SHARES = {"train": 0.6, "validation": 0.15, "test": 0.25}
FEWEST_IMAGES = 5  # of each class, in each part
FEWEST_GROUPS = 2  # with images of each class, among the test images


def folder_source(name: str) -> Source:
    """The source that the name of a folder stands for.

    Its manifest and its images are read once, to tell their version, and again when they change.

    Parameters
    ----------
    name : str
        As :func:`~sdlib.datasets.folder_names.folder_name` writes it.

    Raises
    ------
    ConfigError
        It is no such name, or names a positive label that the manifest does not have.
    DataError
        There is no manifest, it breaks a rule, or an image cannot be read.
    SdlibError
        The cache of hashes cannot be written.
    """
    data = folder_data(name)
    stamps = file_stamps(data.table["file"].items(), data.folder, MANIFEST)
    return Source(
        name,
        f"your images in {data.folder.name}",
        f"the images that {data.folder / MANIFEST} lists",
        functools.partial(_load, data),
        version=_version(data, stamps),
        images=2 * int(np.bincount(data.targets, minlength=2).min()),
    )


def folder_data(name: str) -> ManifestDataset:
    """The images of a folder with what its manifest says of them.

    Parameters
    ----------
    name : str
        As for :func:`folder_source`.

    Raises
    ------
    ConfigError, DataError
        As :func:`folder_source` does.
    """
    folder, _ = name_parts(name)
    content = b""
    with contextlib.suppress(OSError):  # its reader says what is wrong
        content = (folder / MANIFEST).read_bytes()
    return _read(name, hashlib.sha256(content).digest())


def with_parts(data: ManifestDataset, seed: int) -> ManifestDataset:
    """The same images, each in one of ``train``, ``validation`` and ``test``.

    Parameters
    ----------
    data : ManifestDataset
        With a column ``split`` or without.
    seed : int
        Of the deal of patients, where there is one.

    Raises
    ------
    DataError
        A part has too few images of a class, or the test images of a class too few patients, to
        say anything; or there are too few patients for three parts.
    """
    split = data.table.get("split")
    if split is None:
        data = _dealt(data, seed)
    elif "train" in set(split) and "validation" not in set(split):
        data = _with_validation(data, seed)
    for part in SPLITS:
        _check_part(data, part, dealt=split is None)
    return data


def check_drawn(data: ManifestDataset, seed: int, most: int | None) -> None:
    """Check the test images that are used, where the larger class is cut down to the smaller one.

    Parameters
    ----------
    data : ManifestDataset
        Of :func:`with_parts`.
    seed, most
        As for :func:`~sdlib.datasets.source.balanced`.

    Raises
    ------
    DataError
        All images of a class that are drawn are of too few patients to say anything of others.
    """
    test = data.split("test")
    rows = balanced_rows(test.targets, seed, most)
    targets, drawn = test.targets[rows], test.groups[rows]
    for label, name in enumerate(data.classes.names):
        groups = len(set(drawn[targets == label]))
        if groups < FEWEST_GROUPS:
            raise DataError(
                f"expected test images of each class from at least {FEWEST_GROUPS} groups "
                f"(patients) among the {len(rows)} that are drawn, as many of either class, got "
                f"{name} from {groups} in {data.folder / MANIFEST}: one patient says nothing of "
                f"others; add images of other patients to the test part, or take fewer of the "
                f"patient with most"
            )


def _load(data: ManifestDataset, request: Request) -> TileSet:
    return with_parts(data, request.seed).split(request.part).to_tiles(request.size)


@functools.lru_cache(maxsize=8)
def _read(name: str, content: bytes) -> ManifestDataset:
    """Read a folder's manifest; with another hash of its content it is read again."""
    folder, positive = name_parts(name)
    return ManifestDataset(folder, positive=positive or None)


@functools.lru_cache(maxsize=8)
def _version(data: ManifestDataset, stamps: tuple[Stamp, ...]) -> str:
    """A text that changes with the rows of a manifest, and with what its files hold."""
    files = data.table["file"]
    hashes = content_hashes(files.items(), data.folder, stamps, MANIFEST)
    splits = data.table["split"].tolist() if "split" in data.table else []
    rows = zip(files, data.targets.tolist(), data.groups.tolist(), hashes, strict=True)
    return fingerprint([*rows, *splits])


def _dealt(data: ManifestDataset, seed: int) -> ManifestDataset:
    """Deal patients into three parts, if there are enough of each class."""
    needed = FEWEST_GROUPS + 2  # one for training, one for validation
    for label, name in enumerate(data.classes.names):
        groups = len(set(data.groups[data.targets == label]))
        if groups < needed:
            raise DataError(
                f"expected images of both classes in at least {needed} groups (patients) each, to "
                f"be dealt into training, validation and test, got {name} in {groups} of "
                f"{data.folder / MANIFEST}: add patients"
            )
    return data.with_splits(SHARES, seed)


def _with_validation(data: ManifestDataset, seed: int) -> ManifestDataset:
    """Make validation rows of a part of the training patients."""
    table = data.table.copy()
    training = np.flatnonzero(table["split"] == "train")
    share = SHARES["validation"] / (SHARES["train"] + SHARES["validation"])
    shares = {"train": 1 - share, "validation": share}
    dealt = grouped_split(data.targets[training], data.groups[training], shares, seed)
    names = table["split"].to_numpy(object)
    names[training[dealt["validation"]]] = "validation"
    return data.with_table(table.assign(split=pd.Series(names.astype(str), table.index)))


def _check_part(data: ManifestDataset, part: str, dealt: bool) -> None:
    """Raise an error if a part says nothing of one of the classes."""
    known("part", part, SPLITS)
    rows = data.table["split"] == part
    if dealt:
        remedy, where = "add images or patients, or add a split column of your own", "dealt to"
    else:
        remedy, where = "move patients between the splits, or remove the column split", "put into"
    for label, name in enumerate(data.classes.names):
        chosen = rows.to_numpy() & (data.targets == label)
        images, groups = int(chosen.sum()), len(set(data.groups[chosen]))
        if images < FEWEST_IMAGES:
            raise DataError(
                f"expected at least {FEWEST_IMAGES} images of each class {where} {part}, got "
                f"{images} of {name} in {data.folder / MANIFEST}: so few say nothing; {remedy}"
            )
        if part == "test" and groups < FEWEST_GROUPS:
            raise DataError(
                f"expected test images of each class from at least {FEWEST_GROUPS} groups "
                f"(patients), got {name} from {groups} in {data.folder / MANIFEST}: one patient "
                f"says nothing of others; {remedy}"
            )
