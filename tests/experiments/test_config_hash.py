"""The hash of a configuration: recorded rows keep theirs, whatever fields come later."""

import dataclasses
import json

import pytest

from sdlib.errors import DataError
from sdlib.experiments import EXPERIMENTS, PROFILES, Run, Search, config_hash
from sdlib.experiments.trials import best
from sdlib.paths import recorded_folder
from sdlib.results import Place

ROWS = [
    json.loads(line)
    for file in sorted(recorded_folder().glob("*.jsonl"))
    if not file.stem.endswith("-trials")
    for line in file.read_text().splitlines()
]
TRIALS = {
    (file.stem.removesuffix("-trials"), trial["family"], trial["config_hash"])
    for file in sorted(recorded_folder().glob("*-trials.jsonl"))
    for trial in map(json.loads, file.read_text().splitlines())
}
#: Hashes as they were when the rows were made.
PINNED = {
    Run("cutout", "weight_decay", 0, "laptop", "phantom"): "ca372043e610",
    Run("cutout", "sd_eq2", 4, "laptop", "open"): "9c7f49b1ae37",
    Run("cutout", "sd_eq2_test_tuned", 0, "laptop", "phantom"): "81f6b8f44bed",
    Run("cutout", "control", 0, "laptop", "phantom"): "c721f6e2289c",
    Run("cutout_sensitivity", "gamma_+1_-1", 2, "laptop", "phantom"): "a04029dff53f",
    Run("robustness", "sd_eq1_uniform_tuned", 0, "laptop", "open"): "81283f8c6f80",
    Run("robustness", "sd_eq1_uniform", 2, "long", "phantom"): "97c6e8ee5a25",
    Run("stain_b", "weight_decay_none", 0, "laptop", "open"): "5076238d2a15",
}
PINNED_SEARCHES = {
    Search("cutout", "learning_rate", "laptop", "phantom"): "9ff981b3155c",
    Search("cutout", "sd_eq2_test", "laptop", "phantom"): "038ff2e83bd9",
    Search("robustness", "sd_eq1_uniform", "laptop", "open"): "2973763c1c30",
}


def todays_hash(run):
    return config_hash(run.config(run.resolved_arm(recorded=True)))


def run_of(row):
    return Run(row["experiment"], row["arm"], row["seed"], row["profile"], row["source"])


@pytest.mark.parametrize("run", PINNED, ids=lambda run: run.id)
def test_hashes_of_runs_are_what_they_were(run):
    assert todays_hash(run) == PINNED[run]


@pytest.mark.parametrize("search", PINNED_SEARCHES, ids=lambda search: search.id)
def test_hashes_of_searches_are_what_they_were(search):
    assert search.config_hash == PINNED_SEARCHES[search]


def test_every_recorded_row_has_todays_hash_and_explains_it():
    assert len(ROWS) >= 235
    for row in ROWS:
        assert row["config_hash"] == todays_hash(run_of(row)), row["arm"]
        assert row["config_hash"] == config_hash(row["config"]), row["arm"]


def test_every_recorded_trial_has_todays_hash():
    assert len(TRIALS) >= 10
    for stem, family, stamp in TRIALS:
        experiment, source, profile = stem.rsplit("-", 2)
        assert Search(experiment, family, profile, source).config_hash == stamp, (stem, family)


@pytest.mark.parametrize(
    "changes",
    [{"weight_decay": 0.1}, {"weight_decay": 0.0}, {"lam": 0.01}, {"augment": "blur"}],
    ids=str,
)
def test_a_search_of_learning_rates_is_stale_when_the_arm_that_it_trains_changes(
    monkeypatch, changes
):
    """It trains the first arm, though its hash was once that of ``trial``."""
    search, other = (
        Search("cutout", name, "laptop", "phantom") for name in ("learning_rate", "sd_eq1")
    )
    before = search.config_hash, other.config_hash
    definition = EXPERIMENTS["cutout"]
    first, *rest = definition.arms
    changed = dataclasses.replace(first, **changes)
    monkeypatch.setitem(
        EXPERIMENTS, "cutout", dataclasses.replace(definition, arms=(changed, *rest))
    )
    assert search.arm == changed
    assert search.config_hash != before[0]
    assert other.config_hash == before[1]


def test_looks_of_the_arm_that_a_search_trains_are_not_hashed(monkeypatch):
    definition = EXPERIMENTS["cutout"]
    first, *rest = definition.arms
    changed = dataclasses.replace(first, label="another label", main=not first.main)
    monkeypatch.setitem(
        EXPERIMENTS, "cutout", dataclasses.replace(definition, arms=(changed, *rest))
    )
    for search in PINNED_SEARCHES:
        assert search.config_hash == PINNED_SEARCHES[search]


def with_field(record, name, default):
    """The same record of a class that has one field more."""
    kind = dataclasses.make_dataclass(
        type(record).__name__,
        [(name, object, dataclasses.field(default=default))],
        bases=(type(record),),
        frozen=True,
    )
    return kind(**{f.name: getattr(record, f.name) for f in dataclasses.fields(record)})


@pytest.fixture
def later_fields(monkeypatch):
    """Profiles and arms with a field that the recorded rows do not know."""
    for name, profile in PROFILES.items():
        monkeypatch.setitem(PROFILES, name, with_field(profile, "warm_up", 0))
    for name, experiment in EXPERIMENTS.items():
        arms = tuple(with_field(arm, "rival", "") for arm in experiment.arms)
        monkeypatch.setitem(EXPERIMENTS, name, dataclasses.replace(experiment, arms=arms))


def test_a_new_field_with_a_default_makes_no_row_stale(later_fields):
    assert all(row["config_hash"] == todays_hash(run_of(row)) for row in ROWS)
    for names in {(r["experiment"], r["profile"], r["source"]) for r in ROWS}:
        assert Place(*names).stale == 0
    for stem, family, stamp in TRIALS:
        experiment, source, profile = stem.rsplit("-", 2)
        assert Search(experiment, family, profile, source).config_hash == stamp


def test_a_new_field_away_from_its_default_makes_rows_stale(later_fields, monkeypatch):
    run = Run("cutout", "weight_decay", 0, "laptop", "phantom")
    before = todays_hash(run)
    changed = dataclasses.replace(PROFILES["laptop"], warm_up=2)
    monkeypatch.setitem(PROFILES, "laptop", changed)
    assert todays_hash(run) != before


def test_what_changes_no_number_is_not_hashed(monkeypatch):
    run = Run("cutout", "weight_decay", 0, "laptop", "phantom")
    before = todays_hash(run)
    changed = dataclasses.replace(
        PROFILES["laptop"], seeds=50, trials=99, workers=3, memory_mb=1, minutes=1
    )
    monkeypatch.setitem(PROFILES, "laptop", changed)
    assert todays_hash(run) == before


def test_a_search_without_trials_has_no_best():
    with pytest.raises(DataError, match="has not been run"):
        best(Search("cutout", "sd_eq2", "paper", "pcam"), recorded=True)
