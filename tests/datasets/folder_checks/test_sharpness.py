"""Sharpness of scanners: which of them are compared."""

from types import SimpleNamespace

import pandas as pd

from sdlib.datasets.folder_checks import Grade
from sdlib.datasets.folder_checks.sharpness import check_sharpness


def of_scanner(sharpness):
    """What is found of scanners A and B, of 60 groups, and C, of one."""
    table = pd.DataFrame({"label": 0, "group": [f"p{number}" for number in range(121)]})
    table["scanner"] = ["A"] * 60 + ["B"] * 60 + ["C"]
    measured = pd.DataFrame({"sharpness": sharpness})
    found = check_sharpness(SimpleNamespace(table=table), SimpleNamespace(table=measured))
    return found[0].grade, found[0].sentence


def test_a_scanner_of_too_few_groups_is_named_and_not_compared():
    """A and B differ beyond chance, 1.03-fold or 2-fold; C is 4 times as sharp as A."""
    told = "By scanner, sharpness (median variance of the Laplacian) is C 400, B {}, A 100"
    left_out = "not tested, for they have fewer than 3 groups: C"
    assert of_scanner([100.0] * 60 + [103.0] * 60 + [400.0]) == (
        Grade.FINE,
        f"{told.format(103)} ({left_out}): no great difference (p below .001).",
    )
    grade, sentence = of_scanner([100.0] * 60 + [200.0] * 60 + [400.0])
    assert grade == Grade.LOOK
    assert sentence.startswith(f"{told.format(200)} ({left_out}): they differ 2.0-fold")
