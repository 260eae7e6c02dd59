"""Regions of a tiled JPEG pyramid by libvips against openslide, which must give the same pixels."""

import numpy as np
import openslide
import pytest
import pyvips

from sdlib.phantoms import draw_tiles, render
from sdlib.slides import open_slide, tile_step

SIDE, REGIONS, ROUNDS = 8192, 24, 5
PEER = f"openslide {openslide.__library_version__}"
#: Side of the tiles in the file and of the region. Four tiles of 512 px around a region of 512 px
#: take as long to decode as a third of openslide's time: there libvips can only come near 3.
WANTED = {(256, 512): 3, (256, 1024): 3, (512, 512): 2, (512, 1024): 3}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Pyramids of phantom tissue by the side of their tiles."""
    folder = tmp_path_factory.mktemp("slides")
    blocks = [render(tile, 1024) for tile in draw_tiles(4, seed=0)]
    side = range(SIDE // 1024)
    rows = [np.concatenate([blocks[(3 * i + j) % 4] for j in side], axis=1) for i in side]
    image = pyvips.Image.new_from_array(np.concatenate(rows))
    found = {}
    for tile in (256, 512):
        found[tile] = folder / f"{tile}.tiff"
        how = {"tile_width": tile, "tile_height": tile, "xres": 2000, "yres": 2000}
        image.tiffsave(found[tile], tile=True, pyramid=True, compression="jpeg", Q=80, **how)
    return found


def places(kind, size):
    """Random corners, other ones at each call; or those of a grid with an overlap of .2."""
    if kind == "random":
        rng = np.random.default_rng(size)
        while True:
            yield rng.integers(0, SIDE - size, (REGIONS, 2)).tolist()
    starts = range(0, SIDE - size, tile_step(size, 0.2))
    grid = [(x, y) for y in starts for x in starts]
    while True:
        grid = [*grid[REGIONS:], *grid[:REGIONS]]
        yield grid[:REGIONS]


@pytest.mark.parametrize("kind", ["random", "strided"])
@pytest.mark.parametrize(("tile", "size"), WANTED)
def test_regions(files, alternate, line, tile, size, kind):
    peer = openslide.OpenSlide(str(files[tile]))
    slide = open_slide(files[tile])
    assert slide.reader == "libvips"

    def theirs(x, y):
        return np.asarray(peer.read_region((x, y), 0, (size, size)).convert("RGB"))

    def ours(x, y):
        return slide.read(0, x, y, size, size)

    for x, y in next(places(kind, size)):
        np.testing.assert_array_equal(ours(x, y), theirs(x, y))

    def reading(read):
        corners = places(kind, size)
        return lambda: [read(x, y) for x, y in next(corners)]

    seconds = alternate({"ours": reading(ours), "theirs": reading(theirs)}, ROUNDS)
    each = {name: 1000 * value / REGIONS for name, value in seconds.items()}
    ratio, wanted = each["theirs"] / each["ours"], WANTED[tile, size]
    line(
        (
            f"{size} px, {kind}, file of {tile} px tiles: Slide.read by libvips",
            f"{each['ours']:.1f} ms",
            f"{PEER}, {each['theirs']:.1f} ms",
            f"{ratio:.1f}",
            f"at least {wanted}",
        )
    )
    assert ratio >= wanted
