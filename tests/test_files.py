"""Atomic writing: whole or not there, and a refusal in one sentence."""

import errno
import json
import resource
import subprocess
import sys

import numpy as np
import pytest

from sdlib.errors import SdlibError
from sdlib.files import atomic_path, write_json


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write_then_raise(path, error):
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error


def test_success_replaces_and_leaves_nothing_else(tmp_path):
    target = tmp_path / "made" / "on the way" / "row.json"
    for text in ("first", "second"):
        with atomic_path(target) as temporary:
            assert temporary.parent == target.parent
            assert temporary.suffix == ".json"
            assert not (target.exists() and target.read_text() == text)
            temporary.write_text(text)
        assert target.read_text() == text
    assert names(target.parent) == ["row.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_keeps_the_old_file_and_the_exception(tmp_path, error):
    target = tmp_path / "row.json"
    target.write_text("old")
    with pytest.raises(error):
        write_then_raise(target, error)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["row.json"]


def test_two_writers_do_not_share_a_name(tmp_path):
    with atomic_path(tmp_path / "a") as one, atomic_path(tmp_path / "a") as two:
        assert one != two
        one.write_text("one")
        two.write_text("two")
    assert (tmp_path / "a").read_text() == "one"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_sentence(tmp_path, number):
    with pytest.raises(SdlibError, match=r"^cannot write .*row.json: the disk .*free some space"):
        write_then_raise(tmp_path / "row.json", OSError(number, "as the kernel says it"))
    assert names(tmp_path) == []


def test_a_file_in_the_way_of_the_folder_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SdlibError, match=r"cannot write .*: a part of the path is a file"):
        write_json(tmp_path / "file" / "sub" / "row.json", {})


def test_a_folder_in_the_way_of_the_file_is_one_sentence(tmp_path):
    (tmp_path / "row.json").mkdir()
    with pytest.raises(SdlibError, match=r"a folder of that name is in the way"):
        write_json(tmp_path / "row.json", {})
    assert names(tmp_path) == ["row.json"]


def test_errors_about_other_files_pass_unchanged(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"), atomic_path(tmp_path / "row.json"):
        (tmp_path / "absent").read_text()


@pytest.mark.parametrize(
    ("suffix", "write"),
    [
        (".pt", "import torch; torch.save(torch.zeros(100_000), path)"),
        (
            ".st",
            "import torch, safetensors.torch as s; s.save_file({'x': torch.zeros(100_000)}, path)",
        ),
        (".npy", "import numpy; numpy.save(path, numpy.zeros(100_000))"),
        (".npz", "import numpy; numpy.savez(path, x=numpy.zeros(100_000))"),
        ("", "path.write_bytes(bytes(400_000))"),
    ],
    ids=["torch", "safetensors", "numpy", "npz", "bytes"],
)
def test_every_library_that_cannot_write_on_is_explained(tmp_path, suffix, write):
    """The kernel itself refuses, by a limit on the size of files in a process of its own."""
    script = (
        "import sys, pathlib\n"
        "from sdlib.files import atomic_path\n"
        "try:\n"
        f"    with atomic_path(pathlib.Path(sys.argv[1]) / 'weights{suffix}') as path:\n"
        f"        {write}\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    assert done.stdout.startswith("SdlibError cannot write"), done.stdout + done.stderr
    assert f"weights{suffix}: the file is larger than allowed there" in done.stdout
    assert names(tmp_path) == []


def test_write_json(tmp_path):
    row = {"arm": "sd_eq2", "λ": [0.1, None, True]}
    write_json(tmp_path / "row.json", row)
    assert json.loads((tmp_path / "row.json").read_text(encoding="utf-8")) == row


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("nan")])
def test_json_has_no_nan(tmp_path, value):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "row.json", {"accuracy": value})
    assert names(tmp_path) == []
