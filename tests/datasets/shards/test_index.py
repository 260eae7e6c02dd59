"""The index: its columns, what it takes of memory, and indexes that are not whole."""

import json
import shutil

import numpy as np
import pytest

from sdlib.datasets.shards import ShardTile, ShardWriter, read_index, write_index
from sdlib.errors import DataError, SdlibError

GREY = np.full((8, 8, 3), 128, np.uint8)


def test_columns_are_what_was_written(folder, shard_tiles):
    index, tiles = read_index(folder), shard_tiles()
    assert (len(index), index.size, len(index.shards)) == (10, 32, 4)
    assert index.targets.tolist() == [tile.target for tile in tiles]
    assert index.targets.dtype == np.int64
    assert index.groups.tolist() == [tile.group for tile in tiles]
    assert list(index.factors) == ["x", "mpp", "centre", "odd"]
    for name, column in index.factors.items():
        # Exactly: text of any length, and every digit of a float.
        assert column.tolist() == [tile.factors[name] for tile in tiles]
    assert index.place["shard"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]


def test_columns_are_mapped_and_cannot_be_written(folder):
    index = read_index(folder)
    for column in (index.place, index.targets, index.groups, *index.factors.values()):
        assert isinstance(column.base, np.memmap)
        assert not column.flags.writeable


def test_sets_are_joined_in_the_order_that_is_given(tmp_path):
    for name, n in (("b", 3), ("a", 2), ("c", 1)):
        tiles = [ShardTile(f"{name}{k}", GREY, 0, name * 9) for k in range(n)]
        ShardWriter(tmp_path, name, max_tiles=2).write(tiles)
    assert [group[0] for group in write_index(tmp_path).groups] == list("aabbbc")
    assert [group[0] for group in write_index(tmp_path, ["c", "b"]).groups] == list("cbbb")


def test_an_index_that_is_made_again_leaves_one_folder_of_columns(folder):
    first = read_index(folder).columns
    ShardWriter(folder, "more").write(
        [
            ShardTile(
                "m",
                np.zeros((32, 32, 3), np.uint8),
                1,
                "m",
                {"x": 1, "mpp": 0.5, "centre": "c", "odd": True},
            )
        ]
    )
    assert read_index(folder).columns == first
    assert len(write_index(folder)) == 11
    assert [path.name for path in folder.glob("index-*")] == [read_index(folder).columns]
    assert read_index(folder).columns != first


def test_a_folder_without_shards_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected shards such as tiles-000000.tar in .*none"):
        write_index(tmp_path)
    with pytest.raises(DataError, match=r"index.json is not there: make the index again"):
        read_index(tmp_path)


@pytest.mark.parametrize(
    ("tile", "sentence"),
    [
        (ShardTile("b", GREY[:4, :4], 0, "b"), "of one size, got 8 px in a-000000.tar and 4"),
        (ShardTile("b", GREY, 0, "b", {"x": 1}), "the same factors in every shard"),
    ],
)
def test_sets_that_differ_are_refused_and_the_old_index_remains(tmp_path, tile, sentence):
    ShardWriter(tmp_path, "a").write([ShardTile("a", GREY, 0, "a")])
    before = write_index(tmp_path).columns
    ShardWriter(tmp_path, "b").write([tile])
    with pytest.raises(DataError, match=sentence):
        write_index(tmp_path)
    assert read_index(tmp_path).columns == before


def test_a_shard_whose_note_is_damaged_is_named(folder):
    note = folder / "tiles-000001.npz"
    note.write_bytes(note.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"tiles-000001.npz is damaged .*write the shards again"):
        write_index(folder)


def test_an_index_that_cannot_be_written_leaves_the_old_one(folder, monkeypatch):
    before = read_index(folder).columns
    shutil.rmtree(folder / before)
    (folder / before).write_text("in the way")
    with pytest.raises(SdlibError, match="is a file, not a folder"):
        write_index(folder)


def changed(folder, change):
    file = folder / "index.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda index: index.pop("size"), "size is missing"),
        (lambda index: index.update(tiles=11), "do not add up to all tiles"),
        (lambda index: index.update(columns="../elsewhere"), "expected the name of a folder"),
        (lambda index: index["names"].append("../../x"), "expected the name of a column"),
        (lambda index: index["names"].remove("group"), "expected the columns place, target and"),
        (lambda index: index["shards"][0].update(name="/etc/passwd"), "the name of a shard, got"),
        (lambda index: index["shards"][0].update(name="../x.tar"), "the name of a shard, got"),
        (lambda index: index["shards"][0].update(bytes="9"), "expected bytes to be of type int"),
        (lambda index: index["shards"][0].update(more=1), "expected name, tiles, bytes"),
    ],
)
def test_an_index_changed_by_hand_is_refused(folder, change, sentence):
    changed(folder, change)
    with pytest.raises(DataError, match=rf"index.json is damaged \(.*{sentence}.*make the index"):
        read_index(folder)


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda file: file.unlink(), "no whole column"),
        (lambda file: file.write_bytes(file.read_bytes()[:-8]), "no whole column"),
        (lambda file: file.write_bytes(b""), "no whole column"),
        (lambda file: np.save(file, np.zeros(9, np.int64)), r"expected int64 \(10,\), got int64"),
        (lambda file: np.save(file, np.zeros(10)), r"expected int64 \(10,\), got float64"),
    ],
)
def test_a_column_that_is_not_whole_is_named(folder, harm, sentence):
    harm(folder / read_index(folder).columns / "target.npy")
    with pytest.raises(DataError, match=rf"target.npy is damaged \({sentence}"):
        read_index(folder)


def test_a_column_that_names_no_such_shard_is_refused(folder):
    file = folder / read_index(folder).columns / "place.npy"
    place = np.load(file)
    place["shard"][3] = 4
    np.save(file, place)
    with pytest.raises(DataError, match=r"place.npy is damaged \(it names no such shards"):
        read_index(folder)
