"""What the graph declares for a cluster: from the settings of each experiment, not its profile."""

import json
import subprocess
import sys

import pytest

from sdlib.experiments import EXPERIMENTS, PROFILES
from sdlib.paths import ROOT

# An experiment with settings of its own, and a snakemake that prints what its jobs declare.
SCRIPT = """
import json, sys
from dataclasses import replace
from sdlib.experiments.registry import register
from sdlib.experiments.searches import EQ2_RANGES, Space
from snakemake.cli import main
from snakemake.jobs import Job
from tests.toy_experiments import ARMS, TOY_SHIFTS

def say(job, **_):
    names = ("mem_mb", "runtime", "cpus_per_task", "gpu")
    needs = {name: job.resources.get(name) for name in names}
    print("declared", json.dumps([job.message, needs, job.params.get("trials")]))

Job.log_info = say
own = {"networks": 2, "trials": 5, "minutes": 7, "memory_mb": 4321, "workers": 3, "gpu": True}
bayes = Space("bayes", "validation", ranges=EQ2_RANGES)
register(
    replace(
        TOY_SHIFTS,
        arms=(*ARMS[:3], replace(ARMS[2], name="proposed", search="bayes")),
        searches=(*TOY_SHIFTS.searches, bayes),
        overrides={"smoke": own},
    )
)
main(sys.argv[1:])
"""
NEEDS = {"mem_mb": 4321, "cpus_per_task": 4, "gpu": 1}


@pytest.fixture(scope="module")
def declared(tmp_path_factory):
    """By a job's message: what it needs, and the number of trials that makes a search anew."""
    folder = tmp_path_factory.mktemp("graph")
    for name in ("_config.yml", "_toc.yml", "book", "data", "sdlib"):
        (folder / name).symlink_to(ROOT / name)
    command = [sys.executable, "-c", SCRIPT, "--cores", "1", "--dry-run", "--quiet", "host"]
    command += ["--config", "profile=smoke", "source=phantom", "fresh=1"]
    command += ["--directory", str(folder)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDLIB_OUTPUTS", str(folder / "outputs"))
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("declared ")]
    found = [json.loads(line.removeprefix("declared ")) for line in lines]
    return {message: (needs, trials) for message, needs, trials in found}


def test_a_training_has_its_experiments_needs(declared):
    needs, _ = declared["training toy_shifts_as_given_0: 2 runs"]
    assert needs == {**NEEDS, "runtime": 2 * 7}


def test_a_measurement_has_its_experiments_needs(declared):
    needs, _ = declared["measuring toy_shifts/sweep"]
    assert needs == {**NEEDS, "runtime": 7}


@pytest.mark.parametrize(("family", "trials"), [("decay", 2), ("bayes", 5)])
def test_a_search_has_its_experiments_needs_for_the_trainings_that_it_makes(
    declared, family, trials
):
    """A grid has as many trials as points; each trial trains two networks here."""
    needs, rerun = declared[f"searching toy_shifts/{family}"]
    assert needs == {**NEEDS, "runtime": trials * 2 * 7}
    assert rerun == trials


def test_without_settings_of_its_own_an_experiment_has_those_of_the_profile(declared):
    smoke = PROFILES["smoke"]
    needs, trials = declared["searching cutout/sd_eq1"]
    assert trials == EXPERIMENTS["cutout"].space("sd_eq1").count(smoke.trials) == 6
    assert needs["runtime"] == 6 * smoke.minutes
    assert (needs["mem_mb"], needs["cpus_per_task"], needs["gpu"]) == (smoke.memory_mb, 1, 0)
