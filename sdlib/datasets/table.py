"""Reading a manifest as text, with the row numbers that error messages need."""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from sdlib.datasets.group_names import visible
from sdlib.errors import DataError

__all__ = ["read_table"]

# The separators that are looked for, the usual one first, and their names in errors.
NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
# With this first line, spreadsheets are told the separator.
SEPARATOR_LINE = re.compile(r'"?sep=(\t|[^\w\s"])"?\1*\s*$', re.IGNORECASE)
# Byte order marks; one of UTF-32 begins with one of UTF-16.
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
LONGEST_HEADER = 200  # characters of it that an error repeats
WORKBOOK = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # spreadsheets' own formats, new and old


def read_table(
    path: str | os.PathLike[str],
    columns: Iterable[str],
    what: str = "manifest",
    row_of: str = "image",
    encoding: str = "utf-8",
) -> pd.DataFrame:
    """Read a CSV file as text, indexed by row number.

    Parameters
    ----------
    path : str or os.PathLike
        The file: separated by commas, semicolons, tabs or vertical bars, or by what a first line
        ``sep=`` names; in ``encoding``, or in UTF-8, 16 or 32 with a byte order mark.
    columns : iterable of str
        Columns that must exist and be filled in every row.
    what, row_of : str
        What the file is, and what has a row in it, for messages.
    encoding : str
        Python's name of the encoding, where a table is published in another than UTF-8.

    Returns
    -------
    pandas.DataFrame
        All columns as text without spaces around it. The index is the row number in an editor or
        a spreadsheet: the header is row 1, and empty rows are left out but counted.

    Raises
    ------
    DataError
        If the file is missing, empty or in an encoding that it does not tell; if a column is
        missing or there twice; if a row has an empty needed field, too few fields or too many.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "manifest.csv"
    >>> _ = path.write_text("file,label\\na.png,\\n")
    >>> read_table(path, ["file", "label"])
    Traceback (most recent call last):
    ...
    sdlib.errors.DataError: expected a label in row 2 of manifest.csv, got an empty field
    """
    path = Path(path)
    columns = list(columns)
    text = _read_text(path, columns, what, encoding)
    advice = f"add a row for each {row_of}"
    header, rows, separator = _parse(path, text, columns, advice)
    missing = [name for name in columns if name not in header]
    if missing:
        raise DataError(
            f"expected columns {', '.join(columns)} in {path}, got {_listed(header)} "
            f"(separated by {NAMES.get(separator, repr(separator))}): add {', '.join(missing)}"
        )
    if len(set(header)) < len(header):
        raise DataError(
            f"expected each column once in {path}, got {_listed(header)}: rename or remove one"
        )
    if not rows:
        raise DataError(f"{path} has a header but no rows: {advice}")
    for number, row in rows.items():
        if len(row) != len(header):
            raise DataError(
                f"expected {len(header)} fields in row {number} of {path.name}, got {len(row)}: "
                f"put text that contains the separator, "
                f"{NAMES.get(separator, repr(separator))}, in quotation marks"
            )
        for name, field in zip(header, row, strict=True):
            # A field of nothing but zero-width spaces looks empty, too; letters and digits do not,
            # and tables may have millions of them.
            if name in columns and not field.isalnum() and not visible(field):
                raise DataError(
                    f"expected a {name} in row {number} of {path.name}, got an empty field"
                )
    return pd.DataFrame.from_dict(rows, orient="index", columns=header)


def _listed(header: list[str]) -> str:
    """A header in a sentence, which a file that is no table must not fill with its bytes."""
    text = ", ".join(header)
    return text if len(text) <= LONGEST_HEADER else f"{text[:LONGEST_HEADER]} ..."


def _read_text(path: Path, columns: list[str], what: str, encoding: str) -> str:
    """Read a file whose encoding is certain; name the encoding of others where it is known."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(
            f"expected a {what} at {path}, found none: write one there with the columns "
            f"{', '.join(columns)}, or check the path"
        ) from error
    except NotADirectoryError as error:
        raise DataError(
            f"expected a folder at {path.parent}, found a file: check the path"
        ) from error
    except IsADirectoryError as error:
        raise DataError(
            f"expected a {what} at {path}, found a folder: rename or remove it"
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    advice = "save it as 'CSV UTF-8'"
    if content.startswith(WORKBOOK):
        raise DataError(f"{path} is a workbook or another packed file, not CSV: {advice}")
    for mark, marked in MARKS.items():
        if content.startswith(mark):
            encoding = marked
            break
    else:
        unmarked = _unmarked(content)
        if unmarked:
            raise DataError(f"{path} is {unmarked} text without a byte-order mark: {advice}")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        raise DataError(f"{path} is not {name} text: {advice}") from error


def _unmarked(content: bytes) -> str:
    """Name the encoding of text whose first characters fill two or four bytes each, if it is so."""
    start = content[:64]
    if b"\0" not in start:
        return ""
    # Names of columns are plain letters, whose other bytes are zero.
    for name, width, place in (
        ("UTF-32 (little-endian)", 4, 0),
        ("UTF-32 (big-endian)", 4, 3),
        ("UTF-16 (little-endian)", 2, 0),
        ("UTF-16 (big-endian)", 2, 1),
    ):
        letters = start[place : len(start) // width * width : width]
        zeros = len(start) // width * (width - 1)
        if b"\0" not in letters and start[: len(start) // width * width].count(0) == zeros:
            return name
    return ""


def _parse(
    path: Path, text: str, columns: list[str], advice: str
) -> tuple[list[str], dict[int, list[str]], str]:
    """Split CSV text into the header, the filled rows by row number, and the separator."""
    first = text.lstrip("\r\n").partition("\n")[0].strip("\r")
    told = SEPARATOR_LINE.match(first)
    separator = told.group(1) if told else _separator(text, columns)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        stripped = ((reader.line_num, [field.strip() for field in row]) for row in reader)
        # Spreadsheets leave rows of nothing but separators behind.
        numbered = [(number, row) for number, row in stripped if any(row)]
    except csv.Error as error:
        raise DataError(f"row {reader.line_num} of {path} is not CSV: {error}") from error
    if told:
        # The line that names the separator is not a row, but an editor counts it as a line.
        del numbered[0]
    if not numbered:
        raise DataError(f"{path} is empty: add a header, and {advice}")
    (_, header), *rows = numbered
    return [visible(name) for name in header], dict(rows), separator


def _separator(text: str, columns: list[str]) -> str:
    """Find the separator under which the header has the most of the needed columns."""
    best, most = ",", (-1, -1)
    for separator in NAMES:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        try:
            header = next((row for row in reader if any(map(str.strip, row))), [])
        except csv.Error:
            continue
        found = {visible(name) for name in header}
        # Without any needed column, the separator is the one that separates most.
        quality = (len(found & set(columns)), len(header) if len(header) > 1 else 0)
        if quality > most:
            best, most = separator, quality
    return best
