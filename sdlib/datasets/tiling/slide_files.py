"""Which slides there are to cut, what they are called, and their masks and groups."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from sdlib.datasets.store import fingerprint
from sdlib.datasets.table import read_table
from sdlib.errors import DataError

__all__ = ["ENDINGS", "SlideFile", "find_slides"]

#: Endings of slides that are one file each. A DICOM slide is a folder of files: not among them.
ENDINGS = (".bif", ".czi", ".mrxs", ".ndpi", ".scn", ".svs", ".svslide", ".tif", ".tiff")
LONGEST_NAME = 60  # leaves room for a tile's place in its key
UNFIT = re.compile(r"[^A-Za-z0-9_-]+")
LETTERS = re.compile(r"[^\W_A-Za-z0-9]")  # those outside ASCII


@dataclass(frozen=True)
class SlideFile:
    """A slide that is to be cut.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    shown : str
        Its path from the folder of slides.
    name : str
        What its shards are called, and its tiles' keys begin with.
    group : str
        Its patient; the name where that is not known.
    mask : pathlib.Path or None
        Its mask; None where masks are not used. The file may be missing.
    """

    path: Path
    shown: str
    name: str
    group: str
    mask: Path | None = None


def find_slides(
    slides: str | os.PathLike[str],
    masks: str | os.PathLike[str] | None = None,
    groups: str | os.PathLike[str] | None = None,
) -> list[SlideFile]:
    """List the slides of a folder and of the folders in it, by path.

    Parameters
    ----------
    slides : path
        A folder, or one slide.
    masks : path, optional
        A folder with a mask for each slide: ``NAME`` or ``NAME_mask`` and one of the endings. It
        may be in the folder of slides, and is passed over there.
    groups : path, optional
        A CSV file with the columns ``slide`` (a file name, with or without its ending) and
        ``group``, for every slide. By default each slide is a group of its own.

    Returns
    -------
    list of SlideFile
        At least one.

    Raises
    ------
    DataError
        If there is no slide, two would have the same name, or a slide has no group in the table.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("b 1.svs", "a.tiff", "notes.txt"):
    ...     (folder / name).touch()
    >>> [(slide.shown, slide.name) for slide in find_slides(folder)]
    [('a.tiff', 'a'), ('b 1.svs', 'b-1')]
    """
    root = Path(slides)
    if root.is_file():
        paths, root = [root], root.parent
    else:
        without = Path(os.path.realpath(masks)) if masks is not None else None
        paths = [path for path in sorted(root.rglob("*")) if _is_slide(path, without)]
    if not paths:
        raise DataError(
            f"expected slides in {root}, found no file that ends with {', '.join(ENDINGS)}: check "
            "the path"
        )
    table = _groups(groups) if groups is not None else None
    found: dict[str, SlideFile] = {}
    for path in paths:
        shown = path.relative_to(root).as_posix()
        name = _name(shown)
        mask = _mask(Path(masks), path) if masks is not None else None
        slide = SlideFile(path, shown, name, _group(table, path, name, groups), mask)
        if name in found:
            raise DataError(
                f"{found[name].shown} and {shown} in {root} would both be called {name}: rename "
                "one of them, or move it elsewhere"
            )
        found[name] = slide
    return list(found.values())


def _is_slide(path: Path, without: Path | None) -> bool:
    """Whether a file may be a slide, by its ending; hidden files and masks are none."""
    if path.suffix.lower() not in ENDINGS or path.name.startswith(".") or not path.is_file():
        return False
    return without is None or without not in Path(os.path.realpath(path)).parents


def _name(shown: str) -> str:
    """A name for a slide's files: its path without what tar and WebDataset do not like."""
    path = str(Path(shown).with_suffix(""))
    name = UNFIT.sub("-", path)
    # Without their letters, names in other scripts would all be alike.
    if len(name) > LONGEST_NAME or LETTERS.search(path):
        digits = fingerprint([shown])
        name = f"{name[: LONGEST_NAME - len(digits) - 1]}-{digits}"
    return name


def _mask(folder: Path, slide: Path) -> Path:
    """The mask of a slide; a path at which there is none if it is missing."""
    names = [f"{slide.stem}{added}{ending}" for added in ("", "_mask") for ending in ENDINGS]
    present = (folder / name for name in names if (folder / name).is_file())
    return next(present, folder / f"{slide.stem}_mask{slide.suffix}")


def _groups(file: str | os.PathLike[str]) -> dict[str, str]:
    """The groups of a table, by slide."""
    found: dict[str, str] = {}
    table = read_table(file, ("slide", "group"), "table of groups", "slide")
    for number, row in table.iterrows():
        slide, group = row["slide"], row["group"]
        if found.setdefault(slide, group) != group:
            raise DataError(
                f"expected one group for {slide}, got {found[slide]} and {group} in row {number} "
                f"of {os.fspath(file)}: remove one"
            )
    return found


def _group(table: dict[str, str] | None, path: Path, name: str, file: object) -> str:
    """The group of a slide."""
    if table is None:
        return name
    for known in (path.name, path.stem):
        if known in table:
            return table[known]
    raise DataError(f"expected a group for the slide {path.name} in {file}, found none: add a row")
