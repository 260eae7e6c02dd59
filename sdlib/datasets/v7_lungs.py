"""Masks of lungs, drawn by V7 Labs, of films of the folder ``open-cxr``.

x: a film of cohen (110, four of them copies) or hannover (77). y: for each pixel, whether it is
lung; the part of a lung behind the heart counts as lung, the parts behind the diaphragm and the
mediastinum do not. Objects over the lungs, such as a pacemaker, are no lung.

The masks are part of the package torchxrayvision, in ``data/`` of its wheel: 517, of
films of Cohen's collection. A mask belongs to the film of the same file name. Masks of cohen have
their film's aspect. Those of hannover are square: they were drawn on the central square of the
film.
"""

from __future__ import annotations

import importlib.util
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from sdlib.datasets.images import decode_image
from sdlib.datasets.open_cxr import load_films, read_open_cxr
from sdlib.errors import DataError
from sdlib.films.square import square_film

__all__ = ["LungMasks", "load_v7_lungs"]

ARCHIVE = "data/semantic_masks_v7labs_lungs.zip"
PACKAGE = "torchxrayvision"
LUNG = 255  # in a mask; 127 is an object over the lung, 0 everything else
SOURCES = ("cohen", "hannover")


@dataclass(frozen=True, eq=False)
class LungMasks:
    """Films and the masks of their lungs.

    Parameters
    ----------
    films : numpy.ndarray
        uint8, shape ``(n, S, S, 3)``, grey in RGB.
    masks : numpy.ndarray
        uint8, shape ``(n, S, S)``: the share of each pixel that is lung, 0 to 255.
    groups, sources : numpy.ndarray
        str, shape ``(n,)``: patient (or figure), and collection.
    """

    films: np.ndarray
    masks: np.ndarray
    groups: np.ndarray
    sources: np.ndarray

    def __len__(self) -> int:
        return len(self.films)

    def subset(self, rows: np.ndarray) -> LungMasks:
        """Choose films by their numbers or by a boolean mask."""
        return LungMasks(self.films[rows], self.masks[rows], self.groups[rows], self.sources[rows])


def load_v7_lungs(
    size: int,
    root: str | os.PathLike[str] | None = None,
    archive: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> LungMasks:
    """Load the films whose lungs V7 Labs has outlined, with the masks.

    Films that are marked as duplicates of others are left out.

    Parameters
    ----------
    size : int
        Side of films and masks in pixels (see :func:`~sdlib.films.square_film`).
    root : str or os.PathLike, optional
        The folder that holds ``open-cxr``; by default what ``SDLIB_DATA`` names.
    archive : str or os.PathLike, optional
        The archive of masks; by default that of the installed torchxrayvision.
    cache : str or os.PathLike, optional
        Folder for the decoded films; by default :func:`~sdlib.datasets.store.cache_folder`.

    Returns
    -------
    LungMasks
        In the manifest's order.

    Raises
    ------
    DataError
        If films or masks are not at hand, a mask cannot be read or has another aspect than its
        film, or no film has a mask.

    Examples
    --------
    >>> lungs = load_v7_lungs(96)  # doctest: +SKIP
    >>> len(lungs)  # doctest: +SKIP
    183
    """
    archive = Path(archive) if archive else _installed()
    folder, table = read_open_cxr(root)
    table = table[table["source"].isin(SOURCES) & (table["duplicate_of"] == "")]
    try:
        with zipfile.ZipFile(archive) as opened:
            names = {PurePosixPath(name).stem: name for name in opened.namelist()}
            stems = [PurePosixPath(file).stem for file in table["file"]]
            table = table[[stem in names for stem in stems]]
            if table.empty:
                raise DataError(f"expected masks of films of {folder} in {archive}, found none")
            masks = []
            for file, width, height in table[["file", "width", "height"]].to_numpy():
                name = names[PurePosixPath(file).stem]
                mask = decode_image(opened.read(name), f"{name} in {archive}")[..., 0]
                _check_aspect(mask, int(width) / int(height), f"{name} in {archive}")
                lung = np.where(mask == LUNG, 255, 0).astype(np.uint8)
                masks.append(square_film(lung, size)[..., 0])
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{archive} cannot be read: {error}; install {PACKAGE} again") from error
    films = load_films(folder, table, size, cache)
    return LungMasks(films.images, np.stack(masks), films.groups, films.factors["source"])


def _installed() -> Path:
    """The archive in the installed package, which is looked for but not imported: that is slow."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise DataError(f"the masks of lungs are part of {PACKAGE}: pip install {PACKAGE}==1.5.7")
    return Path(found.submodule_search_locations[0]) / ARCHIVE


def _check_aspect(mask: np.ndarray, aspect: float, name: str) -> None:
    """Check that a mask's central square is that of its film."""
    height, width = mask.shape
    found = width / height
    # Sides of films are whole pixels, and some masks are of thumbnails.
    if abs(found / aspect - 1) > 0.02 and width != height:
        raise DataError(
            f"expected the aspect {aspect:.2f} of the film, or a square, got {found:.2f} in "
            f"{name}: it is the mask of another film"
        )
