"""Rows of the experiments on films whose logits are known."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest

from sdlib.experiments import Run
from sdlib.metrics import summary
from sdlib.results import Place
from tests.written_results import write_search


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture
def written(outputs, recorded, row_of):
    """`written(targets, {arm: {seed: {cohort: logits}}})`: this machine's place with such rows.

    Targets and groups are those of every cohort, or given by cohort.
    """

    def make(targets, logits, groups=None, experiment="covid", source="phantom"):
        place = Place(experiment, "laptop", source, "this run")
        for arm, seeds in logits.items():
            for seed, found in seeds.items():
                _write_run(Run(experiment, arm, seed, "laptop", source), targets, found, groups)
        return place

    def _write_run(run, targets, logits, groups):
        if run.search and not run.search.file.exists():
            write_search(run.experiment, run.search.family, 2, run.profile, run.source)
        truth = {cohort: _of(targets, cohort) for cohort in logits}
        metrics = {
            f"{cohort}__{name}": value
            for cohort, values in logits.items()
            for name, value in summary(truth[cohort], values, from_logits=True).items()
        }
        run.folder.mkdir(parents=True, exist_ok=True)
        run.row_file.write_text(json.dumps(row_of(run, **metrics)))
        kept = {f"{cohort}.logits": np.float32(values) for cohort, values in logits.items()}
        np.savez(run.folder / "predictions.npz", **kept)
        stored = {f"{cohort}.targets": np.int8(values) for cohort, values in truth.items()}
        if groups is not None:
            stored |= {f"{cohort}.groups": np.int16(_of(groups, cohort)) for cohort in logits}
        np.savez(run.folder / "targets.npz", **stored)

    return make


def _of(values, cohort):
    return values[cohort] if isinstance(values, dict) else values


@pytest.fixture
def empty(outputs, recorded):
    """`empty(experiment)`: a place without rows, whatever else is written."""
    return lambda experiment="covid": Place(experiment, "smoke", "phantom", "this run")
