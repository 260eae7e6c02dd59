"""An experiment that sweeps one shift of four."""

from dataclasses import replace

import pytest

from sdlib.experiments import EXPERIMENTS
from sdlib.experiments.measurements import SWEEP
from sdlib.results import Place
from tests.toy_experiments import TOY_SHIFTS
from tests.written_results import write_run, write_sweep


@pytest.fixture
def blurred(outputs, recorded, monkeypatch):
    """This machine's place of a toy whose networks were swept by blur only: two arms, 3 seeds."""
    toy = replace(TOY_SHIFTS, measurements=(replace(SWEEP, shifts=("blur",)),))
    monkeypatch.setitem(EXPERIMENTS, toy.name, toy)
    for arm, distance in (("plain", 2.0), ("firm", 3.0)):
        for seed in range(3):
            write_run(toy.name, arm, seed, network=(0.0, distance, 0.0))
    write_sweep(toy.name)
    return Place(toy.name, "laptop", "phantom", "this run")
