"""Snakemake as a process: Ctrl-C, Ctrl-Z, kills, and what they leave behind."""

import os
import re
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from sdlib.errors import SdlibError
from sdlib.pipeline.processes import GRAPH, unlock

PATIENCE = 120  # seconds; snakemake starts slowly on a busy machine
SENTENCE = "the same command goes on from here"

# A job that has half written a file, and a chapter in the middle of a cell.
WRITER = """
import os, sys, time
from pathlib import Path
from sdlib.files import atomic_path
from sdlib.pipeline.processes import leave_on_request
leave_on_request()
with atomic_path("row.json") as temporary:
    temporary.write_text("half")
    Path("writer.pid").write_text(str(os.getpid()))
    time.sleep(300)
"""
CELL = """
import os, time
from pathlib import Path
Path("chapter.pid").write_text(str(os.getpid()))
time.sleep(300)
"""
SNAKEFILE = f"""
import os, sys
os.environ["{GRAPH}"] = os.getcwd()
rule all:
    input: "row.json", "out.ipynb"
rule write:
    output: "row.json"
    shell: "{{sys.executable:q}} writer.py"
rule chapter:
    output: "out.ipynb"
    shell: "{{sys.executable:q}} -m sdlib.pipeline execute a.ipynb {{output}}"
"""
SNAKEMAKE = ["--cores", "2", "--keep-incomplete", "--keep-going", "--quiet", "host", "reason"]


@pytest.fixture(autouse=True)
def at_a_terminal():
    """A shell's background jobs ignore Ctrl-C, and their children inherit it; these must not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def folder(tmp_path):
    """A folder with the graph of the two jobs."""
    folder = tmp_path / "graph"
    folder.mkdir()
    (folder / "Snakefile").write_text(SNAKEFILE)
    (folder / "writer.py").write_text(WRITER)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}}
    notebook = new_notebook(cells=[new_code_cell(CELL)], metadata=kernel)
    nbformat.write(notebook, folder / "a.ipynb")
    return folder


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def begun(folder, module, *, errors=subprocess.PIPE):
    """The process of a graph, and those of its jobs when both are in the middle of their work."""
    command = [sys.executable, "-m", *module, *SNAKEMAKE]
    graph = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=errors, text=True, process_group=0
    )
    files = [folder / "writer.pid", folder / "chapter.pid"]
    try:
        wait_for(
            lambda: all(file.exists() and file.read_text() for file in files) or graph.poll(),
            "the jobs did not begin",
        )
        assert graph.poll() is None, "the graph ended before its jobs began"
        return graph, [psutil.Process(int(file.read_text())) for file in files]
    except BaseException:
        graph.kill()
        for log in (folder / ".snakemake" / "log").glob("*"):
            print(log.read_text())
        raise


def ended(processes):
    """Whether processes are over, those that nobody has asked after included."""
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def gone(graph, jobs):
    wait_for(lambda: ended(jobs), "jobs went on")
    assert graph.wait(PATIENCE) is not None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_an_interrupted_graph_ends_in_one_sentence(folder, number):
    before = signal.signal(number, signal.SIG_DFL)  # `nohup` has these tests ignore SIGHUP
    try:
        graph, jobs = begun(folder, ["sdlib.pipeline", "graph"])
    finally:
        signal.signal(number, before)
    os.killpg(graph.pid, number)  # as a terminal does
    _, errors = graph.communicate(timeout=PATIENCE)
    assert graph.returncode == 130
    assert ended(jobs)
    assert not re.search("Traceback|[Ee]rror|Exception|destroyed|Aborted", errors)
    assert errors.endswith(f"\nstopped: {SENTENCE}\n")
    assert [path.name for path in folder.glob(".row*")] == []  # nothing half-written
    assert not (folder / "row.json").exists()


def test_a_pause_is_one_of_the_whole_graph(folder):
    graph, jobs = begun(folder, ["sdlib.pipeline", "graph"])
    writer = jobs[0]
    graph.send_signal(signal.SIGTSTP)
    wait_for(lambda: writer.status() == psutil.STATUS_STOPPED, "Ctrl-Z did not pause a job")
    wait_for(lambda: psutil.Process(graph.pid).status() == psutil.STATUS_STOPPED, "nor the graph")
    graph.send_signal(signal.SIGCONT)
    wait_for(lambda: writer.status() != psutil.STATUS_STOPPED, "the job did not go on")
    graph.send_signal(signal.SIGINT)
    graph.communicate(timeout=PATIENCE)
    gone(graph, jobs)


def test_a_background_graph_outlives_its_terminal(folder):
    """`nohup` ignores SIGHUP, and so do we."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        graph, jobs = begun(folder, ["sdlib.pipeline", "graph"])
    finally:
        signal.signal(signal.SIGHUP, before)
    graph.send_signal(signal.SIGHUP)
    time.sleep(1)
    assert graph.poll() is None
    graph.send_signal(signal.SIGTERM)
    graph.communicate(timeout=PATIENCE)
    gone(graph, jobs)


def test_the_jobs_of_a_killed_snakemake_are_stopped_with_it(folder):
    graph, jobs = begun(folder, ["sdlib.pipeline", "graph"])
    (snakemake,) = psutil.Process(graph.pid).children()
    snakemake.kill()
    _, errors = graph.communicate(timeout=PATIENCE)
    assert graph.returncode == 2
    assert errors.endswith(f"error: snakemake was killed by signal 9: {SENTENCE}\n")
    gone(graph, jobs)


def test_a_lock_is_kept_while_its_snakemake_lives_and_orphans_are_named_and_stopped(folder, capfd):
    unlock(folder)  # nothing to do
    graph, jobs = begun(folder, ["snakemake"], errors=subprocess.DEVNULL)
    with pytest.raises(SdlibError, match=f"process {graph.pid}"):
        unlock(folder)
    assert not ended(jobs)
    locks = folder / ".snakemake" / "locks"
    assert any(locks.iterdir())
    graph.kill()
    graph.wait()
    assert not ended(jobs)  # they have not noticed
    unlock(folder)
    gone(graph, jobs)
    errors = capfd.readouterr().err
    assert "stopping what a killed graph left at work (processes " in errors
    numbers = errors.partition("(processes ")[2].partition(")")[0].split(", ")
    assert {str(job.pid) for job in jobs} <= set(numbers)
    assert not locks.is_dir() or not any(locks.iterdir())
    assert list(folder.glob(".row*")) == []
    unlock(folder)
    assert capfd.readouterr().err == ""


def test_work_by_hand_is_not_taken_for_an_orphan(folder, capfd):
    environment = {name: value for name, value in os.environ.items() if name != GRAPH}
    byhand = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(300)"], cwd=folder, env=environment
    )
    try:
        unlock(folder)
        assert byhand.poll() is None
        assert capfd.readouterr().err == ""
    finally:
        byhand.kill()
        byhand.wait()


def test_a_lock_that_cannot_be_removed_is_one_sentence(folder):
    locks = folder / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.input.lock").write_text("row.json\n")
    (folder / "Snakefile").write_text("sys.exit('error: unknown profile')\n")
    with pytest.raises(SdlibError, match="did not remove the lock"):
        unlock(folder)
