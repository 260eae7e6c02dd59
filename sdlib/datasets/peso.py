"""PESO's test set as published: regions of prostatectomies from Radboud, the paper's external set.

x: the tile, RGB, 512 x 512 px at 0.48 um per px (which the paper calls 10x), haematoxylin and
eosin, cut from regions of 2500 x 2500 px. y: the label of its region, 1 cancer, 0 non-cancer; a
tile of a cancerous region need not hold cancer itself. 160 regions of 40 slides, four a slide, 71
with cancer. Pannoramic Flash II 250. CC BY-NC-SA 4.0. Bulten et al. 2019,
https://doi.org/10.1038/s41598-018-37257-4, Zenodo record 1485967.

Files: ``peso_testset_mapping.csv`` (id, slide, type) and ``peso_testset_png.zip`` with
``{id}.png``, in the folder ``peso``. The archive is read as it is; where it has been unpacked, the
files are read from the folder, or from ``peso_testset_png`` in it. ``.jpg`` is accepted, too.

Geometry, as far as the paper tells it (tiles of 512 px with 20 % overlap; 5,655 of them, 45 % with
cancer):

- step: 512 px less 20 % is 409.6, rounded to 410 px;
- border: starts at 0, 410, ..., 1640, and a last one at 1988, so that the last tile ends where the
  region does: 36 tiles a region, 5,760 in all. (At 2050, the next step, it would be 62 px too
  wide; nothing is made up to fill it.)
- background: a pixel is background where no channel absorbs light: an optical density of
  -ln((I + 1) / 240) below .15 in each, which is 206 of 255 or brighter. A tile is left out if more
  than ``max_background`` of it is background. Which share leaves 5,655 tiles can be found only on
  the files themselves; the paper does not say.

Limits: the test set trains nothing. Labels are of regions. Patients are not told: the groups are
slides.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from sdlib.checks import check_number
from sdlib.datasets.group_names import canonical
from sdlib.datasets.images import check_side, fit_square
from sdlib.datasets.peso_files import Regions, open_regions
from sdlib.datasets.store import cache_folder, cached_tiles, data_folder, fingerprint
from sdlib.datasets.table import read_table
from sdlib.datasets.tiles import TileSet
from sdlib.errors import DataError
from sdlib.files import atomic_path

__all__ = ["MAX_BACKGROUND", "background_share", "load_peso", "tile_starts"]

MAPPING = "peso_testset_mapping.csv"
LABELS = {"non-cancer": 0, "cancer": 1}
#: What the published mapping holds.
REGIONS, CANCEROUS, REGIONS_PER_SLIDE = 160, 71, 4
REGION_SIDE, TILE_SIDE = 2500, 512  # px
STEP = 410  # px: 512 less 20 %, rounded
#: The darkest level of glass: an optical density below .15, as in the estimation of stains.
GLASS = 206
MAX_BACKGROUND = 0.95
FETCH_HINT = "Download it by 'python -m sdlib fetch peso'."


def load_peso(
    folder: str | os.PathLike[str] | None = None,
    size: int = TILE_SIDE,
    max_background: float = MAX_BACKGROUND,
    cache: str | os.PathLike[str] | None = None,
) -> TileSet:
    """Load the tiles of PESO's test regions.

    Every region is decoded once, and its tiles are written into a cache on disk, which is then
    mapped: at 512 px it takes 4.5 GB, at 224 px .9 GB.

    Parameters
    ----------
    folder : str or os.PathLike, optional
        The folder of the files; by default ``peso`` under the root that ``SDLIB_DATA`` names.
    size : int
        Side of the tiles in pixels; 512 leaves them as they are, other sizes are averaged over
        area.
    max_background : float
        The largest share of background, 0 to 1, that a tile may have; 1 keeps all 5,760.
    cache : str or os.PathLike, optional
        Folder of the cache; by default :func:`~sdlib.datasets.store.cache_folder`.

    Returns
    -------
    TileSet
        Its images are a read-only memory map. Its groups are slides. Its factors are ``region``
        (the published id), ``x`` and ``y`` (of the tile's upper left corner in its region, in
        pixels) and ``background`` (its share of the tile, 0 to 1).

    Raises
    ------
    ConfigError
        If ``max_background`` is not a share.
    DataError
        If a file is missing, damaged or not as published: another number of regions, a label that
        is spelt otherwise, a region twice or of another size.
    SdlibError
        If the cache cannot be written.

    Examples
    --------
    >>> len(load_peso(size=224, max_background=1))  # doctest: +SKIP
    5760
    """
    check_number("max_background", max_background, 0, 1)
    folder = Path(folder) if folder is not None else data_folder("peso", None, FETCH_HINT)
    table = _mapping(folder / MAPPING)
    starts = tile_starts(REGION_SIDE, TILE_SIDE, STEP)
    per_region = len(starts) ** 2
    with open_regions(folder, table["id"], FETCH_HINT) as regions:
        images, background = _tiles(regions, table, starts, size, Path(cache or cache_folder()))

    y, x = (corner.ravel() for corner in np.meshgrid(starts, starts, indexing="ij"))
    repeated = {name: np.repeat(table[name].to_numpy(str), per_region) for name in ("id", "slide")}
    targets = np.repeat(table["type"].map(LABELS).to_numpy(np.int64), per_region)
    factors = {
        "region": repeated["id"],
        "x": np.tile(x, len(table)),
        "y": np.tile(y, len(table)),
        "background": background,
    }
    tiles = TileSet(images, targets, repeated["slide"], factors)
    return tiles if max_background == 1 else tiles.subset(background <= max_background)


def tile_starts(length: int, tile: int, step: int) -> list[int]:
    """Where tiles begin along one axis, so that they cover all of it and nothing beyond.

    Parameters
    ----------
    length, tile, step : int
        Of the axis, of a tile, and from one tile to the next, in pixels.

    Returns
    -------
    list of int
        Every multiple of ``step`` at which a whole tile fits; the last tile ends at ``length``,
        nearer to the one before where the steps do not come out even.

    Examples
    --------
    >>> tile_starts(2500, 512, 410)
    [0, 410, 820, 1230, 1640, 1988]
    >>> tile_starts(1024, 512, 256)
    [0, 256, 512]
    """
    last = length - tile
    return [*range(0, last, step), last]


def background_share(image: np.ndarray) -> float:
    """Share of an image's pixels that show glass, without any stain.

    Parameters
    ----------
    image : numpy.ndarray
        uint8, shape ``(H, W, 3)``, RGB.

    Returns
    -------
    float
        0 to 1: pixels of which every channel is 206 or brighter.

    Examples
    --------
    >>> image = np.full((2, 2, 3), 240, np.uint8)
    >>> image[0, 0] = 240, 150, 240
    >>> background_share(image)
    0.75
    """
    glass = cv2.inRange(image, (GLASS,) * 3, (255,) * 3)
    return cv2.countNonZero(glass) / glass.size


def _tiles(
    regions: Regions, table: pd.DataFrame, starts: list[int], size: int, cache: Path
) -> tuple[np.ndarray, np.ndarray]:
    """All tiles, uint8 ``(n, size, size, 3)``, and the share of background in each, from the cache.

    They are made together, because decoding the regions is what takes long.
    """
    key = fingerprint([size, starts, GLASS, *table["id"], *regions.stamps])
    shape = (len(table) * len(starts) ** 2, size, size, 3)
    shares: list[float] = []

    def cut() -> Iterator[np.ndarray]:
        for region in table["id"]:
            image, name = regions.read(region)
            check_side(image, REGION_SIDE, name)
            tiles = [image[y : y + TILE_SIDE, x : x + TILE_SIDE] for y in starts for x in starts]
            shares.extend(map(background_share, tiles))
            yield np.stack([fit_square(tile, size) for tile in tiles])

    images = cached_tiles(cache / f"peso-{size}-{key}.npy", shape, cut())
    path = cache / f"peso-{size}-{key}-background.npy"
    if not path.is_file() or len(np.load(path)) != len(images):
        if not shares:  # the tiles are there, but their shares have been lost
            for _ in cut():
                pass
        with atomic_path(path) as temporary:
            np.save(temporary, np.array(shares))
    return images, np.load(path)


def _mapping(path: Path) -> pd.DataFrame:
    """The published table of regions, checked: id, slide, type."""
    if not path.is_file():
        raise DataError(f"expected {path.name} in {path.parent}, found none. {FETCH_HINT}")
    table = read_table(path, ["id", "slide", "type"])
    for name in ("id", "slide"):
        table[name] = table[name].map(canonical)
    seen: dict[str, int] = {}  # row of each region
    for number, region, kind in table[["id", "type"]].itertuples():
        if kind not in LABELS:
            raise DataError(
                f"expected type in {{{', '.join(LABELS)}}}, got {kind} in row {number} of {path}. "
                f"{FETCH_HINT}"
            )
        if not (region.isascii() and region.isdigit()):
            raise DataError(
                f"expected id to be a whole number, got {region} in row {number} of {path}. "
                f"{FETCH_HINT}"
            )
        if region in seen:
            raise DataError(
                f"expected each region once, got id {region} in row {seen[region]} and again in "
                f"row {number} of {path}. {FETCH_HINT}"
            )
        seen[region] = number
    _check_counts(table, path)
    return table


def _check_counts(table: pd.DataFrame, path: Path) -> None:
    """Check that no region of the published ones is missing: a table may have been cut off."""
    cancerous = int((table["type"] == "cancer").sum())
    if (len(table), cancerous) != (REGIONS, CANCEROUS):
        raise DataError(
            f"expected {REGIONS} regions in {path}, {CANCEROUS} of them with cancer, got "
            f"{len(table)} and {cancerous}. {FETCH_HINT}"
        )
    per_slide = table["slide"].value_counts()
    other = per_slide[per_slide != REGIONS_PER_SLIDE]
    if len(other):
        raise DataError(
            f"expected {REGIONS_PER_SLIDE} regions of every slide in {path}, got {other.iloc[0]} "
            f"of slide {other.index[0]}. {FETCH_HINT}"
        )
