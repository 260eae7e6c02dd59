"""Films in files: DICOM in three syntaxes, PNG of 8 and 16 bits, and files that are none."""

import itertools
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
)

from sdlib.errors import DataError
from sdlib.films import (
    film_tags,
    parse_json_tags,
    read_dicom_film,
    read_png_film,
    read_stored_png,
)
from tests.films.dicom_files import film_dataset, lookup, write_dicom
from tests.films.test_greyscale import DEPTHS, PICTURE

SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)


def stored_picture(bits, signed, inverted):
    top = 2**bits - 1
    levels = np.rint(PICTURE * top / 255).astype(np.int64)
    levels = top - levels if inverted else levels
    kind = f"{'i' if signed else 'u'}{1 if bits == 8 else 2}"
    return (levels - (2 ** (bits - 1) if signed else 0)).astype(kind)


@pytest.mark.parametrize(
    ("bits", "signed", "inverted"), itertools.product(DEPTHS, (False, True), (False, True))
)
def test_dicom_file_and_png_with_json_give_one_picture(tmp_path, bits, signed, inverted):
    stored = stored_picture(bits, signed, inverted)
    shift = 2 ** (bits - 1) if signed else 0
    dataset = film_dataset(
        stored,
        bits,
        f"MONOCHROME{1 if inverted else 2}",
        WindowCenter=[2 ** (bits - 1) - shift, 7],
        WindowWidth=[2**bits, 3],
    )
    found = read_dicom_film(write_dicom(tmp_path / "a.dcm", dataset))
    np.testing.assert_array_equal(found, PICTURE)
    del dataset.PixelData
    tags = film_tags(parse_json_tags(dataset.to_json_dict(), "a.json"), "a.json")
    Image.fromarray(stored.view(stored.dtype.str.replace("i", "u"))).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_png_film(tmp_path / "a.png", tags), PICTURE)


@pytest.mark.parametrize(
    ("syntax", "signed", "packed"), itertools.product(SYNTAXES, (False, True), (None, "<u2"))
)
def test_tables_in_a_file(tmp_path, syntax, signed, packed):
    """Of implicit files the type of a table's descriptor depends on that of the pixels."""
    stored = stored_picture(12, signed, inverted=True)
    first = -2048 if signed else 0
    dataset = film_dataset(
        stored,
        12,
        "MONOCHROME1",
        syntax,
        ModalityLUTSequence=lookup(first, range(4096), 16, packed),
        VOILUTSequence=lookup(0, range(4096), 12, packed),
    )
    found = read_dicom_film(write_dicom(tmp_path / "a.dcm", dataset))
    np.testing.assert_array_equal(found, PICTURE)


def test_big_endian_file(tmp_path):
    stored = stored_picture(12, signed=False, inverted=False)
    dataset = film_dataset(stored, 12, syntax=ExplicitVRBigEndian)
    dataset.VOILUTSequence = lookup(0, range(4096), 12, ">u2")
    dataset.PixelData = stored.astype(">u2").tobytes()
    found = read_dicom_film(write_dicom(tmp_path / "a.dcm", dataset))
    np.testing.assert_array_equal(found, PICTURE)


def test_padding_and_rescaling_in_a_file(tmp_path):
    stored = stored_picture(12, signed=True, inverted=False)
    stored[0, 0] = -3000
    dataset = film_dataset(
        stored, 12, RescaleSlope="2", RescaleIntercept="7", PixelPaddingValue=-3000
    )
    # Sixteen bits hold the padding, which is below what twelve bits can.
    dataset.BitsStored, dataset.HighBit = 16, 15
    found = read_dicom_film(write_dicom(tmp_path / "a.dcm", dataset))
    # The darkest value left is 1 of 255: the rest is stretched by 255 / 254 from there.
    expected = np.rint((stored + 2048.0 - 16) / (4095 - 16) * 255)
    expected[0, 0] = 0
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("dtype", "mode"), [(np.uint8, "L"), (np.uint16, "I;16")])
def test_stored_values_of_a_png(tmp_path, dtype, mode):
    stored = np.array([[0, 1], [np.iinfo(dtype).max, 200]], dtype)
    Image.fromarray(stored).save(tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").mode == mode
    found = read_stored_png(tmp_path / "a.png")
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, stored)


def spoil_pixels(content):
    """Change one byte of the pixels; all else, also the checksum of the stream, is kept."""
    start = content.index(b"IDAT") + 4
    return content[: start + 6] + bytes([content[start + 6] ^ 1]) + content[start + 7 :]


def spoil_checksum(content):
    """Another, well-formed stream of pixels under the checksum of the old one."""
    place = content.index(b"IDAT")
    length = struct.unpack(">I", content[place - 4 : place])[0]
    raw = bytearray(zlib.decompress(content[place + 4 : place + 4 + length]))
    raw[1] ^= 1
    packed = zlib.compress(bytes(raw))
    rest = content[place + 4 + length :]
    return content[: place - 4] + struct.pack(">I", len(packed)) + b"IDAT" + packed + rest


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda content: content[: len(content) // 2], "is damaged"),
        (lambda content: b"", "is not a PNG file"),
        (lambda content: b"\xff\xd8" + content, "is not a PNG file"),
        (spoil_pixels, "is damaged"),
        (spoil_checksum, "is damaged"),
    ],
)
def test_damaged_png(tmp_path, spoil, said):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 65536, (40, 40), dtype=np.uint16)).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(spoil((tmp_path / "a.png").read_bytes()))
    with pytest.raises(DataError, match=said) as error:
        read_stored_png(tmp_path / "a.png")
    assert str(error.value).startswith(str(tmp_path / "a.png"))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "1", "LA"])
def test_png_that_is_not_grey(tmp_path, mode):
    Image.new(mode, (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=rf"grey values .* in .*a.png, got Pillow's mode {mode}"):
        read_stored_png(tmp_path / "a.png")


@pytest.mark.parametrize("read", [read_stored_png, read_dicom_film])
def test_no_file_and_a_folder(tmp_path, read):
    with pytest.raises(DataError, match=r"expected a film at .*nothing, found none"):
        read(tmp_path / "nothing")
    with pytest.raises(DataError, match=f"{tmp_path} cannot be read"):
        read(tmp_path)


def damaged_dicom(tmp_path, change):
    dataset = film_dataset(stored_picture(12, signed=False, inverted=False), 12)
    change(dataset)
    return write_dicom(tmp_path / "a.dcm", dataset)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda dataset: delattr(dataset, "PixelData"), "holds no image"),
        (lambda dataset: setattr(dataset, "Rows", 400), "cannot be decoded"),
        (lambda dataset: setattr(dataset, "PhotometricInterpretation", "RGB"), "got RGB in"),
        (
            lambda dataset: (setattr(dataset, "NumberOfFrames", 2), setattr(dataset, "Rows", 2)),
            "expected one grey image",
        ),
    ],
)
def test_dicom_that_is_no_film(tmp_path, change, said):
    path = damaged_dicom(tmp_path, change)
    with pytest.raises(DataError, match=said) as error:
        read_dicom_film(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_compression_without_a_decoder(tmp_path):
    dataset = film_dataset(stored_picture(8, signed=False, inverted=False), 8)
    dataset.file_meta.TransferSyntaxUID = JPEGLSLossless
    dataset.PixelData = encapsulate([bytes(64)])
    write_dicom(tmp_path / "a.dcm", dataset)
    with pytest.raises(DataError, match=r"a.dcm cannot be decoded: pydicom has no decoder here"):
        read_dicom_film(tmp_path / "a.dcm")


def test_a_text_file_is_no_dicom(tmp_path):
    (tmp_path / "a.dcm").write_text("a note")
    with pytest.raises(DataError, match=r"a.dcm is not a DICOM file"):
        read_dicom_film(tmp_path / "a.dcm")
