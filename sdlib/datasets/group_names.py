"""Names of groups in one spelling, so that a patient who is written in two ways is one patient."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import numpy as np

__all__ = ["canonical", "canonical_groups", "doubtful_groups", "visible"]

# The plus sign is needed: spreadsheets and data frames write it, codes such as 12E3 have none.
NUMBER = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]*))?(?:[eE]\+([0-9]{1,2}))?")
LEADING_ZEROS = re.compile(r"(?<![0-9.])0+(?=[0-9])")
# Control and formatting characters, such as zero-width spaces and marks of writing direction.
INVISIBLE = ("Cc", "Cf")
# Marks that choose a glyph, and one that joins nothing: characters without a shape of their own.
SHAPELESS = frozenset(map(chr, [0x034F, *range(0xFE00, 0xFE10)]))


def visible(text: str) -> str:
    """Reduce a text to what can be seen of it.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The text in Unicode's normal form NFC, without invisible characters, with single plain
        spaces between its words and none around it.

    Examples
    --------
    >>> visible("Anna\\u00a0 \\u200bMeier ")
    'Anna Meier'
    """
    # Most texts need nothing, and tables may have a million of them.
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    spaced = " ".join(text.split())
    seen = "".join(
        character
        for character in spaced
        if unicodedata.category(character) not in INVISIBLE and character not in SHAPELESS
    )
    return unicodedata.normalize("NFC", " ".join(seen.split()))


def canonical(name: str) -> str:
    """Write the name of a group in the one spelling by which groups are compared.

    Names that look alike are one (see :func:`visible`), and so are equal numbers: a spreadsheet
    or a data frame may make ``17.0`` or ``1.7E+01`` of 17. Leading zeros and capitals are kept:
    007 and 7, or Anna and anna, may be two patients (see :func:`doubtful_groups`).

    Parameters
    ----------
    name : str
        The name as it was read.

    Returns
    -------
    str
        The canonical name.

    Examples
    --------
    >>> [canonical(name) for name in ("17", " 17.0", "1.70E+01", "007", "p17.0")]
    ['17', '17', '17', '007', 'p17.0']
    """
    name = visible(name)
    match = NUMBER.fullmatch(name)
    if not match:
        return name
    sign, whole, fraction, exponent = match.groups()
    fraction = fraction or ""
    if exponent is not None:
        shift = int(exponent)
        fraction = fraction.ljust(shift, "0")
        whole, fraction = (whole + fraction[:shift]).lstrip("0") or "0", fraction[shift:]
    fraction = fraction.rstrip("0")
    number = f"{whole}.{fraction}" if fraction else whole
    is_zero = not number.strip("0.")
    return f"-{number}" if sign == "-" and not is_zero else number


def canonical_groups(groups: Iterable[object]) -> np.ndarray:
    """Write the names of all groups canonically.

    Parameters
    ----------
    groups : iterable of str
        The group of each example. Groups that are not text are returned as they are.

    Returns
    -------
    numpy.ndarray
        The canonical names, in the same order.

    Examples
    --------
    >>> canonical_groups(["17", "17.0", "18"]).tolist()
    ['17', '17', '18']
    >>> canonical_groups([3, 4]).tolist()
    [3, 4]
    """
    names = np.asarray(groups)
    if names.dtype.kind not in "UO" or not names.size:
        return names
    if not all(isinstance(name, str) for name in names.flat):
        return names
    # A patient has many tiles, but only one name that has to be looked at.
    spelt = {name: canonical(name) for name in set(names.flat)}
    return np.array([spelt[name] for name in names.flat], str).reshape(names.shape)


def doubtful_groups(groups: Iterable[str]) -> list[tuple[str, ...]]:
    """Find groups that may be one patient: their names differ in capitals or leading zeros alone.

    Parameters
    ----------
    groups : iterable of str
        Canonical names.

    Returns
    -------
    list of tuple of str
        The names that are alike, sorted.

    Examples
    --------
    >>> doubtful_groups(["Anna", "anna", "7", "007", "Eva"])
    [('007', '7'), ('Anna', 'anna')]
    """
    alike: dict[str, set[str]] = {}
    for name in groups:
        folded = unicodedata.normalize("NFKC", name).casefold()
        alike.setdefault(LEADING_ZEROS.sub("", folded), set()).add(name)
    return sorted(tuple(sorted(names)) for names in alike.values() if len(names) > 1)
