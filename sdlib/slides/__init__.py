"""Whole slides: opened, read by regions, and cut into tiles.

- :mod:`sdlib.slides.slide`: an open slide, :func:`open_slide`; regions of it as arrays.
- :mod:`sdlib.slides.readers`: openslide, and libvips where it gives the same pixels faster.
- :mod:`sdlib.slides.resolution`: microns per pixel, and where the number comes from.
- :mod:`sdlib.slides.grid`: where tiles begin, by size, overlap and resolution.
- :mod:`sdlib.slides.tissue`: tissue and glass; the share of background in a tile.
- :mod:`sdlib.slides.labels`: a tile's label from an annotation mask.
- :mod:`sdlib.slides.cut`: all of it together, :func:`cut_tiles`.

Why there is a tiler here at all: hs2p 6.1.0 (Apache 2.0) resolves beside this project's pins, but
it requires wandb and opencv-python, whose ``cv2`` overwrites that of opencv-python-headless, 17
packages in all; and HistoPrep 2.0.5, the paper's tiler, pins Pillow below 10.
"""

from sdlib.slides.cut import CutTile, TilePlan, cut_tiles, plan_tiles, read_tile
from sdlib.slides.grid import (
    BORDERS,
    LARGEST_REGION,
    TileGrid,
    check_mpp,
    grid_starts,
    plan_grid,
    tile_step,
)
from sdlib.slides.labels import LabelRule, check_mask, open_mask, read_mask, tile_label
from sdlib.slides.resolution import Resolution, find_resolution, read_resolutions
from sdlib.slides.slide import Slide, open_slide
from sdlib.slides.tissue import Tissue, find_tissue, otsu_threshold

__all__ = [
    "BORDERS",
    "LARGEST_REGION",
    "CutTile",
    "LabelRule",
    "Resolution",
    "Slide",
    "TileGrid",
    "TilePlan",
    "Tissue",
    "check_mask",
    "check_mpp",
    "cut_tiles",
    "find_resolution",
    "find_tissue",
    "grid_starts",
    "open_mask",
    "open_slide",
    "otsu_threshold",
    "plan_grid",
    "plan_tiles",
    "read_mask",
    "read_resolutions",
    "read_tile",
    "tile_label",
    "tile_step",
]
