"""How well lungs are found: written, read, recorded, and as a table."""

import json

import numpy as np
import pytest

from sdlib.errors import DataError
from sdlib.files import DamagedError, write_json
from sdlib.results.lungs import lungs_file, lungs_table, read_lungs, record_lungs

MEASURED = {
    "networks": {"real": [0.9, 0.8, 1.0], "phantom": [0.5, 0.0, 0.4]},
    "used": "real",
    "sources": ["cohen", "hannover", "cohen"],
    "groups": ["g1", "g2", "g1"],
    "trained": {"real": 5, "phantom": 7},
    "steps": 3,
    "seed": 0,
    "seconds": 1.5,
    "code_version": "1",
    "libraries": {},
}


def test_written_recorded_and_read(outputs, recorded):
    assert read_lungs() == read_lungs(recorded=False) == {}
    with pytest.raises(DataError, match=r"nothing to record at .*python -m sdlib\.training\.lungs"):
        record_lungs()
    write_json(lungs_file(recorded=False), MEASURED)
    assert read_lungs() == {}
    assert record_lungs() == "the lungs of 3 films recorded"
    assert read_lungs() == read_lungs(recorded=False) == MEASURED


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"networks": {"real": [0.9, 0.8]}}, "expected 3 Dice coefficients"),
        ({"networks": {"real": [0.9, 0.8, 1.1]}}, "expected 3 Dice coefficients"),
        ({"networks": {"real": [0.9, 0.8, None]}}, "expected 3 Dice coefficients"),
        ({"networks": {"real": 0.9}}, "expected 3 Dice coefficients"),
        ({"used": "both"}, "the network 'both' among networks"),
        ({"groups": ["g1"]}, "as many groups as sources"),
        ({"seconds": -1}, "seconds"),
        ({"steps": "3"}, "steps"),
    ],
)
def test_damaged_measurements(outputs, recorded, changed, told):
    for file in (lungs_file(recorded=True), lungs_file(recorded=False)):
        write_json(file, MEASURED | changed)
    with pytest.raises(DamagedError, match=told):
        read_lungs()
    assert read_lungs(recorded=False) == {}


def test_a_cut_file(outputs, recorded):
    lungs_file(recorded=True).write_text(json.dumps(MEASURED)[:50])
    with pytest.raises(DamagedError, match=r"lungs\.json, line 1 is damaged"):
        read_lungs()


def test_a_line_for_each_network_and_source():
    table = lungs_table(MEASURED)
    assert table[["network", "source", "films", "groups"]].to_numpy().tolist() == [
        ["real", "cohen", 2, 1],
        ["real", "hannover", 1, 1],
        ["real", "all", 3, 2],
        ["phantom", "cohen", 2, 1],
        ["phantom", "hannover", 1, 1],
        ["phantom", "all", 3, 2],
    ]
    np.testing.assert_allclose(table["mean"], [0.95, 0.8, 0.9, 0.45, 0, 0.3])
    np.testing.assert_allclose(table["median"], [0.95, 0.8, 0.9, 0.45, 0, 0.4])
    np.testing.assert_allclose(table["least"], [0.9, 0.8, 0.8, 0.4, 0, 0])
    spread = np.std([0.5, 0, 0.4], ddof=1)
    np.testing.assert_allclose(
        table["sd"], [0.1 / 2**0.5, np.nan, 0.1, *[0.1 / 2**0.5, np.nan, spread]]
    )
