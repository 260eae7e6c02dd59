"""Image files to arrays: one reader, so that every data set treats a mode the same way."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from sdlib.errors import DataError

__all__ = ["fit_square", "read_image"]

# Glass is white, so that is what lies behind a transparent pixel.
BACKGROUND = "white"
SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
TRANSPARENT = ("RGBA", "LA", "PA", "La", "RGBa")
DIRECT = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr")
# What Pillow's decoders raise on broken files.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)


def read_image(path: str | os.PathLike[str], where: str | None = None) -> np.ndarray:
    """Read an image file as 8-bit RGB.

    - grey, palette, CMYK and YCbCr are converted to RGB;
    - transparency is laid over white;
    - 16-bit grey is scaled over the full range of its type, 0..65535 to 0..255 with rounding:
      never cut to its low byte, never stretched to the image's own range. A 12-bit scan in a
      16-bit file therefore comes out dark: window it first. Of 16-bit *colour* files Pillow
      keeps the high byte of each channel, the same scale but for the rounding;
    - of a file with several pages the first is read; orientation tags are ignored.

    Parameters
    ----------
    path
        A file that Pillow reads.
    where
        Where the path was named, for example ``"row 17 of manifest.csv"``; errors say it.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(H, W, 3)``, RGB.

    Raises
    ------
    DataError
        If the file is absent, truncated, not an image, or of a kind without a scale to 8 bits
        (32-bit integers, floating point, Lab).

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
    if not path.is_file():
        raise DataError(f"expected an image file at {name}, found none: check the path")
    try:
        with Image.open(path) as image:
            image.load()
            return _to_rgb(image, name)
    except Image.DecompressionBombError as error:
        raise DataError(f"{name} is too large for a tile: cut it into tiles first") from error
    except Image.UnidentifiedImageError as error:
        raise DataError(f"{name} is not an image that can be read") from error
    except BROKEN as error:
        raise DataError(f"{name} cannot be decoded: {error}; is it truncated?") from error


def _to_rgb(image: Image.Image, name: str) -> np.ndarray:
    if image.mode in SIXTEEN_BIT:
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
    """Cut the central square and resize it by averaging over area (OpenCV's ``INTER_AREA``).

    Parameters
    ----------
    image
        uint8, shape ``(H, W, 3)``.
    size
        Side of the result in pixels.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(size, size, 3)``; ``image`` itself where nothing needs doing.

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
