"""Sources of films: which collections each situation and place holds, and whose patients."""

import numpy as np
import pytest

from sdlib import datasets
from sdlib.datasets import film_sources
from sdlib.datasets.film_sources import FILM_SOURCES, SHARES, joined_films
from sdlib.datasets.source import Request
from sdlib.datasets.splits import PARTS
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError

SIZE = 8
PADCHEST = 400  # films


def films_of(source, targets, groups, **factors):
    """Films of one collection; the grey of each is its number."""
    n = len(targets)
    images = (
        np.zeros((n, SIZE, SIZE, 3), np.uint8) + np.arange(n, dtype=np.uint8)[:, None, None, None]
    )
    columns = {"source": np.full(n, source), "view": np.full(n, "PA")}
    columns |= {name: np.full(n, value) for name, value in factors.items()}
    return TileSet(images, np.array(targets), np.array(groups), columns)


def request(part="test", size=SIZE, seed=0, **where):
    return Request(part, size, 0, seed, where)


@pytest.fixture
def collections(monkeypatch):
    """Small sets in place of the three collections; returns what each loader was given."""
    given = {"bimcv": [], "padchest": [], "covidx8": []}

    def bimcv(part, **settings):
        given["bimcv"].append((part, settings))
        # Patients are called as some of PadChest's are.
        groups = [f"{PARTS.index(part) * 4 + k}" for k in range(4)]
        return films_of("bimcv", [0, 1, 0, 1], groups, half="plus", scanner="one")

    def padchest(**settings):
        given["padchest"].append(settings)
        groups = [str(k // 2) for k in range(PADCHEST)]
        return films_of("padchest", [0] * PADCHEST, groups, scanner="two", paediatric=False)

    def covidx8(**settings):
        given["covidx8"].append(settings)
        return films_of("ricord", [1, 0], ["x", "y"])

    for name, load in (("bimcv", bimcv), ("padchest", padchest), ("covidx8", covidx8)):
        monkeypatch.setattr(datasets, f"load_{name}", load)
    return given


class TestPublished:
    """The source `bimcv`: the paper's own collections."""

    source = FILM_SOURCES["bimcv"]

    @pytest.mark.parametrize("part", PARTS)
    @pytest.mark.parametrize("where", [{}, {"situation": "shared"}, {"place": "inside"}])
    def test_shared_is_bimcv_alone(self, collections, part, where):
        films = self.source.tiles(request(part, seed=3, **where))
        assert set(films.factors["source"]) == {"bimcv"}
        assert collections == {
            "bimcv": [(part, {"size": SIZE, "seed": 3, "test": SHARES["test"]})],
            "padchest": [],
            "covidx8": [],
        }

    def test_added_has_padchest_beside_it(self, collections):
        parts = {part: self.source.tiles(request(part, situation="added")) for part in PARTS}
        for part, films in parts.items():
            padchest = films.factors["source"] == "padchest"
            assert padchest.sum() == pytest.approx(PADCHEST * SHARES[part], abs=2)
            assert not films.targets[padchest].any()
            shared = self.source.tiles(request(part))
            np.testing.assert_array_equal(films.subset(~padchest).images, shared.images)
        assert sum(map(len, parts.values())) == PADCHEST + 12
        patients = [set(films.groups) for films in parts.values()]
        assert len(set.union(*patients)) == sum(map(len, patients)) == PADCHEST // 2 + 12

    def test_the_seed_deals_padchests_patients(self, collections):
        dealt = [
            set(self.source.tiles(request(seed=seed, situation="added")).groups)
            for seed in (0, 0, 1)
        ]
        assert dealt[0] == dealt[1] != dealt[2]

    @pytest.mark.parametrize("situation", ["shared", "added"])
    def test_outside_is_covidx8_whatever_the_situation(self, collections, situation):
        films = self.source.tiles(request(place="outside", situation=situation))
        assert films.groups.tolist() == ["x", "y"]
        assert collections == {"bimcv": [], "padchest": [], "covidx8": [{"size": SIZE}]}

    @pytest.mark.parametrize("part", ["train", "validation"])
    def test_nothing_is_trained_on_what_is_outside(self, collections, part):
        with pytest.raises(ConfigError, match=f"COVIDx8 has no part '{part}' here: it is for test"):
            self.source.tiles(request(part, place="outside"))
        assert not any(collections.values())

    @pytest.mark.parametrize(
        ("where", "sentence"),
        [
            (
                {"situation": "paediatric"},
                "unknown situation 'paediatric'; expected one of: shared",
            ),
            ({"place": "abroad"}, "unknown place 'abroad'; expected one of: inside, outside"),
        ],
    )
    def test_unknown_names_are_refused_before_anything_is_read(self, collections, where, sentence):
        with pytest.raises(ConfigError, match=sentence):
            self.source.tiles(request(**where))
        assert not any(collections.values())

    def test_no_part_of_a_film_is_hidden(self, collections):
        with pytest.raises(ConfigError, match="the source bimcv knows no restriction 'visible'"):
            self.source.tiles(request(visible="lungs"))

    @pytest.mark.parametrize("where", [{}, {"situation": "added"}, {"place": "outside"}])
    def test_without_folders_a_sentence_says_so(self, outputs, where):
        with pytest.raises(DataError, match="SDLIB_DATA"):
            self.source.tiles(request(**where))


class TestJoined:
    def test_factors_that_all_have_stay_in_order(self):
        one = films_of("bimcv", [0, 1], ["p", "q"], half="plus", scanner="one")
        other = films_of("padchest", [0], ["p"], paediatric=True, scanner="two")
        joined = joined_films([one, other])
        assert list(joined.factors) == ["source", "view", "scanner"]
        assert joined.factors["scanner"].tolist() == ["one", "one", "two"]
        assert joined.targets.tolist() == [0, 1, 0]
        np.testing.assert_array_equal(joined.images, np.concatenate([one.images, other.images]))

    def test_two_collections_patients_stay_apart(self):
        sets = [films_of(source, [0, 1], ["1", "2"]) for source in ("bimcv", "padchest")]
        names = joined_films(sets).groups.tolist()
        assert names == ["bimcv/1", "bimcv/2", "padchest/1", "padchest/2"]

    def test_patients_of_one_collection_stay_joined(self):
        joined = joined_films([films_of("bimcv", [0, 1, 1], ["1", "1", "2"])])
        assert joined.groups.tolist() == ["bimcv/1", "bimcv/1", "bimcv/2"]
        assert joined.factors["view"].tolist() == ["PA"] * 3

    def test_sets_without_a_source_have_no_names_to_give(self):
        nameless = TileSet(np.zeros((1, 8, 8, 3), np.uint8), np.array([0]), np.array(["1"]))
        with pytest.raises(KeyError, match="source"):
            joined_films([nameless])


def test_phantom_films_are_those_of_their_own_loader(outputs, monkeypatch):
    given = []
    monkeypatch.setattr(film_sources, "load_phantom_films", lambda *all: given.append(all))
    where = {"situation": "added", "changed": "token"}
    FILM_SOURCES["phantom"].tiles(Request("test", 32, 100, 7, where))
    assert given == [("test", 32, 100, 7, where)]


def test_open_films_are_those_of_their_own_loader(outputs, monkeypatch):
    given = []
    monkeypatch.setattr(
        datasets, "load_open_cxr", lambda part, **settings: given.append((part, settings))
    )
    FILM_SOURCES["open"].tiles(request(seed=7, situation="shared", visible="lungs"))
    expected = {"size": SIZE, "seed": 7, "situation": "shared", "visible": "lungs"}
    assert given == [("test", expected)]
