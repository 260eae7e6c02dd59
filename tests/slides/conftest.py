"""Tiny slides as scanners and converters write them: tiled, pyramidal TIFF files."""

import cv2
import numpy as np
import pytest
import pyvips
import tifffile


@pytest.fixture(scope="session")
def picture():
    """`picture(width, height, seed)`: tissue-like colour, smooth enough for JPEG."""

    def make(width, height, seed=0):
        rng = np.random.default_rng(seed)
        coarse = rng.integers(60, 190, (max(2, height // 16), max(2, width // 16), 3))
        return cv2.resize(coarse.astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)

    return make


@pytest.fixture(scope="session")
def write_slide():
    """`write_slide(path, image, **how)`: a tiled pyramid, JPEG of 0.5 microns per pixel."""

    def write(path, image, **how):
        options = {
            "tile": True,
            "pyramid": True,
            "compression": "jpeg",
            "Q": 90,
            "tile_width": 128,
            "tile_height": 128,
            "xres": 2000,
            "yres": 2000,
            "bigtiff": False,
        }
        pyvips.Image.new_from_array(image).tiffsave(str(path), **{**options, **how})
        return path

    return write


@pytest.fixture(scope="session")
def damage():
    """`damage(path, k, how)`: break tile k of level 0."""

    def do(path, k, how):
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            offset, count = page.dataoffsets[k], page.databytecounts[k]
        content = bytearray(path.read_bytes())
        if how == "zeros":
            content[offset : offset + count] = bytes(count)
        elif how == "half":
            content[offset + count // 2 : offset + count] = bytes(count - count // 2)
        path.write_bytes(content)
        if how == "absent":
            with tifffile.TiffFile(path, mode="r+") as file:
                tag = file.pages[0].tags["TileByteCounts"]
                counts = list(tag.value)
                counts[k] = 0
                tag.overwrite(counts)

    return do
