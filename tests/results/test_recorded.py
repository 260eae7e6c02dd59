"""What git holds in data/results is whole, today's, and says what its own predictions say."""

import json

import numpy as np
import pytest
from scipy.special import expit

from sdlib import experiments, results
from sdlib.experiments import trials as tuning
from sdlib.metrics import summary
from sdlib.paths import ROOT, recorded_folder
from sdlib.report.readme_table import MARKERS, glance
from sdlib.results import sweeps
from sdlib.shifts import LEVELS
from sdlib.training.search import FAMILIES

FILES = sorted(
    file for file in recorded_folder().glob("*.jsonl") if not file.stem.endswith("-trials")
)
MOST_BYTES = 12_000_000  # every reader clones these files


def parts(file):
    """experiment, source and profile of a recorded file, as its rows say."""
    row = json.loads(file.read_text().splitlines()[0])
    return row["experiment"], row["profile"], row["source"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_rows_are_todays_and_unique(file):
    experiment, profile, source = parts(file)
    rows = results.rows(experiment, profile, source)
    assert results.recorded_file(experiment, source, profile) == file
    assert not rows["stale"].any(), rows.loc[rows["stale"], ["arm", "seed"]].to_string()
    assert not rows.duplicated(["arm", "seed"]).any()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_metrics_follow_from_the_recorded_logits(file):
    experiment, profile, source = parts(file)
    stored = results.predictions(experiment, profile, source)
    for row in map(json.loads, file.read_text().splitlines()):
        for name, metrics in row["metrics"].items():
            if name == "cam":
                continue
            targets = stored[f"{experiments.EXPERIMENTS[experiment].sets[name][0]}.targets"]
            logits = stored[f"{row['arm']}/seed{row['seed']}/{name}.logits"]
            again = summary(targets, expit(logits))
            assert again == pytest.approx(metrics, abs=1e-6)
            assert np.isfinite(logits).all()


SWEPT = [file for file in FILES if experiments.EXPERIMENTS[parts(file)[0]].swept]


@pytest.mark.parametrize("file", SWEPT, ids=lambda file: file.stem)
def test_sweeps_are_of_the_recorded_networks(file):
    """At no shift a network's answers are those of its row; a shift of strength 0 changes none."""
    experiment, profile, source = parts(file)
    rows = results.rows(experiment, profile, source).set_index(["arm", "seed"])
    found = sweeps.load(experiment, profile, source)
    assert set(found.logits) == set(rows.index)
    assert found.levels == ("clean", *(level.name for level in LEVELS))
    stored = results.predictions(experiment, profile, source)
    np.testing.assert_array_equal(found.targets, stored["test.targets"])
    table = found.accuracy().set_index(["arm", "seed", "level"])["accuracy"]
    for (arm, seed), row in rows.iterrows():
        for level in ("clean", "sharpen-0.0", "haematoxylin-1.0", "eosin-1.0"):
            assert table[arm, seed, level] == pytest.approx(row["test.accuracy"], abs=1e-9)


def test_recorded_files_stay_small():
    assert sum(file.stat().st_size for file in recorded_folder().iterdir()) < MOST_BYTES


def test_the_profiles_learning_rate_is_the_one_its_search_chose():
    search = experiments.Search("cutout", "learning_rate", "laptop", "phantom")
    trials = tuning.trials(search, recorded=True)
    assert len(trials) == len(FAMILIES["learning_rate"].grid["learning_rate"])
    chosen = max(trials, key=lambda trial: trial["metrics"]["validation"]["accuracy"])
    assert chosen["values"]["learning_rate"] == experiments.PROFILES["laptop"].learning_rate


def test_the_readme_shows_the_recorded_rows():
    readme = (ROOT / "README.md").read_text()
    between = readme.split(MARKERS[0])[1].split(MARKERS[1])[0]
    assert between.strip() == glance(), "python -m sdlib.report.readme_table rewrites it"
