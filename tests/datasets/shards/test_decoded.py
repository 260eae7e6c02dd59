"""The cache of decoded tiles: the shards' own pixels, made once, made again if they change."""

import os
import shutil

import numpy as np
import pytest

from sdlib.datasets.image_stores import ArrayStore
from sdlib.datasets.shards import ShardTile, ShardWriter, open_decoded, open_shards, write_index
from sdlib.errors import DataError, SdlibError


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_it_holds_what_the_shards_hold(folder, tmp_path):
    tiles, shards = open_decoded(folder, cache=tmp_path / "cache"), open_shards(folder)
    assert isinstance(tiles.store, ArrayStore)
    assert isinstance(tiles.images, np.memmap)
    assert np.array_equal(tiles.images, shards.images)
    assert np.array_equal(tiles.groups, shards.groups)
    assert tiles.factors.keys() == shards.factors.keys()


def test_it_is_made_once(folder, tmp_path, monkeypatch):
    first = open_decoded(folder, cache=tmp_path / "cache").images
    monkeypatch.setattr("simplejpeg.decode_jpeg", None)
    assert np.array_equal(open_decoded(folder, cache=tmp_path / "cache").images, first)
    assert len(files(tmp_path / "cache")) == 1


def test_by_default_it_is_in_the_cache_folder(folder, outputs):
    open_decoded(folder)
    assert len(files(outputs / "cache")) == 1


def test_other_tiles_have_a_file_of_their_own(folder, tmp_path):
    cache = tmp_path / "cache"
    whole = open_decoded(folder, cache=cache)
    (folder / "tiles-000001.tar").unlink()
    left = open_decoded(folder, damaged="skip", cache=cache)
    assert np.array_equal(left.images, whole.images[[0, 1, 2, 6, 7, 8, 9]])
    assert left.factors["x"].tolist() == [0, 1, 2, 6, 7, 8, 9]
    assert len(files(cache)) == 2
    shutil.rmtree(folder)
    ShardWriter(folder).write([ShardTile("a", np.zeros((32, 32, 3), np.uint8), 0, "a")])
    write_index(folder)
    assert open_decoded(folder, cache=cache).images.max() == 0


def test_a_shard_that_is_damaged_on_the_way_leaves_no_file(folder, tmp_path):
    shard = folder / "tiles-000003.tar"
    content, times = bytearray(shard.read_bytes()), shard.stat()
    content[700] ^= 0xFF
    shard.write_bytes(content)
    os.utime(shard, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(DataError, match=r"tiles-000003.tar is damaged"):
        open_decoded(folder, cache=tmp_path / "cache")
    assert files(tmp_path / "cache") == []


def test_a_disk_without_room_is_told_before_anything_is_decoded(folder, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(SdlibError, match=r"10 decoded tiles need 0.0 GiB in .*: free some space"):
        open_decoded(folder, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
