"""The greyscale pipeline: pictures worked out by hand, twins of every depth, pydicom, bad tags."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_windowing

from sdlib.errors import ConfigError
from sdlib.films import FilmTags, LookupTable, Window, render_film

#: A picture of 4 x 4 px: black and white, their neighbours, and values with every bit in use.
PICTURE = np.array([[0, 1, 2, 3], [63, 64, 85, 100], [127, 128, 129, 170], [200, 253, 254, 255]])
DEPTHS = (8, 10, 12, 14, 16)


def grey(stored, **tags):
    return render_film(np.asarray(stored), FilmTags(**tags)).tolist()


# Worked out by hand from PS3.3 C.11.2.1.2.1, centre 10 and width 5: black up to 9.5 - 2 = 7.5,
# white above 11.5, and ((x - 9.5) / 4 + .5) of 255 between: 8 gives 1/8, 9 3/8, 10 5/8, 11 7/8.
RAMP = np.array([[0, 5, 7, 8], [9, 10, 11, 12], [13, 14, 15, 255], [8, 9, 10, 11]], np.uint8)
LINEAR = [[0, 0, 0, 32], [96, 159, 223, 255], [255, 255, 255, 255], [32, 96, 159, 223]]
# C.11.2.1.3.2, centre 10 and width 4: black up to 8, white above 12, and (x - 10) / 4 + .5 between.
EXACT = [[0, 0, 0, 0], [64, 128, 191, 255], [255, 255, 255, 255], [0, 64, 128, 191]]
# C.11.2.1.3.1, centre 10 and width 4: 1 / (1 + exp(10 - x)). At 8 that is 1 / (1 + e^2) = .1192,
# at 9 .2689, at 11 .7311, at 12 .8808, at 7 .0474, at 5 .0067, at 13 .9526, 14 .9820, 15 .9933.
SIGMOID = [[0, 2, 12, 30], [69, 128, 186, 225], [243, 250, 253, 255], [30, 69, 128, 186]]


def inverse(picture):
    return [[255 - level for level in row] for row in picture]


def test_linear_window_by_hand():
    assert grey(RAMP, window=Window(10, 5)) == LINEAR


def test_exact_window_by_hand():
    assert grey(RAMP, window=Window(10, 4, "LINEAR_EXACT")) == EXACT


def test_sigmoid_window_by_hand():
    assert grey(RAMP, window=Window(10, 4, "SIGMOID")) == SIGMOID


def test_narrowest_window_is_a_step():
    # Of width 1: black up to c - .5, white above.
    assert grey(RAMP[1:2, :2], window=Window(10, 1)) == [[0, 255]]


def test_monochrome1_is_inverted_after_the_window():
    assert grey(RAMP, window=Window(10, 5), inverted=True) == inverse(LINEAR)


def test_rescaling_comes_before_the_window():
    # Stored 2 x - 20 is the value x of the ramp again.
    stored = RAMP.astype(np.int16) * 2 - 20
    found = grey(stored, signed=True, slope=0.5, intercept=10.0, window=Window(10, 5))
    assert found == LINEAR


def test_negative_slope_turns_the_picture_but_not_the_range():
    # Values 20 - x: the window of centre 10 and width 4, exact, is symmetric about 10.
    found = grey(RAMP, slope=-1.0, intercept=20.0, window=Window(10, 4, "LINEAR_EXACT"))
    assert found[1] == [191, 128, 64, 0]
    assert found[2] == [0, 0, 0, 0]


def test_modality_table_comes_before_the_window_and_in_place_of_rescaling():
    # A table from 8 on: 8, 9, 10, 11 become 10, 9, 8, 11; smaller values 10, larger 11.
    table = LookupTable(8, np.array([10, 9, 8, 11]), 8)
    found = grey(RAMP, modality_table=table, slope=7.0, intercept=-3.0, window=Window(10, 5))
    assert found == [
        [159, 159, 159, 159],
        [96, 32, 223, 223],
        [223, 223, 223, 223],
        [159, 96, 32, 223],
    ]


def test_voi_table_takes_the_place_of_the_window():
    # Twelve bits: 0, 4095 / 5, 4095 and 819 * 3 are 0, 51, 255 and 153 of 255.
    table = LookupTable(9, np.array([0, 819, 4095, 2457]), 12)
    found = grey(RAMP, voi_table=table, window=Window(10, 5))
    assert found == [[0, 0, 0, 0], [0, 51, 255, 153], [153, 153, 153, 153], [0, 0, 51, 255]]


def test_a_table_of_eight_bits_has_more_than_256_places():
    # pydicom counts the places of such a table modulo 256.
    table = LookupTable(0, np.repeat([0, 100, 200, 255], 256), 8)
    stored = np.array([[0, 255, 256, 511], [512, 767, 768, 1023]], np.uint16)
    assert grey(stored, voi_table=table) == [[0, 0, 100, 100], [200, 200, 255, 255]]


def test_padding_is_black_and_sets_no_range():
    stored = np.array([[-2000, -1999, 0, 51], [102, 153, 204, 255]], np.int16)
    # The range is that of the rest, 0 to 255.
    black = {"padding": (-2000, -1999), "signed": True}
    assert grey(stored, **black) == [[0, 0, 0, 51], [102, 153, 204, 255]]
    assert grey(stored, **black, inverted=True) == [[0, 0, 255, 204], [153, 102, 51, 0]]
    # With a window it is black, too, although the window alone would show it white.
    low = np.array([[7, 8, 9, 10]], np.uint8)
    assert grey(low, padding=(7, 7), window=Window(10, 5), inverted=True) == [[0, 223, 159, 96]]


def test_a_film_without_a_range_is_black():
    assert grey(np.full((2, 2), 700, np.uint16)) == [[0, 0], [0, 0]]
    assert grey(np.full((2, 2), 700, np.uint16), inverted=True) == [[0, 0], [0, 0]]
    assert grey(np.full((2, 2), 7, np.uint8), padding=(7, 7)) == [[0, 0], [0, 0]]


def twin(bits, signed, inverted, how):
    """Stored values and tags of a film that must look like :data:`PICTURE`."""
    top = 2**bits - 1
    levels = np.rint(PICTURE * top / 255).astype(np.int64)
    if inverted:
        levels = top - levels
    shift = 2 ** (bits - 1) if signed else 0
    stored = (levels - shift).astype(f"{'i' if signed else 'u'}{1 if bits == 8 else 2}")
    tags = {"signed": signed, "inverted": inverted}
    if how == "window":
        tags["window"] = Window(2 ** (bits - 1) - shift, 2**bits)
    elif how == "exact window":
        tags["window"] = Window(top / 2 - shift, top, "LINEAR_EXACT")
    elif how == "rescaled window":
        # Values run from -100 to 155.
        tags |= {"slope": 255 / top, "intercept": -100 + shift * 255 / top}
        tags["window"] = Window(27.5, 255, "LINEAR_EXACT")
    elif how == "table":
        tags["voi_table"] = LookupTable(-shift, np.arange(top + 1), bits)
    elif how == "modality table":
        tags["modality_table"] = LookupTable(-shift, np.arange(top + 1), bits)
        tags["window"] = Window(2 ** (bits - 1), 2**bits)
    return stored, tags


HOW = ("window", "exact window", "rescaled window", "table", "modality table", "range")


@pytest.mark.parametrize(
    ("bits", "signed", "inverted", "how"),
    itertools.product(DEPTHS, (False, True), (False, True), HOW),
)
def test_every_depth_and_interpretation_gives_the_picture_of_its_8_bit_twin(
    bits, signed, inverted, how
):
    stored, tags = twin(bits, signed, inverted, how)
    np.testing.assert_array_equal(render_film(stored, FilmTags(**tags)), PICTURE)


@pytest.mark.parametrize("bits", DEPTHS)
def test_signed_values_that_were_written_unsigned(bits):
    stored, tags = twin(bits, True, False, "window")
    unsigned = stored.view(stored.dtype.str.replace("i", "u"))
    np.testing.assert_array_equal(render_film(unsigned, FilmTags(**tags)), PICTURE)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
    st.floats(-3000, 3000),
    st.floats(1, 5000),
    st.floats(0.01, 4),
    st.floats(-2000, 2000),
    st.integers(0, 2**32 - 1),
)
def test_pydicom_gives_the_same_to_a_level(function, centre, width, slope, intercept, seed):
    """Where pydicom's range is right: rescaling with a positive slope, then a window."""
    stored = np.random.default_rng(seed).integers(0, 4096, (4, 4), dtype=np.uint16)
    dataset = Dataset()
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelRepresentation, dataset.BitsStored = 0, 12
    dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
    dataset.WindowCenter, dataset.WindowWidth = centre, width
    dataset.VOILUTFunction = function
    with np.errstate(over="ignore"):
        shown = apply_windowing(apply_modality_lut(stored, dataset), dataset)
    share = (shown - intercept) / (4095 * slope)
    tags = FilmTags(slope=slope, intercept=intercept, window=Window(centre, width, function))
    # Halves may be rounded either way, after sums in another order.
    assert np.abs(render_film(stored, tags) - share * 255).max() <= 0.5 + 1e-6


@given(st.integers(0, 65535), st.integers(1, 400), st.booleans())
def test_a_window_keeps_the_order_of_values(centre, width, inverted):
    stored = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    levels = render_film(stored, FilmTags(inverted, window=Window(centre, width))).ravel()
    steps = np.diff(levels.astype(int))
    assert (steps <= 0).all() if inverted else (steps >= 0).all()


def test_the_film_is_left_alone():
    stored = np.arange(16, dtype=np.uint16).reshape(4, 4)
    stored.flags.writeable = False
    render_film(stored, FilmTags(signed=True, padding=(0, 3)))
    np.testing.assert_array_equal(stored.ravel(), np.arange(16))


@pytest.mark.parametrize(
    "stored",
    [
        np.zeros((2, 2, 3), np.uint8),
        np.zeros((2, 2), np.float32),
        np.zeros((2, 2), np.int32),
        np.zeros((0, 2), np.uint8),
    ],
)
def test_what_is_no_film(stored):
    with pytest.raises(ConfigError, match=r"stored values \(H, W\) of 8 or 16 bits, got"):
        render_film(stored, FilmTags())
