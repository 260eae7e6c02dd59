"""Runs: whole rows or none, the same whether killed or not, and one sentence if it cannot be."""

import dataclasses
import json
import os
import resource
import shutil
import signal
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn import metrics as sk

from sdlib.datasets.cutout import cutout_mask, make_cutout_set
from sdlib.datasets.tiles import TileSet
from sdlib.errors import DataError, SdlibError
from sdlib.experiments import EXPERIMENTS, PROFILES, Run, config_hash, trials
from sdlib.models import create_network, load_weights
from sdlib.training import loop as training, run as running
from sdlib.training.data import load_tiles
from sdlib.training.prediction import predict_logits

RUN = Run("cutout", "sd_eq2", 0, "smoke")
FILES = ["config.json", "model.safetensors", "predictions.npz", "row.json", "targets.npz"]
LONGER = dataclasses.replace(PROFILES["smoke"], epochs=4)
PATIENCE = 300  # seconds until a test gives a process up


def silent(line):
    pass


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def timeless(row):
    """A row without the times of day and the seconds it took."""
    row = json.loads(json.dumps(row))
    for entry in (row, *row["history"]):
        entry.pop("seconds")
    row.pop("finished")
    return row


@pytest.fixture(scope="module")
def finished(phantom_cache, tmp_path_factory):
    """An unbroken run of four epochs: its folder and its row."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDLIB_OUTPUTS", str(tmp_path_factory.mktemp("unbroken")))
        patch.setenv("SDLIB_CACHE", str(phantom_cache))
        patch.setattr(torch.cuda, "is_available", lambda: False)
        patch.setitem(PROFILES, "smoke", LONGER)
        return RUN.folder, running.execute(RUN, log=silent)


class TestRow:
    def test_files(self, finished):
        folder, row = finished
        assert names(folder) == FILES  # no checkpoint is left
        assert json.loads((folder / "row.json").read_text()) == json.loads(json.dumps(row))

    def test_it_describes_itself(self, finished, monkeypatch):
        row = finished[1]
        monkeypatch.setitem(PROFILES, "smoke", LONGER)
        described = (row["experiment"], row["arm"], row["seed"], row["profile"], row["source"])
        assert Run(*described) == RUN
        assert row["config_hash"] == config_hash(RUN.config())
        assert (row["config"]["epochs"], row["threads"]) == (4, 1)
        assert row["device"].startswith("cpu")
        assert row["libraries"]["torch"] == torch.__version__.split("+")[0]
        assert row["seconds"] > 0
        assert [entry["epoch"] for entry in row["history"]] == [1, 2, 3, 4]

    def test_metrics_come_from_the_predictions(self, finished):
        folder, row = finished
        with np.load(folder / "predictions.npz") as logits, np.load(folder / "targets.npz") as true:
            for name in RUN.definition.evaluation:
                owner = RUN.definition.cohort_of_targets(name)
                scores = expit(logits[f"{name}.logits"].astype(np.float64))
                targets = true[f"{owner}.targets"]
                found = row["metrics"][name]
                assert found["auroc"] == pytest.approx(sk.roc_auc_score(targets, scores))
                assert found["brier"] == pytest.approx(np.mean((scores - targets) ** 2), rel=1e-12)
                accuracy = sk.balanced_accuracy_score(targets, scores >= 0.5)
                assert found["accuracy"] == pytest.approx(accuracy)
            for name in ("benign", "cancer"):
                share = row["metrics"]["cam"][f"{name}_share"]
                assert share == pytest.approx(logits[f"cam.{name}"].mean(), rel=1e-5)
        assert row["history"][-1]["auroc"] == pytest.approx(row["metrics"]["validation"]["auroc"])

    def test_predictions_come_from_the_weights_and_the_sets(self, finished, phantom_cache, smoke):
        folder, row = finished
        network = load_weights(
            create_network("test_efficientnet", seed=9), folder / "model.safetensors"
        )
        parts = load_tiles(RUN, prepared=False)
        kinds = {"validation": "train", "test": "test", "clean": "none", "all": "all"}
        with np.load(folder / "predictions.npz") as stored:
            for name, kind in kinds.items():
                tiles = make_cutout_set(parts[name], kind, seed=0)
                found = predict_logits(network, tiles.images)
                np.testing.assert_allclose(stored[f"{name}.logits"], found, rtol=1e-4, atol=1e-5)
            # Cutouts on cancer only, on none, on all: the sets agree where they should.
            cancer = parts["test"].targets == 1
            test, clean, everywhere = (stored[f"{n}.logits"] for n in ("test", "clean", "all"))
            np.testing.assert_allclose(test[cancer], everywhere[cancer], atol=1e-5)
            np.testing.assert_allclose(test[~cancer], clean[~cancer], atol=1e-5)
            assert not np.allclose(test[cancer], clean[cancer], atol=1e-3)
        factors = make_cutout_set(parts["test"], "test", seed=0).factors
        area = cutout_mask(factors["cutout_positions"][factors["cutout"]], 32, size=1).mean()
        assert row["metrics"]["cam"]["area_share"] == pytest.approx(area)


def killed(*args):
    """In place of a function in which the process is killed."""
    raise KeyboardInterrupt


class TestRepeating:
    @pytest.fixture
    def alike(self, smoke, monkeypatch):
        """A run whose search has just led it to the values of another, which is finished.

        Its own row is of the values before.
        """
        twin = Run("cutout", "sd_eq1_tuned", 0, "smoke")
        monkeypatch.setattr(trials, "best", lambda search, recorded=False: {"lam": 0.1})
        running.execute(twin, log=silent)
        monkeypatch.setattr(trials, "best", lambda search, recorded=False: {"lam": 0.01})
        running.execute(Run("cutout", "sd_eq1", 0, "smoke"), log=silent)
        return twin

    def test_a_row_that_holds_is_not_made_again(self, finished, smoke, monkeypatch):
        monkeypatch.setitem(PROFILES, "smoke", LONGER)
        monkeypatch.setenv("SDLIB_OUTPUTS", str(finished[0].parents[4]))
        monkeypatch.setattr(running, "fit", lambda *args: pytest.fail("trained again"))
        assert running.execute(RUN, log=silent) == json.loads(json.dumps(finished[1]))

    def test_fresh_and_changed_runs_begin_anew(self, smoke):
        """Neither takes up a checkpoint: this one would not even load."""
        first = running.execute(RUN, log=silent)
        lines = []
        (RUN.folder / "checkpoint.pt").write_bytes(b"rubbish")
        again = running.execute(RUN, fresh=True, log=lines.append)
        assert len(lines) == 1
        assert timeless(again) == timeless(first)
        with pytest.MonkeyPatch.context() as patch:
            slower = dataclasses.replace(PROFILES["smoke"], learning_rate=0.1)
            patch.setitem(PROFILES, "smoke", slower)
            (RUN.folder / "checkpoint.pt").write_bytes(b"rubbish")
            other = running.execute(RUN, log=silent)
        assert other["config_hash"] != first["config_hash"]
        assert other["metrics"] != first["metrics"]
        assert names(RUN.folder) == FILES

    def test_arms_that_a_search_made_alike_are_trained_once(self, smoke, monkeypatch):
        monkeypatch.setattr(trials, "best", lambda search, recorded=False: {"lam": 0.01})
        first = running.execute(Run("cutout", "sd_eq1", 0, "smoke"), log=silent)
        monkeypatch.setattr(running, "fit", lambda *args: pytest.fail("trained again"))
        twin = Run("cutout", "sd_eq1_tuned", 0, "smoke")
        row = running.execute(twin, log=silent)
        assert (row.pop("arm"), row.pop("trained_as")) == ("sd_eq1_tuned", "sd_eq1")
        first = json.loads(json.dumps(first))
        assert first.pop("arm") == "sd_eq1"
        assert row == first
        assert names(twin.folder) == FILES
        for name in ("model.safetensors", "predictions.npz"):
            own = Run("cutout", "sd_eq1", 0, "smoke").folder / name
            assert (twin.folder / name).read_bytes() == own.read_bytes()
        # Another seed is another run.
        with pytest.raises(pytest.fail.Exception):
            running.execute(dataclasses.replace(twin, seed=1), log=silent)

    def test_a_copy_that_is_killed_leaves_no_row(self, alike, monkeypatch):
        """The row of another configuration would stand beside the copied predictions."""
        twin = alike
        (twin.folder / "checkpoint.pt").write_bytes(b"rubbish")
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "copyfile", killed)
            with pytest.raises(KeyboardInterrupt):
                running.execute(twin, log=silent)
        assert not twin.row_file.exists()
        assert running.execute(twin, log=silent)["trained_as"] == "sd_eq1"
        assert names(twin.folder) == FILES  # no checkpoint is left

    def test_a_copy_of_a_copy_names_the_arm_that_was_trained(self, smoke, monkeypatch):
        monkeypatch.setattr(trials, "best", lambda search, recorded=False: {"weight_decay": 1e-4})
        first, *copies = (
            Run("cutout", arm, 0, "smoke")
            for arm in ("weight_decay", "weight_decay_tuned", "weight_decay_test_tuned")
        )
        running.execute(first, log=silent)
        running.execute(copies[0], log=silent)
        (first.folder / "predictions.npz").unlink()
        assert running.execute(copies[1], log=silent)["trained_as"] == "weight_decay"

    def test_a_checkpoint_of_another_arm_is_not_gone_on_from(self, smoke, monkeypatch):
        """It fits the schedule, and its penalty is another."""
        expected = running.execute(RUN, log=silent)
        other = dataclasses.replace(RUN, arm="sd_eq1")
        with monkeypatch.context() as patch:
            patch.setattr(running, "evaluate", killed)
            with pytest.raises(KeyboardInterrupt):
                running.execute(other, log=silent)
        RUN.row_file.unlink()
        shutil.copyfile(other.folder / "checkpoint.pt", RUN.folder / "checkpoint.pt")
        again = running.execute(RUN, log=silent)
        assert timeless(again) == timeless(expected)

    def test_a_search_is_needed_first(self, smoke, recorded):
        with pytest.raises(DataError, match="python -m sdlib search cutout/sd_eq1 --profile smoke"):
            running.execute(Run("cutout", "sd_eq1_tuned", 0, "smoke"), log=silent)
        assert not smoke.exists()


DAMAGE = {
    "empty": lambda whole: b"",
    "zeros": lambda whole: bytes(len(whole)),
    "zeros inside": lambda whole: whole[:40] + bytes(8) + whole[48:],
    "cut": lambda whole: whole[: len(whole) // 2],
    "other JSON": lambda whole: b"[]",
    "without its content": lambda whole: b"{}",
}
each_damage = pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)


def said_of(file):
    return f"{file} is damaged and counts as not there: it is made again"


class TestDamaged:
    """A file of this machine that is not as it was written counts as not there."""

    @each_damage
    def test_the_runs_own_row(self, smoke, damage):
        first, lines = running.execute(RUN, log=silent), []
        RUN.row_file.write_bytes(damage(RUN.row_file.read_bytes()))
        again = running.execute(RUN, log=lines.append)
        assert lines[0] == said_of(RUN.row_file)
        assert timeless(again) == timeless(first)
        assert names(RUN.folder) == FILES

    @each_damage
    def test_another_arms_row(self, smoke, damage):
        """It stopped every other arm of the experiment."""
        other = dataclasses.replace(RUN, arm="weight_decay")
        other.folder.mkdir(parents=True)
        other.row_file.write_bytes(damage(b'{"config_hash": "1", "metrics": {"test": {}}}' * 2))
        lines = []
        running.execute(RUN, log=lines.append)
        assert lines[0] == said_of(other.row_file)
        assert names(RUN.folder) == FILES

    @pytest.mark.parametrize("missing", ["model.safetensors", "predictions.npz"])
    def test_a_run_alike_that_has_lost_a_file_is_not_copied(self, smoke, monkeypatch, missing):
        monkeypatch.setattr(trials, "best", lambda search, recorded=False: {"lam": 0.01})
        first = Run("cutout", "sd_eq1", 0, "smoke")
        running.execute(first, log=silent)
        (first.folder / missing).unlink()
        twin = Run("cutout", "sd_eq1_tuned", 0, "smoke")
        assert "trained_as" not in running.execute(twin, log=silent)
        assert names(twin.folder) == FILES

    def test_an_empty_checkpoint(self, smoke):
        first, lines = running.execute(RUN, log=silent), []
        RUN.row_file.unlink()
        (RUN.folder / "checkpoint.pt").write_bytes(b"")
        again = running.execute(RUN, log=lines.append)
        assert lines[0] == said_of(RUN.folder / "checkpoint.pt")
        assert timeless(again) == timeless(first)


def execute_until(outputs, cache, epoch, step, reached):
    """Train in a process of its own and stand still in the middle of an epoch."""
    os.environ.update(SDLIB_OUTPUTS=outputs, SDLIB_CACHE=cache, CUDA_VISIBLE_DEVICES="")
    PROFILES["smoke"] = LONGER
    item = training.Batches.__getitem__

    def stall(self, index):
        if (self.epoch, index) == (epoch, step):
            reached.set()
            time.sleep(PATIENCE)
        return item(self, index)

    training.Batches.__getitem__ = stall
    running.execute(RUN, log=silent)


def test_killed_in_the_middle_of_training(finished, smoke, phantom_cache, processes, monkeypatch):
    """kill -9 in the third epoch, then the same command again: the same row, bit for bit."""
    reached = processes.event()
    killed = processes(execute_until, str(smoke), str(phantom_cache), 2, 3, reached)
    killed.start()
    assert reached.wait(PATIENCE)
    os.kill(killed.pid, signal.SIGKILL)
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert names(RUN.folder) == ["checkpoint.pt", "config.json"]

    lines = []
    monkeypatch.setitem(PROFILES, "smoke", LONGER)
    row = running.execute(RUN, log=lines.append)
    assert [line.split()[1] for line in lines] == ["3/4", "4/4"]  # the first two were kept
    folder, expected = finished
    assert timeless(row) == timeless(expected)
    assert names(RUN.folder) == FILES
    for name in ("model.safetensors", "targets.npz", "predictions.npz"):
        if name.endswith("npz"):
            with np.load(RUN.folder / name) as ours, np.load(folder / name) as theirs:
                assert set(ours) == set(theirs)
                for key in ours:
                    np.testing.assert_array_equal(ours[key], theirs[key])
        else:
            assert (RUN.folder / name).read_bytes() == (folder / name).read_bytes()


def command_line_on_a_full_disk(outputs, cache, limit, report):
    """`python -m sdlib run` where no file may grow beyond `limit` bytes."""
    os.environ.update(SDLIB_OUTPUTS=outputs, SDLIB_CACHE=cache, CUDA_VISIBLE_DEVICES="")
    os.dup2(os.open(report, os.O_WRONLY | os.O_CREAT), sys.stderr.fileno())
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    from sdlib.__main__ import app

    sys.argv = ["sdlib", "run", RUN.id, "--profile", "smoke"]
    app()


def test_a_full_disk(smoke, phantom_cache, processes, tmp_path):
    """The checkpoint does not fit: exit status 2, one sentence, nothing half-written."""
    report = tmp_path / "stderr"
    process = processes(
        command_line_on_a_full_disk, str(smoke), str(phantom_cache), 100_000, str(report)
    )
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == 2
    *_, epoch, error = report.read_text().splitlines()  # Fabric may say something before
    assert epoch.startswith("epoch 1/1")
    assert error.startswith("error: cannot write ")
    assert "checkpoint.pt: the file is larger than allowed there: choose another folder" in error
    assert names(RUN.folder) == ["config.json"]


@pytest.mark.parametrize("fresh", [False, True])
def test_outputs_that_cannot_be_a_folder(smoke, monkeypatch, tmp_path, fresh):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path / "file"))
    monkeypatch.setattr(running, "load_tiles", lambda run: pytest.fail("too late to say so"))
    with pytest.raises(SdlibError, match=r"^cannot write .*: .* is a file, not a folder"):
        running.execute(RUN, fresh, log=silent)


def test_large_logits_keep_their_ranks_in_the_row(smoke, monkeypatch):
    """Eight of nine pairs in order, between 17 and 30: in float32 every sigmoid is 1."""
    targets, logits = np.array([0, 0, 0, 1, 1, 1]), np.array([17, 19, 22.5, 21, 25, 30], np.float32)

    def pretend(run, network, tiles, fabric):
        return dict.fromkeys(run.definition.evaluation, logits)

    six = load_tiles(RUN)["test"].subset(slice(0, 6))
    tiles = TileSet(six.store, targets, six.groups, six.factors)
    monkeypatch.setattr(running, "evaluate", pretend)
    monkeypatch.setattr(running, "load_tiles", lambda run: dict.fromkeys(load_tiles(run), tiles))
    experiment = dataclasses.replace(EXPERIMENTS["cutout"], measurements=())
    monkeypatch.setitem(EXPERIMENTS, "cutout", experiment)
    row = running.execute(RUN, log=silent)
    assert row["metrics"]["test"]["auroc"] == pytest.approx(8 / 9)


@pytest.mark.parametrize("tasks", [None, "4"], ids=["login node", "allocation of four tasks"])
def test_slurms_environment_is_not_taken_for_that_of_several_processes(
    smoke, tmp_path, monkeypatch, recwarn, tasks
):
    srun = tmp_path / "bin" / "srun"
    srun.parent.mkdir()
    srun.touch(0o755)
    monkeypatch.setenv("PATH", f"{srun.parent}:{os.environ['PATH']}")
    if tasks:
        monkeypatch.setenv("SLURM_NTASKS", tasks)
        monkeypatch.setenv("SLURM_JOB_NAME", "mine")
    row = running.execute(RUN, log=silent)
    assert row["metrics"]
    assert not [warning for warning in recwarn if "srun" in str(warning.message)]


def test_a_cohort_may_have_more_patients_than_small_integers():
    names = np.repeat([f"p{number:05d}" for number in range(40_000)], 2)
    many = SimpleNamespace(targets=np.zeros(len(names), np.int64), groups=names)
    found = running._targets(RUN, dict.fromkeys(RUN.definition.evaluation, many))
    assert np.array_equal(found["test.groups"], np.repeat(np.arange(40_000), 2))
