"""Grey images on disk are RGB images with three equal channels."""

import pickle

import numpy as np
import pytest

from sdlib.datasets.grey_store import GreyStore
from sdlib.datasets.tiles import TileSet
from sdlib.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 5, 5), np.uint8)


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "grey.npy", IMAGES)
    return tmp_path / "grey.npy"


def test_it_reads_as_an_array_of_rgb_does(path):
    store, rows = GreyStore(path), np.array([4, 0, 4])
    batch = store.batch(rows)
    np.testing.assert_array_equal(batch, np.stack([IMAGES] * 3, -1)[rows])
    batch[:] = 0  # it belongs to the caller
    np.testing.assert_array_equal(np.load(path), IMAGES)
    assert store.batch(rows[:0]).shape == (0, 5, 5, 3)
    films = TileSet(store, np.arange(6) % 2, np.arange(6).astype(str))
    np.testing.assert_array_equal(films.images[..., 1], IMAGES)


def test_it_is_pickled_as_the_name_of_its_file(path):
    data = pickle.dumps(GreyStore(path))
    assert len(data) < 500
    np.testing.assert_array_equal(pickle.loads(data).batch(np.arange(6))[..., 2], IMAGES)


@pytest.mark.parametrize(
    "images", [IMAGES.astype(float), IMAGES[0], IMAGES[:, :4], np.stack([IMAGES] * 3, -1)]
)
def test_other_arrays_are_refused(tmp_path, images):
    np.save(tmp_path / "other.npy", images)
    with pytest.raises(DataError, match=r"expected uint8 images \(n, S, S\) in .*other.npy, got"):
        GreyStore(tmp_path / "other.npy")
