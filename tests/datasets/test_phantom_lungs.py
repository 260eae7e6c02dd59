"""Phantom films with masks: the same lungs as the phantom's own, and what the heart hides."""

import numpy as np
import pytest

from sdlib.datasets.phantom_lungs import phantom_lungs
from sdlib.errors import ConfigError
from sdlib.phantoms.radiograph import HOSPITALS, draw_films, lung_mask, render_film

COUNT = 2 * len(HOSPITALS) + 1


@pytest.fixture(scope="module")
def lungs():
    return phantom_lungs(COUNT, 96, seed=3)


@pytest.fixture(scope="module")
def films():
    shares = [3] + [2] * (len(HOSPITALS) - 1)
    return [
        film
        for hospital, share in zip(HOSPITALS, shares, strict=True)
        for film in draw_films(share, 3, hospital)
    ]


def test_films_of_all_hospitals(lungs, films):
    assert lungs.sources.tolist() == [film.hospital for film in films]
    assert lungs.groups.tolist() == [film.patient for film in films]
    for image, film in zip(lungs.films, films, strict=True):
        assert (image == render_film(film, 96)[..., None]).all()


def test_masks_add_what_the_heart_hides(lungs, films):
    assert set(np.unique(lungs.masks)) == {0, 255}
    for mask, film in zip(lungs.masks > 0, films, strict=True):
        seen = lung_mask(film, 96)
        # The phantom's mask has every pixel with any lung, this one those with half of it.
        assert (mask & seen).sum() > 0.85 * seen.sum()
        hidden = mask & ~seen
        assert hidden.sum() > 0.02 * mask.sum()
        # The heart is low, and near the middle of the film.
        rows, columns = np.nonzero(hidden)
        assert rows.mean() > np.nonzero(mask)[0].mean()
        assert np.abs(columns - 48).mean() < np.abs(np.nonzero(mask)[1] - 48).mean()


def test_too_few_films():
    with pytest.raises(ConfigError, match="n of at least 1"):
        phantom_lungs(len(HOSPITALS) - 1, 96, seed=0)
