"""PANDA as published: prostate biopsies of two centres, with masks, cut into tiles.

x: a square of the biopsy, RGB. y: 1 if the share of cancer in the tile's mask is at least a
threshold. 10,616 H&E core needle biopsies, about 350 GB: Radboud (Pannoramic Flash II 250, 0.48
microns per pixel) and Karolinska (Hamamatsu C9600-12, 0.452, and Aperio ScanScope AT2, 0.503);
levels of 1, 4 and 16. CC BY-NC-SA. It must be requested by hand: register at
https://www.kaggle.com/c/prostate-cancer-grade-assessment and accept the rules. Bulten et al. 2022,
https://doi.org/10.1038/s41591-021-01620-2.

Files: ``train.csv`` (image_id, data_provider, isup_grade, gleason_score),
``train_images/{image_id}.tiff`` and ``train_label_masks/{image_id}_mask.tiff``, a pyramid like its
slide's with the class in the red channel. Some masks are missing; these slides are left out, and
counted in the log.

========== ==========================================================================
provider   classes of the masks
========== ==========================================================================
radboud    0 background, 1 stroma, 2 benign epithelium, 3 to 5 Gleason pattern (cancer)
karolinska 0 background, 1 benign tissue, 2 cancer
========== ==========================================================================

Limits: patients are not published, and several biopsies may be of one, so that intervals over
slides are too narrow. The two centres' masks differ in more than their numbers: Radboud's single
out glands, those of Karolinska are regions. Train on one centre and test on the other, and what
counts as a tile of cancer changes together with stain and scanner.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from sdlib.datasets.file_paths import inside_paths, is_file
from sdlib.datasets.slide_tiles import Cutting, LabelledSlide, cut_labelled
from sdlib.datasets.store import data_folder
from sdlib.datasets.table import read_table
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError
from sdlib.slides import LabelRule

__all__ = ["PROVIDERS", "load_panda", "panda_slides"]

log = logging.getLogger(__name__)

#: Classes of cancer and of anything else in the masks of each provider.
PROVIDERS = {"karolinska": ((2,), (0, 1)), "radboud": ((3, 4, 5), (0, 1, 2))}
COLUMNS = ("image_id", "data_provider", "isup_grade", "gleason_score")
GRADES = tuple(str(grade) for grade in range(6))
FETCH_HINT = (
    "PANDA must be requested by hand: register at "
    "https://www.kaggle.com/c/prostate-cancer-grade-assessment, accept the rules, and unpack it "
    "into a folder called panda"
)
LISTED = 5  # slides that a message names


def load_panda(
    folder: str | os.PathLike[str] | None = None,
    provider: str | None = None,
    size: int = 224,
    tile: int = 512,
    overlap: float = 0.2,
    mpp: float | None = 1.0,
    border: str = "pad",
    max_background: float = 0.75,
    threshold: float = 0.1,
    where: str = "tile",
    resolutions: str | os.PathLike[str] | Mapping[str, float] | None = None,
    workers: int | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> TileSet:
    """Cut the biopsies of PANDA into labelled tiles.

    Slides are cut once, on all cores, into a cache on disk, which is then mapped. By default the
    tiles are like the paper's external test set: 512 px at 1 micron per pixel (10x), 20 % overlap.

    Parameters
    ----------
    folder : str or os.PathLike, optional
        The folder with ``train.csv``; by default ``panda`` under the root that ``SDLIB_DATA``
        names.
    provider : {"karolinska", "radboud"}, optional
        One centre alone; by default both.
    size : int
        Side of the tiles in pixels, resized from ``tile`` by averaging over area.
    tile : int
        Side of the square that is cut, in pixels of ``mpp``.
    overlap : float
        Share of a tile that the next one repeats (see :mod:`sdlib.slides.grid`).
    mpp : float, optional
        Microns per pixel of the square that is cut; None for the pixels of level 0.
    border : {"pad", "shift", "drop"}
        What becomes of tiles that reach beyond the slide.
    max_background : float
        Tiles with a larger share of background are left out.
    threshold : float
        The least share of cancer for label 1. The paper does not say its own; .1 is a choice.
    where : {"tile", "centre"}
        Whether the whole tile is looked at, or the square in its centre with half its side.
    resolutions : str, os.PathLike or mapping, optional
        The user's own microns per pixel (see :func:`~sdlib.slides.slide.open_slide`).
    workers : int, optional
        Number of processes, by default one per core. The tiles do not depend on it.
    cache : str or os.PathLike, optional
        Folder of the cache; by default :func:`~sdlib.datasets.store.cache_folder`.

    Returns
    -------
    TileSet
        Its images are a read-only memory map. Its groups are image ids. Its factors are ``centre``
        (the published ``data_provider``), ``isup_grade``, ``gleason_score``, ``x`` and ``y`` (the
        tile's corner in pixels of level 0) and ``background`` (its share).

    Raises
    ------
    ConfigError
        An unknown provider, or a value out of its range.
    DataError
        The folder or a slide is missing or not in the published form, a slide does not tell its
        resolution, a region cannot be read, or no tile is left.
    SdlibError
        The cache cannot be written.

    Examples
    --------
    >>> tiles = load_panda(provider="radboud")  # doctest: +SKIP
    >>> sorted(set(tiles.factors["centre"]))  # doctest: +SKIP
    ['radboud']
    """
    if provider not in (None, *PROVIDERS):
        raise ConfigError(f"expected a provider of {', '.join(PROVIDERS)}, got {provider!r}")
    # Wrong values are refused before anything is read.
    rules = {
        name: LabelRule(positive, negative, threshold=threshold, where=where)
        for name, (positive, negative) in PROVIDERS.items()
    }
    cutting = Cutting(size, tile, overlap, mpp, border, max_background)
    folder = Path(folder) if folder is not None else data_folder("panda", None, FETCH_HINT)
    table, missing = panda_slides(folder, provider)
    if missing:
        log.warning(
            "%d of %d slides in %s have no mask and are left out: %s",
            len(missing),
            len(missing) + len(table),
            folder,
            _some(missing),
        )
    slides = [
        LabelledSlide(_image(folder, name), _mask(folder, name), rules[centre])
        for name, centre in zip(table["image_id"], table["data_provider"], strict=True)
    ]
    images, columns = cut_labelled("panda", slides, cutting, resolutions, workers, cache)
    rows = table.iloc[columns["slide"]]
    factors = {
        "centre": rows["data_provider"].to_numpy(str),
        "isup_grade": rows["isup_grade"].to_numpy(np.int64),
        "gleason_score": rows["gleason_score"].to_numpy(str),
        **{name: columns[name] for name in ("x", "y", "background")},
    }
    return TileSet(images, columns["label"], rows["image_id"].to_numpy(str), factors)


def panda_slides(
    folder: str | os.PathLike[str], provider: str | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """List the slides of PANDA that have a mask, and those that have none.

    Parameters
    ----------
    folder : str or os.PathLike
        The folder with ``train.csv``.
    provider : {"karolinska", "radboud"}, optional
        One centre alone; by default both.

    Returns
    -------
    slides : pandas.DataFrame
        The published columns, of slides with a mask; ``isup_grade`` as int.
    missing : list of str
        Image ids without a mask.

    Raises
    ------
    DataError
        ``train.csv`` is not in the published form, a slide is missing, or none has a mask.
    """
    folder = Path(folder)
    place = folder / "train.csv"
    table = read_table(place, COLUMNS)
    for number, row in table.iterrows():
        for name, known in (("data_provider", tuple(PROVIDERS)), ("isup_grade", GRADES)):
            if row[name] not in known:
                raise DataError(
                    f"expected a {name} of {', '.join(known)}, got {row[name]} in row {number} of "
                    f"{place}: copy the table again from where it came from"
                )
    names = ((number, f"{name}.tiff") for number, name in table["image_id"].items())
    table["image_id"] = [name.removesuffix(".tiff") for name in inside_paths(names, str(place))]
    table["isup_grade"] = table["isup_grade"].astype(np.int64)
    if provider is not None:
        table = table[table["data_provider"] == provider]

    absent = [name for name in table["image_id"] if not _exists(_image(folder, name))]
    if absent:
        raise DataError(
            f"expected {len(table)} slides in {folder / 'train_images'}, as train.csv lists them, "
            f"found no file of {len(absent)} ({_some(absent)}): copy them there, or remove their "
            f"rows from train.csv"
        )
    missing = [name for name in table["image_id"] if not _exists(_mask(folder, name))]
    slides = table[~table["image_id"].isin(missing)]
    if not len(slides):
        raise DataError(
            f"expected masks in {folder / 'train_label_masks'}, found none for the {len(table)} "
            f"slides of {provider or 'either provider'}: copy the folder there"
        )
    return slides.reset_index(drop=True), missing


def _image(folder: Path, name: str) -> Path:
    return folder / "train_images" / f"{name}.tiff"


def _mask(folder: Path, name: str) -> Path:
    return folder / "train_label_masks" / f"{name}_mask.tiff"


def _exists(path: Path) -> bool:
    return is_file(path, str(path))


def _some(names: list[str]) -> str:
    """The first few names."""
    more = ", ..." if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
