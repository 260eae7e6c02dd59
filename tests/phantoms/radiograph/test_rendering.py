"""Pixels of films: each factor reaches its own pixels, masks are where the lungs are."""

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from matplotlib.path import Path as Outline

from sdlib.errors import ConfigError
from sdlib.phantoms.radiograph import (
    FILM_FACTORS,
    SIGNATURE_PARTS,
    draw_films,
    lung_mask,
    render_film,
    render_visible,
    with_signature,
)
from sdlib.phantoms.radiograph.film_factors import PATIENT_FACTORS
from sdlib.phantoms.radiograph.organs import Chest

SIZE = 96
FILMS = [film for name in "abc" for film in draw_films(12, 5, name, 0.5)]
films = st.sampled_from(FILMS)


def differs(before, after, size=SIZE):
    return render_film(before, size) != render_film(after, size)


def centres(size):
    """x and y of the pixels' centres, as shares of the film."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    return x, y


def token_reach(film):
    """A disc around the token, wide enough for every shape; nothing where there is no token."""
    x, y = centres(SIZE)
    near = np.hypot(x - film.token_x, y - film.token_y) < 1.15 * film.token_size + 2.5 / SIZE
    return near & bool(film.token_letter)


def text_reach(film):
    """A box around the text: a letter is no wider than high."""
    x, y = centres(SIZE)
    edge = 0.3 * film.text_size + 2.0 / SIZE
    wide = film.text_size * len(film.text_words)
    inside = (x > film.text_x - edge) & (x < film.text_x + wide + edge)
    return inside & (y < film.text_y + edge) & (y > film.text_y - film.text_size - edge)


def border_reach(film):
    """All that is near enough to the film's edge, at its top alone or on all sides."""
    x, y = centres(SIZE)
    to_edge = np.minimum.reduce([x, y, 1 - x, 1 - y])
    slack = np.sin(np.deg2rad(abs(film.border_tilt))) + 2.0 / SIZE
    return (to_edge < 1.6 * film.border_width + slack) & (film.border_shape != "none")


REACH = {"token": token_reach, "text": text_reach, "border": border_reach}


def reach(part, film):
    """Pixels that factors of a part may touch."""
    if part == "disease":
        return lung_mask(film, SIZE)
    return REACH[part](film) if part in REACH else np.ones((SIZE, SIZE), bool)


# -- Rendering


@pytest.mark.parametrize("size", [32, 64, 97, 224])
def test_rendering_is_deterministic_uint8(size):
    image = render_film(FILMS[0], size)
    assert image.shape == (size, size)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, render_film(FILMS[0], size))
    assert (image != render_film(FILMS[1], size)).mean() > 0.5


@given(films)
@settings(max_examples=10, deadline=None)
def test_pixels_do_not_know_who_the_film_is_of(film):
    other = replace(film, target=1 - film.target, patient="x", hospital="y")
    assert not differs(film, other).any()


@given(films)
@settings(max_examples=10, deadline=None)
def test_size_changes_the_sampling_alone(film):
    film = replace(film, noise=0.0)
    large = cv2.resize(render_film(film, 384), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(render_film(film, SIZE).ravel(), large.ravel())[0, 1] > 0.98


@given(films, films, st.sampled_from(list(FILM_FACTORS)))
@settings(max_examples=150, deadline=None)
def test_a_factor_reaches_the_pixels_of_its_part_alone(film, other, name):
    part = FILM_FACTORS[name].part
    changed = replace(film, **{name: getattr(other, name)})
    allowed = reach(part, film) | reach(part, changed)
    assert not differs(film, changed)[~allowed].any()


@given(films, st.sampled_from(list(SIGNATURE_PARTS)), st.sampled_from("abc"))
@settings(max_examples=40, deadline=None)
def test_a_part_of_another_signature_reaches_its_own_pixels_alone(film, part, hospital):
    changed = with_signature(film, hospital, part)
    assert not differs(film, changed)[~(reach(part, film) | reach(part, changed))].any()


@given(films)
@settings(max_examples=15, deadline=None)
def test_what_lies_over_the_picture_hides_it(film):
    """Nothing of the patient or of the contrast shows through a border."""
    film = replace(film, border_shape="frame", border_width=0.08, border_tilt=0.0)
    film = replace(film, token_letter="", text_words="")
    x, y = centres(SIZE)
    covered = np.minimum.reduce([x, y, 1 - x, 1 - y]) < 0.08 - 1.5 / SIZE
    for changes in ({"zoom": 1.1}, {"window_centre": 0.8}, {"bit_depth": 3}, {"noise": 9.0}):
        difference = differs(film, replace(film, **changes))
        assert difference.any()
        assert not difference[covered].any()
    assert set(render_film(film, SIZE)[covered]) == {round(film.border_grey)}


#: Values that are far from each other; other factors move between the ends of their range.
WORDS = {
    "curve": ("sigmoid", "linear"),
    "border_shape": ("sides", "rounded"),
    "token_letter": ("R", "L"),
    "token_shape": ("disc", "box"),
    "text_words": ("ERECT", "MOBILE"),
    "bit_depth": (8, 3),
    "border_width": (0.03, 0.06),
    "border_grey": (0.0, 99.0),
    "border_tilt": (0.0, 3.0),
    "heart_magnification": (1.0, 1.2),
    "scapula_overlap": (0.1, 0.9),
    "clavicle_height": (-0.15, 0.0),
    "inspiration": (1.0, 0.85),
    "window_centre": (0.4, 0.6),
    "window_width": (0.8, 1.2),
    "enhancement": (0.0, 0.6),
    "noise": (0.0, 5.0),
    "token_x": (0.2, 0.3),
    "token_y": (0.2, 0.3),
    "token_size": (0.04, 0.06),
    "token_grey": (200.0, 250.0),
    "text_x": (0.2, 0.3),
    "text_y": (0.8, 0.9),
    "text_size": (0.03, 0.04),
    "text_grey": (200.0, 250.0),
}


@pytest.mark.parametrize("name", [name for name in FILM_FACTORS if name != "view"])
def test_every_factor_can_be_seen(name):
    film = replace(
        FILMS[0], border_shape="sides", token_letter="R", text_words="ERECT", opacity=0.6
    )
    factor = PATIENT_FACTORS.get(name)
    low, high = WORDS[name] if factor is None else (factor.low, factor.high)
    assert differs(replace(film, **{name: low}), replace(film, **{name: high})).any()


def test_the_view_is_a_word_for_other_factors():
    assert not differs(replace(FILMS[0], view="PA"), replace(FILMS[0], view="AP")).any()


# -- Truth


@given(films)
@settings(max_examples=15, deadline=None)
def test_more_opacity_is_brighter_and_in_both_lungs(film):
    film = replace(film, noise=0.0, bit_depth=8, token_letter="", border_shape="none")
    images = [
        render_film(replace(film, opacity=value), SIZE).astype(int) for value in (0, 0.2, 0.6, 1.5)
    ]
    mask, (x, _) = lung_mask(film, SIZE), centres(SIZE)
    for less, more in pairwise(images):
        assert (more >= less).all()
        for side in (x < 0.45, x > 0.55):
            assert (more - less)[mask & side].mean() > 1
    np.testing.assert_array_equal(images[0][~mask], images[-1][~mask])


@given(films)
@settings(max_examples=15, deadline=None)
def test_opacities_are_mostly_peripheral_and_low(film):
    film = replace(film, opacity=0.6, curve="linear", window_centre=0.5, window_width=2.0, noise=0)
    film = replace(film, opacity_peripheral=0.9, opacity_lower=0.9, border_shape="none")
    film = replace(film, offset_x=0.0, offset_y=0.0, tilt=0.0, zoom=1.0, token_letter="")
    added = render_film(film, SIZE).astype(int) - render_film(replace(film, opacity=0), SIZE)
    x, y = centres(SIZE)
    chest, mask = Chest(film), lung_mask(film, SIZE)
    low = (y - chest.top) / chest.height > 0.5
    out = np.abs(x - 0.5) > 0.55 * film.chest_width
    assert added[mask & low].mean() > 1.5 * added[mask & ~low].mean()
    assert added[mask & out & low].mean() > added[mask & ~out & low].mean()


@given(films)
@settings(max_examples=10, deadline=None)
def test_the_mask_is_inside_the_outlines_of_lungs_and_outside_those_of_the_heart(film):
    """Against matplotlib's test whether a point is inside an outline."""
    film = replace(film, offset_x=0.0, offset_y=0.0, tilt=0.0, zoom=1.0)
    size = 192
    x, y = centres(size)
    points = np.column_stack([x.ravel() - 0.5, y.ravel()])
    chest = Chest(film)

    def inside(outline):
        return Outline(outline).contains_points(points).reshape(size, size)

    lungs = inside(chest.lungs()[0]) | inside(chest.lungs()[1])
    expected = lungs & ~inside(chest.heart()) & ~inside(chest.mediastinum())
    mask = lung_mask(film, size)
    assert 0.15 < mask.mean() < 0.55
    kernel = np.ones((3, 3), np.uint8)
    assert mask[cv2.erode(expected.astype(np.uint8), kernel) == 1].all()
    assert not mask[cv2.dilate(expected.astype(np.uint8), kernel, iterations=2) == 0].any()


@given(films)
@settings(max_examples=10, deadline=None)
def test_masks_of_all_sizes_are_one(film):
    fine = lung_mask(film, 192)
    np.testing.assert_array_equal(lung_mask(film, 64), fine.reshape(64, 3, 64, 3).any(axis=(1, 3)))


def test_lungs_are_darker_than_what_is_around_them():
    for film in FILMS:
        clear = replace(film, opacity=0.05)
        image, mask = render_film(clear, SIZE), lung_mask(clear, SIZE)
        around = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9))).astype(bool) & ~mask
        assert image[around].mean() > image[mask].mean() + 25


@given(films, st.sampled_from(["lungs", "surroundings"]))
@settings(max_examples=15, deadline=None)
def test_what_is_hidden_tells_nothing(film, visible):
    image, whole = render_visible(film, SIZE, visible), render_film(film, SIZE)
    shown = lung_mask(film, SIZE) == (visible == "lungs")
    np.testing.assert_array_equal(image[shown], whole[shown])
    assert set(image[~shown]) == {round(whole[shown].mean())}
    np.testing.assert_array_equal(render_visible(film, SIZE), whole)


@given(films)
@settings(max_examples=10, deadline=None)
def test_surroundings_alone_do_not_know_the_opacity(film):
    other = replace(film, opacity=1.5, opacity_left=0.3, opacity_patches=0.2)
    np.testing.assert_array_equal(
        render_visible(film, SIZE, "surroundings"), render_visible(other, SIZE, "surroundings")
    )


# -- Bad input


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda film: render_film(film, 31), "size of at least 32 px, got 31"),
        (lambda film: lung_mask(film, 0), "size of at least 32 px, got 0"),
        (lambda film: render_visible(film, 31), "size of at least 32 px, got 31"),
        (lambda film: render_visible(film, 64, "heart"), "lungs or surroundings to be visible"),
    ],
)
def test_bad_input_is_named(call, sentence):
    with pytest.raises(ConfigError, match=sentence):
        call(FILMS[0])
