"""The command line: what it prints, and that every error is one sentence and exit status 2."""

import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from sdlib import results
from sdlib.__main__ import app
from sdlib.datasets import tiling
from sdlib.datasets.shards import ShardTile, ShardWriter, write_index
from sdlib.datasets.sources import SOURCES
from sdlib.errors import SdlibError
from sdlib.experiments import EXPERIMENTS, PROFILES, Run, runs_of
from sdlib.report.covid import audit
from sdlib.results import Place
from sdlib.slides import LabelRule
from sdlib.training import launch, run as training, search, sweep


@pytest.fixture
def sdlib(outputs, recorded):
    """`sdlib("list", "--profile", "quick")`: exit status, standard output, standard error."""

    def call(*arguments):
        done = CliRunner().invoke(app, list(arguments))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.stdout, done.stderr

    return call


NAMES = ", ".join(EXPERIMENTS)
ARMS = ", ".join(arm.name for arm in EXPERIMENTS["cutout"].arms)
SCALES = [", ".join(PROFILES), ", ".join(SOURCES)]
SEARCHES = ", ".join(f"cutout/{space.name}" for space in EXPERIMENTS["cutout"].searches)


@pytest.mark.parametrize(
    ("arguments", "sentence", "known"),
    [
        ("run cutuot/sd_eq2/seed0", "unknown experiment 'cutuot'", NAMES),
        ("run cutout/sd_eq3/seed0", "unknown arm of cutout 'sd_eq3'", ARMS),
        ("run cutout/sd_eq2/seed0 --profile fast", "unknown profile 'fast'", SCALES[0]),
        ("run cutout/sd_eq2/seed0 --source pesos", "unknown source 'pesos'", SCALES[1]),
        ("run cutout/sd_eq2/seed0 --devices 0", "expected devices of at least 1", "got 0"),
        ("run cutout/sd_eq2/seed0 --devices 9999999", "expected devices from 1 to", "got 9999999"),
        ("run cutout/sd_eq2", "expected a run such as", "cutout/sd_eq2/seed3"),
        ("run cutout/sd_eq2/seed-1", "expected a run such as", "cutout/sd_eq2/seed3"),
        ("list --experiment nope", "unknown experiment 'nope'", NAMES),
        ("list --profile fast", "unknown profile 'fast'", SCALES[0]),
        ("list --source pesos", "unknown source 'pesos'", SCALES[1]),
        ("search cutout/sd_eq3", "unknown search 'cutout/sd_eq3'", SEARCHES),
        ("search cutout", "unknown search 'cutout'", SEARCHES),
        ("search cutout_sensitivity/sd_eq2", "unknown search", "expected one of: none"),
        ("search nope/sd_eq2", "unknown experiment 'nope'", NAMES),
        ("search cutout/sd_eq2 --profile fast", "unknown profile 'fast'", SCALES[0]),
        ("search cutout/sd_eq2 --source pesos", "unknown source 'pesos'", SCALES[1]),
        ("measure robustness", "expected a measurement", "robustness/sweep, robustness/sharpness"),
        ("measure nope/sweep", "unknown experiment 'nope'", NAMES),
        ("measure cutout/sweep", "unknown measurement of cutout 'sweep'", "cam"),
        ("measure cutout/cam", "measured at the end of every run", "python -m sdlib run"),
        ("measure robustness/sweep --profile fast", "unknown profile 'fast'", SCALES[0]),
        ("measure robustness/sweep", "no trained networks of robustness", "python -m sdlib run"),
        ("measure robustness/sharpness --source pcam", "neither scanners nor", "phantom, open"),
        ("record nope", "unknown experiment 'nope'", NAMES),
        ("record lab --source open", "expected no --source with lab", "phantom images, got 'open'"),
        ("record cutout", "nothing to record of cutout", "run it first"),
        ("fetch nope", "'nope'", "panda, pcam, peso"),
        ("fetch peso", "set SDLIB_DATA to the folder", "peso/"),
        ("run cutout/sd_eq2/seed0 --source peso", "unknown source of cutout 'peso'", "phantom"),
        ("audit nowhere", "expected a manifest at nowhere", "check the path"),
        ("run cutout/sd_eq2/seed0 --source folder:no", "expected a manifest at", "check the path"),
        ("list --source folder:a?b", "expected folder: and an absolute path", "positive=LABEL"),
        # Refused while the options are read, before the command begins.
        ("list --source folder:/a\udcff", "expected the path of a folder as valid text", "rename"),
        ("compare nowhere", "expected a manifest at", "check the path"),
        ("compare nowhere --profile fast", "unknown profile 'fast'", SCALES[0]),
        ("audit nowhere --size 8", "expected size of at least 32", "got 8"),
        ("tile nowhere out", "expected slides in nowhere, found no file", ".svs"),
        ("tile nowhere out --damaged ignore", "expected damaged to be refuse or skip", "'ignore'"),
        ("tile nowhere out --border mirror", "expected a border of pad, shift, drop", "'mirror'"),
        ("tile nowhere out --overlap 1", "expected overlap below 1", "got 1"),
        ("tile nowhere out --mpp 0", "to be a finite number above 0", "got 0"),
        ("tile nowhere out --mpp inf", "to be a finite number above 0", "got inf"),
        ("tile nowhere out --size 100000", "expected size from 1 to 32768", "got 100000"),
        ("tile nowhere out --changed ignore", "expected changed to be refuse or recut", "'ignore'"),
        ("tile nowhere out --unscanned zero", "expected unscanned of refuse, background", "'zero'"),
        ("tile nowhere out --masks masks", "expected at least one positive value", "got positive"),
        ("tile nowhere out --positive 3-5", "expected whole numbers such as 3,4,5", "'3-5'"),
        ("tile nowhere out --positive 3", "expected masks and the rule of labels together", "one"),
        ("tile nowhere out --resolution no.csv", "the table of resolutions no.csv", "No such file"),
        ("run cutout/sd_eq1_tuned/seed0", "the search cutout/sd_eq1 has not been run", "search"),
        ("run cutout/sd_eq2/seed0 --source open", "open-pcam", "SDLIB_DATA"),
    ],
)
def test_one_sentence_and_status_2(sdlib, outputs, arguments, sentence, known):
    status, out, error = sdlib(*arguments.split())
    assert (status, out) == (2, "")
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert sentence in error
    assert known in error
    left = [path for path in outputs.rglob("*") if path.is_file()] if outputs.exists() else []
    assert [path.name for path in left] in ([], ["config.json"])


def test_the_status_reaches_the_shell():
    done = subprocess.run(
        [sys.executable, "-m", "sdlib", "list", "--experiment", "nope"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: unknown experiment 'nope'; expected one of: {NAMES}\n"


def test_other_errors_keep_their_traceback(sdlib, monkeypatch):
    def broken(*args):
        raise ZeroDivisionError

    monkeypatch.setattr(training, "execute", broken)
    with pytest.raises(ZeroDivisionError):
        sdlib("run", "cutout/sd_eq2/seed0")


class TestList:
    def test_every_run_of_every_experiment(self, sdlib):
        status, out, _ = sdlib("list", "--profile", "laptop")
        lines = [line.split() for line in out.splitlines()]
        expected = [run.id for name in EXPERIMENTS for run in runs_of(name, "laptop", "phantom")]
        assert status == 0
        assert lines == [[each, "-"] for each in expected]

    def test_one_experiment_and_what_there_is(self, sdlib, row_of):
        on_git, here = (Run("cutout", "control", seed, "quick") for seed in (0, 1))
        file = Place("cutout", "quick", "phantom").recorded_file(".jsonl")
        file.write_text(json.dumps(row_of(on_git)) + "\n")
        here.folder.mkdir(parents=True)
        here.row_file.write_text(json.dumps(row_of(here)))
        _, out, _ = sdlib("list", "--experiment", "cutout")
        states = dict(line.split(maxsplit=1) for line in out.splitlines())
        assert len(states) == len(runs_of("cutout", "quick", "phantom"))
        assert states[on_git.id] == "recorded"
        assert states[here.id] == "this machine"
        assert set(states.values()) == {"-", "recorded", "this machine"}

    def test_stale_rows_and_rows_that_are_in_both_places(self, sdlib, row_of):
        both, stale = (Run("cutout", "control", seed, "quick") for seed in (0, 1))
        neither = Run("cutout", "sd_eq2", 0, "quick")
        file = Place("cutout", "quick", "phantom").recorded_file(".jsonl")
        file.write_text("".join(json.dumps(row_of(run)) + "\n" for run in (both, stale)))
        for run, stamp in ((both, None), (stale, "0" * 12), (neither, "0" * 12)):
            run.folder.mkdir(parents=True)
            run.row_file.write_text(json.dumps(row_of(run, stamp=stamp)))
        _, out, _ = sdlib("list", "--experiment", "cutout")
        states = dict(line.split(maxsplit=1) for line in out.splitlines())
        assert states[both.id] == "recorded, this machine"
        assert states[stale.id] == "recorded, stale here"
        assert states[neither.id] == "stale here"


class TestCommands:
    def test_run(self, sdlib, monkeypatch):
        asked = []

        def execute(run, fresh, log):
            asked.append((run, fresh))
            log("epoch 1/1")
            return {"metrics": {"test": {"accuracy": 0.81234, "recall": 0.7}}}

        monkeypatch.setattr(training, "execute", execute)
        found = sdlib("run", "cutout/sd_eq2/seed3", "--profile", "laptop", "--source", "open")
        sentence = "cutout/sd_eq2/seed3: test accuracy 0.812, recall 0.700\n"
        assert found == (0, sentence, "epoch 1/1\n")
        sdlib("run", "cutout/sd_eq2/seed3", "--fresh")
        assert asked == [
            (Run("cutout", "sd_eq2", 3, "laptop", "open"), False),
            (Run("cutout", "sd_eq2", 3, "quick", "phantom"), True),
        ]

    @pytest.mark.parametrize("reports", [True, False])
    def test_run_on_devices(self, sdlib, monkeypatch, reports):
        """Of the processes that torchrun has started, one reports."""
        asked = []

        def execute(*arguments):
            asked.append(arguments[:2] + arguments[3:])
            return {"metrics": {"test": {"accuracy": 0.5, "recall": 1.0}}} if reports else None

        monkeypatch.setattr(launch, "execute", execute)
        status, out, error = sdlib("run", "cutout/sd_eq2/seed3", "--devices", "2")
        assert (status, out.count("\n"), error) == (0, reports, "")
        assert asked == [(Run("cutout", "sd_eq2", 3), False, 2)]

    def test_search(self, sdlib, monkeypatch, trial_of):
        def execute(wanted, fresh, log):
            log(f"trial 0, fresh {fresh}")
            wanted.folder.mkdir(parents=True)
            wanted.file.write_text(json.dumps(trial_of(wanted, {"lam": 0.1})))

        monkeypatch.setattr(search, "execute", execute)
        found = sdlib("search", "cutout/sd_eq1", "--fresh")
        assert found == (0, "cutout/sd_eq1: {'lam': 0.1}\n", "trial 0, fresh True\n")

    def test_record(self, sdlib, monkeypatch):
        asked = []
        said = ["40 rows recorded", "the sweep of 3 networks recorded"]
        monkeypatch.setattr(results, "record", lambda *names: asked.append(names) or said)
        expected = "\n".join(said) + "\n"
        assert sdlib("record", "cutout", "--source", "open") == (0, expected, "")
        assert asked == [("cutout", "laptop", "open")]

    def test_measure(self, sdlib, monkeypatch):
        asked = []

        def make(experiment, profile, source, log):
            asked.append((experiment, profile, source))
            log("12 networks at blur-02")
            return "outputs/sweep"

        monkeypatch.setattr(sweep, "make", make)
        found = sdlib("measure", "robustness/sweep", "--profile", "laptop")
        assert found == (0, "outputs/sweep\n", "12 networks at blur-02\n")
        assert asked == [("robustness", "laptop", "phantom")]

    def test_tile(self, sdlib, monkeypatch):
        asked = []

        def tile_slides(*values):
            asked.append(values)
            values[-1]("1 of 1, a.tiff: 7 tiles")
            return "7 tiles of 1 slides"

        monkeypatch.setattr(tiling, "tile_slides", tile_slides)
        options = "--size 256 --overlap 0.5 --mpp 1 --workers 3 --resolution mpp.csv"
        faults = "--damaged skip --changed recut --unscanned background"
        labels = "--masks masks --positive 3,4 --negative 0,1 --ignored 9 --share 0.5"
        found = sdlib("tile", "in", "out", *f"{options} {faults} {labels}".split())
        assert found == (0, "7 tiles of 1 slides\n", "1 of 1, a.tiff: 7 tiles\n")
        rule = LabelRule((3, 4), (0, 1), (9,), 0.5)
        settings = tiling.Tiling(size=256, overlap=0.5, mpp=1.0, rule=rule, unscanned="background")
        expected = ("in", "out", settings, 3, "mpp.csv", "skip", "masks", None, "recut")
        assert [values[:-1] for values in asked] == [expected]

    def test_audit(self, sdlib, monkeypatch):
        asked = []

        def audit_sources(folder, column, size, positive, log):
            asked.append((folder, column, size, positive))
            log("features of 4 images")
            return "the source tells nothing"

        monkeypatch.setattr(audit, "audit_sources", audit_sources)
        options = ["--column", "view", "--size", "96", "--positive", "tumour", "--positive", "a,b"]
        found = sdlib("audit", "mine", *options)
        assert found == (0, "the source tells nothing\n", "features of 4 images\n")
        sdlib("audit", "mine")
        assert asked == [
            ("mine", "view", 96, ["tumour", "a,b"]),
            ("mine", "source", 224, None),
        ]

    def test_check_of_shards(self, sdlib, tmp_path):
        tile = ShardTile("a", np.zeros((8, 8, 3), np.uint8), 1, "patient")
        ShardWriter(tmp_path).write([tile])
        write_index(tmp_path)
        status, out, _ = sdlib("check", str(tmp_path))
        assert (status, out.partition(",")[0]) == (0, "1 tiles of 8 px")
        (tmp_path / "tiles-000000.tar").unlink()
        status, _, error = sdlib("check", str(tmp_path))
        assert status == 2
        assert "tiles-000000.tar (it is not there)" in error

    def test_doctor(self, sdlib):
        status, out, error = sdlib("doctor")
        assert (status, error) == (0, "")
        assert out.startswith("Python")
        assert "source      phantom (tiles): ready" in out
        assert "source      phantom (films): ready" in out

    def test_steps_in_the_place_of_a_download(self, sdlib):
        status, out, error = sdlib("fetch", "panda")
        assert (status, error) == (1, "")
        first, *steps = out.splitlines()
        assert first.startswith("panda is behind a registration")
        assert len(steps) > 3
        assert all(line.startswith(f"{number}. ") for number, line in enumerate(steps, start=1))

    def test_help_names_every_command(self, sdlib):
        status, out, _ = sdlib("--help")
        assert status == 0
        for name in (
            "list",
            "run",
            "search",
            "measure",
            "record",
            "fetch",
            "audit",
            "compare",
            "tile",
            "doctor",
        ):
            assert f" {name} " in out

    def test_an_error_on_the_way_is_a_sentence_too(self, sdlib, monkeypatch):
        def refuse(*args):
            raise SdlibError("cannot write row.json: the disk is full")

        monkeypatch.setattr(training, "execute", refuse)
        found = sdlib("run", "cutout/sd_eq2/seed0")
        assert found == (2, "", "error: cannot write row.json: the disk is full\n")
