"""A sweep that cannot be made says so, leaves nothing behind, and is made again where it is cut."""

import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from sdlib.datasets.folder_names import folder_name
from sdlib.errors import DataError, SdlibError
from sdlib.experiments import Run
from sdlib.experiments.measurements import SWEEP
from sdlib.files import write_json
from sdlib.models import create_network, save_weights
from sdlib.results.sweeps import levels_of, read_level
from sdlib.shifts import LEVELS
from sdlib.training import sweep
from sdlib.training.lock import only_process
from tests.folders import write_folder

PLACE = ("robustness", "smoke", "phantom")
RUN = Run("robustness", "sd_eq1_none", 0, "smoke")
OTHER = Run("robustness", "weight_decay_none", 0, "smoke")
PATIENCE = 300


def silent(line):
    pass


@pytest.fixture
def trained(smoke, row_of):
    """`trained(run)`: leaves a network as if trained, with its row; returns the network."""

    def make(run, **changes):
        network = create_network("test_efficientnet", seed=3)
        save_weights(network, run.folder / "model.safetensors")
        write_json(run.row_file, row_of(run) | {"finished": "today"} | changes)
        return network

    return make


@pytest.fixture
def network(trained):
    """The one network that is trained."""
    return trained(RUN)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def swept(folder):
    """The runs whose logits the sweep has at its first level."""
    return set(read_level(folder / f"{LEVELS[0].name}.npz")[0])


def logits_of(folder):
    return {name: read_level(folder / name)[1][RUN.id] for name in files(folder) if "npz" in name}


# The file system has 64 KiB; two bytes for each of 50,000 tiles are more.
ON_A_FULL_DISK = """
import os, sys
from pathlib import Path
from types import SimpleNamespace
import numpy as np
from sdlib.errors import SdlibError
from sdlib.shifts import LEVELS
from sdlib.training import prediction, sweep

def predicted(networks, tiles, levels, device):
    for start in range(0, len(tiles), 1000):
        yield slice(start, start + 1000), levels[0], np.ones((1, 1000), np.float32)

prediction.sweep = predicted
folder, session = Path(sys.argv[1]), ([None], range(50_000), "cpu")
try:
    sweep._predict(session, [SimpleNamespace(id="run")], [LEVELS[0]], folder, {"run": "stamp"})
except SdlibError as error:
    print(error)
print(os.listdir(folder))
"""


def test_a_full_disk_is_one_sentence(tmp_path):
    """In a small file system of the test's own: a writable map would kill the process there."""
    mount = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    tiny = f"mount -t tmpfs -o size=64k none {tmp_path}"
    if subprocess.run([*mount, tiny], check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    command = [*mount, f'{tiny} && exec "$@"', "sh", sys.executable, "-c", ON_A_FULL_DISK]
    found = subprocess.run(
        [*command, str(tmp_path)], check=False, capture_output=True, text=True, timeout=PATIENCE
    )
    assert found.returncode == 0, found.stderr
    sentence = f"cannot write {tmp_path}: the disk is full: free some space, or choose another"
    assert found.stdout.splitlines()[0].startswith(sentence)
    assert found.stdout.splitlines()[1] == "[]"


def test_a_disk_that_takes_a_part_first(tmp_path, monkeypatch):
    """A write may be short; what is read back is what was written."""
    real = sweep.os.pwrite
    monkeypatch.setattr(sweep.os, "pwrite", lambda to, what, at: real(to, what[:5], at))
    logits = np.random.default_rng(0).normal(size=(2, 3, 7)).astype(np.float16)
    with sweep._Waiting(tmp_path, networks=3, tiles=7) as waiting:
        for rows in (slice(0, 4), slice(4, 7)):
            for level in (1, 0):
                waiting.write(level, rows, logits[level][:, rows])
        for level in (0, 1):
            np.testing.assert_array_equal(waiting.read(level), logits[level])
        assert files(tmp_path) == []


def test_logits_beyond_half_precision_stay_finite(tmp_path):
    with sweep._Waiting(tmp_path, networks=1, tiles=3) as waiting:
        waiting.write(0, slice(0, 3), np.array([[-1e6, 0.5, 1e6]], np.float32))
        assert waiting.read(0).tolist() == [[-65504, 0.5, 65504]]


def test_a_broken_network_is_not_swept(network):
    with torch.no_grad():
        network.get_classifier().weight.fill_(float("nan"))
    save_weights(network, RUN.folder / "model.safetensors")
    with pytest.raises(DataError, match=r"finite weights in .*sd_eq1_none/seed0/model.safetensors"):
        sweep.make(*PLACE, log=silent)
    assert not SWEEP.done_file(*PLACE).exists()
    assert files(SWEEP.folder(*PLACE)) == []


@pytest.mark.parametrize(
    "damage",
    [lambda whole: b"", lambda whole: whole[:-40], lambda whole: whole[:90] + bytes(40)],
    ids=["empty", "cut", "zeros"],
)
def test_a_damaged_level_is_made_again(network, damage):
    folder = sweep.make(*PLACE, log=silent)
    expected, lines = logits_of(folder), []
    file = folder / f"{LEVELS[4].name}.npz"
    file.write_bytes(damage(file.read_bytes()))
    sweep.make(*PLACE, log=lines.append)
    assert lines == [
        f"{file} is damaged and counts as not there: it is made again",
        f"robustness: 1 networks at {LEVELS[4].name}",
    ]
    found = logits_of(folder)
    assert set(found) == set(expected)
    for name in found:
        np.testing.assert_array_equal(found[name], expected[name])


def test_it_tells_how_many_levels_are_finished(network):
    """Of those that are there already, too, and not of damaged files."""
    levels, steps = levels_of("smoke"), []
    folder = sweep.make(*PLACE, log=silent, done=lambda *step: steps.append(step))
    assert steps[0] == (0, len(levels))
    assert steps[-1] == (len(levels), len(levels))
    assert [finished for finished, _ in steps] == sorted({finished for finished, _ in steps})
    (folder / f"{LEVELS[4].name}.npz").write_bytes(b"")
    steps.clear()
    sweep.make(*PLACE, log=silent, done=lambda *step: steps.append(step))
    assert steps == [(len(levels) - 1, len(levels)), (len(levels), len(levels))]


def test_a_run_with_a_damaged_row_is_left_out(network):
    OTHER.folder.mkdir(parents=True)
    OTHER.row_file.write_bytes(b"")
    lines = []
    folder = sweep.make(*PLACE, log=lines.append)
    assert lines[0] == f"{OTHER.row_file} is damaged and counts as not there: it is made again"
    assert swept(folder) == {RUN.id}


def test_a_network_of_another_configuration_is_not_swept(trained):
    trained(OTHER, config_hash="of yesterday")
    # Its weights are of another network: to read them would be an error.
    save_weights(create_network("test_resnet"), OTHER.folder / "model.safetensors")
    with pytest.raises(DataError, match="no trained networks of robustness"):
        sweep.make(*PLACE, log=silent)
    trained(RUN)
    assert swept(sweep.make(*PLACE, log=silent)) == {RUN.id}


def test_the_command_that_trains_them_names_a_folder_whatever_it_is_called(outputs, tmp_path):
    folder = tmp_path / "my slides; x"
    write_folder(folder)
    with pytest.raises(DataError, match=rf"--profile smoke --source 'folder:{folder}'$"):
        sweep.make("own_data", "smoke", folder_name(folder), log=silent)


def test_only_the_wanted_arms_predict_and_the_others_keep_what_they_have(trained):
    for run in (RUN, OTHER):
        trained(run)
    folder = sweep.make(*PLACE, log=silent, arms=[RUN.arm])
    assert swept(folder) == {RUN.id}
    sweep.make(*PLACE, log=silent, arms=[OTHER.arm])
    assert swept(folder) == {RUN.id, OTHER.id}
    lines = []
    sweep.make(*PLACE, log=lines.append)
    assert lines == []


def hold(folder, reached):
    with only_process(folder / ".lock", "the sweep"):
        reached.set()
        time.sleep(PATIENCE)


def test_two_processes_at_one_sweep(network, processes):
    reached = processes.event()
    first = processes(hold, SWEEP.folder(*PLACE), reached)
    first.start()
    assert reached.wait(PATIENCE)
    with pytest.raises(
        SdlibError, match=f"the sweep of robustness is at work in process {first.pid}"
    ):
        sweep.make(*PLACE, log=silent)
    first.kill()
    first.join()
    folder = sweep.make(*PLACE, log=silent)
    names = [f"{level.name}.npz" for level in levels_of("smoke")]
    assert files(folder) == sorted([*names, "done.json"])
