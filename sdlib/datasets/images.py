"""Reading image files as arrays, by one reader: all data sets treat colour modes alike."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import simplejpeg
from PIL import Image

from sdlib.datasets.file_paths import is_file
from sdlib.errors import DataError

__all__ = [
    "SIXTEEN_BIT",
    "TRANSPARENT",
    "check_side",
    "decode_image",
    "fit_square",
    "read_image",
]

# A transparent pixel shows what is behind the tissue: glass, which is white on a slide.
BACKGROUND = "white"
SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
TRANSPARENT = ("RGBA", "LA", "PA", "La", "RGBa")
DIRECT = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr")
# Pillow reads others by starting other programs (EPS, WMF), or knows only their headers.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000", "PPM")
# Tags of TIFF: its compression, JPEG's shared tables, and where the strips or tiles are.
COMPRESSION, JPEG_IN_TIFF, JPEG_TABLES = 259, 7, 347
OFFSETS, BYTE_COUNTS = (273, 324), (279, 325)
START_OF_JPEG, END_OF_JPEG = b"\xff\xd8", b"\xff\xd9"
JPEG_WARNINGS = ("Corrupt JPEG data", "Premature end of JPEG")
# What Pillow's decoders raise on broken files.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)


def read_image(
    path: str | os.PathLike[str],
    where: str | None = None,
    observe: Callable[[Image.Image], object] | None = None,
) -> np.ndarray:
    """Read an image file as 8-bit RGB: PNG, JPEG, TIFF, BMP, GIF, WebP, JPEG 2000 or PPM.

    - Grey, palette, CMYK and YCbCr images are converted to RGB.
    - Transparency is laid over white.
    - 16-bit grey is scaled over the full range of its type, 0..65535 to 0..255 with rounding. It
      is never cut to its low byte and never stretched to the image's own range: a 12-bit scan in
      a 16-bit file is therefore dark, and should be windowed first. Of 16-bit *colour* files
      Pillow keeps the high byte of each channel, which is the same scale without the rounding.
    - Of a file with several pages the first is read. Orientation tags are ignored.
    - Damage inside a file is an error, not grey or shifted blocks, where the format lets it be
      seen: JPEG (also in TIFF) by libjpeg's warnings, PNG by its checksums. Wrong bits of a JPEG
      may be valid codes again; only a hash finds all of them.

    Parameters
    ----------
    path : str or os.PathLike
        A file of one of these formats, whatever its name.
    where : str, optional
        The place that names the path, for example ``"row 17 of manifest.csv"``; it is repeated
        in errors.
    observe : callable, optional
        Called with Pillow's image when it is loaded, before it is converted: it knows the file's
        format, mode and tags.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(H, W, 3)``, RGB.

    Raises
    ------
    DataError
        If the file is missing, truncated, damaged, not an image, too large, or of a kind
        without a scale to 8 bits (32-bit integers, floating point, Lab).

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "grey.png"
    >>> Image.fromarray(np.array([[0, 128, 255]], np.uint8)).save(path)
    >>> read_image(path).tolist()
    [[[0, 0, 0], [128, 128, 128], [255, 255, 255]]]
    """
    path = Path(path)
    name = f"{path} ({where})" if where else f"{path}"
    if not is_file(path, name):
        raise DataError(f"expected an image file at {name}, found none: check the path")
    try:
        with path.open("rb") as stream:
            return _decode(stream, name, observe)
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror or error}") from error


def decode_image(content: bytes, name: str) -> np.ndarray:
    """Read an image from the bytes of its file, such as a member of an archive.

    Parameters
    ----------
    content : bytes
        What the file holds.
    name : str
        The file in errors.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(H, W, 3)``, RGB, as :func:`read_image` returns it.

    Raises
    ------
    DataError
        As :func:`read_image` does.

    Examples
    --------
    >>> stream = io.BytesIO()
    >>> Image.new("RGB", (3, 2), "white").save(stream, "PNG")
    >>> decode_image(stream.getvalue(), "a.png").shape
    (2, 3, 3)
    """
    return _decode(io.BytesIO(content), name)


def _decode(
    stream: BinaryIO, name: str, observe: Callable[[Image.Image], object] | None = None
) -> np.ndarray:
    """Read an image from a stream; ``name`` is the file in errors."""
    try:
        with Image.open(stream, formats=FORMATS) as image:
            # Pillow reads the header first; broken content shows only when all is loaded.
            image.load()
            damage = _damage(image, stream)
            if damage:
                raise DataError(
                    f"{name} is damaged inside ({damage}): copy it again from where it came from"
                )
            if observe is not None:
                observe(image)
            return _to_rgb(image, name)
    except Image.DecompressionBombError as error:
        raise DataError(f"{name} is too large for a tile: cut it into tiles first") from error
    except Image.UnidentifiedImageError as error:
        raise DataError(
            f"{name} is not an image that can be read: save it as PNG, JPEG or TIFF"
        ) from error
    except BROKEN as error:
        # The operating system's errors have a number, Pillow's have none.
        if getattr(error, "errno", None):
            raise DataError(f"{name} cannot be read: {error.strerror}") from error
        raise DataError(f"{name} cannot be decoded: {error}; is it truncated?") from error


def _damage(image: Image.Image, stream: BinaryIO) -> str:
    """Say what is damaged in a loaded image although its decoder has not complained."""
    stream.seek(0)
    if image.format == "PNG":
        # Checks the checksums, which loading skips; it raises one of the broken files' errors.
        with Image.open(stream, formats=("PNG",)) as again:
            again.verify()
    elif image.format in ("JPEG", "MPO"):
        return _jpeg_damage(stream.read())
    elif image.format == "TIFF" and image.tag_v2.get(COMPRESSION) == JPEG_IN_TIFF:
        tables = image.tag_v2.get(JPEG_TABLES, b"")
        offsets, lengths = (_first(image.tag_v2, tags) for tags in (OFFSETS, BYTE_COUNTS))
        for offset, length in zip(offsets, lengths, strict=False):
            stream.seek(offset)
            damage = _jpeg_damage(stream.read(length), tables)
            if damage:
                return damage
    return ""


def _jpeg_damage(data: bytes, tables: bytes = b"") -> str:
    """Say what libjpeg warns of in a JPEG; empty where it is silent.

    Pillow and OpenCV drop these warnings and show grey or shifted blocks. ``tables`` are those
    that the strips of a TIFF share, themselves a JPEG without an image.
    """
    if tables:
        data = tables[: -len(END_OF_JPEG)] + data[len(START_OF_JPEG) :]
    try:
        simplejpeg.decode_jpeg(data, strict=True)
    except ValueError as error:
        # Other messages are of kinds that libjpeg's simple interface does not decode.
        if str(error).startswith(JPEG_WARNINGS):
            return str(error)
    return ""


def _first(tags: Mapping[int, int | tuple[int, ...]], names: Iterable[int]) -> tuple[int, ...]:
    """The values of the first tag that there is."""
    for name in names:
        if name in tags:
            return tuple(np.atleast_1d(tags[name]).tolist())
    return ()


def _to_rgb(image: Image.Image, name: str) -> np.ndarray:
    """Convert a loaded image to uint8 ``(H, W, 3)``; ``name`` is the file in errors."""
    if image.mode in SIXTEEN_BIT:
        # 65535 / 257 is exactly 255.
        grey = np.rint(np.asarray(image, np.float32) / 257).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in TRANSPARENT or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, BACKGROUND), image)
    elif image.mode not in DIRECT:
        raise DataError(
            f"expected an 8-bit or 16-bit image, got Pillow's mode {image.mode} in {name}: "
            f"convert it to 8-bit RGB"
        )
    return np.asarray(image.convert("RGB"))


def fit_square(image: np.ndarray, size: int) -> np.ndarray:
    """Cut out an image's central square and resize it by averaging over area.

    Parameters
    ----------
    image : numpy.ndarray
        uint8, shape ``(H, W, 3)``.
    size : int
        Side of the result in pixels.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(size, size, 3)``, resized by OpenCV's ``INTER_AREA``. Where the square has
        this size already, it is a view of ``image``.

    Examples
    --------
    >>> fit_square(np.zeros((40, 60, 3), np.uint8), 20).shape
    (20, 20, 3)
    """
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    if side == size:
        return square
    return cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)


def check_side(image: np.ndarray, side: int, name: str) -> None:
    """Raise an error unless an image has the size that its data set is published with.

    Parameters
    ----------
    image : numpy.ndarray
        uint8, shape ``(H, W, 3)``.
    side : int
        What ``H`` and ``W`` have to be, in pixels.
    name : str
        The file in errors.

    Raises
    ------
    DataError
        It has another size.

    Examples
    --------
    >>> check_side(np.zeros((96, 96, 3), np.uint8), 96, "a.png")
    """
    height, width = image.shape[:2]
    if (height, width) != (side, side):
        raise DataError(
            f"expected {side} x {side} px in {name}, got {width} x {height}: it is not the file "
            f"that was published, fetch it again"
        )
