"""Labels by counting; masks in their slide's place, at every level."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from sdlib.errors import ConfigError, DataError
from sdlib.slides import LabelRule, open_slide, plan_grid, read_mask, tile_label

RADBOUD = LabelRule(positive=(3, 4, 5), negative=(0, 1, 2), threshold=0.1)


@given(
    arrays(np.uint8, st.tuples(st.integers(4, 12), st.integers(4, 12)), elements=st.integers(0, 5)),
    st.floats(0.01, 1),
    st.sampled_from(["tile", "centre"]),
)
def test_label_is_the_rule_counted_by_hand(mask, threshold, where):
    rule = LabelRule((3, 4), (1, 2), (0, 5), threshold, where)
    height, width = mask.shape
    top, left = (height // 4, width // 4) if where == "centre" else (0, 0)
    rows = mask[top : height - top, left : width - left].tolist()
    counts = Counter(value for row in rows for value in row)
    positive, negative = counts[3] + counts[4], counts[1] + counts[2]
    expected = None
    if positive + negative:
        expected = int(positive >= threshold * (positive + negative))
    assert tile_label(mask, rule) == expected


def test_threshold_itself_is_enough():
    mask = np.zeros((10, 10), np.uint8)
    mask.flat[:9] = 4
    assert tile_label(mask, RADBOUD) == 0
    mask.flat[9] = 5
    assert tile_label(mask, RADBOUD) == 1


def test_value_that_no_rule_knows_is_named():
    mask = np.full((4, 4), 7, np.uint8)
    with pytest.raises(DataError, match=r"values of 0, 1, 2, 3, 4, 5 in a_mask, got 7: is it the"):
        tile_label(mask, RADBOUD, "a_mask")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"positive": ()}, "at least one positive value"),
        ({"positive": (0, 1)}, "each value in one list"),
        ({"positive": (256,)}, "a value of the mask from 0 to 255"),
        ({"positive": (1,), "threshold": 0}, "expected a threshold above 0"),
        ({"positive": (1,), "threshold": 1.1}, "expected threshold from 0 to 1"),
        ({"positive": (1,), "where": "center"}, "expected where of tile, centre, got 'center'"),
    ],
)
def test_wrong_rules(options, said):
    with pytest.raises(ConfigError, match=said):
        LabelRule(**options)


@pytest.fixture
def classes():
    """Blocks of 32 px, so that averaging nowhere meets a border between levels."""
    blocks = np.random.default_rng(0).integers(0, 6, (16, 20), dtype=np.uint8)
    return np.kron(blocks, np.ones((32, 32), np.uint8))


@pytest.fixture
def write_mask(write_slide):
    def write(path, classes, **how):
        image = np.zeros((*classes.shape, 3), np.uint8)
        image[..., 0] = classes
        how = {"compression": "deflate", "region_shrink": "nearest", **how}
        return write_slide(path, image, **how)

    return write


@pytest.mark.parametrize(("mpp", "factor"), [(None, 1), (1.0, 2), (2.0, 4)])
@pytest.mark.parametrize("pyramid", [True, False])
def test_mask_is_read_where_the_tile_is(
    tmp_path, classes, write_mask, picture, write_slide, mpp, factor, pyramid
):
    height, width = classes.shape
    path = write_slide(tmp_path / "a.tiff", picture(width, height))
    mask_path = write_mask(tmp_path / "a_mask.tiff", classes, pyramid=pyramid)
    with open_slide(path) as slide, open_slide(mask_path) as mask:
        grid = plan_grid(slide, 64, 0.25, mpp)
        padded = np.pad(classes, ((0, 300), (0, 300)))
        for x, y in grid:
            found = read_mask(mask, grid, x, y)
            left, top, side = x * factor, y * factor, 64 * factor
            window = padded[top : top + side, left : left + side]
            np.testing.assert_array_equal(found, window[::factor, ::factor])
