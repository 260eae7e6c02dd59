"""The comparison on one's own images as an experiment like any other."""

import pytest

from sdlib.datasets.folder_names import file_name, folder_name
from sdlib.errors import ConfigError, DataError
from sdlib.experiments import (
    EXPERIMENTS,
    PROFILES,
    Run,
    config_hash,
    parse_run,
    runs_of,
    searches_of,
)
from sdlib.experiments.own_data import AT_PAPER_VALUES, MOST_EPOCHS, OWN_DATA, PRETRAINED, TUNED
from sdlib.experiments.paper import PAPER_EQ1, PAPER_WEIGHT_DECAY
from sdlib.results import Place
from sdlib.results.shown_places import sentence
from tests.folders import write_folder, write_manifest


@pytest.fixture
def folder(tmp_path, outputs):
    write_folder(tmp_path / "mine")
    return tmp_path / "mine"


@pytest.fixture
def source(folder):
    return folder_name(folder)


def test_both_arms_have_equal_budgets():
    spaces = [OWN_DATA.space(OWN_DATA.arm(name).search) for name in TUNED]
    assert len({space.count(99) for space in spaces}) == 1
    assert {(space.judged_on, space.metric) for space in spaces} == {("validation", "auroc")}
    decay, sd = (OWN_DATA.arm(name) for name in AT_PAPER_VALUES)
    assert (decay.weight_decay, decay.lam) == (PAPER_WEIGHT_DECAY, None)
    assert (sd.weight_decay, sd.lam, sd.gamma) == (0, PAPER_EQ1, None)


@pytest.mark.parametrize("experiment", [OWN_DATA, PRETRAINED], ids=lambda one: one.name)
def test_five_seeds_at_every_profile_but_smoke(experiment, source):
    seeds = {p: experiment.settings(p, source).seeds for p in PROFILES}
    assert seeds == {**dict.fromkeys(PROFILES, 5), "smoke": 3}
    networks = {p: experiment.settings(p, source).networks for p in PROFILES}
    assert networks == {**dict.fromkeys(PROFILES, 3), "smoke": 1}


def test_few_images_are_trained_on_for_more_epochs(source):
    """60 images: as many steps as 1,500 would give are 25 times the epochs, which is too many."""
    usual = PROFILES["quick"].epochs
    assert OWN_DATA.settings("quick", source).epochs == MOST_EPOCHS * usual
    assert OWN_DATA.settings("smoke", source).epochs == 3  # 160 tiles in the place of 60
    assert EXPERIMENTS["cutout"].settings("quick", source).epochs == usual


def test_it_is_run_on_folders_alone(source):
    runs = runs_of("own_data", "quick", source)
    assert len(runs) == 4 * 5
    assert runs_of("own_data", "quick", "phantom") == []
    with pytest.raises(ConfigError, match="unknown source of own_data 'phantom'"):
        Run("own_data", "sd_eq1", 0, "quick", "phantom")
    assert len(searches_of("own_data", "quick", source)) == 2
    assert "folders of your own" in sentence(Place("own_data", "quick", "phantom", "this run"))


def test_other_experiments_of_tiles_are_run_on_folders_too(source):
    on_folders = {name for name, one in EXPERIMENTS.items() if one.runs_on(source)}
    assert {"cutout", "robustness", "own_data", "own_data_pretrained"} <= on_folders
    assert not {"prostate", "stain_a", "covid"} & on_folders
    run = parse_run("cutout/sd_eq2/seed3", "quick", source)
    assert run.config()["source"] == source
    with pytest.raises(ConfigError, match="unknown source of prostate"):
        parse_run("prostate/sd_eq1_none/seed0", "quick", source)


def test_results_are_in_a_folder_of_a_safe_name(folder, source, outputs):
    run = Run("own_data", "sd_eq1", 0, "quick", source)
    assert run.folder == outputs / file_name(source) / "quick" / "own_data" / "sd_eq1" / "seed0"
    search = searches_of("own_data", "quick", source)[0]
    assert search.folder.is_relative_to(outputs / file_name(source))
    place = Place("own_data", "quick", source, "this run")
    assert place.name == "this run: mine, quick"
    assert not place.arms
    assert place.recorded_file(".jsonl").name == f"own_data-{file_name(source)}-quick.jsonl"


def test_the_hash_is_stable_and_changes_with_the_folder(folder, source):
    def stamp():
        return config_hash(Run("own_data", "sd_eq1", 0, "quick", source).config())

    first = stamp()
    assert stamp() == first
    rows = write_folder(folder)  # the very same again
    assert stamp() == first
    write_manifest(folder, [{**row, "note": "seen"} for row in rows])
    assert stamp() == first
    rows[3]["label"] = "1" if rows[3]["label"] == "0" else "0"
    write_manifest(folder, rows)
    assert stamp() != first


def test_a_folder_that_is_gone_is_a_sentence(tmp_path):
    name = folder_name(tmp_path / "gone")
    with pytest.raises(DataError, match="expected a manifest at"):
        Run("own_data", "sd_eq1", 0, "quick", name).config()
