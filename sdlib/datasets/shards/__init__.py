"""Tiles by the million: JPEG in plain tar files, WebDataset's form, with an index of positions.

A :class:`ShardWriter` writes tiles, :func:`write_index` makes the index, :func:`open_shards`
returns a :class:`~sdlib.datasets.tiles.TileSet` that reads any tile at once, and
:func:`open_decoded` keeps decoded tiles in one file where they fit on the disk. ``webdataset``
reads the shards as they are.

Examples
--------
>>> import tempfile
>>> import numpy as np
>>> folder = tempfile.mkdtemp()
>>> image = np.full((16, 16, 3), 200, np.uint8)
>>> tiles = (ShardTile(f"t{k}", image, k % 2, f"patient{k}") for k in range(4))
>>> ShardWriter(folder).write(tiles)
4
>>> _ = write_index(folder)
>>> open_shards(folder).batch([3, 0]).shape
(2, 16, 16, 3)
"""

from sdlib.datasets.shards.decoded import open_decoded
from sdlib.datasets.shards.index import INDEX_FILE, ShardIndex, read_index, write_index
from sdlib.datasets.shards.store import ShardStore, check_shards, open_shards
from sdlib.datasets.shards.tile import QUALITY, DeferredTile, ShardTile, tiles_of
from sdlib.datasets.shards.writing import ShardWriter

__all__ = [
    "INDEX_FILE",
    "QUALITY",
    "DeferredTile",
    "ShardIndex",
    "ShardStore",
    "ShardTile",
    "ShardWriter",
    "check_shards",
    "open_decoded",
    "open_shards",
    "read_index",
    "tiles_of",
    "write_index",
]
