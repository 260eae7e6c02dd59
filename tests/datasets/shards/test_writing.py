"""Shards as they are written: whole, in WebDataset's form, the same again after a kill."""

import io
import json
import os
import resource
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import webdataset
from hypothesis import given, settings, strategies as st
from PIL import Image

from sdlib.datasets.shards import DeferredTile, ShardTile, ShardWriter, tiles_of, write_index
from sdlib.datasets.shards.notes import read_note
from sdlib.datasets.shards.writing import END_BYTES
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError

GREY = np.full((8, 8, 3), 128, np.uint8)


def tars(folder):
    return sorted(folder.glob("[!.]*.tar"))


def contents(folder):
    return {file.name: file.read_bytes() for file in tars(folder)}


def members(file):
    """Name, offset and content of each member, by the standard library."""
    with tarfile.open(file) as tar:
        return [(m.name, m.offset_data, tar.extractfile(m).read()) for m in tar.getmembers()]


# -- What is in a shard


def test_each_tile_is_a_jpeg_and_a_json_beside_each_other(folder, shard_tiles):
    found = [member for file in tars(folder) for member in members(file)]
    for tile, (image, note) in zip(
        shard_tiles(), zip(found[::2], found[1::2], strict=True), strict=True
    ):
        assert (image[0], note[0]) == (f"{tile.key}.jpg", f"{tile.key}.json")
        known = {"target": tile.target, "group": tile.group, "factors": dict(tile.factors)}
        assert json.loads(note[2]) == known
        pillow = np.asarray(Image.open(io.BytesIO(image[2])))
        assert np.abs(pillow.astype(int) - tile.image).mean() < 2
        assert np.array_equal(pillow, simplejpeg.decode_jpeg(image[2]))


def test_positions_are_those_that_tarfile_finds(folder):
    for file in tars(folder):
        note, images = read_note(file), members(file)[::2]
        assert note.columns["offset"].tolist() == [offset for _, offset, _ in images]
        assert note.columns["length"].tolist() == [len(content) for *_, content in images]
        assert note.keys == [name.removesuffix(".jpg") for name, *_ in images]


def test_webdataset_reads_the_shards_as_they_are(folder, shard_tiles):
    urls = [str(file) for file in tars(folder)]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8"))
    for sample, tile in zip(samples, shard_tiles(), strict=True):
        assert sample["__key__"] == tile.key
        assert sample["json"]["group"] == tile.group
        assert np.abs(sample["jpg"].astype(int) - tile.image).mean() < 2


def test_the_same_tiles_make_the_same_files(folder, shard_tiles, tmp_path):
    ShardWriter(tmp_path / "again", max_tiles=3).write(shard_tiles())
    assert contents(tmp_path / "again") == contents(folder)


def test_a_jpeg_file_is_stored_as_it_is(tmp_path, rendered):
    data = simplejpeg.encode_jpeg(rendered[0], 31, "RGB", "420")
    ShardWriter(tmp_path).write([ShardTile("a", data, 1, "a")])
    assert members(tars(tmp_path)[0])[0][2] == data


def test_quality_is_the_encoders(tmp_path, rendered):
    ShardWriter(tmp_path, quality=40).write([ShardTile("a", rendered[0], 1, "a")])
    expected = io.BytesIO()
    Image.fromarray(rendered[0]).save(expected, "JPEG", quality=40, subsampling=0)
    stored = Image.open(io.BytesIO(members(tars(tmp_path)[0])[0][2]))
    assert stored.quantization == Image.open(expected).quantization
    assert stored.layer == Image.open(expected).layer


def test_tiles_of_a_set(toy_tiles):
    tiles = toy_tiles(70)
    made = list(tiles_of(tiles, "set"))
    assert [tile.key for tile in made[:2]] == ["set_00000000", "set_00000001"]
    assert np.array_equal([tile.image for tile in made], tiles.images)
    assert [tile.target for tile in made] == tiles.targets.tolist()
    assert [tile.group for tile in made] == tiles.groups.tolist()


# -- Limits


@settings(max_examples=15, deadline=None)
@given(max_tiles=st.integers(1, 12), max_bytes=st.integers(1 << 16, 1 << 18), n=st.integers(0, 30))
def test_no_shard_exceeds_either_limit(tmp_path_factory, max_tiles, max_bytes, n):
    folder = tmp_path_factory.mktemp("limits")
    rng = np.random.default_rng(n)
    noise = [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(n)]
    tiles = [ShardTile(f"t{k}", image, 0, "a") for k, image in enumerate(noise)]
    assert ShardWriter(folder, max_tiles=max_tiles, max_bytes=max_bytes).write(tiles) == n
    notes = [read_note(file) for file in tars(folder)]
    assert [key for note in notes for key in note.keys] == [tile.key for tile in tiles]
    assert all(len(note.keys) <= max_tiles for note in notes)
    assert all(file.stat().st_size <= max_bytes for file in tars(folder))
    # No shard is closed early: one more tile would have been too many, or too large.
    largest = max((note.columns["length"].max() for note in notes), default=0)
    for file, note in list(zip(tars(folder), notes, strict=True))[:-1]:
        room = max_bytes - file.stat().st_size
        assert len(note.keys) == max_tiles or room < largest + 4096 + END_BYTES


def test_a_tile_larger_than_a_shard_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    with pytest.raises(DataError, match="tile big alone is larger than a shard may be"):
        ShardWriter(tmp_path, max_bytes=1 << 16).write([ShardTile("big", noise, 0, "a")])
    assert list(tmp_path.iterdir()) == []


# -- Going on


def test_finished_shards_are_kept_and_their_tiles_not_made_again(folder, shard_tiles):
    before = {file: file.stat().st_mtime_ns for file in tars(folder)}
    third = tars(folder)[2]
    third.unlink()
    made = []

    def defer(tile):
        return DeferredTile(tile.key, lambda: made.append(tile.key) or tile)

    assert ShardWriter(folder, max_tiles=3).write(map(defer, shard_tiles())) == 10
    assert made == ["t6", "t7", "t8"]
    after = {file: file.stat().st_mtime_ns for file in tars(folder)}
    assert [file.name for file in before if before[file] != after[file]] == [third.name]


@pytest.mark.parametrize("harm", ["note gone", "note cut", "shard cut", "shard gone"])
def test_a_shard_or_note_that_is_not_whole_is_written_again(folder, shard_tiles, harm):
    whole = contents(folder)
    shard = tars(folder)[1]
    file = shard.with_suffix(".npz") if harm.startswith("note") else shard
    if harm.endswith("gone"):
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-100])
    assert ShardWriter(folder, max_tiles=3).write(shard_tiles()) == 10
    assert contents(folder) == whole
    assert len(write_index(folder)) == 10


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda tiles: tiles[1:], "holds the tile t0 where now t1 is to be written"),
        (lambda tiles: tiles[:8], "holds the tile t8 where now no tile is to be written"),
        (lambda tiles: tiles[:6], "000002.tar holds more tiles than there are now to write"),
        (lambda tiles: [], "000000.tar holds more tiles than there are now to write"),
    ],
)
def test_other_tiles_than_before_are_refused(folder, shard_tiles, change, sentence):
    before = contents(folder)
    with pytest.raises(DataError, match=sentence):
        ShardWriter(folder, max_tiles=3).write(change(shard_tiles()))
    assert contents(folder) == before


@pytest.mark.parametrize("other", [{"quality": 80}, {"max_tiles": 4}, {"max_bytes": 1 << 20}])
def test_other_settings_than_before_are_refused(folder, shard_tiles, other):
    before = contents(folder)
    with pytest.raises(DataError, match=r"was written with max_tiles 3, .*, expected"):
        ShardWriter(folder, **({"max_tiles": 3} | other)).write(shard_tiles())
    assert contents(folder) == before


ENDLESS = """
import itertools, sys, time
import numpy as np
from sdlib.datasets.shards import ShardTile, ShardWriter

def tiles():
    for k in range(60):
        time.sleep(0.005)
        yield ShardTile(f"t{k}", np.full((16, 16, 3), k, np.uint8), k % 2, "a", {"k": k})

ShardWriter(sys.argv[1], max_tiles=4).write(tiles())
"""


def test_a_killed_writer_leaves_whole_shards_and_goes_on(tmp_path):
    folder, script = tmp_path / "killed", [sys.executable, "-c", ENDLESS]
    process = subprocess.Popen([*script, str(folder)])
    while len(list(folder.glob("[!.]*.npz"))) < 3:
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    shards = tars(folder)
    assert 3 <= len(shards) < 15
    assert all(len(members(file)) == 8 for file in shards)
    # A second process finds them, and what it ends with is what one that was not killed writes.
    times = {file: file.stat().st_mtime_ns for file in shards[:3]}
    for place in (folder, tmp_path / "whole"):
        subprocess.run([*script, str(place)], check=True)
    assert {file: file.stat().st_mtime_ns for file in times} == times
    assert contents(folder) == contents(tmp_path / "whole")
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


FULL = """
import sys
import numpy as np
from sdlib.datasets.shards import ShardTile, ShardWriter
noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
sizes = [16, 16, 64, 64, 64, 64, 64, 64]
tiles = [ShardTile(f"t{k}", noise[:16, :16] if k < 2 else noise, 0, "a") for k in range(20)]
small = [ShardTile(f"t{k}", noise[:16, :16], 0, "a") for k in range(2)]
try:
    ShardWriter(sys.argv[1], "small", max_tiles=2).write(small)
    ShardWriter(sys.argv[1], "large", max_tiles=99).write(tiles[2:])
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_disk_that_takes_no_more_is_one_sentence(tmp_path):
    """The kernel itself refuses, by a limit on the size of files in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", FULL, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)),
    )
    assert done.stdout.startswith("SdlibError cannot write"), done.stdout + done.stderr
    assert "large-000000.tar: the file is larger than allowed there" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "small-000000.npz",
        "small-000000.tar",
    ]


def test_an_error_of_the_tiles_themselves_passes_and_keeps_finished_shards(tmp_path):
    def tiles():
        for k in range(5):
            yield ShardTile(f"t{k}", GREY, 0, "a")
        raise DataError("the region cannot be read")

    with pytest.raises(DataError, match="the region cannot be read"):
        ShardWriter(tmp_path, max_tiles=2).write(tiles())
    assert [file.name for file in tars(tmp_path)] == ["tiles-000000.tar", "tiles-000001.tar"]
    assert len(list(tmp_path.iterdir())) == 4


# -- Bad input


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"key": "a.b"}, "expected a tile's key of 1 to 90 letters, digits, _ and -, got 'a.b'"),
        ({"key": "../a"}, "expected a tile's key"),
        ({"key": "é"}, "expected a tile's key"),
        ({"key": ""}, "expected a tile's key"),
        ({"key": "a" * 91}, "expected a tile's key"),
        ({"key": 7}, "expected a tile's key"),
        ({"target": 2}, "expected a target of 0, 1 or None, got 2 for the tile a"),
        ({"target": "1"}, "expected a target of 0, 1 or None, got '1'"),
        ({"group": ""}, "expected the name of a group, got '' for the tile a"),
        ({"group": None}, "expected the name of a group, got NoneType"),
        ({"group": "a\0"}, "expected the name of a group"),
        (
            {"factors": {"x": float("nan")}},
            "expected a finite number.* as x of the tile a, got nan",
        ),
        ({"factors": {"x": None}}, "as x of the tile a, got NoneType"),
        ({"factors": {"x": [1, 2]}}, "as x of the tile a, got list"),
        ({"factors": {"x": 2**70}}, "as x of the tile a, got"),
        ({"factors": {"a/b": 1}}, "expected a factor's name of letters, digits and _, got 'a/b'"),
    ],
)
def test_a_tile_that_cannot_be_stored_is_refused_when_it_is_made(values, sentence):
    good = {"key": "a", "image": GREY, "target": 0, "group": "a", "factors": {}}
    with pytest.raises(DataError, match=sentence):
        ShardTile(**(good | values))


def png():
    stream = io.BytesIO()
    Image.fromarray(GREY).save(stream, "PNG")
    return stream.getvalue()


def jpeg(mode):
    stream = io.BytesIO()
    Image.new(mode, (8, 8)).save(stream, "JPEG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("image", "error", "sentence"),
    [
        (png(), DataError, "an RGB array or a JPEG file as the tile a, got a file of another"),
        (jpeg("L"), DataError, "a JPEG in YCbCr colours as the tile a, got Gray"),
        (jpeg("CMYK"), DataError, "a JPEG in YCbCr colours as the tile a, got"),
        (jpeg("RGB")[:-40], DataError, "the JPEG file of the tile a is damaged"),
        (GREY[:, :4], DataError, "expected square tiles, got 8 x 4 px for the tile a"),
        (GREY[..., 0], ConfigError, "expected a uint8 image, RGB"),
        (GREY / 255, ConfigError, "scale the values to 0 to 255"),
        ("a.png", ConfigError, "got str"),
    ],
)
def test_images_of_other_kinds_are_refused(tmp_path, image, error, sentence):
    with pytest.raises(error, match=sentence):
        ShardWriter(tmp_path).write([ShardTile("a", image, 0, "a")])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("max_tiles", [1, 2])
@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (ShardTile("b", GREY[:4, :4], 0, "a", {"x": 1}), "tiles of 8 px as before, got 4 px"),
        (ShardTile("b", GREY, 0, "a"), "expected the factors x"),
        (ShardTile("b", GREY, 0, "a", {"x": 1.5}), "expected the factors x"),
        (ShardTile("b", GREY, 0, "a", {"y": 1}), "expected the factors x"),
    ],
)
def test_a_tile_unlike_the_first_is_refused(tmp_path, max_tiles, second, sentence):
    first = ShardTile("a", GREY, 0, "a", {"x": 1})
    with pytest.raises(DataError, match=sentence):
        ShardWriter(tmp_path, max_tiles=max_tiles).write([first, second])
    assert len(tars(tmp_path)) == 2 - max_tiles


def test_a_key_twice_in_a_shard_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected each key once in a shard, got a again"):
        ShardWriter(tmp_path).write([ShardTile("a", GREY, 0, "a")] * 2)
    assert list(tmp_path.iterdir()) == []


def test_a_deferred_tile_of_another_key_is_refused(tmp_path):
    other = DeferredTile("a", lambda: ShardTile("b", GREY, 0, "a"))
    with pytest.raises(DataError, match="expected a deferred tile to make the tile a, got b"):
        ShardWriter(tmp_path).write([other])
    assert list(tmp_path.iterdir()) == []


def test_a_factor_of_several_values_is_refused():
    images, targets = np.zeros((2, 8, 8, 3), np.uint8), np.array([0, 1])
    tiles = TileSet(images, targets, np.array(["a", "b"]), {"at": np.zeros((2, 3))})
    with pytest.raises(
        DataError, match=r"one value of at per tile, got an array of shape \(2, 3\)"
    ):
        next(tiles_of(tiles))


@pytest.mark.parametrize(
    "values",
    [{"name": "a/b"}, {"name": ""}, {"max_tiles": 0}, {"max_bytes": 100}, {"quality": 101}],
)
def test_settings_out_of_range_are_refused(tmp_path, values):
    with pytest.raises(ConfigError, match="expected"):
        ShardWriter(tmp_path, **values)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    Path(tmp_path / "file").write_text("")
    with pytest.raises(Exception, match=r"file is a file, not a folder"):
        ShardWriter(tmp_path / "file" / "set").write([ShardTile("a", GREY, 0, "a")])
    assert os.listdir(tmp_path) == ["file"]
