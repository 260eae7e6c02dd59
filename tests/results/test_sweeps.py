"""Sweeps: the same logits as one network at one level at a time, resumable, and kept."""

import json

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from sdlib.errors import ConfigError, DataError
from sdlib.experiments import EXPERIMENTS, Run
from sdlib.experiments.measurements import SWEEP
from sdlib.models import create_network, load_weights, save_weights
from sdlib.results import Place, record, sweeps
from sdlib.results.sweep_format import on_grid
from sdlib.results.sweeps import read_sweep
from sdlib.shifts import LEVELS, apply
from sdlib.training import prediction, run as training
from sdlib.training.data import load_tiles
from sdlib.training.prediction import predict_logits, sweep
from sdlib.training.sweep import make
from tests import written_results
from tests.toy_experiments import TOYS

PLACE = ("robustness", "smoke", "phantom")


def own():
    return read_sweep(Place(*PLACE, "this run"))


ARMS = ("weight_decay_none", "sd_eq1_none")


@pytest.fixture
def trained(smoke, row_of):
    """Two runs as if trained: weights from a seed, and the files that a run leaves."""

    def make(arm, seed=0, finished="today"):
        run = Run("robustness", arm, 0, "smoke")
        tiles = load_tiles(run)["test"]
        network = create_network("test_efficientnet", seed=seed)
        run.folder.mkdir(parents=True, exist_ok=True)
        save_weights(network, run.folder / "model.safetensors")
        logits = predict_logits(network, tiles.images)
        np.savez(run.folder / "predictions.npz", **{"test.logits": logits})
        codes = np.unique(tiles.groups, return_inverse=True)[1].astype(np.int16)
        truth = {"test.targets": tiles.targets.astype(np.int8), "test.groups": codes}
        np.savez(run.folder / "targets.npz", **truth)
        run.row_file.write_text(json.dumps(row_of(run) | {"finished": finished}))
        return network, tiles

    return make


class TestPredicting:
    def test_logits_equal_one_network_and_one_level_at_a_time(self, toy_network, toy_tiles):
        networks, images = [toy_network(0), toy_network(1)], toy_tiles(n=10, size=16).images
        levels = [LEVELS[0], LEVELS[18], LEVELS[25], LEVELS[35], LEVELS[51]]
        found = {level: logits for _, level, logits in sweep(networks, images, levels)}
        assert list(found) == levels
        for level, logits in found.items():
            for network, answers in zip(networks, logits, strict=True):
                alone = predict_logits(network, apply(images, level))
                np.testing.assert_allclose(answers, alone, rtol=1e-5, atol=1e-6)

    def test_only_one_chunk_is_in_hand(self, toy_network, toy_tiles, monkeypatch):
        monkeypatch.setattr(prediction, "CPU_PIXELS", 4 * 16 * 16)
        images, seen = toy_tiles(n=10, size=16).images, []
        real = predict_logits

        def watched(network, shifted, device="cpu"):
            seen.append(len(shifted))
            return real(network, shifted, device)

        monkeypatch.setattr(prediction, "predict_logits", watched)
        parts = [part for part, *_ in sweep([toy_network(0)], images, LEVELS[:3])]
        assert max(seen) == 4
        assert [part.stop - part.start for part in parts] == [4, 4, 4] * 2 + [2] * 3

    def test_a_tile_is_shifted_once_per_level_however_many_networks(
        self, toy_network, toy_tiles, monkeypatch
    ):
        from sdlib import shifts

        count, real = [], shifts.blur
        monkeypatch.setattr(shifts, "blur", lambda im, n: count.append(len(im)) or real(im, n))
        networks = [toy_network(k) for k in range(3)]
        list(sweep(networks, toy_tiles(n=6, size=16).images, LEVELS[:4]))
        assert sum(count) == 6 * 4


class TestExecute:
    def test_logits_at_every_level_are_the_networks_own(self, trained):
        networks = {arm: trained(arm, seed=k)[0] for k, arm in enumerate(ARMS)}
        tiles = trained(ARMS[0], seed=0)[1]
        make(*PLACE, log=lambda line: None)
        found = own()
        assert found.levels == ("clean", *(level.name for level in LEVELS[::4]))
        assert set(found.logits) == {(arm, 0) for arm in ARMS}
        np.testing.assert_array_equal(found.targets, tiles.targets)
        for arm, network in networks.items():
            for name, logits in zip(found.levels, found.logits[arm, 0], strict=True):
                level = sweeps.BY_NAME.get(name)
                images = apply(tiles.images, level) if level else tiles.images
                np.testing.assert_allclose(
                    logits, predict_logits(network, images), rtol=2e-3, atol=2e-3
                )

    def test_accuracy_is_scikit_learns_at_a_cutoff_of_a_half(self, trained):
        network, tiles = trained(ARMS[0])
        make(*PLACE, log=lambda line: None)
        table = own().accuracy().set_index("level")
        level = LEVELS[4]
        scores = predict_logits(network, apply(tiles.images, level)) >= 0
        expected = balanced_accuracy_score(tiles.targets, scores)
        assert table.loc[level.name, "accuracy"] == pytest.approx(expected)
        assert table.loc[level.name, "strength"] == level.strength
        assert np.isnan(table.loc["clean", "strength"])

    def test_goes_on_where_it_was_killed(self, trained, monkeypatch):
        trained(ARMS[0])
        lines = []

        def killed(line):
            lines.append(line)
            if len(lines) == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            make(*PLACE, log=killed)
        assert not own().logits
        assert not SWEEP.done_file(*PLACE).exists()
        rest = []
        make(*PLACE, log=rest.append)
        whole = []
        make(*PLACE, log=whole.append)
        assert len(rest) > 0
        assert not set(rest) & set(lines)
        assert whole == []
        assert len(own().logits) == 1

    def test_a_network_that_comes_later_predicts_alone(self, trained, monkeypatch):
        trained(ARMS[0])
        make(*PLACE, log=lambda line: None)
        before = own().logits[ARMS[0], 0]
        trained(ARMS[1], seed=1)
        asked, real = [], training.loaded
        monkeypatch.setattr(
            training, "loaded", lambda runs, cohort: asked.append(runs) or real(runs, cohort)
        )
        make(*PLACE, log=lambda line: None)
        assert [[run.arm for run in runs] for runs in asked] == [[ARMS[1]]]
        found = own().logits
        assert set(found) == {(arm, 0) for arm in ARMS}
        np.testing.assert_array_equal(found[ARMS[0], 0], before)

    def test_a_network_that_was_trained_anew_predicts_anew(self, trained):
        trained(ARMS[0])
        make(*PLACE, log=lambda line: None)
        before = own().logits[ARMS[0], 0]
        trained(ARMS[0], seed=5, finished="tomorrow")
        assert not own().logits, "stale logits do not count"
        make(*PLACE, log=lambda line: None)
        after = own().logits[ARMS[0], 0]
        assert np.abs(after.astype(float) - before).max() > 1e-3

    def test_nothing_waits_behind(self, trained):
        trained(ARMS[0])
        folder = make(*PLACE, log=lambda line: None)
        names = {path.name for path in folder.iterdir()}
        assert names == {f"{level.name}.npz" for level in LEVELS[::4]} | {"done.json"}

    def test_says_what_is_missing(self, smoke):
        with pytest.raises(DataError, match="no trained networks of robustness on phantom, smoke"):
            make(*PLACE)
        with pytest.raises(ConfigError, match="cutout is not swept; expected one of: robustness"):
            make("cutout", "smoke", "phantom")


class TestOfAnotherCohort:
    """A sweep of another cohort than test, by some shifts only, of prepared tiles."""

    NAME = ("toy_borrower", "smoke", "phantom")

    @pytest.fixture
    def swept(self, smoke, monkeypatch):
        """A trained run of the toy that shifts its own cohort by eosin alone, swept."""
        for toy in TOYS:
            monkeypatch.setitem(EXPERIMENTS, toy.name, toy)
        run = Run("toy_borrower", "firm", 0, "smoke")
        training.execute(run, log=lambda line: None)
        lines = []
        folder = make(*self.NAME, log=lines.append)
        return run, folder, lines

    def test_only_its_shift_is_made(self, swept):
        _, folder, lines = swept
        eosin = [level for level in LEVELS if level.shift == "eosin"][::4]
        names = {f"{level.name}.npz" for level in eosin}
        assert {path.name for path in folder.iterdir()} == names | {"done.json"}
        assert all("eosin" in line and "blur" not in line for line in lines)

    def test_logits_are_of_its_cohort(self, swept):
        run, _, _ = swept
        found = read_sweep(Place(*self.NAME, "this run"))
        tiles = load_tiles(run)["restained"]
        np.testing.assert_array_equal(found.targets, tiles.targets)
        network = load_weights(
            create_network("test_efficientnet"), run.folder / "model.safetensors"
        )
        for name, logits in zip(found.levels, found.logits["firm", 0], strict=True):
            level = sweeps.BY_NAME.get(name)
            images = apply(tiles.images, level) if level else tiles.images
            expected = predict_logits(network, images)
            np.testing.assert_allclose(logits, expected, rtol=2e-3, atol=2e-3)

    def test_places_have_its_levels_as_metrics(self, swept, recorded):
        place = Place(*self.NAME, "this run")
        accuracy = place.values("restained.accuracy", "firm")
        assert place.values("clean", "firm") == pytest.approx(accuracy)
        levels = [name for name in place.sweep.levels if name != "clean"]
        means = [place.values(name, "firm")[0] for name in levels]
        assert place.values("eosin", "firm") == pytest.approx(np.mean(means))
        assert "blur" not in place.metrics
        assert sweeps.record(*self.NAME) == "the sweep of 1 networks recorded"
        again = read_sweep(Place(*self.NAME))
        assert again.levels == place.sweep.levels
        assert again.accuracy().equals(place.sweep.accuracy())

    def test_levels_of_some_shifts(self):
        fading = sweeps.levels_of("long", ("haematoxylin", "eosin"))
        assert {level.shift for level in fading} == {"haematoxylin", "eosin"}
        assert len(fading) == sum(level.shift in ("haematoxylin", "eosin") for level in LEVELS)
        assert sweeps.levels_of("long") == LEVELS
        assert sweeps.levels_of("smoke", ("blur",)) == sweeps.levels_of("long", ("blur",))[::4]
        with pytest.raises(ConfigError, match="unknown shift 'fog'; expected one of: "):
            sweeps.levels_of("long", ("fog",))


class TestRecord:
    def test_reads_back_what_was_swept_and_keeps_what_was_recorded(self, trained, recorded):
        assert sweeps.record(*PLACE) == ""
        assert not read_sweep(Place(*PLACE)).logits
        trained(ARMS[0])
        make(*PLACE, log=lambda line: None)
        mine = own()
        assert sweeps.record(*PLACE) == "the sweep of 1 networks recorded"
        found = read_sweep(Place(*PLACE))
        assert found.levels == mine.levels
        np.testing.assert_array_equal(found.logits[ARMS[0], 0], on_grid(mine.logits[ARMS[0], 0]))
        assert found.accuracy().equals(mine.accuracy())
        np.testing.assert_array_equal(found.groups, mine.groups)
        # Another machine brings the other arm alone.
        Run("robustness", ARMS[0], 0, "smoke").row_file.unlink()
        trained(ARMS[1], seed=1)
        make(*PLACE, log=lambda line: None)
        assert sweeps.record(*PLACE) == "the sweep of 1 networks recorded"
        assert set(read_sweep(Place(*PLACE)).logits) == {(arm, 0) for arm in ARMS}

    def test_a_sweep_of_a_network_trained_anew_is_not_kept_beside_its_row(self, trained, recorded):
        trained(ARMS[0])
        make(*PLACE, log=lambda line: None)
        record(*PLACE)
        trained(ARMS[0], seed=1)
        row_file = Run("robustness", ARMS[0], 0, "smoke").row_file
        row = json.loads(row_file.read_text())
        row |= {"metrics": {"test": {"accuracy": 0.75}}, "finished": "later"}
        row_file.write_text(json.dumps(row))
        with pytest.raises(DataError, match=r"is of another network .* `python -m sdlib measure"):
            record(*PLACE)
        make(*PLACE, log=lambda line: None)
        record(*PLACE)
        found, swept = read_sweep(Place(*PLACE)).logits, own().logits
        np.testing.assert_array_equal(found[ARMS[0], 0], on_grid(swept[ARMS[0], 0]))


def test_more_tiles_than_small_integers_are_groups_of_their_own(outputs, monkeypatch):
    targets = np.arange(40_000, dtype=np.int8) % 2
    monkeypatch.setattr(written_results, "TARGETS", targets)
    written_results.write_run("robustness", ARMS[0], 0, "smoke")
    written_results.write_sweep("robustness", "smoke")
    found = own()
    assert set(found.logits) == {(ARMS[0], 0)}
    np.testing.assert_array_equal(found.groups, np.arange(40_000))


def test_a_sign_survives_half_precision():
    logits = np.array([[-1e-9, 1e-9, -3.0, 2.0]], np.float16)
    found = sweeps.Sweep(("clean",), np.array([0, 1, 0, 1]), np.arange(4), {("a", 0): logits})
    assert found.accuracy()["accuracy"].tolist() == [1.0]
