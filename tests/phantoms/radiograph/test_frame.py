"""Coordinates of the patient and of the film, smooth curves, and quantiles of signatures."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.interpolate import CubicHermiteSpline

from sdlib.phantoms.radiograph import draw_films
from sdlib.phantoms.radiograph.frame import SHIFT, Frame, closed_curve
from sdlib.phantoms.radiograph.hospitals import Choice, Spread

FILM = draw_films(1, 0)[0]
UPRIGHT = replace(FILM, offset_x=0.0, offset_y=0.0, tilt=0.0, zoom=1.0)


@given(
    st.floats(-0.1, 0.1),
    st.floats(-0.1, 0.1),
    st.floats(-10, 10),
    st.floats(0.8, 1.2),
    st.sampled_from([64, 192, 194]),
)
@settings(max_examples=25, deadline=None)
def test_the_coarse_grid_undoes_the_place_of_the_patient(x, y, tilt, zoom, side):
    frame = Frame(replace(FILM, offset_x=x, offset_y=y, tilt=tilt, zoom=zoom), side)
    grid = np.stack(frame.coarse_grid(), -1)
    m = len(grid)
    rows, columns = np.mgrid[:m, :m] + 0.5
    expected = np.stack([columns, rows], -1) / m * side - 0.5
    np.testing.assert_allclose(frame.pixels(grid) / (1 << SHIFT), expected, atol=0.05)


def test_the_spine_of_an_upright_patient_is_in_the_middle():
    frame = Frame(UPRIGHT, 100)
    corners = frame.pixels(np.array([[-0.5, 0.0], [0.5, 1.0], [0.0, 0.5]])) / (1 << SHIFT)
    np.testing.assert_allclose(corners, [[-0.5, -0.5], [99.5, 99.5], [49.5, 49.5]], atol=0.05)
    turned = Frame(replace(UPRIGHT, tilt=90.0), 100)
    # Clockwise: the patient's head, above, goes to the right.
    head = turned.pixels(np.array([0.0, 0.0])) / (1 << SHIFT)
    np.testing.assert_allclose(head, [99.5, 49.5], atol=0.05)


@pytest.mark.parametrize("count", [4, 7, 18])
def test_curves_are_closed_catmull_rom_splines(count):
    points = np.random.default_rng(count).normal(size=(count, 2))
    around = np.arange(-1, count + 2)
    slopes = (np.roll(points, -1, 0) - np.roll(points, 1, 0)) / 2
    spline = CubicHermiteSpline(around, points[around % count], slopes[around % count])
    expected = spline(np.arange(8 * count) / 8)
    np.testing.assert_allclose(closed_curve(points), expected, atol=1e-12)


def test_filled_outlines_have_their_area():
    frame = Frame(UPRIGHT, 200)
    plane = frame.plane()
    square = np.array([[-0.2, 0.3], [0.2, 0.3], [0.2, 0.7], [-0.2, 0.7]])
    frame.fill(plane, np.stack([square, square + 0.05]), 255)
    # Two overlapping squares: no hole where they overlap.
    assert (plane > 127).mean() == pytest.approx(2 * 0.4**2 - 0.35**2, abs=0.01)


def test_choices_have_their_shares_and_spreads_their_quantiles():
    u = (np.arange(1000) + 0.5) / 1000
    values = Choice({"R": 3, "L": 1, "": 4}).values(u)
    assert [(values == name).sum() for name in ("R", "L", "")] == [375, 125, 500]
    numbers = Spread(5.0, 2.0).values(u)
    assert numbers.mean() == pytest.approx(5)
    assert numbers.std() == pytest.approx(2, rel=0.01)
    assert Spread(5.0, 2.0).values(np.array([1e-9, 1 - 1e-9])).tolist() == [-1.0, 11.0]
