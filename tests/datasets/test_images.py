"""Reading images: Pillow and closed forms as oracles, and every broken file explained."""

import contextlib
import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from sdlib.datasets.images import fit_square, read_image
from sdlib.errors import DataError

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (13, 17, 3), dtype=np.uint8)


@pytest.fixture
def save(tmp_path):
    def save(image, name="tile.png", **options):
        path = tmp_path / name
        (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
        return path

    return save


@pytest.mark.parametrize("name", ["tile.png", "tile.tif", "tile.bmp"])
def test_rgb_is_returned_as_it_is(save, name):
    image = read_image(save(RGB, name))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, RGB)


def test_jpeg_equals_pillow(save):
    path = save(RGB, "tile.jpg", quality=80)
    np.testing.assert_array_equal(read_image(path), np.asarray(Image.open(path)))


def test_grey_is_repeated(save):
    np.testing.assert_array_equal(read_image(save(RGB[:, :, 0])), np.repeat(RGB[:, :, :1], 3, 2))


def test_bilevel_is_black_and_white(save):
    bits = RGB[:, :, 0] > 99
    np.testing.assert_array_equal(
        read_image(save(Image.fromarray(bits)))[:, :, 1], np.where(bits, 255, 0)
    )


def test_palette_colours_are_looked_up(save):
    palette = RNG.integers(0, 256, (256, 3), dtype=np.uint8)
    indices = RGB[:, :, 0]
    image = Image.fromarray(indices, "L")
    image.putpalette(palette.tobytes())
    np.testing.assert_array_equal(read_image(save(image)), palette[indices])


def test_transparent_palette_index_becomes_white(save):
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "L")
    image.putpalette(bytes([10, 20, 30, 40, 50, 60]))
    path = save(image, transparency=1)
    assert read_image(path).tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_transparency_is_laid_over_white(save):
    alpha = RNG.integers(0, 256, (13, 17, 1), dtype=np.uint8)
    image = read_image(save(np.concatenate([RGB, alpha], axis=2)))
    share = alpha / 255.0
    np.testing.assert_allclose(image, share * RGB + (1 - share) * 255, atol=1.01)
    grey_alpha = np.concatenate([RGB[:, :, :1], alpha], axis=2)
    over = share * RGB[:, :, :1] + (1 - share) * 255
    np.testing.assert_allclose(
        read_image(save(Image.fromarray(grey_alpha, "LA"))), np.repeat(over, 3, 2), atol=1.01
    )


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_sixteen_bits_are_scaled_over_the_full_range(save, name):
    values = np.array([[0, 128, 129, 255, 256, 257], [4095, 32767, 32768, 65278, 65407, 65535]])
    image = read_image(save(values.astype(np.uint16), name))
    assert image.shape == (2, 6, 3)
    np.testing.assert_array_equal(image[:, :, 0], np.rint(values / 65535 * 255))
    np.testing.assert_array_equal(image[:, :, 0], image[:, :, 2])


def test_big_endian_sixteen_bits(save):
    image = Image.frombytes("I;16B", (2, 1), bytes([0xFF, 0xFF, 0x01, 0x01]))
    assert read_image(save(image, "deep.tif"))[0, :, 0].tolist() == [255, 1]


def test_sixteen_bit_colour_keeps_the_scale(tmp_path):
    deep = RNG.integers(0, 65536, (5, 7, 3)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), deep[:, :, ::-1])
    np.testing.assert_allclose(read_image(tmp_path / "deep.png"), deep / 257, atol=1)


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_types_without_a_scale_are_refused(save, kind):
    path = save(np.full((2, 2), 300, kind), "deep.tif")
    with pytest.raises(DataError, match=r"mode [FI] in .*deep.tif \(row 4\): convert it"):
        read_image(path, "row 4")


def test_absent_file(tmp_path):
    with pytest.raises(DataError, match=r"an image file at .*a.png \(row 9 of manifest.csv\)"):
        read_image(tmp_path / "a.png", "row 9 of manifest.csv")
    with pytest.raises(DataError, match="found none"):
        read_image(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"no image at all", bytes(1000)])
def test_not_an_image(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match=r"a.png \(row 9\)"):
        read_image(tmp_path / "a.png", "row 9")


@pytest.mark.parametrize("name", ["tile.png", "tile.jpg", "tile.tif"])
def test_truncated_file(save, name):
    path = save(np.tile(RGB, (9, 9, 1)), name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"tile\.\w+ \(row 9\) cannot be decoded.*truncated"):
        read_image(path, "row 9")


def encoded(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(RGB).save(stream, kind)
    return stream.getvalue()


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "GIF"])
def test_damage_anywhere_is_an_image_or_an_explanation(tmp_path_factory, kind):
    whole, path = encoded(kind), tmp_path_factory.mktemp("damaged") / "a.img"

    @settings(deadline=None)  # a busy machine is no fault
    @given(st.integers(0, len(whole) - 1), st.integers(0, 255), st.integers(0, 20))
    def check(position, value, lost):
        damaged = bytearray(whole)
        damaged[position] = value
        path.write_bytes(damaged[: len(damaged) - lost])
        # Any other exception than a DataError fails the test.
        with contextlib.suppress(DataError):
            image = read_image(path)
            assert image.dtype == np.uint8
            assert image.shape[2] == 3

    check()


def test_formats_that_start_other_programs_are_not_opened(tmp_path, monkeypatch):
    """EPS would start Ghostscript; other formats of Pillow are not documented as read."""
    opened = []
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *a, **k: opened.append(a))
    Image.fromarray(RGB).save(tmp_path / "tile.eps")
    (tmp_path / "tile.eps").rename(tmp_path / "tile.png")
    with pytest.raises(DataError, match=r"tile.png \(row 9\) is not an image that can be read"):
        read_image(tmp_path / "tile.png", "row 9")
    assert opened == []
    for name in ("tile.ico", "tile.pcx", "tile.tga", "tile.dds"):
        Image.fromarray(RGB).save(tmp_path / name)
        with pytest.raises(DataError, match="save it as PNG, JPEG or TIFF"):
            read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.bmp", "a.gif", "a.webp", "a.jp2"])
def test_every_documented_format_is_read(save, name):
    flat = np.full((16, 16, 3), 128, np.uint8)
    np.testing.assert_allclose(read_image(save(flat, name)), flat, atol=2)
    np.testing.assert_array_equal(read_image(save(RGB, "a.ppm")), RGB)


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(DataError, match=r"\(row 9\) cannot be read: its name is longer than the"):
        read_image(tmp_path / ("x" * 300 + ".png"), "row 9")
    with pytest.raises(DataError, match="found none"):
        read_image(tmp_path / "a\0b.png")


def smooth(size=96, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def overwrite(path, position, content):
    damaged = bytearray(path.read_bytes())
    damaged[position : position + len(content)] = content
    path.write_bytes(damaged)


def test_a_jpeg_damaged_inside_is_not_read_as_garbage(save):
    path = save(smooth(), "tile.jpg", quality=90)
    whole = read_image(path)
    overwrite(path, 1200, b"\x12\x34\x56\x78")
    # Pillow does not complain, though most rows are wrong.
    garbage = np.asarray(Image.open(path)).astype(int)
    assert (np.abs(garbage - whole) > 30).any(axis=(1, 2)).sum() > 40
    with pytest.raises(DataError, match=r"tile.jpg \(row 9\) is damaged inside \(.*\): copy it"):
        read_image(path, "row 9")


def test_a_png_damaged_inside(save):
    path = save(smooth(), "tile.png", compress_level=0)
    content = path.read_bytes()
    overwrite(path, len(content) // 2, bytes([content[len(content) // 2] ^ 255]))
    with pytest.raises(DataError, match=r"tile.png \(row 9\) cannot be decoded"):
        read_image(path, "row 9")


def test_a_jpeg_damaged_inside_a_tiff(save):
    path = save(smooth(200), "tile.tif", compression="jpeg")
    read_image(path)
    with Image.open(path) as image:
        offset = image.tag_v2[273][-1]
    overwrite(path, offset + 300, b"\x12\x34\x56\x78\x9a")
    with pytest.raises(DataError, match=r"tile.tif \(row 9\) "):
        read_image(path, "row 9")


def test_a_decompression_bomb_is_refused(save, monkeypatch):
    path = save(RGB)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match="too large for a tile"):
        read_image(path)


def test_fit_square_takes_the_centre_and_averages():
    image = np.zeros((8, 16, 3), np.uint8)
    image[:, 4:12] = RNG.integers(0, 256, (8, 8, 3))
    means = image[:, 4:12].reshape(4, 2, 4, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(fit_square(image, 4), means, atol=0.51)
    np.testing.assert_array_equal(fit_square(image, 8), image[:, 4:12])
    assert fit_square(image, 20).shape == (20, 20, 3)
