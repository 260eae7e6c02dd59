"""Sharpness by scanner: the Laplacian against brute force, AUROC against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError
from sdlib.metrics import laplacian_variance
from sdlib.results import Place, sharpness
from sdlib.results.sharpness import Sharpness, pairs, read_sharpness
from sdlib.shifts import blur, sharpen
from sdlib.training import sharpness as measuring
from sdlib.training.sharpness import PHANTOM_SETS, make


def brute_force(grey):
    """The kernel [0 1 0; 1 -4 1; 0 1 0], one pixel at a time, the border mirrored."""
    padded = np.pad(grey.astype(np.float64), 1, mode="reflect")
    found = np.zeros(grey.shape)
    for y in range(grey.shape[0]):
        for x in range(grey.shape[1]):
            window = padded[y : y + 3, x : x + 3]
            found[y, x] = (
                window[0, 1] + window[1, 0] + window[1, 2] + window[2, 1] - 4 * window[1, 1]
            )
    return found.var()


class TestLaplacianVariance:
    def test_equals_the_kernel_by_hand(self):
        grey = np.random.default_rng(0).integers(0, 256, (9, 11), dtype=np.uint8)
        assert laplacian_variance(grey) == pytest.approx(brute_force(grey), rel=1e-12)

    def test_colours_are_turned_to_grey_first(self):
        grey = np.random.default_rng(1).integers(0, 256, (12, 12), dtype=np.uint8)
        assert laplacian_variance(np.repeat(grey[..., None], 3, 2)) == laplacian_variance(grey)

    def test_falls_with_blur_and_rises_with_sharpening(self):
        tile = np.random.default_rng(2).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        values = [laplacian_variance(blur(tile, n)) for n in (1, 2, 3, 5, 9)]
        assert values == sorted(values, reverse=True)
        soft = blur(tile, 3)
        assert laplacian_variance(sharpen(soft, 0.5)) > laplacian_variance(soft)

    @pytest.mark.parametrize(
        "image", [np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8)]
    )
    def test_says_what_it_expects(self, image):
        with pytest.raises(ConfigError, match="expected a uint8 image"):
            laplacian_variance(image)


def one(scanner, mean, n=200, per_group=4, seed=0):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n // per_group), per_group).astype(np.int16)
    return Sharpness(scanner, rng.normal(mean, 1, n).astype(np.float32), groups)


class TestPairs:
    def test_auroc_is_scikit_learns_ties_included(self):
        first = Sharpness("a", np.array([1, 2, 2, 3], np.float32), np.arange(4, dtype=np.int16))
        second = Sharpness("b", np.array([0, 2, 3], np.float32), np.arange(3, dtype=np.int16))
        found = pairs({"x": first, "y": second}, resamples=20).iloc[0]
        values = np.concatenate([first.values, second.values])
        assert found["auroc"] == pytest.approx(roc_auc_score([1] * 4 + [0] * 3, values))

    def test_interval_covers_a_known_separation(self):
        # Normals one SD apart: AUROC is Phi(1 / sqrt 2) = .760.
        hits = 0
        for seed in range(20):
            sets = {"x": one("a", 1.0, seed=seed), "y": one("b", 0.0, seed=100 + seed)}
            found = pairs(sets, resamples=200, seed=seed).iloc[0]
            hits += found["low"] <= 0.7602 <= found["high"]
        assert hits >= 16

    def test_patients_widen_the_interval(self):
        rng = np.random.default_rng(3)
        groups = np.repeat(np.arange(10), 30).astype(np.int16)
        values = (rng.normal(0, 1, 10)[groups] + rng.normal(0, 0.2, 300)).astype(np.float32)
        rival = one("b", 0.0, n=300, seed=4)
        known = pairs({"x": Sharpness("a", values, groups), "y": rival}).iloc[0]
        alone = Sharpness("a", values, np.arange(300, dtype=np.int16))
        unknown = pairs({"x": alone, "y": rival}).iloc[0]
        assert known["high"] - known["low"] > 1.5 * (unknown["high"] - unknown["low"])
        assert (known["groups"], unknown["groups"]) == (10, 75)

    def test_patients_are_drawn_whole_and_all_alike(self):
        sizes = np.array([1, 2, 5, 8])
        groups = np.random.default_rng(1).permutation(np.repeat(np.arange(4), sizes))
        values = (10 * groups + np.arange(16) / 16).astype(np.float32)
        draw = sharpness._resampler(Sharpness("a", values, groups.astype(np.int16)))
        rng, times, seen = np.random.default_rng(0), np.zeros(4), np.zeros(16)
        for _ in range(2000):
            drawn = draw(rng)
            counts = np.bincount((drawn // 10).astype(int), minlength=4)
            assert (counts % sizes == 0).all()
            times += counts / sizes
            seen += [(drawn == value).sum() for value in values]
        assert times / 2000 == pytest.approx(np.ones(4), abs=0.1)
        assert seen / 2000 == pytest.approx(np.ones(16), abs=0.15)

    def test_every_two_sets_and_whether_they_share_a_scanner(self):
        sets = {"x": one("a", 0), "y": one("a", 0, seed=1), "z": one("b", 2)}
        found = pairs(sets, resamples=20)
        assert found[["first", "second"]].to_numpy().tolist() == [
            ["x", "y"],
            ["x", "z"],
            ["y", "z"],
        ]
        assert found["same_scanner"].tolist() == [True, False, False]


class TestFiles:
    @pytest.fixture(autouse=True)
    def folders(self, outputs, recorded, monkeypatch, tmp_path):
        monkeypatch.setenv("SDLIB_CACHE", str(tmp_path / "cache"))

    def test_phantom_scanners_are_measured_recorded_and_read_back(self):
        names = ("robustness", "smoke", "phantom")
        assert sharpness.record(*names) == ""
        make(*names, log=lambda line: None)
        own = read_sharpness(Place(*names, "this run"))
        assert list(own) == list(PHANTOM_SETS)
        assert {title: part.scanner for title, part in own.items()} == {
            title: scanner for title, (_, scanner) in PHANTOM_SETS.items()
        }
        # The phantom's known truth: Flash III is built sharpest, Flash II softest.
        means = {part.scanner: part.values.mean() for part in own.values()}
        assert means["flash3"] > means["axioscan"] > means["flash2"]
        assert Place(*names).sharpness_pairs.empty
        assert sharpness.record(*names) == "the sharpness of scanners recorded"
        again = read_sharpness(Place(*names))
        for title, part in own.items():
            np.testing.assert_array_equal(again[title].values, part.values)
        assert len(Place(*names).sharpness_pairs) == 6

    def test_a_set_may_have_more_patients_than_small_integers(self):
        n = 40_000
        names = np.array([f"p{number:05d}" for number in range(n)])
        images = np.zeros((n, 3, 3, 3), np.uint8)
        found = measuring._of(TileSet(images, np.arange(n) % 2, names), "flash3")
        np.testing.assert_array_equal(found.groups, np.arange(n))

    def test_says_what_is_wrong(self):
        with pytest.raises(DataError, match="pcam tells neither scanners nor stain clusters"):
            make("robustness", "smoke", "pcam")
        with pytest.raises(DataError, match="SDLIB_DATA"):
            make("robustness", "smoke", "open")
        with pytest.raises(ConfigError, match="unknown profile 'fast'"):
            make("robustness", "fast", "phantom")
