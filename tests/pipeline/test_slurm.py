"""The graph on a real Slurm: over two nodes, killed, preempted; the rows stay the same.

The cluster is emulated: its daemons and its nodes are processes of this machine.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import psutil
import pytest
import torch

from sdlib.paths import ROOT
from sdlib.pipeline.processes import GRAPH
from tests.pipeline import slurm_cluster
from tests.pipeline.slurm_cluster import slurm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("slurm"),
    pytest.mark.skipif(bool(slurm_cluster.lacking()), reason=slurm_cluster.lacking()),
]

PATIENCE = 300  # seconds; each job starts snakemake twice before it trains
EPOCHS = 60  # some seconds in all: a busy machine looks at them only now and then

# Two experiments of one run each, long enough to be met in the middle, in the place of none.
TOYS = f"""

from sdlib.experiments.arm import Arm
from sdlib.experiments.cohorts import Cohort

for _name in ("toy_a", "toy_b"):
    register(
        Experiment(
            _name,
            _name,
            (Arm("plain", "plain", look=Look("#111111", "o")),),
            Cohort(("train",)),
            {{"validation": Cohort(("validation",)), "test": Cohort(("test",))}},
            overrides={{"smoke": {{"epochs": {EPOCHS}}}}},
        )
    )
"""


def linked(folder, source, *changed):
    """``folder``, made of links to what is in ``source``, except for what is changed in it."""
    folder.mkdir()
    for path in source.iterdir():
        if path.name not in (*changed, "__pycache__"):
            (folder / path.name).symlink_to(path)


class Clone:
    """A folder like the repository that has the toys, and its graph on the cluster.

    Parameters
    ----------
    folder : pathlib.Path
        Where it is made; its outputs are in there.
    cache : pathlib.Path
        The folder of the tiles.
    settings : str
        Further variables of the environment.
    """

    def __init__(self, folder, cache, **settings):
        self.folder = folder
        folder.mkdir()
        for name in ("Snakefile", "Makefile", "_config.yml", "_toc.yml", "book", "data"):
            (folder / name).symlink_to(ROOT / name)
        linked(folder / "sdlib", ROOT / "sdlib", "experiments")
        experiments = ROOT / "sdlib" / "experiments"
        linked(folder / "sdlib" / "experiments", experiments, "registry.py")
        registry = (experiments / "registry.py").read_text() + TOYS
        (folder / "sdlib" / "experiments" / "registry.py").write_text(registry)
        (folder / ".venv").symlink_to(sys.prefix)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SLURM_", "SBATCH_", "PYTEST_", "COV_"))
        }
        self.environment = kept | {
            "SDLIB_OUTPUTS": str(folder / "outputs"),
            "SDLIB_CACHE": str(cache),
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
            **settings,
        }
        self.log = folder / "graph.log"
        self.graphs = []

    def run_folder(self, toy):
        return self.folder / "outputs" / "phantom" / "smoke" / toy / "plain" / "seed0"

    def commands(self, *toys):
        """Those of make, up to the rows of the toys."""
        arguments = ["-n", "-o", ".venv/.stamp", "reproduce", "EXECUTOR=slurm", "PROFILE=smoke"]
        listed = subprocess.run(
            ["make", "--no-print-directory", *arguments, "FRESH=1", "POLL=1", "RETRIES=0"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        unlock, graph, _show = [shlex.split(line) for line in listed.stdout.splitlines()]
        return unlock, [*graph, "--until", *(f"train_{toy}_as_given_0" for toy in toys)]

    def start(self, *toys, more=()):
        """The process of make's graph; everything that it prints is in the log."""
        unlock, graph = self.commands(*toys)
        with self.log.open("a") as log:
            call = {"cwd": self.folder, "env": self.environment, "stdout": log, "stderr": log}
            subprocess.run(unlock, check=True, **call)
            self.graphs.append(subprocess.Popen([*graph, *more], process_group=0, **call))
        return self.graphs[-1]

    def stop(self):
        """Stop the graphs that are left where a test has failed, and their jobs."""
        for graph in self.graphs:
            if graph.poll() is None:
                graph.send_signal(signal.SIGINT)
                graph.wait(PATIENCE)

    def said(self):
        return self.log.read_text()

    def wait_for(self, condition, graph, what):
        """The first result of a condition that counts as true."""
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            logs = [path.read_text() for path in self.folder.glob("outputs/logs/*/*.log")]
            assert graph.poll() is None, "\n".join([self.said(), *logs])
            assert time.monotonic() < deadline, "\n".join([what, self.said(), *logs])
            time.sleep(0.02)
        return found

    def job_of(self, toy):
        """The number of a toy's job in the queue."""
        for line in slurm("squeue", "-h", "-o", "%i %k %Z").splitlines():
            number, comment, folder = line.split()
            if (comment, folder) == (f"rule_train_{toy}_as_given_0", str(self.folder)):
                return number
        return None

    def training(self, toy):
        """The process that trains a toy, if there is one."""
        for process in psutil.process_iter(["cmdline", "environ"]):
            environment, command = process.info["environ"] or {}, process.info["cmdline"] or []
            if environment.get(GRAPH) == str(self.folder) and {
                "sdlib.pipeline",
                f"{toy}/plain/seed0",
            } <= set(command):
                return process
        return None

    def epochs(self, toy):
        """Those in a toy's checkpoint."""
        file = self.run_folder(toy) / "checkpoint.pt"
        if not file.exists():
            return []
        try:
            return torch.load(file, weights_only=True)["history"]
        except FileNotFoundError:
            return []

    def paused(self, toys, graph, after=0):
        """The trainings of toys, each paused when it has made more epochs than ``after``."""
        found = {}

        def pause_those_ready():
            for toy in toys:
                if toy not in found and len(self.epochs(toy)) > after:
                    process = self.training(toy)
                    assert process, f"{toy} was too quick"
                    process.suspend()
                    found[toy] = process
            return len(found) == len(toys)

        self.wait_for(pause_those_ready, graph, f"of {toys} only {list(found)} went on")
        return [found[toy] for toy in toys]


def result(folder):
    """A run's row without the times, its predictions and its weights."""
    row = json.loads((folder / "row.json").read_text())
    for name in ("seconds", "finished"):
        del row[name]
    for epoch in row["history"]:
        del epoch["seconds"]
    assert len(row["history"]) == EPOCHS
    predictions = dict(np.load(folder / "predictions.npz"))
    return row, predictions, (folder / "model.safetensors").read_bytes()


def assert_same(folder, other):
    (row, predictions, weights), (row2, predictions2, weights2) = result(folder), result(other)
    assert row == row2
    assert predictions.keys() == predictions2.keys()
    for name in predictions:
        np.testing.assert_array_equal(predictions[name], predictions2[name])
    assert weights == weights2


def assert_kept(folder, epochs):
    """Whether a row's first epochs are those of a checkpoint, times included: none was repeated."""
    assert epochs
    history = json.loads((folder / "row.json").read_text())["history"]
    assert history[: len(epochs)] == epochs


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The cluster, whose daemons end with these tests."""
    with slurm_cluster.cluster(tmp_path_factory.mktemp("slurm")) as trouble:
        if trouble:
            pytest.skip(trouble)
        yield


@pytest.fixture(scope="module")
def make_clone(cluster, tmp_path_factory, phantom_cache):
    """``make_clone(name, **settings)``: a clone whose graphs end with these tests."""
    folder, made = tmp_path_factory.mktemp("clones"), []

    def make(name, **settings):
        made.append(Clone(folder / name, phantom_cache, **settings))
        return made[-1]

    yield make
    for clone in made:
        clone.stop()


@pytest.fixture(scope="module", autouse=True)
def preempted(make_clone):
    """The run that is preempted, under way while the other tests wait for theirs."""
    clone = make_clone("preempted", SBATCH_PARTITION="lent")
    with ThreadPoolExecutor(1) as thread:
        yield clone, thread.submit(preempt_three_times, clone)


@pytest.fixture(scope="module")
def local(make_clone, preempted):
    """A folder with the results of both toys, made by the graph's own command."""
    clone = make_clone("local")
    command = [".venv/bin/python", "-m", "sdlib.pipeline", "train", "--profile", "smoke"]
    subprocess.run(
        [*command, "toy_a/plain/seed0", "toy_b/plain/seed0"],
        cwd=clone.folder,
        env=clone.environment,
        check=True,
        capture_output=True,
    )
    return clone


def preempt_three_times(clone):
    """Run toy_a; returns the epochs in its checkpoint before each preemption, and the job."""
    graph, kept, epochs = clone.start("toy_a"), [], []
    try:
        for preempt in (near_the_limit, by_an_urgent_job, by_hand):
            (training,) = clone.paused(["toy_a"], graph, len(epochs))
            epochs = clone.epochs("toy_a")
            kept.append(epochs)
            job = clone.job_of("toy_a")
            preempt(clone, graph, job, training)
        clone.wait_for((clone.run_folder("toy_a") / "row.json").exists, graph, "no row")
        return kept, slurm("scontrol", "show", "job", job)
    finally:
        graph.send_signal(signal.SIGINT)
        graph.wait(PATIENCE)


def near_the_limit(clone, graph, job, training):
    """Slurm sends the notice once the limit is near: it looks at the limits twice a minute."""
    *hours, minutes, _ = slurm("squeue", "-h", "-j", job, "-o", "%M").split(":")
    assert not hours
    limit = int(minutes) + 2  # between one and two minutes are left
    slurm("scontrol", "update", f"JobId={job}", f"TimeLimit={limit}")
    resumed_by(signal.SIGURG, clone, graph, training)
    clone.wait_for(lambda: not training.is_running(), graph, "the notice was not heard")
    slurm("scontrol", "update", f"JobId={job}", "TimeLimit=30")


def by_an_urgent_job(clone, graph, job, training):
    """A job of another partition wants the node: some seconds of grace begin with a SIGTERM."""
    slurm("sbatch", "-p", "urgent", "-t", "1", "-o", "/dev/null", "--wrap", "true")
    resumed_by(signal.SIGTERM, clone, graph, training)


def by_hand(clone, graph, job, training):
    """A person sends the notice."""
    slurm("scancel", "--signal", "URG", job)
    resumed_by(signal.SIGURG, clone, graph, training)


def resumed_by(number, clone, graph, training):
    """Let a paused training go on when a signal waits for it, unless Slurm has let it."""

    def waiting():
        with open(f"/proc/{training.pid}/status") as status:
            found = dict(line.split(":", 1) for line in status)
        return int(found["ShdPnd"], 16) & 1 << (number - 1)

    with suppress(FileNotFoundError, psutil.NoSuchProcess):
        clone.wait_for(waiting, graph, "no signal")
        training.resume()


def nodes_of(jobs):
    listed = slurm("squeue", "-h", "-t", "all", "-j", ",".join(jobs), "-o", "%N %T")
    return dict(line.split() for line in listed.splitlines())


def jobs_of(clone, graph):
    """The numbers of the jobs of both toys."""
    return [
        clone.wait_for(lambda toy=toy: clone.job_of(toy), graph, f"no job of {toy}")
        for toy in ("toy_a", "toy_b")
    ]


def test_a_graph_over_two_nodes_is_killed_and_goes_on_to_the_rows_of_a_local_one(make_clone, local):
    toys = ("toy_a", "toy_b")
    clone = make_clone("two")
    # Each node has one GPU, so two jobs with a GPU each are on two nodes.
    wanted = ["--set-resources", *(f"train_{toy}_as_given_0:gpu=1" for toy in toys)]
    graph = clone.start(*toys, more=wanted)
    jobs = jobs_of(clone, graph)
    assert all("gres:gpu:1" in slurm("scontrol", "show", "job", job) for job in jobs)
    trainings = clone.paused(toys, graph)
    epochs = [clone.epochs(toy) for toy in toys]
    # All but the job of toy_b is killed: Slurm goes on with that.
    killed = [*psutil.Process(graph.pid).children(recursive=True), psutil.Process(graph.pid)]
    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get("SLURM_JOB_ID") == jobs[0]:
            killed.append(process)
    assert trainings[0] in killed
    for process in killed:
        with suppress(psutil.NoSuchProcess):  # it has died of another's death
            process.kill()
    psutil.wait_procs(killed, PATIENCE)
    graph.wait()

    graph = clone.start(*toys, more=wanted)
    assert not trainings[1].is_running()
    jobs.extend(jobs_of(clone, graph))
    assert graph.wait(PATIENCE) == 0, clone.said()
    assert nodes_of(jobs[2:]) == {"node1": "COMPLETED", "node2": "COMPLETED"}
    said = clone.said()
    assert jobs[1] in re.search(r"left in Slurm's queue \(jobs (.*)\)", said)[1].split(", ")
    for toy, made in zip(toys, epochs, strict=True):
        assert_kept(clone.run_folder(toy), made)
        assert_same(clone.run_folder(toy), local.run_folder(toy))
    assert len(list(clone.folder.glob("outputs/logs/**/*.log"))) == 2  # of the killed ones


def test_a_run_that_is_preempted_three_times_ends_in_the_same_row(preempted, local):
    clone, future = preempted
    kept, job = future.result(2 * PATIENCE)
    assert "Restarts=3 " in job
    assert len(kept) == 3
    for epochs in kept:
        assert_kept(clone.run_folder("toy_a"), epochs)
    assert_same(clone.run_folder("toy_a"), local.run_folder("toy_a"))
    assert "Error" not in clone.said()
