"""README's table: means are of today's rows alone, the cost is of all that were made."""

import json

import pytest

from sdlib import results
from sdlib.experiments import EXPERIMENTS
from sdlib.report.readme_table import readme_table
from sdlib.results import Place
from tests.toy_experiments import TOY_SHIFTS
from tests.written_results import write_experiment


@pytest.fixture
def file(outputs, recorded, monkeypatch):
    """Recorded rows of a toy with three seeds."""
    monkeypatch.setitem(EXPERIMENTS, "toy_shifts", TOY_SHIFTS)
    write_experiment("toy_shifts", seeds=3)
    results.record("toy_shifts", "laptop", "phantom")
    return Place("toy_shifts", "laptop", "phantom").recorded_file(".jsonl")


def make_stale(file, seeds):
    """Rows of these seeds become stale, and as bad as chance."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for row in rows:
        if row["seed"] in seeds:
            row["config_hash"] = "0" * 12
            row["metrics"]["test"]["accuracy"] = 0.5
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def cells():
    (line,) = [line for line in readme_table().splitlines() if line.startswith("| toy_shifts")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_stale_rows_are_in_no_mean_though_they_have_cost_time(file):
    before = cells()
    make_stale(file, seeds=(2,))
    place = Place("toy_shifts", "laptop", "phantom")
    assert place.stale == len(TOY_SHIFTS.arms)
    plain = place.interval("test.accuracy", "plain")
    assert plain.n == 2
    _, means, *cost = cells()
    assert means.startswith(f"plain training: {plain.mean:.3f} ({plain.sd:.3f}); shifted ")
    assert plain.mean > 0.9
    assert cost == before[2:]


def test_where_all_rows_are_stale_there_is_no_mean(file):
    before = cells()
    make_stale(file, seeds=(0, 1, 2))
    assert cells() == [before[0], "-", *before[2:]]
