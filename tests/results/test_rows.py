"""Rows as written, read, found stale, recorded."""

import dataclasses
import json
import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from sdlib import results
from sdlib.errors import ConfigError, DataError
from sdlib.experiments import PROFILES, Run, Search
from sdlib.results import Place
from sdlib.results.predictions import compact, read_predictions
from sdlib.results.rows import LIBRARIES

NAMES = ("cutout", "quick", "phantom")


def own():
    """This machine's place, read anew."""
    return Place(*NAMES, "this run")


def recorded_place():
    return Place(*NAMES)


def run_of(arm, seed=0):
    return Run("cutout", arm, seed, "quick")


@pytest.fixture
def write(outputs, recorded, row_of):
    """`write(run)`: a row, its predictions and targets, as `execute` leaves them."""

    def make(run, accuracy=0.75, **changes):
        row = {**row_of(run, test__accuracy=accuracy, test__recall=0.5), **changes}
        run.folder.mkdir(parents=True, exist_ok=True)
        run.row_file.write_text(json.dumps(row))
        logits = {"test.logits": np.full(4, accuracy, np.float32)}
        np.savez(run.folder / "predictions.npz", **logits)
        np.savez(run.folder / "targets.npz", **{"test.targets": np.array([0, 1, 0, 1], np.int8)})
        return row

    return make


@pytest.fixture
def write_trial(outputs, trial_of):
    def make(lam, family="sd_eq1"):
        search = Search("cutout", family, "quick", "phantom")
        search.folder.mkdir(parents=True, exist_ok=True)
        search.file.write_text(json.dumps(trial_of(search, {"lam": lam})) + "\n")

    return make


class TestRows:
    @pytest.mark.parametrize("origin", results.ORIGINS)
    def test_none(self, outputs, recorded, origin):
        assert Place(*NAMES, origin).rows.empty

    def test_flat_in_the_registrys_order(self, write):
        for arm, seed in [("sd_eq2", 1), ("sd_eq2", 0), ("control", 0), ("weight_decay", 0)]:
            write(run_of(arm, seed), accuracy=0.5 + seed / 10)
        table = own().all_rows
        found = list(zip(table["arm"], table["seed"], table["test.accuracy"], strict=True))
        assert found == [
            ("weight_decay", 0, 0.5),
            ("sd_eq2", 0, 0.5),
            ("sd_eq2", 1, 0.6),
            ("control", 0, 0.5),
        ]
        assert not table["stale"].any()
        wanted = {"experiment", "profile", "source", "config_hash", "code_version", "device"}
        assert wanted | {"seconds", "test.recall"} <= set(table.columns)
        assert table["config"][0]["epochs"] == PROFILES["quick"].epochs

    def test_stale_where_the_configuration_has_changed(self, write, monkeypatch):
        write(run_of("weight_decay"))
        longer = dataclasses.replace(PROFILES["quick"], epochs=99)
        with monkeypatch.context() as patch:
            patch.setitem(PROFILES, "quick", longer)
            write(run_of("sd_eq2"))
            assert own().all_rows["stale"].tolist() == [True, False]
        assert own().all_rows["stale"].tolist() == [False, True]

    def test_a_tuned_row_is_stale_when_its_search_says_otherwise(self, write, write_trial):
        write_trial(0.1)
        write(run_of("sd_eq1_tuned"))
        assert own().all_rows["stale"].tolist() == [False]
        write_trial(0.2)
        assert own().all_rows["stale"].tolist() == [True]

    def test_rows_that_the_registry_no_longer_knows(self, write, recorded):
        write(run_of("weight_decay"))
        results.record(*NAMES)
        file = recorded_place().recorded_file(".jsonl")
        old = {**json.loads(file.read_text()), "arm": "sd_eq9"}
        file.write_text(file.read_text() + json.dumps(old) + "\n")
        table = recorded_place().all_rows
        assert table["arm"].tolist() == ["weight_decay", "sd_eq9"]
        assert table["stale"].tolist() == [False, True]

    @pytest.mark.parametrize(
        "names",
        [
            ("cutuot", "quick", "phantom"),
            ("cutout", "fast", "phantom"),
            ("cutout", "quick", "helsinki"),
            (*NAMES, "yesterday"),
        ],
    )
    def test_unknown_names(self, names):
        with pytest.raises(ConfigError, match=r"unknown .*; expected one of"):
            Place(*names)


class TestRecord:
    def test_nothing_to_record(self, outputs, recorded):
        with pytest.raises(DataError, match="nothing to record of cutout on phantom, quick"):
            results.record(*NAMES)
        assert list(recorded.iterdir()) == []

    def test_rows_predictions_and_trials(self, write, write_trial, recorded):
        write_trial(0.1)
        for arm in ("weight_decay", "sd_eq1_tuned"):
            write(run_of(arm), accuracy=0.8)
        assert results.record(*NAMES) == ["2 rows recorded", "1 trials recorded"]
        assert sorted(path.name for path in recorded.iterdir()) == [
            "cutout-phantom-quick-trials.jsonl",
            "cutout-phantom-quick.jsonl",
            "cutout-phantom-quick.npz",
        ]
        pd.testing.assert_frame_equal(recorded_place().rows, own().rows)
        stored, mine = read_predictions(recorded_place()), read_predictions(own())
        assert stored.keys() == mine.keys()
        assert {"test.targets", "sd_eq1_tuned/seed0/test.logits"} <= stored.keys()
        for name in mine:
            np.testing.assert_array_equal(stored[name], compact(mine[name]))

    def test_what_was_recorded_elsewhere_is_kept(self, write):
        write(run_of("weight_decay"), accuracy=0.7)
        write(run_of("control"), accuracy=0.9)
        results.record(*NAMES)
        run_of("control").row_file.unlink()  # another machine
        write(run_of("weight_decay"), accuracy=0.71)
        assert results.record(*NAMES) == ["1 rows recorded"]
        table = recorded_place().rows.set_index("arm")["test.accuracy"]
        assert table.to_dict() == {"weight_decay": 0.71, "control": 0.9}
        stored = read_predictions(recorded_place())
        assert stored["weight_decay/seed0/test.logits"][0] == np.float16(0.71)
        assert stored["control/seed0/test.logits"][0] == np.float16(0.9)

    def test_recorded_means_a_row_with_todays_configuration(self, write, monkeypatch):
        run = run_of("weight_decay")
        assert not results.is_recorded(run)
        write(run)
        assert not results.is_recorded(run)  # this machine's, not git's
        results.record(*NAMES)
        assert results.is_recorded(run)
        assert not results.is_recorded(run_of("weight_decay", seed=1))
        assert not results.is_recorded(run_of("sd_eq2"))
        assert not results.is_recorded(dataclasses.replace(run, profile="laptop"))
        longer = dataclasses.replace(PROFILES["quick"], epochs=99)
        monkeypatch.setitem(PROFILES, "quick", longer)
        assert not results.is_recorded(run)

    def test_a_tuned_run_is_recorded_by_the_recorded_search(self, write, write_trial, recorded):
        run = run_of("sd_eq1_tuned")
        assert not results.is_recorded(run)  # no search, no error
        write_trial(0.1)
        write(run)
        results.record(*NAMES)
        write_trial(0.2)  # this machine has searched again and found something else
        assert results.is_recorded(run)
        assert recorded_place().all_rows["stale"].tolist() == [False]
        (recorded / "cutout-phantom-quick-trials.jsonl").unlink()
        assert not results.is_recorded(run)


@pytest.mark.parametrize("origin", results.ORIGINS)
def test_no_predictions(outputs, recorded, origin):
    with pytest.raises(DataError, match=r"no predictions of cutout on phantom, quick"):
        read_predictions(Place(*NAMES, origin))


def test_circumstances_and_provenance():
    found = results.circumstances(torch.device("cpu"))
    assert found["libraries"].keys() == set(LIBRARIES)
    assert found["libraries"]["numpy"] == np.__version__
    assert found["device"].startswith("cpu ")
    assert found["threads"] == torch.get_num_threads()
    assert f"numpy {np.__version__}" in results.provenance()
    assert "\n" not in results.provenance()


def test_logits_that_hardly_differ_keep_their_order():
    """Under a strong penalty logits may lie close together: in half precision they would tie."""
    close = (1 + np.linspace(-0.01, 0.01, 50)).astype(np.float32)
    assert len(np.unique(close.astype(np.float16))) < 40
    np.testing.assert_array_equal(compact(close), close)
    apart = np.linspace(-3, 3, 50, dtype=np.float32)
    assert compact(apart).dtype == np.float16
    assert compact(np.full(5, 2.0, np.float32)).dtype == np.float16


def test_recorded_logits_far_apart_are_compared_without_overflow():
    """Logits that were recorded once come back as float16, in which their squares are infinite."""
    far = np.array([-60_000, -400, 0, 400, 60_000], np.float16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(compact(far), far)
