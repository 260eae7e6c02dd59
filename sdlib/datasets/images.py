"""Reading image files as arrays, by one reader: all data sets treat colour modes alike."""

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

# A transparent pixel shows what is behind the tissue: glass, which is white on a slide.
BACKGROUND = "white"
SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
TRANSPARENT = ("RGBA", "LA", "PA", "La", "RGBa")
DIRECT = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr")
# What Pillow's decoders raise on broken files.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)


def read_image(path: str | os.PathLike[str], where: str | None = None) -> np.ndarray:
    """Read an image file as 8-bit RGB.

    - Grey, palette, CMYK and YCbCr images are converted to RGB.
    - Transparency is laid over white.
    - 16-bit grey is scaled over the full range of its type, 0..65535 to 0..255 with rounding. It
      is never cut to its low byte and never stretched to the image's own range: a 12-bit scan in
      a 16-bit file is therefore dark, and should be windowed first. Of 16-bit *colour* files
      Pillow keeps the high byte of each channel, which is the same scale without the rounding.
    - Of a file with several pages the first is read. Orientation tags are ignored.

    Parameters
    ----------
    path : str or os.PathLike
        A file that Pillow reads.
    where : str, optional
        The place that names the path, for example ``"row 17 of manifest.csv"``; it is repeated
        in errors.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(H, W, 3)``, RGB.

    Raises
    ------
    DataError
        If the file is missing, truncated, not an image, too large, or of a kind without a scale
        to 8 bits (32-bit integers, floating point, Lab).

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
            # Pillow reads the header first; broken content shows only when all is loaded.
            image.load()
            return _to_rgb(image, name)
    except Image.DecompressionBombError as error:
        raise DataError(f"{name} is too large for a tile: cut it into tiles first") from error
    except Image.UnidentifiedImageError as error:
        raise DataError(
            f"{name} is not an image that can be read: save it as PNG, JPEG or TIFF"
        ) from error
    except BROKEN as error:
        raise DataError(f"{name} cannot be decoded: {error}; is it truncated?") from error


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
