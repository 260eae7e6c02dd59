"""Four open collections of chest radiographs on GitHub, each as published.

- ``cohen`` (ieee8023/covid-chestxray-dataset): films and CT slices from publications and
  websites of the whole world, COVID-19 beside other pneumonias. A licence per image.
- ``hannover`` (ml-workgroup/covid-19-image-repository): 243 films of 71 patients of Hannover
  Medical School, all with COVID-19. CC BY 3.0.
- ``figure1`` (agchung/Figure1-COVID-chestxray-dataset): 55 films that users of the platform
  Figure 1 sent, some of them photographs of screens. "Research purposes only".
- ``actualmed`` (agchung/Actualmed-COVID-chestxray-dataset): 238 films of 215 patients of one
  provider in Spain, with and without COVID-19. "Research purposes only".

x: the film, a square. y: 1 if the finding is COVID-19, 0 if it is another finding or none. Groups
are patients. ``python -m sdlib fetch cohen`` (and so on) gets the states that were looked at.

Left out, with the reason in :func:`read_github_table`: CT slices, lateral views, films whose
finding is empty or still to be told (``todo``, ``Unknown``, "inconclusive" films of Actualmed), and
those of Cohen's collection that are copies of Hannover's (their address says so). A file that is
listed twice is taken once, and the patients under whose names it is listed are joined.

Limits: the collections are small and gathered by hand; what is COVID-19 often comes from other
places, machines and years than what is not. All of Hannover's films are positive, so on its own it
can train nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from sdlib.datasets.file_paths import tidy_path
from sdlib.datasets.film_store import FilmStore, cached_films
from sdlib.datasets.github_tables import COLLECTIONS, Collection
from sdlib.datasets.patients import joined_patients, patient_name
from sdlib.datasets.store import data_folder
from sdlib.datasets.table import read_table
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError

__all__ = ["load_github_films", "read_github_table"]

#: How the tables call their modalities, and whether that is a film.
MODALITIES = {"x-ray": True, "cr": True, "dx": True, "ct": False}
#: How the tables call the views of films, in small letters: the view, and the patient's position.
VIEWS = {
    "pa": ("PA", ""),
    "ap": ("AP", ""),
    "ap supine": ("AP", "supine"),
    "ap erect": ("AP", "erect"),
    "ap semi erect": ("AP", "semi erect"),
    "l": ("L", ""),
    "": ("", ""),
    "?": ("", ""),
}
POSITIVE = "covid-19"
#: Findings that tell neither, in small letters.
UNTOLD = ("", "todo", "unknown")


def load_github_films(
    name: str,
    folder: str | os.PathLike[str] | None = None,
    size: int = 224,
    cache: str | os.PathLike[str] | None = None,
) -> TileSet:
    """Load the films of a collection whose finding is known; they are decoded when they are read.

    Parameters
    ----------
    name : {"cohen", "hannover", "figure1", "actualmed"}
        The collection.
    folder : str or os.PathLike, optional
        The folder of the repository's files; by default the folder ``name`` under the root that
        ``SDLIB_DATA`` names.
    size : int
        Side of the squares in pixels; see :func:`~sdlib.films.square.square_film`.
    cache : str or os.PathLike, optional
        A folder for the squares, which are then decoded once; see
        :func:`~sdlib.datasets.film_store.cached_films`.

    Returns
    -------
    TileSet
        Targets: 1 COVID-19, 0 other. Groups: patients, such as ``"cohen/17"``. Factors, as text:
        ``source`` (the collection), ``view`` (``"PA"``, ``"AP"``, or empty where the table does
        not tell), ``position`` (``"supine"``, ``"erect"``, ``"semi erect"``, or empty), ``finding``
        as published, and ``file``.

    Raises
    ------
    ConfigError
        If there is no such collection.
    DataError
        If the folder, its table or an image is missing, or the table is not as published. A
        damaged image is named when it is read.

    Examples
    --------
    >>> films = load_github_films("hannover")  # doctest: +SKIP
    >>> len(films), len(set(films.groups))  # doctest: +SKIP
    (243, 71)
    """
    collection = _collection(name)
    folder = _folder(name, folder)
    table = read_github_table(name, folder)
    table = table[table["left_out"] == ""]
    if table.empty:
        raise DataError(
            f"expected films with a known finding in {folder / collection.table}, got none. "
            f"{_hint(name)}"
        )
    _check_images(table, folder, collection, name)
    files = table["file"].to_numpy(str)
    store = FilmStore(folder, files, size, table.index.to_numpy(), collection.table)
    factors = {
        "source": np.full(len(table), name),
        "view": table["view"].to_numpy(str),
        "position": table["position"].to_numpy(str),
        "finding": table["finding"].to_numpy(str),
        "file": files,
    }
    targets = table["target"].to_numpy(np.int64)
    images = cached_films(store, name, cache)
    return TileSet(images, targets, table["patient"].to_numpy(str), factors)


def read_github_table(name: str, folder: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Read the table of a collection in one form for all, with what is left out and why.

    Parameters
    ----------
    name, folder
        As for :func:`load_github_films`.

    Returns
    -------
    pandas.DataFrame
        Every row of the published table, indexed by its number there (the header is row 1), with
        the columns ``patient``, ``file``, ``finding``, ``view``, ``position``, ``target`` (1
        COVID-19, 0 other, -1 not told) and ``left_out``: empty where the film is used, else the
        reason.

    Raises
    ------
    ConfigError, DataError
        As :func:`load_github_films` does.

    Examples
    --------
    >>> table = read_github_table("cohen")  # doctest: +SKIP
    >>> table["left_out"].value_counts()  # doctest: +SKIP
    """
    collection = _collection(name)
    folder = _folder(name, folder)
    path = folder / collection.table
    if not path.is_file():
        raise DataError(f"expected {collection.table} in {folder}, found none. {_hint(name)}")
    table = read_table(path, collection.filled, encoding=collection.encoding)
    absent = [column for column in collection.other if column not in table]
    if absent:
        raise DataError(f"expected a column {absent[0]} in {path}, found none. {_hint(name)}")
    converted = pd.DataFrame(collection.convert(table, folder), index=table.index)
    _check_paths(converted, path)
    views = _known(converted["view"], "view", VIEWS, path)
    converted["view"], converted["position"] = views.str[0], views.str[1]
    converted["target"] = converted["finding"].map(_target)
    _check_findings(converted, path)
    converted["left_out"] = _reasons(converted, _is_film(table, path))
    patients = [patient_name(name, patient) for patient in converted["patient"]]
    converted["patient"] = joined_patients(patients, converted["file"].to_numpy(str))
    columns = ["patient", "file", "finding", "view", "position", "target", "left_out"]
    return converted[columns]


def _collection(name: str) -> Collection:
    if name not in COLLECTIONS:
        raise ConfigError(f"expected a collection of {', '.join(COLLECTIONS)}, got {name!r}")
    return COLLECTIONS[name]


def _folder(name: str, folder: str | os.PathLike[str] | None) -> Path:
    return Path(folder) if folder is not None else data_folder(name, None, _hint(name))


def _hint(name: str) -> str:
    return f"Download it by 'python -m sdlib fetch {name}'."


def _target(finding: str) -> int:
    """1 COVID-19, 0 something else, -1 not told.

    Cohen's older tables write ``COVID-19, ARDS``, the newer ones ``Pneumonia/Viral/COVID-19``.
    """
    parts = [part.strip().lower() for part in finding.replace("/", ",").split(",")]
    if POSITIVE in parts:
        return 1
    return -1 if all(part in UNTOLD for part in parts) else 0


def _known(column: pd.Series, name: str, values: Mapping[str, object], path: Path) -> pd.Series:
    """Translate a column whose values are known, in whatever letters."""
    small = column.str.lower()
    unknown = ~small.isin(list(values))
    if unknown.any():
        row = unknown.idxmax()
        known = ", ".join(filter(None, values))
        raise DataError(
            f"expected a {name} of {known}, got {column[row]} in row {row} of {path}: correct it"
        )
    return small.map(values)


def _is_film(table: pd.DataFrame, path: Path) -> pd.Series:
    return _known(table["modality"], "modality", MODALITIES, path)


def _reasons(table: pd.DataFrame, is_film: pd.Series) -> pd.Series:
    """Why each row is left out; the first reason counts."""
    reasons = table.get("left_out", pd.Series("", table.index)).copy()
    for left_out, reason in (
        (~is_film, "CT"),
        (table["view"] == "L", "lateral view"),
        (table["target"] == -1, "finding not told"),
    ):
        reasons[left_out & (reasons == "")] = reason
    used = table["file"][reasons == ""]
    reasons[used.index[used.duplicated()]] = "listed before"
    return reasons


def _check_paths(table: pd.DataFrame, path: Path) -> None:
    """Check that no row leads out of the folder."""
    for row, file in table["file"].items():
        if tidy_path(file) != file:
            raise DataError(
                f"expected a file inside {path.parent}, got {file} in row {row} of {path}: "
                f"correct it"
            )


def _check_findings(table: pd.DataFrame, path: Path) -> None:
    """Check that a file that is listed twice is not COVID-19 in one row alone."""
    told = table[table["target"] != -1]
    both = told.groupby("file")["target"].transform("nunique") > 1
    if both.any():
        first, second = told[told["file"] == told["file"][both.idxmax()]].index[:2]
        raise DataError(
            f"expected one finding of each file, got {table.at[first, 'finding']} in row {first} "
            f"and {table.at[second, 'finding']} in row {second} of {path} for "
            f"{table.at[first, 'file']}: correct one"
        )


def _check_images(table: pd.DataFrame, folder: Path, collection: Collection, name: str) -> None:
    """Check that every image is there; each folder is listed once."""
    parents, names = table["file"].str.rpartition("/")[0], table["file"].str.rpartition("/")[2]
    missing = pd.Series(False, table.index)
    for parent in parents.unique():
        try:
            there = os.listdir(folder / parent)
        except OSError:
            there = []
        missing |= (parents == parent) & ~names.isin(there)
    if missing.any():
        row = missing.idxmax()
        raise DataError(
            f"expected {len(table)} films under {folder}, found {(~missing).sum()}: the first "
            f"without a file is {table.at[row, 'file']} (row {row} of {collection.table}). "
            f"{_hint(name)}"
        )
