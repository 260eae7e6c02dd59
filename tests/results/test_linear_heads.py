"""Linear heads come back from disk; what is not as it was written is refused."""

import numpy as np
import pandas as pd
import pytest

from sdlib.files import DamagedError
from sdlib.results import linear_heads
from sdlib.results.key import THIS_RUN, PlaceKey
from sdlib.results.linear_heads import (
    HEAD_COLUMNS,
    SOURCE_COLUMNS,
    file_of,
    read_heads,
    read_source_heads,
    write_heads,
)

NAMES = ("robustness", "smoke", "phantom")


def heads():
    lines = [
        ("shared", "sd_eq1", "rest", 0.1, 20, 21, 0, 0, 0.75, 0.5, 0.25, 0.625, 0.0),
        ("added", "sd_eq2", "rest", np.nan, 0, 70, 0, 0, 1.0, 1.0, 0.0, 0.5, 0.125),
        ("added", "weight_decay", "theory", np.inf, 0, 70, 0, 0, 1.0, 1.0, 0.0, 0.5, 0.125),
    ]
    return pd.DataFrame(lines, columns=list(HEAD_COLUMNS))


def sources():
    return pd.DataFrame([("added", "cohen", 30, 0, 0.9375)], columns=list(SOURCE_COLUMNS))


@pytest.fixture(autouse=True)
def folders(outputs, recorded):
    pass


def test_they_come_back_and_are_recorded():
    own, kept = PlaceKey(*NAMES, THIS_RUN), PlaceKey(*NAMES)
    assert read_heads(own).empty
    assert list(read_heads(kept).columns) == list(HEAD_COLUMNS)
    assert linear_heads.record(*NAMES) == ""
    write_heads(own, heads(), sources(), "a network")
    assert read_heads(kept).empty
    assert linear_heads.record(*NAMES) == "linear heads recorded"
    for key in (own, kept):
        pd.testing.assert_frame_equal(read_heads(key), heads(), check_dtype=False)
        with np.load(file_of(key)) as stored:
            assert stored["features_of"].tolist() == ["a network"]
        pd.testing.assert_frame_equal(read_source_heads(key), sources(), check_dtype=False)
    assert file_of(kept).name == "robustness-phantom-smoke-heads.npz"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"features_of": None}, "features_of to say which network"),
        ({"heads/arm": None}, "expected a column heads/arm of str"),
        ({"heads/outside": np.array([0.5, np.nan, 0.5])}, "from 0 to 1 in heads/outside"),
        ({"heads/outside": np.array([0.5, 1.5, 0.5])}, "from 0 to 1 in heads/outside"),
        ({"heads/films": np.array([0.5, 1.5, 0.5])}, "expected a column heads/films of int16"),
        ({"heads/stage": np.array(["rest", "rest", "end"])}, "rest, steps, theory, got 'end'"),
        ({"sources/auroc": np.array([0.5, 0.5])}, r"of one length in sources, got \[1, 2\]"),
    ],
)
def test_a_damaged_file(change, match):
    own, kept = PlaceKey(*NAMES, THIS_RUN), PlaceKey(*NAMES)
    write_heads(own, heads(), sources(), "a network")
    arrays = dict(np.load(file_of(own))) | change
    np.savez(file_of(own), **{name: one for name, one in arrays.items() if one is not None})
    assert read_heads(own).empty  # it will be made again
    assert linear_heads.record(*NAMES) == ""
    file_of(kept).write_bytes(file_of(own).read_bytes())
    with pytest.raises(DamagedError, match=match) as info:
        read_heads(kept)
    assert "restore it with git checkout" in str(info.value)
