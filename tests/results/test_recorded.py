"""What git holds in data/results is whole, today's, and says what its own predictions say."""

import collections
import json
from xml.etree import ElementTree

import numpy as np
import pytest

from sdlib.experiments import EXPERIMENTS, PROFILES, Search
from sdlib.experiments.trials import read_trials
from sdlib.metrics import summary
from sdlib.paths import ROOT, recorded_folder
from sdlib.report import readme_table
from sdlib.report.effects import recorded_effects
from sdlib.report.effects_figure import shown_numbers
from sdlib.results import Place
from sdlib.results.sweeps import levels_of

FILES = sorted(
    file for file in recorded_folder().glob("*.jsonl") if not file.stem.endswith("-trials")
)
# Every reader clones these files.
MOST_BYTES_AT_A_PROFILE = 3_000_000  # of one experiment, its tissues together
MOST_BYTES_OF_ALL_EXPERIMENTS = 15_000_000
MOST_BYTES_OF_THE_LAB = 5_000_000
# What ties in half precision move; the calibration error still depends on the order of ties.
TOLERANCE = {"auroc": 2e-4, "brier": 2e-5, "calibration_error": 4e-3}

# Share of tiles that a GPU, which adds in another order every time, may move across .5.
NEAR_ZERO = 2e-3

each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def place_of(file):
    """The place of a recorded file, as its rows say."""
    row = json.loads(file.read_text().splitlines()[0])
    return Place(row["experiment"], row["profile"], row["source"])


@each_file
def test_rows_are_todays_and_unique(file):
    place = place_of(file)
    rows = place.all_rows
    assert place.recorded_file(".jsonl") == file
    assert not rows["stale"].any(), rows.loc[rows["stale"], ["arm", "seed"]].to_string()
    assert not rows.duplicated(["arm", "seed"]).any()


@each_file
def test_metrics_follow_from_the_recorded_logits(file):
    """Half precision moves no tile across .5, though it makes ties of close neighbours."""
    place = place_of(file)
    for row in map(json.loads, file.read_text().splitlines()):
        for cohort, metrics in row["metrics"].items():
            if cohort == "cam" or place.definition.evaluation[cohort].metrics_only:
                continue
            logits = place.logits(row["arm"], cohort)[row["seed"]]
            again = summary(place.targets(cohort), logits.astype(np.float64), from_logits=True)
            for name in ("accuracy", "recall", "specificity"):
                assert again[name] == pytest.approx(metrics[name], abs=1e-9)
            targets = place.targets(cohort)
            pairs = np.count_nonzero(targets == 1) * np.count_nonzero(targets == 0)
            # Of few images a single new tie moves an AUROC by half a pair, and may swap an image
            # of either class between two bins of the calibration error: one n-th in each bin.
            by_one_tie = {"auroc": 1 / pairs, "brier": 0, "calibration_error": 2 / len(targets)}
            for name, tolerance in TOLERANCE.items():
                allowed = tolerance + by_one_tie[name]
                assert again[name] == pytest.approx(metrics[name], abs=allowed)
            assert np.isfinite(logits).all()


@each_file
def test_every_cohort_has_targets_of_its_own_length(file):
    place = place_of(file)
    for cohort, declared in place.definition.evaluation_at(place.source).items():
        targets = place.targets(cohort)
        assert len(targets)
        for arm in place.arms:
            if declared.metrics_only:
                assert place.logits(arm, cohort) == {}
                continue
            assert {len(one) for one in place.logits(arm, cohort).values()} == {len(targets)}


SWEPT = [file for file in FILES if place_of(file).definition.swept]


@pytest.mark.parametrize("file", SWEPT, ids=lambda file: file.stem)
def test_sweeps_are_of_the_recorded_networks(file):
    """Unshifted, a network predicts what its row says; a shift of strength 0 changes nothing."""
    place = place_of(file)
    rows = place.rows.set_index(["arm", "seed"])
    found = place.sweep
    assert set(found.logits) == set(rows.index)
    measurement = place.definition.sweep
    levels = levels_of(place.profile, measurement.shifts)
    assert found.levels == ("clean", *(level.name for level in levels))
    np.testing.assert_array_equal(found.targets, place.targets(measurement.cohort))
    unchanged = {"sharpen-0.0", "haematoxylin-1.0", "eosin-1.0"} & set(found.levels)
    table = found.accuracy().set_index(["arm", "seed", "level"])["accuracy"]
    for (arm, seed), row in rows.iterrows():
        expected = row[f"{measurement.cohort}.accuracy"]
        assert table[arm, seed, "clean"] == pytest.approx(expected, abs=1e-9)
        few = NEAR_ZERO if row["device"].startswith("cuda") else 1e-9
        for level in unchanged:
            assert table[arm, seed, level] == pytest.approx(expected, abs=few)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_recorded_files_of_an_experiment_stay_small(experiment):
    files = list(recorded_folder().glob(f"{experiment}-*"))
    # Of data sets that are not at hand nothing is recorded.
    at_hand = {"phantom", "open"} & set(EXPERIMENTS[experiment].sources)
    assert bool(files) == bool(at_hand)
    at_profile = collections.Counter()
    for file in files:
        profile = file.stem.split("-")[2]
        assert profile in PROFILES
        at_profile[profile] += file.stat().st_size
    assert all(size < MOST_BYTES_AT_A_PROFILE for size in at_profile.values()), at_profile


def test_recorded_files_of_all_experiments_stay_small():
    files = [file for file in recorded_folder().iterdir() if file.name.split("-")[0] in EXPERIMENTS]
    assert sum(file.stat().st_size for file in files) < MOST_BYTES_OF_ALL_EXPERIMENTS


def test_recorded_files_are_of_an_experiment_or_the_labs():
    names = [file.name for file in recorded_folder().iterdir()]
    strangers = [name for name in names if name.split("-")[0] not in EXPERIMENTS]
    of_the_page = {f"page-networks-{name}.safetensors" for name in ("cutout", "covid")}
    others = {"lab-networks.safetensors", "page-accuracies.csv", "lungs.json", "real-film-sets.csv"}
    assert set(strangers) == others | of_the_page
    lab = recorded_folder() / "lab-networks.safetensors"
    assert lab.stat().st_size < MOST_BYTES_OF_THE_LAB


def test_the_profiles_learning_rate_is_the_one_its_search_chose():
    search = Search("cutout", "learning_rate", "laptop", "phantom")
    trials = read_trials(search, recorded=True)
    assert len(trials) == len(search.space.grid["learning_rate"])
    chosen = max(trials, key=lambda trial: trial["metrics"]["validation"]["accuracy"])
    assert chosen["values"]["learning_rate"] == PROFILES["laptop"].learning_rate


@pytest.mark.parametrize(
    ("page", "name", "made"),
    [
        ("README.md", "results", readme_table.readme_table),
        ("book/index.md", "results", readme_table.index_table),
        ("book/index.md", "effects", readme_table.index_effects),
        ("book/index.md", "numbers", readme_table.index_numbers),
    ],
)
def test_readme_and_first_page_show_the_recorded_rows(page, name, made):
    message = "python -m sdlib.report.readme_table rewrites it"
    assert readme_table.between(ROOT / page, name) == made(), message


def test_the_first_pages_picture_shows_the_recorded_rows():
    shown = shown_numbers(recorded_effects())
    message = "python -m sdlib.report.readme_table draws it again"
    description = ElementTree.parse(readme_table.PICTURE).find(".//{*}description")
    assert description.text == shown, message
