"""Shards: writing, reading at random against decoding alone, the decoded cache, the index."""

import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest
import simplejpeg
import webdataset

from sdlib.datasets.shards import ShardTile, ShardWriter, open_decoded, open_shards, write_index
from sdlib.datasets.shards.notes import ShardNote, note_file, shard_file, write_note
from sdlib.phantoms import draw_tiles, render
from sdlib.report.tiles_at_scale import measure_cutting, measure_rates, scale_table

PEER = f"webdataset {version('webdataset')} + PIL"
N = {224: 512, 512: 128}
DRAWN = 64  # different tiles; they are stored several times
BATCH = {224: 64, 512: 16}  # about 10 MB: larger ones measure how memory is made, not reading
ROUNDS = 9
READING, CACHE, AGAINST_PEER = 0.97, 10, 1.5
MILLION = 1_000_000


@pytest.fixture(scope="module", params=N, ids=lambda size: f"{size} px")
def tiles(request):
    """Tiles as they are written, of one size."""
    images = [render(tile, request.param) for tile in draw_tiles(DRAWN, seed=0)]
    return [
        ShardTile(f"t{k}", images[k % DRAWN], k % 2, f"patient {k // 99}", {"x": k, "y": -k})
        for k in range(N[request.param])
    ]


@pytest.fixture(scope="module")
def folder(tiles, tmp_path_factory):
    made = tmp_path_factory.mktemp("shards")
    ShardWriter(made, max_tiles=100).write(tiles)
    write_index(made)
    return made


@pytest.fixture(scope="module")
def orders(tiles):
    """Batches of an epoch in random order."""
    order, batch = np.random.default_rng(0).permutation(len(tiles)), BATCH[len(tiles[0].image)]
    return [order[k : k + batch] for k in range(0, len(order), batch)]


def test_writing(tiles, alternate, line, tmp_path):
    names = iter(range(ROUNDS + 1))
    images = [tile.image for tile in tiles]
    calls = {
        "ShardWriter": lambda: ShardWriter(tmp_path, f"set{next(names)}").write(tiles),
        "simplejpeg alone": lambda: [
            simplejpeg.encode_jpeg(image, 90, fastdct=False) for image in images
        ],
    }
    seconds = alternate(calls, ROUNDS)
    ours, alone = (len(tiles) / seconds[name] for name in calls)
    size = images[0].shape[0]
    what, against = f"writing tiles of {size} px", f"encoding alone, {alone:.0f} tiles/s"
    line((what, f"{ours:.0f} tiles/s", against, f"{ours / alone:.2f}", "reported"))


def test_reading_at_random(tiles, folder, orders, alternate, line):
    """The peer reads in the order of the file, the only one that it knows."""
    opened = open_shards(folder)
    place = opened.store.index.place
    names = [shard.name for shard in opened.store.index.shards]
    content = [(folder / name).read_bytes() for name in names]
    coded = [content[s][offset : offset + n] for s, n, offset, _ in place.tolist()]
    urls = [str(folder / name) for name in names]

    def alone():
        for rows in orders:
            for row in rows:
                simplejpeg.decode_jpeg(coded[row])

    def in_memory():
        for rows in orders:
            images = np.empty((len(rows), opened.size, opened.size, 3), np.uint8)
            for image, row in zip(images, rows, strict=True):
                simplejpeg.decode_jpeg(coded[row], buffer=image)

    def shards():
        for rows in orders:
            opened.batch(rows)

    def peer():
        for _ in webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8"):
            pass

    calls = {"shards": shards, "in memory": in_memory, "alone": alone, PEER: peer}
    seconds = alternate(calls, ROUNDS)
    rates = {name: len(tiles) / value for name, value in seconds.items()}
    what, ours = f"reading tiles of {opened.size} px at random", f"{rates['shards']:.0f} tiles/s"
    peers = {
        "in memory": ("decoding bytes in memory into batches", f"at least {READING}"),
        "alone": ("the same, each image thrown away", "reported"),
        PEER: (f"{PEER} in order", f"at least {AGAINST_PEER}"),
    }
    for name, (words, wanted) in peers.items():
        ratio = f"{rates['shards'] / rates[name]:.3f}"
        line((what, ours, f"{words}, {rates[name]:.0f} tiles/s", ratio, wanted))
    assert rates["shards"] / rates["in memory"] >= READING
    assert rates["shards"] / rates[PEER] >= AGAINST_PEER


def test_decoded_cache(tiles, folder, orders, alternate, line, tmp_path):
    shards, cached = open_shards(folder), open_decoded(folder, cache=tmp_path)

    def read(opened):
        for rows in orders:
            opened.batch(rows)

    seconds = alternate({"cache": lambda: read(cached), "shards": lambda: read(shards)}, ROUNDS)
    ours, theirs = (len(tiles) / seconds[name] for name in ("cache", "shards"))
    what, against = f"decoded cache, {shards.size} px", f"shards, {theirs:.0f} tiles/s"
    line((what, f"{ours:.0f} tiles/s", against, f"{ours / theirs:.1f}", f"at least {CACHE}"))
    assert ours / theirs >= CACHE


OPEN = """
import os, resource, sys
import numpy as np
from sdlib.datasets.shards import open_shards, read_index

def own():
    "Bytes of memory that are this process's alone, and all that it sees."
    with open("/proc/self/smaps_rollup") as rollup:
        values = dict(line.split()[:2] for line in rollup.readlines()[1:])
    private = int(values["Private_Clean:"]) + int(values["Private_Dirty:"])
    return 1024 * int(values["Private_Dirty:"]), 1024 * int(values["Rss:"])

before = own()
index = read_index(sys.argv[1])
opened = own()
rows = np.random.default_rng(0).integers(0, len(index), 10_000)
index.place[rows], index.targets[rows], index.groups[rows]
used = own()
columns = [index.place, index.targets, index.groups, *index.factors.values()]
print(sum(column.nbytes for column in columns), *(now - then for now, then in zip(used, before)))
"""


def test_an_index_of_a_million_rows(line, tmp_path):
    n, shards = 8192, -(-MILLION // 8192)
    k = np.arange(n)
    columns = {
        "offset": 16_384 * k.astype(np.int64),
        "length": (14_000 + k % 999).astype(np.int32),
        "crc32": k.astype(np.uint32),
        "target": (k % 2).astype(np.int64),
        "group": np.array([f"patient {i // 4096}" for i in k]),
        "factor.x": k.astype(np.int64),
        "factor.y": k.astype(np.int64),
    }
    for number in range(shards):
        shard = shard_file(tmp_path, "tiles", number)
        shard.write_bytes(b"")
        settings = {"max_tiles": n, "max_bytes": 1 << 29, "quality": 90}
        keys = [f"tile_{number}_{i}" for i in range(n)]
        write_note(note_file(shard), ShardNote(keys, columns, 0, 0, str(number), 224, settings))
    assert len(write_index(tmp_path)) >= MILLION
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(tmp_path)], capture_output=True, text=True, check=True
    )
    size, private, seen = map(int, done.stdout.split())
    what = f"index of {shards * n:,} rows, 10,000 read"
    measured = f"{private / 1e6:.1f} MB of its own"
    against = f"{size / 1e6:.0f} MB on the disk, {seen / 1e6:.0f} MB of it in memory, shared"
    line((what, measured, against, f"{size / shards / n:.0f} bytes/row", "reported"))


def test_the_papers_sets(line):
    """Cut at 512 px and read at 224 px, by what :mod:`sdlib.report.tiles_at_scale` measures."""
    rate = measure_cutting(512)
    line(("python -m sdlib tile, 512 px", f"{rate:.0f} tiles/s", "-", "-", "reported"))
    table = scale_table(measure_rates(224), cores=1, cut=rate)
    for name, row in table.iterrows():
        hours = f"{row['hours to cut slides and write']:.0f} core-hours to cut"
        rest = (
            f"{row['GB in shards']:.0f} GB, {row['hours of an epoch from shards']:.2f} h an epoch"
        )
        line((f"{row['tiles']:,.0f} tiles ({name})", hours, rest, "-", "reported"))
