"""An open whole slide, and regions of it as arrays."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
import openslide

from sdlib.checks import check_number, is_number
from sdlib.errors import ConfigError, DataError
from sdlib.slides.readers import OpenslideReader, VipsReader, fast_levels
from sdlib.slides.resolution import WAYS_OUT, Resolution, find_resolution, read_resolutions

__all__ = ["Slide", "open_slide"]

log = logging.getLogger(__name__)

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
#: Formats whose scanners leave out glass: there a pixel without content is no damage.
SPARSE_VENDORS = ("dicom", "leica", "mirax", "philips", "ventana", "zeiss")
UNSCANNED = ("refuse", "background", "zero")
NO_CONTENT = (
    "the file has no content for a part of it; if the scanner left it out, pass "
    "unscanned='background', or --unscanned background to python -m sdlib tile"
)
STRIP = 1 << 22  # pixels that a thumbnail reads at a time


class Slide:
    """A whole slide: a pyramid of levels, level 0 the finest.

    Open it with :func:`open_slide`. It can be pickled and sent to other processes, which open the
    file for themselves at their first region; so does a forked process. One thread may use it at a
    time.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    name : str
        The file's name without its ending.
    vendor : str
        The format, as openslide calls it.
    level_dimensions : tuple of (int, int)
        Width and height of each level in pixels.
    level_downsamples : tuple of float
        Pixels of level 0 in a pixel of each level.
    properties : dict of str to str
        All that openslide tells about the file.
    resolution : Resolution or None
        Microns per pixel of level 0 and their source; None if no source knows them.
    fast_levels : dict of int to int
        Levels that are read by libvips, and their pages in the TIFF file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        resolutions: str | os.PathLike[str] | Mapping[str, float] | None = None,
        unscanned: str | None = None,
        fast: bool = True,
    ) -> None:
        self.path = Path(path)
        self.name = self.path.stem
        if unscanned not in (None, *UNSCANNED):
            raise ConfigError(f"expected unscanned of {', '.join(UNSCANNED)}, got {unscanned!r}")
        self._forget()
        slow = self._openslide()
        slide = slow.slide()
        self.properties = dict(slide.properties)
        self.vendor = self.properties.get(openslide.PROPERTY_NAME_VENDOR, "")
        self.level_dimensions = tuple(slide.level_dimensions)
        self.level_downsamples = tuple(float(value) for value in slide.level_downsamples)
        if unscanned is None:
            unscanned = "background" if self.vendor in SPARSE_VENDORS else "refuse"
        self.unscanned = unscanned
        table = resolutions
        if table is not None and not isinstance(table, Mapping):
            table = read_resolutions(table)
        self.resolution: Resolution | None = find_resolution(self.path, self.properties, table)
        if self.resolution and self.resolution.conflict:
            log.warning("%s", self.resolution.conflict)
        self.fast_levels = fast_levels(slow) if fast else {}

    @property
    def dimensions(self) -> tuple[int, int]:
        """Width and height of level 0 in pixels."""
        return self.level_dimensions[0]

    @property
    def mpp(self) -> float | None:
        """Microns per pixel of level 0; None if no source knows them."""
        return self.resolution.mpp if self.resolution else None

    def known_mpp(self) -> float:
        """Microns per pixel of level 0.

        Raises
        ------
        DataError
            No source knows them; the sentence has the three ways out.
        """
        if self.resolution is None:
            raise DataError(f"{self.path} does not tell its microns per pixel: {WAYS_OUT}")
        return self.resolution.mpp

    @property
    def reader(self) -> str:
        """What reads the file, in words for a manifest."""
        if not self.fast_levels:
            return OpenslideReader.name
        if len(self.fast_levels) == len(self.level_dimensions):
            return VipsReader.name
        levels = ", ".join(str(level) for level in self.fast_levels)
        return f"{VipsReader.name} at level {levels}, else {OpenslideReader.name}"

    def read(self, level: int, x: int, y: int, width: int, height: int) -> np.ndarray:
        """Read a region.

        Parameters
        ----------
        level : int
            The level, 0 the finest.
        x, y : int
            The region's upper left corner in pixels *of that level*; it may lie outside. (openslide
            itself takes corners in pixels of level 0.)
        width, height : int
            The region's size in pixels of that level, at least 1.

        Returns
        -------
        numpy.ndarray
            uint8, shape ``(height, width, 3)``, RGB. Pixels beyond the slide's border are white.
            Pixels that the file leaves out are what :func:`open_slide` was told; background is
            the slide's own colour, or white.

        Raises
        ------
        ConfigError
            There is no such level, the size is below 1, or a number is not whole.
        DataError
            The region, or a part of it, cannot be read: a damaged or missing tile in the file.
        """
        check_number("level", level, 0, len(self.level_dimensions) - 1, whole=True)
        for what, side in (("width", width), ("height", height)):
            check_number(what, side, 1, whole=True)
        if not is_number(x, whole=True) or not is_number(y, whole=True):
            raise ConfigError(f"expected a corner in whole pixels, got x {x}, y {y}")
        level, x, y, width, height = (int(value) for value in (level, x, y, width, height))
        whole_width, whole_height = self.level_dimensions[level]
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + width, whole_width), min(y + height, whole_height)
        region = np.empty((height, width, 3), np.uint8)
        inside = right > left and bottom > top
        if not inside or (right - left, bottom - top) != (width, height):
            region[:] = WHITE
        if inside:
            pixels = self._read_inside(level, left, top, right - left, bottom - top)
            region[top - y : bottom - y, left - x : right - x] = pixels
        return region

    def thumbnail(self, downsample: float) -> np.ndarray:
        """Read the whole slide at a lower resolution.

        Parameters
        ----------
        downsample : float
            Pixels of level 0 in a pixel of the thumbnail, at least 1.

        Returns
        -------
        numpy.ndarray
            uint8, shape ``(ceil(H / downsample), ceil(W / downsample), 3)``, made of the nearest
            finer level by averaging over area.

        Raises
        ------
        DataError
            A region cannot be read.
        """
        check_number("downsample", downsample, 1)
        level = self.level_for(downsample)
        factor = downsample / self.level_downsamples[level]
        width, height = (int(-(-side // downsample)) for side in self.dimensions)
        level_width = max(1, round(width * factor))
        rows = max(1, int(STRIP / (level_width * factor)))
        thumbnail = np.empty((height, width, 3), np.uint8)
        for first in range(0, height, rows):
            last = min(first + rows, height)
            top, bottom = round(first * factor), max(1, round(last * factor))
            strip = self.read(level, 0, top, level_width, bottom - top)
            thumbnail[first:last] = cv2.resize(
                strip, (width, last - first), interpolation=cv2.INTER_AREA
            )
        return thumbnail

    def level_for(self, downsample: float) -> int:
        """The coarsest level that is at least as fine as a downsample."""
        finer = [k for k, value in enumerate(self.level_downsamples) if value <= downsample]
        return max(finer, key=lambda k: self.level_downsamples[k], default=0)

    def close(self) -> None:
        """Close the file; a later region opens it again."""
        if self._slow is not None:
            self._slow.close()
        if self._fast is not None:
            self._fast.close()
        self._forget()

    def __enter__(self) -> Slide:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        width, height = self.dimensions
        mpp = f"{self.mpp:g} microns per pixel" if self.mpp else "resolution unknown"
        return f"<Slide {self.path.name}: {width} x {height} px, {mpp}, {self.reader}>"

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        for name in ("_slow", "_fast", "_process"):
            del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def _forget(self) -> None:
        """Hold no open file."""
        self._slow: OpenslideReader | None = None
        self._fast: VipsReader | None = None
        self._process = os.getpid()

    def _openslide(self) -> OpenslideReader:
        """The reader of this process; DataError if the file cannot be opened."""
        if self._slow is None:
            if not self.path.is_file():
                raise DataError(f"expected a slide at {self.path}, found none: check the path")
            try:
                self._slow = OpenslideReader(os.fspath(self.path))
            except openslide.OpenSlideUnsupportedFormatError as error:
                raise DataError(
                    f"{self.path} is not a whole slide that openslide reads, or it was cut short: "
                    f"copy it again, or save it as a tiled, pyramidal TIFF"
                ) from error
            except openslide.OpenSlideError as error:
                raise DataError(
                    f"{self.path} cannot be opened ({error}): copy it again from where it came from"
                ) from error
        return self._slow

    def _read_inside(self, level: int, x: int, y: int, width: int, height: int) -> np.ndarray:
        """Read a region that lies within its level."""
        # A forked process would share the place in the file with its parent.
        if self._process != os.getpid():
            self._forget()
        if level in self.fast_levels:
            if self._fast is None:
                self._fast = VipsReader(os.fspath(self.path), self.fast_levels)
            pixels = self._fast.read(level, x, y, width, height)
            if pixels is not None:
                return pixels
            # openslide decides whether it is damage, or glass that was left out.
        try:
            pixels = self._openslide().read(level, x, y, width, height)
        except openslide.OpenSlideError as error:
            raise self._unreadable(level, x, y, width, height, str(error)) from error
        colours, alpha = pixels[..., :3], pixels[..., 3:]
        if alpha.min() == 255:
            return colours
        if self.unscanned == "refuse" and not alpha.all():
            raise self._unreadable(level, x, y, width, height, NO_CONTENT)
        # Partly transparent pixels are at the rim of what was scanned.
        weight = alpha / np.float32(255)
        blended = colours * weight + np.float32(self._unscanned_colour()) * (1 - weight)
        return np.rint(blended).astype(np.uint8)

    def _unreadable(
        self, level: int, x: int, y: int, width: int, height: int, why: str
    ) -> DataError:
        """The error that names a region, in the pixels of level 0 that viewers show."""
        downsample = self.level_downsamples[level]
        return DataError(
            f"{self.path}: the region of {width} x {height} px at x {round(x * downsample)}, "
            f"y {round(y * downsample)} (pixels of level 0), level {level}, cannot be read ({why}):"
            f" copy the slide again from where it came from"
        )

    def _unscanned_colour(self) -> tuple[int, ...]:
        """The colour of what was not scanned."""
        if self.unscanned == "zero":
            return BLACK
        text = self.properties.get(openslide.PROPERTY_NAME_BACKGROUND_COLOR, "")
        try:
            colour = bytes.fromhex(text)
        except ValueError:
            return WHITE
        return tuple(colour) if len(colour) == 3 else WHITE


def open_slide(
    path: str | os.PathLike[str],
    resolutions: str | os.PathLike[str] | Mapping[str, float] | None = None,
    unscanned: str | None = None,
    fast: bool = True,
) -> Slide:
    """Open a whole slide, of any format that openslide reads.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    resolutions : str, os.PathLike or mapping, optional
        The user's own resolutions, a CSV file (see
        :func:`~sdlib.slides.resolution.read_resolutions`) or a mapping of slide to microns per
        pixel. They come before what the file says.
    unscanned : {"refuse", "background", "zero"}, optional
        What to do with pixels that have no content within the slide: refuse them as damage, give
        them the colour of the slide's background, or make them 0, as is right for a mask. By
        default they are refused, except in formats whose scanners leave out glass (MIRAX, Ventana,
        Leica, Philips, Zeiss, DICOM), where they are background.
    fast : bool
        Whether libvips may read the levels where it gives the same pixels as openslide.

    Returns
    -------
    Slide
        A context manager, which closes the file.

    Raises
    ------
    ConfigError
        An unknown word for ``unscanned``.
    DataError
        The file is missing, or not a slide; or its pixels are not square.

    Examples
    --------
    >>> import tempfile, pyvips
    >>> path = Path(tempfile.mkdtemp()) / "pink.tiff"
    >>> pink = pyvips.Image.black(300, 200, bands=3) + [240, 180, 200]
    >>> pink.cast("uchar").tiffsave(path, tile=True, pyramid=True, xres=2000, yres=2000)
    >>> with open_slide(path) as slide:
    ...     print(slide)
    ...     slide.read(0, 290, 0, 20, 1)[0, [0, 19]].tolist()
    <Slide pink.tiff: 300 x 200 px, 0.5 microns per pixel, libvips>
    [[240, 180, 200], [255, 255, 255]]
    """
    return Slide(path, resolutions, unscanned, fast)
