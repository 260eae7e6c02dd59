"""Open chest radiographs of six collections, in the folder ``open-cxr`` with a manifest.

x: the film (a chest radiograph), grey JPEG with a short side of 256 px. y: 1 where COVID-19 was
diagnosed, 0 for every other finding and for none.

================== ======== ============================ ======================================
source             COVID-19 others                       films
================== ======== ============================ ======================================
cohen              114      65 pneumonia, 4 normal       from publications, all over the world
hannover           243      none                         of one hospital, mostly at the bedside
nih                none     233 pneumonia, 275 normal    ChestX-ray14, one hospital
kermany_paediatric none     318 pneumonia, 320 normal    children of one to five years
actualmed          26       18 normal                    for testing only
figure1            35       2 pneumonia, 3 normal        for testing only
================== ======== ============================ ======================================

Three *situations* say which collections train a network:

shared
    cohen alone: both classes are of one source.
added
    cohen, hannover and nih: all of hannover has the disease and nothing of nih has it, so that the
    source predicts the label, as where negatives of PadChest were added to those of BIMCV.
paediatric
    COVID-19 of cohen and hannover against kermany_paediatric, whose films show children: a
    mistake of many early publications, and a lesson.

Groups join the films of a patient, near-duplicates and copies of one figure. The files have been
scaled, compressed and cut by several hands. Some collections came without a view, and the views
of the others are what their tables say. Licences are of each row of the manifest; several
collections are for research only, so that no film of theirs is part of this project.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from sdlib.checks import known
from sdlib.datasets.file_paths import check_files, inside_paths
from sdlib.datasets.group_names import canonical_groups
from sdlib.datasets.manifest import MANIFEST
from sdlib.datasets.splits import PARTS, grouped_split
from sdlib.datasets.store import (
    cache_folder,
    cached_tiles,
    data_folder,
    decode_tiles,
    fingerprint,
)
from sdlib.datasets.table import read_table
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError
from sdlib.films.lungs import (
    LUNG_SIZE,
    VISIBLE,
    load_lung_network,
    lung_mask_of,
    lung_weights_file,
    predict_lungs,
    show_part,
)
from sdlib.films.lungs.hiding import RIM
from sdlib.films.square import square_film

__all__ = [
    "FRACTIONS",
    "OUTSIDE",
    "SITUATIONS",
    "VIEW_NAMES",
    "load_films",
    "load_open_cxr",
    "read_open_cxr",
]

LABELS = {"normal": 0, "other_pneumonia": 0, "covid": 1}
NEGATIVE, POSITIVE, BOTH = (0,), (1,), (0, 1)

#: The collections of each situation, with the targets of the films that are used.
SITUATIONS: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "shared": {"cohen": BOTH},
    "added": {"cohen": BOTH, "hannover": POSITIVE, "nih": NEGATIVE},
    "paediatric": {"cohen": POSITIVE, "hannover": POSITIVE, "kermany_paediatric": NEGATIVE},
}
#: The collections that are for testing only.
OUTSIDE = ("actualmed", "figure1")
PLACES = ("inside", "outside")

#: Share of each part. The test part is large because films are few: an interval of the AUROC
#: on 20 films would say nothing.
FRACTIONS: Mapping[str, float] = {"train": 0.6, "validation": 0.15, "test": 0.25}

#: Copies that the manifest does not mark: a film with its black margins, and cropped.
COPIES = {
    "cohen/pneumonia-7.jpg": (
        "cohen/streptococcus-pneumoniae-pneumonia-temporal-evolution-1-day1.jpg"
    ),
}

#: Three ways to write one view; an unknown view stays empty.
VIEW_NAMES = {"AP Supine": "AP", "AP erect": "AP"}

COLUMNS = ("file", "label", "group", "source", "sha256")
FACTORS = ("source", "view", "finding", "label", "file")


def load_open_cxr(
    part: str,
    *,
    size: int,
    situation: str = "added",
    place: str = "inside",
    seed: int = 0,
    visible: str = "",
    root: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> TileSet:
    """Load one part of the open chest radiographs, as square RGB films.

    Films of all collections that train are dealt together, by group and stratified by
    collection and target, in the shares :data:`FRACTIONS`. The deal does not depend on the
    situation: a film of the test part in one is not trained on in another.

    Marked duplicates of other films are left out of the validation and the test part.

    Parameters
    ----------
    part : {"train", "validation", "test"}
        Name of the part.
    size : int
        Side of the films in pixels (see :func:`~sdlib.films.square.square_film`).
    situation : {"shared", "added", "paediatric"}
        Which collections are used (see above); those outside are the same for all.
    place : {"inside", "outside"}
        Whether films are of the collections that train, or of actualmed and figure1; the latter
        have only a test part.
    seed : int
        Seeds the deal.
    visible : {"", "lungs", "surroundings"}
        What is left of the films: all; only the lungs that a network finds; or only what
        surrounds them. All else has the mean grey of what is left (see
        :func:`~sdlib.films.lungs.show_part`). The network is trained once, by
        ``python -m sdlib.training.lungs``.
    root : str or os.PathLike, optional
        The folder that holds ``open-cxr``; by default what ``SDLIB_DATA`` names.
    cache : str or os.PathLike, optional
        Folder for the decoded films; by default :func:`~sdlib.datasets.store.cache_folder`.

    Returns
    -------
    TileSet
        Its targets are 1 for COVID-19 and 0 for all others. Its images are a read-only memory map.
        Its factors are ``source`` (the collection), ``view`` (``"PA"``, ``"AP"``, or ``""`` where
        it is unknown), ``finding``, ``label`` (``"covid"``, ``"other_pneumonia"``, ``"normal"``)
        and ``file``.

    Raises
    ------
    ConfigError
        If the part, situation, place or what is visible is unknown, or a part is not there
        outside.
    DataError
        If the network that finds lungs is needed and has not been trained; if the folder is
        missing, its manifest or films are not as published, or a group is both inside and outside.

    Examples
    --------
    >>> films = load_open_cxr("test", size=64, place="outside")  # doctest: +SKIP
    >>> sorted(set(films.factors["source"]))  # doctest: +SKIP
    ['actualmed', 'figure1']
    """
    known("part", part, PARTS)
    known("situation", situation, SITUATIONS)
    known("place", place, PLACES)
    if visible:
        known("visible", visible, VISIBLE)
    if place == "outside" and part != "test":
        raise ConfigError(
            f"the films outside have no part {part!r}, only test: they are never trained on"
        )
    folder, table = read_open_cxr(root)
    if place == "outside":
        chosen = table["source"].isin(OUTSIDE)
    else:
        chosen = _dealt(table, seed) == part
        chosen &= _of_situation(table, situation)
    # A film that is there twice would count twice; in training a copy does no harm.
    if part != "train":
        chosen &= table["duplicate_of"] == ""
    films = load_films(folder, table[chosen], size, cache)
    if not visible:
        return films
    return _hidden(films, folder, table[chosen], visible, Path(cache or cache_folder()))


def read_open_cxr(root: str | os.PathLike[str] | None = None) -> tuple[Path, pd.DataFrame]:
    """Find the folder, and read its manifest; all rows, of every collection, are checked together.

    Parameters
    ----------
    root : str or os.PathLike, optional
        The folder that holds ``open-cxr``; by default what ``SDLIB_DATA`` names.

    Returns
    -------
    pathlib.Path, pandas.DataFrame
        The folder; the rows as text, with a column ``target``, 1 for COVID-19.

    Raises
    ------
    DataError
        As :func:`load_open_cxr` does.

    Examples
    --------
    >>> folder, table = read_open_cxr()  # doctest: +SKIP
    """
    folder = data_folder("open-cxr", root)
    manifest = folder / MANIFEST
    table = read_table(manifest, COLUMNS)
    table["file"] = inside_paths(table["file"].items(), str(manifest))
    for column in ("view", "finding", "duplicate_of"):
        if column not in table:
            raise DataError(f"{manifest} has no column {column}: copy the folder again")
    for number, label in table["label"].items():
        if label not in LABELS:
            raise DataError(
                f"expected label in {{{', '.join(LABELS)}}}, got {label} in row {number} of "
                f"{manifest}: copy the folder again"
            )
    table["target"] = table["label"].map(LABELS).astype(np.int64)
    table["view"] = table["view"].replace(VIEW_NAMES)
    table["dealt"] = table["group"] = canonical_groups(table["group"].to_numpy(str))
    for copy, original in COPIES.items():
        patient = table["group"][table["file"] == original]
        if len(patient):
            table.loc[table["file"] == copy, ["group", "duplicate_of"]] = patient.iloc[0], original
    outside = table["source"].isin(OUTSIDE)
    both = set(table["group"][outside]) & set(table["group"][~outside])
    if both:
        raise DataError(
            f"expected no group both inside and outside, got {sorted(both)[0]} in {manifest}: "
            f"copy the folder again"
        )
    return folder, table


def _of_situation(table: pd.DataFrame, situation: str) -> pd.Series:
    """Whether each row's film is used in a situation."""
    used = pd.Series(False, index=table.index)
    for source, targets in SITUATIONS[situation].items():
        wanted = (table["source"] == source) & table["target"].isin(targets)
        if not wanted.any():
            raise DataError(
                f"expected films of {source} in {MANIFEST}, which the situation {situation} needs, "
                f"found none: copy the folder again"
            )
        used |= wanted
    return used


def _dealt(table: pd.DataFrame, seed: int) -> pd.Series:
    """The part of each row's film; empty outside."""
    inside = table[~table["source"].isin(OUTSIDE)]
    # Each collection is stratified by itself: a part with few films of one would test little.
    kinds = inside["source"] + " " + inside["target"].astype(str)
    dealt = grouped_split(kinds.to_numpy(str), inside["dealt"].to_numpy(str), FRACTIONS, seed)
    parts = pd.Series("", index=table.index)
    for part, rows in dealt.items():
        parts[inside.index[rows]] = part
    # Patients who were joined after the deal follow the first of their films.
    return parts.groupby(table["group"]).transform("first")


def load_films(
    folder: Path, table: pd.DataFrame, size: int, cache: str | os.PathLike[str] | None = None
) -> TileSet:
    """Decode the films of some rows, or map them from the cache, and add the rows' columns.

    Parameters
    ----------
    folder, table
        As :func:`read_open_cxr` returns them; some of the rows.
    size : int
        Side of the films in pixels.
    cache : str or os.PathLike, optional
        Folder for the decoded films; by default :func:`~sdlib.datasets.store.cache_folder`.

    Returns
    -------
    TileSet
        As :func:`load_open_cxr` returns it.

    Raises
    ------
    DataError
        If a film is not as published.

    Examples
    --------
    >>> folder, table = read_open_cxr()  # doctest: +SKIP
    >>> children = table[table["source"] == "kermany_paediatric"]  # doctest: +SKIP
    >>> len(load_films(folder, children, 64))  # doctest: +SKIP
    638
    """
    images = cached_tiles(
        Path(cache or cache_folder()) / f"{folder.name}-{size}-{_key(table)}.npy",
        (len(table), size, size, 3),
        _decode(folder, table, size),
    )
    columns = {name: table[name].to_numpy(str) for name in FACTORS}
    return TileSet(images, table["target"].to_numpy(), table["group"].to_numpy(str), columns)


def _key(table: pd.DataFrame, *more: object) -> str:
    """Identify the content of some films; decoding has verified their hashes."""
    return fingerprint([*table["file"], *table["sha256"], *more])


def _decode(folder: Path, table: pd.DataFrame, size: int) -> Iterator[np.ndarray]:
    """Yield a table's films in batches; files are looked at only if the cache has none."""
    check_files(table["file"].items(), folder, MANIFEST)
    yield from decode_tiles(
        [folder / file for file in table["file"]],
        size,
        [f"row {number} of {MANIFEST}" for number in table.index],
        table["sha256"].tolist(),
        fit=_square,
    )


def _square(image: np.ndarray, size: int) -> np.ndarray:
    """The square of a film that the reader has repeated in three channels."""
    return square_film(image[..., 0], size)


def _hidden(
    films: TileSet, folder: Path, table: pd.DataFrame, visible: str, cache: Path
) -> TileSet:
    """The films with a part of them hidden; lungs are looked for once, and kept in the cache."""
    file = lung_weights_file()
    network = load_lung_network(file)
    # Other weights find other lungs.
    with file.open("rb") as stream:
        weights = hashlib.file_digest(stream, "sha256").hexdigest()
    small = films if films.size == LUNG_SIZE else load_films(folder, table, LUNG_SIZE, cache)
    lungs = cached_tiles(
        cache / f"{folder.name}-lungs-{_key(table, weights)}.npy",
        (len(table), LUNG_SIZE, LUNG_SIZE),
        (predict_lungs(network, images[None]) for images in small.images),
    )
    size = films.size
    images = cached_tiles(
        cache / f"{folder.name}-{size}-{visible}-{_key(table, weights, RIM)}.npy",
        films.images.shape,
        (
            show_part(film, lung_mask_of(lung, size), visible)[None]
            for film, lung in zip(films.images, lungs, strict=True)
        ),
    )
    return TileSet(images, films.targets, films.groups, films.factors)
