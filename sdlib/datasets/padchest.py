"""PadChest as published: radiographs of one hospital in Spain, from before COVID-19.

x: the film, made square. y: always 0, no COVID-19: by the table, the films are of 2007 to 2017.
160,861 films of 67,625 patients of Hospital San Juan, Alicante; by projection PA 91,728, L
(lateral) 49,579, AP_horizontal 14,346, AP 4,559, COSTAL 630, EXCLUDE 11, UNK 8. Kept are PA and AP:
96,287 films of 63,946 patients, 203 films of children. Bustos et al. 2020
(https://doi.org/10.1016/j.media.2020.101797); by agreement with BIMCV, for research:
``python -m sdlib fetch padchest`` prints the steps. About 1 TB.

- AP_horizontal, of a patient who lies, is another projection than AP and is left out, as in the
  regimen of DeGrave et al. (2021).
- The paper counts 114,227 films of 67,000 patients. The table has 111,282 that are not lateral (of
  67,326 patients) and 96,287 PA and AP: which films the paper took is not known.
- The files are PNG of 16 bits. Their whole range, 0 to 65535, becomes 0 to 255, as in DeGrave et
  al. and in torchxrayvision: no window, and no stretching to a film's own range.
- Some files are damaged in the archives (the paper dropped 19, DeGrave et al. 33, torchxrayvision
  21). They are left out, logged, and named by :func:`read_padchest_table`.

Limits: beside positives from elsewhere every film is a negative of one hospital, with its two makes
of machines and its years; whatever tells the hospital tells the label. The findings were read by
physicians in 39,053 films, by a network from the reports in the others.

Files: ``PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv`` (or ``.csv.gz``), and the films in
folders of their archives' numbers (0 to 54) or in ``images``.
"""

from __future__ import annotations

import ast
import logging
import os
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from sdlib.checks import check_number
from sdlib.datasets.film_store import FilmStore, cached_whole_films
from sdlib.datasets.image_stores import ImageStore, select_rows
from sdlib.datasets.padchest_files import cut_off, find_films
from sdlib.datasets.patients import patient_name
from sdlib.datasets.store import data_folder
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError

__all__ = ["PROJECTIONS", "TABLE", "load_padchest", "read_padchest_table"]

log = logging.getLogger(__name__)

TABLE = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
#: The projections of the table, and whether they are kept.
PROJECTIONS = {
    "PA": True,
    "AP": True,
    "AP_horizontal": False,
    "L": False,
    "COSTAL": False,
    "EXCLUDE": False,
    "UNK": False,
}
#: The columns that are read, and what they are called here.
COLUMNS = {
    "ImageID": "name",
    "ImageDir": "archive",
    "PatientID": "patient",
    "Projection": "projection",
    "Pediatric": "paediatric",
    "Manufacturer_DICOM": "scanner",
    "Labels": "labels",
}
MAY_BE_EMPTY = ("labels", "scanner")
PAEDIATRIC = {"PED": "yes", "No": "no"}
#: Films that may be missing or damaged: three times what anybody has counted.
MOST_LOST = 100
FETCH_HINT = "'python -m sdlib fetch padchest' tells how to get it."


def load_padchest(
    folder: str | os.PathLike[str] | None = None,
    size: int = 224,
    cache: str | os.PathLike[str] | None = None,
    without: Collection[str] = (),
    most_lost: int = MOST_LOST,
) -> TileSet:
    """Load PadChest's PA and AP films, all of them negatives.

    Parameters
    ----------
    folder : str or os.PathLike, optional
        The folder of the files; by default ``padchest`` under the root that ``SDLIB_DATA`` names.
    size : int
        Side of the squares in pixels; see :func:`~sdlib.films.square.square_film`.
    cache : str or os.PathLike, optional
        A folder for the squares, which are then decoded once (hours; 4.8 GB at 224 px) and mapped
        into memory; films that turn out to be damaged are left out. By default a film is decoded
        whenever it is read.
    without : collection of str
        Names of files that are not to be used, for instance because they are damaged inside.
    most_lost : int
        How many films may be missing or damaged. More is a part of PadChest, not PadChest.

    Returns
    -------
    TileSet
        Targets: 0. Groups: patients, with ``padchest/`` before their numbers. Factors, as text:
        ``source`` (``"padchest"``), ``view`` (``"PA"`` or ``"AP"``), ``paediatric`` (``"yes"`` or
        ``"no"``), ``scanner`` (its manufacturer), ``finding`` (``"normal"``, ``"pneumonia"``,
        ``"other"``, or ``"none told"``) and ``file``.

    Raises
    ------
    ConfigError
        If ``most_lost`` is no whole number of at least 0, or ``without`` names no film.
    DataError
        If the folder or its table is missing, the table is not as published, or too many films
        are missing or damaged. Without ``cache`` a film that is damaged inside is named when it is
        read.

    Examples
    --------
    >>> films = load_padchest(cache="squares")  # doctest: +SKIP
    >>> films.targets.max()  # doctest: +SKIP
    0
    """
    check_number("most_lost", most_lost, 0, whole=True)
    folder = _folder(folder)
    table = read_padchest_table(folder)
    strangers = sorted(set(without) - set(table["name"]))
    if strangers:
        raise ConfigError(f"expected names of PadChest's films in without, got {strangers[0]!r}")
    table.loc[table["name"].isin(list(without)), "left_out"] = "named by the caller"
    lost = table[table["left_out"].isin(("missing", "damaged"))]
    table = table[table["left_out"] == ""]
    _check_lost(lost, len(table), most_lost, folder)
    files = table["file"].to_numpy(str)
    images: ImageStore = FilmStore(folder, files, size, table.index.to_numpy(), TABLE)
    if cache is not None:
        images, damaged = cached_whole_films(images, "padchest", cache)
        inside = table.iloc[list(damaged)]
        _check_lost(pd.concat([lost, inside]), len(table) - len(inside), most_lost, folder)
        whole = np.setdiff1d(np.arange(len(table)), list(damaged))
        images, table = select_rows(images, whole), table.iloc[whole]
    factors = {"source": np.full(len(table), "padchest"), "view": table["projection"].to_numpy(str)}
    for name in ("paediatric", "scanner", "finding", "file"):
        factors[name] = table[name].to_numpy(str)
    targets = np.zeros(len(table), np.int64)
    return TileSet(images, targets, table["patient"].to_numpy(str), factors)


def read_padchest_table(folder: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Read PadChest's table, with what is left out and why.

    Parameters
    ----------
    folder : str or os.PathLike, optional
        As for :func:`load_padchest`.

    Returns
    -------
    pandas.DataFrame
        Every row of the published table, indexed by its number in a spreadsheet (the header is
        row 1), with the columns ``name``, ``file`` (empty where it is missing), ``patient``,
        ``projection``, ``paediatric``, ``scanner``, ``finding`` and ``left_out``: empty where the
        film is used, else ``"projection"``, ``"missing"`` or ``"damaged"`` (cut off, by its first
        and last bytes).

    Raises
    ------
    DataError
        As :func:`load_padchest` does.

    Examples
    --------
    >>> table = read_padchest_table()  # doctest: +SKIP
    >>> table["left_out"].value_counts()  # doctest: +SKIP
    """
    folder = _folder(folder)
    table = _published(folder)
    kept = table["projection"].map(PROJECTIONS)
    table["left_out"] = kept.map({True: "", False: "projection"})
    files = find_films(folder, table[kept])
    table["file"] = files.reindex(table.index, fill_value="")
    table.loc[files.index[files == ""], "left_out"] = "missing"
    there = files[files != ""]
    damaged = cut_off([folder / file for file in there])
    table.loc[there.index[damaged], "left_out"] = "damaged"
    columns = ["name", "file", "patient", "projection", "paediatric", "scanner", "finding"]
    return table[[*columns, "left_out"]]


def _folder(folder: str | os.PathLike[str] | None) -> Path:
    return Path(folder) if folder is not None else data_folder("padchest", None, FETCH_HINT)


def _published(folder: Path) -> pd.DataFrame:
    """The published table's needed columns, checked."""
    paths = [folder / TABLE, folder / f"{TABLE}.gz"]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise DataError(f"expected {TABLE} in {folder}, found none. {FETCH_HINT}")
    try:
        # Reports in it have several lines, so that rows are those of a spreadsheet, not lines.
        table = pd.read_csv(
            path, usecols=list(COLUMNS), dtype=str, keep_default_na=False, encoding="utf-8"
        )
    except (ValueError, OSError, EOFError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} cannot be read ({reason}): download it again") from error
    table.index += 2
    table = table.rename(columns=COLUMNS)
    for published, name in COLUMNS.items():
        if name not in MAY_BE_EMPTY:
            empty = table[name].str.strip() == ""
            _refuse(empty, table, f"a {published}", "an empty field", path)
    _check_values(table, path)
    patients = {name: patient_name("padchest", name) for name in table["patient"].unique()}
    table["patient"] = table["patient"].map(patients)
    table["paediatric"] = table["paediatric"].map(PAEDIATRIC)
    findings = {text: _finding(text) for text in table["labels"].unique()}
    table["finding"] = table["labels"].map(findings)
    _refuse(table["finding"] == "", table, "Labels to be a list", "{labels}", path)
    return table


def _check_values(table: pd.DataFrame, path: Path) -> None:
    """Check what has few values, and that every film is there once and inside the folder."""
    for published, name, values in (
        ("Projection", "projection", PROJECTIONS),
        ("Pediatric", "paediatric", PAEDIATRIC),
    ):
        unknown = ~table[name].isin(list(values))
        known = ", ".join(values)
        _refuse(unknown, table, f"{published} to be one of {known}", f"{{{name}}}", path)
    outside = table["name"].str.contains(r"[/\\]|^\.") | ~table["archive"].str.fullmatch("[0-9]+")
    _refuse(outside, table, "a name and a folder's number", "{name} and {archive}", path)
    _refuse(table["name"].duplicated(), table, "each film once", "{name} again", path)


def _refuse(wrong: pd.Series, table: pd.DataFrame, expected: str, found: str, path: Path) -> None:
    """Raise an error at the first row that is wrong."""
    if wrong.any():
        row = wrong.idxmax()
        got = found.format(**table.loc[row])
        raise DataError(f"expected {expected}, got {got} in row {row} of {path}: download it again")


def _finding(labels: str) -> str:
    """Sum up the list of a film's labels, which is text in Python's form; empty if it is none."""
    if labels.strip() in ("", "nan"):
        return "none told"
    try:
        names = ast.literal_eval(labels)
    except (ValueError, SyntaxError):
        return ""
    if not isinstance(names, list):
        return ""
    names = {str(name).strip() for name in names} - {""}
    if any("pneumonia" in name for name in names):
        return "pneumonia"
    if not names:
        return "none told"
    return "normal" if names == {"normal"} else "other"


def _check_lost(lost: pd.DataFrame, n_films: int, most: int, folder: Path) -> None:
    """Check that few films are missing or damaged, and name them."""
    if lost.empty and n_films:
        return
    if lost.empty:
        raise DataError(f"expected PA or AP films in {folder / TABLE}, got none. {FETCH_HINT}")
    names = ", ".join(lost["name"][:3])
    sentence = (
        f"{len(lost)} of {n_films + len(lost)} films in {folder} are missing or damaged "
        f"(the first: {names})"
    )
    if len(lost) > most or not n_films:
        raise DataError(
            f"{sentence}, expected at most {most}: get the archives that they are in again, or "
            f"set most_lost to use a part of PadChest. {FETCH_HINT}"
        )
    log.warning("%s and left out; read_padchest_table names all", sentence)
