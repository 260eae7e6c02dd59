"""Microns per pixel of a slide, from the first source that knows it.

The sources, in order: the user's table, ``openslide.mpp-x`` and ``-y``, the keys of vendors, the
resolution tags of TIFF. A number outside :data:`PLAUSIBLE` in a *file* is no resolution: programs
write 72 dots per inch, or one pixel per millimetre, where they know nothing. Sources that differ by
more than 2 % are a conflict, which is told, and the first one counts.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sdlib.errors import DataError

__all__ = ["Resolution", "find_resolution", "read_resolutions"]

#: Microns per pixel: from oil immersion to an overview of a whole slide.
PLAUSIBLE = (0.02, 50.0)
CONFLICT = 0.02  # relative difference of two sources
ANISOTROPY = 0.05  # relative difference of x and y that is averaged away
COLUMNS = ("slide", "mpp")
#: Keys of x and y, in microns per pixel.
KEYS = (
    ("openslide.mpp-x", "openslide.mpp-y"),
    ("aperio.MPP", "aperio.MPP"),
    (
        "mirax.LAYER_0_LEVEL_0_SECTION.MICROMETER_PER_PIXEL_X",
        "mirax.LAYER_0_LEVEL_0_SECTION.MICROMETER_PER_PIXEL_Y",
    ),
    ("ventana.ScanRes", "ventana.ScanRes"),
)
#: Two quoted numbers in millimetres, of rows (y) and of columns (x).
SPACING = "philips.DICOM_PIXEL_SPACING"
#: What converters keep of a vendor's header in a TIFF file's description.
DESCRIPTIONS = (
    ("MPP in tiff.ImageDescription", re.compile(r"\bMPP\s*=\s*([0-9.]+)")),
    ("PhysicalSizeX in tiff.ImageDescription", re.compile(r'\bPhysicalSizeX="([0-9.]+)"')),
)
UNITS = {"centimeter": 10_000.0, "inch": 25_400.0}  # microns
WAYS_OUT = (
    "give it in a table with the columns slide and mpp (resolutions=..., or --resolution of a "
    "command), or write it into the file's resolution tags, or cut at the pixels of level 0 "
    "(mpp=None, or a command without --mpp)"
)


@dataclass(frozen=True)
class Resolution:
    """Microns per pixel of level 0.

    Parameters
    ----------
    mpp : float
        Microns per pixel, the mean of x and y.
    source : str
        Where the number is from.
    conflict : str
        A sentence about sources that differ; empty if there are none.
    """

    mpp: float
    source: str
    conflict: str = ""


def find_resolution(
    path: str | os.PathLike[str],
    properties: Mapping[str, str],
    table: Mapping[str, float] | None = None,
) -> Resolution | None:
    """Find a slide's microns per pixel.

    Parameters
    ----------
    path : str or os.PathLike
        The slide; the user's table knows it by its file name, or by that without its ending.
    properties : mapping of str to str
        What openslide tells about the slide.
    table : mapping of str to float, optional
        Microns per pixel by slide, see :func:`read_resolutions`.

    Returns
    -------
    Resolution or None
        None where no source knows it.

    Raises
    ------
    DataError
        x and y differ by more than 5 %: tiles would be distorted.

    Examples
    --------
    >>> tags = {"tiff.XResolution": "20000", "tiff.YResolution": "20000"}
    >>> find_resolution("a.tiff", {**tags, "tiff.ResolutionUnit": "centimeter"})
    Resolution(mpp=0.5, source='TIFF resolution', conflict='')
    >>> find_resolution("a.tiff", {"aperio.MPP": "0.25"}, {"a": 0.5}).conflict
    'a.tiff: 0.5 microns per pixel by the table, but 0.25 by aperio.MPP; 0.5 is used'
    """
    path = Path(path)
    found = dict(_from_table(path, table or {}))
    for source, x, y in _from_file(properties):
        if not PLAUSIBLE[0] <= min(x, y) <= max(x, y) <= PLAUSIBLE[1]:
            continue
        # Where an earlier source is used, a pixel that is not square is only a conflict.
        if abs(x - y) > ANISOTROPY * max(x, y) and not found:
            raise DataError(
                f"expected square pixels in {path}, got {x:g} x {y:g} microns by {source}: "
                f"give its mpp in a table with the columns slide and mpp"
            )
        found.setdefault(source, (x + y) / 2)
    if not found:
        return None
    (source, mpp), *others = found.items()
    differing = [
        f"{value:g} by {name}" for name, value in others if abs(value - mpp) > CONFLICT * mpp
    ]
    conflict = ""
    if differing:
        conflict = (
            f"{path.name}: {mpp:g} microns per pixel by {source}, but {', '.join(differing)}; "
            f"{mpp:g} is used"
        )
    return Resolution(mpp, source, conflict)


def read_resolutions(path: str | os.PathLike[str]) -> dict[str, float]:
    """Read the user's table of resolutions.

    Parameters
    ----------
    path : str or os.PathLike
        A CSV file, UTF-8, separated by commas, semicolons or tabs, with the columns ``slide`` (a
        file name, with or without its ending) and ``mpp`` (microns per pixel of level 0). Other
        columns are ignored.

    Returns
    -------
    dict of str to float
        Microns per pixel by slide.

    Raises
    ------
    DataError
        The file cannot be read, a column is missing, a slide is there twice, or a number is not
        from 0.02 to 50.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "mpp.csv"
    >>> _ = path.write_text("slide,mpp\\na.tiff,0.5\\n")
    >>> read_resolutions(path)
    {'a.tiff': 0.5}
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise DataError(
            f"the table of resolutions {path} cannot be read: {said}; expected a CSV file with the "
            f"columns {' and '.join(COLUMNS)}"
        ) from error
    header = text.partition("\n")[0]
    separator = max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    names = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = names
    if not set(COLUMNS) <= set(names):
        raise DataError(
            f"expected the columns {' and '.join(COLUMNS)} in {path}, got "
            f"{', '.join(names) or 'nothing'}"
        )
    found: dict[str, float] = {}
    for row in reader:
        slide, text = ((row[name] or "").strip() for name in COLUMNS)
        where = f"row {reader.line_num} of {path}"
        mpp = _number(text)
        if not slide or mpp is None or not PLAUSIBLE[0] <= mpp <= PLAUSIBLE[1]:
            raise DataError(
                f"expected a slide and its mpp from {PLAUSIBLE[0]} to {PLAUSIBLE[1]:g} in {where}, "
                f"got {slide!r} and {text!r}: write microns per pixel, such as 0.5"
            )
        if slide in found:
            raise DataError(f"expected each slide once, got {slide} again in {where}: remove one")
        found[slide] = mpp
    return found


def _from_table(path: Path, table: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """The number of the user's table."""
    for name in (path.name, path.stem):
        if name in table:
            yield "the table", table[name]
            return


def _from_file(properties: Mapping[str, str]) -> Iterator[tuple[str, float, float]]:
    """Each source within a file that has a number: its name, x and y."""
    for key_x, key_y in KEYS:
        x, y = (_number(properties.get(key, "")) for key in (key_x, key_y))
        if x and y:
            yield key_x, x, y
    spacing = [_number(text) for text in properties.get(SPACING, "").split()]
    if len(spacing) == 2 and all(spacing):
        yield SPACING, 1000 * spacing[1], 1000 * spacing[0]
    for name, pattern in DESCRIPTIONS:
        match = pattern.search(properties.get("tiff.ImageDescription", ""))
        mpp = _number(match.group(1)) if match else None
        if mpp:
            yield name, mpp, mpp
    microns = UNITS.get(properties.get("tiff.ResolutionUnit", "inch"), 0.0)
    x, y = (_number(properties.get(f"tiff.{axis}Resolution", "")) for axis in "XY")
    if x and y and microns:
        yield "TIFF resolution", microns / x, microns / y


def _number(text: str) -> float | None:
    """A text as a finite number above 0; None if it is none."""
    try:
        number = float(text.strip().strip('"'))
    except ValueError:
        return None
    return number if 0 < number < math.inf else None
