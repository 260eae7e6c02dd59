"""Phantom films as a data set: parts by patient, situations, places, changed and hidden pixels."""

import pickle

import numpy as np
import pytest

from sdlib.datasets import phantom_films, rendered
from sdlib.datasets.phantom_films import ADDED_RATIO, FILM_RESTRICTIONS, load_phantom_films
from sdlib.datasets.splits import PARTS
from sdlib.errors import ConfigError, DataError
from sdlib.phantoms.radiograph import (
    FILM_FACTORS,
    SIGNATURE_PARTS,
    draw_films,
    lung_mask,
    render_film,
    with_signature,
)

SIZE, COUNT = 32, 120


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("films")


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """Starting others takes longer than rendering so few films."""
    monkeypatch.setattr(rendered, "CHUNK", 10_000)


@pytest.fixture
def load(cache, monkeypatch):
    """`load(part, **where)`: small films from a folder of this module's."""
    monkeypatch.setenv("SDLIB_CACHE", str(cache))

    def make(part="test", **where):
        return load_phantom_films(part, SIZE, COUNT, 0, where)

    return make


def columns_that_differ(films, others):
    names = set(films.factors)
    assert names == set(others.factors)
    return {name for name in names if (films.factors[name] != others.factors[name]).any()}


def by_seed(films):
    """The film of each seed."""
    return {film.seed: film for film in films}


# -- Parts and situations


def test_films_are_those_that_are_drawn(load):
    found, drawn = load(), by_seed(draw_films(COUNT, 0))
    assert len(found) == pytest.approx(0.15 * COUNT, abs=2)
    assert set(found.factors) == {*FILM_FACTORS, "seed", "source"}
    for row in range(len(found)):
        film = drawn[found.factors["seed"][row]]
        assert found.groups[row] == film.patient
        assert found.targets[row] == film.target
        assert {name: found.factors[name][row] for name in FILM_FACTORS} == {
            name: getattr(film, name) for name in FILM_FACTORS
        }
    film = drawn[found.factors["seed"][3]]
    image = found.batch([3])[0]
    np.testing.assert_array_equal(image, np.repeat(render_film(film, SIZE)[..., None], 3, -1))


@pytest.mark.parametrize("situation", FILM_RESTRICTIONS["situation"])
def test_parts_share_no_patient(load, situation):
    parts = [load(part, situation=situation) for part in PARTS]
    patients = [set(films.groups) for films in parts]
    assert sum(map(len, patients)) == len(set.union(*patients))
    every = COUNT if situation == "shared" else COUNT + ADDED_RATIO * COUNT // 2
    assert sum(map(len, parts)) == every
    for films in parts:
        a = films.factors["source"] == "a"
        assert films.targets[a].mean() == pytest.approx(0.5, abs=0.15)


def test_most_negatives_are_added_by_the_other_hospital(load):
    shared, added = load("train"), load("train", situation="added")
    own = added.subset(added.factors["source"] == "a")
    np.testing.assert_array_equal(own.images, shared.images)
    others = added.subset(added.factors["source"] == "b")
    assert not others.targets.any()
    assert len(others) / (shared.targets == 0).sum() == pytest.approx(ADDED_RATIO, rel=0.2)
    assert set(added.factors["source"]) == {"a", "b"}


def test_outside_are_films_of_the_third_hospital(load):
    films = load(place="outside")
    assert set(films.factors["source"]) == {"c"}
    assert len(films) == COUNT
    assert films.targets.sum() == len(films) / 2
    assert not set(films.groups) & set(load().groups)
    np.testing.assert_array_equal(films.images, load(place="outside", situation="added").images)
    np.testing.assert_array_equal(load(place="inside").images, load().images)


# -- What is changed or hidden


@pytest.mark.parametrize("changed", FILM_RESTRICTIONS["changed"])
def test_the_same_films_with_a_part_of_the_other_signature(load, changed):
    own, other = load(), load(changed=changed)
    named = SIGNATURE_PARTS.get(changed, [n for names in SIGNATURE_PARTS.values() for n in names])
    moved = columns_that_differ(own, other)
    assert moved
    assert moved <= set(named)
    for name in ("targets", "groups"):
        np.testing.assert_array_equal(getattr(own, name), getattr(other, name))
    drawn = by_seed(draw_films(COUNT, 0))
    film = with_signature(drawn[own.factors["seed"][0]], "b", changed)
    np.testing.assert_array_equal(other.batch([0])[0, ..., 0], render_film(film, SIZE))


def test_both_hospitals_get_the_signature_of_the_other(load):
    own, other = load(situation="added"), load(situation="added", changed="token")
    shapes = {"a": {"box"}, "b": {"ring"}}
    for source, expected in shapes.items():
        rows = own.factors["source"] == source
        assert set(other.factors["token_shape"][rows]) == expected
        assert set(own.factors["token_shape"][rows]) != expected
    np.testing.assert_array_equal(own.factors["source"], other.factors["source"])


@pytest.mark.parametrize("visible", FILM_RESTRICTIONS["visible"])
@pytest.mark.parametrize("where", [{}, {"place": "outside"}, {"changed": "pose"}])
def test_the_rest_is_hidden_by_the_exact_mask(load, visible, where):
    whole, part = load(**where), load(visible=visible, **where)
    assert columns_that_differ(whole, part) == set()
    films = by_seed([*draw_films(COUNT, 0), *draw_films(400, 0, "c")])
    for row in range(4):
        film = films[whole.factors["seed"][row]]
        if where.get("changed"):
            film = with_signature(film, "b", where["changed"])
        shown = lung_mask(film, SIZE) == (visible == "lungs")
        before, after = whole.batch([row])[0], part.batch([row])[0]
        np.testing.assert_array_equal(after[shown], before[shown])
        assert set(after[~shown].ravel()) == {round(before[shown].mean())}


# -- The cache


def test_films_are_read_again(load, cache, caplog):
    first = load()
    written = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    np.testing.assert_array_equal(load().images, first.images)
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == written
    assert not caplog.records


def test_designs_do_not_share_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("SDLIB_CACHE", str(tmp_path))
    designs = [{}, {"changed": "token"}, {"changed": "text"}, {"visible": "lungs"}]
    designs += [{"visible": "surroundings"}, {"place": "outside"}]
    designs += [{"changed": "token", "visible": "lungs"}]
    for where in designs:
        load_phantom_films("test", SIZE, 60, 0, where)
    load_phantom_films("test", SIZE, 60, 1)
    load_phantom_films("test", 33, 60, 0)
    load_phantom_films("test", SIZE, 61, 0)
    load_phantom_films("validation", SIZE, 60, 0)
    assert len(list(tmp_path.glob("*.npy"))) == len(designs) + 4


def test_films_of_other_factors_are_rendered_again(tmp_path, monkeypatch, caplog):
    """Other factors in the middle of a set are noticed, not at its ends alone."""
    monkeypatch.setenv("SDLIB_CACHE", str(tmp_path))
    before = load_phantom_films("test", SIZE, 60, 0).images
    draw = phantom_films.draw_films

    def brighter(*args, **kwargs):
        films = draw(*args, **kwargs)
        return [film if row % 7 else with_signature(film, "c") for row, film in enumerate(films)]

    monkeypatch.setattr(phantom_films, "draw_films", brighter)
    after = load_phantom_films("test", SIZE, 60, 0).images
    assert "making it again" in caplog.text
    assert (after != before).any()


def test_processes_receive_a_file_not_its_films(load):
    films = load("train", situation="added")
    assert len(pickle.dumps(films.store)) < 20_000 < films.images.nbytes
    copy = pickle.loads(pickle.dumps(films.store))
    np.testing.assert_array_equal(copy.batch(np.array([2, 0])), films.batch([2, 0]))


# -- Bad input


@pytest.mark.parametrize(
    ("part", "where", "sentence"),
    [
        ("tset", {}, "unknown part 'tset'; expected one of: train, validation, test"),
        ("test", {"ward": "7"}, "unknown restriction 'ward'; expected one of: situation, place"),
        ("test", {"situation": "x"}, "unknown situation 'x'; expected one of: shared, added"),
        ("test", {"place": "x"}, "unknown place 'x'; expected one of: inside, outside"),
        ("test", {"changed": "x"}, "unknown changed 'x'; expected one of: pose, contrast, border"),
        ("test", {"visible": "x"}, "unknown visible 'x'; expected one of: lungs, surroundings"),
        ("train", {"place": "outside"}, "hospital c has no part 'train'"),
        ("test", {"place": "outside", "changed": "text"}, "of hospitals a and b to change their"),
    ],
)
def test_what_is_not_known_is_refused_before_anything_is_rendered(
    load, monkeypatch, part, where, sentence
):
    monkeypatch.setattr(phantom_films, "keep_rendered", lambda *args: pytest.fail("late"))
    with pytest.raises(ConfigError, match=sentence):
        load(part, **where)


@pytest.mark.parametrize(
    ("size", "count", "seed", "sentence"),
    [
        (31, 60, 0, "size of at least 32 px, got 31"),
        (32, 0, 0, "count of at least 1 film, got 0"),
        (32, 60, -1, "seed of at least 0"),
    ],
)
@pytest.mark.parametrize("where", [{}, {"situation": "added"}, {"place": "outside"}])
def test_bad_numbers_are_named(tmp_path, monkeypatch, size, count, seed, sentence, where):
    monkeypatch.setenv("SDLIB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match=sentence):
        load_phantom_films("test", size, count, seed, where)
    assert not list(tmp_path.iterdir())


def test_too_few_films_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SDLIB_CACHE", str(tmp_path))
    with pytest.raises(DataError, match="too few to give each of train, validation, test"):
        load_phantom_films("test", SIZE, 2, 0)
