"""Several devices against one: losses and gradients, whole trainings, resuming, and rows.

Devices are processes on CPU cores that talk through gloo, as GPUs do through NCCL.
"""

import dataclasses
import os
import types

import numpy as np
import pytest
import torch
from torch import nn

from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, SdlibError
from sdlib.losses import SpectralDecouplingLoss
from sdlib.models import NETWORKS, create_network
from sdlib.results.rows import circumstances
from sdlib.training import devices, launch, loop
from sdlib.training.batches import Batches, Schedule
from sdlib.training.loop import fit

EQUATION_2 = {"lam": (0.3, 0.1), "gamma": (1.8, -2.6)}
CRITERIA = {
    "cross-entropy": SpectralDecouplingLoss(0.0),
    "Equation 1": SpectralDecouplingLoss(0.3),
    "Equation 2": SpectralDecouplingLoss(**EQUATION_2),
    "Equation 2, class means": SpectralDecouplingLoss(**EQUATION_2, reduction="class_mean"),
}
#: Targets of rank 0 and of rank 1.
SPLITS = {
    "even": ([0, 1, 0, 1], [1, 0, 1, 0]),
    "uneven": ([0, 1, 0, 1, 1], [1, 0]),
    "other class counts": ([0, 0, 0, 1], [1, 1, 1, 0]),
    "a class each": ([0, 0, 0], [1, 1, 1, 1, 1]),
    "one class in all": ([0, 0, 0], [0]),
}
PLAN = Schedule(epochs=3, batch_size=16, learning_rate=1.6, weight_decay=1e-3, seed=3)


def silent(line):
    pass


def small_network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1))
    return layers.double()


def inputs_of(targets, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(targets), 5, generator=generator, dtype=torch.float64)


def gradients(network):
    return torch.cat([parameter.grad.flatten() for parameter in network.parameters()])


class Plain(nn.Module):
    """No batch normalisation and no dropout: nothing depends on how tiles are shared out."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.layers = nn.Sequential(
                nn.Conv2d(3, 4, 3),
                nn.ReLU(),
                nn.AdaptiveAvgPool2d(2),
                nn.Flatten(),
                nn.Linear(16, 1),
            )

    def forward(self, images):
        return self.layers(images)


class Normalised(Plain):
    """The same with batch normalisation."""

    def __init__(self):
        super().__init__()
        self.layers.insert(1, nn.BatchNorm2d(4))


def weights(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def timeless(history):
    return [{k: v for k, v in entry.items() if k != "seconds"} for entry in history]


@pytest.fixture(scope="module")
def two(processes, tmp_path_factory):
    """`two(function, *args)`: call it on two devices, and return what each rank has saved.

    The function gets a name to save under behind its own arguments. The processes are forked from
    the server of `processes`, which has sdlib imported.
    """

    def run(function, *args):
        stem = str(tmp_path_factory.mktemp("ranks") / "rank")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(launch, "START", "forkserver")
            launch.launch(2, function, *args, stem)
        return [torch.load(f"{stem} {rank}", weights_only=False) for rank in (0, 1)]

    return run


def save(stem, found):
    torch.save(found, f"{stem} {os.environ['RANK']}")


# -- Losses and gradients


def losses_of_a_rank(stem):
    """Loss and gradients of every case, ours and those of a mean of the ranks' losses."""
    fabric, found = devices.rank_fabric("32-true"), {}
    for (split, both), (name, criterion) in (
        (split, criterion) for split in SPLITS.items() for criterion in CRITERIA.items()
    ):
        targets = torch.tensor(both[fabric.global_rank], dtype=torch.float64)
        inputs = inputs_of(targets, fabric.global_rank)
        for kind in ("whole", "mean of losses"):
            model = fabric.setup_module(small_network())
            logits = model(inputs)
            loss = criterion(logits, targets)
            if kind == "whole":
                shares = [len(part) for part in both]
                loss = devices.whole_batch_loss(fabric, criterion, logits, targets, shares)
            fabric.backward(loss)
            found[split, name, kind] = loss.detach(), gradients(model)
    save(stem, found)


def test_loss_and_gradient_are_those_of_the_whole_batch(two):
    """In float64, to 1e-12; a mean of the ranks' losses is another where shares differ."""
    first, second = two(losses_of_a_rank)
    for split, both in SPLITS.items():
        inputs = torch.cat([inputs_of(part, rank) for rank, part in enumerate(both)])
        targets = torch.tensor([*both[0], *both[1]], dtype=torch.float64)
        for name, criterion in CRITERIA.items():
            network = small_network()
            loss = criterion(network(inputs), targets)
            loss.backward()
            expected = gradients(network)
            case = (split, name, "whole")
            assert torch.equal(first[case][0], second[case][0])
            assert torch.equal(first[case][1], second[case][1])
            torch.testing.assert_close(first[case][0], loss.detach(), rtol=1e-12, atol=1e-14)
            torch.testing.assert_close(first[case][1], expected, rtol=1e-12, atol=1e-14)
            naive = first[split, name, "mean of losses"][1]
            differs = split in ("uneven", "a class each", "one class in all")
            differs |= name == "Equation 2, class means" and split != "even"
            error = (naive - expected).norm() / expected.norm()
            assert (error > 1e-3) == differs, (split, name, float(error))


# -- Whole trainings


def numbered_tiles(n):
    rng = np.random.default_rng(5)
    targets = rng.permutation(np.arange(n) % 3 % 2)
    images = rng.integers(0, 160, (n, 8, 8, 3), dtype=np.uint8)
    images[..., 0] += (90 * targets).astype(np.uint8)[:, None, None]
    return TileSet(images, targets, np.array([f"g{i}" for i in range(n)]))


def train(network, criterion, folder=None, fabric=None, log=silent, plan=PLAN):
    """63 tiles in batches of 16: steps of 21, which two devices cannot share evenly."""
    tiles, validation = numbered_tiles(63), numbered_tiles(30)
    history = fit(network, criterion, tiles, validation, plan, folder, fabric, log)
    return weights(network), timeless(history)


def trainings_of_a_rank(folder, stem):
    fabric, predicted = devices.rank_fabric("32-true"), []
    predict = loop.predict_logits

    def count(*args):
        predicted.append(0)
        return predict(*args)

    loop.predict_logits = count
    found, lines = {}, []
    for name, criterion in CRITERIA.items():
        found[name] = train(Plain(), criterion, folder, fabric, lines.append)
        if fabric.is_global_zero:
            (folder / loop.CHECKPOINT).rename(folder / name)
        fabric.barrier()
    found["batch normalisation"] = train(Normalised(), CRITERIA["cross-entropy"], None, fabric)
    save(stem, (found, len(predicted), lines))


@pytest.fixture(scope="module")
def trained(two, tmp_path_factory):
    """A folder of checkpoints, and what each rank has found."""
    folder = tmp_path_factory.mktemp("checkpoints")
    return folder, *two(trainings_of_a_rank, folder)


@pytest.mark.parametrize("name", CRITERIA)
def test_two_devices_train_as_one(trained, name):
    """Losses and scores to 1e-5, weights to 1e-4, after three epochs in float32."""
    folder, first, second = trained
    expected, history = train(Plain(), CRITERIA[name])
    (found, entries), (others, same_entries) = first[0][name], second[0][name]
    assert_same(found, others)
    assert entries == same_entries  # rank 1 has not validated, and knows the scores
    for entry, wanted in zip(entries, history, strict=True):
        assert entry == pytest.approx(wanted, rel=1e-5)
    for part, value in expected.items():
        torch.testing.assert_close(found[part], value, rtol=1e-4, atol=1e-6)
    saved = torch.load(folder / name, weights_only=True)
    assert_same(saved["network"], found)
    assert (saved["devices"], timeless(saved["history"])) == (2, entries)


def test_rank_0_alone_validates_and_logs(trained):
    """Five trainings of three epochs, of which four log."""
    _, first, second = trained
    assert (first[1], second[1]) == (15, 0)
    assert (len(first[2]), second[2]) == (12, [])


def test_batch_normalisation_on_cpus_cannot_equal_one_device(trained):
    """Each rank normalises by its own share: the weights are common, and not those of one."""
    found, others = (part[0]["batch normalisation"][0] for part in trained[1:])
    expected, _ = train(Normalised(), CRITERIA["cross-entropy"])
    learnt = [name for name, _ in Normalised().named_parameters()]
    assert_same({n: found[n] for n in learnt}, {n: others[n] for n in learnt})
    assert not torch.allclose(found["layers.5.weight"], expected["layers.5.weight"], atol=1e-3)


class TestBatches:
    def test_the_batch_size_is_for_all_devices_together(self):
        tiles = numbered_tiles(63)
        for n in (1, 2, 3, 8):
            ranks = [Batches(tiles, PLAN, 0, rank, n) for rank in range(n)]
            for step, whole in enumerate(ranks[0].steps):
                shares = ranks[0].shares(step)
                assert shares == [len(batches[step][1]) for batches in ranks]
                assert sum(shares) == len(whole) == 21
                assert max(shares) - min(shares) <= 1

    def test_other_devices_draw_other_augmentations(self):
        """One device and two, on the same tile of the same step."""
        image = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3), dtype=np.uint8)
        tiles = TileSet(np.repeat(image, 16, axis=0), np.arange(16) % 2, np.arange(16).astype(str))
        plan = dataclasses.replace(PLAN, augment="dihedral")
        one = Batches(tiles, plan, 0)[0][0]
        second = Batches(tiles, plan, 0, rank=1, world=2)[0][0]
        whole = Batches(tiles, plan, 0).steps[0]
        shared = np.sort(whole[1::2])
        assert not torch.equal(one[np.searchsorted(np.sort(whole), shared)], second)

    def test_a_batch_that_does_not_go_round(self):
        group = types.SimpleNamespace(world_size=4)
        devices.check_share(group, 4)
        sentence = "batches of 4 tiles or more, one for each device, got one of 3: raise batch_size"
        with pytest.raises(ConfigError, match=sentence):
            devices.check_share(group, 3)


# -- Resuming


class Stop(Exception):
    pass


def resumed_on_a_rank(folder, stem):
    """Stop after the first epoch, on all ranks, and go on from its checkpoint."""
    fabric = devices.rank_fabric("32-true")
    plan = dataclasses.replace(PLAN, augment="dihedral")
    unbroken = train(Plain(), CRITERIA["Equation 2"], None, fabric, plan=plan)
    save_checkpoint = loop._save

    def keep_first(*args):
        if not (folder / loop.CHECKPOINT).exists():
            save_checkpoint(*args)

    loop._save = keep_first
    train(Plain(), CRITERIA["Equation 2"], folder, fabric, plan=plan)
    fabric.barrier()
    found, lines = train(Plain(), CRITERIA["Equation 2"], folder, fabric, plan=plan), []
    if fabric.global_rank == 0:
        (folder / loop.CHECKPOINT).write_bytes(b"rubbish")
    fabric.barrier()
    again = train(Plain(), CRITERIA["Equation 2"], folder, fabric, lines.append, plan)
    save(stem, (unbroken, found, again, lines))


def test_resumed_on_two_devices(two, tmp_path):
    """From a checkpoint of the first epoch, and from a damaged one, the same to the last bit."""
    first, second = two(resumed_on_a_rank, tmp_path)
    for found in (first, second):
        for weights_found, history in found[1:3]:
            assert_same(weights_found, found[0][0])
            assert history == found[0][1]
    assert "is damaged and counts as not there" in first[3][0]
    assert second[3] == []


def one_on_two_devices(folder, stem):
    train(Plain(), CRITERIA["Equation 1"], folder, devices.rank_fabric("32-true"))


@pytest.mark.parametrize("begun", [1, 2])
def test_another_number_of_devices_does_not_go_on(two, trained, tmp_path, begun):
    """A row says how many devices there were, which has to hold from the first epoch to the last.

    All ranks find it out, and one sentence is said.
    """
    sentence = rf"checkpoint.pt is of a run on {begun} .*: go on with --devices {begun}, or .*fresh"
    if begun == 1:
        train(Plain(), CRITERIA["Equation 1"], tmp_path)
        with pytest.raises(SdlibError, match=sentence):
            two(one_on_two_devices, tmp_path)
    else:
        (tmp_path / loop.CHECKPOINT).write_bytes((trained[0] / "Equation 1").read_bytes())
        with pytest.raises(SdlibError, match=sentence):
            train(Plain(), CRITERIA["Equation 1"], tmp_path)


def test_a_checkpoint_that_does_not_say_is_of_one_device(trained, tmp_path):
    expected = train(Plain(), CRITERIA["Equation 1"], tmp_path)
    file = tmp_path / loop.CHECKPOINT
    saved = torch.load(file, weights_only=True)
    assert saved.pop("devices") == 1
    torch.save(saved, file)
    found = train(Plain(), CRITERIA["Equation 1"], tmp_path)
    assert_same(found[0], expected[0])


# -- Batch normalisation on GPUs


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_that_share_statistics_keep_everything_else(name):
    """timm's batch normalisation has activations within, which PyTorch's own conversion drops."""
    network, images = create_network(name).eval(), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = network(images)
    before, parameters = weights(network), list(network.parameters())
    gpus = types.SimpleNamespace(world_size=2, device=torch.device("cuda"))
    assert devices.share_statistics(network, gpus) is network
    layers = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert layers
    assert all(isinstance(layer, nn.SyncBatchNorm) for layer in layers)
    assert_same(weights(network), before)
    assert all(a is b for a, b in zip(network.parameters(), parameters, strict=True))
    with torch.no_grad():
        torch.testing.assert_close(network(images), expected)


@pytest.mark.parametrize(("n", "kind"), [(1, "cuda"), (2, "cpu")])
def test_elsewhere_layers_stay(n, kind):
    network = create_network("test_efficientnet")
    before = list(network.modules())
    group = types.SimpleNamespace(world_size=n, device=torch.device(kind))
    assert devices.share_statistics(network, group) is network
    assert list(network.modules()) == before


# -- How many there are


@pytest.mark.parametrize(
    ("gpus", "cores", "wanted", "sentence"),
    [
        (0, 2, 3, "expected devices from 1 to 2, got 3: there are 2 CPU cores and no GPU"),
        (0, 1, 2, "expected devices from 1 to 1, got 2: there is 1 CPU core and no GPU"),
        (4, 16, 5, "expected devices from 1 to 4, got 5: there are 4 GPUs"),
        (1, 16, 2, "expected devices from 1 to 1, got 2: there is 1 GPU"),
        (0, 2, 0, "expected devices of at least 1, a whole number, got 0"),
        (0, 2, -1, "expected devices of at least 1, a whole number, got -1"),
    ],
)
def test_more_devices_than_there_are(monkeypatch, gpus, cores, wanted, sentence):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)), raising=False)
    with pytest.raises(ConfigError, match=f"^{sentence}$"):
        devices.check_devices(wanted)
    devices.check_devices(gpus or cores)


def test_a_row_says_how_many_where_there_were_several():
    one, two = circumstances(torch.device("cpu")), circumstances(torch.device("cpu"), 2)
    assert "devices" not in one
    changed = {"devices": 2, "device": f"{one['device']}, devices: 2"}
    assert two == one | changed
