"""Films with their lungs, or all but their lungs, hidden: against distances counted one by one."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from sdlib.errors import ConfigError
from sdlib.films.lungs import VISIBLE, show_part
from sdlib.films.lungs.hiding import RIM

SIDE = 50


def a_film(seed):
    """A film and a mask of two boxes."""
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, 256, (SIDE, SIDE, 1), dtype=np.uint8)
    lungs = np.zeros((SIDE, SIDE), bool)
    for left in (5, 28):
        top, right = rng.integers(3, 12), left + rng.integers(6, 16)
        lungs[top : top + rng.integers(10, 30), left:right] = True
    return grey.repeat(3, axis=2), lungs


def near(lungs, radius):
    """Pixels within a radius of the mask, counted one by one."""
    points = np.argwhere(lungs)
    found = np.zeros_like(lungs)
    for place in np.ndindex(lungs.shape):
        found[place] = (((points - place) ** 2).sum(axis=1) <= radius**2).any()
    return found


@pytest.mark.parametrize("seed", range(3))
def test_what_is_hidden_and_what_shows(seed):
    film, lungs = a_film(seed)
    for visible, hidden in (("lungs", ~lungs), ("surroundings", near(lungs, RIM * SIDE))):
        shown = show_part(film, lungs, visible)
        assert (shown[hidden] == np.rint(film[~hidden].mean())).all()
        np.testing.assert_array_equal(shown[~hidden], film[~hidden])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 1000))
def test_hidden_pixels_do_not_matter(seed, other):
    film, lungs = a_film(seed)
    hidden = {"lungs": ~lungs, "surroundings": lungs}
    for visible in VISIBLE:
        changed = film.copy()
        pixels = int(hidden[visible].sum())
        changed[hidden[visible]] = np.random.default_rng(other).integers(0, 256, (pixels, 1))
        np.testing.assert_array_equal(
            show_part(changed, lungs, visible), show_part(film, lungs, visible)
        )


def test_the_film_is_left_as_it_was():
    film, lungs = a_film(0)
    before = film.copy(), lungs.copy()
    for visible in VISIBLE:
        show_part(film, lungs, visible)[:] = 0
    np.testing.assert_array_equal(film, before[0])
    np.testing.assert_array_equal(lungs, before[1])


def test_no_lungs():
    film, lungs = a_film(0)
    lungs[:] = False
    np.testing.assert_array_equal(show_part(film, lungs, "surroundings"), film)
    assert len(np.unique(show_part(film, lungs, "lungs"))) == 1


def test_wrong_arguments():
    film, lungs = a_film(0)
    with pytest.raises(ConfigError, match="visible of lungs, surroundings, got 'heart'"):
        show_part(film, lungs, "heart")
    with pytest.raises(ConfigError, match=r"bool \(50, 50\).* got uint8"):
        show_part(film, lungs.astype(np.uint8), "lungs")
    with pytest.raises(ConfigError, match=r"got bool \(49, 50\)"):
        show_part(film, lungs[1:], "lungs")
