"""Reading a manifest as text, with the row numbers that error messages need."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from sdlib.errors import DataError

__all__ = ["read_table"]


def read_table(path: str | os.PathLike[str], columns: Iterable[str]) -> pd.DataFrame:
    """Read a CSV file as text, indexed by row number.

    Parameters
    ----------
    path : str or os.PathLike
        The file: separated by commas or semicolons, UTF-8 with or without a byte order mark.
    columns : iterable of str
        Columns that must exist and be filled in every row.

    Returns
    -------
    pandas.DataFrame
        All columns as text without spaces around it. The index is the row number in an editor or
        a spreadsheet: the header is row 1, and empty rows are left out but counted.

    Raises
    ------
    DataError
        If the file is missing, empty or not UTF-8; if a column is missing or there twice; if a
        row has an empty needed field, too few fields or too many.

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
    try:
        # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"expected a manifest at {path}, found none: write one there") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: save it as 'CSV UTF-8'") from error
    header, rows = _parse(path, text)
    missing = [name for name in columns if name not in header]
    if missing:
        raise DataError(
            f"expected columns {', '.join(columns)} in {path}, got {', '.join(header)}: "
            f"add {', '.join(missing)}"
        )
    if len(set(header)) < len(header):
        raise DataError(
            f"expected each column once in {path}, got {', '.join(header)}: rename or remove one"
        )
    if not rows:
        raise DataError(f"{path} has a header but no rows: add a row for each image")
    for number, row in rows.items():
        if len(row) != len(header):
            raise DataError(
                f"expected {len(header)} fields in row {number} of {path.name}, got {len(row)}: "
                f"put text that contains the separator in quotation marks"
            )
        for name, field in zip(header, row, strict=True):
            if name in columns and not field:
                raise DataError(
                    f"expected a {name} in row {number} of {path.name}, got an empty field"
                )
    return pd.DataFrame.from_dict(rows, orient="index", columns=header)


def _parse(path: Path, text: str) -> tuple[list[str], dict[int, list[str]]]:
    """Split CSV text into the header and the filled rows, by row number."""
    first = text.lstrip().partition("\n")[0]
    # Where the comma is the decimal sign, spreadsheets separate by semicolons.
    delimiter = ";" if ";" in first and "," not in first else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        stripped = ((reader.line_num, [field.strip() for field in row]) for row in reader)
        # Spreadsheets leave rows of nothing but separators behind.
        numbered = [(number, row) for number, row in stripped if any(row)]
    except csv.Error as error:
        raise DataError(f"row {reader.line_num} of {path} is not CSV: {error}") from error
    if not numbered:
        raise DataError(f"{path} is empty: add a header and a row for each image")
    (_, header), *rows = numbered
    return header, dict(rows)
