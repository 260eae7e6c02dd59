"""Separating and fading stains against torchstain's NumPy back-end, tile by tile, one core."""

from importlib.metadata import version

import numpy as np
import pytest
from torchstain.numpy.normalizers.macenko import NumpyMacenkoNormalizer

from sdlib.phantoms import draw_tiles, render
from sdlib.stain import MacenkoNormaliser, estimate_macenko, fade_levels, recombine, separate

PEER = f"torchstain {version('torchstain')} (numpy)"
ROUNDS = {224: 9, 1024: 5}
TILES = {224: 4, 1024: 1}
AT_LEAST, AT_LEAST_22 = 8, 9
TENTHS = [m / 10 for m in range(10, -1, -1)]
LEVELS = [(m, 1.0) for m in TENTHS] + [(1.0, m) for m in TENTHS]


@pytest.fixture(scope="module")
def tiles():
    drawn = draw_tiles(8, seed=0)
    return {size: [render(tile, size) for tile in drawn[:n]] for size, n in TILES.items()}


def report(line, what, seconds, n, wanted):
    """A line of the table; returns by how much the first of both variants is faster."""
    (ours, fast), (theirs, slow) = seconds.items()
    ratio = slow / fast
    measured, against = f"{n / fast:.1f} tiles/s", f"{theirs}, {n / slow:.1f} tiles/s"
    line((f"{what}: {ours}", measured, against, f"{ratio:.1f}", f"at least {wanted}"))
    return ratio


@pytest.mark.parametrize("size", TILES)
def test_estimate_separate_recombine(tiles, alternate, line, size):
    """torchstain estimates, separates and recombines with the target's stains; no stain images."""
    peer = NumpyMacenkoNormalizer()

    def ours():
        for tile in tiles[size]:
            recombine(separate(tile, estimate_macenko(tile)), 0.5, 1.0)

    def at_once():
        for tile in tiles[size]:
            recombine(separate(tile), 0.5, 1.0)

    def theirs():
        for tile in tiles[size]:
            peer.normalize(tile, stains=False)

    names = "recombine(separate(tile))", "the same, estimate given", PEER
    seconds = alternate(dict(zip(names, (at_once, ours, theirs), strict=True)), ROUNDS[size])
    n, what = len(tiles[size]), f"estimate, separate, recombine, {size} px"
    ratios = [
        report(line, what, {name: seconds[name], PEER: seconds[PEER]}, n, AT_LEAST)
        for name in names[:2]
    ]
    assert ratios[0] >= AT_LEAST


@pytest.mark.parametrize("size", TILES)
def test_normalisation(tiles, alternate, line, size):
    ours, theirs = MacenkoNormaliser(), NumpyMacenkoNormalizer()
    calls = {
        "MacenkoNormaliser": lambda: [ours.transform(tile) for tile in tiles[size]],
        PEER: lambda: [theirs.normalize(tile, stains=False) for tile in tiles[size]],
    }
    seconds = alternate(calls, ROUNDS[size])
    what = f"normalisation, {size} px"
    assert report(line, what, seconds, len(tiles[size]), AT_LEAST) >= AT_LEAST


class TorchstainLevels(NumpyMacenkoNormalizer):
    """Its own steps with one separation for all levels: it has no call for it."""

    def fade(self, tile, levels, io=240):
        matrix, concentrations, _ = self._NumpyMacenkoNormalizer__compute_matrices(
            tile, io, 1, 0.15
        )
        faded = []
        for level in levels:
            left = concentrations * np.array(level)[:, None]
            image = np.multiply(io, np.exp(-matrix.dot(left)))
            image[image > 255] = 255
            faded.append(np.reshape(image.T, tile.shape).astype(np.uint8))
        return faded


def test_22_levels_of_stain(tiles, alternate, line):
    peer, size = TorchstainLevels(), 224
    calls = {
        "fade_levels": lambda: [fade_levels(separate(tile), LEVELS) for tile in tiles[size]],
        f"{PEER}, one separation": lambda: [peer.fade(tile, LEVELS) for tile in tiles[size]],
    }
    seconds = alternate(calls, ROUNDS[size])
    ratio = report(line, f"22 levels of stain, {size} px", seconds, len(tiles[size]), AT_LEAST_22)
    assert ratio >= AT_LEAST_22
