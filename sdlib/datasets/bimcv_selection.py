"""Which films of BIMCV-COVID19 are kept, with which label, and why the others are left out."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sdlib.datasets.bimcv_files import (
    Film,
    find_films,
    first_value,
    read_findings,
    read_patients,
    read_tags,
    read_tests,
    series_description,
    study_date,
)
from sdlib.datasets.bimcv_views import film_view
from sdlib.errors import DataError
from sdlib.films import film_tags, parse_json_tags

__all__ = ["HALVES", "REASONS", "BimcvSelection", "nearest_result", "select_films"]

#: The halves and the label of a film in each, in the order in which they are read.
HALVES = {"plus": 1, "minus": 0}
KEPT = ("PA", "AP")
#: Why a film may be left out; one reason is counted for each film.
REASONS = {
    "unlisted": "its patient is not in participants.tsv",
    "copy": "the same film of the same session is there already, as a rule in the other half",
    "no tags": "it has no JSON",
    "damaged tags": "its JSON cannot be used",
    "not the chest": "it shows another part of the body",
    "lateral": "it is a lateral view",
    "supine": "the patient lay on the back",
    "view unknown": "nothing tells its view",
    "no window": "its tags have no window and no table of values of interest",
    "no test": "its patient is in both halves, and no test tells its label",
    "damaged image": "its PNG cannot be read",
}
VIEW_REASONS = {
    "AP supine": "supine",
    "lateral": "lateral",
    "other part of the body": "not the chest",
    "": "view unknown",
}
MANUFACTURER = "00080070"
FILM_COLUMNS = (
    *("half", "file", "patient", "session", "label", "view", "bedside"),
    *("modality", "scanner", "findings"),
)
DROPPED_COLUMNS = ("half", "file", "reason", "why")
Tests = Mapping[str, Sequence[tuple[datetime.date | None, int]]]


@dataclass(frozen=True, eq=False)
class BimcvSelection:
    """The films that are kept, and those that are not.

    Parameters
    ----------
    films : pandas.DataFrame
        One row a film: ``half`` ("plus" or "minus"), ``file`` (from the half's folder),
        ``patient``, ``session``, ``label`` (0 or 1), ``view`` ("PA" or "AP"), ``bedside`` (bool),
        ``modality`` ("cr" or "dx"), ``scanner`` (its manufacturer) and ``findings``.
    dropped : pandas.DataFrame
        One row a film: ``half``, ``file``, ``reason`` (a key of :data:`REASONS`) and ``why`` (the
        sentence of an error, where there was one).
    """

    films: pd.DataFrame
    dropped: pd.DataFrame

    def counts(self) -> dict[str, int]:
        """How many films and patients there are, and how many films each reason has left out.

        Returns
        -------
        dict of str to int
            ``films``, ``positive patients``, ``negative patients`` (a patient with films of both
            labels counts in both), and each reason that occurs, in the order of :data:`REASONS`.

        Examples
        --------
        >>> films = pd.DataFrame({"patient": ["a", "a", "b"], "label": [1, 0, 0]})
        >>> BimcvSelection(films, pd.DataFrame({"reason": ["lateral"]})).counts()
        {'films': 3, 'positive patients': 1, 'negative patients': 2, 'lateral': 1}
        """
        patients = self.films.groupby("label")["patient"].nunique()
        reasons = Counter(self.dropped["reason"])
        return {
            "films": len(self.films),
            "positive patients": int(patients.get(1, 0)),
            "negative patients": int(patients.get(0, 0)),
            **{reason: reasons[reason] for reason in REASONS if reasons[reason]},
        }


def select_films(folders: Mapping[str, Path]) -> BimcvSelection:
    """Select the films of both halves by their paths, tags and tables; no image is read.

    Kept is a PA or upright AP film of the chest (see :mod:`sdlib.datasets.bimcv_views`) of a listed
    patient, with tags that hold a window. Its label is that of its half: 1 in BIMCV-COVID19+, 0
    in BIMCV-COVID19-. A patient who is in both halves is one patient, and a film of that patient
    is labelled by the tests of both halves (see :func:`nearest_result`).

    Parameters
    ----------
    folders : mapping of str to pathlib.Path
        The folder of each of :data:`HALVES`, with its ``participants.tsv``.

    Returns
    -------
    BimcvSelection
        In the order of the halves, and of the paths in each.

    Raises
    ------
    DataError
        If a table is not as published, or a half has no films, or there are patients in both
        halves and no tests.
    """
    listed = {half: read_patients(folders[half]) for half in HALVES}
    found = {half: find_films(folders[half]) for half in HALVES}
    both = set.intersection(*listed.values())
    tests = _all_tests(folders, both)
    kept, dropped = [], []
    seen: set[tuple[str, str, str]] = set()
    for half in HALVES:
        findings = read_findings(folders[half])
        for film in found[half]:
            name = film.patient, film.session, Path(film.file).name
            row = {"half": half, "file": film.file}
            try:
                if film.patient not in listed[half]:
                    raise _Dropped("unlisted")
                if name in seen:
                    raise _Dropped("copy")
                seen.add(name)
                row |= _kept(film, folders[half], half, film.patient in both, tests)
                row["findings"] = findings.get((film.patient, film.session), "")
            except _Dropped as reason:
                dropped.append({**row, "reason": reason.key, "why": reason.why})
            else:
                kept.append(row)
    return BimcvSelection(
        pd.DataFrame(kept, columns=list(FILM_COLUMNS)),
        pd.DataFrame(dropped, columns=list(DROPPED_COLUMNS)),
    )


class _Dropped(Exception):
    """A film is left out; ``key`` is the reason, ``why`` the sentence of an error."""

    def __init__(self, key: str, why: str = "") -> None:
        super().__init__(key)
        self.key, self.why = key, why


def _all_tests(folders: Mapping[str, Path], both: Iterable[str]) -> Tests:
    """The tests of the patients who are in both halves."""
    both = set(both)
    if not both:
        return {}
    tests: dict[str, list[tuple[datetime.date | None, int]]] = {}
    for half in HALVES:
        for patient, results in read_tests(folders[half]).items():
            if patient in both:
                tests.setdefault(patient, []).extend(results)
    if not tests:
        places = " or ".join(str(folders[half] / "derivatives" / "EHR") for half in HALVES)
        raise DataError(
            f"expected the tests of the {len(both)} patients who are in both halves in "
            f"sil_reg_covid*.tsv in {places}, found none: unpack the archive of the derivatives"
        )
    return tests


def _kept(film: Film, folder: Path, half: str, in_both: bool, tests: Tests) -> dict[str, object]:
    """The columns of a film that is kept; ``_Dropped`` if it is not."""
    if not film.has_tags:
        raise _Dropped("no tags")
    path = folder / film.file
    try:
        content = read_tags(path)
        # Before the tables of values, which take longer to read than all the rest.
        view, bedside = film_view(series_description(content), film.named_view, film.part)
        if view not in KEPT:
            raise _Dropped(VIEW_REASONS[view])
        tags = film_tags(parse_json_tags(content, str(path.with_suffix(".json"))), str(path))
    except DataError as error:
        raise _Dropped("damaged tags", str(error)) from error
    if not tags.has_window:
        raise _Dropped("no window")
    label: int | None = HALVES[half]
    if in_both:
        label = nearest_result(tests.get(film.patient, ()), study_date(content))
    if label is None:
        raise _Dropped("no test")
    return {
        "patient": film.patient,
        "session": film.session,
        "label": label,
        "view": view,
        "bedside": bedside,
        "modality": film.modality,
        "scanner": first_value(content, MANUFACTURER),
    }


def nearest_result(
    tests: Sequence[tuple[datetime.date | None, int]], day: datetime.date | None
) -> int | None:
    """The result of the test that is nearest in time to a film, before or after it.

    Parameters
    ----------
    tests : sequence of (datetime.date or None, int)
        Days and results, 1 positive and 0 negative, of whatever kind of test.
    day : datetime.date, optional
        The day of the film.

    Returns
    -------
    int or None
        Of equally near tests a positive one counts. Without the film's day, the result in which
        all tests agree; None where they do not, or where there are none.

    Examples
    --------
    >>> march = datetime.date(2020, 3, 1), datetime.date(2020, 3, 20)
    >>> tests = [(march[0], 0), (march[1], 1)]
    >>> nearest_result(tests, datetime.date(2020, 3, 5)), nearest_result(tests, None)
    (0, None)
    """
    dated = [(abs((when - day).days), -result) for when, result in tests if when and day]
    if dated:
        return -min(dated)[1]
    results = {result for _, result in tests}
    return results.pop() if len(results) == 1 else None
