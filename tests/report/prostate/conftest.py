"""Rows of the prostate experiment with accuracies that are known."""

import json

import matplotlib.pyplot as plt
import pytest

from sdlib.experiments import Run
from sdlib.results import Place


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture
def record(recorded, row_of):
    """`record(arm={seed: {cohort: accuracy}}, ...)`: the recorded place with those rows."""

    def make(experiment="prostate", source="phantom", **arms):
        place = Place(experiment, "smoke", source)
        rows = [
            row_of(
                Run(experiment, arm, seed, "smoke", source),
                **{f"{cohort}__accuracy": value for cohort, value in accuracies.items()},
            )
            for arm, seeds in arms.items()
            for seed, accuracies in seeds.items()
        ]
        if rows:
            place.recorded_file(".jsonl").write_text("\n".join(map(json.dumps, rows)))
        return place

    return make
