"""Parts and cohorts of the phantom: what a restriction names is different, nothing else."""

import numpy as np
import pytest

from sdlib.datasets import phantom_cohorts
from sdlib.datasets.phantom_cohorts import RESTRICTIONS, load_phantom
from sdlib.errors import ConfigError
from sdlib.phantoms import ANNOTATIONS, annotate

SIZE, COUNT = 16, 120


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cohorts")


@pytest.fixture
def load(cache, monkeypatch):
    """`load(part, **where)`: small tiles from a folder of this module's."""
    monkeypatch.setenv("SDLIB_CACHE", str(cache))

    def make(part="test", **where):
        return load_phantom(part, SIZE, COUNT, 0, where)

    return make


def columns_that_differ(tiles, others):
    names = set(tiles.factors)
    assert names == set(others.factors)
    return {name for name in names if (tiles.factors[name] != others.factors[name]).any()}


@pytest.mark.parametrize(
    ("where", "columns"),
    [
        ({"stain": "radboud"}, {"centre", "haematoxylin", "eosin"}),
        ({"scanner": "flash3"}, {"scanner", "sharpness"}),  # one of the cohort's own
        ({"scanner": "flash2"}, {"scanner", "sharpness"}),
        (
            {"magnification": "10x"},
            {
                *("gland_size", "nuclear_size", "nuclear_spacing"),
                *("gland_density", "stroma_cellularity", "inflammation"),
            },
        ),
    ],
)
def test_the_same_patients_tiles_acquired_otherwise(load, where, columns):
    own, other = load(), load(**where)
    assert columns_that_differ(own, other) == columns
    for name in ("targets", "groups"):
        np.testing.assert_array_equal(getattr(own, name), getattr(other, name))
    assert (own.images != other.images).mean() > 0.2


def test_several_at_once_are_all_of_them(load):
    found = load(stain="radboud", scanner="flash2", magnification="10x")
    for name, value in (("stain", "radboud"), ("scanner", "flash2"), ("magnification", "10x")):
        alone = load(**{name: value})
        for column in columns_that_differ(load(), alone):
            np.testing.assert_array_equal(found.factors[column], alone.factors[column])


@pytest.mark.parametrize("rule", ANNOTATIONS)
def test_labels_change_targets_alone(load, rule):
    own, other = load(), load(labels=rule)
    assert columns_that_differ(own, other) == set()
    np.testing.assert_array_equal(own.images, other.images)
    np.testing.assert_array_equal(other.factors["truth"], own.targets)
    expected = annotate(own.targets, own.factors["seed"], rule)
    np.testing.assert_array_equal(other.targets, expected)


def test_parts_share_no_patient_however_they_are_acquired(load):
    parts = {part: load(part, scanner="flash3") for part in ("train", "validation", "test")}
    patients = [set(tiles.groups) for tiles in parts.values()]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 30
    assert sum(map(len, parts.values())) == COUNT


@pytest.mark.parametrize("cohort", ["later", "external"])
def test_other_cohorts_are_as_many_tiles_as_the_test_part(load, cohort):
    tiles = load(cohort=cohort)
    assert len(tiles) == COUNT * 5 // 30
    assert set(tiles.factors["cohort"]) == {cohort}
    assert not set(tiles.groups) & set(load("train").groups)


def test_another_cohort_in_the_first_ones_laboratory(load):
    """Its tissue stays; stain and scanner are the development cohort's."""
    own, moved = load(cohort="external"), load(cohort="external", stain="helsinki")
    assert columns_that_differ(own, moved) == {"centre", "haematoxylin", "eosin"}
    both = load(cohort="external", stain="helsinki", scanner="axioscan")
    assert columns_that_differ(moved, both) == {"scanner", "sharpness"}


@pytest.mark.parametrize(
    ("part", "where", "sentence"),
    [
        ("tset", {}, "unknown part 'tset'; expected one of: train, validation, test"),
        ("test", {"ward": "7"}, "unknown restriction 'ward'; expected one of: cohort, scanner"),
        ("test", {"cohort": "nowhere"}, "unknown cohort 'nowhere'; expected one of: development"),
        ("test", {"scanner": "flash9"}, "unknown scanner 'flash9'; expected one of: axioscan"),
        ("test", {"stain": "nowhere"}, "unknown stain 'nowhere'; expected one of: helsinki"),
        ("test", {"magnification": "40x"}, "unknown magnification '40x'; expected one of: 20x"),
        ("test", {"labels": "guess"}, "unknown labels 'guess'; expected one of: consensus"),
        ("train", {"cohort": "later"}, "later has no part 'train': its patients are for testing"),
    ],
)
def test_what_is_not_known_is_refused_before_anything_is_rendered(
    load, monkeypatch, part, where, sentence
):
    monkeypatch.setattr(phantom_cohorts, "generate", lambda *args, **kwargs: pytest.fail("late"))
    phantom_cohorts._remembered.cache_clear()
    with pytest.raises(ConfigError, match=sentence):
        load(part, **where)


def test_every_restriction_is_understood(load):
    values = ("external", "flash2", "radboud", "10x", "regions")
    assert len(load(**dict(zip(RESTRICTIONS, values, strict=True)))) == COUNT * 5 // 30
