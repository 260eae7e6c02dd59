"""Checks of single images: damaged ones, and those that are unlike the others or show nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from sdlib.datasets.folder_checks.findings import Finding, Grade, counted, listed
from sdlib.datasets.folder_checks.readings import Readings
from sdlib.datasets.group_names import visible
from sdlib.datasets.manifest import ManifestDataset

__all__ = ["check_damage", "check_odd_images", "check_sizes"]

MOST_DAMAGED = 20  # damaged images with a sentence of their own; the others are counted
ONE_COLOUR = 3  # grey levels: images of a smaller range are of one colour
NEARLY_ALL = 0.95  # share of an image's pixels
FEW = 0.1  # share of images: fewer of a kind than this are odd ones among the others
SMALLEST, LARGEST = 32, 4096  # px: sides of images that are still tiles
LONGEST = 2.0  # long side over short side
DARK = 64  # a 16-bit image that is nowhere brighter, of 255, has unused high bits
DIRECT_MODES = ("L", "RGB", "RGBA", "LA", "P", "PA", "I;16", "I;16B", "I;16L", "I;16N")


@dataclass(frozen=True)
class Kind:
    """A kind of odd image.

    Parameters
    ----------
    what : str
        What such images do, after "3 images"; ``{s}`` is the ending of the verb for one image.
    advice : str
        What to do about it.
    which : callable
        Takes the readings' table and says which images are of this kind.
    """

    what: str
    advice: str
    which: Callable[[pd.DataFrame], pd.Series]


def _few(marked: pd.Series) -> pd.Series:
    """The marked images where they are few, or the unmarked where those are; else none."""
    if marked.mean() <= FEW:
        return marked
    if (~marked).mean() <= FEW:
        return ~marked
    return marked & False


def _is_odd_colour(table: pd.DataFrame) -> pd.Series:
    """Grey images among those in colour, or the reverse; white and black ones count as neither."""
    telling = (table["white"] < NEARLY_ALL) & (table["black"] < NEARLY_ALL)
    odd = _few(table.loc[telling, "grey"])
    return odd.reindex(table.index, fill_value=False)


KINDS = (
    Kind(
        "show{s} one single colour",
        "remove them, or look where they come from",
        lambda table: table["range"] < ONE_COLOUR,
    ),
    Kind(
        "{is} nearly white (95 % of the pixels or more)",
        "glass without tissue has no label: remove what shows nothing of its class",
        lambda table: (table["white"] >= NEARLY_ALL) & (table["range"] >= ONE_COLOUR),
    ),
    Kind(
        "{is} nearly black (95 % of the pixels or more)",
        "remove what shows nothing of its class",
        lambda table: (table["black"] >= NEARLY_ALL) & (table["range"] >= ONE_COLOUR),
    ),
    Kind(
        f"{{is}} smaller than {SMALLEST} px on a side",
        "networks see nothing in them: find the larger originals, or remove them",
        lambda table: table[["width", "height"]].min(axis=1) < SMALLEST,
    ),
    Kind(
        f"{{is}} larger than {LARGEST} px on a side",
        "cut them into tiles (python -m sdlib tile), or all detail is lost when they are resized",
        lambda table: table[["width", "height"]].max(axis=1) > LARGEST,
    ),
    Kind(
        f"{{is}} more than {LONGEST:g} times as long as wide, or as wide as long",
        "only the central square is used: cut them to the part that matters",
        lambda table: (
            table[["width", "height"]].max(axis=1) / table[["width", "height"]].min(axis=1)
            > LONGEST
        ),
    ),
    Kind(
        "{is} in grey among images in colour, or in colour among grey ones",
        "a network can learn the difference: convert all alike, or remove them",
        _is_odd_colour,
    ),
    Kind(
        "{has} transparent pixels",
        "they are laid over white: flatten them yourself if the background is another",
        lambda table: table["see_through"],
    ),
    Kind(
        "{is} 16-bit but dark, as 12-bit scans are in files of 16 bits",
        "they are scaled over all 16 bits: window them to 8 bits first",
        lambda table: (table["bits"] == 16) & (table["brightest"] < DARK),
    ),
    Kind(
        "differ{s} from the others in the number of bits, 8 or 16",
        "convert all to 8 bits in one way",
        lambda table: _few(table["bits"] == 16),
    ),
    Kind(
        "{is} of an unusual colour mode (CMYK, YCbCr or 1 bit)",
        "they are converted to RGB without a colour profile: convert them yourself",
        lambda table: ~table["mode"].isin(DIRECT_MODES),
    ),
    Kind(
        "{has} several pages",
        "only the first page is read: save the one that is meant by itself",
        lambda table: table["pages"] > 1,
    ),
    Kind(
        "{has} a tag that says it is turned",
        "the tag is ignored: turn the pixels and remove the tag if up and down matter",
        lambda table: table["orientation"] != 1,
    ),
)


def check_damage(data: ManifestDataset, readings: Readings) -> list[Finding]:
    """Name the images that cannot be read.

    Parameters
    ----------
    data : ManifestDataset
        The folder.
    readings : Readings
        Of its images.

    Returns
    -------
    list of Finding
        One for each damaged image, up to 20, then one that counts the others; or one that is fine.
    """
    damaged = readings.damaged
    if not damaged:
        return [Finding(Grade.FINE, "files", f"All {len(data):,} images can be read.")]
    shown = list(damaged.items())[:MOST_DAMAGED]
    findings = [
        Finding(Grade.MEND, "files", f"{reason}; or remove its row.", (row,))
        for row, reason in shown
    ]
    rest = tuple(damaged)[MOST_DAMAGED:]
    if rest:
        more = f"And {counted(len(rest), 'more image')} cannot be read: rows {listed(rest)}."
        findings.append(Finding(Grade.MEND, "files", more, rest))
    return findings


def check_odd_images(data: ManifestDataset, readings: Readings) -> list[Finding]:
    """Name the images that show nothing, or are of another kind than the others.

    Parameters
    ----------
    data : ManifestDataset
        The folder.
    readings : Readings
        Of its images.

    Returns
    -------
    list of Finding
        One for each kind of odd image that there is; or one that is fine.
    """
    if readings.table.empty:
        return []
    findings = []
    for kind in KINDS:
        rows = tuple(readings.table.index[kind.which(readings.table)])
        if rows:
            names = [f"{visible(data.table['file'][row])} (row {row})" for row in rows[:5]]
            more = f" and {len(rows) - len(names):,} more" if len(rows) > len(names) else ""
            sentence = f"{counted(len(rows), 'image')} {_verb(kind.what, len(rows))}: "
            sentence += f"{', '.join(names)}{more}; {kind.advice}."
            findings.append(Finding(Grade.LOOK, "images", sentence, rows))
    if not findings:
        fine = "No image is of one colour, nearly white or black, tiny, transparent or of odd form."
        findings.append(Finding(Grade.FINE, "images", fine))
    return findings


def check_sizes(data: ManifestDataset, readings: Readings) -> list[Finding]:
    """Tell how large the images are, and name a few that differ from all others.

    Parameters
    ----------
    data : ManifestDataset
        The folder.
    readings : Readings
        Of its images.

    Returns
    -------
    list of Finding
        One, or none where no image can be read.
    """
    table = readings.table
    if table.empty:
        return []
    sizes = table["width"].astype(str) + " x " + table["height"].astype(str)
    usual, number = sizes.value_counts().index[0], sizes.value_counts().iloc[0]
    odd = sizes[sizes != usual]
    if odd.empty:
        return [Finding(Grade.FINE, "sizes", f"All images are {usual} px.")]
    if len(odd) > FEW * len(table):
        sides = table[["width", "height"]].min(axis=1)
        sentence = (
            f"Images are of {sizes.nunique():,} sizes, with short sides of {sides.min():,} to "
            f"{sides.max():,} px; the commonest is {usual} ({number:,}): all are cut square and "
            f"resized."
        )
        return [Finding(Grade.FINE, "sizes", sentence)]
    names = [f"{size} ({count:,})" for size, count in odd.value_counts().items()]
    sentence = (
        f"{number:,} images are {usual} px, {len(odd):,} of other sizes: {listed(names)}, from row "
        f"{odd.index[0]} on; look whether all are at the same magnification."
    )
    return [Finding(Grade.LOOK, "sizes", sentence, tuple(odd.index))]


def _verb(what: str, number: int) -> str:
    """What images do, in the singular or the plural."""
    if number == 1:
        return what.format_map({"s": "s", "is": "is", "has": "has"})
    return what.format_map({"s": "", "is": "are", "has": "have"})
