"""The graph: which jobs there are, what counts as done, and what a kill leaves behind."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sdlib.datasets.folder_names import folder_name
from sdlib.errors import SdlibError
from sdlib.experiments import EXPERIMENTS, PROFILES, Run, runs_of, searches_of
from sdlib.experiments.trials import recorded_trials_file
from sdlib.pipeline import jobs as graph
from sdlib.pipeline.chapters import chapters
from sdlib.pipeline.processes import unlock
from sdlib.pipeline.site import first_page, site_folder
from sdlib.results import Place
from sdlib.training import run as training
from tests.folders import write_folder

SNAKEMAKE = [sys.executable, "-m", "snakemake", "--cores", "1", "--keep-incomplete"]
SMOKE = ["--config", "profile=smoke", "source=phantom"]


def record(row):
    place = Place(row["experiment"], row["profile"], row["source"])
    with place.recorded_file(".jsonl").open("a") as lines:
        lines.write(json.dumps(row) + "\n")


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


def test_recorded_rows_count_as_done_unless_fresh_or_stale(recorded, outputs, row_of):
    runs = {run.id: run for run in runs_of("cutout", "smoke", "phantom")}
    record(row_of(runs["cutout/sd_eq2/seed0"], test__accuracy=0.8))
    record(row_of(runs["cutout/sd_eq1/seed0"], stamp="000000000000", test__accuracy=0.8))
    left = {run.id for run in graph.pending("cutout", "smoke", "phantom")}
    assert left == runs.keys() - {"cutout/sd_eq2/seed0"}
    assert len(graph.pending("cutout", "smoke", "phantom", fresh=True)) == len(runs)


def test_recorded_trials_stand_in_for_a_search_unless_fresh(recorded, outputs, trial_of):
    run = Run("cutout", "sd_eq1_tuned", 0, "smoke", "phantom")
    assert graph.search_needed(run) == run.search
    points = run.search.space.grid["lam"]
    best = points[len(points) // 2]  # not at an end, beyond which the search would go on
    trials = [trial_of(run.search, {"lam": lam}, 0.9 if lam == best else 0.8) for lam in points]
    file = recorded_trials_file("cutout", "smoke", "phantom")
    file.write_text("".join(json.dumps(trial) + "\n" for trial in trials[1:]))
    assert graph.search_needed(run) == run.search  # of a grid that was smaller
    file.write_text("".join(json.dumps(trial) + "\n" for trial in trials))
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


def touched(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{}")


def test_a_book_after_its_graph_is_up_to_date(clone, outputs):
    """Whether the graph trains must not change what a page is made from."""
    trainings = graph.jobs("smoke", "phantom", fresh=True)
    for job in trainings:
        for run in job.runs:
            touched(run.row_file)
        if job.search:
            touched(job.search.file)
    for measurement in graph.measurement_jobs("smoke", "phantom", fresh=True):
        touched(measurement.done_file)
    for chapter in chapters():
        touched(site_folder() / chapter)
    touched(site_folder() / "gate.ok")
    touched(first_page())
    # All is as if just made.
    done = snakemake(clone, "--touch", "--forceall", *SMOKE, "fresh=1")
    assert done.returncode == 0, done.stderr

    def left(*config):
        dry = snakemake(clone, "--dry-run", "--quiet", "host", *SMOKE, *config)
        assert dry.returncode == 0, dry.stderr
        return dry.stderr + dry.stdout

    assert "Nothing to be done" in left("train=0")
    assert "Nothing to be done" in left("fresh=1")
    (run,) = [
        run for job in trainings for run in job.runs if run.id == "robustness/sd_eq1_none/seed0"
    ]
    run.row_file.unlink()
    book = left("train=0")  # of the rows that there are: other pages, and no training
    assert "executing 2_simulations/05_distribution_shift" in book
    assert "executing 2_simulations/04_dominant_features" not in book
    assert not re.search("training|searching|measuring", book)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ("profile=nope", "unknown profile 'nope'; expected one of: smoke, quick"),
        ("profile=", "unknown profile 'None'; expected one of: smoke, quick"),
        ("source=moon", "unknown source 'moon'; expected one of: phantom"),
        ("fresh=maybe", "expected fresh=0 or fresh=1, got fresh=maybe"),
    ],
)
def test_a_setting_that_there_is_not_is_one_sentence(clone, outputs, config, sentence):
    refused = snakemake(clone, "--config", config)
    assert refused.returncode != 0
    assert refused.stderr.startswith(f"error: {sentence}")
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("link", "is a link to nowhere, which is not there"),
        ("file", "is a file, not a folder"),
        ("brace{s}", "expected outputs in a folder without braces"),
    ],
)
def test_outputs_that_cannot_be_written_are_one_sentence(clone, monkeypatch, kind, sentence):
    outputs = clone.parent / kind
    if kind == "link":
        outputs.symlink_to("nowhere")
    elif kind == "file":
        outputs.write_text("")
    monkeypatch.setenv("SDLIB_OUTPUTS", str(outputs))
    refused = snakemake(clone, "--dry-run", *SMOKE)
    assert refused.returncode != 0
    assert refused.stderr.startswith("error: ")
    assert sentence in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_chapter_is_executed_in_a_folder_of_any_name(awkward_clone):
    python = awkward_clone / ".venv" / "bin" / "python"
    chapter = Path("book/5_reckoning/12_environment.ipynb")
    wanted = site_folder() / chapter
    target = str(wanted)
    command = [str(python), *SNAKEMAKE[1:], target, *SMOKE, "train=0"]
    done = subprocess.run(command, cwd=awkward_clone, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert wanted.exists()


def test_commands_of_the_graph_hold_paths_whole(awkward_clone):
    python = awkward_clone / ".venv" / "bin" / "python"
    command = [str(python), *SNAKEMAKE[1:], "--dry-run", "--printshellcmds", *SMOKE, "fresh=1"]
    dry = subprocess.run(command, cwd=awkward_clone, capture_output=True, text=True)
    assert dry.returncode == 0, dry.stderr
    marker = "Shell command: "
    lines = [line for line in (dry.stderr + dry.stdout).splitlines() if line.startswith(marker)]
    found = [line.removeprefix(marker) for line in lines]
    commands = [shlex.split(command) for command in found if command != "None"]
    steps = {command[3] for command in commands}
    assert steps == {"search", "train", "measure", "execute", "gate", "build"}
    assert {tuple(command[:3]) for command in commands} == {(str(python), "-m", "sdlib.pipeline")}
    (gated,) = [command[4:] for command in commands if command[3] == "gate"]
    assert gated == [str(site_folder() / "book")]
    for command in commands:
        if command[3] == "train":
            files = command[command.index("touch") + 1 :]
            assert files == [str(Run(*run_of(file)).row_file) for file in files]


def test_a_folder_of_ones_own_may_have_any_name(clone, outputs, tmp_path):
    """Its searches lead to its runs, and no shell takes its name apart."""
    folder = tmp_path / "my slides; touch $HOME"
    write_folder(folder, labels=("benign", "tumour"))
    source = folder_name(folder, ["tumour"])
    config = ["--config", "profile=smoke", f"source={source}"]
    dry = snakemake(clone, "--dry-run", "--printshellcmds", *config)
    assert dry.returncode == 0, dry.stderr
    marker = "Shell command: "
    lines = [line for line in (dry.stderr + dry.stdout).splitlines() if line.startswith(marker)]
    commands = [shlex.split(line.removeprefix(marker)) for line in lines]
    scaled = [command for command in commands if "--source" in command]
    assert {command[3] for command in scaled} == {"search", "train", "measure", "execute"}
    for command in scaled:
        assert command[command.index("--source") + 1] == source
        assert command[command.index("--profile") + 1] == "smoke"


def run_of(file):
    """A run's names, from the folders that its row lies in."""
    source, profile, experiment, arm, seed = Path(file).parts[-6:-1]
    return experiment, arm, int(seed.removeprefix("seed")), profile, source


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
    unlock(clone)
    again = snakemake(clone, "--rerun-incomplete", str(job.runs[0].row_file), *SMOKE, "fresh=1")
    assert again.returncode == 0, again.stderr
    assert job.runs[0].row_file.read_bytes() == standing
    rows = [metrics(run.row_file) for run in job.runs]

    monkeypatch.setenv("SDLIB_OUTPUTS", str(outputs.with_name("undisturbed")))
    graph.train(job.runs)
    assert [metrics(run.row_file) for run in job.runs] == rows


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
