"""The two readers of a slide's pixels: openslide, and libvips where it gives the same pixels.

openslide reads every format and is the authority. libvips is faster on tiled JPEG pyramids, but
its published wheel reads neither JPEG 2000 nor the formats of vendors. So each file is compared
when it is opened, level by level on a few regions: a level is read by libvips only if all of them
are identical to openslide's. libvips decodes a JPEG that ends too early without an error, where
openslide raises one; it leaves a note in its buffer of errors, which is looked at after each
region. Wherever libvips complains, openslide decides. Damage that neither decoder can see remains:
wrong bits of a JPEG may be valid codes again, and a JPEG 2000 tile that ends early is decoded as
far as it goes. Only a hash of the file finds all of it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence

import numpy as np
import openslide
import pyvips

__all__ = ["OpenslideReader", "VipsReader", "fast_levels"]

#: Formats whose levels are plain grids of tiles. Others move or overlap tiles, which a comparison
#: of a few regions could miss.
PLAIN_VENDORS = ("generic-tiff", "aperio")
SPOT = 192  # side in pixels of a region that is compared
SHARES = ((0.5, 0.5), (0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75))
LARGEST_SEARCHED = 1 << 22  # pixels of a level in which the most varied cell is looked for

#: libvips has one buffer of errors for all threads of a process.
_vips_lock = threading.Lock()


class OpenslideReader:
    """Reads regions by openslide.

    Parameters
    ----------
    path : str
        The slide.

    Raises
    ------
    openslide.OpenSlideError
        The file cannot be opened.
    """

    name = "openslide"

    def __init__(self, path: str) -> None:
        self.path = path
        self._slide: openslide.OpenSlide | None = None
        self.slide()

    def slide(self) -> openslide.OpenSlide:
        """The open slide, opened again if a region was damaged."""
        if self._slide is None:
            self._slide = openslide.OpenSlide(self.path)
        return self._slide

    def read(self, level: int, x: int, y: int, width: int, height: int) -> np.ndarray:
        """Read a region, in pixels of its level, that lies within the level.

        Returns
        -------
        numpy.ndarray
            uint8, shape ``(height, width, 4)``: red, green, blue and alpha. openslide addresses
            pixels of level 0; at a level whose downsample is not whole it interpolates.

        Raises
        ------
        openslide.OpenSlideError
            The region cannot be decoded.
        """
        slide = self.slide()
        downsample = slide.level_downsamples[level]
        corner = (round(x * downsample), round(y * downsample))
        try:
            return np.asarray(slide.read_region(corner, level, (width, height)))
        except openslide.OpenSlideError:
            # After an error openslide refuses every region of this slide, also those that are well.
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        if self._slide is not None:
            self._slide.close()
            self._slide = None


class VipsReader:
    """Reads regions of a TIFF file by libvips.

    Parameters
    ----------
    path : str
        The slide.
    pages : mapping of int to int
        The page of the TIFF file that holds each level.
    """

    name = "libvips"

    def __init__(self, path: str, pages: Mapping[int, int]) -> None:
        self.path = path
        self.pages = dict(pages)
        self._regions: dict[int, pyvips.Region] = {}

    def read(self, level: int, x: int, y: int, width: int, height: int) -> np.ndarray | None:
        """Read a region, in pixels of its level, that lies within the level.

        Returns
        -------
        numpy.ndarray or None
            uint8, shape ``(height, width, 3)``; None if libvips has anything to complain about.
        """
        with _vips_lock:
            _complaints()  # of others, before this region
            try:
                if level not in self._regions:
                    self._regions[level] = pyvips.Region.new(_page(self.path, self.pages[level]))
                content = self._regions[level].fetch(x, y, width, height)
                whole = len(content) == height * width * 3 and not _complaints()
            except pyvips.Error:
                whole = False
            if not whole:
                # What libvips keeps of a damaged tile is black, and it complains only once.
                self._regions.pop(level, None)
                return None
        return np.frombuffer(content, np.uint8).reshape(height, width, 3)

    def close(self) -> None:
        """Forget the file."""
        self._regions.clear()


def fast_levels(slow: OpenslideReader) -> dict[int, int]:
    """The levels that libvips reads with the same pixels as openslide, and their pages.

    Parameters
    ----------
    slow : OpenslideReader
        The slide.

    Returns
    -------
    dict of int to int
        The page of the TIFF file for each such level; empty where libvips is of no use.
    """
    slide = slow.slide()
    if slide.properties.get(openslide.PROPERTY_NAME_VENDOR) not in PLAIN_VENDORS:
        return {}
    sizes, downsamples = slide.level_dimensions, slide.level_downsamples
    pages = _pages(slow.path, sizes)
    reader = VipsReader(slow.path, pages)
    shares = [*SHARES, *_most_varied(slow)]
    same = {}
    for level, page in pages.items():
        # openslide interpolates at other levels.
        if float(downsamples[level]).is_integer():
            found = {_agree(slow, reader, level, sizes[level], share) for share in shares}
            if True in found and False not in found:
                same[level] = page
    reader.close()
    return same


def _agree(
    slow: OpenslideReader,
    fast: VipsReader,
    level: int,
    size: tuple[int, int],
    share: tuple[float, float],
) -> bool | None:
    """Whether both readers give the same pixels around a place of a level.

    None where openslide has nothing to compare with: damage, or glass that was not scanned.
    """
    width, height = size
    w, h = min(SPOT, width), min(SPOT, height)
    x, y = round(share[0] * (width - w)), round(share[1] * (height - h))
    try:
        expected = slow.read(level, x, y, w, h)
    except openslide.OpenSlideError:
        return None
    if expected[..., 3].min() < 255:
        return None
    found = fast.read(level, x, y, w, h)
    return found is not None and np.array_equal(found, expected[..., :3])


def _most_varied(slow: OpenslideReader) -> Sequence[tuple[float, float]]:
    """The place where a slide's coarsest level varies most: white glass would agree anyhow."""
    slide = slow.slide()
    level = slide.level_count - 1
    width, height = slide.level_dimensions[level]
    cells = min(8, width, height)
    if width * height > LARGEST_SEARCHED:
        return ()
    try:
        grey = slow.read(level, 0, 0, width, height)[..., :3].mean(axis=2)
    except openslide.OpenSlideError:
        return ()
    rows = np.array_split(grey, cells)
    spread = [[cell.std() for cell in np.array_split(row, cells, axis=1)] for row in rows]
    row, column = np.unravel_index(np.argmax(spread), (cells, cells))
    return (((column + 0.5) / cells, (row + 0.5) / cells),)


def _pages(path: str, sizes: Sequence[tuple[int, int]]) -> dict[int, int]:
    """The first page with the size of each level; none if libvips cannot read the file."""
    with _vips_lock:
        try:
            first = _page(path, 0)
            n = first.get("n-pages") if first.get_typeof("n-pages") else 1
            found = [_page(path, number) for number in range(n)]
        except pyvips.Error:
            return {}
    by_size: dict[tuple[int, int], int] = {}
    for number, image in enumerate(found):
        if image.bands == 3 and image.format == "uchar":
            by_size.setdefault((image.width, image.height), number)
    return {level: by_size[size] for level, size in enumerate(sizes) if size in by_size}


def _page(path: str, number: int) -> pyvips.Image:
    """One page of a TIFF file; the file is looked at again even if libvips knows its name."""
    return pyvips.Image.tiffload(os.fspath(path), page=number, revalidate=True)


def _complaints() -> str:
    """What is in libvips' buffer of errors, which is emptied."""
    return str(pyvips.Error("").detail).strip()
