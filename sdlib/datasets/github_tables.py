"""What four collections on GitHub call the columns of their tables, and how their files are named.

See :mod:`sdlib.datasets.github_films`, which reads them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

__all__ = ["COLLECTIONS", "Collection"]

#: What the address of an image holds where it is a copy of Hannover's.
HANNOVER = "ml-workgroup/covid-19-image-repository"
COPY = "copy of a film of Hannover"
ENDINGS = (".jpg", ".png", ".jpeg")


@dataclass(frozen=True)
class Collection:
    """One of the collections.

    Parameters
    ----------
    repository : str
        Owner and name on GitHub.
    table : str
        The file that lists its images.
    filled, other : tuple of str
        The columns that are read: those that no row leaves empty, and the others.
    convert : callable
        The table and the folder to a table with the columns ``patient``, ``file``, ``finding``
        and ``view``, and perhaps ``left_out``.
    encoding : str
        Of the table.
    """

    repository: str
    table: str
    filled: tuple[str, ...]
    other: tuple[str, ...]
    convert: Callable[[pd.DataFrame, Path], dict[str, pd.Series]]
    encoding: str = "utf-8"


def _cohen(table: pd.DataFrame, _: Path) -> dict[str, pd.Series]:
    copies = table["url"].str.contains(HANNOVER, regex=False)
    return {
        "patient": table["patientid"],
        "file": table["folder"] + "/" + table["filename"],
        "finding": table["finding"],
        "view": table["view"].where(table["modality"].str.lower() != "ct", ""),
        "left_out": copies.map({True: COPY, False: ""}),
    }


def _hannover(table: pd.DataFrame, _: Path) -> dict[str, pd.Series]:
    return {
        "patient": table["patient_id"],
        "file": "png/" + table["image_id"] + ".png",
        # The repository has no column for it: it is one of COVID-19 alone.
        "finding": pd.Series("COVID-19", table.index),
        "view": table["projection"],
    }


def _figure1(table: pd.DataFrame, folder: Path) -> dict[str, pd.Series]:
    """Its table names no files: they are called like the films, with one ending or another."""
    try:
        there = set(os.listdir(folder / "images"))
    except OSError:
        there = set()
    files = [_with_ending(name, there) for name in table["patientid"]]
    return {
        "patient": table["patientid"],
        "file": pd.Series(files, table.index),
        "finding": table["finding"],
        "view": table["view"],
    }


def _with_ending(name: str, there: set[str]) -> str:
    found = [name + ending for ending in ENDINGS if name + ending in there]
    return f"images/{found[0] if found else name + ENDINGS[0]}"


def _actualmed(table: pd.DataFrame, _: Path) -> dict[str, pd.Series]:
    return {
        "patient": table["patientid"],
        "file": "images/" + table["imagename"],
        "finding": table["finding"],
        "view": table["view"],
    }


COLLECTIONS = {
    "cohen": Collection(
        "ieee8023/covid-chestxray-dataset",
        "metadata.csv",
        ("patientid", "modality", "folder", "filename"),
        ("finding", "view", "url"),
        _cohen,
    ),
    "hannover": Collection(
        "ml-workgroup/covid-19-image-repository",
        "data.csv",
        ("patient_id", "image_id", "modality"),
        ("projection",),
        _hannover,
    ),
    # Its notes hold a degree sign and apostrophes as Windows writes them.
    "figure1": Collection(
        "agchung/Figure1-COVID-chestxray-dataset",
        "metadata.csv",
        ("patientid", "modality"),
        ("finding", "view"),
        _figure1,
        encoding="cp1252",
    ),
    "actualmed": Collection(
        "agchung/Actualmed-COVID-chestxray-dataset",
        "metadata.csv",
        ("patientid", "modality", "imagename"),
        ("finding", "view"),
        _actualmed,
    ),
}
