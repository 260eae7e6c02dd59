"""Tiles of small slides against the regions, masks and metrics that they are made of."""

import numpy as np
import pytest

from sdlib.errors import ConfigError, DataError
from sdlib.metrics import laplacian_variance
from sdlib.slides import LabelRule, cut_tiles, open_slide

RULE = LabelRule(positive=(2,), negative=(0, 1), threshold=0.5)


@pytest.fixture
def image(picture):
    """Tissue on the left, glass on the right."""
    image = picture(640, 320)
    image[:, 320:] = 245
    return image


@pytest.fixture
def path(tmp_path, image, write_slide):
    return write_slide(tmp_path / "a.tiff", image)


@pytest.fixture
def mask_path(tmp_path, write_slide):
    """Cancer in the upper half."""
    image = np.zeros((320, 640, 3), np.uint8)
    image[:160, :, 0], image[160:, :, 0] = 2, 1
    return write_slide(
        tmp_path / "a_mask.tiff", image, compression="deflate", region_shrink="nearest"
    )


def test_tiles_are_the_slides_regions_row_by_row(path):
    with open_slide(path) as slide:
        tiles = list(cut_tiles(slide, size=128, overlap=0.25))
        # A step of 96 px; the last column and the last row reach beyond the border.
        places = [(x, y) for y in (0, 96, 192) for x in (0, 96, 192, 288, 384, 480, 576)]
        assert [(tile.x, tile.y) for tile in tiles] == places[: len(tiles)]
        assert len(tiles) == len(places)
        for tile in tiles:
            np.testing.assert_array_equal(tile.image, slide.read(0, tile.x, tile.y, 128, 128))
            assert (tile.size_0, tile.mpp, tile.label) == (128, 0.5, None)
            assert tile.sharpness == laplacian_variance(tile.image)
            assert tile.image.dtype == np.uint8


def test_at_a_levels_resolution_its_pixels_are_used(path):
    with open_slide(path) as slide:
        tiles = list(cut_tiles(slide, 64, 0, mpp=1.0))
        assert len(tiles) == 5 * 3
        for tile in tiles:
            assert (tile.size_0, tile.mpp) == (128, 1.0)
            region = slide.read(1, tile.x // 2, tile.y // 2, 64, 64)
            np.testing.assert_array_equal(tile.image, region)


def test_between_levels_a_larger_region_is_averaged(path, image):
    with open_slide(path) as slide:
        first = next(cut_tiles(slide, 64, 0, mpp=0.75))
    assert (first.size_0, first.mpp) == (96, 0.75)
    cells = image[:96, :96].astype(float).repeat(2, axis=0).repeat(2, axis=1)
    expected = cells.reshape(64, 3, 64, 3, 3).mean(axis=(1, 3))
    assert np.abs(first.image - expected).mean() < 3


def test_background_is_left_out_unread(path, monkeypatch):
    with open_slide(path) as slide:
        everything = list(cut_tiles(slide, 64, 0))
        chosen = cut_tiles(slide, 64, 0, max_background=0.5)
        read = []
        plain = slide.read
        monkeypatch.setattr(slide, "read", lambda *place: read.append(place) or plain(*place))
        kept = list(chosen)
    assert len(read) == len(kept)
    assert len(everything) == 50
    assert all(tile.background <= 0.5 for tile in kept)
    assert {(tile.x, tile.y) for tile in kept} == {
        (tile.x, tile.y) for tile in everything if tile.background <= 0.5
    }
    assert {tile.x for tile in kept} == {0, 64, 128, 192, 256}


def test_labels(path, mask_path):
    with open_slide(path) as slide, open_slide(mask_path) as mask:
        tiles = list(cut_tiles(slide, 160, 0, mask=mask, rule=RULE))
        assert [tile.label for tile in tiles] == [1, 1, 1, 1, 0, 0, 0, 0]
        # A quarter of the tile at y 128 is cancer, less than the rule wants.
        shifted = list(cut_tiles(slide, 128, 0, border="shift", mask=mask, rule=RULE))
        assert [tile.y for tile in shifted if tile.x == 0] == [0, 128, 192]
        assert [tile.label for tile in shifted if tile.x == 0] == [1, 0, 0]


def test_tiles_that_nobody_judged_are_left_out(path, mask_path):
    rule = LabelRule(positive=(2,), negative=(0,), ignored=(1,))
    with open_slide(path) as slide, open_slide(mask_path) as mask:
        tiles = list(cut_tiles(slide, 160, 0, mask=mask, rule=rule))
    assert [(tile.y, tile.label) for tile in tiles] == [(0, 1)] * 4


def test_damaged_tile_is_refused_when_it_is_reached(tmp_path, image, write_slide, damage):
    path = write_slide(tmp_path / "broken.tiff", image)
    damage(path, 8, "half")  # row 1, column 3 of tiles of 128 px, in a grid of 5 x 3
    with open_slide(path) as slide:
        tiles = cut_tiles(slide, 128, 0)
        assert len([next(tiles) for _ in range(8)]) == 8
        with pytest.raises(DataError, match=r"broken.tiff.*x 384, y 128 .*level 0, cannot be read"):
            next(tiles)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_background": 1.5}, "expected max_background from 0 to 1"),
        ({"rule": RULE}, "expected a mask and a rule together"),
        ({"size": 0}, "expected size of at least 1"),
    ],
)
def test_wrong_arguments_are_refused_before_the_first_tile(path, options, said):
    with open_slide(path) as slide, pytest.raises(ConfigError, match=said):
        cut_tiles(slide, **options)


def test_mask_of_another_slide(path, tmp_path, picture, write_slide):
    other = write_slide(tmp_path / "b_mask.tiff", picture(600, 320), compression="deflate")
    with (
        open_slide(path) as slide,
        open_slide(other) as mask,
        pytest.raises(DataError, match=r"expected a mask of 640 x 320 px.*, got 600 x 320 in .*b_"),
    ):
        cut_tiles(slide, mask=mask, rule=RULE)
