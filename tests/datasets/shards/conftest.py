"""Small shards to read, change and damage."""

from __future__ import annotations

import numpy as np
import pytest

from sdlib.datasets.shards import ShardTile, ShardWriter, write_index
from sdlib.phantoms import draw_tiles, render


@pytest.fixture(scope="session")
def rendered():
    """Ten phantom tiles of 32 px, uint8 (10, 32, 32, 3)."""
    return np.stack([render(tile, 32) for tile in draw_tiles(10, seed=0)])


@pytest.fixture(scope="session")
def shard_tiles(rendered):
    """`shard_tiles(n)`: the first n tiles with everything that a tile can have."""

    def make(n=10):
        return [
            ShardTile(
                f"t{k}",
                rendered[k],
                k % 2,
                f"patient {k // 2} ü",
                {"x": k, "mpp": k / 7, "centre": "ab"[k % 2] * k, "odd": bool(k % 2)},
            )
            for k in range(n)
        ]

    return make


@pytest.fixture
def folder(tmp_path, shard_tiles):
    """A folder of four shards, of three, three, three tiles and one, with their index."""
    made = tmp_path / "set"
    ShardWriter(made, max_tiles=3).write(shard_tiles())
    write_index(made)
    return made
