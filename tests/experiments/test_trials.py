"""What a search found is read in the order that is written: own trials, then recorded ones."""

import dataclasses
import json

import pytest

from sdlib.errors import DataError
from sdlib.experiments import PROFILES, Run, Search, trials as tuning

SEARCH = Search("cutout", "sd_eq1", "quick", "phantom")
DECAY = Search("cutout", "weight_decay", "quick", "phantom")
TUNED = Run("cutout", "sd_eq1_tuned", 0, "quick")


def write(file, *trials):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(each) + "\n" for each in trials))


@pytest.fixture
def trial(trial_of):
    def make(value, lam, search=SEARCH):
        return trial_of(search, {"lam": lam}, value)

    return make


@pytest.fixture
def files(outputs, recorded):
    """Where own and recorded trials lie; nothing is there yet."""
    return SEARCH.file, recorded / "cutout-phantom-quick-trials.jsonl"


def test_nowhere(files):
    assert tuning.read_trials(SEARCH) == []
    sentence = r"cutout/sd_eq1 has not been run: python -m sdlib search .*quick --source phantom"
    with pytest.raises(DataError, match=sentence):
        tuning.best(SEARCH)


def test_own_before_recorded(files, trial):
    own, recorded = files
    write(recorded, trial(0.9, 0.1))
    assert TUNED.resolved_arm().lam == TUNED.resolved_arm(recorded=True).lam == 0.1
    write(own, trial(0.8, 0.2))
    assert TUNED.resolved_arm().lam == 0.2
    assert TUNED.resolved_arm(recorded=True).lam == 0.1
    recorded.unlink()
    with pytest.raises(DataError):
        TUNED.resolved_arm(recorded=True)


def test_other_families_and_places_do_not_count(files, trial):
    own, recorded = files
    write(own, trial(0.9, 0.3, DECAY))
    write(recorded, trial(0.99, 0.1, DECAY), trial(0.5, 0.2), trial(0.6, 0.4))
    assert [each["values"]["lam"] for each in tuning.read_trials(SEARCH)] == [0.2, 0.4]
    for other in (
        Search("cutout", "sd_eq1", "laptop", "phantom"),
        Search("cutout", "sd_eq1", "quick", "open"),
    ):
        assert tuning.read_trials(other) == []


def test_the_earliest_of_the_best(files, trial):
    write(files[0], trial(0.7, 0.1), trial(0.9, 0.2), trial(0.9, 0.3), trial(0.8, 0.4))
    assert tuning.best(SEARCH) == {"lam": 0.2}


def test_an_empty_file_is_no_search(files, trial):
    own, recorded = files
    write(own)
    assert tuning.read_trials(SEARCH) == []
    write(recorded, trial(0.5, 0.2))
    assert tuning.best(SEARCH) == {"lam": 0.2}


def test_trials_of_another_configuration_do_not_count(files, trial, monkeypatch):
    own, recorded = files
    write(own, trial(0.9, 0.1))
    longer = dataclasses.replace(PROFILES["quick"], epochs=99)
    with monkeypatch.context() as patch:
        patch.setitem(PROFILES, "quick", longer)
        assert tuning.read_trials(SEARCH) == []
        write(recorded, trial(0.5, 0.2))
        assert tuning.best(SEARCH) == {"lam": 0.2}
    assert tuning.best(SEARCH) == {"lam": 0.1}
    # What the seeds and the budget of a profile are does not touch a trial's numbers.
    more = dataclasses.replace(PROFILES["quick"], seeds=99, trials=99)
    monkeypatch.setitem(PROFILES, "quick", more)
    assert tuning.best(SEARCH) == {"lam": 0.1}
