"""The Makefile's commands: paths of any kind, values that are refused, the Python that it takes."""

import os
import re
import shlex
import subprocess
import sys
import tomllib

import pytest

from sdlib.paths import ROOT

PINS = ("requirements.txt", "pyproject.toml")


def make(folder, *arguments):
    """Call make as a person does: no setting of these tests' own environment is one of its."""
    kept = ("HOME", "PATH", "LOG")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def script(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


@pytest.fixture
def called(tmp_path, monkeypatch):
    """A clone whose Python only notes how it is called: ``called(*make's arguments)``."""
    clone = tmp_path / "my folder (1)" / "R&D's" / "clone"
    clone.mkdir(parents=True)
    for name in ("Makefile", *PINS):
        (clone / name).symlink_to(ROOT / name)
    log = tmp_path / "calls"
    monkeypatch.setenv("LOG", str(log))
    note = """printf '%s\\n' "$JUPYTER_PATH" "$0" "$@" '--' >> "$LOG\""""
    script(clone / ".venv" / "bin" / "python", note)
    script(clone / ".venv" / "bin" / "uv", note)
    script(clone / "py thon", note)

    def calls(*arguments):
        log.unlink(missing_ok=True)
        done = make(clone, *arguments)
        assert done.returncode == 0, done.stderr
        return [call.split("\n")[:-1] for call in log.read_text().split("--\n")[:-1]]

    calls.clone = clone
    calls.log = log
    return calls


BUILT = ("-o", ".venv/.stamp")  # not to be made


@pytest.mark.parametrize(("target", "train"), [("reproduce", "train=1"), ("book", "train=0")])
def test_the_graph_is_called_alike_in_any_folder(called, target, train):
    unlock, graph, show = [call[2:] for call in called(*BUILT, target, "GPUS=0", "CORES=2")]
    assert unlock == ["-m", "sdlib.pipeline", "unlock"]
    assert show == ["-m", "sdlib.pipeline", "show"]
    assert graph[:5] == ["-m", "sdlib.pipeline", "graph", "--cores", "2"]
    assert graph[-4:] == ["profile=quick", "source=phantom", "fresh=0", train]


def test_the_graph_is_submitted_where_that_is_asked_for(called):
    graph = called(*BUILT, "reproduce", "EXECUTOR=slurm")[1][2:]
    options = ["--executor", "slurm", "--jobs", "50", "--local-cores", "2", "--retries", "2"]
    assert graph[: 3 + len(options)] == ["-m", "sdlib.pipeline", "graph", *options]
    assert graph[-4:] == ["profile=quick", "source=phantom", "fresh=0", "train=1"]
    set_by_hand = ["EXECUTOR=slurm", "CORES=4", "JOBS=9", "RETRIES=0", "POLL=5"]
    graph = called(*BUILT, "reproduce", *set_by_hand)[1]
    options = (
        "slurm --jobs 9 --local-cores 4 --retries 0 --slurm-init-seconds-before-status-checks 5"
    )
    assert " ".join(["--executor", *options.split()]) in " ".join(graph)


def test_the_book_is_built_here_whatever_trains_it(called):
    graph = called(*BUILT, "book", "GPUS=0", "CORES=2", "EXECUTOR=slurm")[1]
    assert graph[2:7] == ["-m", "sdlib.pipeline", "graph", "--cores", "2"]


def test_settings_of_sbatch_are_in_the_environment(called):
    script(
        called.clone / ".venv" / "bin" / "python", 'echo "$SBATCH_PARTITION $SBATCH_ARGS" >> $LOG'
    )
    given = ["SBATCH_PARTITION=gpu", "SBATCH_ARGS=--nice --x='a b'"]
    called(*BUILT, "reproduce", "EXECUTOR=slurm", *given)
    assert "gpu --nice --x='a b'" in called.log.read_text().splitlines()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["EXECUTOR=cloud"], "expected EXECUTOR=local or EXECUTOR=slurm, got EXECUTOR=cloud."),
        (["EXECUTOR=slurm", "JOBS=0"], "got JOBS=0 POLL=20 RETRIES=2."),
        (["EXECUTOR=slurm", "POLL=soon"], "got JOBS=50 POLL=soon RETRIES=2."),
        (["EXECUTOR=slurm", "RETRIES=-1"], "got JOBS=50 POLL=20 RETRIES=-1."),
    ],
)
def test_settings_of_the_cluster_that_cannot_be_meant_are_refused(tmp_path, given, said):
    (tmp_path / "Makefile").symlink_to(ROOT / "Makefile")
    refused = make(tmp_path, "-n", "reproduce", *given)
    assert refused.returncode == 2
    assert said in refused.stderr


def test_a_value_reaches_the_graph_whole(called):
    graph = called(*BUILT, "book", "GPUS=0", "PROFILE=lap top's")[1]
    assert graph[-4:] == ["profile=lap top's", "source=phantom", "fresh=0", "train=0"]


def test_the_lab_finds_its_page_in_any_folder(called):
    (voila,) = called(*BUILT, "lab")
    assert voila[0] == str(called.clone / "book" / "lab")
    assert voila[2:5] == ["-m", "voila", "book/lab/shift_lab.ipynb"]
    (jupyter,) = called(*BUILT, "lab", "UI=jupyter")
    assert jupyter[2:5] == ["-m", "jupyterlab", "book"]


def test_the_environment_is_made_by_the_python_that_is_named(called):
    calls = called(".venv/.stamp", f"PYTHON={called.clone / 'py thon'}")
    asked, made = calls[0], calls[1]
    assert asked[1:3] == [str(called.clone / "py thon"), "-c"]
    assert made[1:] == [str(called.clone / "py thon"), "-m", "venv", ".venv"]
    assert calls[-1][2:] == ["-m", "pip", "install", "--quiet", "--no-deps", "-e", "."]


@pytest.mark.parametrize("target", ["reproduce", "book", "lab", "test", "bench"])
def test_commands_hold_no_path_of_this_machine(called, target):
    listed = make(called.clone, *BUILT, "-n", target).stdout
    words = [word for line in listed.splitlines() for word in shlex.split(line, comments=True)]
    assert words
    assert [word for word in words if str(called.clone.parent) in word] == []


@pytest.mark.parametrize("cores", ["0", "-1", "", "many", "1 2", "2.5"])
def test_cores_that_would_wait_for_ever_are_refused(tmp_path, cores):
    (tmp_path / "Makefile").symlink_to(ROOT / "Makefile")
    refused = make(tmp_path, "-n", "reproduce", f"CORES={cores}")
    assert refused.returncode == 2
    assert f"expected CORES=all or a number of at least 1, got CORES={cores}." in refused.stderr


# -- Which Python


def bounds():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    return [int(minor) for minor in re.fullmatch(r">=3\.(\d+),<3\.(\d+)", wanted).groups()]


@pytest.mark.parametrize("above", [False, True], ids=["below", "above"])
def test_a_python_that_lacks_packages_is_refused_in_a_sentence(tmp_path, above):
    minor = bounds()[1] if above else bounds()[0] - 1
    assert refusal(tmp_path, minor).endswith(
        f"got Python 3.{minor}.0: make PYTHON=/path/to/python3.11\n"
    )


def test_the_makefile_and_the_package_take_the_same_pythons(tmp_path):
    low, high = bounds()
    assert refusal(tmp_path / "first", low) == refusal(tmp_path / "last", high - 1) == ""
    *names, last = [f"3.{minor}" for minor in range(low, high)]
    text = (ROOT / "Makefile").read_text()
    assert f"expected Python {', '.join(names)} or {last}" in text


def test_something_that_is_no_python_is_refused_in_a_sentence(tmp_path):
    for name in ("Makefile", *PINS):
        (tmp_path / name).symlink_to(ROOT / name)
    broken = script(tmp_path / "python", "echo 'pyenv: not found' >&2", "echo more", "exit 127")
    refused = make(tmp_path, ".venv/.stamp", f"PYTHON={broken}")
    assert refused.returncode == 2
    assert refused.stdout.count("\n") == 1
    assert "got pyenv: not found: make PYTHON=" in refused.stdout


def refusal(folder, minor):
    """What make says to a Python 3.``minor``; empty if it takes it."""
    folder.mkdir(exist_ok=True)
    for name in ("Makefile", *PINS):
        (folder / name).symlink_to(ROOT / name)
    python = script(
        folder / "python",
        'case "$1" in',
        f"-c) exec {shlex.quote(sys.executable)} -c "
        f"\"import sys; sys.version_info = (3, {minor}, 0, 'final', 0); $2\" ;;",
        f"--version) echo Python 3.{minor}.0 ;;",
        "*) exit 3 ;;",
        "esac",
    )
    done = make(folder, ".venv/.stamp", f"PYTHON={python}")
    assert done.returncode == 2
    return "" if "-m venv" in done.stdout else done.stdout
