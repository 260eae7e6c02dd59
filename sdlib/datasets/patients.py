"""Names of patients in collections of films, so that one patient is one group in all of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sdlib.datasets.group_names import canonical

__all__ = ["joined_patients", "patient_name"]

#: Collections in which a letter behind a patient's number tells films or members of one report.
LETTERED = ("cohen", "figure1")
LETTER = re.compile(r"(?<=[0-9])[a-z]$")


def patient_name(collection: str, patient: str) -> str:
    """Name a patient by the collection and the identifier there.

    The collection is a part of the name, since patient 8 of one is not patient 8 of another, and
    since a set that was put together from others (such as COVIDx8) then has the others' patients.
    In Cohen's collection and in Figure1 a letter behind the number is dropped: COVID-00003a and
    COVID-00003b are films of one patient, and where 311a and 311b are two patients of one report,
    to keep them together harms no split.

    Parameters
    ----------
    collection : str
        Where the patient's films are from, such as ``"cohen"``.
    patient : str
        The identifier there.

    Returns
    -------
    str
        The name of the group.

    Examples
    --------
    >>> patient_name("figure1", "COVID-00003b"), patient_name("hannover", "04a33bab")
    ('figure1/COVID-00003', 'hannover/04a33bab')
    """
    patient = canonical(patient)
    if collection in LETTERED:
        patient = LETTER.sub("", patient)
    return f"{collection}/{patient}"


def joined_patients(patients: Sequence[str], films: Sequence[str]) -> np.ndarray:
    """Join patients who have a film in common: they are one person under two names.

    Parameters
    ----------
    patients : sequence of str
        The patient of each row of a table.
    films : sequence of str
        What identifies the film of each row, such as its file or a hash of its content.

    Returns
    -------
    numpy.ndarray
        str, one per row: of those who are one, the name that sorts first.

    Examples
    --------
    >>> joined_patients(["b", "a", "a", "c"], ["1.png", "1.png", "2.png", "3.png"]).tolist()
    ['a', 'a', 'a', 'c']
    """
    names, patient = np.unique(np.asarray(patients, str), return_inverse=True)
    _, film = np.unique(np.asarray(films, str), return_inverse=True)
    # Two patients are one if a path of shared films leads from one to the other.
    n_films = int(film.max(initial=-1)) + 1
    pairs = (np.ones(len(film), np.int8), (patient, len(names) + film))
    side = len(names) + n_films
    _, component = connected_components(coo_array(pairs, shape=(side, side)), directed=False)
    # Components are numbered from 0, and each holds a patient.
    _, first = np.unique(component[: len(names)], return_index=True)
    return names[first[component[patient]]]
