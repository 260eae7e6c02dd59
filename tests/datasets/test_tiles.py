"""Tile sets are views: they equal NumPy's copies and hold their images once."""

import pickle
import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, strategies as st
from torch import nn

from sdlib.datasets.cutout import CutoutKind, apply_cutouts, make_cutout_set, scaled_cutout_size
from sdlib.datasets.image_stores import ArrayStore, ImageStore, RowStore
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError
from sdlib.shifts import LEVELS
from sdlib.training.batches import Batches, Schedule
from sdlib.training.prediction import predict_logits, sweep

KINDS = CutoutKind.__args__
MIB = 1 << 20


def make_tiles(n, size=4, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(1, 256, (n, size, size, 3), dtype=np.uint8)
    groups = np.arange(n).astype(str)
    return TileSet(images, rng.integers(0, 2, n), groups, {"number": np.arange(n)})


def assert_equal(tiles, images, numbers):
    """The set has these images, by every way of reading them, and columns that belong to them."""
    assert len(tiles) == len(images)
    np.testing.assert_array_equal(tiles.images, images)
    np.testing.assert_array_equal(tiles.batch(slice(None)), images)
    np.testing.assert_array_equal(tiles.factors["number"], numbers)


def numbered_only(tiles):
    """The same tiles without the factors that cutouts add."""
    number = {"number": tiles.factors["number"]}
    return TileSet(tiles.store, tiles.targets, tiles.groups, number)


def random_rows(draw, n):
    """Integers, negative ones too, or a mask."""
    mask = st.lists(st.booleans(), min_size=n, max_size=n)
    if n == 0 or draw(st.booleans()):
        return np.array(draw(mask), bool)
    return np.array(draw(st.lists(st.integers(-n, n - 1), max_size=15)), int)


class TestViews:
    @given(st.data())
    def test_nested_parts_joins_and_cutouts_equal_copies(self, data):
        """Up to five random steps, each taken on the set and, by plain NumPy, on its images."""
        draw = data.draw
        first, second = (make_tiles(draw(st.integers(1, 12)), seed=seed) for seed in (0, 1))
        tiles, images, numbers = first, first.images, first.factors["number"]
        for step in draw(st.lists(st.sampled_from(["rows", "join", "cutouts"]), max_size=5)):
            if step == "rows":
                rows = random_rows(draw, len(tiles))
                tiles, images, numbers = tiles.subset(rows), images[rows], numbers[rows]
            elif step == "join":
                tiles = TileSet.joined([numbered_only(tiles), second])
                images = np.concatenate([images, second.images])
                numbers = np.concatenate([numbers, second.factors["number"]])
            else:
                kind, seed = draw(st.sampled_from(KINDS)), draw(st.integers(0, 9))
                tiles = make_cutout_set(numbered_only(tiles), kind, seed)
                images = images.copy()
                positions = tiles.factors["cutout_positions"]
                apply_cutouts(images, positions, scaled_cutout_size(tiles.size))
            assert_equal(tiles, images, numbers)

    def test_a_part_of_a_part_refers_to_the_first_set(self):
        tiles = make_tiles(9)
        part = tiles.subset([8, 3, 1, 1]).subset([2, 0]).subset([1, 0, 1])
        assert isinstance(part.store, RowStore)
        assert part.store.base is tiles.store
        assert part.store.rows.tolist() == [8, 1, 8]

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_images_of_a_view_are_the_base_array(self, kind):
        """A change of the base shows in every view: nothing was copied."""
        tiles = make_tiles(6)
        cut = make_cutout_set(tiles.subset([5, 2]), kind, seed=0)
        part = TileSet.joined([numbered_only(cut), tiles])
        tiles.images[2] = 77
        black = part.images[1] == 0
        assert (part.images[1][~black] == 77).all()

    def test_columns_follow_the_tiles(self):
        tiles = make_tiles(9)
        part = TileSet.joined([tiles.subset([7, 0]), tiles.subset([3])])
        for name in ("targets", "groups"):
            np.testing.assert_array_equal(getattr(part, name), getattr(tiles, name)[[7, 0, 3]])

    def test_resized_views(self, monkeypatch):
        monkeypatch.setattr("sdlib.datasets.tiles.CHUNK_PIXELS", 2 * 8 * 8)  # two tiles at a time
        part = make_cutout_set(make_tiles(9, size=8).subset([8, 1, 4, 4, 0]), "all", seed=0)
        expected = [cv2.resize(i, (5, 5), interpolation=cv2.INTER_AREA) for i in part.images]
        resized = part.resized(5)
        np.testing.assert_array_equal(resized.images, expected)
        np.testing.assert_array_equal(resized.factors["number"], [8, 1, 4, 4, 0])
        assert part.resized(8) is part


class TestIndices:
    @pytest.mark.parametrize(
        "indices",
        [
            [0, 4, 2],
            [-1, -5, 0],
            [3, 3],
            [],
            np.empty(0, int),
            np.zeros(5, bool),
            [True, False, False, True, False],
            np.array([1, 4], np.uint8),
            np.array([-5, 4], np.int8),
            slice(1, 4),
            slice(None, None, -2),
            range(2),
        ],
    )
    def test_like_numpy(self, indices):
        tiles = make_tiles(5)
        plain = indices if isinstance(indices, slice) else np.asarray(indices)
        plain = plain if isinstance(plain, slice) or len(plain) else np.empty(0, int)
        expected = tiles.images[plain]
        np.testing.assert_array_equal(tiles.batch(indices), expected)
        assert_equal(tiles.subset(indices), expected, np.arange(5)[plain])

    def test_a_small_type_may_count_from_the_end_of_a_large_set(self):
        tiles = make_tiles(300)
        found = tiles.subset(np.array([-128, 127], np.int8)).factors["number"]
        assert found.tolist() == [172, 127]

    @pytest.mark.parametrize(
        ("indices", "message"),
        [
            ([0, 5], "expected indices from -5 to 4, got 5"),
            ([-6], "expected indices from -5 to 4, got -6"),
            (np.zeros(4, bool), "expected a mask of 5 tiles, got one of 4"),
            (np.array([0.0, 1.0]), "expected integers or a mask as index of tiles, got float64"),
            (["a"], "expected integers or a mask as index of tiles, got <U1"),
            (3, r"expected a one-dimensional index of tiles, got shape \(\)"),
            ([[0, 1]], r"expected a one-dimensional index of tiles, got shape \(1, 2\)"),
        ],
    )
    @pytest.mark.parametrize("read", [TileSet.batch, TileSet.subset])
    def test_errors_are_explained(self, read, indices, message):
        with pytest.raises(IndexError, match=message):
            read(make_tiles(5), indices)

    def test_no_index_fits_an_empty_set(self):
        with pytest.raises(IndexError, match="got 0"):
            make_tiles(5).subset([]).batch([0])


def test_batches_are_new_arrays():
    tiles = make_tiles(5)
    every = make_cutout_set(tiles, "all", seed=0)
    for source in (tiles, every, TileSet.joined([tiles, tiles]), tiles.subset([4, 3, 2, 1, 0])):
        before = source.images.copy()
        batch = source.batch(np.arange(5))
        assert batch.dtype == np.uint8
        assert batch.flags.c_contiguous
        batch[:] = 0
        np.testing.assert_array_equal(source.images, before)


class TestErrors:
    @pytest.mark.parametrize(
        ("images", "message"),
        [
            (np.zeros((2, 4, 4, 3)), r"uint8 images \(n, S, S, 3\), got float64 \(2, 4, 4, 3\)"),
            (np.zeros((2, 4, 4), np.uint8), r"got uint8 \(2, 4, 4\)"),
            (np.zeros((2, 3, 4, 4), np.uint8), r"got uint8 \(2, 3, 4, 4\)"),
            (np.zeros((2, 4, 5, 3), np.uint8), "expected square tiles, got 4 x 5 px"),
            ([[0]], r"expected uint8 images \(n, S, S, 3\), got list"),
        ],
    )
    def test_images(self, images, message):
        with pytest.raises(DataError, match=message):
            TileSet(images, np.array([0, 1]), np.array(["a", "b"]))

    def test_columns(self):
        images, two = np.zeros((2, 4, 4, 3), np.uint8), np.array([0, 1])
        with pytest.raises(DataError, match="expected 2 targets, one per tile, got 1"):
            TileSet(images, two[:1], two)
        with pytest.raises(DataError, match="expected 2 centre, one per tile, got 3"):
            TileSet(images, two, two, {"centre": np.zeros(3)})
        with pytest.raises(DataError, match=r"expected targets in \{0, 1\}, got 2"):
            TileSet(images, two * 2, two)

    def test_joining(self):
        tiles = make_tiles(2)
        with pytest.raises(DataError, match="tiles of one size, got 4, 8 px: use resized"):
            TileSet.joined([tiles, make_tiles(2, size=8)])
        bare = TileSet(tiles.images, tiles.targets, tiles.groups)
        with pytest.raises(DataError, match="none of the name number in set 1: add it there"):
            TileSet.joined([tiles, bare])
        with pytest.raises(ConfigError, match="at least one set of tiles to join, got none"):
            TileSet.joined([])


def test_the_array_itself_where_there_is_one(tmp_path):
    images = np.zeros((2, 4, 4, 3), np.uint8)
    np.save(tmp_path / "tiles.npy", images)
    for array in (images, np.load(tmp_path / "tiles.npy", mmap_mode="r")):
        assert TileSet(array, np.array([0, 1]), np.array(["a", "b"])).images is array


def test_a_store_of_another_kind_needs_three_members():
    class Grey:
        """Images that are made up when they are read."""

        size = 4

        def __len__(self):
            return 3

        def batch(self, rows):
            return np.broadcast_to(rows[:, None, None, None], (len(rows), 4, 4, 3)).astype(np.uint8)

    assert isinstance(Grey(), ImageStore)
    tiles = TileSet(Grey(), np.array([0, 1, 1]), np.array(list("abc")))
    assert repr(tiles) == "<TileSet: 3 tiles, 4 x 4 px, 1 benign, 2 cancer>"
    assert tiles.subset([2, 0]).images[:, 0, 0, 0].tolist() == [2, 0]


class TestPickling:
    def test_views(self):
        tiles = make_cutout_set(make_tiles(6).subset([5, 1, 1]), "all", seed=0)
        tiles = TileSet.joined([tiles, tiles])
        again = pickle.loads(pickle.dumps(tiles))
        assert_equal(again, tiles.images, tiles.factors["number"])

    def test_a_memory_map_travels_as_the_name_of_its_file(self, tmp_path):
        tiles = make_tiles(100, size=16)
        np.save(tmp_path / "tiles.npy", tiles.images)
        mapped = np.load(tmp_path / "tiles.npy", mmap_mode="r")
        for array, light in ((mapped, True), (mapped[50:], False), (tiles.images, False)):
            pickled = pickle.dumps(ArrayStore(array))
            assert (len(pickled) < 1000) == light
            np.testing.assert_array_equal(pickle.loads(pickled).images, array)

    def test_a_map_that_was_written_to_travels_with_its_content(self, tmp_path):
        np.save(tmp_path / "tiles.npy", make_tiles(5).images)
        mapped = np.load(tmp_path / "tiles.npy", mmap_mode="c")  # changes stay in memory
        mapped[0] = 7
        again = pickle.loads(pickle.dumps(ArrayStore(mapped)))
        np.testing.assert_array_equal(again.images, mapped)


class Brightness(nn.Module):
    """The smallest network there is: the mean of all pixels."""

    def forward(self, images):
        return images.mean((1, 2, 3))[:, None]


def test_a_run_holds_its_images_once():
    """Parts, balanced parts, all kinds of cutouts, an epoch and predictions copy no images.

    Beside them are kept only the columns of the sets; at the peak a few batches are read as well.
    """
    n, size = 2400, 96
    images = np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)
    targets, groups = np.arange(n) % 3 % 2, np.repeat(np.arange(30), n // 30)
    network = Brightness()
    tracemalloc.start()
    try:
        tiles = TileSet(images, targets, groups)
        parts = [tiles.subset(groups < 20), tiles.subset(groups >= 20)]
        balanced = []
        for part in parts:
            each = np.bincount(part.targets).min()
            chosen = [np.flatnonzero(part.targets == label)[:each] for label in (0, 1)]
            balanced.append(part.subset(np.sort(np.concatenate(chosen))))
        everything = TileSet.joined(balanced)
        sets = {kind: make_cutout_set(everything, kind, seed=0) for kind in KINDS}
        batches = Batches(sets["train"], Schedule(1, 32, augment="dihedral"), epoch=0)
        seen = sum(len(found) for found, _ in batches)
        logits = {kind: predict_logits(network, made) for kind, made in sets.items()}
        list(sweep([network], sets["test"].subset(slice(200)), LEVELS[:2]))
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seen == len(everything) == len(logits["test"]) == 1600
    assert (logits["all"] < logits["none"]).all()  # black squares darken every tile
    assert kept < 0.02 * images.nbytes
    assert peak < 0.10 * images.nbytes
    print(f"beside {images.nbytes / MIB:.0f} MiB: kept {kept / MIB:.2f}, peak {peak / MIB:.2f} MiB")


def test_all_images_of_a_view_are_one_array(monkeypatch):
    """The property reads chunk by chunk: its peak is its result."""
    monkeypatch.setattr("sdlib.datasets.tiles.CHUNK_PIXELS", 1 << 16)
    tiles = make_tiles(800, size=64)
    part = make_cutout_set(tiles.subset(slice(None, None, -1)), "all", seed=0)
    tracemalloc.start()
    try:
        images = part.images
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.1 * images.nbytes
