"""Shifts against loops over pixels, OpenCV and what must hold for every image."""

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from sdlib import shifts
from sdlib.errors import ConfigError
from sdlib.phantoms.histology import draw_tiles, render
from sdlib.shifts import (
    LEVELS,
    Level,
    apply,
    blur,
    blur_width,
    fade_stain,
    iter_levels,
    sharpen,
)
from sdlib.stain import recombine, separate

TENTHS = [k / 10 for k in range(11)]
small_images = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)),
    elements=st.integers(0, 255),
)
every_shift = pytest.mark.parametrize(
    ("function", "strength"),
    [
        (blur, {"n": 4}),
        (blur, {"n": 5}),
        (blur, {"n": 2.6}),
        (sharpen, {"alpha": 0.3}),
        (fade_stain, {"haematoxylin": 0.4}),
        (fade_stain, {"eosin": 0.0}),
        (fade_stain, {"haematoxylin": 0.35, "eosin": 0.8}),
        (apply, {"level": Level("blur", 20)}),
        (apply, {"level": Level("haematoxylin", 0.2)}),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)


@pytest.fixture(scope="module")
def tiles():
    return np.stack([render(tile, 64) for tile in draw_tiles(60, seed=11)[:6]])


def at(image, row, column):
    """The pixel there, reflected without repeating the edge."""
    place = []
    for index, size in zip((row, column), image.shape, strict=False):
        period = max(2 * size - 2, 1)
        index %= period
        place.append(min(index, period - index) if size > 1 else 0)
    return image[tuple(place)].astype(np.float64)


def slow_mean(image, weights, first):
    """Weighted mean over a square window whose first row and column are at the offset `first`."""
    result = np.zeros(image.shape)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            for i, a in enumerate(weights):
                for j, b in enumerate(weights):
                    result[row, column] += a * b * at(image, row + first + i, column + first + j)
    return result


def slow_sharpening(image):
    result = np.zeros(image.shape)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            window = sum(at(image, row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1))
            result[row, column] = 10 * at(image, row, column) - window
    return np.clip(result, 0, 255)


# -- Oracles


@settings(deadline=None, max_examples=40)
@given(small_images, st.integers(1, 8))
def test_a_whole_blur_is_the_mean_of_n_by_n_pixels(image, n):
    # An even window has its extra pixel on the left and above; OpenCV may round up early.
    exact = slow_mean(image, np.full(n, 1 / n), -(n // 2))
    assert np.all(blur(image, n) >= exact - 0.5 - 1e-6)
    assert np.all(blur(image, n) <= exact + 0.5 + 1 / n**2 + 1e-6)


@pytest.mark.parametrize("n", range(2, 21))
def test_a_whole_blur_is_that_of_opencv(tiles, n):
    for image, blurred in zip(tiles, blur(tiles, n), strict=True):
        np.testing.assert_array_equal(blurred, cv2.blur(image, (n, n)))


@settings(deadline=None, max_examples=40)
@given(small_images, st.floats(1.01, 8))
def test_any_blur_is_a_centred_window_with_shares_of_the_outermost_pixels(image, n):
    if n % 2 == 0:
        return  # without a centre
    reach = 10
    edges = np.arange(-reach, reach + 2) - 0.5
    inside = np.clip(edges, -n / 2, n / 2)
    exact = slow_mean(image, np.diff(inside) / n, -reach)
    assert np.abs(blur(image, n) - exact).max() <= 0.5 + 1e-3


@settings(deadline=None, max_examples=40)
@given(small_images, st.sampled_from(TENTHS))
def test_sharpening_is_the_blend_with_the_clipped_sharpened_image(image, alpha):
    exact = (1 - alpha) * image + alpha * slow_sharpening(image)
    assert np.abs(sharpen(image, alpha) - exact).max() <= 0.5 + 1e-4


def test_full_sharpening_is_that_of_opencv(tiles):
    kernel = np.full((3, 3), -1.0)
    kernel[1, 1] = 9
    for image, sharp in zip(tiles, sharpen(tiles, 1.0), strict=True):
        np.testing.assert_array_equal(sharp, cv2.filter2D(image, -1, kernel))


def test_stains_fade_as_they_recombine(tiles):
    faded = fade_stain(tiles[0], haematoxylin=0.3, eosin=0.9)
    np.testing.assert_array_equal(faded, recombine(separate(tiles[0]), 0.3, 0.9))


def test_cutouts_belong_to_the_shifts():
    image = np.full((64, 64, 3), 255, np.uint8)
    assert (shifts.add_cutouts(image, n=1, size=4, rng=0) == 0).all(2).sum() == 16


# -- Properties


@every_shift
def test_shape_dtype_and_purity(tiles, function, strength):
    before = tiles.copy()
    shifted = function(tiles, **strength)
    assert shifted.shape == tiles.shape
    assert shifted.dtype == np.uint8
    assert not np.shares_memory(shifted, tiles)
    np.testing.assert_array_equal(tiles, before)
    assert (shifted != tiles).mean() > 0.3


@every_shift
def test_a_batch_is_shifted_image_by_image(tiles, function, strength):
    one_by_one = np.stack([function(tile, **strength) for tile in tiles])
    np.testing.assert_array_equal(function(tiles, **strength), one_by_one)
    assert function(tiles[:0], **strength).shape == (0, 64, 64, 3)


@every_shift
def test_views_and_read_only_arrays_are_as_good_as_copies(tiles, function, strength):
    for view in (tiles[:2, ::-1], tiles[:2, :, :, ::-1], tiles[:2].transpose(0, 2, 1, 3)):
        copy = view.copy()
        copy.flags.writeable = False
        np.testing.assert_array_equal(function(view, **strength), function(copy, **strength))


@settings(deadline=None)
@given(small_images)
def test_at_strength_0_nothing_changes(image):
    for same in (blur(image, 1), blur(image, 1.0), sharpen(image, 0.0), fade_stain(image)):
        np.testing.assert_array_equal(same, image)
        assert not np.shares_memory(same, image)
    for level in (Level("sharpen", 0.0), Level("haematoxylin", 1.0), Level("eosin", 1.0)):
        np.testing.assert_array_equal(apply(image, level), image)


@settings(deadline=None)
@given(small_images, st.floats(1, 12))
def test_a_mean_lies_between_the_extremes(image, n):
    blurred = blur(image, n)
    assert np.all(blurred.min((0, 1)) >= image.min((0, 1)))
    assert np.all(blurred.max((0, 1)) <= image.max((0, 1)))


def distances(image, shifted):
    return [np.abs(one.astype(int) - image) for one in shifted]


@settings(deadline=None)
@given(small_images)
def test_every_pixel_moves_away_as_sharpening_grows(image):
    away = distances(image, [sharpen(image, alpha) for alpha in TENTHS])
    assert all(np.all(near <= far) for near, far in itertools.pairwise(away))


@settings(deadline=None)
@given(small_images, st.sampled_from(["haematoxylin", "eosin"]))
def test_every_pixel_moves_away_as_a_stain_fades(image, stain):
    away = distances(image, [fade_stain(image, **{stain: m}) for m in reversed(TENTHS)])
    assert all(np.all(near <= far) for near, far in itertools.pairwise(away))


def test_every_level_moves_phantoms_further(tiles):
    """Windows of 2 and 4 px, the blurs of 7 and 14 at 64 px, are left out: they have no centre."""
    away = {}
    for level, shifted in iter_levels(tiles):
        if level not in (Level("blur", 7), Level("blur", 14)):
            distance = np.abs(shifted.astype(int) - tiles).mean((1, 2, 3))
            away.setdefault(level.shift, []).append(distance)
    assert len(away) == 4
    for shift, distance in away.items():
        assert np.all(np.diff(distance, axis=0) >= 0), shift
        assert np.all(distance[-1] > 5), shift


# -- Levels


def test_the_papers_52_levels():
    assert len(LEVELS) == len({level.name for level in LEVELS}) == 52
    strengths = {}
    for level in LEVELS:
        strengths.setdefault(level.shift, []).append(level.strength)
    assert list(strengths) == ["blur", "sharpen", "haematoxylin", "eosin"]
    assert strengths["blur"] == list(range(2, 21))
    assert strengths["sharpen"] == TENTHS
    assert strengths["haematoxylin"] == strengths["eosin"] == TENTHS[::-1]


def test_names_sort_as_levels_of_rising_strength_do():
    for shift in ("blur", "sharpen"):
        names = [level.name for level in LEVELS if level.shift == shift]
        assert names == sorted(names)


@pytest.mark.parametrize(
    ("n", "size", "width"),
    [(2, 224, 2), (20, 224, 20), (20, 1024, 640 / 7), (7, 64, 2), (3, 64, 1)],
)
def test_blurs_keep_their_share_of_the_side(n, size, width):
    assert blur_width(n, size) == pytest.approx(width)


def test_apply_scales_blurs_to_the_shorter_side_and_nothing_else(tiles):
    wide = tiles[:, :32]
    np.testing.assert_array_equal(apply(wide, Level("blur", 20)), blur(wide, 20 / 7))
    np.testing.assert_array_equal(apply(wide, Level("sharpen", 0.5)), sharpen(wide, 0.5))
    faded = fade_stain(wide, eosin=0.5)
    np.testing.assert_array_equal(apply(wide, Level("eosin", 0.5)), faded)


@pytest.mark.parametrize("batch", [True, False])
def test_iterating_equals_applying(tiles, batch):
    images = tiles if batch else tiles[0]
    levels = [*LEVELS, Level("eosin", 0.15), *LEVELS[::-7]]
    seen = []
    for level, shifted in iter_levels(images, levels):
        seen.append(level)
        np.testing.assert_array_equal(shifted, apply(images, level), err_msg=level.name)
    assert seen == levels
    assert all(shifted.shape == (0, 64, 64, 3) for _, shifted in iter_levels(tiles[:0]))


# -- Bad input


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((8, 8, 3)),
        np.zeros((8, 8, 3), np.int64),
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 1), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((2, 2, 8, 8, 3), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        [[[0, 0, 0]]],
    ],
    ids=lambda images: f"{getattr(images, 'dtype', 'list')}{np.shape(images)}",
)
@every_shift
def test_only_rgb_images_of_bytes_are_shifted(images, function, strength):
    with pytest.raises(ConfigError, match=r"expected uint8 images, RGB \(H, W, 3\) or a batch"):
        function(images, **strength)
    with pytest.raises(ConfigError, match=r"expected uint8 images, RGB \(H, W, 3\) or a batch"):
        next(iter_levels(images))


@pytest.mark.parametrize("n", [0.99, 0, -3, np.nan, np.inf, -np.inf, 1e9, 2**31, "3", None, True])
def test_a_blur_outside_its_range_is_refused_at_every_door(tiles, n):
    doors = (
        lambda: blur(tiles, n),
        lambda: blur_width(n, 64),
        lambda: apply(tiles, Level("blur", n)),
        lambda: list(iter_levels(tiles, [Level("blur", n)])),
    )
    for door in doors:
        with pytest.raises(ConfigError, match="expected a blur n in px from 1 to 32768, got"):
            door()


@pytest.mark.parametrize("size", [0, -64, np.nan, np.inf, "64", None])
def test_a_blur_is_not_scaled_to_an_impossible_side(size):
    with pytest.raises(ConfigError, match="expected a side in px of at least 1"):
        blur_width(5, size)


def test_the_widest_blur_is_the_mean_of_all():
    image = np.full((3, 4, 3), 77, np.uint8)
    np.testing.assert_array_equal(blur(image, shifts.WIDEST), image)


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan, np.inf, 1e9, "0.5", None, True])
def test_shares_outside_0_to_1_are_refused(tiles, share):
    with pytest.raises(ConfigError, match="expected alpha from 0 to 1, got"):
        sharpen(tiles, share)
    with pytest.raises(ConfigError, match="expected a multiplier of haematoxylin from 0 to 1, got"):
        fade_stain(tiles, haematoxylin=share)
    with pytest.raises(ConfigError, match="expected a multiplier of eosin from 0 to 1, got"):
        fade_stain(tiles[:0], eosin=share)
    with pytest.raises(ConfigError, match="expected a multiplier of eosin from 0 to 1, got"):
        apply(tiles, Level("eosin", share))


def test_an_unknown_shift_is_refused(tiles):
    with pytest.raises(ConfigError, match=r"expected a shift of blur, .*eosin, got 'fog'"):
        apply(tiles, Level("fog", 1))
    with pytest.raises(ConfigError, match="got 'fog'"):
        list(iter_levels(tiles, [Level("fog", 1)]))
