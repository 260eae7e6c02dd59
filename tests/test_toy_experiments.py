"""Every table, figure, rule, command and job works for experiments that the book does not have."""

import json
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from typer.testing import CliRunner

from sdlib import results
from sdlib.__main__ import app
from sdlib.experiments import EXPERIMENTS, Run, config_hash, runs_of, searches_of
from sdlib.metrics import auroc
from sdlib.pipeline import jobs as graph
from sdlib.plotting import arm_rows, panels
from sdlib.report import readme_table, stain_transfer, tables, verdicts
from sdlib.report.cutout import cutoff_control
from sdlib.report.robustness import arm_pairs, design, figures, readings, statistics
from sdlib.results import Place
from sdlib.training import run as training
from sdlib.training.data import load_tiles
from sdlib.training.sweep import make
from tests.toy_experiments import TOY_SCANNERS, TOY_SHIFTS, TOYS
from tests.written_results import TARGETS, write_experiment

PAIR = ("firm", "plain")
AT_LAPTOP = (TOY_SHIFTS, TOY_SCANNERS)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """The toys beside the book's own experiments."""
    for toy in TOYS:
        monkeypatch.setitem(EXPERIMENTS, toy.name, toy)


@pytest.fixture
def written(outputs, recorded):
    """Rows, searches and sweeps of two toys, of this machine and recorded."""
    for toy in AT_LAPTOP:
        write_experiment(toy.name, seeds=3)
        results.record(toy.name, "laptop", "phantom")
    return {toy.name: Place(toy.name, "laptop", "phantom") for toy in AT_LAPTOP}


@pytest.fixture
def shifts(written):
    return written["toy_shifts"]


@pytest.fixture
def scanners(written):
    return written["toy_scanners"]


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


# -- What there is to do


@pytest.mark.parametrize("toy", AT_LAPTOP, ids=lambda toy: toy.name)
def test_runs_and_searches_follow_the_declaration(toy):
    runs = runs_of(toy.name, "laptop", "phantom")
    seeds = {"toy_shifts": 3, "toy_scanners": 5}[toy.name]
    assert len(runs) == len(toy.arms) * seeds
    assert [search.family for search in searches_of(toy.name, "laptop", "phantom")] == [
        space.name for space in toy.searches
    ]
    assert len({config_hash(run.config(run.definition.arm(run.arm))) for run in runs}) >= seeds


def test_where_only_main_arms_are_run_the_others_are_not():
    assert {run.arm for run in runs_of("toy_shifts", "long", "phantom")} == {"plain", "firm"}
    assert runs_of("toy_scanners", "laptop", "open") == []
    assert runs_of("toy_borrower", "laptop", "phantom") == []


def test_an_arm_with_a_training_cohort_of_its_own_has_another_hash():
    plain, turned = (Run("toy_shifts", arm, 0, "smoke").config() for arm in ("plain", "turned"))
    assert {name for name in plain if plain[name] != turned[name]} == {"train_set"}
    assert turned["train_set"] == "turned"


def test_the_graph_has_their_jobs(outputs, recorded):
    jobs = graph.jobs("smoke", "phantom")
    own = [job for job in jobs if job.experiment.startswith("toy_")]
    assert sorted(run.id for job in own for run in job.runs) == sorted(
        run.id for toy in TOYS for run in runs_of(toy.name, "smoke", "phantom")
    )
    assert {job.search.id for job in own if job.search} == {"toy_shifts/decay"}
    assert {job.urgent for job in own} == {True, False}  # a sweep waits for one of them
    measured = [job.id for job in graph.measurement_jobs("smoke", "phantom")]
    own = ["robustness/sweep", "robustness/sharpness", "prostate/sweep", "covid/heads"]
    assert measured == [*own, "toy_shifts/sweep", "toy_borrower/sweep"]
    searching = [job for job in jobs if job.search]
    before = graph.search_before(searches_of("toy_shifts", "smoke", "phantom")[1], searching)
    assert before.family == "decay"  # the search on test shares its trials


def test_jobs_wait_for_the_networks_that_they_test(outputs, recorded):
    jobs = graph.jobs("smoke", "phantom")
    for job in jobs:
        lenders = graph.lenders(job, jobs)
        if job.experiment not in ("toy_borrower", "prostate"):
            assert lenders == []
            continue
        assert [run.id.split("/", 1)[1] for run in lenders] == [
            run.id.split("/", 1)[1] for run in job.runs
        ]
        assert {run.experiment for run in lenders} == {job.runs[0].definition.networks_of}
    # Where the lender's networks are not to be trained, nothing is waited for.
    borrowing = [job for job in jobs if job.experiment == "toy_borrower"]
    assert all(graph.lenders(job, borrowing) == [] for job in borrowing)


def planned(tmp_path, *arguments):
    """What snakemake says about the Snakefile, in a process that knows the toys."""
    script = (
        "import sys; from sdlib.experiments.registry import register;"
        "from tests.toy_experiments import TOYS;"
        "[register(toy) for toy in TOYS];"
        "from snakemake.cli import main; main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", script, "--cores", "1", *arguments]
    command += ["--config", "profile=smoke", "source=phantom", "fresh=1"]
    command += ["--directory", str(tmp_path)]
    from sdlib.paths import ROOT

    for name in ("_config.yml", "_toc.yml", "book", "data", "sdlib"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_snakemake_plans_them(tmp_path, outputs):
    said = planned(tmp_path, "--dry-run")
    assert "training toy_shifts_as_given_0: 3 runs" in said
    assert "training toy_shifts_tuned_by_decay_0: 1 runs" in said
    assert "training toy_scanners_as_given_0: 2 runs" in said
    assert "searching toy_shifts/decay" in said
    assert "measuring toy_shifts/sweep" in said
    assert "measuring toy_borrower/sweep" in said
    waits = inputs_of(said, "training toy_borrower_as_given_0")
    for arm in ("plain", "firm"):
        assert any(file.endswith(f"toy_shifts/{arm}/seed0/row.json") for file in waits)
    waits = inputs_of(said, "training toy_borrower_tuned_by_decay_0")
    assert any(file.endswith("toy_shifts/found/seed0/row.json") for file in waits)
    assert any(file.endswith("toy_shifts/search/decay/trials.jsonl") for file in waits)
    waits = inputs_of(said, "training prostate_as_given_0")
    assert any(file.endswith("robustness/sd_eq1_uniform/seed0/row.json") for file in waits)
    assert not inputs_of(said, "training toy_shifts_as_given_0")


def inputs_of(said, message):
    """The files of other jobs that a job waits for, as a dry run gives them below its message."""
    reason = said.split(f": {message}")[1].split("Reason: ")[1].splitlines()[0]
    waits = reason.partition("Input files updated by another job: ")[2]
    return [file.strip() for file in waits.split(",") if file.strip()]


# -- Training and measuring, for real


def test_runs_are_trained_tested_on_every_cohort_and_swept(smoke, recorded):
    for name, arm in (("toy_scanners", "firm"), ("toy_shifts", "turned")):
        row = training.execute(Run(name, arm, 0, "smoke"), log=lambda line: None)
        assert set(row["metrics"]) == set(EXPERIMENTS[name].evaluation)
    place = Place("toy_scanners", "smoke", "phantom", "this run")
    tiles = load_tiles(Run("toy_scanners", "firm", 0, "smoke"))
    np.testing.assert_array_equal(place.targets("elsewhere"), tiles["elsewhere"].targets)
    assert len(place.targets("elsewhere")) != len(place.targets("test"))
    assert set(tiles["elsewhere"].factors["scanner"]) == {"flash2"}
    assert not set(tiles["elsewhere"].groups) & set(tiles["train"].groups)
    make("toy_shifts", "smoke", "phantom", log=lambda line: None)
    swept = Place("toy_shifts", "smoke", "phantom", "this run")
    assert set(swept.sweep.logits) == {("turned", 0)}
    assert not Place("robustness", "smoke", "phantom", "this run").sweep.logits


# -- Tables


def test_tables_have_their_arms_and_labels(shifts, scanners):
    for place in (shifts, scanners):
        labels = [arm.label for arm in place.definition.arms]
        metrics = {"test.accuracy": "accuracy", "test.recall": "recall"}
        side = tables.side_by_side([place], metrics)
        assert list(dict.fromkeys(side.index.get_level_values(0))) == labels
        assert list(tables.interval_table(place, metrics).index) == labels
        assert f"{len(labels)} arms" in results.sentence(place)


def test_places_and_columns_know_them(shifts):
    names = [place.name for place in results.columns("toy_shifts", "laptop", "phantom")]
    assert "recorded: phantom, laptop" in names
    assert results.shown("toy_shifts", "laptop", "phantom").arms == shifts.arms
    assert any(p.of("toy_shifts").arms for p in results.everywhere("laptop", "phantom"))


def test_the_cutoff_control_takes_any_two_arms(shifts):
    control = cutoff_control.cutoff_control(shifts, "firm", "test", "plain")
    assert control.finding.startswith("**firm decay, against plain training.**")
    assert len(cutoff_control.control_table([control])) == 1
    assert cutoff_control.conclusion(shifts) == ""  # it is about Equation 2's arms
    assert cutoff_control.shift_table(shifts, "plain").empty  # no cohorts with and without squares


def test_transfer_tables_take_any_places(scanners):
    table = stain_transfer.transfer_table({"to flash2": scanners})
    assert list(table.index) == ["plain training", "firm decay"]
    pairs = stain_transfer.transfer_differences({"to flash2": scanners}, [PAIR])
    assert list(pairs.index.get_level_values(1)) == ["firm decay, minus plain training"]


def test_readings_of_shifts_are_of_their_own_sweep(shifts):
    assert "plain training" in readings.read_curves(shifts, shifts.arms)
    assert "firm decay, minus plain training" in statistics.summary(shifts, *PAIR)
    differences = readings.difference_tables([shifts], *PAIR)
    assert list(differences) == [shifts.name]
    assert len(arm_pairs.comparison_table([shifts], [PAIR])) == 1
    assert readings.power_table(differences, *PAIR).empty  # the paper prints nothing about them
    assert statistics.gain_table([shifts]).empty
    assert list(statistics.convergence(shifts).index) == list(shifts.labels.values())
    assert readings.read_convergence(shifts)
    assert shifts.name in design.scale(shifts)
    assert "3 runs" not in readings.sweep_sentence(shifts)


def test_readmes_table_has_a_line_each_with_the_headline_arms(written):
    table = readme_table.readme_table().splitlines()
    lines = {line.split(" ")[1].strip(","): line for line in table[2:]}
    assert "plain training: " in lines["toy_shifts"]
    assert "; shifted " in lines["toy_shifts"]
    assert "decay from a search" not in lines["toy_shifts"]
    assert "firm decay: " in lines["toy_scanners"]


# -- Figures


def test_figures_are_drawn_in_their_looks(shifts):
    figure = figures.robustness_figure(shifts, shifts.arms)
    colours = {line.get_color() for ax in figure.axes for line in ax.get_lines()}
    assert {"#111111", "#AA3377", "#228833"} <= colours
    figures.differences_figure(readings.difference_tables([shifts], *PAIR), *PAIR)
    values = {arm: shifts.values("test.accuracy", arm) for arm in shifts.arms}
    drawn = panels(shifts.labels, "nothing", sharey=False)
    assert list(drawn) == shifts.arms
    for ax in drawn.values():
        arm_rows(ax, values, shifts.looks)
        assert [text.get_text() for text in ax.get_yticklabels()] == list(shifts.labels.values())


# -- Verdicts


def test_every_statistic_is_judged_and_told(shifts, scanners):
    found = verdicts.assess(shifts).set_index(["claim", "part"])
    declaring = {name for name, one in EXPERIMENTS.items() if one.comparisons}
    assert set(found["experiment"]) == declaring
    paired = shifts.paired("blur-19", *PAIR)
    assert found.loc[("T1", "firm at blur 19"), "mean"] == pytest.approx(paired.mean())
    assert found.loc[("T1", "plain at the end"), "verdict"] == "reproduced"
    assert found.loc[("T1", "slope under blur"), "n"] == 3
    for line in (("C8", "what is kept elsewhere"), ("C12", "ensembles elsewhere")):
        assert found.loc[line, "n"] == 3
        assert found.loc[line, "verdict"] != "not attempted yet"
    ensembles = [scanners.ensemble(arm, "elsewhere").scores for arm in PAIR]
    difference = auroc(TARGETS, ensembles[0]) - auroc(TARGETS, ensembles[1])
    assert found.loc[("C12", "ensembles elsewhere"), "mean"] == pytest.approx(difference, abs=1e-9)

    own, other = scanners.ensemble("firm", "test").scores, shifts.ensemble("plain", "test").scores
    across = found.loc[("C12", "the ensemble here over the other experiment's")]
    assert across["mean"] == pytest.approx(auroc(TARGETS, own) - auroc(TARGETS, other), abs=1e-9)
    changes = [
        scanners.by_seed("test.auroc", arm) - shifts.by_seed("test.auroc", arm) for arm in PAIR
    ]
    alike = found.loc[("C12", "losses are alike in the two experiments")]
    assert alike["mean"] == pytest.approx((changes[0] - changes[1]).mean())

    report = verdicts.report(shifts).set_index("id")
    assert report.loc["T1", "where"] == "ours"
    assert report.loc["C8", "verdict"] != "not attempted yet"
    assert {"C8", "C12"} <= set(verdicts.attempted_claims())
    told = tables.claim_sentences(shifts, "T1", "C8")
    assert "firm at blur 19" in told
    assert "what is kept elsewhere" in told
    assert ("T1", "firm at blur 19") in tables.verdict_table([shifts]).index


# -- The command line


def test_commands_know_them(outputs, recorded, written):
    def call(*arguments):
        done = CliRunner().invoke(app, list(arguments))
        assert done.exit_code == 0, done.output
        return done.stdout

    listed = call("list", "--experiment", "toy_shifts", "--profile", "laptop")
    assert listed.count("this machine") == len(TOY_SHIFTS.arms) * 3
    assert "toy_scanners/firm/seed0" in call("list", "--profile", "laptop")
    recorded_now = call("record", "toy_scanners", "--profile", "laptop")
    assert recorded_now == f"{len(TOY_SCANNERS.arms) * 3} rows recorded\n"
    swept = call("record", "toy_shifts", "--profile", "laptop").splitlines()
    assert swept[1] == f"the sweep of {len(TOY_SHIFTS.arms) * 3} networks recorded"
    file = Place("toy_shifts", "laptop", "phantom").recorded_file(".jsonl")
    assert {json.loads(line)["arm"] for line in file.read_text().splitlines()} == {
        arm.name for arm in TOY_SHIFTS.arms
    }
