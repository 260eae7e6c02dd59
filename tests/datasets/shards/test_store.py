"""Reading shards: every image in any order, damage named, epochs exact, processes and pickles."""

import logging
import multiprocessing
import os
import pickle
import shutil
import tarfile

import numpy as np
import pytest
import simplejpeg
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from sdlib.datasets import grouped_split
from sdlib.datasets.image_stores import ImageStore
from sdlib.datasets.shards import (
    ShardStore,
    ShardTile,
    ShardWriter,
    check_shards,
    open_shards,
    read_index,
    store as store_module,
    write_index,
)
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError
from sdlib.training.batches import Batches, Schedule


@pytest.fixture(scope="module")
def decoded(shard_tiles):
    """The images as a JPEG of quality 90 keeps them, without any shard."""
    coded = [simplejpeg.encode_jpeg(t.image, 90, fastdct=False) for t in shard_tiles()]
    return np.stack([simplejpeg.decode_jpeg(data) for data in coded])


@pytest.fixture(scope="module")
def whole(tmp_path_factory, shard_tiles):
    """A folder of shards that no test changes."""
    folder = tmp_path_factory.mktemp("whole")
    ShardWriter(folder, max_tiles=3).write(shard_tiles())
    write_index(folder)
    return folder


def test_it_is_a_store_and_its_set_has_every_column(whole, shard_tiles, decoded):
    tiles = open_shards(whole)
    assert isinstance(tiles.store, ImageStore)
    assert np.array_equal(tiles.images, decoded)
    assert tiles.targets.tolist() == [tile.target for tile in shard_tiles()]
    assert tiles.groups.tolist() == [tile.group for tile in shard_tiles()]
    assert tiles.factors["mpp"].tolist() == [tile.factors["mpp"] for tile in shard_tiles()]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.integers(-10, 9), max_size=30))
def test_any_rows_in_any_order(whole, decoded, rows):
    images = open_shards(whole).batch(rows)
    assert np.array_equal(images, decoded[np.array(rows, int)])
    assert images.flags.c_contiguous
    assert images.flags.writeable


def test_parts_of_a_set_of_shards_are_sets(whole, decoded):
    tiles = open_shards(whole)
    parts = grouped_split(tiles.targets, tiles.groups, {"a": 0.5, "b": 0.5}, seed=0)
    both = TileSet.joined([tiles.subset(rows) for rows in parts.values()])
    assert np.array_equal(both.images, decoded[np.concatenate(list(parts.values()))])


def open_tars():
    links = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
    return sum(os.readlink(link).endswith(".tar") for link in links if os.path.islink(link))


def test_more_shards_than_files_are_kept_open(whole, decoded, monkeypatch):
    monkeypatch.setattr(store_module, "OPEN_FILES", 2)
    tiles = open_shards(whole)
    for _ in range(3):
        assert np.array_equal(tiles.batch([9, 0, 4, 8, 1]), decoded[[9, 0, 4, 8, 1]])
        assert open_tars() == 2
    del tiles
    assert open_tars() == 0


def test_unlabelled_tiles_want_a_decision(tmp_path, rendered):
    tiles = [ShardTile(f"t{k}", rendered[k], [1, None][k], "a") for k in range(2)]
    ShardWriter(tmp_path).write(tiles)
    write_index(tmp_path)
    with pytest.raises(DataError, match=r"1 of 2 tiles in .* have no label: write them with masks"):
        open_shards(tmp_path)
    assert open_shards(tmp_path, unlabelled=0).targets.tolist() == [1, 0]


# -- Processes


def test_a_pickle_is_small_and_opens_the_files_again(whole, decoded):
    tiles = open_shards(whole)
    tiles.batch([0])
    pickled = pickle.dumps(tiles.store)
    assert len(pickled) < 500
    assert np.array_equal(pickle.loads(pickled).batch(np.array([7, 2])), decoded[[7, 2]])


def test_a_pickle_of_an_index_that_has_changed_is_refused(folder, shard_tiles):
    pickled = pickle.dumps(open_shards(folder).store)
    write_index(folder)
    assert len(pickle.loads(pickled)) == 10
    for file in folder.glob("tiles-000003.*"):
        file.unlink()
    write_index(folder)
    with pytest.raises(DataError, match="has changed since the set was opened: open it again"):
        pickle.loads(pickled)


class Single(Dataset):
    """What PyTorch wants of a map-style data set."""

    def __init__(self, tiles):
        self.tiles = tiles

    def __len__(self):
        return len(self.tiles)

    def __getitem__(self, row):
        return torch.from_numpy(self.tiles.batch([row])[0]), row


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_data_loader_read_the_same(whole, decoded, method):
    tiles = open_shards(whole)
    tiles.batch([0])  # its file is open when the workers begin
    context = multiprocessing.get_context(method)
    loader = DataLoader(Single(tiles), batch_size=3, num_workers=2, multiprocessing_context=context)
    images = np.concatenate([batch.numpy() for batch, _ in loader])
    assert np.array_equal(images, decoded)


# -- Epochs


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_every_tile_is_once_in_an_epoch_of_the_loop_on_any_number_of_devices(whole, decoded, world):
    tiles = open_shards(whole)
    schedule = Schedule(epochs=1, batch_size=4, seed=3)
    seen = [
        image.numpy().tobytes()
        for rank in range(world)
        for images, _ in Batches(tiles, schedule, 0, rank, world)
        for image in images
    ]
    assert sorted(seen) == sorted(image.tobytes() for image in decoded)


@pytest.mark.parametrize("world", [1, 2, 3, 4, 7])
def test_pytorchs_sampler_has_every_tile_once_and_repeats_less_than_one_a_device(whole, world):
    """It fills up with the first of its order, so that every device has the same number."""
    tiles = open_shards(whole)
    shares = []
    for rank in range(world):
        sampler = DistributedSampler(Single(tiles), world, rank, shuffle=True, seed=1)
        sampler.set_epoch(2)
        loader = DataLoader(Single(tiles), batch_size=2, sampler=sampler)
        shares.append([int(row) for _, rows in loader for row in rows])
    assert len({len(share) for share in shares}) == 1
    counts = np.bincount(np.concatenate(shares), minlength=10)
    assert counts.min() == 1
    assert counts.sum() - 10 == -10 % world


# -- Damage


def touched(file):
    """Change a file's time, as writing it does; the clock may be too coarse for a test."""
    os.utime(file, ns=(0, 1))


def flip(file, place=700):
    content = bytearray(file.read_bytes())
    content[place] ^= 0xFF
    file.write_bytes(content)
    touched(file)


def exchange(file):
    other = file.with_name("tiles-000000.tar")
    shutil.copy(other, file)


DAMAGES = {
    "gone": (lambda file: file.unlink(), "it is not there"),
    "cut": (lambda file: os.truncate(file, 2048), "expected 20480 bytes, got 2048"),
    "empty": (lambda file: file.write_bytes(b""), "expected 20480 bytes, got 0"),
    "flipped": (flip, "its content has changed"),
    "exchanged": (exchange, "its content has changed"),
}


@pytest.fixture(params=DAMAGES)
def harmed(request, folder):
    """A folder whose shard 2 of 4 is damaged, and what is to be said about it."""
    harm, sentence = DAMAGES[request.param]
    harm(folder / "tiles-000002.tar")
    return folder, sentence


def test_a_damaged_shard_is_named_and_refused(harmed):
    folder, sentence = harmed
    size = (folder / "tiles-000001.tar").stat().st_size
    sentence = sentence.replace("20480", str(size))
    expected = rf"^1 of 4 shards damaged, tiles-000002.tar \({sentence}\) in .*3 of 10 tiles"
    with pytest.raises(DataError, match=expected):
        open_shards(folder)


def test_a_damaged_shard_is_skipped_and_counted(harmed, decoded, caplog):
    folder, _ = harmed
    with caplog.at_level(logging.WARNING):
        tiles = open_shards(folder, damaged="skip")
    assert "left out 3 of 10 tiles: 1 of 4 shards damaged, tiles-000002.tar" in caplog.text
    rows = [0, 1, 2, 3, 4, 5, 9]
    assert np.array_equal(tiles.images, decoded[rows])
    assert tiles.factors["x"].tolist() == rows


def test_many_damaged_shards_are_counted_and_some_named(tmp_path, shard_tiles):
    ShardWriter(tmp_path, max_tiles=1).write(shard_tiles())
    write_index(tmp_path)
    for file in list(tmp_path.glob("*.tar"))[:7]:
        file.unlink()
    with pytest.raises(DataError, match=r"^7 of 10 shards damaged, .* and 2 more in .*7 of 10 til"):
        open_shards(tmp_path)
    assert len(open_shards(tmp_path, damaged="skip")) == 3
    for file in tmp_path.glob("*.tar"):
        file.unlink()
    with pytest.raises(DataError, match="at least one whole shard"):
        open_shards(tmp_path, damaged="skip")


def test_copied_shards_are_hashed_once(folder, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, copy_function=shutil.copy)  # copy2 would keep times
    for file in copy.glob("*.tar"):
        touched(file)
    assert len(open_shards(copy)) == 10
    monkeypatch.setattr("hashlib.file_digest", None)
    assert len(open_shards(copy)) == 10


def test_bits_that_change_unnoticed_are_found_by_verify_and_by_reading(folder):
    file = folder / "tiles-000002.tar"
    times = file.stat().st_mtime_ns
    flip(file)
    os.utime(file, ns=(times, times))
    tiles = open_shards(folder)
    assert tiles.batch([5, 9]).shape == (2, 32, 32, 3)
    expected = r"tiles-000002.tar is damaged \(other bytes than were written at byte 512\)"
    with pytest.raises(DataError, match=expected):
        tiles.batch([5, 6])
    with pytest.raises(DataError, match="1 of 4 shards damaged"):
        open_shards(folder, verify=True)


def test_a_check_reads_every_byte_and_counts(folder):
    said = check_shards(folder)
    assert said == (
        "10 tiles of 32 px, 5 of cancer, 0 without a label, in 5 groups and 4 shards: ready to use"
    )
    file = folder / "tiles-000001.tar"
    times = file.stat().st_mtime_ns
    flip(file, file.stat().st_size - 1)
    os.utime(file, ns=(times, times))
    with pytest.raises(DataError, match=r"tiles-000001.tar \(its content has changed\)"):
        check_shards(folder)


def test_a_shard_that_goes_while_it_is_used_is_named(folder):
    tiles = open_shards(folder)
    (folder / "tiles-000001.tar").unlink()
    os.truncate(folder / "tiles-000002.tar", 600)
    with pytest.raises(
        DataError, match=r"tiles-000001.tar is damaged \(it cannot be read, No such"
    ):
        tiles.batch([3])
    with pytest.raises(DataError, match=r"tiles-000002.tar is damaged \(other bytes than were"):
        tiles.batch([6])


def test_another_word_for_damaged_is_refused(whole):
    with pytest.raises(ConfigError, match="expected damaged to be refuse or skip, got 'ignore'"):
        open_shards(whole, damaged="ignore")


def test_no_image_lies_elsewhere_than_tarfile_says(whole):
    """The store reads by the index alone; the standard library reads by the headers."""
    index = read_index(whole)
    for number, shard in enumerate(index.shards):
        with tarfile.open(whole / shard.name) as tar:
            images = [m for m in tar.getmembers() if m.name.endswith(".jpg")]
            rows = np.flatnonzero(index.place["shard"] == number)
            direct = [simplejpeg.decode_jpeg(tar.extractfile(m).read()) for m in images]
        assert np.array_equal(ShardStore(index).batch(rows), direct)
