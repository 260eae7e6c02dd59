"""What is done with Slurm's answers; scripts stand in for its commands."""

import ast
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from sdlib.errors import SdlibError
from sdlib.pipeline import slurm
from sdlib.pipeline.processes import GRAPH, unlock

PATIENCE = 60  # seconds
ACCOUNTED = "AccountingStorageType   = accounting_storage/slurmdbd"
UNACCOUNTED = "AccountingStorageType   = accounting_storage/none"

# A process that can be signalled when it has said so, and its child.
JOB = """
import os, time
from sdlib.pipeline.slurm import requeue_on_notice
requeue_on_notice()
if os.fork() == 0:
    print(os.getpid(), flush=True)  # from here on, it hears signals
time.sleep(60)
"""


class Commands:
    """Commands of Slurm that note how they are called, and say what they are told to."""

    def __init__(self, folder):
        self.folder = folder
        self.log = folder / "calls"
        self.log.touch()

    def say(self, command, text="", status=0, then=""):
        script = self.folder / command
        lines = ["#!/bin/sh", f'echo {command} "$@" >> {self.log}', "cat <<'END'", text, "END"]
        complaint = "echo 'Unable to contact slurm controller' >&2"
        lines += [then, *([complaint] if status else []), f"exit {status}", ""]
        script.write_text("\n".join(lines))
        script.chmod(0o755)

    @property
    def calls(self):
        return self.log.read_text().splitlines()


@pytest.fixture
def commands(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    for name in ("SBATCH_PARTITION", "SBATCH_ACCOUNT", "SBATCH_ARGS", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    found = Commands(folder)
    found.say("sbatch")
    found.say("scontrol", ACCOUNTED)
    found.say("squeue", "RUNNING")
    found.say("scancel")
    return found


# -- Options


def test_options_are_those_of_the_folder(commands, tmp_path, outputs):
    options = slurm.arguments(tmp_path)
    assert f"--slurm-logdir={outputs / 'logs'}" in options
    assert "--slurm-requeue" in options
    assert not [option for option in options if "status-command" in option]
    assert "--default-resources" not in options
    assert set(options) - set(slurm.arguments(tmp_path / "elsewhere")) == {
        option for option in options if option.startswith("--slurm-jobname-prefix=")
    }


def test_a_cluster_without_accounting_is_asked_by_squeue(commands, tmp_path):
    commands.say("scontrol", UNACCOUNTED)
    assert "--slurm-status-command=squeue" in slurm.arguments(tmp_path)


def test_settings_are_passed_on_whole(commands, tmp_path, monkeypatch):
    given = {"SBATCH_PARTITION": "gpu", "SBATCH_ACCOUNT": "42", "SBATCH_ARGS": "--x='a b' --y"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    options = slurm.arguments(tmp_path)
    resources = options[options.index("--default-resources") + 1 :]
    values = dict(resource.split("=", 1) for resource in resources)
    assert {name: ast.literal_eval(value) for name, value in values.items()} == {
        "slurm_partition": "gpu",
        "slurm_account": "42",
        "slurm_extra": "--x='a b' --y",
    }


def test_without_slurm_there_is_one_sentence(commands, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nothing")
    with pytest.raises(
        SdlibError, match=r"expected Slurm's command sbatch on the PATH, found none"
    ):
        slurm.arguments(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "sdlib.pipeline", "graph", "--executor", "slurm", "--jobs", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: expected Slurm's command sbatch")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / ".snakemake").exists()


def test_without_the_plugin_there_is_one_sentence(commands, tmp_path, monkeypatch):
    monkeypatch.setattr(slurm.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SdlibError, match=r"expected the package snakemake-executor-plugin-slurm"):
        slurm.arguments(tmp_path)


def test_a_slurm_that_does_not_answer_is_one_sentence(commands, tmp_path):
    commands.say("scontrol", status=1)
    with pytest.raises(SdlibError, match=r"scontrol failed: Unable to contact slurm controller$"):
        slurm.arguments(tmp_path)


# -- In a job


@pytest.fixture
def job(commands, monkeypatch):
    """Start a process as a job that the graph has submitted: the process and its child's number."""
    started = []

    def start(submitted=True):
        monkeypatch.setenv("SLURM_JOB_ID", "7")
        if submitted:
            monkeypatch.setenv(slurm.SUBMITTED, "1")
        process = subprocess.Popen(
            [sys.executable, "-c", JOB], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        child = int(process.stdout.readline())
        started.append(child)
        return process, child

    yield start
    process, child = started
    process.kill()
    os.kill(child, signal.SIGKILL)
    process.communicate()


def ended(process):
    process.wait(PATIENCE)
    return process.returncode


def test_a_job_near_its_limit_goes_back_to_the_queue(commands, job):
    process, _ = job()
    process.send_signal(signal.SIGURG)
    assert ended(process) == 128 + signal.SIGURG
    assert commands.calls == ["scontrol requeue 7"]
    assert process.stderr.readline() == "the time limit is near: job 7 goes back to the queue\n"


def test_a_job_that_is_not_requeued_uses_the_time_that_is_left(commands, job):
    commands.say("scontrol", status=1)
    process, _ = job()
    process.send_signal(signal.SIGURG)
    _, said = process.stderr.readline(), process.stderr.readline()
    assert said.startswith("error: job 7 was not requeued: Slurm's command scontrol failed: Unable")
    assert process.poll() is None
    commands.say("squeue", "COMPLETING")
    process.send_signal(signal.SIGTERM)
    assert ended(process) == 128 + signal.SIGTERM


def test_a_preempted_job_goes_back_to_the_queue(commands, job):
    process, _ = job()
    process.send_signal(signal.SIGTERM)
    assert ended(process) == 128 + signal.SIGTERM
    assert commands.calls == ["squeue --noheader --jobs 7 --format %T", "scontrol requeue 7"]


@pytest.mark.parametrize("state", ["COMPLETING", "CANCELLED", ""])
def test_a_cancelled_job_does_not_come_back(commands, job, state):
    commands.say("squeue", state, status=0 if state else 1)
    process, _ = job()
    process.send_signal(signal.SIGTERM)
    assert ended(process) == 128 + signal.SIGTERM
    assert not [call for call in commands.calls if "requeue" in call]


def test_readers_of_tiles_leave_it_to_the_process_that_forked_them(commands, job):
    process, child = job()
    os.kill(child, signal.SIGURG)
    os.kill(child, signal.SIGTERM)
    while psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.02)
    assert commands.calls == []
    assert process.poll() is None


def test_other_jobs_of_slurm_are_left_as_they_are(commands, job):
    process, _ = job(submitted=False)
    process.send_signal(signal.SIGURG)
    process.send_signal(signal.SIGTERM)
    assert ended(process) == -signal.SIGTERM
    assert commands.calls == []


# -- Around a graph


def queued(folder, *others):
    return "\n".join([f"5 {slurm._prefix(folder)}_0-1", *others])


def test_jobs_of_a_folder_are_cancelled_and_no_others(commands, tmp_path):
    slurm.begin(tmp_path)
    script = commands.folder / "squeue"
    commands.say("squeue", queued(tmp_path, "6 other", "7 sdlib-other_0"))
    commands.say("scancel", then=f"echo '#!/bin/sh' > {script}")
    assert slurm.cancel(tmp_path) == ["5"]
    assert [call for call in commands.calls if call.startswith("scancel")] == ["scancel 5"]
    before = commands.calls
    assert slurm.cancel(tmp_path) == []
    assert commands.calls == before  # not asked again


def test_where_no_graph_has_used_slurm_it_is_not_asked(commands, tmp_path):
    slurm.begin(tmp_path)
    slurm.end(tmp_path)
    assert slurm.cancel(tmp_path) == []
    assert commands.calls == []


def test_jobs_that_do_not_end_are_named(commands, tmp_path, monkeypatch):
    monkeypatch.setattr(slurm, "END_SECONDS", 0)
    commands.say("squeue", queued(tmp_path))
    slurm.begin(tmp_path)
    with pytest.raises(SdlibError, match=r"Slurm's jobs 5 were cancelled and have not ended yet"):
        slurm.cancel(tmp_path)


def test_a_queue_that_cannot_be_seen_is_not_taken_for_an_empty_one(commands, tmp_path):
    commands.say("squeue", status=1)
    slurm.begin(tmp_path)
    for _ in range(2):
        with pytest.raises(SdlibError, match="squeue failed"):
            slurm.cancel(tmp_path)


def test_processes_of_jobs_are_slurms_though_they_are_on_this_machine(tmp_path, commands):
    command = [sys.executable, "-c", "import time; time.sleep(60)", "snakemake"]
    environment = os.environ | {GRAPH: str(tmp_path), "SLURM_JOB_ID": "7"}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment)
    try:
        unlock(tmp_path)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_failures_tell_the_last_error_of_each_log(outputs):
    old, new, silent = (outputs / "logs" / "rule" / f"{number}.log" for number in (1, 2, 3))
    new.parent.mkdir(parents=True)
    old.write_text("error: long ago\n")
    os.utime(old, (0, 0))
    new.write_text("Error in rule\nerror: no tiles\nerror: no GPU\nmore\n")
    silent.write_bytes(b"Killed \xff\n")
    assert slurm.failures(since=1).splitlines() == [
        "the logs of jobs that did not succeed at once:",
        f"  {new}: error: no GPU",
        f"  {silent}",
    ]
