"""Reading films from files: DICOM, and 16-bit PNG with the tags beside it."""

from __future__ import annotations

import os
import struct
import zlib

import numpy as np
import pydicom
from PIL import Image

from sdlib.errors import DataError
from sdlib.films.greyscale import render_film
from sdlib.films.tags import FilmTags, film_tags

__all__ = ["read_dicom_film", "read_png_film", "read_stored_png"]

SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N", "I")
# What Pillow's decoders raise on broken files.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)
AGAIN = "copy it again from where it came from"


def read_dicom_film(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a film from a DICOM file as 8-bit grey (see :mod:`sdlib.films.greyscale`).

    Parameters
    ----------
    path : str or os.PathLike
        The file: one image, grey, of up to 16 bits. pydicom decodes it, so of compressed files
        those for which pydicom has a decoder.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(H, W)``.

    Raises
    ------
    DataError
        If the file is missing, no DICOM, without pixels, cut off, of several images, in colour,
        or compressed in a way that needs another package.

    Examples
    --------
    >>> read_dicom_film("film.dcm").shape  # doctest: +SKIP
    (2520, 3032)
    """
    name = os.fspath(path)
    try:
        dataset = pydicom.dcmread(path)
    except FileNotFoundError as error:
        raise DataError(f"expected a film at {name}, found none: check the path") from error
    except pydicom.errors.InvalidDicomError as error:
        raise DataError(f"{name} is not a DICOM file: {AGAIN}") from error
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # pydicom's parser has many errors of its own
        raise DataError(f"{name} is damaged ({_first_line(error)}): {AGAIN}") from error
    if "PixelData" not in dataset:
        raise DataError(f"{name} holds no image: leave it out")
    tags = film_tags(dataset, name)
    try:
        stored = dataset.pixel_array
    except (ImportError, NotImplementedError, RuntimeError) as error:
        raise DataError(
            f"{name} cannot be decoded: pydicom has no decoder here for "
            f"{dataset.file_meta.TransferSyntaxUID.name}, or the pixels are damaged"
        ) from error
    except Exception as error:  # decoders raise what they like
        why = _first_line(error)
        raise DataError(f"the pixels of {name} cannot be decoded ({why}): {AGAIN}") from error
    if stored.ndim != 2:
        raise DataError(
            f"expected one grey image in {name}, got pixels of shape {stored.shape}: leave it out"
        )
    return render_film(_narrow(stored, name), tags)


def read_png_film(path: str | os.PathLike[str], tags: FilmTags) -> np.ndarray:
    """Read a film from a PNG file of stored values as 8-bit grey.

    Parameters
    ----------
    path : str or os.PathLike
        The file, grey, 8 or 16 bits.
    tags : FilmTags
        How the values are to be shown.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(H, W)``.

    Raises
    ------
    DataError
        As :func:`read_stored_png` does.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "film.png"
    >>> Image.fromarray(np.array([[0, 4095]], np.uint16)).save(path)
    >>> read_png_film(path, FilmTags(inverted=True)).tolist()
    [[255, 0]]
    """
    return render_film(read_stored_png(path), tags)


def read_stored_png(path: str | os.PathLike[str]) -> np.ndarray:
    """Read the values of a grey PNG file as they are, with its checksums checked.

    Parameters
    ----------
    path : str or os.PathLike
        The file, 8 or 16 bits.

    Returns
    -------
    numpy.ndarray
        uint8 or uint16, shape ``(H, W)``.

    Raises
    ------
    DataError
        If the file is missing, cut off, damaged, no PNG, or in colour.

    Examples
    --------
    >>> read_stored_png("film.png").dtype  # doctest: +SKIP
    dtype('uint16')
    """
    name = os.fspath(path)
    try:
        with Image.open(path, formats=("PNG",)) as image:
            image.load()
            mode, stored = image.mode, np.asarray(image)
        # Loading skips the checksums.
        with Image.open(path, formats=("PNG",)) as image:
            image.verify()
    except FileNotFoundError as error:
        raise DataError(f"expected a film at {name}, found none: check the path") from error
    except Image.DecompressionBombError as error:
        raise DataError(f"{name} is too large for a film: leave it out") from error
    except Image.UnidentifiedImageError as error:
        raise DataError(f"{name} is not a PNG file: {AGAIN}") from error
    except BROKEN as error:
        # The operating system's errors have a number, Pillow's have none.
        if getattr(error, "errno", None):
            raise DataError(f"{name} cannot be read: {error.strerror}") from error
        raise DataError(f"{name} is damaged ({error}): {AGAIN}") from error
    if mode != "L" and mode not in SIXTEEN_BIT:
        raise DataError(
            f"expected grey values of 8 or 16 bits in {name}, got Pillow's mode {mode}: leave it "
            f"out"
        )
    return _narrow(stored, name)


def _narrow(stored: np.ndarray, name: str) -> np.ndarray:
    """Stored values in 8 or 16 bits, in the order of bytes of this machine."""
    if stored.dtype.itemsize > 2:
        low, high = int(stored.min()), int(stored.max())
        # Pillow and pydicom may give 32 bits to values that need 16.
        if low >= 0 and high < 1 << 16:
            return stored.astype(np.uint16)
        if low >= -(1 << 15) and high < 1 << 15:
            return stored.astype(np.int16)
        raise DataError(
            f"expected values of up to 16 bits in {name}, got some from {low} to {high}: leave it "
            f"out"
        )
    return stored.astype(stored.dtype.newbyteorder("="))


def _first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return str(error).partition("\n")[0] or type(error).__name__
