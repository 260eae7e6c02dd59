"""Search spaces: what they refuse, what lies beyond a grid, which trials serve which search."""

import pytest

from sdlib.errors import ConfigError
from sdlib.experiments import EXPERIMENTS, Search
from sdlib.experiments.paper import PAPER_EQ2_GAMMA, PAPER_EQ2_LAM
from sdlib.experiments.searches import EQ2_RANGES, MOST_BEYOND, Space, eq2_values

DECAYS = {"weight_decay": (0.01, 0.1, 1.0)}
OPEN_ENDED = Space("decay", "validation", grid=DECAYS, extends=True)


def beyond(scores):
    return OPEN_ENDED.beyond([({"weight_decay": v}, score) for v, score in scores.items()])


@pytest.mark.parametrize(
    ("scores", "following"),
    [
        ({0.01: 0.7, 0.1: 0.8, 1.0: 0.6}, None),
        ({0.01: 0.7, 0.1: 0.8, 1.0: 0.9}, 10.0),
        ({0.01: 0.9, 0.1: 0.8, 1.0: 0.6}, 0.001),
        ({0.001: 0.95, 0.01: 0.9, 0.1: 0.8, 1.0: 0.6}, 0.0001),
        ({0.001: 0.85, 0.01: 0.9, 0.1: 0.8, 1.0: 0.6}, None),
        ({0.01: 0.9, 0.1: 0.9, 1.0: 0.6}, None),  # a point inside is as good
        ({0.01: 0.9, 0.1: 0.8, 1.0: 0.9}, None),  # so is the other end: no direction to go on in
        ({0.0: 0.9, 0.01: 0.8, 0.1: 0.7}, None),  # nothing lies beyond 0
    ],
)
def test_a_grid_goes_on_until_its_best_value_lies_inside(scores, following):
    found = beyond(scores)
    assert found == (None if following is None else {"weight_decay": pytest.approx(following)})


def test_a_grid_does_not_go_on_for_ever():
    scores = {0.01: 0.1, 0.1: 0.2, 1.0: 0.3}
    while (found := beyond(scores)) is not None:
        scores[found["weight_decay"]] = max(scores.values()) + 0.1
    assert len(scores) == 3 + MOST_BEYOND


def test_a_grid_that_does_not_extend_stays_as_it_is():
    closed = Space("decay", "validation", grid=DECAYS)
    assert closed.beyond([({"weight_decay": 1.0}, 0.9), ({"weight_decay": 0.1}, 0.8)]) is None


@pytest.mark.parametrize(
    ("space", "values", "held"),
    [
        (OPEN_ENDED, {"weight_decay": 0.1}, True),
        (OPEN_ENDED, {"weight_decay": 0.05}, False),  # of a finer grid
        (OPEN_ENDED, {"weight_decay": 10.0}, True),
        (OPEN_ENDED, {"weight_decay": 0.001}, True),
        (Space("decay", "validation", grid=DECAYS), {"weight_decay": 10.0}, False),
        (OPEN_ENDED, {"lam": 0.1}, False),
        (OPEN_ENDED, {"weight_decay": 0.1, "lam": 0.1}, False),
        (Space("lam", "test", ranges={"lam": (0.1, 1.0, True)}), {"lam": 1.0}, True),
        (Space("lam", "test", ranges={"lam": (0.1, 1.0, True)}), {"lam": 1.01}, False),
    ],
)
def test_which_trials_are_of_a_search(space, values, held):
    assert space.holds(values) == held


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ranges": EQ2_RANGES, "extends": True}, "two points or more of one value"),
        ({"grid": {"lam": (0.1,)}, "extends": True}, "two points or more of one value"),
        ({"grid": {"lam": (0.1, 1.0)}, "first": ({"lam": 0.1},)}, "for a Bayesian search"),
        ({"ranges": EQ2_RANGES, "first": ({"lam_neg": 0.1},)}, "expected first values of lam_neg"),
        (
            {"ranges": EQ2_RANGES, "first": (eq2_values((0.01, 0.01), (0.0, 9.0)),)},
            "expected a first gamma_pos from -1 to 3 in the search 'wrong', got 9",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused(changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Space("wrong", "validation", **changes)


def test_the_papers_values_are_tried_first_in_every_search_of_equation_2():
    spaces = [s for e in EXPERIMENTS.values() for s in e.searches if "gamma_neg" in s.names]
    assert len(spaces) >= 4
    assert all(len(space.first) == 1 for space in spaces)
    paper = eq2_values(PAPER_EQ2_LAM, PAPER_EQ2_GAMMA)
    assert EXPERIMENTS["cutout"].space("sd_eq2").first == (paper,)


def test_searches_of_other_arms_share_no_trials():
    found = {
        name: Search("cutout", name, "laptop", "phantom")
        for name in ("learning_rate", "learning_rate_sd_eq1", "learning_rate_sd_eq2")
    }
    assert len({search.config_hash for search in found.values()}) == 3
    plain, penalised = (found[n].space for n in ("learning_rate", "learning_rate_sd_eq2"))
    assert plain.grid == penalised.grid
    assert not plain.same_values(penalised)


def test_the_number_of_networks_is_part_of_a_search_and_of_no_run():
    few, several = (Search("cutout", "sd_eq2", name, "phantom") for name in ("quick", "laptop"))
    assert (few.run.settings.networks, several.run.settings.networks) == (1, 3)
    assert "networks" not in few.run.config(few.run.definition.trial)
