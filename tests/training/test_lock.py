"""A lock is of one process, names it, and ends with it."""

import os
import signal
import time

import pytest

from sdlib.errors import SdlibError
from sdlib.training.lock import only_process

PATIENCE = 300


def hold(path, reached):
    """Hold a lock in a process of its own."""
    with only_process(path, "the test"):
        reached.set()
        time.sleep(PATIENCE)


@pytest.fixture
def holder(tmp_path, processes):
    """Another process that holds the lock `tmp_path / "lock"`."""
    reached = processes.event()
    process = processes(hold, tmp_path / "lock", reached)
    process.start()
    assert reached.wait(PATIENCE)
    return process


def test_another_process_is_told_whose_it_is(tmp_path, holder):
    message = f"the test is at work in process {holder.pid} on .*: wait for it, or stop it, and"
    for _ in range(2):
        with pytest.raises(SdlibError, match=message), only_process(tmp_path / "lock", "the test"):
            pytest.fail("two processes are in")


def test_it_ends_with_its_process(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    assert (tmp_path / "lock").exists()  # what is left locks nothing
    with only_process(tmp_path / "lock", "the test"):
        assert (tmp_path / "lock").read_text().startswith(f"process {os.getpid()} on ")
    assert not (tmp_path / "lock").exists()


def test_it_ends_with_an_error(tmp_path):
    with pytest.raises(KeyError), only_process(tmp_path / "new" / "lock", "the test"):
        raise KeyError
    with only_process(tmp_path / "new" / "lock", "the test"):
        pass
    assert list((tmp_path / "new").iterdir()) == []


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    message = "cannot write .*lock: .* is a file, not a folder"
    with pytest.raises(SdlibError, match=message), only_process(tmp_path / "file" / "lock", "it"):
        pass


def test_folders_that_know_no_locks_do_without(tmp_path, monkeypatch):
    def unknown(*args):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.lockf", unknown)
    with only_process(tmp_path / "lock", "the test"):
        entered = True
    assert entered


def wait_for(path, waiting, entered):
    """Wait for a lock in a process of its own."""
    waiting.set()
    with only_process(path, "the test", wait=True):
        entered.set()


def test_who_waits_comes_after_the_holder(tmp_path, processes):
    waiting, entered = processes.event(), processes.event()
    with only_process(tmp_path / "lock", "the test"):
        process = processes(wait_for, tmp_path / "lock", waiting, entered)
        process.start()
        assert waiting.wait(PATIENCE)
        assert not entered.wait(0.2)
    assert entered.wait(PATIENCE)
    process.join(PATIENCE)
    assert process.exitcode == 0
    assert list(tmp_path.iterdir()) == []


def test_who_waits_for_a_killed_process_comes_in(tmp_path, holder, processes):
    waiting, entered = processes.event(), processes.event()
    process = processes(wait_for, tmp_path / "lock", waiting, entered)
    process.start()
    assert waiting.wait(PATIENCE)
    os.kill(holder.pid, signal.SIGKILL)
    assert entered.wait(PATIENCE)
    process.join(PATIENCE)


def test_nobody_to_wait_for(tmp_path):
    with only_process(tmp_path / "lock", "the test", wait=True):
        assert (tmp_path / "lock").read_text().startswith(f"process {os.getpid()} on ")
    assert list(tmp_path.iterdir()) == []


def test_folders_that_know_no_locks_are_not_waited_for(tmp_path, monkeypatch):
    def unknown(*args):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.lockf", unknown)
    with only_process(tmp_path / "lock", "the test", wait=True):
        entered = True
    assert entered
