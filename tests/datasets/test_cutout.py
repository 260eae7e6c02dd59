"""The cutout data set against brute-force counts of its pixels."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.stats import chisquare

from sdlib.datasets.cutout import (
    N_CUTOUTS,
    add_cutouts,
    apply_cutouts,
    cutout_mask,
    cutout_positions,
    make_cutout_set,
    scaled_cutout_size,
)
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, SdlibError


def white_tiles(benign: int, cancer: int, size: int = 64) -> TileSet:
    n = benign + cancer
    targets = np.random.default_rng(7).permutation(np.repeat([0, 1], [benign, cancer]))
    images = np.full((n, size, size, 3), 255, np.uint8)
    images[:, 0, 0] = np.arange(n)[:, None] % 200 + 55  # tells tiles apart, never black
    return TileSet(images, targets, np.arange(n).astype(str), {"centre": np.repeat("a", n)})


def brute_mask(positions: np.ndarray, image_size: int, size: int) -> np.ndarray:
    mask = np.zeros((len(positions), image_size, image_size), bool)
    for i, squares in enumerate(positions):
        for row, column in squares:
            if row >= 0:
                for r in range(row, row + size):
                    for c in range(column, column + size):
                        mask[i, r, c] = True
    return mask


@pytest.mark.parametrize(
    ("image_size", "expected"), [(1, 1), (28, 1), (32, 1), (64, 2), (96, 3), (112, 4), (224, 8)]
)
def test_cutouts_keep_their_share_of_the_side(image_size, expected):
    assert scaled_cutout_size(image_size) == expected


@given(
    st.integers(0, 4), st.integers(8, 40), st.integers(0, 20), st.integers(1, 8), st.integers(0, 99)
)
def test_positions_are_fully_inside(n_images, image_size, n, size, seed):
    positions = cutout_positions(n_images, image_size, n, size, seed)
    assert positions.shape == (n_images, n, 2)
    assert positions.dtype == np.int16
    assert np.all(positions >= 0)
    assert np.all(positions + size <= image_size)


def test_positions_are_uniform_up_to_both_borders():
    positions = cutout_positions(4000, 12, n=4, size=3, seed=1)
    counts = np.zeros((10, 10))
    np.add.at(counts, tuple(positions.reshape(-1, 2).T), 1)
    assert chisquare(counts.ravel()).pvalue > 1e-3


def test_positions_do_not_depend_on_what_follows():
    few, many = cutout_positions(3, 64, seed=5), cutout_positions(50, 64, seed=5)
    np.testing.assert_array_equal(few, many[:3])
    assert not np.array_equal(few, cutout_positions(3, 64, seed=6))


@pytest.mark.parametrize("arguments", [(1, 8, 1, 9), (1, 8, 1, 0), (-1, 8, 1, 2), (1, 8, -1, 2)])
def test_impossible_positions_are_refused(arguments):
    with pytest.raises(ConfigError, match="expected"):
        cutout_positions(*arguments, seed=0)


@given(st.integers(0, 20), st.integers(1, 8), st.integers(0, 99))
def test_add_cutouts_blackens_exactly_the_drawn_squares(n, size, seed):
    image = np.full((30, 41, 3), 200, np.uint8)
    cut = add_cutouts(image, n, size, np.random.default_rng(seed))
    positions = cutout_positions(1, (30, 41), n, size, np.random.default_rng(seed))
    expected = np.full((30, 41), 200, np.uint8)
    for row, column in positions[0]:
        expected[row : row + size, column : column + size] = 0
    assert cut.dtype == np.uint8
    np.testing.assert_array_equal(cut, np.repeat(expected[:, :, None], 3, axis=2))
    assert np.all(image == 200), "the input was changed"


def test_add_cutouts_has_the_papers_defaults():
    black = (add_cutouts(np.full((224, 224, 3), 255, np.uint8), rng=3) == 0).all(axis=2)
    assert 64 < black.sum() <= 16 * 64


@pytest.mark.parametrize("image", [np.zeros((9, 9, 3)), np.zeros((9, 9), np.uint8)])
def test_add_cutouts_wants_hwc_uint8(image):
    with pytest.raises(ConfigError, match=r"expected a uint8 image, RGB \(H, W, 3\), got"):
        add_cutouts(image, size=2, rng=0)


@pytest.mark.parametrize("number", [-1, 2.5, np.nan, np.inf, "2", None, True, [2]])
def test_numbers_of_cutouts_and_pixels_are_whole(number):
    image = np.zeros((9, 9, 3), np.uint8)
    for options in ({"n": number}, {"size": number}):
        with pytest.raises(ConfigError, match=r"expected .*cutout.* a whole number, got"):
            add_cutouts(image, **{"n": 1, "size": 2, **options}, rng=0)
    with pytest.raises(ConfigError, match="expected n_images of at least 0"):
        cutout_positions(number, 9, size=2)


@pytest.mark.parametrize("side", [0, -5, 12.5, np.nan, "9", None, 40_000])
def test_sides_beyond_what_positions_can_hold_are_refused(side):
    """Positions are int16: on a larger image they would silently become negative."""
    with pytest.raises(ConfigError, match="expected an image side in px from 1 to 32767"):
        cutout_positions(1, side, size=1, seed=0)


@pytest.mark.parametrize(
    "positions",
    [
        np.zeros((2, 1, 2), int),  # of two images
        np.zeros((1, 2), int),
        np.zeros((1, 1, 3), int),
        np.array([[[7, 0]]]),
        np.array([[[0, 7]]]),
        np.array([[[0, -1]]]),
    ],
)
def test_squares_that_are_not_inside_the_images_are_refused(positions):
    images = np.zeros((1, 9, 9, 3), np.uint8)
    with pytest.raises(ConfigError, match=r"expected (positions of shape|squares of 3 px inside)"):
        apply_cutouts(images, positions, size=3)


def test_a_mask_has_no_squares_over_its_border():
    with pytest.raises(ConfigError, match="expected squares of 3 px inside images of 9 x 9 px"):
        cutout_mask(np.array([[[7, 0]]]), image_size=9, size=3)


@pytest.mark.parametrize("images", [np.zeros((1, 9, 9, 3)), np.zeros((9, 9, 3), np.uint8)])
def test_apply_cutouts_wants_a_batch_of_bytes(images):
    with pytest.raises(ConfigError, match=r"expected .*(batch \(N|a batch of images)"):
        apply_cutouts(images, np.zeros((1, 1, 2), int), size=3)


@given(st.integers(0, 5), st.integers(1, 20), st.integers(1, 6), st.integers(0, 99))
def test_mask_equals_brute_force(n_images, n, size, seed):
    positions = cutout_positions(n_images, 20, n, size, seed)
    positions[1::2] = -1
    np.testing.assert_array_equal(cutout_mask(positions, 20, size), brute_mask(positions, 20, size))


@pytest.mark.parametrize(
    ("kind", "benign", "cancer"),
    [("train", 50, 5), ("control", 200, 200), ("test", 0, 200), ("none", 0, 0), ("all", 200, 200)],
)
def test_rates_are_exact(kind, benign, cancer):
    tiles = white_tiles(200, 200)
    made = make_cutout_set(tiles, kind, seed=0)
    black = (made.images == 0).all(axis=3).any(axis=(1, 2))
    np.testing.assert_array_equal(black, made.factors["cutout"])
    assert black[tiles.targets == 0].sum() == benign
    assert black[tiles.targets == 1].sum() == cancer


@given(st.integers(1, 90), st.integers(1, 90))
def test_training_counts_are_rounded_shares(benign, cancer):
    tiles = white_tiles(benign, cancer, size=8)
    chosen = make_cutout_set(tiles, "train", seed=0).factors["cutout"]
    assert abs(chosen[tiles.targets == 0].sum() - 0.25 * benign) <= 0.5
    assert abs(chosen[tiles.targets == 1].sum() - 0.025 * cancer) <= 0.5


@pytest.mark.parametrize("size", [32, 64, 96])
def test_images_are_black_on_the_recorded_squares_and_untouched_elsewhere(size):
    tiles = white_tiles(40, 40, size)
    before = tiles.images.copy()
    tiles.images.flags.writeable = False  # as a memory map is
    made = make_cutout_set(tiles, "train", seed=4)
    mask = brute_mask(made.factors["cutout_positions"], size, scaled_cutout_size(size))
    np.testing.assert_array_equal(made.images, np.where(mask[..., None], 0, before))
    np.testing.assert_array_equal(tiles.images, before)


def test_record_keeps_targets_groups_and_other_factors():
    tiles = white_tiles(20, 20)
    made = make_cutout_set(tiles, "test", seed=4)
    positions = made.factors["cutout_positions"]
    np.testing.assert_array_equal(made.targets, tiles.targets)
    np.testing.assert_array_equal(made.groups, tiles.groups)
    np.testing.assert_array_equal(made.factors["centre"], tiles.factors["centre"])
    assert positions.dtype == np.int16
    assert positions.shape == (40, N_CUTOUTS, 2)
    assert np.all(positions[tiles.targets == 0] == -1)
    assert np.all(positions[tiles.targets == 1] >= 0)


def test_kinds_of_one_seed_share_their_places():
    tiles = white_tiles(20, 20)
    every = make_cutout_set(tiles, "all", seed=2).images
    test = make_cutout_set(tiles, "test", seed=2).images
    cancer = tiles.targets == 1
    np.testing.assert_array_equal(test[cancer], every[cancer])
    np.testing.assert_array_equal(test[~cancer], tiles.images[~cancer])


def test_seed_decides():
    tiles = white_tiles(40, 40)
    first, again, other = (make_cutout_set(tiles, "train", seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.images, again.images)
    assert not np.array_equal(first.factors["cutout"], other.factors["cutout"])
    assert not np.array_equal(first.images, other.images)


def test_none_shares_the_images():
    tiles = white_tiles(3, 3)
    assert make_cutout_set(tiles, "none", seed=0).images is tiles.images


def test_apply_cutouts_on_a_batch_equals_the_set():
    tiles = white_tiles(10, 10)
    made = make_cutout_set(tiles, "test", seed=0)
    batch = tiles.images.copy()
    apply_cutouts(batch, made.factors["cutout_positions"], scaled_cutout_size(64))
    np.testing.assert_array_equal(batch, made.images)


def test_unknown_kind_and_double_cutouts_are_refused():
    tiles = white_tiles(3, 3)
    with pytest.raises(ConfigError, match=r"expected a kind of train, .* got 'half'"):
        make_cutout_set(tiles, "half", seed=0)
    with pytest.raises(SdlibError, match="already"):
        make_cutout_set(make_cutout_set(tiles, "all", seed=0), "train", seed=0)
