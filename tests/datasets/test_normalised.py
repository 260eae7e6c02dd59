"""Normalised sets: torchstain's pixels, read when they are needed, on any number of cores."""

import pickle

import numpy as np
import pytest
from torchstain.numpy.normalizers.macenko import NumpyMacenkoNormalizer

from sdlib.datasets import normalised
from sdlib.datasets.image_stores import ArrayStore
from sdlib.datasets.normalised import (
    NormalisedStore,
    fit_to_training,
    normalise_tiles,
    normalised_chunks,
)
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError
from sdlib.phantoms import draw_tiles, render
from sdlib.stain import MacenkoNormaliser, StainEstimate, estimate_macenko

GLASS = np.full((64, 64, 3), 240, np.uint8)


def rendered(n, cohort="development", seed=0):
    return np.stack([render(tile, 64) for tile in draw_tiles(n, seed, cohort)])


def tiles_of(images):
    n = len(images)
    return TileSet(images, np.arange(n) % 2, np.arange(n).astype(str), {"number": np.arange(n)})


@pytest.fixture(scope="module")
def training():
    return tiles_of(rendered(9))


@pytest.fixture(scope="module")
def outside():
    return tiles_of(rendered(7, "external"))


class Watched:
    """A store that counts how often it is read."""

    size = 64

    def __init__(self, images):
        self.images, self.read = images, []

    def __len__(self):
        return len(self.images)

    def batch(self, rows):
        self.read += rows.tolist()
        return self.images[rows]


class TestTarget:
    def test_one_image_is_fitted_as_in_torchstain(self, training, outside):
        theirs = NumpyMacenkoNormalizer()
        theirs.fit(training.images[2])
        ours = MacenkoNormaliser().fit(training.images[2])
        for image in outside.images:
            expected = theirs.normalize(image, stains=False)[0]
            apart = np.abs(ours.transform(image).astype(int) - expected)
            assert apart.max() <= 1
            assert (apart > 0).mean() < 1e-2

    def test_several_images_give_the_median_of_their_stains(self, training):
        found = MacenkoNormaliser().fit(training.images).target
        estimates = [estimate_macenko(image) for image in training.images]
        for row in (0, 1):
            entries = np.median([one.matrix[row] for one in estimates], axis=0)
            np.testing.assert_allclose(found.matrix[row], entries / np.linalg.norm(entries))
        most = np.sort([one.max_concentrations for one in estimates], axis=0)[4]
        np.testing.assert_allclose(found.max_concentrations, most)
        assert not found.fallback

    def test_the_order_and_tiles_of_glass_do_not_matter(self, training):
        images = training.images
        whole = MacenkoNormaliser().fit(images).target
        with_glass = np.concatenate([[GLASS], images[::-1], [GLASS, GLASS]])
        again = MacenkoNormaliser().fit(with_glass).target
        np.testing.assert_allclose(again.matrix, whole.matrix)
        np.testing.assert_allclose(again.max_concentrations, whole.max_concentrations)

    def test_an_odd_one_among_many_does_not_pull_the_target(self, training, outside):
        """A mean would move by a tenth of the distance of the two laboratories."""
        whole = MacenkoNormaliser().fit(training.images).target
        with_one = MacenkoNormaliser().fit(np.concatenate([training.images, outside.images[:1]]))
        there = MacenkoNormaliser().fit(outside.images).target
        moved = np.linalg.norm(with_one.target.matrix - whole.matrix)
        assert moved < 0.2 * np.linalg.norm(there.matrix - whole.matrix)

    def test_training_sets_of_many_tiles_are_fitted_to_some(self, training, monkeypatch):
        monkeypatch.setattr(normalised, "TARGETS", 4)
        fitted = [fit_to_training(training, seed) for seed in range(6)]
        drawn = np.sort(np.random.default_rng(3).choice(9, 4, replace=False))
        expected = MacenkoNormaliser().fit(training.images[drawn]).target
        np.testing.assert_array_equal(fitted[3].target.matrix, expected.matrix)
        assert len({one.target.matrix.tobytes() for one in fitted}) > 1
        again = fit_to_training(training, 3).target
        np.testing.assert_array_equal(again.matrix, fitted[3].target.matrix)

    def test_few_tiles_are_all_taken(self, training):
        expected = MacenkoNormaliser().fit(training.images).target
        found = fit_to_training(training, seed=5).target
        np.testing.assert_array_equal(found.matrix, expected.matrix)

    @pytest.mark.parametrize(
        "images", [GLASS[None].repeat(3, 0), np.zeros((0, 64, 64, 3), np.uint8)]
    )
    def test_no_tissue_is_refused(self, images):
        normaliser = MacenkoNormaliser()
        before = normaliser.target
        with pytest.raises(DataError, match="got too little tissue: take another"):
            normaliser.fit(images)
        assert normaliser.target is before


class TestTiles:
    def test_stains_outside_become_those_of_the_training_tiles(self, training, outside):
        found = normalise_tiles(outside, 0, training)
        target = MacenkoNormaliser().fit(training.images).target
        distances = []
        for image, before in zip(found.images, outside.images, strict=True):
            own, was = estimate_macenko(image), estimate_macenko(before)
            distances.append([np.linalg.norm(one.matrix - target.matrix) for one in (own, was)])
            np.testing.assert_allclose(own.max_concentrations, target.max_concentrations, rtol=0.1)
        after, before = np.mean(distances, axis=0)
        assert after < 0.3 * before

    def test_everything_else_is_kept(self, training, outside):
        found = normalise_tiles(outside, 0, training)
        for name in ("targets", "groups"):
            np.testing.assert_array_equal(getattr(found, name), getattr(outside, name))
        np.testing.assert_array_equal(found.factors["number"], np.arange(7))
        assert (len(found), found.size) == (7, 64)

    def test_tiles_are_normalised_when_they_are_read_and_not_before(self, training, outside):
        watched = Watched(outside.images)
        store = TileSet(watched, outside.targets, outside.groups)
        found = normalise_tiles(store, 0, training)
        assert watched.read == []
        batch = found.batch([5, 0, 5])
        assert watched.read == [5, 0, 5]
        normaliser = fit_to_training(training, 0)
        for image, number in zip(batch, (5, 0, 5), strict=True):
            np.testing.assert_array_equal(image, normaliser.transform(outside.images[number]))

    def test_subsets_and_copies_read_the_same(self, training, outside):
        found = normalise_tiles(outside, 0, training)
        np.testing.assert_array_equal(found.subset([3, 1]).images, found.images[[3, 1]])
        copied = pickle.loads(pickle.dumps(found.store))
        np.testing.assert_array_equal(copied.batch(np.arange(7)), found.images)


class TestChunks:
    @pytest.fixture(scope="class")
    def many(self):
        return np.random.default_rng(0).integers(0, 256, (150, 16, 16, 3), np.uint8)

    @pytest.mark.parametrize("workers", [1, 2])
    @pytest.mark.parametrize("window", [1, 16])
    def test_chunks_are_the_whole_set_in_order(self, many, monkeypatch, workers, window):
        monkeypatch.setattr(normalised, "WINDOW", window)
        normaliser = MacenkoNormaliser()
        found = list(normalised_chunks(many, normaliser, workers))
        assert [rows for rows, _ in found] == [slice(0, 64), slice(64, 128), slice(128, 150)]
        whole = np.concatenate([images for _, images in found])
        np.testing.assert_array_equal(whole, normaliser.transform(many))

    def test_no_more_is_normalised_than_waits_to_be_taken(self, tmp_path, monkeypatch):
        """One of thirty chunks is taken: the others are not all normalised meanwhile."""
        monkeypatch.setattr(normalised, "WINDOW", 2)
        chunks = normalised_chunks(Marking(tmp_path, 30 * 64), MacenkoNormaliser(), workers=2)
        next(chunks)
        assert len(list(tmp_path.iterdir())) == 4
        assert len(list(chunks)) == 29
        assert len(list(tmp_path.iterdir())) == 30

    def test_stores_are_taken_as_well_as_arrays(self, many):
        (_, first), *_ = normalised_chunks(ArrayStore(many), MacenkoNormaliser(), workers=1)
        np.testing.assert_array_equal(first, MacenkoNormaliser().transform(many[:64]))
        nothing = np.zeros((0, 16, 16, 3), np.uint8)
        for workers in (1, 2):
            assert list(normalised_chunks(nothing, MacenkoNormaliser(), workers)) == []

    def test_wrong_images_and_workers_are_refused(self, many):
        with pytest.raises(ConfigError, match="at least 1 worker, got 0"):
            next(normalised_chunks(many, MacenkoNormaliser(), workers=0))
        with pytest.raises(DataError, match="uint8"):
            next(normalised_chunks(many.astype(float), MacenkoNormaliser(), workers=1))


class Marking:
    """A store of grey tiles that leaves a file for every chunk that is read."""

    size = 16

    def __init__(self, folder, n):
        self.folder, self.n = folder, n

    def __len__(self):
        return self.n

    def batch(self, rows):
        (self.folder / str(rows[0])).touch()
        return np.full((len(rows), 16, 16, 3), 200, np.uint8)


def test_the_target_is_what_pixels_are_given():
    """Closed form: the densities of a two-stain image, in the target's vectors and amounts."""
    images = rendered(1, "external")
    matrix = np.array([[0.7, 0.6, 0.4], [0.2, 0.9, 0.3]])
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    normaliser = MacenkoNormaliser()
    normaliser.target = StainEstimate(matrix, np.array([1.5, 1.2]))
    found = NormalisedStore(ArrayStore(images), normaliser).batch(np.array([0]))[0]
    own = estimate_macenko(images[0])
    density = -np.log((images[0].reshape(-1, 3) + 1.0) / 240)
    amounts = density @ np.linalg.pinv(own.matrix) / own.max_concentrations * (1.5, 1.2)
    expected = np.clip(np.floor(240 * np.exp(-amounts @ matrix)), 0, 255)
    apart = np.abs(found.reshape(-1, 3) - expected)
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-2
