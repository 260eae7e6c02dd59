"""Recording an experiment that borrows: the trials that tuned its arms come with its rows."""

import json

import pytest

from sdlib import results
from sdlib.experiments import EXPERIMENTS, Run, Search
from sdlib.experiments.trials import read_trials, recorded_trials_file
from sdlib.results import Place
from sdlib.results.shown_places import columns, shown
from tests.toy_experiments import TOYS
from tests.written_results import write_experiment, write_run, write_search

AT = ("long", "phantom")
BORROWED = Search("toy_shifts", "decay", *AT)


@pytest.fixture(autouse=True)
def registered(monkeypatch, outputs, recorded):
    for toy in TOYS:
        monkeypatch.setitem(EXPERIMENTS, toy.name, toy)


class TestBorrowedTrials:
    def test_tuned_rows_are_todays_where_nothing_else_is_recorded(self, tmp_path, monkeypatch):
        """As on the machine of a reader, who has the recorded files alone."""
        write_experiment("toy_borrower", *AT, seeds=2)
        assert results.record("toy_borrower", *AT)[0] == "6 rows recorded"
        monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path / "a reader's"))
        place = Place("toy_borrower", *AT)
        assert place.stale == 0
        assert place.arms == ["plain", "firm", "found"]
        trials = read_trials(BORROWED, recorded=True)
        assert len(trials) == 2
        best = max(trials, key=lambda trial: trial["value"])["values"]
        assert place.setting("found")["weight_decay"] == best["weight_decay"]
        assert not recorded_trials_file("toy_borrower", *AT).exists()

    def test_trials_recorded_before_are_kept(self):
        write_search("toy_shifts", "decay", 2, *AT)
        write_search("toy_shifts", "decay_seen", 2, *AT)
        write_run("toy_shifts", "plain", 0, *AT)
        results.record("toy_shifts", *AT)
        file = recorded_trials_file("toy_shifts", *AT)
        before = file.read_text()
        assert len(before.splitlines()) == 4
        # This machine loses one search and records the experiment that borrows the other.
        Search("toy_shifts", "decay_seen", *AT).file.unlink()
        write_run("toy_borrower", "found", 0, *AT)
        results.record("toy_borrower", *AT)
        assert file.read_text() == before

    def test_without_any_trials_no_file_is_written(self):
        write_run("toy_borrower", "plain", 0, *AT)
        results.record("toy_borrower", *AT)
        assert not recorded_trials_file("toy_shifts", *AT).exists()
        assert len(Place("toy_borrower", *AT).rows) == 1


def test_logits_that_are_not_kept_are_not_recorded_though_their_metrics_are():
    write_run("toy_borrower", "plain", 0, *AT)
    results.record("toy_borrower", *AT)
    place = Place("toy_borrower", *AT)
    assert place.logits("plain", "counted") == {}
    assert set(place.logits("plain", "test")) == {0}
    row = json.loads(Run("toy_borrower", "plain", 0, *AT).row_file.read_text())
    own = row["metrics"]["counted"]["accuracy"]
    assert place.values("counted.accuracy", "plain").tolist() == [own]
    assert place.ensemble("plain", "counted") is None


class TestShownPlaces:
    """An experiment that the book records at another profile than its own laptop."""

    def test_its_own_profile_is_always_a_column(self):
        names = [place.name for place in columns("toy_borrower", "smoke", "phantom")]
        assert names == ["recorded: phantom, long", "this run: phantom, smoke"]
        others = [place.name for place in columns("toy_shifts", "smoke", "phantom")]
        assert others[:2] == ["recorded: phantom, laptop", "recorded: open, laptop"]

    def test_recorded_rows_at_its_profile_are_shown_at_any(self):
        for profile in ("smoke", "laptop", "long"):
            place = shown("toy_borrower", profile, "phantom")
            assert not place.recorded  # nothing is recorded
            # At a profile at which it is not run, the command is that of the book's own.
            assert place.profile == ("smoke" if profile == "smoke" else "long")
        write_run("toy_borrower", "plain", 0, *AT)
        results.record("toy_borrower", *AT)
        for profile in ("smoke", "laptop", "long"):
            place = shown("toy_borrower", profile, "phantom")
            assert (place.profile, place.recorded) == ("long", True)
        assert shown("toy_borrower", "smoke", "open").name == "recorded: phantom, long"

    def test_this_machines_rows_come_first_where_they_are_wanted(self):
        write_run("toy_borrower", "plain", 0, *AT)
        results.record("toy_borrower", *AT)
        for profile in ("laptop", "long"):
            place = shown("toy_borrower", profile, "phantom", figures="this run")
            assert place.name == "this run: phantom, long"
        place = shown("toy_borrower", "smoke", "phantom", figures="this run")
        assert place.name == "recorded: phantom, long"
