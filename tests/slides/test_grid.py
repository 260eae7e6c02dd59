"""Places of tiles against brute force, HistoPrep's steps and the PESO count."""

from decimal import ROUND_DOWN, Decimal
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from sdlib.errors import ConfigError, DataError
from sdlib.slides import grid_starts, plan_grid, tile_step


def pyramid(width, height, downsamples=(1.0,), mpp=None):
    def known_mpp():
        if mpp is None:
            raise DataError("does not tell its microns per pixel")
        return mpp

    return SimpleNamespace(
        level_dimensions=[(int(width / d), int(height / d)) for d in downsamples],
        level_downsamples=list(downsamples),
        mpp=mpp,
        known_mpp=known_mpp,
    )


def test_steps_of_the_papers_tiles():
    assert tile_step(512, 0.2) == 410
    assert tile_step(1024, 0.2) == 820


@given(st.integers(1, 3000), st.integers(0, 999))
def test_step_is_the_decimal_rule(size, thousandths):
    overlap = Decimal(thousandths) / 1000
    cut = (size * overlap).to_integral_value(ROUND_DOWN)
    assert tile_step(size, float(overlap)) == size - int(cut)


@pytest.mark.parametrize(("border", "a_region"), [("pad", 36), ("shift", 36), ("drop", 25)])
def test_peso_regions(border, a_region):
    """160 regions of 2500 px, 512 px tiles, 20 % overlap: 5,760 starts before background goes."""
    grid = plan_grid(pyramid(2500, 2500), 512, 0.2, border=border)
    assert len(grid) == len(list(grid)) == a_region
    assert border == "drop" or 160 * len(grid) == 5760


lengths = st.integers(1, 600)
sizes = st.integers(1, 80)


@given(lengths, sizes, st.integers(1, 80), st.sampled_from(["pad", "shift", "drop"]))
def test_starts_by_brute_force(length, size, step, border):
    step = min(step, size)
    seen = np.zeros(length + 2 * size, bool)
    expected = []
    for start in range(0, length, step):
        if start and seen[:length].all():
            break
        seen[start : start + size] = True
        expected.append(start)
    if border == "shift" and expected[-1] + size > length:
        expected[-1] = max(0, length - size)
    if border == "drop":
        expected = [start for start in expected if start + size <= length]
    assert list(grid_starts(length, size, step, border)) == expected


@given(lengths, sizes, st.floats(0, 0.9))
def test_padded_and_shifted_tiles_cover_everything_and_dropped_ones_stay_inside(
    length, size, overlap
):
    step = tile_step(size, round(overlap, 2))
    for border in ("pad", "shift"):
        seen = np.zeros(length + size, bool)
        for start in grid_starts(length, size, step, border):
            seen[start : start + size] = True
        assert seen[:length].all()
    inside = grid_starts(length, size, step, "drop")
    assert all(start + size <= length for start in inside)
    shifted = grid_starts(length, size, step, "shift")
    assert length < size or all(start + size <= length for start in shifted)


@pytest.mark.parametrize(
    ("mpp", "level", "read_size", "found"),
    [
        (None, 0, 500, 0.25),
        (0.25, 0, 500, 0.25),
        (0.26, 0, 500, 0.25),  # within 5 %
        (0.5, 0, 1000, 0.5),
        (1.0, 1, 500, 1.0),
        (0.97, 1, 500, 1.0),  # within 5 % of a coarser level
        (2.0, 1, 1000, 2.0),
        (4.1, 2, 500, 4.0),
        (16.0, 2, 2000, 16.0),
    ],
)
def test_level_and_size_for_a_target(mpp, level, read_size, found):
    grid = plan_grid(pyramid(40_000, 30_000, (1.0, 4.0, 16.0), 0.25), 500, 0.2, mpp)
    assert (grid.level, grid.read_size) == (level, read_size)
    assert grid.mpp == pytest.approx(found)
    assert grid.size_0 == read_size * (1, 4, 16)[level]


def test_starts_of_larger_regions_do_not_drift():
    """A step of 80 px of a tile is 123.07.. px of the level: start k is its k-fold, rounded."""
    grid = plan_grid(pyramid(20_000, 300, mpp=0.325), 100, 0.2, mpp=0.5)
    assert grid.read_size == 154
    exact = np.arange(len(grid.xs)) * 80 * 154 / 100
    np.testing.assert_array_equal(grid.xs, np.floor(exact + 0.5))
    assert grid.mpp == pytest.approx(0.5, rel=0.01)


def test_places_are_row_by_row():
    grid = plan_grid(pyramid(250, 120), 100, 0)
    assert list(grid) == [(0, 0), (100, 0), (200, 0), (0, 100), (100, 100), (200, 100)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": 0}, "expected size of at least 1"),
        ({"size": 1.5}, "expected size of at least 1, a whole number"),
        ({"overlap": 1}, "expected overlap below 1"),
        ({"overlap": -0.1}, "expected overlap from 0 to 1"),
        ({"overlap": float("nan")}, "expected overlap from 0 to 1"),
        ({"border": "mirror"}, "expected a border of pad, shift, drop, got 'mirror'"),
        ({"mpp": 0.1}, "expected mpp of at least the slide's own 0.25, got 0.1"),
        ({"mpp": float("inf")}, "microns per pixel to be a finite number above 0, .*, got inf"),
        ({"mpp": 0}, "microns per pixel to be a finite number above 0, .*, got 0"),
        ({"mpp": 10**400}, "microns per pixel to be a finite number above 0, .*, got 1000"),
        ({"mpp": 1e308}, "expected tiles that are read from at most 32768 px a side, got"),
        ({"mpp": 1e4}, r"read from at most 32768 px a side, got .* px of level 0: choose smaller"),
        ({"size": 40_000}, "read from at most 32768 px a side, got 40000 px of level 0"),
    ],
)
def test_wrong_values_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        plan_grid(pyramid(1000, 1000, mpp=0.25), **options)


def test_target_needs_a_resolution():
    with pytest.raises(DataError, match="does not tell its microns per pixel"):
        plan_grid(pyramid(1000, 1000), mpp=0.5)
