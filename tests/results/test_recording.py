"""Recording: what fits together is recorded together, borrowed trials with the rows they tuned."""

import json
from dataclasses import replace

import numpy as np
import pytest

from sdlib import results
from sdlib.errors import DataError
from sdlib.experiments import EXPERIMENTS, Run, Search
from sdlib.experiments.measurements import SWEEP
from sdlib.experiments.trials import read_trials, recorded_trials_file
from sdlib.files import DamagedError
from sdlib.metrics import summary
from sdlib.results import Place
from sdlib.results.shown_places import columns, shown
from tests import written_results
from tests.toy_experiments import TOY_SHIFTS, TOYS
from tests.written_results import write_experiment, write_run, write_search, write_sweep

AT = ("long", "phantom")
SMOKE = ("smoke", "phantom")  # where the toys have all their arms
BORROWED = Search("toy_shifts", "decay", *AT)


@pytest.fixture(autouse=True)
def registered(monkeypatch, outputs, recorded):
    for toy in TOYS:
        monkeypatch.setitem(EXPERIMENTS, toy.name, toy)


@pytest.fixture
def another_machine(tmp_path, monkeypatch):
    """From the call on, outputs are those of a machine that has made nothing yet."""
    return lambda: monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path / "another machine's"))


def content_of(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def turn_around(search):
    """The worst trial of a search becomes its best, and the other way around."""
    lines = [json.loads(line) for line in search.file.read_text().splitlines()]
    for line in lines:
        line["value"] = 1 - line["value"]
    search.file.write_text("".join(json.dumps(line) + "\n" for line in lines))


class TestTrialsAlone:
    def test_they_are_recorded_without_rows(self):
        write_search("toy_shifts", "decay", 2, *AT)
        assert results.record("toy_shifts", *AT) == ["2 trials recorded"]
        assert read_trials(BORROWED, recorded=True) == read_trials(BORROWED)
        assert not Place("toy_shifts", *AT).recorded_file(".jsonl").exists()

    def test_they_take_the_place_of_a_damaged_file_as_its_message_says(self):
        file = recorded_trials_file("toy_shifts", *AT)
        file.write_text("{}\n")
        with pytest.raises(DamagedError, match="or remove it and make it again with `python -m"):
            read_trials(BORROWED)
        file.unlink()
        write_search("toy_shifts", "decay", 2, *AT)
        results.record("toy_shifts", *AT)
        assert len(read_trials(BORROWED, recorded=True)) == 2

    def test_those_of_searches_that_were_not_run_here_are_kept(self, another_machine):
        write_search("toy_shifts", "decay_seen", 2, *AT)
        results.record("toy_shifts", *AT)
        another_machine()
        write_search("toy_shifts", "decay", 1, *AT)
        assert results.record("toy_shifts", *AT) == ["1 trials recorded"]
        assert len(Place("toy_shifts", *AT).trials) == 3

    def test_stale_trials_are_not_recorded(self):
        write_search("toy_shifts", "decay", 2, *AT)
        BORROWED.file.write_text(BORROWED.file.read_text().replace(BORROWED.config_hash, "0" * 12))
        with pytest.raises(DataError, match="nothing to record of toy_shifts"):
            results.record("toy_shifts", *AT)

    def test_they_are_counted_beside_rows_and_sweep(self):
        write_search("toy_shifts", "decay", 2, *AT)
        write_run("toy_shifts", "plain", 0, *AT)
        write_sweep("toy_shifts", *AT)
        said = ["1 rows recorded", "the sweep of 1 networks recorded", "2 trials recorded"]
        assert results.record("toy_shifts", *AT) == said


class TestOtherTiles:
    """A second machine brings another arm; its test tiles are as many, and others."""

    @pytest.fixture
    def first(self, recorded, another_machine, monkeypatch):
        """Row, predictions and sweep of an arm, recorded by the first machine."""
        write_run("toy_shifts", "plain", 0, *AT)
        write_sweep("toy_shifts", *AT)
        results.record("toy_shifts", *AT)
        another_machine()
        monkeypatch.setattr(written_results, "TARGETS", written_results.TARGETS[::-1].copy())
        return content_of(recorded)

    @pytest.mark.parametrize("swept", [True, False])
    def test_nothing_is_recorded(self, first, recorded, swept):
        write_run("toy_shifts", "firm", 0, *AT)
        if swept:
            write_sweep("toy_shifts", *AT)
        with pytest.raises(
            DataError,
            match=r"the images of the cohort (test|validation) are not the same here as where "
            r"toy_shifts/plain/seed0 was recorded \(1 such .*: run .*, and record again$",
        ):
            results.record("toy_shifts", *AT)
        assert content_of(recorded) == first

    def test_all_rows_together_are_recorded(self, first):
        for arm in ("plain", "firm"):
            write_run("toy_shifts", arm, 0, *AT)
        write_sweep("toy_shifts", *AT)
        results.record("toy_shifts", *AT)
        place = Place("toy_shifts", *AT)
        assert set(place.sweep.logits) == {("plain", 0), ("firm", 0)}
        for arm in ("plain", "firm"):
            logits = place.logits(arm, "test")[0].astype(np.float64)
            again = summary(place.targets("test"), logits, from_logits=True)
            assert place.values("test.accuracy", arm) == pytest.approx(again["accuracy"])

    def test_stale_rows_hinder_nothing(self, first, recorded):
        file = Place("toy_shifts", *AT).recorded_file(".jsonl")
        row = json.loads(file.read_text()) | {"config_hash": "0" * 12}
        file.write_text(json.dumps(row) + "\n")
        write_run("toy_shifts", "firm", 0, *AT)
        write_sweep("toy_shifts", *AT)
        assert results.record("toy_shifts", *AT) == [
            "1 rows recorded",
            "the sweep of 1 networks recorded; 1 stale ones left out",
        ]
        place = Place("toy_shifts", *AT)
        assert (place.stale, place.arms, place.scored) == (1, ["firm"], ["firm"])

    def test_patients_are_compared_too(self, recorded, another_machine):
        write_run("toy_shifts", "plain", 0, *AT)
        with_groups(Run("toy_shifts", "plain", 0, *AT), np.arange(400) // 2)
        results.record("toy_shifts", *AT)
        another_machine()
        write_run("toy_shifts", "firm", 0, *AT)
        with_groups(Run("toy_shifts", "firm", 0, *AT), np.arange(400) // 4)
        with pytest.raises(DataError, match="images of the cohort test are not the same here"):
            results.record("toy_shifts", *AT)

    def test_runs_of_one_machine_on_two_sets_of_tiles(self, recorded, monkeypatch):
        write_run("toy_shifts", "plain", 0, *AT)
        monkeypatch.setattr(written_results, "TARGETS", written_results.TARGETS[::-1].copy())
        write_run("toy_shifts", "firm", 0, *AT)
        sentence = r"not the same for all of this machine's runs: make the older ones again, as toy"
        with pytest.raises(DataError, match=sentence):
            results.record("toy_shifts", *AT)
        assert list(recorded.iterdir()) == []

    def test_a_sweep_of_other_levels(self, recorded, another_machine, monkeypatch):
        write_run("toy_shifts", "plain", 0, *AT)
        write_sweep("toy_shifts", *AT)
        results.record("toy_shifts", *AT)
        before = content_of(recorded)
        another_machine()
        fewer = replace(TOY_SHIFTS, measurements=(replace(SWEEP, shifts=("blur",)),))
        monkeypatch.setitem(EXPERIMENTS, "toy_shifts", fewer)
        write_run("toy_shifts", "firm", 0, *AT)
        write_sweep("toy_shifts", *AT)
        with pytest.raises(DataError, match="the levels of the sweep are not the same here"):
            results.record("toy_shifts", *AT)
        assert content_of(recorded) == before


def with_groups(run, groups):
    """The test tiles of a run are of these patients."""
    file = run.folder / "targets.npz"
    with np.load(file) as stored:
        arrays = dict(stored)
    np.savez(file, **arrays, **{"test.groups": groups.astype(np.int16)})


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

    @pytest.mark.parametrize("arm", ["found", "plain"])
    def test_another_result_of_the_search_does_not_replace_the_recorded_one(
        self, another_machine, recorded, arm
    ):
        """The rows of the experiment that lends its search were tuned by it."""
        write_experiment("toy_shifts", *SMOKE, seeds=2)
        results.record("toy_shifts", *SMOKE)
        before = content_of(recorded)
        another_machine()
        write_search("toy_shifts", "decay", 2, *SMOKE)
        turn_around(Search("toy_shifts", "decay", *SMOKE))
        write_run("toy_borrower", arm, 0, *SMOKE)
        if arm == "found":
            sentence = r"recorded best of toy_shifts/decay, .*0.01.*, got .*0.02.*: record toy_shif"
            with pytest.raises(DataError, match=sentence):
                results.record("toy_borrower", *SMOKE)
            assert content_of(recorded) == before
        else:  # not tuned by it
            assert results.record("toy_borrower", *SMOKE) == ["1 rows recorded"]
        assert {name: content_of(recorded)[name] for name in before} == before
        place = Place("toy_shifts", *SMOKE)
        assert (place.stale, place.arms) == (0, ["plain", "firm", "found", "turned"])

    def test_trials_that_found_the_same_leave_the_recorded_ones(self, another_machine):
        write_experiment("toy_shifts", *AT, seeds=1)
        results.record("toy_shifts", *AT)
        file = recorded_trials_file("toy_shifts", *AT)
        before = file.read_text()
        another_machine()
        write_search("toy_shifts", "decay", 2, *AT, seed=len("decay"))
        BORROWED.file.write_text(
            BORROWED.file.read_text().replace('"seconds": 1.0', '"seconds": 2')
        )
        write_run("toy_borrower", "found", 0, *AT)
        assert results.record("toy_borrower", *AT) == ["1 rows recorded"]
        assert file.read_text() == before

    def test_stale_recorded_trials_are_none(self):
        write_search("toy_shifts", "decay", 2, *AT)
        file = recorded_trials_file("toy_shifts", *AT)
        file.write_text(BORROWED.file.read_text().replace(BORROWED.config_hash, "0" * 12))
        write_run("toy_borrower", "found", 0, *AT)
        said = ["1 rows recorded", "2 trials of toy_shifts recorded"]
        assert results.record("toy_borrower", *AT) == said
        assert read_trials(BORROWED, recorded=True) == read_trials(BORROWED)

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
