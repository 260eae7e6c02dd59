"""Processes of a run on several devices: one sentence when one fails, and none is left behind."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import psutil
import pytest
import torch

from sdlib.errors import ConfigError, SdlibError
from sdlib.experiments import Run, config_hash
from sdlib.results import own_row
from sdlib.training import devices, launch, run as running
from tests.training.test_run import silent, timeless

RUN = Run("cutout", "sd_eq2", 0, "smoke")
PATIENCE = 300  # seconds until a test gives a command up
FILES = ["config.json", "model.safetensors", "predictions.npz", "row.json", "targets.npz"]


@pytest.fixture
def on_two(processes, monkeypatch):
    """`on_two(function, *args)`: launch it on two devices; the processes start in no time."""
    monkeypatch.setattr(launch, "START", "forkserver")
    return lambda function, *args: launch.launch(2, function, *args)


# -- Failures of a rank, of which the other must not wait for ever


def joined(folder, failing, fail):
    """Join, and fail on some of the ranks; the others wait for them in vain."""
    (folder / os.environ["RANK"]).write_text(str(os.getpid()))
    fabric = devices.rank_fabric("32-true")
    if fabric.global_rank in failing:
        fail()
    fabric.barrier()
    time.sleep(PATIENCE)


def refuse(folder, *failing):
    def fail():
        raise SdlibError(f"expected something else on device {os.environ['RANK']}")

    joined(folder, failing, fail)


def err(folder, *failing):
    joined(folder, failing, lambda: 1 / 0)


def be_killed(folder, *failing):
    joined(folder, failing, lambda: os.kill(os.getpid(), signal.SIGKILL))


def stand_still(folder, *failing):
    devices.PATIENCE = launch.PATIENCE = timedelta(seconds=2)
    joined(folder, failing, lambda: time.sleep(PATIENCE))


KILLED = "the process of device 1 was ended by SIGKILL, perhaps for want of memory: the same"
LOST = "device 1 has lost another, which has ended, or was silent for 0:00:02 hours: the same"


@pytest.mark.parametrize(
    ("function", "failing", "sentence"),
    [
        (refuse, (0,), "expected something else on device 0$"),
        (refuse, (1,), "expected something else on device 1$"),
        (refuse, (0, 1), "expected something else on device [01]$"),
        (be_killed, (1,), KILLED),
        (stand_still, (0,), LOST),
    ],
)
def test_one_sentence_and_nobody_is_left(on_two, tmp_path, function, failing, sentence):
    with pytest.raises(SdlibError, match=f"^{sentence}"):
        on_two(function, tmp_path, *failing)
    ranks = [int(note.read_text()) for note in tmp_path.iterdir()]
    assert len(ranks) == 2
    assert not any(map(psutil.pid_exists, ranks))


def test_a_mistake_keeps_its_traceback(on_two, tmp_path):
    with pytest.raises(RuntimeError, match=r"(?s)Traceback.*in err.*ZeroDivisionError") as caught:
        on_two(err, tmp_path, 1)
    assert not isinstance(caught.value, SdlibError)


def wait(folder):
    (folder / os.environ["RANK"]).write_text(str(os.getpid()))
    time.sleep(PATIENCE)


def parent_of_two(folder):
    launch.START = "fork"
    launch.launch(2, wait, folder)


def test_ranks_end_with_their_parent(tmp_path):
    """However it ends, and though nobody tells them."""
    parent = multiprocessing.get_context("forkserver").Process(
        target=parent_of_two, args=(tmp_path,)
    )
    parent.start()
    notes = [tmp_path / "0", tmp_path / "1"]
    assert eventually(lambda: all(note.exists() and note.read_text() for note in notes))
    parent.kill()
    parent.join()
    ranks = [int(note.read_text()) for note in notes]
    assert eventually(lambda: not any(map(psutil.pid_exists, ranks)))


def eventually(true):
    """Wait until something is true, and say whether it has become so."""
    end = time.monotonic() + PATIENCE
    while not true() and time.monotonic() < end:
        time.sleep(0.1)
    return true()


# -- Commands

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
needs_two_cores = pytest.mark.skipif(
    len(psutil.Process().cpu_affinity()) < 2, reason="two devices need two CPU cores"
)


@pytest.fixture(scope="module")
def finished(phantom_cache, tmp_path_factory):
    """A folder of outputs with a run on two devices, and its row."""
    outputs = tmp_path_factory.mktemp("two devices")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDLIB_OUTPUTS", str(outputs))
        patch.setenv("SDLIB_CACHE", str(phantom_cache))
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        return outputs, launch.execute(RUN, False, silent, 2)


def files_of(outputs, monkeypatch):
    monkeypatch.setenv("SDLIB_OUTPUTS", str(outputs))
    return {path.name: path for path in RUN.folder.iterdir()}


@needs_two_cores
def test_the_row_of_two_devices(finished, monkeypatch):
    outputs, row = finished
    assert sorted(files_of(outputs, monkeypatch)) == FILES
    assert row == own_row(RUN)
    assert (row["devices"], row["threads"], len(row["history"])) == (2, 1, 1)
    assert row["config_hash"] == config_hash(RUN.config())


@needs_two_cores
def test_torchrun_makes_the_same_row(finished, phantom_cache, tmp_path, monkeypatch):
    """Bit for bit, and it says so once."""
    here = {"SDLIB_CACHE": str(phantom_cache), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, *TORCHRUN, "-m", "sdlib", "run", RUN.id, "--profile", "smoke"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env=os.environ | here | {"SDLIB_OUTPUTS": str(tmp_path)},
    )
    by_torchrun = files_of(tmp_path, monkeypatch)
    row = own_row(RUN)
    test = row["metrics"]["test"]
    found = f"test accuracy {test['accuracy']:.3f}, recall {test['recall']:.3f}"
    assert (done.returncode, done.stdout) == (0, f"{RUN.id}: {found}\n")
    assert timeless(row) == timeless(finished[1])
    by_option = files_of(finished[0], monkeypatch)
    for name in ("model.safetensors", "targets.npz"):
        assert by_torchrun[name].read_bytes() == by_option[name].read_bytes()


def refuse_within_torchrun(rank, port, folder):
    """What torchrun's processes do whose number is not the one wanted."""
    os.environ.update(
        TORCHELASTIC_RUN_ID="test",
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        RANK=str(rank),
        WORLD_SIZE="2",
        LOCAL_WORLD_SIZE="2",
    )
    try:
        launch.execute(RUN, False, silent, 3)
    except ConfigError as error:
        (folder / f"rank{rank}").write_text(str(error))


def test_within_torchrun_the_first_to_fail_reports(processes, tmp_path):
    """The other waits until torchrun ends it."""
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    ranks = [processes(refuse_within_torchrun, rank, store.port, tmp_path) for rank in (0, 1)]
    for process in ranks:
        process.start()
    assert eventually(lambda: store.add("sdlib failed None", 0) == 2)
    assert eventually(lambda: [process.exitcode for process in ranks].count(0) == 1)
    (alive,) = (process for process in ranks if process.is_alive())
    alive.terminate()
    alive.join()
    (report,) = tmp_path.iterdir()
    assert report.read_text() == (
        "expected as many devices as torchrun has started processes, 2, got 3: leave --devices out"
    )


def execute_again(outputs, cache, fresh):
    os.environ.update(SDLIB_OUTPUTS=outputs, SDLIB_CACHE=cache, CUDA_VISIBLE_DEVICES="")
    launch._execute_as_rank(RUN, fresh, silent)


@needs_two_cores
def test_a_row_that_holds_is_not_made_again(on_two, finished, phantom_cache, monkeypatch):
    """The ranks that would train hear that there is nothing to do."""
    file = files_of(finished[0], monkeypatch)["row.json"]
    before = file.stat().st_mtime_ns, own_row(RUN)
    on_two(execute_again, str(finished[0]), str(phantom_cache), False)
    assert file.stat().st_mtime_ns == before[0]
    on_two(execute_again, str(finished[0]), str(phantom_cache), True)
    assert file.stat().st_mtime_ns > before[0]
    assert timeless(own_row(RUN)) == timeless(before[1])


def fail_to_predict(outputs, cache):
    """Rank 0 fails when training is over, while the other waits for it."""

    def broken(*args):
        raise SdlibError("expected a disk with room")

    running.save_weights = broken
    execute_again(outputs, cache, False)


def test_rank_0_fails_while_the_others_wait(on_two, phantom_cache, smoke):
    with pytest.raises(SdlibError, match=r"^expected a disk with room$"):
        on_two(fail_to_predict, str(smoke), str(phantom_cache))
    assert own_row(RUN) is None
    assert (RUN.folder / "checkpoint.pt").exists()


@pytest.mark.parametrize("devices", [None, 1])
def test_one_device_needs_no_process(smoke, monkeypatch, devices):
    monkeypatch.setattr(launch, "launch", lambda *args: pytest.fail("processes were started"))
    row = launch.execute(RUN, False, silent, devices)
    assert "devices" not in row
    assert timeless(row) == timeless(own_row(RUN))


def test_more_devices_than_there_are(outputs, monkeypatch):
    monkeypatch.setattr(launch, "launch", lambda *args: pytest.fail("processes were started"))
    with pytest.raises(ConfigError, match=r"^expected devices from 1 to .*, got 1000000: there "):
        launch.execute(RUN, False, silent, 1_000_000)
    assert not outputs.exists()
