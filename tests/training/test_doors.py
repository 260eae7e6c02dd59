"""Every door through which images reach a network takes uint8 RGB and nothing else."""

import numpy as np
import pytest
import torch

from sdlib.datasets.tiles import TileSet
from sdlib.errors import SdlibError
from sdlib.losses import SpectralDecouplingLoss
from sdlib.models import create_network
from sdlib.shifts import LEVELS
from sdlib.training import activation_maps as cam
from sdlib.training.batches import Batches, Schedule
from sdlib.training.loop import fit
from sdlib.training.prediction import normalise, predict, predict_logits, sweep

SIDE = 56
PLAN = Schedule(epochs=1, batch_size=3)
NOISE = np.random.default_rng(0).integers(0, 256, (6, SIDE, SIDE, 3), dtype=np.uint8)


class Store:
    """Images of any kind behind the interface of a store, which a data set of one's own may be."""

    size = SIDE

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def batch(self, rows):
        return self.images[rows]


def tiles_of(images):
    return TileSet(Store(images), np.arange(6) % 2, np.arange(6).astype(str))


def batches(images):
    return list(Batches(tiles_of(images), PLAN, 0))


def trained(images):
    criterion = SpectralDecouplingLoss(0.01)
    return fit(network(), criterion, tiles_of(images), None, PLAN, log=lambda line: None)


def validated(images):
    criterion = SpectralDecouplingLoss(0.01)
    good = tiles_of(NOISE)
    return fit(network(), criterion, good, tiles_of(images), PLAN, log=lambda line: None)


def shares(images):
    tiles = tiles_of(images)
    factors = {"cutout": np.ones(6, bool), "cutout_positions": np.zeros((6, 16, 2), np.int16)}
    carrying = TileSet(tiles.store, tiles.targets, tiles.groups, factors)
    return cam.cutout_shares(network(), carrying, 1)


def network():
    return create_network("test_efficientnet")


DOORS = {
    "normalise": lambda images: normalise(torch.from_numpy(images)),
    "predict": lambda images: predict(network(), images),
    "predict a store": lambda images: predict(network(), Store(images)),
    "predict_logits": lambda images: predict_logits(network(), images),
    "predict_logits of a store": lambda images: predict_logits(network(), Store(images)),
    "sweep": lambda images: list(sweep([network()], images, LEVELS[:1])),
    "sweep a store": lambda images: list(sweep([network()], Store(images), LEVELS[:1])),
    "activation_maps": lambda images: cam.activation_maps(network(), images, 1),
    "activation_maps of a store": lambda images: cam.activation_maps(network(), Store(images), 1),
    "cutout_shares": shares,
    "batches": batches,
    "training": trained,
    "validation": validated,
}
WRONG = {
    "0 to 1": (NOISE / 255).astype(np.float32),
    "0 to 255 as float": NOISE.astype(np.float64),
    "16 bits": NOISE.astype(np.uint16) * 257,
    "whole numbers": NOISE.astype(np.int64),
    "colours first": np.moveaxis(NOISE, -1, 1),
    "transparent": np.concatenate([NOISE, NOISE[..., :1]], axis=-1),
    "grey": NOISE[..., 0],
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("door", DOORS)
def test_a_door_is_shut(door, kind):
    with pytest.raises(SdlibError, match=r"expected .*uint8 image"):
        DOORS[door](WRONG[kind])


@pytest.mark.parametrize("door", DOORS)
def test_a_door_is_open(door):
    assert DOORS[door](NOISE) is not None


def test_what_is_no_tensor():
    with pytest.raises(SdlibError, match=r"got ndarray: pass torch.from_numpy\(images\)"):
        normalise(NOISE)


def test_a_refused_tensor_is_not_touched():
    """Conversion to float makes no copy of what is float: the scale would be written into it."""
    images = torch.full((1, 4, 4, 3), 0.5)
    with pytest.raises(SdlibError, match=r"got float32 \(1, 4, 4, 3\): scale the values"):
        normalise(images)
    assert (images == 0.5).all()
