"""The command that trains the network that finds lungs, in small, and its deal of real films."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

import sdlib.training.lungs as lungs_command
from sdlib.datasets.open_cxr import read_open_cxr
from sdlib.datasets.store import data_folder
from sdlib.datasets.v7_lungs import SOURCES, LungMasks
from sdlib.errors import DataError
from sdlib.films.lungs import load_lung_network, lung_weights_file
from sdlib.results.lungs import lungs_file, read_lungs
from sdlib.training import lung_network
from sdlib.training.lungs import ensure_lungs, held_out, make_lungs, make_weights
from tests.training.test_lung_network import ellipses

PATIENCE = 300  # seconds


def at_hand():
    try:
        return data_folder("open-cxr")
    except DataError:
        return None


@pytest.fixture
def real(outputs, recorded, monkeypatch):
    """Twenty films, two of each of ten patients, in place of the real ones; short training."""
    drawn = ellipses(20, 0)
    groups = np.arange(20) // 2
    sources = np.array(SOURCES)[groups % 2]
    films = LungMasks(drawn.films, drawn.masks, groups.astype(str), sources)
    monkeypatch.setattr(lungs_command, "load_v7_lungs", lambda size: films)
    monkeypatch.setattr(lung_network, "BATCH", 2)
    return films


def test_the_deal_separates_patients(real):
    parts = held_out(real)
    train, test = (real.subset(rows) for rows in parts.values())
    assert len(train) + len(test) == 20
    assert not set(train.groups) & set(test.groups)
    assert set(train.sources) == set(test.sources) == set(SOURCES)


def test_what_is_left_behind(real):
    lungs = make_lungs(steps=2, phantoms=6, log=lambda line: None)
    test = real.subset(held_out(real)["held out"])
    assert list(lungs["networks"]) == ["real", "phantom", "both"]
    assert {len(found) for found in lungs["networks"].values()} == {len(test)}
    assert lungs["sources"] == test.sources.tolist()
    assert lungs["groups"] == test.groups.tolist()
    assert lungs["trained"] == {"real": 20 - len(test), "phantom": 6}
    assert lungs["used"] == "both"
    assert read_lungs(recorded=False) == lungs
    # The weights are those of the network that is used.
    found = lung_network.dice_of(load_lung_network(), test.films, test.masks)
    np.testing.assert_allclose(found, lungs["networks"]["both"], atol=1e-4)


def test_the_weights_alone_are_the_same(real, monkeypatch):
    monkeypatch.setattr(lungs_command, "STEPS", 2)
    monkeypatch.setattr(lungs_command, "PHANTOMS", 6)
    make_weights(log=lambda line: None)
    alone = lung_weights_file().read_bytes()
    make_lungs(steps=2, phantoms=6, log=lambda line: None)
    assert lung_weights_file().read_bytes() == alone


def test_without_phantoms(real):
    lungs = make_lungs(steps=2, phantoms=0, log=lambda line: None)
    assert list(lungs["networks"]) == [lungs["used"]] == ["real"]


def test_the_command_records(real, monkeypatch, capsys):
    monkeypatch.setattr(lungs_command.make_lungs, "__defaults__", (2, 0, 0, print))
    lungs_command.main(record=True)
    assert "hannover" in capsys.readouterr().out
    assert lungs_file(recorded=True).read_bytes() == lungs_file(recorded=False).read_bytes()


def test_without_films_nothing_is_left(outputs, recorded):
    command = [sys.executable, "-m", "sdlib.training.lungs"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    *_, said = done.stderr.splitlines()
    assert said.startswith("error: the data set 'open-cxr' is not part of the project")
    assert not lung_weights_file().exists()
    assert not lungs_file(recorded=False).exists()


@pytest.mark.skipif(at_hand() is None, reason="SDLIB_DATA names no folder with open-cxr")
def test_real_patients_are_separated():
    _, table = read_open_cxr()
    table = table[table["source"].isin(SOURCES)]
    columns = table["group"].to_numpy(str), table["source"].to_numpy(str)
    nothing = np.zeros((len(table), 1, 1, 3), np.uint8)
    real = LungMasks(nothing, nothing[..., 0], *columns)
    train, test = (real.subset(rows) for rows in held_out(real).values())
    assert not set(train.groups) & set(test.groups)
    for source in SOURCES:
        share = (test.sources == source).sum() / (real.sources == source).sum()
        assert abs(share - 0.3) < 0.02


class TestEnsured:
    """The weights are there afterwards, and are trained once."""

    @pytest.fixture
    def trained(self, outputs, monkeypatch):
        """Counts trainings, in place of them."""
        logs = []

        def make(log):
            logs.append(log)
            lung_weights_file().parent.mkdir(parents=True, exist_ok=True)
            lung_weights_file().write_bytes(b"weights")

        monkeypatch.setattr(lungs_command, "make_weights", make)
        return logs

    def test_trained_once(self, trained):
        for _ in range(3):
            ensure_lungs(log=print)
        assert trained == [print]
        assert [file.name for file in lung_weights_file().parent.iterdir()] == [
            lung_weights_file().name
        ]

    def test_what_is_there_stays(self, trained):
        lung_weights_file().parent.mkdir(parents=True)
        lung_weights_file().write_bytes(b"earlier")
        ensure_lungs()
        assert lung_weights_file().read_bytes() == b"earlier"
        assert trained == []

    def test_an_error_leaves_no_lock(self, outputs, recorded):
        with pytest.raises(DataError, match="the data set 'open-cxr' is not part of the project"):
            ensure_lungs(log=lambda line: None)
        assert list(lung_weights_file().parent.iterdir()) == []

    def test_of_two_processes_one_trains(self, outputs, processes):
        go, training = processes.event(), processes.event()
        arrived = [processes.event() for _ in range(2)]
        folder = outputs / "trainings"
        folder.mkdir(parents=True)
        both = [processes(train_slowly, outputs, one, training, go) for one in arrived]
        for process in both:
            process.start()
        assert all(one.wait(PATIENCE) for one in (*arrived, training))
        time.sleep(0.2)  # time for the other to train as well, if it did not wait
        assert len(list(folder.iterdir())) == 1
        assert not lung_weights_file().exists()
        go.set()
        for process in both:
            process.join(PATIENCE)
        assert [process.exitcode for process in both] == [0, 0]
        assert len(list(folder.iterdir())) == 1
        assert lung_weights_file().exists()


def train_slowly(outputs, arrived, training, go):
    """Ensure weights in a process of its own, whose training waits for a sign."""
    os.environ["SDLIB_OUTPUTS"] = str(outputs)
    os.environ.pop("SDLIB_CACHE", None)

    def make(log):
        (outputs / "trainings" / str(os.getpid())).touch()
        training.set()
        go.wait(PATIENCE)
        lung_weights_file().write_bytes(b"weights")

    lungs_command.make_weights = make
    arrived.set()
    ensure_lungs()
