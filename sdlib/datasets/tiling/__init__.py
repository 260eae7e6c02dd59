"""Whole slides into shards of tiles: ``python -m sdlib tile SLIDES OUT``.

- :mod:`sdlib.datasets.tiling.settings`: how slides are cut.
- :mod:`sdlib.datasets.tiling.slide_files`: which slides there are, their names, masks and groups.
- :mod:`sdlib.datasets.tiling.records`: what is known of slides that have been cut.
- :mod:`sdlib.datasets.tiling.one_slide`: one slide into shards of its own.
- :mod:`sdlib.datasets.tiling.manifest`: how each slide was cut, as a table.
- :mod:`sdlib.datasets.tiling.folder`: all slides, on several cores, with an index and a manifest.
"""

from sdlib.datasets.tiling.folder import tile_slides
from sdlib.datasets.tiling.settings import Tiling
from sdlib.datasets.tiling.slide_files import find_slides

__all__ = ["Tiling", "find_slides", "tile_slides"]
