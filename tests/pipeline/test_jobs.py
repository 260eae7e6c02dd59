"""The graph: which jobs there are, what counts as done, and what a kill leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from sdlib.errors import SdlibError
from sdlib.experiments import EXPERIMENTS, PROFILES, Run, config_hash, runs_of, searches_of
from sdlib.experiments.trials import recorded_trials_file
from sdlib.paths import ROOT
from sdlib.pipeline import jobs as graph
from sdlib.results import Place
from sdlib.training import run as training

SNAKEMAKE = [sys.executable, "-m", "snakemake", "--cores", "1", "--keep-incomplete"]
SMOKE = ["--config", "profile=smoke", "source=phantom"]


@pytest.fixture
def clone(tmp_path):
    """A folder that looks like the repository and has a .snakemake of its own."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("Snakefile", "_config.yml", "_toc.yml", "book", "data", "sdlib"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def record(folder, run, **changes):
    stamp = config_hash(run.config())
    keys = ("experiment", "arm", "seed", "profile", "source")
    row = {**{key: getattr(run, key) for key in keys}, "config_hash": stamp, **changes}
    with Place(run.experiment, run.profile, run.source).recorded_file(".jsonl").open("a") as lines:
        lines.write(json.dumps(row) + "\n")
    assert list(folder.iterdir())


# -- What there is to do


@pytest.mark.parametrize("profile", PROFILES)
def test_every_run_is_in_one_job_behind_the_search_it_needs(recorded, outputs, profile):
    jobs = graph.jobs(profile, "phantom")
    wanted = [run for name in EXPERIMENTS for run in runs_of(name, profile, "phantom")]
    assert sorted((run for job in jobs for run in job.runs), key=str) == sorted(wanted, key=str)
    assert len({job.name for job in jobs}) == len(jobs)
    for job in jobs:
        assert len(job.runs) <= PROFILES[profile].runs_per_job
        assert {run.search for run in job.runs} == {job.search}


def test_recorded_rows_count_as_done_unless_fresh_or_stale(recorded, outputs):
    runs = {run.id: run for run in runs_of("cutout", "smoke", "phantom")}
    record(recorded, runs["cutout/sd_eq2/seed0"])
    record(recorded, runs["cutout/sd_eq1/seed0"], config_hash="000000000000")
    left = {run.id for run in graph.pending("cutout", "smoke", "phantom")}
    assert left == runs.keys() - {"cutout/sd_eq2/seed0"}
    assert len(graph.pending("cutout", "smoke", "phantom", fresh=True)) == len(runs)


def test_recorded_trials_stand_in_for_a_search_unless_fresh(recorded, outputs):
    run = Run("cutout", "sd_eq1_tuned", 0, "smoke", "phantom")
    assert graph.search_needed(run) == run.search
    stamp = run.search.config_hash
    trial = {"family": "sd_eq1", "config_hash": stamp, "values": {"lam": 0.1}, "value": 0.7}
    file = recorded_trials_file("cutout", "smoke", "phantom")
    file.write_text(json.dumps(trial) + "\n")
    assert graph.search_needed(run) is None
    assert graph.search_needed(run, fresh=True) == run.search


def test_a_search_waits_for_the_one_whose_trials_it_shares(recorded, outputs):
    jobs = graph.jobs("smoke", "phantom")
    before = {
        search.family: graph.search_before(search, jobs)
        for search in searches_of("cutout", "smoke", "phantom")
    }
    first = {name: search.family for name, search in before.items() if search}
    assert first == {"weight_decay_test": "weight_decay", "sd_eq2_test": "sd_eq2"}
    alone = [job for job in jobs if job.search != before["sd_eq2_test"]]
    search = next(job.search for job in jobs if job.search and job.search.family == "sd_eq2_test")
    assert graph.search_before(search, alone) is None


# -- Snakemake itself


def snakemake(clone, *arguments, **options):
    command = [*SNAKEMAKE, *arguments]
    return subprocess.run(command, cwd=clone, capture_output=True, text=True, **options)


def test_a_dry_run_lists_the_jobs(clone, outputs):
    dry = snakemake(clone, "--dry-run", "--quiet", "host", *SMOKE, "fresh=1")
    assert dry.returncode == 0, dry.stderr
    listed, jobs = dry.stderr + dry.stdout, graph.jobs("smoke", "phantom", fresh=True)
    for job in jobs:
        assert f"training {job.name}: {len(job.runs)} runs" in listed
    for search in searches_of("cutout", "smoke", "phantom"):
        needed = search in [job.search for job in jobs]
        assert (f"searching {search.id}\n" in listed) == needed, search.id
    assert "searching cutout/learning_rate" not in listed  # no run waits for it
    book = snakemake(clone, "--dry-run", "--quiet", "host", *SMOKE, "train=0")
    assert book.returncode == 0, book.stderr
    assert "building the site" in book.stderr + book.stdout
    assert "training" not in book.stderr + book.stdout


def metrics(row_file):
    row = json.loads(row_file.read_text())
    return row["config_hash"], row["metrics"], [entry["train_loss"] for entry in row["history"]]


def test_a_killed_graph_goes_on_to_the_same_rows(clone, outputs, monkeypatch):
    job = next(job for job in graph.jobs("smoke", "phantom", fresh=True) if job.search is None)
    assert len(job.runs) > 1
    command = [*SNAKEMAKE, str(job.runs[0].row_file), *SMOKE, "fresh=1"]
    first = subprocess.Popen(command, cwd=clone, start_new_session=True)
    deadline = time.monotonic() + 900
    while not job.runs[0].row_file.exists():
        assert first.poll() is None, "the graph ended before its first row"
        assert time.monotonic() < deadline, "no row within fifteen minutes"
        time.sleep(0.01)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert not job.runs[-1].row_file.exists(), "killed too late to show anything"
    standing = job.runs[0].row_file.read_bytes()

    assert any((clone / ".snakemake" / "locks").iterdir())
    graph.unlock(clone)
    again = snakemake(clone, "--rerun-incomplete", str(job.runs[0].row_file), *SMOKE, "fresh=1")
    assert again.returncode == 0, again.stderr
    assert job.runs[0].row_file.read_bytes() == standing
    rows = [metrics(run.row_file) for run in job.runs]

    monkeypatch.setenv("SDLIB_OUTPUTS", str(outputs.with_name("undisturbed")))
    graph.train(job.runs)
    assert [metrics(run.row_file) for run in job.runs] == rows


def test_a_lock_is_kept_while_its_snakemake_lives_and_removed_when_it_is_dead(tmp_path):
    (tmp_path / "Snakefile").write_text(
        "rule all:\n    output: 'x'\n    shell: 'sleep 60; touch x'\n"
    )
    graph.unlock(tmp_path)  # nothing to do
    command = [sys.executable, "-m", "snakemake", "--cores", "1"]
    running_one = subprocess.Popen(
        command, cwd=tmp_path, start_new_session=True, stderr=subprocess.DEVNULL
    )
    locks = tmp_path / ".snakemake" / "locks"
    deadline = time.monotonic() + 120
    while not (locks.is_dir() and any(locks.iterdir())):
        assert time.monotonic() < deadline, "snakemake did not lock its folder"
        time.sleep(0.05)
    with pytest.raises(SdlibError, match=f"process {running_one.pid}"):
        graph.unlock(tmp_path)
    os.killpg(running_one.pid, signal.SIGKILL)
    running_one.wait()
    graph.unlock(tmp_path)
    assert not locks.is_dir() or not any(locks.iterdir())


def test_a_run_that_fails_keeps_those_before_it(outputs, monkeypatch, capsys):
    runs = runs_of("cutout", "smoke", "phantom")[:2]
    real = training.execute

    def failing(run, **options):
        if run == runs[1]:
            raise SdlibError("the disk is full")
        return real(run, **options)

    monkeypatch.setattr(training, "execute", failing)
    with pytest.raises(SdlibError, match="disk is full"):
        graph.train(runs)
    assert runs[0].row_file.exists()
    assert "[1/2] cutout/" in capsys.readouterr().out
