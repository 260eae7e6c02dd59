"""Tags from DICOM's JSON form and from data sets: the same, whatever form they came in."""

import base64
import re
import warnings

import numpy as np
import pytest
from pydicom.dataset import Dataset

from sdlib.errors import DataError
from sdlib.films import FilmTags, Window, film_tags, parse_json_tags
from tests.films.dicom_files import lookup


def element(vr, *values):
    return {"vr": vr, "Value": list(values)}


def read(content, name="a.json"):
    return film_tags(parse_json_tags(content, name), name)


def voi_table(first=0, entries=(0, 100, 255), bits=8, **data):
    item = {
        "00283002": element("US", len(entries), first, bits),
        "00283006": data or element("US", *entries),
    }
    return {"00283010": element("SQ", item)}


@pytest.mark.parametrize(
    ("centre", "width"),
    [
        (element("DS", "2048"), element("DS", "4096")),
        (element("DS", 2048), element("DS", 4096.0)),
        (element("DS", "2048 ", "600"), element("DS", " 4096", "300")),
        ({"Value": ["2048"]}, {"Value": [4096]}),
    ],
)
def test_window_as_text_as_numbers_several_and_without_vr(centre, width):
    tags = read({"00281050": centre, "00281051": width})
    assert tags.window == Window(2048, 4096, "LINEAR")
    assert tags.has_window


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"00281050": element("DS", "2048")},
        {"00281051": element("DS", "4096")},
        {"00281050": element("DS"), "00281051": element("DS", "1")},
        {"00281050": {"vr": "DS"}, "00281051": element("DS", "1")},
        {"00281050": element("DS", None), "00281051": element("DS", "1")},
        {"00283010": element("SQ")},
        {"00283010": {"vr": "SQ"}},
        {"00283010": element("SQ", {"00283002": element("US", 1, 0, 8)})},
    ],
)
def test_half_a_window_is_none(content):
    tags = read(content)
    assert tags.window is None
    assert tags.voi_table is None
    assert not tags.has_window


def test_what_is_not_needed_may_be_wrong():
    tags = read({"00080020": 7, "00100010": {"vr": "??"}, "nonsense": []})
    assert (tags.inverted, tags.slope, tags.intercept) == (False, 1, 0)


@pytest.mark.parametrize(
    ("text", "inverted"), [("MONOCHROME1", True), (" 'monochrome1'", True), ("MONOCHROME2 ", False)]
)
def test_photometric_interpretation(text, inverted):
    assert read({"00280004": element("CS", text)}).inverted is inverted


def test_function_of_the_window():
    content = {
        "00281050": element("DS", "1"),
        "00281051": element("DS", ".5"),
        "00281056": element("CS", "SIGMOID"),
    }
    assert read(content).window == Window(1, 0.5, "SIGMOID")


@pytest.mark.parametrize(
    ("data", "bits"),
    [
        ({}, 8),
        ({"vr": "OW", "InlineBinary": base64.b64encode(bytes([0, 100, 255, 0])).decode()}, 8),
        (
            {"vr": "OW", "InlineBinary": base64.b64encode(bytes([0, 0, 100, 0, 255, 0])).decode()},
            12,
        ),
    ],
)
def test_table_as_numbers_and_as_bytes(data, bits):
    table = read(voi_table(bits=bits, **data)).voi_table
    assert (table.first, table.bits) == (0, bits)
    assert table.entries.tolist() == [0, 100, 255]


def test_a_table_has_the_last_word_over_the_window():
    content = {**voi_table(), "00281050": element("DS", "1"), "00281051": element("DS", "2")}
    tags = read(content)
    assert tags.voi_table is not None
    assert tags.window == Window(1, 2)


def test_a_table_of_65536_entries_is_written_as_0():
    content = voi_table()
    item = content["00283010"]["Value"][0]
    item["00283002"] = element("US", 0, 0, 16)
    item["00283006"] = element("US", *range(65536))
    assert len(read(content).voi_table.entries) == 65536


def test_a_long_table_whose_descriptor_was_read_as_signed():
    content = voi_table(bits=16)
    item = content["00283010"]["Value"][0]
    item["00283002"] = element("SS", 40000 - 65536, 0, 16)
    item["00283006"] = element("US", *range(40000))
    assert len(read(content).voi_table.entries) == 40000


def test_odd_texts_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read({"00280004": element("CS", "'monochrome1'    ")}).inverted


def test_nothing_is_below_zero_after_a_modality_table():
    table = voi_table(bits=16)["00283010"]
    content = {**voi_table(first=65036), "00283000": table, "00280103": element("US", 1)}
    assert read(content).voi_table.first == 65036


def test_first_value_below_zero():
    signed = {"00280103": element("US", 1)}
    # Written unsigned, as the VR US forces it: 65036 is -500.
    assert read({**voi_table(first=65036), **signed}).voi_table.first == -500
    assert read(voi_table(first=65036)).voi_table.first == 65036
    rescaled = {"00281052": element("DS", "-1024"), "00281053": element("DS", "1")}
    assert read({**voi_table(first=65036), **rescaled}).voi_table.first == -500


def test_padding():
    value, limit = {"00280120": element("US", 63536)}, {"00280121": element("US", 63540)}
    signed = {"00280103": element("US", 1)}
    assert read(value).padding == (63536, 63536)
    assert read({**value, **signed}).padding == (-2000, -2000)
    assert read({**value, **limit, **signed}).padding == (-2000, -1996)
    # The limit may be the smaller end.
    swapped = {"00280120": element("US", 9), "00280121": element("US", 0)}
    assert read(swapped).padding == (0, 9)
    assert read(limit).padding is None


def test_a_data_set_of_a_file_gives_the_same():
    dataset = Dataset()
    dataset.PhotometricInterpretation = "MONOCHROME1"
    dataset.PixelRepresentation = 1
    dataset.RescaleSlope, dataset.RescaleIntercept = "2", "-5"
    dataset.WindowCenter, dataset.WindowWidth = ["40", "50"], ["400", "500"]
    dataset.VOILUTSequence = lookup(-3, [0, 9, 255], 8)
    dataset.ModalityLUTSequence = lookup(0, [1, 2], 16)
    tags = film_tags(dataset, "a.dcm")
    again = film_tags(parse_json_tags(dataset.to_json_dict(), "a.json"), "a.json")
    for found in (tags, again):
        assert (found.inverted, found.signed, found.slope, found.intercept) == (True, True, 2, -5)
        assert found.window == Window(40, 400)
        assert found.voi_table.entries.tolist() == [0, 9, 255]
        assert found.modality_table.entries.tolist() == [1, 2]
    assert tags.voi_table.first == -3


def test_nothing_said_is_monochrome2_as_it_is():
    tags = film_tags(Dataset(), "a.dcm")
    assert tags.__dict__ == FilmTags().__dict__


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "expected tags by their numbers in a.json, got list"),
        ({"00280004": element("CS", "RGB")}, "of MONOCHROME1 or MONOCHROME2, got RGB in a.json"),
        ({"00281050": element("DS", "wide")}, "a.json is not in DICOM's JSON form .*'wide'"),
        ({"00281050": [1]}, "a.json is not in DICOM's JSON form"),
        ({"00281050": {"vr": "DS", "Value": "12"}}, "must be a list"),
        ({"00281053": element("DS", 0)}, "a rescale slope other than 0 in a.json"),
        ({"00281053": element("DS", "nan")}, "RescaleSlope to be a finite number in a.json"),
        (
            {"00281050": element("DS", 1), "00281051": element("DS", 0)},
            "a window width of at least 1 for LINEAR, got 0 in a.json",
        ),
        (
            {
                "00281050": element("DS", 1),
                "00281051": element("DS", -2),
                "00281056": element("CS", "SIGMOID"),
            },
            "a window width above 0 for SIGMOID, got -2",
        ),
        (
            {
                "00281050": element("DS", 1),
                "00281051": element("DS", 9),
                "00281056": element("CS", "CUBIC"),
            },
            "LINEAR, LINEAR_EXACT, SIGMOID, got CUBIC",
        ),
        (voi_table(bits=7), "a VOILUTSequence of 8 to 16 bits in a.json, got 7"),
        (voi_table(entries=(0, 256)), "expected 2 entries of 8 bits .* got 2 up to 256"),
        (
            {
                "00283010": element(
                    "SQ", {"00283002": element("US", 4, 0, 8), "00283006": element("US", 1, 2)}
                )
            },
            "expected 4 entries of 8 bits in the VOILUTSequence of a.json, got 2 up to 2",
        ),
        (
            {
                "00283010": element(
                    "SQ", {"00283002": element("US", 4, 0), "00283006": element("US", 1)}
                )
            },
            "expected three numbers to describe the VOILUTSequence",
        ),
        ({"00283010": element("SQ", 3)}, "a.json is not in DICOM's JSON form"),
    ],
)
def test_tags_that_cannot_be_used(content, said):
    with pytest.raises(DataError) as error:
        read(content)
    assert re.search(said, str(error.value))
    assert "\n" not in str(error.value)


def test_a_table_rounds_values_between_two_entries():
    table = read(voi_table(first=10)).voi_table
    assert table(np.array([10.4, 10.6, 9.0, 99.0])).tolist() == [0, 100, 0, 255]
