"""The files of one half of BIMCV-COVID19 as published: films, their tags, and the tables."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sdlib.datasets.table import read_table
from sdlib.errors import DataError
from sdlib.files import read_json

__all__ = [
    "Film",
    "find_films",
    "first_value",
    "half_folder",
    "read_findings",
    "read_patients",
    "read_tags",
    "read_tests",
    "series_description",
    "study_date",
    "table_files",
]

PARTICIPANTS = "participants.tsv"
RESULTS = {"POSITIVO": 1, "NEGATIVO": 0, "INDETERMINADO": None}
DATES = ("%d.%m.%Y", "%Y-%m-%d", "%Y%m%d")
AGAIN = "copy it again from where it came from"
# Tags that pydicom's names would only make longer.
DATE, DESCRIPTION, PROCEDURE, MEANING = "00080020", "0008103E", "00081032", "00080104"


@dataclass(frozen=True)
class Film:
    """A film of one half, as its path tells.

    Parameters
    ----------
    file : str
        Path of the PNG from the half's folder, with forward slashes.
    patient, session : str
        Such as "S03169" and "E07193".
    named_view, part, modality : str
        What the name says: "ap", "chest", "dx". Empty where it says nothing.
    has_tags : bool
        Whether its JSON is beside it.
    state : tuple of int
        Size and time of change of the PNG and of its JSON.
    """

    file: str
    patient: str
    session: str
    named_view: str
    part: str
    modality: str
    has_tags: bool
    state: tuple[int, ...]


def half_folder(folder: Path) -> Path:
    """The folder in which a half's ``participants.tsv`` is: the given one, or one inside it.

    The archives unpack to ``covid19_posi`` and ``covid19_neg``.

    Parameters
    ----------
    folder : pathlib.Path
        Where the archives were unpacked.

    Returns
    -------
    pathlib.Path
        The folder with the table.

    Raises
    ------
    DataError
        If there is none, or more than one.

    Examples
    --------
    >>> half_folder(Path("bimcv-plus"))  # doctest: +SKIP
    PosixPath('bimcv-plus/covid19_posi')
    """
    if (folder / PARTICIPANTS).is_file():
        return folder
    inside = sorted(place.parent for place in folder.glob(f"*/{PARTICIPANTS}"))
    if len(inside) != 1:
        found = "none" if not inside else " and ".join(place.name for place in inside)
        raise DataError(
            f"expected {PARTICIPANTS} in {folder} or in one folder inside it, found {found}: "
            f"unpack one half of BIMCV-COVID19 there, with its table"
        )
    return inside[0]


def find_films(folder: Path) -> list[Film]:
    """List the PNG files of a half, ``sub-*/ses-*/mod-rx/*.png``, sorted by path.

    Parameters
    ----------
    folder : pathlib.Path
        The half's folder; patients may also be in folders inside it, as the parts unpack.

    Returns
    -------
    list of Film
        All of them, whatever they show.

    Raises
    ------
    DataError
        If there are none.

    Examples
    --------
    >>> find_films(Path("bimcv-plus"))[0].patient  # doctest: +SKIP
    'S03044'
    """
    patients = sorted([*folder.glob("sub-*/"), *folder.glob("*/sub-*/")])
    films = []
    for patient in patients:
        for place in sorted(patient.glob("ses-*/mod-rx")):
            films += _in_session(folder, place)
    if not films:
        raise DataError(
            f"expected films under {folder} as sub-*/ses-*/mod-rx/*.png, found none: unpack its "
            f"parts there"
        )
    return sorted(films, key=lambda film: film.file)


def _in_session(folder: Path, place: Path) -> Iterator[Film]:
    """The films of one session."""
    # One listing, where questions for each file would take minutes on a network disk.
    entries = {entry.name: entry for entry in os.scandir(place)}
    for name, entry in entries.items():
        stem, suffix = os.path.splitext(name)
        if suffix.lower() != ".png" or name.startswith("."):
            continue
        tags = entries.get(f"{stem}.json")
        state = [entry.stat().st_size, entry.stat().st_mtime_ns]
        if tags is not None:
            state += [tags.stat().st_size, tags.stat().st_mtime_ns]
        # "sub-S1_ses-E1_run-1_bp-chest_vp-ap_dx": pairs, and the modality last.
        pieces = stem.split("_")
        pairs = dict(piece.partition("-")[::2] for piece in pieces)
        yield Film(
            file=(place / name).relative_to(folder).as_posix(),
            patient=place.parent.parent.name.removeprefix("sub-"),
            session=place.parent.name.removeprefix("ses-"),
            named_view=pairs.get("vp", ""),
            part=pairs.get("bp", ""),
            modality=pieces[-1] if "-" not in pieces[-1] else "",
            has_tags=tags is not None,
            state=tuple(state),
        )


def read_tags(path: Path) -> Mapping[str, Any]:
    """Read the JSON beside a film.

    Parameters
    ----------
    path : pathlib.Path
        The film's PNG.

    Returns
    -------
    mapping
        DICOM's JSON form; only that it is an object has been checked.

    Raises
    ------
    DataError
        If the file is missing, damaged, or holds something else.
    """
    content = read_json(path.with_suffix(".json"), remedy=AGAIN)
    if not isinstance(content, dict):
        raise DataError(
            f"expected tags by their numbers in {path.with_suffix('.json')}, got "
            f"{type(content).__name__}: {AGAIN}"
        )
    return content


def first_value(content: Any, *numbers: str) -> str:
    """The first value of a tag as text; of several numbers each is inside the one before.

    Parameters
    ----------
    content : mapping
        DICOM's JSON form.
    *numbers : str
        Tags of eight hexadecimal digits.

    Returns
    -------
    str
        Empty where there is no such value.

    Examples
    --------
    >>> first_value({"0008103E": {"vr": "LO", "Value": ["TORAX PA"]}}, "0008103E")
    'TORAX PA'
    """
    for number in numbers:
        element = content.get(number) if isinstance(content, dict) else None
        values = element.get("Value") if isinstance(element, dict) else None
        content = values[0] if isinstance(values, list) and values else None
    return "" if content is None or isinstance(content, (dict, list)) else str(content).strip()


def series_description(content: Mapping[str, Any]) -> str:
    """The description of a film's series, else of its procedure.

    >>> series_description({"00081032": {"Value": [{"00080104": {"Value": ["RX TORAX"]}}]}})
    'RX TORAX'
    """
    return first_value(content, DESCRIPTION) or first_value(content, PROCEDURE, MEANING)


def study_date(content: Mapping[str, Any]) -> datetime.date | None:
    """The day of a film's study; None where the tags do not tell.

    >>> study_date({"00080020": {"vr": "DA", "Value": ["20200331"]}})
    datetime.date(2020, 3, 31)
    """
    return _day(first_value(content, DATE))


def _day(text: str) -> datetime.date | None:
    for form in DATES:
        try:
            return datetime.datetime.strptime(text, form).date()
        except ValueError:
            continue
    return None


def read_patients(folder: Path) -> set[str]:
    """The patients that a half's ``participants.tsv`` lists.

    Parameters
    ----------
    folder : pathlib.Path
        The half's folder.

    Returns
    -------
    set of str
        Without the "sub-" of the table; rows of anything else are passed over.
    """
    table = read_table(folder / PARTICIPANTS, ("participant",), "table", "patient")
    names = table["participant"]
    return {name.removeprefix("sub-") for name in names if name.startswith("sub-")}


def table_files(folder: Path) -> list[Path]:
    """All tables of a half that are read.

    Parameters
    ----------
    folder : pathlib.Path
        The half's folder.

    Returns
    -------
    list of pathlib.Path
        Sorted within their kinds: participants, tests, labels.
    """
    return [folder / PARTICIPANTS, *_tests(folder), *_labels(folder)]


def _tests(folder: Path) -> list[Path]:
    # Named sil_reg_covid.tsv, sil_reg_covid_posi.tsv, SIL_REG_COVID_POSI_iter123.txt by iteration.
    return _matching(folder / "derivatives" / "EHR", r"sil_reg_covid.*\.(tsv|txt)")


def _labels(folder: Path) -> list[Path]:
    return _matching(folder / "derivatives" / "labels", r"labels.*\.tsv")


def _matching(folder: Path, pattern: str) -> list[Path]:
    if not folder.is_dir():
        return []
    matches = re.compile(pattern, re.IGNORECASE).fullmatch
    return sorted(path for path in folder.iterdir() if matches(path.name) and path.is_file())


def read_tests(folder: Path) -> dict[str, list[tuple[datetime.date | None, int]]]:
    """The tests for the virus that found something, by patient.

    Parameters
    ----------
    folder : pathlib.Path
        The half's folder; the tables are ``derivatives/EHR/sil_reg_covid*``.

    Returns
    -------
    dict
        For each patient the days and results, 1 positive and 0 negative. Undecided ones are left
        out; a day that is not told is None.

    Raises
    ------
    DataError
        If a table has a result or a date that is none.
    """
    tests: dict[str, list[tuple[datetime.date | None, int]]] = {}
    for path in _tests(folder):
        table = read_table(path, ("participant", "date", "result"), "table", "test")
        for number, row in table.iterrows():
            if row["result"].upper() not in RESULTS:
                raise DataError(
                    f"expected a result of {', '.join(RESULTS)}, got {row['result']} in row "
                    f"{number} of {path}: {AGAIN}"
                )
            day = _day(row["date"])
            if day is None:
                raise DataError(
                    f"expected a date such as 31.03.2020, got {row['date']} in row {number} of "
                    f"{path}: {AGAIN}"
                )
            result = RESULTS[row["result"].upper()]
            if result is not None:
                patient = row["participant"].removeprefix("sub-")
                tests.setdefault(patient, []).append((day, result))
    return tests


def read_findings(folder: Path) -> dict[tuple[str, str], str]:
    """What the radiologists' reports say, by patient and session.

    Parameters
    ----------
    folder : pathlib.Path
        The half's folder; the tables are ``derivatives/labels/labels*.tsv``.

    Returns
    -------
    dict
        The findings, each once, with semicolons between them.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for path in _labels(folder):
        table = read_table(path, ("PatientID", "ReportID"), "table", "report")
        labels = table["Labels"] if "Labels" in table else pd.Series("", table.index)
        for patient, report, text in zip(
            table["PatientID"], table["ReportID"], labels, strict=True
        ):
            key = patient.removeprefix("sub-"), report.removeprefix("ses-")
            found.setdefault(key, []).extend(_list(text))
    return {key: "; ".join(dict.fromkeys(names)) for key, names in found.items()}


def _list(text: str) -> list[str]:
    """The items of a list as the tables write it: in brackets, with tabs or commas between."""
    items = re.split(r"[\t,]", text.strip("[] "))
    return [item.strip(" '\"") for item in items if item.strip(" '\"")]
