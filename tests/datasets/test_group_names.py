"""One spelling for one patient, and a warning where two names may be one."""

import itertools
import unicodedata
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, strategies as st

from sdlib.datasets.group_names import canonical, canonical_groups, doubtful_groups, visible


@given(st.text())
def test_canonical_names_are_their_own(text):
    assert canonical(canonical(text)) == canonical(text)
    assert unicodedata.is_normalized("NFC", visible(text))


@given(st.text(), st.sampled_from([" ", "\u00a0", "\u200b", "\u2060", "\ufeff", "\u00ad", "\t"]))
def test_what_cannot_be_seen_around_a_name_does_not_matter(text, invisible):
    assert canonical(invisible + text + invisible) == canonical(text)
    assert canonical(unicodedata.normalize("NFD", text)) == canonical(text)


NUMBERS = ("0", "-0", "0.0", "17", "17.", "17.0", "+17", "1.7E+01", "1.7e+1", "17.5", "17.50",
           "-17", "-17.00", "1E+2", "100", "100.0", "1000", "9007199254740993",
           "9007199254740993.0", "9007199254740992", "0.5E+0", "0.5")  # fmt: skip


@pytest.mark.parametrize(("one", "other"), itertools.combinations(NUMBERS, 2))
def test_numbers_are_one_name_where_they_are_equal(one, other):
    assert (canonical(one) == canonical(other)) == (Decimal(one) == Decimal(other))


@pytest.mark.parametrize(
    "name",
    ["007", "7a", "1E5", "12e3", "1.2.3", "p17.0", "1,5", "nan", "inf", "٣", "-", ".", "1_0"],
)
def test_codes_are_kept(name):
    assert canonical(name) == name


def test_arrays_keep_their_order_and_other_types():
    assert canonical_groups(np.array(["b ", "a", "b"])).tolist() == ["b", "a", "b"]
    assert canonical_groups(np.array(["1", "1.0"], object)).tolist() == ["1", "1"]
    assert canonical_groups(np.array([3, 1])).tolist() == [3, 1]
    assert canonical_groups(np.array([3, "a"], object)).tolist() == [3, "a"]
    assert canonical_groups(np.array([], str)).tolist() == []


def test_doubts():
    names = [
        "Anna",
        "anna",
        "ANNA",
        "7",
        "007",
        "p01",
        "P1",
        "Straße",
        "STRASSE",
        "b",
        "1.05",
        "1.5",
    ]
    assert doubtful_groups([*names, *names]) == [
        ("007", "7"),
        ("ANNA", "Anna", "anna"),
        ("P1", "p01"),
        ("STRASSE", "Straße"),
    ]
