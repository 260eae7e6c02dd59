"""The order of sources, junk that is no resolution, conflicts, the user's table."""

import pytest

from sdlib.errors import DataError
from sdlib.slides import find_resolution, open_slide, plan_grid, read_resolutions

OPENSLIDE = {"openslide.mpp-x": "0.25", "openslide.mpp-y": "0.25"}
APERIO = {"aperio.MPP": "0.5"}
TIFF = {
    "tiff.XResolution": "10000",
    "tiff.YResolution": "10000",
    "tiff.ResolutionUnit": "centimeter",
}


@pytest.mark.parametrize(
    ("table", "properties", "mpp", "source"),
    [
        ({"a.tiff": 0.1}, OPENSLIDE | APERIO | TIFF, 0.1, "the table"),
        ({"a": 0.1}, OPENSLIDE | APERIO | TIFF, 0.1, "the table"),
        ({"b.tiff": 0.1}, OPENSLIDE | APERIO | TIFF, 0.25, "openslide.mpp-x"),
        ({}, APERIO | TIFF, 0.5, "aperio.MPP"),
        ({}, TIFF, 1.0, "TIFF resolution"),
    ],
)
def test_the_first_source_counts(table, properties, mpp, source):
    found = find_resolution("folder/a.tiff", properties, table)
    assert (found.mpp, found.source) == (mpp, source)


@pytest.mark.parametrize(
    ("properties", "mpp"),
    [
        ({"mirax.LAYER_0_LEVEL_0_SECTION.MICROMETER_PER_PIXEL_X": "0.23",
          "mirax.LAYER_0_LEVEL_0_SECTION.MICROMETER_PER_PIXEL_Y": "0.23"}, 0.23),
        ({"philips.DICOM_PIXEL_SPACING": '"0.00025" "0.00025"'}, 0.25),
        ({"ventana.ScanRes": "0.46"}, 0.46),
        ({"tiff.ImageDescription": "Aperio Image|AppMag = 20|MPP = 0.4990|Left = 1"}, 0.499),
        ({"tiff.ImageDescription": '<Pixels PhysicalSizeX="0.24" PhysicalSizeXUnit="um">'}, 0.24),
        ({"tiff.XResolution": "50800", "tiff.YResolution": "50800",
          "tiff.ResolutionUnit": "inch"}, 0.5),
    ],
)  # fmt: skip
def test_vendors_keys_and_units(properties, mpp):
    assert find_resolution("a.tiff", properties).mpp == pytest.approx(mpp)


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"tiff.XResolution": "72", "tiff.YResolution": "72", "tiff.ResolutionUnit": "inch"},
        {"tiff.XResolution": "20", "tiff.YResolution": "20", "tiff.ResolutionUnit": "none"},
        {"openslide.mpp-x": "1000", "openslide.mpp-y": "1000"},
        {"openslide.mpp-x": "nan", "openslide.mpp-y": "nan"},
        {"openslide.mpp-x": "0.5"},
        {"aperio.MPP": "unknown"},
        {"aperio.MPP": "0"},
    ],
)
def test_what_is_no_resolution(properties):
    assert find_resolution("a.tiff", properties) is None


def test_conflict_is_a_sentence_and_small_differences_are_none():
    found = find_resolution("x/a.tiff", OPENSLIDE | APERIO | TIFF)
    assert found.conflict == (
        "a.tiff: 0.25 microns per pixel by openslide.mpp-x, but 0.5 by aperio.MPP, "
        "1 by TIFF resolution; 0.25 is used"
    )
    near = find_resolution("a.tiff", OPENSLIDE | {"aperio.MPP": "0.2521"})
    assert near.conflict == ""


def test_pixels_that_are_not_square():
    slight = {"openslide.mpp-x": "0.25", "openslide.mpp-y": "0.26"}
    assert find_resolution("a.tiff", slight).mpp == pytest.approx(0.255)
    strong = {"openslide.mpp-x": "0.25", "openslide.mpp-y": "0.5"}
    with pytest.raises(DataError, match=r"square pixels in a.tiff, got 0.25 x 0.5 microns"):
        find_resolution("a.tiff", strong)
    assert find_resolution("a.tiff", strong, {"a": 0.25}).mpp == 0.25


def test_slide_without_resolution_has_three_ways_out(tmp_path, picture, write_slide):
    """libvips writes one pixel a millimetre where it is told nothing."""
    path = write_slide(tmp_path / "a.tiff", picture(300, 200), xres=1, yres=1)
    table = tmp_path / "mpp.csv"
    table.write_text("slide,mpp\na,0.5\n")
    with open_slide(path) as slide:
        assert slide.mpp is None
        assert plan_grid(slide, 100).mpp is None
        with pytest.raises(DataError) as caught:
            plan_grid(slide, 100, mpp=1.0)
    for way in ("resolutions=", "resolution tags", "mpp=None"):
        assert way in str(caught.value)
    with open_slide(path, resolutions=table) as slide:
        assert plan_grid(slide, 100, mpp=1.0).mpp == 1.0


# -- The user's table


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_table_with_other_columns_and_a_byte_order_mark(tmp_path, separator):
    lines = (["scanner", "slide", " mpp "], ["x", "a.svs", "0.25"], ["y", "b", " 0.5 "])
    text = "\n".join(separator.join(line) for line in lines)
    path = tmp_path / "mpp.csv"
    path.write_text(text, encoding="utf-8-sig")
    assert read_resolutions(path) == {"a.svs": 0.25, "b": 0.5}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected the columns slide and mpp in .*, got nothing"),
        ("file,mpp\na,1\n", "expected the columns slide and mpp in .*, got file, mpp"),
        ("slide,mpp\na,0.5\nb,fast\n", "in row 3 of .*, got 'b' and 'fast'"),
        ("slide,mpp\na,250\n", "from 0.02 to 50 in row 2 of .*, got 'a' and '250'"),
        ("slide,mpp\na\n", "in row 2 of .*, got 'a' and ''"),
        ("slide,mpp\n,0.5\n", "in row 2 of .*, got '' and '0.5'"),
        ("slide,mpp\na,0.5\na,0.25\n", "expected each slide once, got a again in row 3"),
    ],
)
def test_wrong_tables(tmp_path, text, said):
    path = tmp_path / "mpp.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        read_resolutions(path)


def test_table_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_resolutions(tmp_path / "none.csv")
    path = tmp_path / "latin.csv"
    path.write_bytes("slide,mpp\nä,1\n".encode("latin-1"))
    with pytest.raises(DataError, match="it is not UTF-8 text"):
        read_resolutions(path)
