"""Sources: known by name, refuse what they do not know, and say whether they are at hand."""

import numpy as np
import pytest

from sdlib import datasets
from sdlib.datasets.source import Request
from sdlib.datasets.sources import IMAGES, SOURCES, source_of
from sdlib.datasets.splits import PARTS
from sdlib.errors import ConfigError
from sdlib.experiments import EXPERIMENTS, Run, runs_of
from sdlib.experiments.cohorts import Cohort, load_cohort


def request(part="test", **where):
    return Request(part, size=32, count=160, seed=0, where=where)


def test_names_are_keys_and_every_source_has_a_description():
    for found in (SOURCES, *IMAGES.values()):
        assert all(name == source.name for name, source in found.items())
        assert all(len(source.description) > 10 for source in found.values())
    assert set(SOURCES) == {name for found in IMAGES.values() for name in found}


@pytest.mark.parametrize("name", ["helsinki", "Phantom", ""])
def test_an_unknown_source_is_a_sentence_and_loads_nothing(name):
    for images, found in IMAGES.items():
        sentence = f"unknown source '{name}'; expected one of: {', '.join(found)}"
        with pytest.raises(ConfigError, match=sentence):
            source_of(name, images)
    sentence = f"unknown source '{name}'; expected one of: {', '.join(SOURCES)}"
    with pytest.raises(ConfigError, match=sentence):
        Run("cutout", "sd_eq2", 0, "quick", name)


@pytest.mark.parametrize(
    ("images", "name"), [(images, name) for images, found in IMAGES.items() for name in found]
)
def test_what_a_source_does_not_know_is_refused_before_anything_is_read(images, name, outputs):
    source = source_of(name, images)
    with pytest.raises(ConfigError, match="unknown part 'tset'; expected one of: train, val"):
        source.tiles(request("tset"))
    for part in set(PARTS) - set(source.parts):
        with pytest.raises(ConfigError, match=f"the source {name} has no part '{part}', only test"):
            source.tiles(request(part))
    with pytest.raises(ConfigError, match=f"the source {name} knows no restriction 'ward'"):
        source.tiles(request(ward="7"))


def test_no_experiment_is_run_where_nothing_can_be_trained():
    for experiment in EXPERIMENTS.values():
        assert all(experiment.source(name).trains for name in experiment.sources)
        assert runs_of(experiment.name, "paper", "peso") == []
    with pytest.raises(ConfigError, match="unknown source of cutout 'peso'; expected one of: "):
        Run("cutout", "sd_eq2", 0, "quick", "peso")


def test_the_one_part_of_a_set_for_testing(monkeypatch, toy_tiles):
    monkeypatch.setattr(datasets, "load_peso", lambda size: toy_tiles(size=size))
    tiles = load_cohort(Cohort(("test",), whole=True), SOURCES["peso"], 32, 160, 0)
    assert len(tiles) == 64
    with pytest.raises(ConfigError, match=r"peso has no part 'train', only test: choose another"):
        load_cohort(Cohort(("train", "test")), SOURCES["peso"], 32, 160, 0)


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ({"cohort": "nowhere"}, "unknown cohort 'nowhere'; expected one of: development"),
        ({"scanner": "flash9"}, "unknown scanner 'flash9'; expected one of: axioscan"),
    ],
)
def test_a_phantom_without_such_a_cohort_or_scanner(smoke, where, sentence):
    with pytest.raises(ConfigError, match=sentence):
        SOURCES["phantom"].tiles(request(**where))


def test_a_stain_cluster_that_there_is_not(monkeypatch, toy_tiles):
    tiles = toy_tiles()
    labelled = type(tiles)(
        tiles.images, tiles.targets, tiles.groups, {"stain_cluster": np.full(len(tiles), "A")}
    )
    monkeypatch.setattr(datasets, "load_open_pcam", lambda part, size: labelled)
    assert len(SOURCES["open"].tiles(request(cluster="A"))) == len(tiles)
    with pytest.raises(ConfigError, match="unknown cluster 'C'; expected one of: A, B"):
        SOURCES["open"].tiles(request(cluster="C"))


def test_patients_of_other_cohorts_are_in_no_training_part(smoke):
    phantom = SOURCES["phantom"]
    known = {group for part in PARTS for group in phantom.tiles(request(part)).groups}
    external = phantom.tiles(request(cohort="external", scanner="flash2"))
    assert not known & set(external.groups)
    assert set(external.factors["scanner"]) == {"flash2"}


def test_several_parts_are_one_cohort_and_a_limit_is_the_sum_of_theirs(smoke):
    phantom = SOURCES["phantom"]
    both = load_cohort(Cohort(("validation", "test")), phantom, 32, 160, 0)
    groups = {g for part in ("validation", "test") for g in phantom.tiles(request(part)).groups}
    assert set(both.groups) <= groups
    assert both.targets.mean() == 0.5
    assert SOURCES["open"].most("train", 300) + SOURCES["open"].most("validation", 300) == 250


def test_a_cohort_of_no_part_is_refused():
    for parts in ((), ("tset",)):
        with pytest.raises(ConfigError, match="expected parts among train, validation, test"):
            Cohort(parts)


def test_a_source_of_several_folders_says_which_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("SDLIB_DATA", str(tmp_path))
    bimcv = IMAGES["films"]["bimcv"]
    for name in ("bimcv-plus", "bimcv-minus", "covidx8"):
        (tmp_path / name).mkdir()
    assert "padchest" in bimcv.state
    assert "found no such folder" in bimcv.state
    (tmp_path / "padchest").mkdir()
    assert bimcv.state.startswith(f"found in {tmp_path / 'bimcv-plus'}, {tmp_path / 'bimcv-minus'}")
