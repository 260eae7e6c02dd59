"""Atomic writing: whole or not there, and a refusal in one sentence."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from sdlib.errors import SdlibError
from sdlib.files import all_or_none, atomic_path, write_json
from sdlib.files.temporary import temporary_name
from sdlib.paths import ROOT


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
    with pytest.raises(SdlibError, match=r"cannot write .*: .*file is a file, not a folder"):
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


# -- Names


@pytest.mark.parametrize("name", ["a" * 251 + ".npz", "é" * 125 + ".json", "x." + "y" * 250])
def test_the_longest_names_are_written(tmp_path, name):
    with atomic_path(tmp_path / name) as temporary:
        temporary.write_text("whole")
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("name", ["a" * 300 + ".json", "folder" * 50 + "/row.json"])
def test_a_name_that_is_too_long_is_one_sentence(tmp_path, name):
    with pytest.raises(SdlibError, match=r"cannot write .*: a name in the path is too long: .*255"):
        write_json(tmp_path / name, {})
    assert names(tmp_path) == []


def test_links_in_a_circle_are_one_sentence(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(SdlibError, match=r"cannot write .*a is a link to .*b, which is not there"):
        write_json(tmp_path / "a" / "row.json", {})


# -- Power cuts


def test_content_is_on_the_disk_before_its_name(tmp_path, monkeypatch):
    """A rename without it may leave an empty file behind after a power cut."""
    done = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(descriptor):
        done.append(("to disk", os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    def watched_replace(source, target):
        done.append(("renamed", os.fspath(source)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    write_json(tmp_path / "row.json", {"seed": 3})
    temporary = done[0][1]
    assert temporary != str(tmp_path / "row.json")
    assert done == [("to disk", temporary), ("renamed", temporary), ("to disk", str(tmp_path))]


def test_a_disk_that_is_full_at_the_last_moment_is_one_sentence(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "row.json").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SdlibError, match=r"^cannot write .*row.json: the disk is full"):
        write_json(tmp_path / "row.json", {})
    assert (tmp_path / "row.json").read_text() == "old"
    assert names(tmp_path) == ["row.json"]


# -- Several files at once


def three(folder, content, error=None):
    with all_or_none():
        for name in ("rows.jsonl", "sweep.npz", "trials.jsonl"):
            with atomic_path(folder / name) as temporary:
                temporary.write_text(content)
        if error:
            raise error


def test_files_take_their_places_together(tmp_path):
    three(tmp_path, "first")
    with all_or_none():
        three(tmp_path, "second")  # a block within a block is a part of it
        assert (tmp_path / "rows.jsonl").read_text() == "first"
    assert names(tmp_path) == ["rows.jsonl", "sweep.npz", "trials.jsonl"]
    assert {path.read_text() for path in tmp_path.iterdir()} == {"second"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SdlibError])
def test_an_error_after_all_of_them_changes_nothing(tmp_path, error):
    three(tmp_path, "first")
    with pytest.raises(error):
        three(tmp_path, "second", error)
    assert names(tmp_path) == ["rows.jsonl", "sweep.npz", "trials.jsonl"]
    assert {path.read_text() for path in tmp_path.iterdir()} == {"first"}
    write_json(tmp_path / "later.json", {})  # the block is over
    assert (tmp_path / "later.json").exists()


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("links", [True, False])
def test_a_place_that_cannot_be_taken_changes_nothing(tmp_path, monkeypatch, before, links):
    if before:
        (tmp_path / "rows.jsonl").write_text("first")
    if not links:  # as on some file systems

        def refused(source, target):
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refused)
    (tmp_path / "trials.jsonl").mkdir()  # the last of the three
    with pytest.raises(SdlibError, match=r"trials.jsonl: a folder of that name is in the way"):
        three(tmp_path, "second")
    assert names(tmp_path) == ["rows.jsonl", "trials.jsonl"][not before :]
    if before:
        assert (tmp_path / "rows.jsonl").read_text() == "first"


# -- What killed processes leave

WRITER = """
import sys, time
from pathlib import Path
from sdlib.files import atomic_path
with atomic_path(Path(sys.argv[1]) / "row.json") as temporary:
    temporary.write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


def start_writer(folder):
    process = subprocess.Popen(
        [sys.executable, "-B", "-c", WRITER, str(folder)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def test_leftovers_of_the_killed_go_with_the_next_write_and_the_livings_stay(tmp_path):
    killed, living = start_writer(tmp_path), start_writer(tmp_path)
    try:
        assert len(names(tmp_path)) == 2
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        write_json(tmp_path / "other.json", {})
        kept = [name for name in names(tmp_path) if name != "other.json"]
        assert [f".{living.pid}-" in name for name in kept] == [True]
    finally:
        for process in (killed, living):
            process.kill()
            process.wait()
            process.stdout.close()
    write_json(tmp_path / "other.json", {})
    assert names(tmp_path) == ["other.json"]


def gone():
    """The number of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_leftovers_of_older_versions_and_of_an_earlier_process_of_this_number_go(tmp_path):
    (tmp_path / f".row.{gone()}-0123abcd.json").write_text("half")
    mine = temporary_name(tmp_path / "waiting.npy").name
    machine = mine.split("-")[1][:8]
    (tmp_path / f".row.{os.getpid()}-{machine}0123abcd.json").write_text("half")
    (tmp_path / mine).write_text("being written")
    write_json(tmp_path / "other.json", {})
    assert names(tmp_path) == sorted([mine, "other.json"])


def test_leftovers_of_another_machine_go_after_a_month(tmp_path):
    """Whether a process of another machine is alive cannot be told on a shared disk."""
    young, old = (tmp_path / f".row.{gone()}-{name * 16}.json" for name in "ab")
    for file in (young, old):
        file.write_text("half")
    month = time.time() - 31 * 24 * 3600
    os.utime(old, (month, month))
    write_json(tmp_path / "other.json", {})
    assert names(tmp_path) == [young.name, "other.json"]


def test_files_of_other_names_stay(tmp_path):
    mine = [".hidden.json", ".row.json", f".row.{gone()}-notes.json", f"row.{gone()}-0123abcd.json"]
    for name in mine:
        (tmp_path / name).write_text("mine")
    write_json(tmp_path / "other.json", {})
    assert names(tmp_path) == sorted([*mine, "other.json"])
