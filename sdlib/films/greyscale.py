"""From a film's stored values to 8-bit grey, in the order of DICOM's greyscale pipeline.

1. The modality's table, or slope and intercept.
2. The table of values of interest, else the window. Where there is neither, the range from the
   smallest to the largest value of the film that is no padding.
3. Inversion of MONOCHROME1.

All of this depends on the stored value alone, so it is done once for each of the at most 65,536
values that a pixel can have, and not for each pixel: a film of 3,000 x 2,500 px is then one look-up
a pixel. Windows are pydicom's, the tables are not: of pydicom 3.0.2, ``apply_voi`` counts places in
the type of the table's entries, so that an 8-bit table takes places modulo 256; and
``apply_modality_lut`` knows entries of 8 and 16 bits only.
"""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_windowing

from sdlib.errors import ConfigError
from sdlib.films.tags import FilmTags, Window

__all__ = ["grey_levels", "render_film"]

WHITE = 255
STORED = (np.uint8, np.int8, np.uint16, np.int16)


def render_film(stored: np.ndarray, tags: FilmTags) -> np.ndarray:
    """Make an 8-bit grey picture of a film's stored values.

    Parameters
    ----------
    stored : numpy.ndarray
        uint8, int8, uint16 or int16, shape ``(H, W)``, as they are in the file.
    tags : FilmTags
        How they are to be shown. If they say that values are signed, unsigned ones of this array
        are read as two's complement of its own width.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(H, W)``: 0 is black, 255 white. Padding is black. A film of one value,
        without a window, is black as well.

    Raises
    ------
    ConfigError
        If the array is of another type or shape.

    Examples
    --------
    >>> from sdlib.films.tags import Window
    >>> stored = np.array([[0, 1024, 2048, 4095]], np.uint16)
    >>> render_film(stored, FilmTags(window=Window(2048, 4096))).tolist()
    [[0, 64, 128, 255]]
    >>> render_film(stored, FilmTags(window=Window(2048, 4096), inverted=True)).tolist()
    [[255, 191, 127, 0]]
    """
    if stored.ndim != 2 or stored.dtype not in STORED or not stored.size:
        raise ConfigError(
            f"expected a film's stored values (H, W) of 8 or 16 bits, got {stored.dtype} "
            f"{stored.shape}"
        )
    # A stored value's bits, read as an unsigned number, are its place in the table.
    unsigned = np.dtype(f"u{stored.dtype.itemsize}")
    places = np.ascontiguousarray(stored).view(unsigned)
    values = np.arange(1 << 8 * unsigned.itemsize, dtype=unsigned)
    if tags.signed or stored.dtype.kind == "i":
        values = values.view(f"i{unsigned.itemsize}")
    values = values.astype(np.int64)
    padding = np.zeros(len(values), bool)
    if tags.padding is not None:
        padding = (values >= tags.padding[0]) & (values <= tags.padding[1])
    shown = ~padding
    if not tags.has_window:
        shown[np.bincount(places.ravel(), minlength=len(values)) == 0] = False
    levels = grey_levels(values, tags, shown)
    levels[padding] = 0
    return levels[places]


def grey_levels(values: np.ndarray, tags: FilmTags, shown: np.ndarray) -> np.ndarray:
    """Turn stored values into grey levels, without regard to padding.

    Parameters
    ----------
    values : numpy.ndarray
        int64, shape ``(n,)``: stored values.
    tags : FilmTags
        How they are to be shown.
    shown : numpy.ndarray
        bool, shape ``(n,)``: which of them set the range where the tags do not.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(n,)``. Halves are rounded to the even level.

    Examples
    --------
    >>> grey_levels(np.array([-2, 0, 2]), FilmTags(), np.array([True, True, True])).tolist()
    [0, 128, 255]
    """
    if tags.modality_table is not None:
        rescaled = tags.modality_table(values).astype(np.float64)
    else:
        rescaled = values * tags.slope + tags.intercept
    if tags.voi_table is not None:
        share = tags.voi_table(rescaled) / (2**tags.voi_table.bits - 1)
    elif tags.window is not None:
        share = _windowed(rescaled, tags.window)
    else:
        share = _stretched(rescaled, shown)
        if share is None:
            return np.zeros(len(values), np.uint8)
    levels = np.rint(share * WHITE).astype(np.uint8)
    return WHITE - levels if tags.inverted else levels


def _windowed(values: np.ndarray, window: Window) -> np.ndarray:
    """Values as shares of white, 0 to 1."""
    # The range is set here and not by the film's own tags: with a negative slope, pydicom would
    # turn the range around and show a negative.
    dataset = Dataset()
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelRepresentation, dataset.BitsStored = 0, 16
    dataset.WindowCenter, dataset.WindowWidth = window.centre, window.width
    dataset.VOILUTFunction = window.function
    # The tail of the sigmoid may be beyond the largest float on the way, and is 0 or 1 then.
    with np.errstate(over="ignore"):
        return apply_windowing(values, dataset) / (2**16 - 1)


def _stretched(values: np.ndarray, shown: np.ndarray) -> np.ndarray | None:
    """Values as shares of the range of those shown; None where they have no range."""
    if not shown.any():
        return None
    low, high = values[shown].min(), values[shown].max()
    if low == high:
        return None
    return np.clip((values - low) / (high - low), 0, 1)
