"""Procedural tissue: tiles have the factors that they were given, and nothing else changes."""

from __future__ import annotations

import zlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, cross_val_score

from sdlib import phantoms
from sdlib.errors import ConfigError
from sdlib.phantoms import (
    COHORTS,
    FACTORS,
    FIELD_UM,
    SCANNERS,
    draw_tiles,
    histology,
    render,
    stain_matrix,
    tabulate,
)
from sdlib.phantoms.chance import WORD, bits
from sdlib.phantoms.glands import place_glands
from sdlib.phantoms.nuclei import basal_nuclei, secretory_nuclei
from sdlib.phantoms.tile import HistologyTile
from sdlib.phantoms.tissue import paint
from sdlib.report.factor_baseline import factor_matrix, reader

SIZE = 224


@pytest.fixture(scope="module")
def tiles():
    return draw_tiles(12, seed=7)


@pytest.fixture(scope="module")
def columns():
    return tabulate(draw_tiles(12_000, seed=1))


def area(outline):
    """Shoelace formula, um2, of (n, points, 2)."""
    x, y = outline[..., 0], outline[..., 1]
    return 0.5 * np.abs((x * np.roll(y, -1, 1) - y * np.roll(x, -1, 1)).sum(1))


def mask_of(polygons):
    mask = np.zeros((SIZE, SIZE), np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [np.rint(polygon * SIZE / FIELD_UM).astype(np.int32)], 1)
    return mask


def mask_of_nuclei(nuclei):
    mask, scale = np.zeros((SIZE, SIZE), np.uint8), SIZE / FIELD_UM
    for x, y, a, b, angle in zip(
        nuclei.x, nuclei.y, nuclei.long, nuclei.wide, nuclei.angle, strict=True
    ):
        box = ((x * scale, y * scale), (2 * a * scale, 2 * b * scale), angle)
        cv2.ellipse(mask, box, 1, -1)
    return mask


def grown(mask, pixels):
    return cv2.dilate(mask, np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)).astype(bool)


def changed(before, after, jpeg=False):
    return (render(before, SIZE, jpeg) != render(after, SIZE, jpeg)).any(-1)


def reach(tile):
    """Pixels that OpenCV's Gaussian extends, and two for drawn edges."""
    return int(np.ceil(4 * SIZE / FIELD_UM / tile.sharpness)) + 3


def test_names_can_be_imported_from_both_modules():
    for name in histology.__all__:
        assert getattr(phantoms, name, None) in (None, getattr(histology, name))
    assert histology.HistologyTile is phantoms.HistologyTile is HistologyTile
    assert histology.FIELD_UM == phantoms.FIELD_UM == 192
    assert phantoms.PHANTOM_VERSION == histology.PHANTOM_VERSION == 1


# -- Draws


def test_one_seed_draws_what_it_draws_among_others():
    """A lone seed is mixed by Python's integers, many by NumPy's."""
    index = np.arange(9)
    for seed in (0, 1, 12345, 2**63 - 1):
        alone = bits("gland", seed, index, channels=3)
        np.testing.assert_array_equal(alone, bits("gland", np.full(9, seed), index, channels=3))


def test_bits_are_those_of_splitmix64():
    """The generator as published, written out on Python's integers."""

    def finalised(x):
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & WORD
        x = (x ^ x >> 27) * 0x94D049BB133111EB & WORD
        return x ^ x >> 31

    golden, name = 0x9E3779B97F4A7C15, zlib.crc32(b"gland")
    start = finalised(5 + name * golden & WORD)
    expected = [finalised(start + (7 * 16 + lane) * golden & WORD) for lane in (1, 2)]
    assert bits("gland", 5, 7, channels=2)[:, 0].tolist() == expected


def test_classes_are_balanced_and_patients_have_both():
    columns = tabulate(draw_tiles(120, seed=3))
    assert columns["target"].sum() == 60
    for patient in np.unique(columns["patient"]):
        assert set(columns["target"][columns["patient"] == patient]) == {0, 1}
    assert abs(2 * tabulate(draw_tiles(7, seed=3))["target"].sum() - 7) == 1


@pytest.mark.parametrize("cohort", COHORTS)
def test_patients_centres_and_scanners_are_the_cohorts(cohort):
    columns = tabulate(draw_tiles(2 * COHORTS[cohort].n_patients, 0, cohort))
    assert len(set(columns["patient"])) == COHORTS[cohort].n_patients
    assert all(patient.startswith(cohort) for patient in columns["patient"])
    assert set(columns["centre"]) == {COHORTS[cohort].centre}
    assert set(columns["scanner"]) == {COHORTS[cohort].scanners[0]}


def test_a_tile_does_not_depend_on_how_many_are_drawn():
    assert draw_tiles(61, seed=2)[:7] == draw_tiles(7, seed=2)
    assert draw_tiles(7, seed=2) != draw_tiles(7, seed=3)


def test_another_scanner_sees_the_same_tissue():
    first, second = draw_tiles(1, 5)[0], draw_tiles(1, 5, scanner="flash3")[0]
    assert second == replace(first, scanner="flash3", sharpness=second.sharpness)
    for a, b in zip(paint(first, 64), paint(second, 64), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", [name for name in FACTORS if name != "gland_share"])
def test_factors_follow_their_table(columns, name):
    factor = FACTORS[name]
    scanner = SCANNERS["axioscan"].sharpness if name == "sharpness" else 1
    for target in (0, 1):
        drawn = np.median(columns[name][columns["target"] == target]) / scanner
        spread = factor.sd * (factor.centre[target] if factor.scale == "log" else 1)
        assert abs(drawn - factor.centre[target]) < 0.12 * spread


@pytest.mark.parametrize("name", ["nuclear_size", "haematoxylin", "eosin"])
def test_patients_resemble_themselves(columns, name):
    """One-way analysis of variance recovers the patient's share."""
    values = np.log(columns[name][columns["target"] == 1])
    patient = columns["patient"][columns["target"] == 1]
    means = [values[patient == p].mean() for p in np.unique(patient)]
    within = np.mean([values[patient == p].var() for p in np.unique(patient)])
    share = np.var(means) / (np.var(means) + within)
    assert share == pytest.approx(FACTORS[name].patient_share, abs=0.06)


def test_the_classes_overlap_but_can_be_told_apart(columns):
    groups, targets = columns["patient"], columns["target"]
    x = factor_matrix(columns)
    scores = cross_val_score(reader(), x, targets, groups=groups, cv=GroupKFold(5))
    assert 0.965 < scores.mean() < 0.985


def test_colour_says_little_of_the_class():
    drawn = draw_tiles(600, seed=11)
    images = np.stack([render(tile, 32) for tile in drawn]).astype(float)
    x = np.concatenate([images.mean((1, 2)), images.std((1, 2))], axis=1)
    columns = tabulate(drawn)
    scores = cross_val_score(
        reader(), x, columns["target"], groups=columns["patient"], cv=GroupKFold(5)
    )
    assert scores.mean() < 0.79  # .73 on many tiles


# -- Pixels


@pytest.mark.parametrize("size", [16, 64, 97, 224])
def test_rendering_is_deterministic_uint8(tiles, size):
    image = render(tiles[0], size)
    assert image.shape == (size, size, 3)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, render(tiles[0], size))
    assert (image != render(tiles[1], size)).mean() > 0.5


def test_pixels_do_not_know_the_target(tiles):
    for tile in tiles[:2]:
        other = replace(tile, target=1 - tile.target, patient="x", cohort="y")
        np.testing.assert_array_equal(render(tile, 64), render(other, 64))


def test_size_changes_the_sampling_alone(tiles):
    for tile in tiles[:4]:
        small = render(tile, 64, jpeg=False).astype(float)
        large = cv2.resize(render(tile, 448, jpeg=False), (64, 64), interpolation=cv2.INTER_AREA)
        assert np.corrcoef(small.ravel(), large.astype(float).ravel())[0, 1] > 0.97


@pytest.mark.parametrize("factor", ["hyperchromasia", "nuclear_size", "nucleolar_prominence"])
def test_nuclear_factors_reach_nuclei_alone(tiles, factor):
    for tile in tiles[:3]:
        other = replace(tile, **{factor: 1.2 * getattr(tile, factor)})
        where = mask_of_nuclei(secretory_nuclei(tile, place_glands(tile)))
        where |= mask_of_nuclei(secretory_nuclei(other, place_glands(other)))
        difference = changed(tile, other)
        assert difference.any()
        assert not difference[~grown(where, reach(tile))].any()


def test_basal_layer_reaches_its_new_nuclei_alone(tiles):
    tile = replace(tiles[0], basal_layer=0.2)
    more = replace(tile, basal_layer=0.5)
    before, after = (basal_nuclei(t, place_glands(t)) for t in (tile, more))
    added = after.within(~np.isin(after.x, before.x))
    assert len(before.x) + len(added.x) == len(after.x) > len(before.x)
    difference = changed(tile, more)
    assert difference.any()
    assert not difference[~grown(mask_of_nuclei(added), reach(tile))].any()


def test_glands_and_stroma_leave_each_other_alone(tiles):
    tile = replace(tiles[0], gland_density=150.0)
    glands = mask_of(place_glands(tile).outer)
    core = cv2.erode(glands, np.ones((2 * reach(tile) + 1,) * 2, np.uint8)).astype(bool)
    stroma = ~grown(glands, reach(tile))
    assert core.any()
    assert stroma.any()
    lumen = changed(tile, replace(tile, lumen_fraction=0.7))
    cells = changed(tile, replace(tile, stroma_cellularity=2500.0))
    assert lumen.any()
    assert cells.any()
    assert not lumen[stroma].any()
    assert not cells[core].any()


def test_jpeg_spreads_a_change_over_its_blocks_alone(tiles):
    tile = replace(tiles[0], gland_density=100.0)
    other = replace(tile, hyperchromasia=1.5 * tile.hyperchromasia)
    blocks = changed(tile, other).reshape(SIZE // 16, 16, SIZE // 16, 16).any((1, 3))
    # Decoders smooth the halved colour planes over one neighbouring pixel.
    allowed = grown(np.kron(blocks, np.ones((16, 16))).astype(np.uint8), 2)
    difference = changed(tile, other, jpeg=True)
    assert difference.any()
    assert not allowed.all()
    assert not difference[~allowed].any()


# -- Truth


def test_outlines_have_the_areas_of_their_factors():
    shares, radii = [], []
    for tile in draw_tiles(60, seed=4):
        tile = replace(tile, gland_size=24.0, gland_density=60.0, lumen_fraction=0.4, folding=0.1)
        glands = place_glands(tile)
        shares.append((area(glands.lumen) / area(glands.outer)).mean())
        radii.append(np.sqrt(area(glands.outer) / np.pi).mean())
    assert np.mean(shares) == pytest.approx(0.4, rel=0.05)
    assert np.mean(radii) == pytest.approx(24, rel=0.05)


@pytest.mark.parametrize("size", [2.5, 3.5])
def test_nuclei_take_the_area_of_their_size(size):
    # Far apart in one layer, and nothing else that is dark.
    alone = {"basal_layer": 0.0, "stroma_cellularity": 0.0, "inflammation": 0.0, "folding": 0.0}
    sparse = {"gland_density": 80.0, "gland_size": 30.0, "nuclear_spacing": 14.0}
    plain = {"nuclear_size": size, "hyperchromasia": 1.2, "nucleolar_prominence": 0.0}
    side, measured, expected = 896, 0.0, 0.0
    for tile in draw_tiles(6, seed=8):
        tile = replace(tile, **alone, **sparse, **plain)
        nuclei = secretory_nuclei(tile, place_glands(tile))
        rim = np.minimum.reduce([nuclei.x, nuclei.y, FIELD_UM - nuclei.x, FIELD_UM - nuclei.y])
        # Those cut by the border count with neither.
        cut = cv2.resize(mask_of_nuclei(nuclei.within(rim < 6)), (side, side))
        dark = (paint(tile, side)[0] > 0.6) & ~grown(cut, 6)
        measured += dark.sum() * (FIELD_UM / side) ** 2
        expected += (np.pi * nuclei.long * nuclei.wide)[rim >= 6].sum()
    assert measured == pytest.approx(expected, rel=0.06)


def test_nuclei_are_as_dark_as_hyperchromasia():
    tile = replace(draw_tiles(1, seed=8)[0], nucleolar_prominence=0.0, nuclear_size=4.0)
    values = np.array([0.8, 1.0, 1.2, 1.4])
    measured = []
    for value in values:
        dark = replace(tile, hyperchromasia=value)
        nuclei = secretory_nuclei(dark, place_glands(dark))
        core = cv2.erode(mask_of_nuclei(nuclei), np.ones((3, 3), np.uint8)).astype(bool)
        measured.append(paint(dark, SIZE)[0][core].mean())
    np.testing.assert_allclose(np.array(measured) / values, 1.0, atol=0.12)


@pytest.mark.parametrize("cohort", COHORTS)
def test_optical_density_lies_in_the_plane_of_the_stains(cohort):
    for tile in draw_tiles(3, 6, cohort):
        scanner = SCANNERS[tile.scanner]
        image = np.maximum(render(tile, SIZE, jpeg=False).astype(float), 1)
        density = -np.log(image / scanner.white) / scanner.gamma
        matrix = stain_matrix(tile)
        normal = np.cross(matrix[:, 0], matrix[:, 1])
        off = (density @ normal / np.linalg.norm(normal)).mean()
        assert abs(off) < 0.02 * np.linalg.norm(density, axis=-1).mean()


def test_stain_amounts_scale_the_recovered_concentrations():
    tile = replace(draw_tiles(1, seed=6)[0], sharpness=4.0, haematoxylin=0.6, eosin=0.6)
    scanner, inverse = SCANNERS[tile.scanner], np.linalg.pinv(stain_matrix(tile))

    def recovered(tile):
        image = np.maximum(render(tile, SIZE, jpeg=False).astype(float), 1)
        return (-np.log(image / scanner.white) @ inverse.T).mean((0, 1))

    base = recovered(tile)
    more = recovered(replace(tile, haematoxylin=0.9)) / base
    np.testing.assert_allclose(more, [1.5, 1.0], atol=0.05)
    np.testing.assert_allclose(recovered(replace(tile, eosin=0.9)) / base, [1.0, 1.5], atol=0.05)


def test_sharper_scans_have_a_larger_laplacian(tiles):
    def variance(sharpness):
        image = render(replace(tiles[0], sharpness=sharpness), SIZE, jpeg=False)
        return cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()

    values = [variance(sharpness) for sharpness in (0.4, 0.7, 1.0, 1.4, 2.0)]
    assert np.all(np.diff(values) > 0)


# -- Bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda tile: render(tile, 15), "size of at least 16 px, got 15"),
        (lambda tile: draw_tiles(0, 0), "n of at least 1"),
        (lambda tile: draw_tiles(2, -1), "seed of at least 0"),
        (lambda tile: draw_tiles(2, 0, "nowhere"), "development, later, external, got 'nowhere'"),
        (lambda tile: draw_tiles(2, 0, "later", "flash3"), r"cohort later \(axioscan\)"),
    ],
)
def test_bad_input_is_named(tiles, call, message):
    with pytest.raises(ConfigError, match=message):
        call(tiles[0])
