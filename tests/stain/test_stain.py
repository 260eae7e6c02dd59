"""Stains against torchstain, float64, tiles of known stains, and tiles that have none."""

import csv
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from torchstain.numpy.normalizers.macenko import NumpyMacenkoNormalizer

from sdlib.errors import ConfigError, DataError
from sdlib.phantoms.histology import draw_tiles, render
from sdlib.phantoms.optics import stain_matrix
from sdlib.stain import (
    REFERENCE,
    MacenkoNormaliser,
    StainEstimate,
    estimate_macenko,
    extremes,
    fade_levels,
    recombine,
    scale_stains,
    separate,
)

TENTHS = [k / 10 for k in range(11)]
H, E = np.array([0.6, 0.7, 0.387298]), np.array([0.25, 0.9, 0.357071])
images = hnp.arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3)))


@pytest.fixture(scope="module")
def tiles():
    """Of both centres, all scanners, three sizes; one is not square."""
    chosen = [*draw_tiles(60, seed=11)[:8], *draw_tiles(4, 1, "development", "flash3")]
    chosen += draw_tiles(4, 2, "external")
    drawn = [render(tile, 64) for tile in chosen] + [render(tile, 224) for tile in chosen[::3]]
    return [*drawn, np.ascontiguousarray(render(chosen[0], 300)[:, :200])]


@pytest.fixture(scope="module")
def real_tiles():
    folder = Path(os.environ.get("SDLIB_DATA", "nowhere")) / "open-pcam"
    if not (folder / "manifest.csv").is_file():
        pytest.skip("SDLIB_DATA names no folder with open-pcam in it")
    with (folder / "manifest.csv").open(encoding="utf-8") as file:
        names = [row["file"] for row in csv.DictReader(file)][::700]
    return [np.ascontiguousarray(cv2.imread(folder / name)[..., ::-1]) for name in names]


def torchstain(image, **options):
    """Matrix with rows H, E, and top concentrations."""
    normalizer = NumpyMacenkoNormalizer()
    normalizer.fit(image, **options)
    return normalizer.HERef.T, normalizer.maxCRef


def density(image, io=240):
    return -np.log((image.reshape(-1, 3).astype(np.float64) + 1) / io)


def slow_fading(image, matrix, haematoxylin, eosin):
    """In float64, as it is written."""
    concentrations = density(image) @ np.linalg.pinv(matrix)
    taken = (concentrations * (1 - haematoxylin, 1 - eosin)) @ matrix
    faded = (image.reshape(-1, 3) + 1.0) * np.exp(taken) - 1
    return np.clip(np.rint(faded), 0, 255).reshape(image.shape)


def mix(concentrations, matrix=(H, E)):
    """An image of these concentrations (H, W, 2), with no residual except rounding."""
    light = 240 * np.exp(
        -np.asarray(concentrations) @ (matrix / np.linalg.norm(matrix, axis=1)[:, None])
    )
    return np.clip(np.rint(light - 1), 0, 255).astype(np.uint8)


def degrees_between(a, b):
    cosines = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    return np.degrees(np.arccos(np.clip(cosines, -1, 1)))


def agree(pairs):
    """At most one grey level apart, and in fewer than one byte of a thousand."""
    apart = np.concatenate([np.abs(a.astype(int) - b).ravel() for a, b in pairs])
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-3


# -- Against torchstain


@pytest.mark.parametrize("source", ["tiles", "real_tiles"])
def test_estimates_are_those_of_torchstain(source, request):
    compared = 0
    for image in request.getfixturevalue(source):
        estimate = estimate_macenko(image)
        if not estimate.fallback:
            matrix, tops = torchstain(image)
            np.testing.assert_allclose(estimate.matrix, matrix, atol=1e-6)
            np.testing.assert_allclose(estimate.max_concentrations, tops, rtol=3e-6)
            compared += 1
    assert compared >= 15


@pytest.mark.parametrize("source", ["tiles", "real_tiles"])
def test_normalised_tiles_are_those_of_torchstain(source, request):
    found = [
        image for image in request.getfixturevalue(source) if not estimate_macenko(image).fallback
    ]
    theirs, ours = NumpyMacenkoNormalizer(), MacenkoNormaliser()
    agree([(ours.transform(image), theirs.normalize(image)[0]) for image in found])
    theirs.fit(found[-1])
    assert ours.fit(found[-1]) is ours
    agree([(ours.transform(image), theirs.normalize(image)[0]) for image in found])


@pytest.mark.parametrize("options", [{"io": 255}, {"alpha": 0}, {"alpha": 20}, {"beta": 0.3}])
def test_settings_mean_what_they_mean_in_torchstain(tiles, options):
    theirs = {{"io": "Io"}.get(name, name): value for name, value in options.items()}
    for image in tiles[::5]:
        estimate = estimate_macenko(image, **options)
        matrix, tops = torchstain(image, **theirs)
        np.testing.assert_allclose(estimate.matrix, matrix, atol=1e-6)
        np.testing.assert_allclose(estimate.max_concentrations, tops, rtol=3e-6)


@pytest.mark.parametrize("share", [0.004, 0.2])
@pytest.mark.parametrize("extreme", [True, False])
def test_a_sample_that_misleads_costs_time_alone(tiles, extreme, share):
    """Every pixel that the estimate samples is of one colour: a tail's, or never a tail's."""
    image = cv2.resize(tiles[0], (512, 384)).reshape(-1, 3)
    step = len(image) // extremes.SAMPLE | 1
    tail = mix([[(3, 0), (0, 3)]])[0] if extreme else mix([[(0.5, 0.5), (0.6, 0.5)]])[0]
    image[::step] = tail[0]
    image[1 : int(share * len(image)) : 2] = tail[1]
    image = image.reshape(384, 512, 3)
    matrix, tops = torchstain(image)
    estimate = estimate_macenko(image)
    np.testing.assert_allclose(estimate.matrix, matrix, atol=1e-6)
    np.testing.assert_allclose(estimate.max_concentrations, tops, rtol=3e-6)


@pytest.mark.parametrize("order", ["random", "sorted", "few values", "a stretch"])
@pytest.mark.parametrize("angles", [True, False])
def test_neighbours_of_percentiles_are_those_of_a_full_sort(order, angles):
    rng = np.random.default_rng(0)
    for _ in range(150):
        planes = rng.uniform(0, 2, (3, int(rng.integers(100, 6000)))).astype(np.float32)
        if order == "sorted":
            planes.sort(axis=1)
        elif order == "few values":
            planes = np.round(2 * planes) / 2
        elif order == "a stretch":
            planes[:, : planes.shape[1] // 20] *= 3
        axes = rng.normal(size=(3, 3)).astype(np.float32)
        axes[2] = np.abs(axes[2]) + 0.1
        beta, percent = np.float32(0.1), rng.uniform(90, 100)
        lengths = axes @ planes
        values = lengths[:2]
        if angles:
            tissue = (planes >= beta).all(0)
            values = lengths[:2, tissue] / lengths[2, tissue]
        n = values.shape[1]
        found = extremes.find_neighbours(planes, axes, angles, beta, n, percent)
        k = int((n - 1) * percent / 100)
        expected = np.sort(values, axis=1)[:, [k, min(k + 1, n - 1)]]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("count", [25, 30, 31, 32, 143, 144, 145, 146, 400])
def test_neighbours_at_the_edges_of_what_a_sample_allows(count):
    """25 sampled values set the bound, the 31 largest are needed, and there is room for 144."""
    n, rng = 3000, np.random.default_rng(0)
    planes = np.zeros((3, n), np.float32)
    planes[0, : 3 * 25 : 3] = 1 + rng.permutation(25)
    unsampled = np.flatnonzero(np.arange(n) % 3)[: count - 25]
    planes[0, unsampled] = 26 + np.append(rng.permutation(count - 26), count)[: count - 25]
    axes = np.eye(3, dtype=np.float32)[[0, 0, 2]]
    found = extremes.find_neighbours(planes, axes, False, np.float32(0), n, 99.0)
    assert found.tolist() == [np.sort(planes[0])[[2969, 2970]].tolist()] * 2


@pytest.mark.parametrize("spare", [-3, 0, 1, 50])
def test_tails_are_whole_where_there_is_room(spare):
    planes = np.random.default_rng(0).normal(size=(3, 3000)).astype(np.float32)
    axes, bounds = np.eye(3, dtype=np.float32), np.array([1.5, 2.0], np.float32)
    expected = [
        np.sort(values[values >= bound]) for values, bound in zip(planes, bounds, strict=False)
    ]
    tails = np.full((2, expected[0].size + spare + 1), np.nan, np.float32)
    counts = extremes._gather(planes, axes, False, np.float32(0), bounds, tails)
    assert counts.tolist() == [tail.size for tail in expected]
    if spare >= 0:
        for tail, values in zip(tails, expected, strict=True):
            np.testing.assert_array_equal(np.sort(tail[: values.size]), values)


# -- Against what is known


def test_stains_that_were_mixed_are_found():
    rng = np.random.default_rng(0)
    amounts = rng.uniform(0.7, 1.5, (128, 128, 2))
    amounts[:8, :, 1] = amounts[8:16, :, 0] = 0  # pure haematoxylin, pure eosin
    estimate = estimate_macenko(mix(amounts))
    assert not estimate.fallback
    assert np.all(degrees_between(estimate.matrix, np.stack([H, E])) < 0.5)
    np.testing.assert_allclose(np.linalg.norm(estimate.matrix, axis=1), 1)
    tops = np.percentile(amounts.reshape(-1, 2), 99, axis=0)
    np.testing.assert_allclose(estimate.max_concentrations, tops, rtol=0.02)
    found = separate(mix(amounts)).concentrations.transpose(1, 2, 0)
    np.testing.assert_allclose(found, amounts, atol=0.05)


def test_phantoms_stains_are_found():
    """2 degrees off in the middle: a tile's extremes are mixtures, and its scanner adds noise."""
    drawn = draw_tiles(30, seed=11)
    found = np.array([estimate_macenko(render(tile, 224)).matrix for tile in drawn])
    true = np.array([stain_matrix(tile).T for tile in drawn])
    off = degrees_between(found, true)
    assert np.all(np.median(off, axis=0) < 3)
    assert np.all(off < 9)
    crossed = degrees_between(found, true[:, ::-1])
    assert np.all(crossed > 12), "haematoxylin first"


def test_fading_haematoxylin_takes_it_out_of_the_nuclei():
    """The truth is the same phantom without haematoxylin."""
    left, restored = [], []
    for tile in draw_tiles(60, seed=11)[:16]:
        image, bare = (
            render(one, 224).astype(int) for one in (tile, replace(tile, haematoxylin=0.0))
        )
        faded = recombine(separate(image.astype(np.uint8)), haematoxylin=0).astype(int)
        nuclei = bare[..., 0] - image[..., 0] > 60
        assert nuclei.sum() > 500
        left.append(np.abs(faded - bare)[nuclei].mean() / np.abs(image - bare)[nuclei].mean())
        restored.append((faded - image)[nuclei, 0].mean() / (bare - image)[nuclei, 0].mean())
    assert np.median(left) < 0.15
    assert max(left) < 0.25
    assert np.median(restored) > 0.9
    assert min(restored) > 0.8


# -- Recombination


def test_pixels_are_those_of_float64(tiles):
    pairs = [(0.5, 1), (1, 0.5), (0, 1), (1, 0), (0, 0), (0.25, 0.75), (0.33, 1), (1, 0.999)]
    for pair in pairs:
        compared = []
        for image in tiles:
            separation = separate(image)
            slow = slow_fading(image, separation.estimate.matrix, *pair)
            compared.append((recombine(separation, *pair), slow))
        agree(compared)


def test_levels_are_the_recombinations_whatever_their_order(tiles):
    pairs = [(m, 1.0) for m in TENTHS] + [(1.0, m) for m in reversed(TENTHS)]
    pairs += [
        (0.35, 1.0),
        (0.25, 1.0),
        (0.05, 1.0),
        (0.5, 0.5),
        (0.5, 0.6),
        (1.0, 1.0),
        (0.9, 1.0),
        (1.0, 0.5),
    ]
    for image in tiles[::4]:
        separation = separate(image)
        levels = fade_levels(separation, pairs)
        assert levels.dtype == np.uint8
        for pair, level in zip(pairs, levels, strict=True):
            np.testing.assert_array_equal(level, recombine(separation, *pair), err_msg=str(pair))
    assert fade_levels(separation, []).shape == (0, *image.shape)


@settings(deadline=None)
@given(images)
def test_nothing_taken_gives_the_image_back(image):
    before = image.copy()
    separation = separate(image)
    again = recombine(separation)
    np.testing.assert_array_equal(again, before)
    np.testing.assert_array_equal(image, before)
    assert not np.shares_memory(again, image)


@settings(deadline=None)
@given(images)
def test_stains_and_residual_make_up_the_density(image):
    separation = separate(image)
    assert separation.concentrations.shape == (2, *image.shape[:2])
    assert separation.concentrations.dtype == separation.residual.dtype == np.float32
    explained = np.tensordot(separation.concentrations, separation.estimate.matrix, (0, 0))
    whole = density(image).reshape(image.shape)
    np.testing.assert_allclose(explained + separation.residual, whole, atol=1e-4)
    across = separation.residual.reshape(-1, 3) @ separation.estimate.matrix.T
    np.testing.assert_allclose(across, 0, atol=1e-4 * max(1, np.abs(explained).max()))


def test_a_given_estimate_is_used(tiles):
    given_one = StainEstimate(np.stack([H, E]), np.array([1.0, 1.0]))
    separation = separate(tiles[0], given_one)
    expected = (density(tiles[0]) @ np.linalg.pinv(given_one.matrix)).T.reshape(2, 64, 64)
    np.testing.assert_allclose(separation.concentrations, expected, atol=1e-5)
    assert separation.estimate is given_one


# -- Tiles without stains


def grey(levels):
    return np.repeat(np.asarray(levels, np.uint8)[..., None], 3, axis=-1)


ISODENSE = np.array([[1, -1, 0], [0.5, 0.5, -1]])
HOPELESS = {
    "white": np.full((64, 64, 3), 255, np.uint8),
    "black": np.zeros((64, 64, 3), np.uint8),
    "grey": np.full((64, 64, 3), 128, np.uint8),
    "one colour": np.full((64, 64, 3), (150, 80, 160), np.uint8),
    "shades of grey": grey(np.arange(4096).reshape(64, 64) % 200),
    "two colours": np.where(np.indices((64, 64))[:1].T % 2, (90, 60, 150), (200, 90, 150)).astype(
        "u1"
    ),
    "colours of one density": np.rint(
        240 * np.exp(np.random.default_rng(0).uniform(-0.5, 0.5, (64, 64, 2)) @ ISODENSE - 1) - 1
    ).astype(np.uint8),
    "one pixel": np.full((1, 1, 3), (150, 80, 160), np.uint8),
    "one row": render(draw_tiles(1, 0)[0], 64)[:1],
    "mostly glass": np.pad(
        render(draw_tiles(1, 0)[0], 64)[:, :1], ((0, 64), (0, 127), (0, 0)), constant_values=243
    ),
}


@pytest.mark.parametrize("name", HOPELESS)
def test_too_little_tissue_is_reported_and_separated_by_the_reference(name):
    image = HOPELESS[name]
    estimate = estimate_macenko(image)
    assert estimate.fallback
    assert estimate.matrix is REFERENCE.matrix
    separation = separate(image)
    assert separation.estimate.fallback
    assert np.isfinite(separation.concentrations).all()
    for pair in ((1, 1), (0.5, 1), (1, 0), (0, 0.3)):
        agree([(recombine(separation, *pair), slow_fading(image, REFERENCE.matrix, *pair))])
    normalised = MacenkoNormaliser().transform(image)
    scaled = density(image) @ np.linalg.pinv(REFERENCE.matrix) @ REFERENCE.matrix
    exact = np.clip(240 * np.exp(-scaled), 0, 255).reshape(image.shape)
    assert np.abs(normalised - np.floor(exact)).max() <= 1
    with pytest.raises(DataError, match="expected a target with both stains"):
        MacenkoNormaliser().fit(image)


def test_the_reference_is_the_published_one_and_cannot_be_changed():
    assert REFERENCE.matrix.tolist() == [[0.5626, 0.7201, 0.4062], [0.2159, 0.8012, 0.5581]]
    assert REFERENCE.max_concentrations.tolist() == [1.9705, 1.0308]
    with pytest.raises(ValueError, match="read-only"):
        estimate_macenko(HOPELESS["white"]).matrix[0, 0] = 1


def test_a_hundred_pixels_and_one_percent_are_enough():
    tissue = mix(np.random.default_rng(1).uniform(0.5, 2, (1, 20000, 2)))[0]
    # At exactly 1 %, the 99th percentile is still the glass's, which is below 0.
    for side, few, enough in ((20, 99, 100), (60, 99, 100), (200, 399, 420), (200, 400, 420)):
        for n in (few, enough):
            image = np.full((side * side, 3), 243, np.uint8)
            image[:n] = tissue[:n]
            assert estimate_macenko(image.reshape(side, side, 3)).fallback is (n == few), (side, n)


@settings(deadline=None, max_examples=200)
@given(images, st.integers(1, 6))
def test_no_image_gives_anything_but_numbers(image, repeats):
    image = np.tile(image, (repeats, repeats, 1))
    estimate = estimate_macenko(image)
    assert np.isfinite(estimate.matrix).all()
    assert np.all(estimate.max_concentrations > 0)
    assert estimate.matrix[0, 0] >= estimate.matrix[1, 0]
    separation = separate(image)
    assert np.isfinite(separation.concentrations).all()
    apart = recombine(separation, 0, 1) - slow_fading(image, estimate.matrix, 0, 1)
    assert np.abs(apart).max() <= 1  # one colour in a whole tile may lie on a rounding edge
    assert MacenkoNormaliser().transform(image).shape == image.shape


def test_a_huge_tile_has_the_stains_of_its_parts(tiles):
    image = np.tile(tiles[0], (47, 47, 1))
    part, whole = estimate_macenko(tiles[0]), estimate_macenko(image)
    np.testing.assert_allclose(whole.matrix, part.matrix, atol=2e-3)
    np.testing.assert_allclose(whole.max_concentrations, part.max_concentrations, rtol=1e-2)


# -- Batches, views, errors, cache


def test_a_batch_is_normalised_image_by_image(tiles):
    batch = np.stack(tiles[:5])
    before = batch.copy()
    normaliser = MacenkoNormaliser().fit(tiles[-1])
    one_by_one = np.stack([normaliser.transform(image) for image in batch])
    np.testing.assert_array_equal(normaliser.transform(batch), one_by_one)
    np.testing.assert_array_equal(batch, before)
    assert normaliser.transform(batch[:0]).shape == (0, 64, 64, 3)


def test_views_and_read_only_arrays_are_as_good_as_copies(tiles):
    for view in (tiles[0][::-1], tiles[0][:, :, ::-1], tiles[-1].transpose(1, 0, 2)):
        copy = view.copy()
        copy.flags.writeable = False
        a, b = separate(view), separate(copy)
        np.testing.assert_array_equal(a.concentrations, b.concentrations)
        np.testing.assert_array_equal(recombine(a, 0.5), recombine(b, 0.5))
        np.testing.assert_array_equal(
            MacenkoNormaliser().transform(view), MacenkoNormaliser().transform(copy)
        )


WRONG = [
    np.zeros((8, 8, 3)),
    np.zeros((8, 8), np.uint8),
    np.zeros((8, 8, 4), np.uint8),
    np.zeros((0, 8, 3), np.uint8),
    "tile.png",
]


@pytest.mark.parametrize("image", WRONG, ids=lambda image: f"{np.shape(image)}")
@pytest.mark.parametrize(
    "function", [estimate_macenko, separate, MacenkoNormaliser().fit, MacenkoNormaliser().transform]
)
def test_only_rgb_images_of_bytes_are_separated(function, image):
    with pytest.raises(ConfigError, match=r"expected a? ?uint8 images?, RGB \(H, W, 3\)"):
        function(image)
    with pytest.raises(ConfigError, match=r"expected a uint8 image, RGB \(H, W, 3\), got"):
        separate(image, REFERENCE)


@pytest.mark.parametrize(
    "options",
    [{"io": 0}, {"io": np.nan}, {"alpha": -1}, {"alpha": 50}, {"alpha": np.nan}, {"beta": -0.1}],
    ids=str,
)
def test_impossible_settings_are_refused(tiles, options):
    with pytest.raises(ConfigError, match=f"expected .*{next(iter(options))}.* got"):
        estimate_macenko(tiles[0], **options)


@pytest.mark.parametrize(
    "matrix", [np.eye(3), [H, H], [H, [0, 0, 0]], [H, [np.nan, 0, 1]], [1, 2, 3]], ids=str
)
def test_a_matrix_that_is_not_of_two_stains_is_refused(tiles, matrix):
    wrong = StainEstimate(np.array(matrix), np.ones(2))
    with pytest.raises(ConfigError, match=r"expected a matrix \(2, 3\) of two different stains"):
        separate(tiles[0], wrong)


@pytest.mark.parametrize("pair", [(-0.1, 1), (1, 1.1), (np.nan, 1), (1, None)])
def test_multipliers_outside_0_to_1_are_refused(tiles, pair):
    with pytest.raises(ConfigError, match=r"expected a multiplier of .* from 0 to 1, got"):
        recombine(separate(tiles[0]), *pair)


# -- Stronger stains


@pytest.mark.parametrize("pair", [(1.5, 1.5), (2.0, 0.5), (0.3, 1.0), (1.0, 3.0), (20.0, 0.0)])
def test_scaled_stains_are_those_of_float64(tiles, pair):
    """Negative shares are added: as it is written, for stronger and for weaker stains."""
    matrices = [estimate_macenko(tile).matrix for tile in tiles]
    agree(
        (scale_stains(tile, *pair), slow_fading(tile, matrix, *pair))
        for tile, matrix in zip(tiles, matrices, strict=True)
    )


@settings(max_examples=25, deadline=None)
@given(images, st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_weaker_stains_are_recombinations(image, haematoxylin, eosin):
    expected = recombine(separate(image), haematoxylin, eosin)
    np.testing.assert_array_equal(scale_stains(image, haematoxylin, eosin), expected)


@settings(max_examples=25, deadline=None)
@given(images)
def test_multipliers_of_1_give_the_image_back(image):
    scaled = scale_stains(image, 1, 1)
    np.testing.assert_array_equal(scaled, image)
    assert not np.shares_memory(scaled, image)


def test_added_stain_multiplies_what_was_mixed():
    """Known amounts of two stains: half as much again of one, and the other as it was."""
    amounts = np.random.default_rng(0).uniform(0.05, 0.6, (64, 64, 2))
    # Corners of one stain alone, so that the extreme colours are the stains.
    amounts[:16, :, 1], amounts[-16:, :, 0] = 0, 0
    image = mix(amounts)
    scaled = scale_stains(image, 1.0, 1.5)
    expected = mix(amounts * (1.0, 1.5))
    assert np.abs(scaled.astype(int) - expected).mean() < 2
    assert np.abs(image.astype(int) - expected).mean() > 8


def test_more_stain_is_darker_and_monotone(tiles):
    """Where a pixel has both stains, every step of either takes light away."""
    tile = tiles[0]
    both = (separate(tile).concentrations > 0).all(axis=0)
    for stain in (0, 1):
        pairs = [(m, 1.0) if stain == 0 else (1.0, m) for m in (1.0, 1.3, 2.0, 5.0, 1e3, 1e300)]
        levels = np.array([scale_stains(tile, *pair)[both] for pair in pairs]).astype(int)
        assert (np.diff(levels, axis=0) <= 0).all()
        assert levels[-1].mean() < 0.1 * levels[0].mean()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("huge", [1e30, 1e39, 1e300])
def test_huge_multipliers_leave_grey_levels(tiles, huge):
    for pair in ((huge, huge), (huge, 0), (1, huge)):
        assert scale_stains(tiles[0], *pair).shape == tiles[0].shape


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), "1"])
def test_multipliers_below_0_are_refused(tiles, value):
    for pair, stain in (((value, 1), "haematoxylin"), ((1, value), "eosin")):
        with pytest.raises(ConfigError, match=f"a multiplier of {stain} of at least 0"):
            scale_stains(tiles[0], *pair)


def test_what_was_compiled_is_kept():
    code = (
        "import numpy as np; from sdlib import stain; from sdlib.stain import extremes, kernels\n"
        "image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)\n"
        "stain.recombine(stain.separate(image), .5); stain.MacenkoNormaliser().transform(image)\n"
        "kept = (kernels.optical_density, kernels.unmix, kernels.fade, kernels.remix,\n"
        "        extremes.find_neighbours)\n"
        "print(sum(sum(f.stats.cache_misses.values()) for f in kept))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert runs[1].stdout.strip() == "0"
