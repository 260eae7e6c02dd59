"""Rows counted and timed, on rows that are written here."""

import json
from dataclasses import replace

import pytest

from sdlib.experiments import EXPERIMENTS, Run
from sdlib.report import costs
from sdlib.results import Place, sentence
from tests.toy_experiments import TOY_SHIFTS

SECONDS = (10.0, 20.0)


def rows_of(row_of, **changes):
    for seed, seconds in enumerate(SECONDS):
        run = Run("cutout", "control", seed, "quick")
        yield run, row_of(run, **changes, test__accuracy=0.8) | {"seconds": seconds}


@pytest.fixture
def recorded_here(outputs, recorded, row_of):
    """Two recorded runs of one arm."""
    place = Place("cutout", "quick", "phantom")
    lines = [json.dumps(row) + "\n" for _, row in rows_of(row_of)]
    place.recorded_file(".jsonl").write_text("".join(lines))
    return place


def test_recorded_rows_are_counted(recorded_here):
    rows = costs.recorded_rows()
    assert list(rows["seconds"]) == list(SECONDS)
    assert set(rows["origin"]) == {"recorded"}
    line = costs.row_counts(rows).loc[("cutout", "phantom", "quick", "cpu")]
    assert dict(line) == {"runs": 2, "arms": 1, "stale": 0, "hours": round(30 / 3600, 2)}


def test_stale_rows_are_counted_too(recorded_here, row_of):
    lines = [json.dumps(row) + "\n" for _, row in rows_of(row_of, stamp="old")]
    recorded_here.recorded_file(".jsonl").write_text("".join(lines))
    assert costs.row_counts(costs.recorded_rows())["stale"].sum() == 2


def test_this_machines_rows_have_the_same_columns(recorded_here, row_of):
    for run, row in rows_of(row_of):
        run.folder.mkdir(parents=True)
        run.row_file.write_text(json.dumps(row))
    own = costs.own_rows("quick", "phantom")
    assert list(own.columns) == list(costs.recorded_rows().columns)
    assert set(own["origin"]) == {"this run"}
    assert len(own) == 2
    assert not len(costs.own_rows("laptop", "phantom"))


def test_speed_is_images_over_seconds(recorded_here):
    table = costs.speed_table(costs.recorded_rows())
    line = table.loc[("recorded", "quick", "phantom", "cpu")]
    seen = 700 * 5
    assert line["count"] == 2
    assert line["mean"] == round((seen / 10 + seen / 20) / 2)


def test_speed_counts_the_images_that_each_row_was_trained_on(recorded_here, row_of, monkeypatch):
    """By its own configuration: that of the experiment, and of its day where it is stale."""
    toy = replace(TOY_SHIFTS, overrides={"quick": {"tiles": 100, "epochs": 2}})
    monkeypatch.setitem(EXPERIMENTS, toy.name, toy)
    row = row_of(Run(toy.name, "plain", 0, "quick"), test__accuracy=0.8) | {"seconds": 7.0}
    stale = row | {"seed": 1, "config_hash": "old", "config": row["config"] | {"epochs": 4}}
    few = row | {"seed": 3, "config": row["config"] | {"train_most": 35}}
    lent = row | {"seed": 2, "seconds": 0.1, "network_of": "toy_scanners/plain/seed2"}
    lines = [json.dumps(one) + "\n" for one in (row, stale, lent, few)]
    Place(toy.name, "quick", "phantom").recorded_file(".jsonl").write_text("".join(lines))
    rows = costs.recorded_rows()
    mine = rows[rows["experiment"] == toy.name]
    assert mine["images"].tolist() == [70 * 2, 70 * 4, 0, 35 * 2]
    line = costs.speed_table(mine).loc[("recorded", "quick", "phantom", "cpu")]
    assert line["count"] == 3
    assert line["mean"] == round((20 + 40 + 10) / 3)


def test_hours_are_added_over_runs(recorded_here):
    table = costs.cost_table([recorded_here.of("robustness")])
    assert list(table.index) == [("recorded: phantom, quick", "cutout")]
    assert list(table.iloc[0]) == [2, "0.01", "0.00", "cpu"]


def test_a_training_that_two_arms_share_is_counted_once(outputs, recorded, row_of, monkeypatch):
    trained = row_of(Run("cutout", "sd_eq2", 0, "quick"), test__accuracy=0.8) | {"seconds": 3600.0}
    copied = trained | {"arm": "sd_eq2_tuned", "trained_as": "sd_eq2"}
    place = Place("cutout", "quick", "phantom")
    lines = [json.dumps(row) + "\n" for row in (trained, copied)]
    place.recorded_file(".jsonl").write_text("".join(lines))
    monkeypatch.setattr("sdlib.results.rows._stale", lambda rows, recorded: [False] * len(rows))
    assert place.seconds == 3600
    assert "2 runs, 2 arms, up to 1 seeds, 1.00 hours on cpu" in sentence(place)
    assert costs.cost_table([place])["hours of runs"].tolist() == ["1.00"]
    assert costs.row_counts(costs.recorded_rows())["hours"].tolist() == [1]
    counted = costs.speed_table(costs.recorded_rows())["count"]
    assert counted.tolist() == [1]


def test_without_rows_there_are_no_lines(outputs, recorded):
    assert not len(costs.recorded_rows())
    assert not len(costs.row_counts(costs.recorded_rows()))
    assert not len(costs.cost_table([Place("cutout", "quick", "phantom")]))
