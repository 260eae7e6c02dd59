"""Algorithm 1: what is fed, what one step does, and that stopping and starting changes nothing."""

import math
import multiprocessing.process

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision
from torch import nn
from torch.utils.data import DataLoader

from sdlib.datasets.cutout import make_cutout_set
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError, SdlibError
from sdlib.losses import SpectralDecouplingLoss
from sdlib.metrics import auroc, balanced_accuracy
from sdlib.training import loop as training
from sdlib.training.batches import EveryEpoch
from sdlib.training.loop import Batches, Schedule, fit
from sdlib.training.prediction import normalise, predict

CRITERION = SpectralDecouplingLoss(lam=0.01)
PLAN = Schedule(
    epochs=4, batch_size=16, learning_rate=1.6, weight_decay=1e-4, augment="dihedral", seed=3
)


def silent(line):
    pass


def numbered(n, size=2):
    """Tiles whose red channel is their number, so that a batch says which tiles it holds."""
    images = np.zeros((n, size, size, 3), np.uint8)
    images[..., 0] = np.arange(n)[:, None, None]
    return TileSet(images, np.arange(n) % 3 % 2, np.arange(n).astype(str))


def numbers(batch):
    return batch[0][:, 0, 0, 0].tolist()


def weights(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def timeless(history):
    return [{k: v for k, v in entry.items() if k != "seconds"} for entry in history]


class TestBatches:
    @given(
        n=st.integers(1, 200),
        size=st.integers(1, 40),
        world=st.integers(1, 4),
        seed=st.integers(0, 2**64 - 1),
    )
    def test_every_tile_once_an_epoch(self, n, size, world, seed):
        tiles, plan = numbered(n), Schedule(1, size, seed=seed)
        ranks = [Batches(tiles, plan, 0, rank, world) for rank in range(world)]
        assert len({len(batches) for batches in ranks}) == 1
        found = []
        for step in range(len(ranks[0])):
            parts = [numbers(batches[step]) for batches in ranks]
            found.extend(number for part in parts for number in part)
            shares = [len(part) for part in parts]
            assert max(shares) - min(shares) <= 1  # the devices share a step evenly
            assert min(n, size) <= sum(shares) < 2 * size or sum(shares) == n < size
        assert sorted(found) == list(range(n))

    def test_images_targets_and_types(self):
        tiles = numbered(50)
        for images, targets in Batches(tiles, Schedule(1, 8, augment="dihedral"), 0):
            assert (images.dtype, targets.dtype) == (torch.uint8, torch.float32)
            assert images.shape == (*targets.shape, 2, 2, 3)
            np.testing.assert_array_equal(targets, tiles.targets[images[:, 0, 0, 0]])

    @pytest.mark.parametrize("cutouts", [False, True])
    def test_an_item_is_the_same_in_every_process_and_order(self, toy_tiles, cutouts):
        tiles = toy_tiles()
        if cutouts:
            tiles = make_cutout_set(tiles.subset(np.arange(63, -1, -1)), "train", seed=0)
        batches = Batches(tiles, PLAN, 2)
        forwards = [batches[i] for i in range(len(batches))]
        again = Batches(tiles, PLAN, 2)
        for i in reversed(range(len(again))):
            torch.testing.assert_close(again[i], forwards[i], rtol=0, atol=0)
        in_workers = list(DataLoader(batches, batch_size=None, num_workers=2))
        torch.testing.assert_close(in_workers, forwards, rtol=0, atol=0)
        every = EveryEpoch(tiles, PLAN)
        assert len(every) == PLAN.epochs * len(batches)
        for epoch, step in ((2, 0), (1, 0), (2, len(batches) - 1)):
            expected = Batches(tiles, PLAN, epoch)[step]
            torch.testing.assert_close(every[epoch, step], expected, rtol=0, atol=0)

    @pytest.mark.parametrize("other", [(PLAN, 1), (Schedule(4, 16, seed=4), 0)])
    def test_epochs_and_seeds_differ(self, other):
        tiles = numbered(64)
        assert numbers(Batches(tiles, PLAN, 0)[0]) != numbers(Batches(tiles, *other)[0])

    @pytest.mark.parametrize("change", [{"epoch": 1}, {"seed": 4}, {"rank": 1}])
    def test_tiles_are_augmented_anew(self, change):
        """Alike tiles in one step: all that can differ is the augmentation."""
        image = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3), dtype=np.uint8)
        tiles = TileSet(np.repeat(image, 64, axis=0), np.arange(64) % 2, np.arange(64).astype(str))

        def images(epoch=0, seed=3, rank=0):
            plan = Schedule(1, 64, augment="dihedral", seed=seed)
            return Batches(tiles, plan, epoch, rank, world=2)[0][0]

        assert torch.equal(images(), images())
        assert not torch.equal(images(), images(**change))

    def test_a_step_that_is_not_there(self):
        with pytest.raises(IndexError, match="expected a step of 0 to 4, got 5"):
            Batches(numbered(40), Schedule(1, 8), 0)[5]

    def test_views_give_the_batches_of_copies(self, toy_tiles):
        tiles = make_cutout_set(toy_tiles().subset(slice(None, None, -1)), "control", seed=0)
        copied = TileSet(tiles.images, tiles.targets, tiles.groups)
        for ours, theirs in zip(Batches(tiles, PLAN, 0), Batches(copied, PLAN, 0), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=0)

    def test_tiles_are_not_touched(self, toy_tiles, tmp_path):
        tiles = toy_tiles()
        np.save(tmp_path / "tiles.npy", tiles.images)
        mapped = np.load(tmp_path / "tiles.npy", mmap_mode="r")
        of_map = TileSet(mapped, tiles.targets, tiles.groups)
        kept = tiles.images.copy()
        for ours, theirs in zip(Batches(tiles, PLAN, 0), Batches(of_map, PLAN, 0), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
        np.testing.assert_array_equal(tiles.images, kept)


class TestSchedule:
    @pytest.mark.parametrize("name", ["epochs", "batch_size", "learning_rate"])
    @pytest.mark.parametrize("value", [0, -1, float("nan")])
    def test_not_above_zero(self, name, value):
        with pytest.raises(ConfigError, match=f"expected {name} above 0, got {value}"):
            Schedule(**{"epochs": 1, "batch_size": 1, name: value})

    @pytest.mark.parametrize("value", [-1e-4, float("nan")])
    def test_weight_decay(self, value):
        with pytest.raises(ConfigError, match="expected weight_decay of 0 or more"):
            Schedule(1, 1, weight_decay=value)

    @pytest.mark.parametrize("seed", [99999999999999999999, -1, 1.5, "1", True])
    def test_a_seed_that_cannot_be(self, seed):
        with pytest.raises(ConfigError, match="expected seed from 0 to 18446744073709551615"):
            Schedule(1, 1, seed=seed)

    def test_the_largest_seed_trains(self, toy_network, toy_tiles):
        plan = Schedule(1, 16, augment="dihedral", seed=2**64 - 1)
        assert len(fit(toy_network(), CRITERION, toy_tiles(), None, plan, log=silent)) == 1

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"epochs": 1.5}, "expected epochs of at least 1, a whole number, got 1.5"),
            ({"batch_size": "8"}, "expected batch_size of at least 1, a whole number, got '8'"),
            (
                {"learning_rate": float("inf")},
                "expected learning_rate of at least 0 and at most .*, got inf",
            ),
            (
                {"weight_decay": float("inf")},
                "expected weight_decay of at least 0 and at most .*, got inf",
            ),
            ({"workers": -1}, "expected workers of at least 0, a whole number, got -1"),
        ],
    )
    def test_other_values_that_cannot_be(self, change, sentence):
        with pytest.raises(ConfigError, match=sentence):
            Schedule(**{"epochs": 1, "batch_size": 1, **change})

    def test_unknown_augmentation(self, toy_network, toy_tiles):
        with pytest.raises(ConfigError, match="unknown augmentation 'blur'"):
            fit(toy_network(), CRITERION, toy_tiles(), None, Schedule(1, 8, augment="blur"))


class TestTooFew:
    def test_no_tiles(self, toy_network, toy_tiles):
        none = toy_tiles(4).subset([])
        with pytest.raises(DataError, match="expected at least one tile to train on, got none"):
            fit(toy_network(), CRITERION, none, None, Schedule(1, 8))

    def test_a_batch_of_one_where_batch_norm_sees_one_value(self, toy_tiles):
        network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(3), nn.Flatten())
        network.append(nn.Linear(3, 1))
        message = "expected batches of 2 tiles or more, got one of 1 tile of 8 px.*raise batch_size"
        with pytest.raises(ConfigError, match=message):
            fit(network, CRITERION, toy_tiles(4), None, Schedule(1, 1), log=silent)
        with pytest.raises(ConfigError, match=message):
            fit(network, CRITERION, toy_tiles(1), None, Schedule(1, 16), log=silent)

    def test_a_batch_of_one_trains_where_batch_norm_sees_many(self, toy_network, toy_tiles):
        assert fit(toy_network(), CRITERION, toy_tiles(4), None, Schedule(1, 1), log=silent)


class Linear(nn.Module):
    """The mean of each channel, weighted: one step of it can be worked out by hand."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.3, -0.2, 0.1]))

    def forward(self, images):
        return (images.mean((2, 3)) @ self.weight)[:, None]


class TestSteps:
    def test_by_hand(self, toy_tiles):
        """Nesterov SGD with decay, two steps, from autograd's gradients alone."""
        tiles = toy_tiles(32)
        plan = Schedule(epochs=2, batch_size=32, learning_rate=8.0, weight_decay=0.1)
        network = Linear()
        fit(network, CRITERION, tiles, None, plan, log=silent)

        by_hand, momentum = Linear(), torch.zeros(3)
        images, targets = torch.from_numpy(tiles.images), torch.from_numpy(tiles.targets).float()
        for step in range(2):
            rate = 8.0 * 32 / 512 * (1 + math.cos(math.pi * step / 2)) / 2
            loss = CRITERION(by_hand(normalise(images)), targets)
            (slope,) = torch.autograd.grad(loss, by_hand.weight)
            with torch.no_grad():
                slope = slope + 0.1 * by_hand.weight
                momentum = 0.9 * momentum + slope
                by_hand.weight -= rate * (slope + 0.9 * momentum)
        torch.testing.assert_close(network.weight, by_hand.weight, rtol=1e-5, atol=1e-6)

    def test_the_rate_follows_a_cosine_and_decay_is_as_given(
        self, toy_network, toy_tiles, monkeypatch
    ):
        seen = []

        class Spy(torch.optim.SGD):
            def step(self, *args, **kwargs):
                seen.append({k: v for k, v in self.param_groups[0].items() if k != "params"})
                return super().step(*args, **kwargs)

        monkeypatch.setattr(torch.optim, "SGD", Spy)
        fit(toy_network(), CRITERION, toy_tiles(64), None, PLAN, log=silent)
        k = np.arange(16)
        expected = 1.6 * 16 / 512 * 0.5 * (1 + np.cos(np.pi * k / 16))
        np.testing.assert_allclose([group["lr"] for group in seen], expected)
        assert {group["weight_decay"] for group in seen} == {1e-4}
        assert {(group["momentum"], group["nesterov"]) for group in seen} == {(0.9, True)}

    def test_it_learns(self, toy_network, toy_tiles):
        plan = Schedule(epochs=12, batch_size=16, learning_rate=3.0)
        network = toy_network()
        history = fit(network, CRITERION, toy_tiles(160), toy_tiles(60, seed=1), plan, log=silent)
        assert history[-1]["accuracy"] == history[-1]["auroc"] == 1
        assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]

    def test_without_learning_the_weights_stay(self, toy_network, toy_tiles):
        network = toy_network()
        before = weights(network)
        fit(network, CRITERION, toy_tiles(), None, Schedule(1, 16, 1e-300), log=silent)
        moved = {name for name in before if not torch.equal(before[name], weights(network)[name])}
        assert moved == {  # batch norm's statistics: the network was in training mode
            f"layers.1.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")
        }


class TestHistory:
    def test_entries_are_what_the_network_scores(self, toy_network, toy_tiles, capsys):
        network, validation, lines = toy_network(), toy_tiles(40, seed=1), []
        history = fit(network, CRITERION, toy_tiles(), validation, PLAN, log=lines.append)
        assert [entry["epoch"] for entry in history] == [1, 2, 3, 4]
        scores = predict(network, validation.images)
        assert history[-1]["accuracy"] == balanced_accuracy(validation.targets, scores)
        assert history[-1]["auroc"] == auroc(validation.targets, scores)
        assert [line.split()[:2] for line in lines] == [["epoch", f"{k}/4"] for k in (1, 2, 3, 4)]
        assert not any("\n" in line for line in lines)
        captured = capsys.readouterr()  # no progress bar outside a terminal
        assert captured.out + captured.err == ""

    def test_large_logits_keep_their_ranks(self, toy_tiles):
        """In float32 every sigmoid would be 1, and AUROC a half."""

        class Sure(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.ones(1))

            def forward(self, images):
                return 25 + self.weight * images.mean((1, 2, 3))[:, None]

        network, validation = Sure(), toy_tiles(40, seed=1)
        plan = Schedule(1, 64, learning_rate=1e-300)
        history = fit(network, CRITERION, toy_tiles(), validation, plan, log=silent)
        brightness = normalise(torch.from_numpy(validation.images)).mean((1, 2, 3))
        expected = auroc(validation.targets, brightness)
        assert expected > 0.9
        assert history[0]["auroc"] == pytest.approx(expected, abs=0.01)

    def test_the_loss_is_the_mean_over_steps(self, toy_network, toy_tiles):
        losses = []

        def criterion(logits, targets):
            losses.append(CRITERION(logits, targets))
            return losses[-1]

        history = fit(toy_network(), criterion, toy_tiles(), None, PLAN, log=silent)
        means = torch.stack(losses).detach().reshape(4, 4).mean(dim=1)
        np.testing.assert_allclose([entry["train_loss"] for entry in history], means, rtol=1e-6)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_a_loss_that_is_not_finite_stops_the_run(self, toy_network, toy_tiles, tmp_path, value):
        calls = []

        def criterion(logits, targets):
            calls.append(0)
            return CRITERION(logits, targets) * (value if len(calls) == 8 else 1)

        with pytest.raises(SdlibError, match=rf"loss is {value} in epoch 2/4: lower learning_rate"):
            fit(toy_network(), criterion, toy_tiles(), None, PLAN, tmp_path, log=silent)
        saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
        assert [entry["epoch"] for entry in saved["history"]] == [1]  # the last good one


class Stop(Exception):
    pass


def stop_after(epochs):
    """A log that ends the run when it would report epoch `epochs + 1`."""

    def log(line):
        if line.startswith(f"epoch {epochs + 1}/"):
            raise Stop

    return log


class TestResuming:
    @pytest.fixture
    def train(self, toy_network, toy_tiles):
        def run(folder, log=silent, plan=PLAN, network=None):
            network = network or toy_network()
            validation = toy_tiles(40, seed=1)
            history = fit(network, CRITERION, toy_tiles(), validation, plan, folder, log=log)
            return weights(network), timeless(history)

        return run

    def test_the_same_seed_twice(self, train, tmp_path):
        torch.rand(7)  # the state of the global generator does not matter
        first = train(tmp_path / "a")
        torch.rand(5)
        second = train(None)
        assert_same(first[0], second[0])
        assert first[1] == second[1]

    def test_another_seed_is_another_network(self, train):
        one = train(None)[0]
        other = train(None, plan=Schedule(**{**vars(PLAN), "seed": 4}))[0]
        assert not torch.equal(one["layers.6.weight"], other["layers.6.weight"])

    def test_workers_change_nothing(self, train):
        ours, with_workers = (
            train(None, plan=Schedule(**{**vars(PLAN), "epochs": 2, "workers": w})) for w in (0, 2)
        )
        assert_same(ours[0], with_workers[0])
        assert ours[1] == with_workers[1]

    @pytest.mark.parametrize("workers", [1, 2])
    def test_workers_are_started_once(self, train, monkeypatch, workers):
        """Not once an epoch: where processes are spawned, starting them took most of the time."""
        started = []
        start = multiprocessing.process.BaseProcess.start

        def counted(process):
            started.append(process)
            start(process)

        monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", counted)
        train(None, plan=Schedule(**{**vars(PLAN), "epochs": 3, "workers": workers}))
        assert len(started) == workers

    @pytest.mark.parametrize("after", [0, 1, 3])
    def test_stopped_and_resumed(self, train, toy_network, tmp_path, after):
        expected, history = train(None)
        with pytest.raises(Stop):
            train(tmp_path, stop_after(after))
        assert (tmp_path / "checkpoint.pt").exists() == (after > 0)
        lines = []
        # Whatever network comes along is overwritten by the checkpoint's.
        network = toy_network(seed=99) if after else None
        found, resumed = train(tmp_path, lines.append, network=network)
        assert len(lines) == 4 - after
        assert_same(expected, found)
        assert resumed == history
        assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]

    def test_stopped_twice(self, train, tmp_path):
        expected, history = train(None)
        for after in (1, 2):
            with pytest.raises(Stop):
                train(tmp_path, stop_after(after))
        found, resumed = train(tmp_path)
        assert_same(expected, found)
        assert resumed == history

    def test_a_checkpoint_of_another_configuration_counts_as_not_there(
        self, toy_network, toy_tiles, tmp_path
    ):
        """The loss is not in the schedule; the mark tells two of them apart."""

        def run(configuration, log=silent, folder=tmp_path):
            network = toy_network()
            where = folder, None, log, configuration
            fit(network, CRITERION, toy_tiles(), None, PLAN, *where)
            return weights(network)

        expected = run("one")
        lines = []
        assert_same(run("one", lines.append), expected)
        assert lines == []
        assert_same(run("other", lines.append), expected)
        assert len(lines) == 4

    def test_a_finished_run_is_not_trained_on(self, train, toy_network, tmp_path):
        expected, history = train(tmp_path)
        lines = []
        found, again = train(tmp_path, lines.append, network=toy_network(seed=99))
        assert_same(expected, found)
        assert (again, lines) == (history, [])

    def test_the_scale_of_half_precision_gradients_is_resumed(
        self, toy_network, toy_tiles, tmp_path
    ):
        def half(folder, log=silent):
            scaler = torch.amp.GradScaler("cpu", init_scale=16.0, growth_interval=5)
            precision = MixedPrecision("16-mixed", "cpu", scaler)
            fabric, network = Fabric(accelerator="cpu", plugins=[precision]), toy_network()
            fit(network, CRITERION, toy_tiles(), None, PLAN, folder, fabric, log)
            return weights(network), scaler.state_dict()

        expected, scaled = half(None)
        with pytest.raises(Stop):
            half(tmp_path, stop_after(2))
        found, resumed = half(tmp_path)
        assert scaled["scale"] > 16
        assert resumed == scaled
        assert_same(expected, found)

    @pytest.mark.parametrize(
        "change", [{"epochs": 5}, {"learning_rate": 0.8}, {"seed": 4}, {"augment": "none"}]
    )
    def test_a_checkpoint_of_another_schedule(self, train, tmp_path, change):
        with pytest.raises(Stop):
            train(tmp_path, stop_after(1))
        ((name, value),) = change.items()
        message = rf"checkpoint.pt is of another schedule: expected {name} {value} \(got .*--fresh"
        with pytest.raises(SdlibError, match=message):
            train(tmp_path, plan=Schedule(**{**vars(PLAN), **change}))

    def test_a_checkpoint_of_another_network(self, train, tmp_path):
        with pytest.raises(Stop):
            train(tmp_path, stop_after(1))
        with pytest.raises(SdlibError, match=r"checkpoint.pt is of another network: delete it, or"):
            train(tmp_path, network=Linear())

    @pytest.mark.parametrize(
        "damage",
        [
            lambda whole: b"",
            lambda whole: bytes(len(whole)),
            lambda whole: whole[:-1],
            lambda whole: whole[: len(whole) // 2],
            lambda whole: whole[:1500] + bytes(64) + whole[1564:],
            lambda whole: b"rubbish",
        ],
        ids=["empty", "zeros", "cut by a byte", "cut in half", "zeros inside", "rubbish"],
    )
    def test_a_damaged_checkpoint_counts_as_not_there(self, train, tmp_path, damage):
        expected, history = train(None)
        with pytest.raises(Stop):
            train(tmp_path, stop_after(2))
        file, lines = tmp_path / "checkpoint.pt", []
        file.write_bytes(damage(file.read_bytes()))
        found, again = train(tmp_path, lines.append)
        assert lines[0] == f"{file} is damaged and counts as not there: it is made again"
        assert [line.split()[1] for line in lines[1:]] == ["1/4", "2/4", "3/4", "4/4"]
        assert_same(expected, found)
        assert again == history

    def test_a_checkpoint_in_which_one_number_has_changed(self, train, tmp_path):
        """PyTorch alone would go on from it."""
        expected, _ = train(None)
        with pytest.raises(Stop):
            train(tmp_path, stop_after(2))
        file, lines = tmp_path / "checkpoint.pt", []
        saved = torch.load(file, weights_only=True)
        number = saved["network"]["layers.6.weight"].numpy().tobytes()
        whole = file.read_bytes()
        assert whole.count(number) == 1
        file.write_bytes(whole.replace(number, number[::-1]))
        found, _ = train(tmp_path, lines.append)
        assert "is damaged" in lines[0]
        assert_same(expected, found)


def test_the_reference_batch_is_the_papers():
    assert training.REFERENCE_BATCH == 512
