"""Patients who share films are one, by brute force and by the library."""

import numpy as np
from hypothesis import given, strategies as st

from sdlib.datasets.patients import joined_patients, patient_name


def by_brute_force(patients, films):
    names = list(patients)
    for _ in patients:
        for i, one in enumerate(films):
            for j, other in enumerate(films):
                if one == other or patients[i] == patients[j]:
                    names[i] = min(names[i], names[j])
    return names


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("123456")), max_size=12))
def test_joined_as_by_brute_force(rows):
    patients = [patient for patient, _ in rows]
    films = [film for _, film in rows]
    assert joined_patients(patients, films).tolist() == by_brute_force(patients, films)


def test_patients_without_a_common_film_are_left_alone():
    patients = [f"p{number:03}" for number in range(500)]
    found = joined_patients(patients, np.arange(500).astype(str))
    assert found.tolist() == patients


def test_a_letter_is_dropped_only_where_it_is_no_part_of_the_identifier():
    assert patient_name("cohen", "311b") == "cohen/311"
    assert patient_name("cohen", "17.0") == "cohen/17"
    assert patient_name("figure1", "COVID-00003a") == "figure1/COVID-00003"
    assert patient_name("rsna", "0a35-9c") == "rsna/0a35-9c"
    assert patient_name("hannover", "042f06a") == "hannover/042f06a"
