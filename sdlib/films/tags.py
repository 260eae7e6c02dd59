"""What DICOM's tags say about how a film is to be shown, checked once and for all.

The tags come as a pydicom data set. A DICOM file is one; the JSON that BIMCV publishes beside each
PNG becomes one by :func:`parse_json_tags`. :func:`film_tags` reads both alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydicom.config import disable_value_validation
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from sdlib.errors import DataError

__all__ = ["FUNCTIONS", "FilmTags", "LookupTable", "Window", "film_tags", "parse_json_tags"]

#: How a window's values become grey (PS3.3 C.11.2.1.3).
FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
GREY = ("MONOCHROME1", "MONOCHROME2")
#: The tags that are read from JSON; all others are passed over, whatever is wrong with them.
KEYWORDS = (
    "ModalityLUTSequence",
    "PhotometricInterpretation",
    "PixelPaddingRangeLimit",
    "PixelPaddingValue",
    "PixelRepresentation",
    "RescaleIntercept",
    "RescaleSlope",
    "VOILUTFunction",
    "VOILUTSequence",
    "WindowCenter",
    "WindowWidth",
)
DEPTHS = range(8, 17)  # bits of a table's entries
HALF, WHOLE = 1 << 15, 1 << 16


@dataclass(frozen=True)
class Window:
    """The range of values that is shown (PS3.3 C.11.2.1.2).

    Parameters
    ----------
    centre, width : float
        In the units that the modality's rescaling gives. The width is at least 1 for LINEAR and
        above 0 for the others.
    function : {"LINEAR", "LINEAR_EXACT", "SIGMOID"}
        How values become grey.
    """

    centre: float
    width: float
    function: str = "LINEAR"


@dataclass(frozen=True, eq=False)
class LookupTable:
    """A table from values to values (PS3.3 C.11.1.1 and C.11.2.1.1).

    Parameters
    ----------
    first : int
        The value that the first entry is for. Values below it take the first entry, values beyond
        the last one the last.
    entries : numpy.ndarray
        int64, shape ``(n,)``, each from 0 to ``2 ** bits - 1``.
    bits : int
        Bits of an entry, 8 to 16.
    """

    first: int
    entries: np.ndarray
    bits: int

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Look values up; those between two whole numbers are rounded first.

        Examples
        --------
        >>> table = LookupTable(10, np.array([0, 100, 255]), 8)
        >>> table(np.array([-7, 10, 11.2, 12, 4000])).tolist()
        [0, 0, 100, 255, 255]
        """
        places = np.rint(values).astype(np.int64) - self.first
        return self.entries[np.clip(places, 0, len(self.entries) - 1)]


@dataclass(frozen=True, eq=False)
class FilmTags:
    """How a film's stored values are to be shown.

    Parameters
    ----------
    inverted : bool
        Whether the smallest value is white, which is MONOCHROME1.
    signed : bool
        Whether stored values are two's complement.
    slope, intercept : float
        The modality's rescaling.
    modality_table : LookupTable, optional
        The modality's table, which takes the place of the rescaling.
    voi_table : LookupTable, optional
        The table of values of interest.
    window : Window, optional
        The first window.
    padding : tuple of int, optional
        The smallest and the largest stored value that mark background.

    Attributes
    ----------
    has_window : bool
        Whether the tags say which values are shown, by a window or a table.
    """

    inverted: bool = False
    signed: bool = False
    slope: float = 1.0
    intercept: float = 0.0
    modality_table: LookupTable | None = None
    voi_table: LookupTable | None = None
    window: Window | None = None
    padding: tuple[int, int] | None = None
    has_window: bool = field(init=False)

    def __post_init__(self) -> None:
        given = self.window is not None or self.voi_table is not None
        object.__setattr__(self, "has_window", given)


def parse_json_tags(content: Mapping[str, Any], name: str) -> Dataset:
    """Read the tags that :func:`film_tags` needs from DICOM's JSON form (PS3.18 F).

    Parameters
    ----------
    content : mapping
        Tags of eight hexadecimal digits, each with ``vr`` and ``Value``. A missing ``vr`` is taken
        from the dictionary of the standard.
    name : str
        The file in errors.

    Returns
    -------
    pydicom.Dataset
        The needed tags that are there.

    Raises
    ------
    DataError
        If a needed tag is not in this form.

    Examples
    --------
    >>> tags = parse_json_tags({"00280004": {"vr": "CS", "Value": ["MONOCHROME1"]}}, "a.json")
    >>> tags.PhotometricInterpretation
    'MONOCHROME1'
    """
    if not isinstance(content, Mapping):
        raise DataError(
            f"expected tags by their numbers in {name}, got {type(content).__name__}: copy the "
            f"file again from where it came from"
        )
    chosen = {}
    for keyword in KEYWORDS:
        number = f"{tag_for_keyword(keyword):08X}"
        element = content.get(number, content.get(number.lower()))
        if element is not None:
            chosen[number] = _with_vr(element, number)
    try:
        # What matters is checked by film_tags; pydicom would only warn.
        with disable_value_validation():
            return Dataset.from_json(chosen)
    except Exception as error:  # pydicom's converters have many errors of their own
        why = str(error).partition("\n")[0] or type(error).__name__
        raise DataError(
            f"{name} is not in DICOM's JSON form ({why}): copy the file again from where it came "
            f"from"
        ) from error


def _with_vr(element: Any, number: str) -> Any:
    """An element of JSON with the VR of the dictionary where it has none, its items' likewise."""
    if not isinstance(element, dict):
        return element
    vr = element.get("vr") or dictionary_VR(int(number, 16)).partition(" ")[0]
    values = element.get("Value")
    if vr == "SQ" and isinstance(values, list):
        values = [
            {key: _with_vr(inner, key) for key, inner in item.items()}
            if isinstance(item, dict)
            else item
            for item in values
        ]
        return {**element, "vr": vr, "Value": values}
    return {**element, "vr": vr}


def film_tags(dataset: Dataset, name: str) -> FilmTags:
    """Read and check how a film is to be shown.

    Of several windows or tables the first is taken. An empty tag counts as one that is not there.
    A film without a photometric interpretation is taken for MONOCHROME2.

    Parameters
    ----------
    dataset : pydicom.Dataset
        The tags, of a DICOM file or by :func:`parse_json_tags`.
    name : str
        The file in errors.

    Returns
    -------
    FilmTags
        The checked tags.

    Raises
    ------
    DataError
        If the film is in colour, a number is none, a window has no width, or a table is not as
        its descriptor says.

    Examples
    --------
    >>> dataset = Dataset()
    >>> dataset.WindowCenter, dataset.WindowWidth = [2048, 600], [4096, 300]
    >>> film_tags(dataset, "a.dcm").window
    Window(centre=2048.0, width=4096.0, function='LINEAR')
    """
    photometric = _text(dataset, "PhotometricInterpretation") or "MONOCHROME2"
    if photometric not in GREY:
        raise DataError(
            f"expected a film of {' or '.join(GREY)}, got {photometric} in {name}: leave it out"
        )
    signed = _number(dataset, "PixelRepresentation", name) == 1
    slope = _number(dataset, "RescaleSlope", name)
    intercept = _number(dataset, "RescaleIntercept", name)
    if slope == 0:
        raise DataError(f"expected a rescale slope other than 0 in {name}: leave the film out")
    modality_table = _table(dataset, "ModalityLUTSequence", name, signed)
    # After a modality's table nothing is negative; after rescaling values may be.
    below_zero = modality_table is None and (signed or (intercept or 0) < 0 or (slope or 1) < 0)
    return FilmTags(
        inverted=photometric == "MONOCHROME1",
        signed=signed,
        slope=1.0 if slope is None else slope,
        intercept=intercept or 0.0,
        modality_table=modality_table,
        voi_table=_table(dataset, "VOILUTSequence", name, below_zero),
        window=_window(dataset, name),
        padding=_padding(dataset, name, signed),
    )


def _window(dataset: Dataset, name: str) -> Window | None:
    centre = _number(dataset, "WindowCenter", name)
    width = _number(dataset, "WindowWidth", name)
    # Half a window says nothing.
    if centre is None or width is None:
        return None
    function = _text(dataset, "VOILUTFunction") or "LINEAR"
    if function not in FUNCTIONS:
        raise DataError(
            f"expected a VOI LUT function of {', '.join(FUNCTIONS)}, got {function} in {name}: "
            f"leave the film out"
        )
    least = "of at least 1" if function == "LINEAR" else "above 0"
    if width <= 0 or (function == "LINEAR" and width < 1):
        raise DataError(
            f"expected a window width {least} for {function}, got {width:g} in {name}: leave the "
            f"film out"
        )
    return Window(centre, width, function)


def _padding(dataset: Dataset, name: str, signed: bool) -> tuple[int, int] | None:
    value = _number(dataset, "PixelPaddingValue", name)
    if value is None:
        return None
    limit = _number(dataset, "PixelPaddingRangeLimit", name)
    ends = [_signed(int(end), signed) for end in (value, value if limit is None else limit)]
    return min(ends), max(ends)


def _table(dataset: Dataset, keyword: str, name: str, signed: bool) -> LookupTable | None:
    """The first table of a sequence; None where it has none, or one without content."""
    items = dataset.get(keyword) or []
    if not len(items):
        return None
    descriptor, data = items[0].get("LUTDescriptor"), items[0].get("LUTData")
    if descriptor is None or data is None:
        return None
    numbers = np.atleast_1d(np.asarray(descriptor))
    if len(numbers) != 3 or numbers.dtype.kind not in "iu":
        raise DataError(
            f"expected three numbers to describe the {keyword} in {name}, got {descriptor}: leave "
            f"the film out"
        )
    length, first, bits = (int(number) for number in numbers)
    # 65,536 does not fit into 16 bits and is written as 0; a signed reader sees others below zero.
    length = length % WHOLE or WHOLE
    if bits not in DEPTHS:
        raise DataError(
            f"expected a {keyword} of 8 to 16 bits in {name}, got {bits}: leave the film out"
        )
    entries = _entries(data, length, dataset)
    if len(entries) != length or entries.max(initial=0) >= 1 << bits or entries.min(initial=0) < 0:
        found = f"{len(entries)} up to {entries.max(initial=0)}"
        raise DataError(
            f"expected {length} entries of {bits} bits in the {keyword} of {name}, got {found}: "
            f"leave the film out"
        )
    return LookupTable(_signed(first, signed), entries, bits)


def _entries(data: Any, length: int, dataset: Dataset) -> np.ndarray:
    """A table's entries, which are numbers, or bytes of one or two each."""
    if not isinstance(data, (bytes, bytearray)):
        try:
            return np.atleast_1d(np.asarray(data)).astype(np.int64)
        except (TypeError, ValueError, OverflowError):
            return np.empty(0, np.int64)
    # Eight-bit entries are two to a word, with one unused byte at the end of an odd number.
    if len(data) in (length, length + 1) and length > 1:
        return np.frombuffer(data, np.uint8, length).astype(np.int64)
    big_endian = getattr(dataset, "original_encoding", (None, None))[1] is False
    words = np.frombuffer(data[: len(data) // 2 * 2], ">u2" if big_endian else "<u2")
    return words.astype(np.int64)


def _signed(value: int, signed: bool) -> int:
    """A 16-bit number as two's complement, where it is meant so but was written unsigned."""
    return value - WHOLE if signed and value >= HALF else value


def _text(dataset: Dataset, keyword: str) -> str:
    value = dataset.get(keyword)
    # Some of BIMCV's texts are in quotation marks of their own.
    return "" if value is None else str(value).strip(" '\"").upper()


def _number(dataset: Dataset, keyword: str, name: str) -> float | None:
    """The first value of a tag as a finite number; None where the tag is absent or empty."""
    value = dataset.get(keyword)
    if isinstance(value, (list, tuple, MultiValue)):
        value = value[0] if len(value) else None
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(
            f"expected {keyword} to be a finite number in {name}, got {value!r}: leave the film out"
        )
    return number
