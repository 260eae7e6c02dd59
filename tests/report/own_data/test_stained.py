"""What counts as H&E: drawn tissue does; photographs, brown stains and grey images do not."""

import numpy as np
import pytest

from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError
from sdlib.phantoms import draw_tiles, render
from sdlib.report.own_data.stained import is_stained, pink_or_purple

KINDS = {"purple": (120, 60, 150), "pink": (230, 150, 190)}
OTHERS = {"skin": (200, 150, 120), "brown stain": (130, 90, 60), "retina": (180, 80, 30)}


def plain(colour, n=1):
    noise = np.random.default_rng(0).integers(-20, 20, (n, 32, 32, 1))
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)


def tiles(images):
    n = len(images)
    return TileSet(np.asarray(images), np.arange(n) % 2, np.arange(n).astype(str))


def test_drawn_tissue():
    images = [render(tile, 64) for tile in draw_tiles(4, seed=0)]
    assert is_stained(tiles(images))
    assert min(map(pink_or_purple, images)) > 0.9


@pytest.mark.parametrize("colour", KINDS.values(), ids=KINDS)
def test_the_colours_of_stains(colour):
    assert pink_or_purple(plain(colour)[0]) > 0.9


@pytest.mark.parametrize("colour", [*OTHERS.values(), (90, 90, 90)], ids=[*OTHERS, "grey"])
def test_other_colours(colour):
    assert pink_or_purple(plain(colour)[0]) < 0.1
    assert not is_stained(tiles(plain(colour, 4)))


@pytest.mark.parametrize("value", [0, 255])
def test_black_and_white(value):
    assert pink_or_purple(np.full((8, 8, 3), value, np.uint8)) == 0


def test_the_median_image_decides():
    images = np.concatenate([plain(KINDS["pink"], 3), plain(OTHERS["skin"], 2)])
    assert is_stained(tiles(images))
    assert not is_stained(tiles(images[2:]))


def test_the_user_is_believed():
    grey = tiles(plain((90, 90, 90), 2))
    assert is_stained(grey, "yes")
    assert not is_stained(tiles(plain(KINDS["pink"], 2)), "no")
    with pytest.raises(ConfigError, match="unknown choice for stains 'maybe'"):
        is_stained(grey, "maybe")
