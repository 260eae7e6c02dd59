"""`fit` against a bare loop over the same tiles, the penalty's share of a step, two devices."""

import multiprocessing
import os
import time

import numpy as np
import psutil
import pytest
import timm
import torch
from torch.nn import functional as F

from sdlib.datasets.tiles import TileSet
from sdlib.losses import SpectralDecouplingLoss
from sdlib.models import create_network
from sdlib.training.devices import rank_fabric
from sdlib.training.launch import launch
from sdlib.training.loop import Schedule, fit
from sdlib.training.prediction import IMAGENET_MEAN, IMAGENET_SD

NETWORK, SIZE, BATCH, STEPS, ROUNDS = "efficientnet_b0", 64, 64, 3, 7
RATE, MOMENTUM, DECAY = 0.005 * BATCH / 512, 0.9, 1e-4
AT_LEAST = 1.1
SHARE_OF_A_STEP = 1e-3
TWO_AGAINST_ONE = 1.2  # of 2 at most


def make_tiles():
    rng = np.random.default_rng(0)
    n = BATCH * STEPS
    images = rng.integers(0, 256, (n, SIZE, SIZE, 3), dtype=np.uint8)
    return TileSet(images, np.arange(n) % 2, np.arange(n).astype(str))


@pytest.fixture(scope="module")
def tiles():
    return make_tiles()


def bare_loop(tiles):
    """Algorithm 1 as it is usually written: contiguous float32 NCHW, normalised in the loop."""
    network = timm.create_model(NETWORK, num_classes=1, drop_rate=0.2, drop_path_rate=0.2)
    optimiser = torch.optim.SGD(
        network.parameters(), RATE, MOMENTUM, weight_decay=DECAY, nesterov=True
    )
    images = torch.from_numpy(tiles.images)
    targets = torch.from_numpy(tiles.targets).float()
    mean, sd = (torch.tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_SD))

    def epoch():
        network.train()
        for batch in torch.randperm(len(images)).split(BATCH):
            x = images[batch].permute(0, 3, 1, 2).contiguous().float().div(255)
            optimiser.zero_grad()
            logits = network((x - mean) / sd)[:, 0]
            loss = F.binary_cross_entropy_with_logits(logits, targets[batch])
            (loss + 0.01 / 2 * logits.square().mean()).backward()
            optimiser.step()

    return epoch


def library(tiles):
    network, criterion = create_network(NETWORK, 0.2, 0.2), SpectralDecouplingLoss(0.01)
    plan = Schedule(1, BATCH, weight_decay=DECAY)
    return lambda: fit(network, criterion, tiles, None, plan, log=lambda line: None)


@pytest.fixture(scope="module")
def seconds(tiles, alternate):
    """Median CPU seconds of an epoch, warm."""
    return alternate({"fit": library(tiles), "bare": bare_loop(tiles)}, ROUNDS)


def test_fit_is_faster_than_a_bare_loop(seconds, tiles, line):
    rates = {name: len(tiles) / value for name, value in seconds.items()}
    ratio = rates["fit"] / rates["bare"]
    what = f"fit, {NETWORK}, {SIZE} px, batch {BATCH}"
    measured, against = (
        f"{rates['fit']:.0f} images/s",
        f"bare loop, torch {torch.__version__}, {rates['bare']:.0f} images/s",
    )
    line((what, measured, against, f"{ratio:.2f}", f"at least {AT_LEAST}"))
    assert ratio >= AT_LEAST


@pytest.mark.parametrize("equation", [1, 2])
def test_the_penalty_is_next_to_nothing(seconds, alternate, line, equation):
    """Criterion forward and backward, with and without the penalty, against a whole step."""
    values = (0.01,) if equation == 1 else ((0.0969, 0.000698), (1.83, 2.61))
    criterion = SpectralDecouplingLoss(*values)
    start = torch.randn(BATCH, 1, generator=torch.manual_seed(0))
    targets = (torch.arange(BATCH) % 2).float()

    def cross_entropy(logits, targets):
        return F.binary_cross_entropy_with_logits(logits[:, 0], targets)

    def many(loss):
        def run(repeats=300):
            for _ in range(repeats):
                logits = start.clone().requires_grad_()
                loss(logits, targets).backward()

        return run

    calls = {"with": many(criterion), "without": many(cross_entropy)}
    median = alternate(calls, rounds=15)
    added, step = (median["with"] - median["without"]) / 300, seconds["fit"] / STEPS
    share = added / step
    what = f"penalty of Eq. {equation}, with all checks"
    measured, against = f"{added * 1e6:.0f} us", f"a step of fit, {step * 1e3:.0f} ms"
    line((what, measured, against, f"{share:.1e}", f"below {SHARE_OF_A_STEP:.0e}"))
    assert share < SHARE_OF_A_STEP


def epochs_on_devices(file):
    """Write the CPU and the wall seconds of rank 0 for each epoch but the first, a warm-up."""
    torch.set_num_threads(1)
    fabric = rank_fabric("32-true") if os.environ["WORLD_SIZE"] != "1" else None
    network, criterion = create_network(NETWORK, 0.2, 0.2), SpectralDecouplingLoss(0.01)
    plan, ends = Schedule(ROUNDS + 1, BATCH, weight_decay=DECAY), []

    def note(line):
        ends.append((time.process_time(), time.perf_counter()))

    fit(network, criterion, make_tiles(), None, plan, None, fabric, note)
    if ends:  # rank 0 alone logs
        np.save(file, np.diff(ends, axis=0))


@pytest.mark.skipif(len(psutil.Process().cpu_affinity()) < 2, reason="two devices need two cores")
def test_two_devices_against_one(tmp_path, line):
    """Two processes that talk through gloo: what CPU cores give says nothing about GPUs.

    A rank's CPU seconds are the wall's where the cores are idle; two at most would be saved.
    """
    seconds = {}
    for n in (1, 2):
        file = tmp_path / f"{n}.npy"
        launch(n, epochs_on_devices, file)
        seconds[n] = np.median(np.load(file), axis=0)
    (one, one_wall), (two, two_wall) = seconds[1], seconds[2]
    what = f"fit on 2 CPU cores as 2 devices (gloo), {NETWORK}, {SIZE} px, batch {BATCH}"
    measured = f"{two:.2f} s an epoch of rank 0 (wall {two_wall:.2f} s)"
    against = f"1 device, {one:.2f} s (wall {one_wall:.2f} s)"
    line((what, measured, against, f"{one / two:.2f}", f"at least {TWO_AGAINST_ONE}"))
    assert one / two >= TWO_AGAINST_ONE


def epochs_with_workers(file):
    """Write the wall seconds of each epoch; the first starts the processes that make batches."""
    network, criterion = create_network("test_efficientnet"), SpectralDecouplingLoss(0.01)
    plan = Schedule(ROUNDS, BATCH, workers=2)
    history = fit(network, criterion, make_tiles(), None, plan, log=lambda line: None)
    np.save(file, [epoch["seconds"] for epoch in history])


def test_workers_that_live_on(tmp_path, line):
    """The naive way has a loader for each epoch, and so starts its processes each time."""
    file = tmp_path / "seconds.npy"
    spawned = multiprocessing.get_context("spawn").Process(target=epochs_with_workers, args=(file,))
    spawned.start()
    spawned.join()
    first, *others = np.load(file)
    later = np.median(others)
    what = f"an epoch with 2 spawned workers, test_efficientnet, {SIZE} px, batch {BATCH}"
    measured, against = f"{later:.2f} s (wall)", f"started anew, {first:.2f} s (wall)"
    line((what, measured, against, f"{first / later:.1f}", "above 1"))
    assert first > later
