"""All levels with shared work against level by level, and blur against OpenCV's own."""

import cv2
import numpy as np
import pytest

from sdlib.phantoms import draw_tiles, render
from sdlib.shifts import LEVELS, apply, blur, iter_levels

TILES = {64: 16, 224: 4}
SHARED_AT_LEAST = 1.5
BLUR_AT_MOST = 1.25  # with room for the clock's noise: a call of 0.1 ms is measured


@pytest.fixture(scope="module")
def tiles():
    drawn = draw_tiles(16, seed=0)
    return {size: np.stack([render(tile, size) for tile in drawn[:n]]) for size, n in TILES.items()}


@pytest.mark.parametrize("size", TILES)
def test_all_levels_share_their_work(tiles, alternate, line, size):
    images = tiles[size]
    calls = {
        "iter_levels": lambda: [shifted.shape for _, shifted in iter_levels(images)],
        "apply, level by level": lambda: [apply(images, level).shape for level in LEVELS],
    }
    seconds = alternate(calls, rounds=7)
    fast, slow = seconds.values()
    rates = [f"{len(images) / each:.0f} tiles/s" for each in (fast, slow)]
    against = f"one Macenko estimate a level, {rates[1]}"
    ratio, wanted = f"{slow / fast:.1f}", f"at least {SHARED_AT_LEAST}"
    line((f"iter_levels, 52 levels, {size} px", rates[0], against, ratio, wanted))
    assert slow / fast >= SHARED_AT_LEAST


@pytest.mark.parametrize("n", [5, 20])
def test_blur_costs_what_opencvs_does(tiles, alternate, line, n):
    images = tiles[224]

    def many(function):
        def run():
            for _ in range(50):
                function()

        return run

    calls = {
        "blur": many(lambda: blur(images, n)),
        "OpenCV": many(lambda: np.stack([cv2.blur(image, (n, n)) for image in images])),
    }
    seconds = alternate(calls, rounds=15)
    ratio = seconds["blur"] / seconds["OpenCV"]
    rates = [f"{50 * len(images) / each:.0f} tiles/s" for each in seconds.values()]
    against = f"cv2.blur, OpenCV {cv2.__version__}, {rates[1]}"
    what, wanted = f"blur, n = {n}, 224 px", f"at most {BLUR_AT_MOST} of its time"
    line((what, rates[0], against, f"{ratio:.2f}", wanted))
    assert ratio <= BLUR_AT_MOST
