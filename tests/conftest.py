"""What tests share: folders of their own, small tiles and networks, processes to kill."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os

# Before torch is imported: sums, and with them weights, depend on the number of threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import numpy as np
import pytest
import torch
from torch import nn

from sdlib.datasets.phantom import generate
from sdlib.datasets.tiles import TileSet
from sdlib.experiments import PROFILES, config_hash
from sdlib.results import Place
from tests.written_results import write_all

# A busy machine is slow, not wrong: no example of a property has a deadline.
hypothesis.settings.register_profile("no_deadline", deadline=None)
hypothesis.settings.load_profile("no_deadline")


def pytest_ignore_collect(collection_path, config):
    """Benchmarks are collected only where they are named, as `make bench` does."""
    if collection_path.name == "benchmarks" and not any("benchmarks" in arg for arg in config.args):
        return True
    return None


@pytest.fixture(scope="session")
def phantom_cache(tmp_path_factory):
    """A folder that holds the smoke profile's tiles."""
    folder, smoke = tmp_path_factory.mktemp("phantoms"), PROFILES["smoke"]
    generate(smoke.tiles, smoke.size, seed=0, workers=1, cache=folder)
    return folder


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """Working results go to a folder of the test; no data, no GPU."""
    monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.delenv("SDLIB_DATA", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return tmp_path / "outputs"


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A folder of recorded rows, empty at first, in place of the repository's."""
    folder = tmp_path / "recorded"
    folder.mkdir()
    monkeypatch.setenv("SDLIB_RECORDED", str(folder))
    return folder


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """A folder of outputs with rows of every arm of the cutout experiments."""
    folder = tmp_path_factory.mktemp("written")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDLIB_OUTPUTS", str(folder))
        patch.setenv("SDLIB_RECORDED", str(folder / "nothing recorded"))
        write_all()
    return folder


@pytest.fixture
def rows(written, recorded, monkeypatch):
    """This machine's place, whose rows are the written ones; nothing is recorded."""
    monkeypatch.setenv("SDLIB_OUTPUTS", str(written))
    return Place("cutout", "laptop", "phantom", "this run")


@pytest.fixture
def nothing(outputs, recorded):
    """This machine's place without rows; nothing is recorded."""
    return Place("cutout", "laptop", "phantom", "this run")


@pytest.fixture
def smoke(outputs, phantom_cache, monkeypatch):
    """Runs at the smoke profile find their tiles; returns the outputs' folder."""
    monkeypatch.setenv("SDLIB_CACHE", str(phantom_cache))
    return outputs


@pytest.fixture(scope="session")
def processes():
    """Start real processes that have sdlib imported: `processes(target, *args).start()`.

    They are forked from a server in which nothing has run, so that they start at once and can be
    killed without harm to the tests.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sdlib.training.search"])
    started = []

    def make(target, *args):
        started.append(context.Process(target=target, args=args, daemon=True))
        return started[-1]

    make.event = context.Event
    yield make
    for process in started:
        if process.is_alive():
            process.kill()


class ToyNetwork(nn.Module):
    """Everything that has state: convolution, batch norm, dropout, one logit."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(16, 1),
        )

    def forward(self, images):
        return self.layers(images)


@pytest.fixture
def toy_network():
    """`toy_network(seed)`: a small network, the same for a seed."""

    def make(seed=0):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return ToyNetwork()

    return make


@pytest.fixture(scope="session")
def toy_tiles():
    """`toy_tiles(n, size, seed)`: noise, redder where there is cancer; two tiles a group."""

    def make(n=64, size=8, seed=0):
        rng = np.random.default_rng(seed)
        targets = rng.permutation(np.arange(n) % 2)
        images = rng.integers(0, 160, (n, size, size, 3), dtype=np.uint8)
        images[..., 0] += (90 * targets).astype(np.uint8)[:, None, None]
        return TileSet(images, targets, np.array([f"g{i // 2}" for i in range(n)]))

    return make


@pytest.fixture
def row_of():
    """`row_of(run, **metrics)`: a row with today's configuration; metrics as test__accuracy=.9."""

    def make(run, recorded=False, stamp=None, **metrics):
        values = run.config(run.resolved_arm(recorded))
        nested: dict[str, dict[str, float]] = {}
        for name, value in metrics.items():
            part, metric = name.split("__")
            nested.setdefault(part, {})[metric] = value
        return {
            "experiment": run.experiment,
            "arm": run.arm,
            "seed": run.seed,
            "profile": run.profile,
            "source": run.source,
            "config_hash": stamp or config_hash(values),
            "config": json.loads(json.dumps(values)),
            "code_version": "0 test",
            "device": "cpu",
            "seconds": 1.0,
            "metrics": nested,
            "history": [],
        }

    return make


@pytest.fixture
def trial_of():
    """`trial_of(search, values, value)`: a finished trial of today's configuration."""
    numbers = itertools.count()

    def make(search, values, value=0.8):
        return {
            "family": search.family,
            "config_hash": search.config_hash,
            "trial": next(numbers),
            "judged_on": "validation",
            "values": values,
            "value": value,
            "metrics": {"validation": {"accuracy": value}, "test": {"accuracy": value}},
            "seconds": 1.0,
        }

    return make
