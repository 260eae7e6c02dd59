"""Regions against openslide itself and against the picture; damage, borders, processes."""

import io
import logging
import multiprocessing
import pickle

import numpy as np
import openslide
import pytest
import pyvips
import tifffile
from PIL import Image

from sdlib.errors import ConfigError, DataError
from sdlib.slides import Slide, open_slide

WIDTH, HEIGHT = 1024, 768  # levels of whole downsamples: 1, 2, 4, 8


@pytest.fixture(scope="module")
def image(picture):
    return picture(WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def path(tmp_path_factory, image, write_slide):
    return write_slide(tmp_path_factory.mktemp("slides") / "a.tiff", image)


def by_openslide(path, level, x, y, width, height):
    slide = openslide.OpenSlide(str(path))
    scale = slide.level_downsamples[level]
    corner = (round(x * scale), round(y * scale))
    return np.asarray(slide.read_region(corner, level, (width, height)).convert("RGB"))


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_regions_are_openslides(path, level, fast):
    rng = np.random.default_rng(level)
    with open_slide(path, fast=fast) as slide:
        width, height = slide.level_dimensions[level]
        for _ in range(10):
            w, h = rng.integers(1, 150, 2).tolist()
            x, y = int(rng.integers(0, width - w)), int(rng.integers(0, height - h))
            found = slide.read(level, x, y, w, h)
            np.testing.assert_array_equal(found, by_openslide(path, level, x, y, w, h))


def test_level_0_is_the_picture_within_jpegs_error(path, image):
    with open_slide(path) as slide:
        found = slide.read(0, 100, 50, 400, 300)
    error = np.abs(found.astype(int) - image[50:350, 100:500])
    assert error.mean() < 3
    assert error.max() < 40


def test_lossless_slide_is_the_picture(tmp_path, image, write_slide):
    path = write_slide(tmp_path / "a.tiff", image, compression="deflate")
    with open_slide(path) as slide:
        np.testing.assert_array_equal(slide.read(0, 0, 0, WIDTH, HEIGHT), image)
        assert slide.reader == "libvips"


def test_what_is_beyond_the_border_is_white(path):
    with open_slide(path) as slide:
        region = slide.read(0, WIDTH - 10, -5, 30, 20)
        np.testing.assert_array_equal(region[5:, :10], by_openslide(path, 0, WIDTH - 10, 0, 10, 15))
        assert (region[:5] == 255).all()
        assert (region[:, 10:] == 255).all()
        assert (slide.read(0, 5000, 5000, 4, 4) == 255).all()
        assert (slide.read(0, -9, 10, 9, 9) == 255).all()


def test_fast_reader_is_used_and_named(path):
    with open_slide(path) as slide:
        assert slide.reader == "libvips"
        assert "1024 x 768 px, 0.5 microns per pixel, libvips" in repr(slide)
    with open_slide(path, fast=False) as slide:
        assert slide.reader == "openslide"


def test_levels_where_openslide_interpolates_are_its_own(tmp_path, picture, write_slide):
    path = write_slide(tmp_path / "odd.tiff", picture(515, 643))
    with open_slide(path) as slide:
        assert not slide.level_downsamples[1].is_integer()
        assert slide.reader == "libvips at level 0, else openslide"
        np.testing.assert_array_equal(
            slide.read(1, 33, 21, 64, 64), by_openslide(path, 1, 33, 21, 64, 64)
        )


def test_file_that_libvips_reads_otherwise_falls_back(path, monkeypatch):
    plain = pyvips.Region.fetch

    def one_level_brighter(region, *place):
        return bytes(min(value + 1, 255) for value in bytes(plain(region, *place)))

    monkeypatch.setattr(pyvips.Region, "fetch", one_level_brighter)
    with open_slide(path) as slide:
        assert slide.reader == "openslide"
        np.testing.assert_array_equal(
            slide.read(0, 3, 4, 50, 50), by_openslide(path, 0, 3, 4, 50, 50)
        )


def test_file_that_libvips_cannot_read_falls_back(path, monkeypatch):
    def fail(*args, **kwargs):
        raise pyvips.Error("no such format")

    monkeypatch.setattr(pyvips.Image, "tiffload", fail)
    with open_slide(path) as slide:
        assert slide.reader == "openslide"
        assert slide.read(0, 0, 0, 5, 5).shape == (5, 5, 3)


def write_jpeg_2000(path, image):
    """A slide as Aperio's scanners write them, of lossless JPEG 2000 tiles."""

    def tiles():
        for y in range(0, image.shape[0], 128):
            for x in range(0, image.shape[1], 128):
                stream = io.BytesIO()
                tile = Image.fromarray(image[y : y + 128, x : x + 128])
                tile.save(stream, "JPEG2000", no_jp2=True)
                yield stream.getvalue()

    with tifffile.TiffWriter(path) as file:
        file.write(
            tiles(),
            shape=image.shape,
            dtype=np.uint8,
            tile=(128, 128),
            compression="zlib",  # changed below, as tifffile does not know the other
            photometric="rgb",
            description="Aperio Image Library v10.0\r\n512x384|AppMag = 20|MPP = 0.4990",
            metadata=None,
        )
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["Compression"].overwrite(33005)
    return path


def test_jpeg_2000_falls_back(tmp_path, picture, damage):
    image = picture(512, 384)
    path = write_jpeg_2000(tmp_path / "a.svs", image)
    with open_slide(path) as slide:
        assert (slide.vendor, slide.reader, slide.mpp) == ("aperio", "openslide", 0.499)
        np.testing.assert_array_equal(slide.read(0, 0, 0, 512, 384), image)
    damage(path, 5, "zeros")
    with open_slide(path) as slide:
        with pytest.raises(DataError, match=r"a.svs.*x 130, y 130 .*level 0, cannot be read"):
            slide.read(0, 130, 130, 64, 64)
        np.testing.assert_array_equal(slide.read(0, 0, 0, 128, 384), image[:, :128])


# -- Damage


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("how", ["zeros", "half", "absent"])
def test_damaged_tile_is_refused_and_named_every_time(
    tmp_path, image, write_slide, damage, how, fast
):
    path = write_slide(tmp_path / "broken.tiff", image)
    damage(path, 10, how)  # row 1, column 2 of tiles of 128 px, in a grid of 8 x 6
    whole = write_slide(tmp_path / "whole.tiff", image)
    with open_slide(path, fast=fast) as slide:
        for _ in range(3):
            with pytest.raises(DataError, match=r"broken.tiff.*x 250, y 130 .*level 0, cannot be"):
                slide.read(0, 250, 130, 64, 64)
        # The rest of the slide can be read on.
        found = slide.read(0, 600, 400, 100, 100)
        np.testing.assert_array_equal(found, by_openslide(whole, 0, 600, 400, 100, 100))


def test_glass_that_was_not_scanned_can_be_background(tmp_path, image, write_slide, damage):
    path = write_slide(tmp_path / "sparse.tiff", image)
    damage(path, 10, "absent")
    with open_slide(path, unscanned="background") as slide:
        for _ in range(3):
            region = slide.read(0, 256, 120, 16, 16)
            assert (region[8:] == 255).all()
            assert (region[:8] < 255).any()
        assert slide.reader == "libvips"
    with open_slide(path, unscanned="zero") as slide:
        assert (slide.read(0, 256, 120, 16, 16)[8:] == 0).all()
    with open_slide(path) as slide, pytest.raises(DataError, match="unscanned='background'"):
        slide.read(0, 256, 120, 16, 16)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_slide_that_was_cut_short_is_refused(tmp_path, path, share):
    content = path.read_bytes()
    short = tmp_path / "short.tiff"
    short.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"short.tiff.*copy it again"):
        open_slide(short)


def test_missing_file_and_wrong_arguments(tmp_path, path):
    with pytest.raises(DataError, match="found none: check the path"):
        open_slide(tmp_path / "none.tiff")
    with pytest.raises(DataError, match="found none"):
        open_slide(tmp_path)
    with pytest.raises(
        ConfigError, match="expected unscanned of refuse, background, zero, got 'white'"
    ):
        open_slide(path, unscanned="white")
    with open_slide(path) as slide:
        with pytest.raises(ConfigError, match="expected level from 0 to"):
            slide.read(9, 0, 0, 5, 5)
        with pytest.raises(ConfigError, match="expected width of at least 1"):
            slide.read(0, 0, 0, 0, 5)
        with pytest.raises(ConfigError, match=r"a corner in whole pixels, got x 1.5, y 0"):
            slide.read(0, 1.5, 0, 5, 5)


def test_file_deleted_after_opening(tmp_path, image, write_slide):
    path = write_slide(tmp_path / "a.tiff", image)
    slide = pickle.loads(pickle.dumps(open_slide(path)))
    path.unlink()
    with pytest.raises(DataError, match="found none"):
        slide.read(0, 0, 0, 5, 5)


# -- Thumbnails, pickles, processes


@pytest.mark.parametrize("downsample", [4, 10, 32])
def test_thumbnail_is_the_picture_made_smaller(path, image, downsample):
    with open_slide(path) as slide:
        small = slide.thumbnail(downsample)
    assert small.shape == (-(-HEIGHT // downsample), -(-WIDTH // downsample), 3)
    rows, columns = HEIGHT // downsample, WIDTH // downsample
    cells = image[: rows * downsample, : columns * downsample].astype(float)
    means = cells.reshape(rows, downsample, columns, downsample, 3).mean(axis=(1, 3))
    inner = np.abs(small[: rows - 1, : columns - 1] - means[:-1, :-1])
    # Half a pixel aside, the difference would be 20.
    assert inner.mean() < 5


def test_thumbnail_in_strips_is_the_same(path, monkeypatch):
    with open_slide(path) as slide:
        whole = slide.thumbnail(16)
        monkeypatch.setattr("sdlib.slides.slide.STRIP", 1000)
        np.testing.assert_array_equal(slide.thumbnail(16), whole)


def test_pickled_slide_reads_the_same_without_comparing_again(path, monkeypatch):
    slide = open_slide(path)
    slide.read(0, 0, 0, 5, 5)
    monkeypatch.setattr("sdlib.slides.slide.fast_levels", None)
    other = pickle.loads(pickle.dumps(slide))
    assert isinstance(other, Slide)
    assert (other.reader, other.mpp, other.dimensions) == ("libvips", 0.5, (WIDTH, HEIGHT))
    np.testing.assert_array_equal(other.read(1, 9, 9, 80, 80), slide.read(1, 9, 9, 80, 80))


def test_closed_slide_opens_again(path):
    slide = open_slide(path)
    before = slide.read(0, 0, 0, 50, 50)
    slide.close()
    np.testing.assert_array_equal(slide.read(0, 0, 0, 50, 50), before)


def _send(slide, place, pipe):
    pipe.send(slide.read(0, *place))


@pytest.mark.parametrize("fast", [True, False])
def test_forked_process_opens_the_file_for_itself(path, fast):
    slide = open_slide(path, fast=fast)
    slide.read(0, 0, 0, 300, 300)
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(slide, (400, 300, 200, 200), sender))
    process.start()
    assert receiver.poll(20)
    np.testing.assert_array_equal(receiver.recv(), by_openslide(path, 0, 400, 300, 200, 200))
    process.join(20)


def test_conflict_of_resolutions_is_told(path, caplog):
    with caplog.at_level(logging.WARNING), open_slide(path, resolutions={"a": 0.25}) as slide:
        assert slide.mpp == 0.25
    assert "0.25 microns per pixel by the table, but 0.5 by openslide.mpp-x" in caplog.text
