"""UniformAugment: every operation against Pillow, every draw against its distribution."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image, ImageDraw, ImageEnhance, ImageOps
from scipy.stats import chisquare, kstest

from sdlib import shifts
from sdlib.augment import UniformAugment
from sdlib.augment.operations import OPERATIONS, examples, sharpness_as_blur
from sdlib.errors import ConfigError
from sdlib.metrics import laplacian_variance
from sdlib.report.tile_figures import example_tiles

FIFTEEN = [name for name in OPERATIONS if name != "blur"]
GEOMETRIC = FIFTEEN[:5]
POINTWISE = FIFTEEN[5:13]
CUTOUT_COLOUR = (125, 123, 114)


def noise(side, seed=0, n=None):
    shape = (side, side, 3) if n is None else (n, side, side, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


# -- Pillow as the oracle


def transform(*coefficients):
    return lambda image: image.transform(image.size, Image.Transform.AFFINE, coefficients)


def pillow_cutout(image, share, place):
    """The rectangle of the public code."""
    width, height = image.size
    side = share * width
    if side > 0:
        left, top = (int(max(0, p * n - side / 2)) for p, n in zip(place, image.size, strict=True))
        corners = (left, top, min(width, left + side), min(height, top + side))
        ImageDraw.Draw(image).rectangle(corners, CUTOUT_COLOUR)
    return image


PILLOW = {
    "shear_x": lambda image, m: transform(1, m, 0, 0, 1, 0)(image),
    "shear_y": lambda image, m: transform(1, 0, 0, m, 1, 0)(image),
    "translate_x": lambda image, m: transform(1, 0, m * image.width, 0, 1, 0)(image),
    "translate_y": lambda image, m: transform(1, 0, 0, 0, 1, m * image.height)(image),
    "rotate": lambda image, m: image.rotate(m),
    "autocontrast": lambda image, _: ImageOps.autocontrast(image),
    "invert": lambda image, _: ImageOps.invert(image),
    "equalise": lambda image, _: ImageOps.equalize(image),
    "solarise": lambda image, m: ImageOps.solarize(image, m),
    "posterise": lambda image, m: ImageOps.posterize(image, int(m)),
    "contrast": lambda image, m: ImageEnhance.Contrast(image).enhance(m),
    "colour": lambda image, m: ImageEnhance.Color(image).enhance(m),
    "brightness": lambda image, m: ImageEnhance.Brightness(image).enhance(m),
    "sharpness": lambda image, m: ImageEnhance.Sharpness(image).enhance(m),
}
# Grey levels by which any pixel may differ, and the share of pixels that may. Contrast: Pillow
# rounds the mean grey, albumentations does not. Colour: their greys differ by a level in a few
# colours. Sharpness: Pillow's smoothing is a fixed-point sum.
TOLERANCE = {"contrast": (1, 1.0), "colour": (1, 0.05), "sharpness": (1, 0.02)}


def some_images():
    """Noise, dark noise, one colour, three greys (255 among them), tiles; even and odd sides."""
    for side in (3, 17, 40, 61):
        yield noise(side)
        yield noise(side) // 5 + 7
        yield np.full((side, side, 3), (200, 0, 255), np.uint8)
        yield np.array([3, 254, 255], np.uint8)[noise(side) % 3]
    yield from (example_tiles(64)[1], example_tiles(224)[1])


@pytest.mark.parametrize("name", [name for name in PILLOW if name not in GEOMETRIC])
def test_operation_is_pillows(name):
    levels, share = TOLERANCE.get(name, (0, 0.0))
    operation = OPERATIONS[name]
    for image in some_images():
        for part in (0, 0.11, 0.25, 0.5, 0.77, 1):
            magnitude = operation.magnitude(part)
            expected = np.asarray(PILLOW[name](Image.fromarray(image), magnitude)).astype(int)
            off = np.abs(operation(image, magnitude) - expected)
            assert off.max() <= levels
            assert (off > 0).any(axis=2).mean() <= share


@pytest.mark.parametrize("name", GEOMETRIC)
@pytest.mark.parametrize("side", [31, 64])
def test_geometry_is_pillows(name, side):
    """Pixels tell where they come from: nowhere is Pillow's choice more than a pixel away."""
    rows, columns = np.mgrid[1 : side + 1, 1 : side + 1]
    image = np.stack([rows, columns, np.full_like(rows, 255)], axis=2).astype(np.uint8)
    rng, different = np.random.default_rng(0), []
    for magnitude in map(OPERATIONS[name].magnitude, rng.random(50)):
        ours = OPERATIONS[name](image, magnitude).astype(int)
        pillows = np.asarray(PILLOW[name](Image.fromarray(image), magnitude))
        outside = (ours[..., 2] == 0) | (pillows[..., 2] == 0)
        assert np.abs(ours - pillows)[~outside].max() <= 1
        different.append((ours != pillows).any(axis=2).mean())
    # Where a pixel's source lies between two, Pillow's fixed-point sum may choose the other.
    assert np.mean(different) < 0.001


@settings(deadline=None)
@given(st.integers(2, 60), st.floats(0, 0.2), st.floats(0, 1), st.floats(0, 1), st.integers(0, 9))
def test_cutout_is_pillows_rectangle(side, share, x, y, seed):
    image = noise(side, seed)
    expected = np.asarray(pillow_cutout(Image.fromarray(image), share, (x, y)))
    np.testing.assert_array_equal(OPERATIONS["cutout"](image, share, (x, y)), expected)


@pytest.mark.parametrize(("name", "axis"), [("translate_x", 1), ("translate_y", 0)])
def test_whole_pixels_are_moved_and_the_rest_is_black(name, axis):
    image = np.maximum(noise(20), 1)
    expected = np.roll(image, -3, axis)
    expected[(slice(None),) * axis + (slice(-3, None),)] = 0
    np.testing.assert_array_equal(OPERATIONS[name](image, 3 / 20), expected)


def test_blur_is_the_books_scaled_to_the_tile():
    image = noise(56)
    expected = shifts.blur(image, 12 / 4)
    np.testing.assert_array_equal(OPERATIONS["blur"](image, 12), expected)


# -- Properties of every operation

IDENTITY = {name: 0 for name in (*GEOMETRIC, "cutout")}
IDENTITY |= {name: 1 for name in ("contrast", "colour", "brightness", "sharpness", "blur")}
IDENTITY |= {"solarise": 256, "posterise": 8}


@pytest.mark.parametrize("name", IDENTITY)
def test_a_magnitude_that_changes_nothing_returns_the_image(name):
    for image in some_images():
        changed = OPERATIONS[name](image, IDENTITY[name])
        np.testing.assert_array_equal(changed, image)
        assert not np.shares_memory(changed, image)


@settings(deadline=None)
@given(st.sampled_from(list(OPERATIONS)), st.floats(0, 1), st.integers(1, 30), st.integers(0, 99))
def test_shape_dtype_and_untouched_input(name, share, side, seed):
    image = noise(side, seed)
    before = image.copy()
    image.flags.writeable = False
    changed = OPERATIONS[name](image, OPERATIONS[name].magnitude(share), (share, share))
    assert changed.dtype == np.uint8
    assert changed.shape == image.shape
    assert changed.flags.writeable
    np.testing.assert_array_equal(image, before)


def test_ranges_are_those_of_the_public_code():
    ranges = {name: (op.low, op.high) for name, op in OPERATIONS.items()}
    assert ranges == {
        "shear_x": (-0.3, 0.3),
        "shear_y": (-0.3, 0.3),
        "translate_x": (-0.45, 0.45),
        "translate_y": (-0.45, 0.45),
        "rotate": (-30, 30),
        "autocontrast": (None, None),
        "invert": (None, None),
        "equalise": (None, None),
        "solarise": (0, 256),
        "posterise": (4, 8),
        "contrast": (0.1, 1.9),
        "colour": (0.1, 1.9),
        "brightness": (0.1, 1.9),
        "sharpness": (0.1, 1.9),
        "cutout": (0, 0.2),
        "blur": (1, 20),
    }


def test_examples_are_the_operations_at_low_middle_and_high():
    image = example_tiles(64)[1]
    shown = examples(image)
    assert list(shown) == list(OPERATIONS)
    for name, images in shown.items():
        operation = OPERATIONS[name]
        assert len(images) == (1 if operation.low is None else 3)
        for k, each in enumerate(images):
            np.testing.assert_array_equal(each, operation(image, operation.magnitude(k / 2)))


RANGED = [name for name, operation in OPERATIONS.items() if operation.low is not None]


@pytest.mark.parametrize("name", RANGED)
def test_magnitudes_outside_the_declared_range_are_refused(name):
    operation, image = OPERATIONS[name], noise(16)
    low, high = operation.low, operation.high
    wrong = (low - 0.01, high + 0.01, np.nan, np.inf, -np.inf, 1e9, "1", None, True, [low])
    for magnitude in wrong:
        with pytest.raises(ConfigError, match=r"expected a magnitude of .* got") as refusal:
            operation(image, magnitude)
        assert f"from {low} to {high}, got" in str(refusal.value)
    for magnitude in (low, high):
        assert operation(image, magnitude).shape == image.shape


@pytest.mark.parametrize("share", [-0.01, 1.01, np.nan, np.inf, "0.5", None])
def test_shares_of_a_range_are_from_0_to_1(share):
    for operation in OPERATIONS.values():
        with pytest.raises(ConfigError, match="expected a share of the range from 0 to 1, got"):
            operation.magnitude(share)


@pytest.mark.parametrize(
    "place", [(-0.1, 0.5), (0.5, 1.1), (np.nan, 0.5), (0.5, np.inf), ("0", 0), (0.5,), 0.5, None]
)
def test_a_cutout_is_placed_inside_the_image(place):
    with pytest.raises(ConfigError, match=r"expected a place .*(width|height)"):
        OPERATIONS["cutout"](noise(16), 0.1, place)


# -- "No blur in the set"


@pytest.mark.parametrize("name", POINTWISE)
def test_pixels_do_not_see_their_neighbours(name):
    """Shuffled pixels give the shuffled result: nothing is averaged over a neighbourhood."""
    image = example_tiles(64)[1]
    order = np.random.default_rng(0).permutation(64 * 64)
    shuffled = image.reshape(-1, 3)[order].reshape(image.shape)
    for share in (0, 0.3, 0.9, 1):
        magnitude = OPERATIONS[name].magnitude(share)
        changed = OPERATIONS[name](image, magnitude).reshape(-1, 3)
        again = OPERATIONS[name](shuffled, magnitude).reshape(-1, 3)
        np.testing.assert_array_equal(again, changed[order])


@pytest.mark.parametrize("name", [*GEOMETRIC, "cutout"])
def test_geometry_and_cutout_make_no_new_colours(name):
    image = noise(40)
    colours = {*map(tuple, image.reshape(-1, 3)), (0, 0, 0), CUTOUT_COLOUR}
    for share in (0, 0.21, 0.4, 0.66, 1):
        changed = OPERATIONS[name](image, OPERATIONS[name].magnitude(share))
        assert set(map(tuple, changed.reshape(-1, 3))) <= colours


@pytest.mark.parametrize("side", [64, 224])
def test_sharpness_below_1_smooths_and_above_1_sharpens(side):
    """So "no blur in the set" is not literally true; fourteen operations mix no pixels at all."""
    image = example_tiles(side)[1]
    variances = [laplacian_variance(OPERATIONS["sharpness"](image, f / 10)) for f in range(1, 20)]
    assert (np.diff(variances) > 0).all()
    assert variances[9] == laplacian_variance(image)
    # The strongest smoothing takes away a third (224 px) to two thirds (64 px) ...
    assert 0.25 < variances[0] / variances[9] < 0.7
    # ... and still leaves more than the mean over 3 x 3 pixels, the smallest that is centred.
    assert variances[0] > 1.2 * laplacian_variance(shifts.blur(image, 3))


def test_sharpness_is_weaker_than_the_mean_over_two_pixels_at_every_frequency():
    """The claim behind `sharpness_as_blur`, by the two filters' transfer functions."""
    cosine = np.cos(np.linspace(0, np.pi, 181))
    x, y = cosine[:, None], cosine[None, :]
    smooth = (5 + 2 * x + 2 * y + 4 * x * y) / 13
    mean_over_two = (1 + x) / 2 * (1 + y) / 2
    assert (smooth >= mean_over_two - 1e-12).all()


@pytest.mark.parametrize("image", [example_tiles(64)[1], example_tiles(224)[1], noise(64)])
@pytest.mark.parametrize("factor", [0.1, 0.5, 0.9])
def test_sharpness_as_blur_is_as_smooth(image, factor):
    n = sharpness_as_blur(image, factor)
    assert 1 < n < 2
    blurred, smoothed = shifts.blur(image, n), OPERATIONS["sharpness"](image, factor)
    assert laplacian_variance(blurred) == pytest.approx(laplacian_variance(smoothed), rel=0.02)


def test_sharpness_as_blur_at_its_ends():
    assert sharpness_as_blur(noise(32), 1) == pytest.approx(1, abs=1e-3)
    assert sharpness_as_blur(noise(32), 0.2) > sharpness_as_blur(noise(32), 0.7)
    for factor in (-0.1, 1.9, np.nan, np.inf, "0.5"):
        with pytest.raises(ConfigError, match="expected a factor from 0 to 1"):
            sharpness_as_blur(noise(32), factor)


# -- What is drawn


@pytest.mark.parametrize(
    ("augment", "expected"),
    [
        (UniformAugment(), FIFTEEN),
        (UniformAugment(cutout=False), FIFTEEN[:-1]),
        (UniformAugment(blur=True), [*FIFTEEN, "blur"]),
        (UniformAugment(cutout=False, blur=True), [*FIFTEEN[:-1], "blur"]),
    ],
)
def test_every_operation_is_drawn_alike(augment, expected):
    assert list(augment.operations) == expected
    drawn = augment.draw(20_000, np.random.default_rng(0)).operation
    for each in drawn.T:
        counts = np.bincount(each, minlength=len(expected))
        assert len(counts) == len(expected)
        assert chisquare(counts).pvalue > 1e-3
    pairs = np.bincount(drawn[:, 0] * len(expected) + drawn[:, 1], minlength=len(expected) ** 2)
    assert chisquare(pairs).pvalue > 1e-3  # independent, and with replacement


def test_none_one_or_both_are_applied():
    applied = UniformAugment().draw(20_000, np.random.default_rng(0)).applied
    counts = np.bincount(applied.sum(axis=1), minlength=3)
    assert chisquare(counts, [5_000, 10_000, 5_000]).pvalue > 1e-3


def test_magnitudes_and_places_are_uniform_whatever_is_applied():
    draws = UniformAugment().draw(20_000, np.random.default_rng(0))
    for numbers in (draws.share, draws.place[..., 0], draws.place[..., 1]):
        assert numbers.min() >= 0
        assert numbers.max() < 1
        assert kstest(numbers[draws.applied], "uniform").pvalue > 1e-3
        assert kstest(numbers[draws.operation == 4], "uniform").pvalue > 1e-3
    rotations = [OPERATIONS["rotate"].magnitude(share) for share in draws.share[:5000, 0]]
    assert kstest(rotations, "uniform", (-30, 60)).pvalue > 1e-3


@settings(deadline=None)
@given(st.integers(0, 6), st.integers(1, 4), st.booleans(), st.booleans(), st.integers(0, 2**32))
def test_tiles_get_what_was_drawn_in_order(n, max_ops, cutout, blur, seed):
    augment, images = UniformAugment(max_ops, cutout, blur), noise(24, n=n)
    draws = augment.draw(n, np.random.default_rng(seed))
    expected = list(images)
    for tile in range(n):
        for k in range(max_ops):
            if draws.applied[tile, k]:
                operation = OPERATIONS[augment.operations[draws.operation[tile, k]]]
                magnitude = operation.magnitude(draws.share[tile, k])
                expected[tile] = operation(expected[tile], magnitude, draws.place[tile, k])
    changed = augment(images, np.random.default_rng(seed))
    assert changed.dtype == np.uint8
    assert changed.shape == images.shape
    for ours, each in zip(changed, expected, strict=True):
        np.testing.assert_array_equal(ours, each)


def test_tiles_do_not_depend_on_what_follows_and_one_tile_is_a_batch_of_one():
    augment, images = UniformAugment(), noise(16, n=40)
    every = augment(images, np.random.default_rng(3))
    np.testing.assert_array_equal(augment(images[:7], np.random.default_rng(3)), every[:7])
    np.testing.assert_array_equal(augment(images[0], np.random.default_rng(3)), every[0])


def test_input_stays_as_it_is_and_nothing_is_shared():
    images = noise(16, n=40)
    before = images.copy()
    images.flags.writeable = False  # as a memory map is
    changed = UniformAugment()(images, np.random.default_rng(0))
    np.testing.assert_array_equal(images, before)
    assert not np.shares_memory(changed, images)
    share_changed = (changed != images).any(axis=(1, 2, 3)).mean()
    assert 0.4 < share_changed < 0.95  # three quarters, less the magnitudes that change nothing


def test_no_operations_change_nothing():
    images = noise(16, n=20)
    changed = UniformAugment(max_ops=0)(images, np.random.default_rng(0))
    np.testing.assert_array_equal(changed, images)
    assert not np.shares_memory(changed, images)


def test_it_can_be_pickled():
    augment, images = UniformAugment(3, False, True), noise(16, n=20)
    again = pickle.loads(pickle.dumps(augment))
    first, second = (each(images, np.random.default_rng(2)) for each in (augment, again))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("n", [-1, 2.0, np.nan, None])
def test_impossible_numbers_of_tiles_are_refused(n):
    with pytest.raises(ConfigError, match="expected a number of tiles of at least 0"):
        UniformAugment().draw(n, np.random.default_rng(0))


@pytest.mark.parametrize("max_ops", [-1, 1.5, 2.0, "two", np.nan, None])
def test_impossible_numbers_of_operations_are_refused(max_ops):
    with pytest.raises(ConfigError, match="expected max_ops"):
        UniformAugment(max_ops)


@pytest.mark.parametrize(
    "images", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3))]
)
def test_other_images_are_refused(images):
    with pytest.raises(ConfigError, match="expected uint8 images"):
        UniformAugment()(images, np.random.default_rng(0))
