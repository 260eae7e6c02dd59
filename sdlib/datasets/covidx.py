"""COVIDx8 as published: films of six collections, put together to test for COVID-19.

x: the film, made square. y: 1 positive, 0 negative (no finding or another one). 16,352 films; by
the lists' names 15,346 patients, 1,505 of them positive, and 10 of Cohen's collection in both
classes. It is the paper's external test, as a whole. Wang et al. 2020
(https://doi.org/10.1038/s41598-020-76550-z); lists at https://github.com/lindawangg/COVID-Net,
images by their sources' own terms: ``python -m sdlib fetch covidx8`` prints the steps.

Where the films are from:

======  =========  ========  ========
part    source     negative  positive
======  =========  ========  ========
train   actualmed       107        25
train   cohen           298       270
train   figure1           0        24
train   ricord            0       896
train   rsna         13,389         0
train   sirm              0       943
test    ricord            0       200
test    rsna            200         0
======  =========  ========  ========

Limits: source and class are nearly one. In the list called test, they are: every negative is of
RSNA's pneumonia challenge (which are films of the NIH, Bethesda, up to 2017), every positive of
RICORD 1c. Of all films, 97 % of the negatives are RSNA's and 87 % of the positives are of sources
without a negative. A network that knows the source has the class. Whether films of ``sirm``, which
is the COVID-19 Radiography Database and gathers from many places, are in BIMCV too was not checked.

Files: ``train_COVIDx8B.txt`` (15,952 lines) and ``test_COVIDx8B.txt`` (400), in the folder or in
``labels``: patient, file, class and source with spaces between them. The patients of ``sirm`` have
a space in their names (``COVID 12``), so that lines are read from the right. The images in
``train`` and ``test``, in the folder or in ``data``.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from sdlib.datasets.file_paths import tidy_path
from sdlib.datasets.film_store import FilmStore, cached_films
from sdlib.datasets.image_stores import JoinedStore
from sdlib.datasets.patients import patient_name
from sdlib.datasets.store import data_folder
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError

__all__ = ["PARTS", "count_covidx8_sources", "load_covidx8"]

#: The parts: the two lists, or both.
PARTS = {"train": ("train",), "test": ("test",), "all": ("train", "test")}
LABELS = {"negative": 0, "positive": 1}
#: What the lists call their sources, and what they are called here.
SOURCES = {
    "actmed": "actualmed",
    "cohen": "cohen",
    "fig1": "figure1",
    "ricord": "ricord",
    "rsna": "rsna",
    "sirm": "sirm",
}
#: Negative and positive films of each source in each list.
COUNTS = {
    ("train", "actualmed"): (107, 25),
    ("train", "cohen"): (298, 270),
    ("train", "figure1"): (0, 24),
    ("train", "ricord"): (0, 896),
    ("train", "rsna"): (13_389, 0),
    ("train", "sirm"): (0, 943),
    ("test", "ricord"): (0, 200),
    ("test", "rsna"): (200, 0),
}
FETCH_HINT = "'python -m sdlib fetch covidx8' tells how to get it."


def load_covidx8(
    part: str = "all",
    folder: str | os.PathLike[str] | None = None,
    size: int = 224,
    cache: str | os.PathLike[str] | None = None,
) -> TileSet:
    """Load COVIDx8 for testing: both lists together, or one; films are decoded when they are read.

    Parameters
    ----------
    part : {"all", "train", "test"}
        Both lists, which is the paper's external test, or one.
    folder : str or os.PathLike, optional
        The folder of the files; by default ``covidx8`` under the root that ``SDLIB_DATA`` names.
    size : int
        Side of the squares in pixels; see :func:`~sdlib.films.square.square_film`.
    cache : str or os.PathLike, optional
        A folder for the squares, which are then decoded once; see
        :func:`~sdlib.datasets.film_store.cached_films`.

    Returns
    -------
    TileSet
        Targets: 1 COVID-19, 0 none. Groups: patients by the names of their collections, such as
        ``"actualmed/ANON24"``, which are also those of
        :func:`~sdlib.datasets.github_films.load_github_films`. Factors, as text: ``source``
        (``"actualmed"``, ``"cohen"``, ``"figure1"``, ``"ricord"``, ``"rsna"`` or ``"sirm"``),
        ``view`` (always empty: the lists do not tell), ``part`` and ``file``.

    Raises
    ------
    ConfigError
        If there is no such part.
    DataError
        If the folder, a list or an image is missing, or a list is not as published. A damaged
        image is named when it is read.

    Examples
    --------
    >>> load_covidx8()  # doctest: +SKIP
    <TileSet: 16352 tiles, 224 x 224 px, 13994 benign, 2358 cancer>
    """
    if part not in PARTS:
        raise ConfigError(f"expected a part of {', '.join(PARTS)}, got {part!r}")
    folder = _folder(folder)
    tables = {name: _list(folder, name) for name in PARTS[part]}
    stores = []
    for name, table in tables.items():
        place = _check_images(folder, name, table)
        files = table["file"].to_numpy(str)
        store = FilmStore(place, files, size, table.index.to_numpy(), _list_name(name))
        stores.append(cached_films(store, f"covidx8-{name}", cache))
    films = pd.concat(tables.values())
    factors = {
        "source": films["source"].to_numpy(str),
        "view": np.full(len(films), ""),
        "part": films["part"].to_numpy(str),
        "file": films["file"].to_numpy(str),
    }
    targets = films["label"].map(LABELS).to_numpy(np.int64)
    return TileSet(JoinedStore(stores), targets, films["patient"].to_numpy(str), factors)


def count_covidx8_sources(folder: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Count the films of COVIDx8's lists by part, source and class; no images are needed.

    Parameters
    ----------
    folder : str or os.PathLike, optional
        As for :func:`load_covidx8`.

    Returns
    -------
    pandas.DataFrame
        Index ``part`` and ``source``; columns ``negative``, ``positive``, ``patients``.

    Raises
    ------
    DataError
        As :func:`load_covidx8` does.

    Examples
    --------
    >>> count_covidx8_sources().loc["test", "negative"]  # doctest: +SKIP
    source
    ricord      0
    rsna      200
    """
    folder = _folder(folder)
    films = pd.concat([_list(folder, name) for name in PARTS["all"]])
    counts = pd.crosstab([films["part"], films["source"]], films["label"])
    counts["patients"] = films.groupby(["part", "source"])["patient"].nunique()
    return counts.rename_axis(columns=None)


def _folder(folder: str | os.PathLike[str] | None) -> Path:
    return Path(folder) if folder is not None else data_folder("covidx8", None, FETCH_HINT)


def _list_name(part: str) -> str:
    return f"{part}_COVIDx8B.txt"


def _list(folder: Path, part: str) -> pd.DataFrame:
    """The films of a list, indexed by line, checked."""
    name = _list_name(part)
    places = (folder / name, folder / "labels" / name)
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise DataError(f"expected {name} in {folder} or in labels there, found none. {FETCH_HINT}")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}). {FETCH_HINT}") from error
    rows = {
        number: _film(line, number, path) for number, line in enumerate(lines, 1) if line.strip()
    }
    films = pd.DataFrame.from_dict(
        rows, orient="index", columns=["patient", "file", "label", "source"]
    )
    films["part"] = part
    _check_list(films, part, path)
    return films


def _film(line: str, number: int, path: Path) -> tuple[str, str, str, str]:
    """Read a line from the right, for the patient's name may have a space in it."""
    fields = line.rsplit(maxsplit=3)
    if len(fields) != 4:
        raise DataError(
            f"expected patient, file, class and source in line {number} of {path}, got "
            f"{line.strip()!r}. {FETCH_HINT}"
        )
    patient, file, label, source = fields
    for what, value, known in (("a class", label, LABELS), ("a source", source, SOURCES)):
        if value not in known:
            raise DataError(
                f"expected {what} of {', '.join(known)} in line {number} of {path}, got {value}. "
                f"{FETCH_HINT}"
            )
    if tidy_path(file) != file or "/" in file:
        raise DataError(
            f"expected a file's name in line {number} of {path}, got {file}. {FETCH_HINT}"
        )
    source = SOURCES[source]
    return patient_name(source, patient), file, label, source


def _check_list(films: pd.DataFrame, part: str, path: Path) -> None:
    """Check that every film is there once, and that it is the published list."""
    again = films["file"].duplicated()
    if again.any():
        line = again.idxmax()
        raise DataError(
            f"expected each film once, got {films.at[line, 'file']} again in line {line} of "
            f"{path}. {FETCH_HINT}"
        )
    for (of_part, source), counts in COUNTS.items():
        for label, expected in zip(LABELS, counts, strict=True):
            found = int(((films["source"] == source) & (films["label"] == label)).sum())
            if of_part == part and found != expected:
                raise DataError(
                    f"expected {expected} {label} films of {source} in {path}, got {found}. "
                    f"{FETCH_HINT}"
                )
    strangers = set(films["source"]) - {source for of_part, source in COUNTS if of_part == part}
    if strangers:
        raise DataError(f"expected no films of {min(strangers)} in {path}, got some. {FETCH_HINT}")


def _check_images(folder: Path, part: str, films: pd.DataFrame) -> Path:
    """Find the folder of a list's images, and check that all are there."""
    places = (folder / part, folder / "data" / part)
    place = next((place for place in places if place.is_dir()), places[0])
    try:
        there = set(os.listdir(place))
    except OSError:
        there = set()
    missing = ~films["file"].isin(there)
    if missing.any():
        line = missing.idxmax()
        raise DataError(
            f"expected {len(films)} films in {place}, found {(~missing).sum()}: the first without "
            f"a file is {films.at[line, 'file']} (line {line} of {_list_name(part)}). {FETCH_HINT}"
        )
    return place
