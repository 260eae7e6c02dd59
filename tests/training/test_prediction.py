"""Normalisation against torchvision; predictions do not depend on chunks or on the input's kind."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.transforms.v2 import functional as tv

from sdlib.datasets.cutout import make_cutout_set
from sdlib.errors import ConfigError, DataError
from sdlib.models import create_network
from sdlib.shifts import LEVELS
from sdlib.training import prediction as evaluation
from sdlib.training.prediction import (
    IMAGENET_MEAN,
    IMAGENET_SD,
    normalise,
    predict,
    predict_logits,
    sweep,
)


def test_normalise_equals_torchvision():
    images = torch.randint(0, 256, (3, 9, 9, 3), dtype=torch.uint8, generator=torch.manual_seed(0))
    kept, found = images.clone(), normalise(images)
    scaled = tv.to_dtype(images.permute(0, 3, 1, 2), torch.float32, scale=True)
    expected = tv.normalize(scaled, list(IMAGENET_MEAN), list(IMAGENET_SD))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=2e-6)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, kept)


@pytest.mark.parametrize("chunk", [1, 3, 10, 999])
def test_chunks_equal_one_pass(toy_network, toy_tiles, monkeypatch, chunk):
    tiles, network = toy_tiles(10), toy_network()
    network(normalise(torch.from_numpy(tiles.images)))  # batch norm has seen something
    network.eval()
    with torch.no_grad():
        expected = network(normalise(torch.from_numpy(tiles.images)))[:, 0]
    monkeypatch.setattr(evaluation, "CPU_PIXELS", chunk * tiles.size**2)
    sizes = []
    network.register_forward_pre_hook(lambda module, args: sizes.append(len(args[0])))
    found = predict_logits(network, tiles.images)
    assert max(sizes) == min(chunk, 10)
    assert (found.shape, found.dtype) == ((10,), np.float32)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    probability = 1 / (1 + np.exp(-found.astype(np.float64)))
    np.testing.assert_allclose(predict(network, tiles.images), probability, rtol=1e-6)


def test_the_default_chunk_suits_the_cache(toy_network, toy_tiles):
    """Eight tiles of 224 px, as many more as smaller ones need for the same number of pixels."""
    network, sizes = toy_network(), []
    network.register_forward_pre_hook(lambda module, args: sizes.append(len(args[0])))
    predict_logits(network, np.zeros((17, 224, 224, 3), np.uint8))
    assert sizes == [8, 8, 1]


@pytest.mark.parametrize("mode", [True, False])
def test_the_mode_is_restored(toy_network, toy_tiles, mode):
    network, during = toy_network().train(mode), []
    network.register_forward_pre_hook(lambda module, args: during.append(module.training))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    predict_logits(network, toy_tiles(6).images)
    assert during == [False]
    assert {module.training for module in network.modules()} == {mode}
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_read_only_map_is_read(toy_network, toy_tiles, tmp_path):
    images = toy_tiles(6).images
    np.save(tmp_path / "tiles.npy", images)
    mapped = np.load(tmp_path / "tiles.npy", mmap_mode="r")
    network = toy_network()
    np.testing.assert_array_equal(predict(network, mapped), predict(network, images))


def test_half_precision_logits_come_as_float32(toy_tiles):
    class Half(nn.Module):
        def forward(self, images):
            return images.mean((1, 2, 3), keepdim=False)[:, None].half()

    assert predict_logits(Half(), toy_tiles(4).images).dtype == np.float32


@pytest.mark.parametrize("chunk", [3, 999])
def test_tiles_are_predicted_like_their_images(toy_network, toy_tiles, monkeypatch, chunk):
    monkeypatch.setattr(evaluation, "CPU_PIXELS", chunk * 8**2)
    tiles = make_cutout_set(toy_tiles(20).subset(np.arange(19, 0, -2)), "test", seed=0)
    network, images = toy_network(), tiles.images
    expected = predict_logits(network, images)
    np.testing.assert_array_equal(predict_logits(network, tiles), expected)
    np.testing.assert_array_equal(predict(network, tiles), predict(network, images))
    for ours, theirs in zip(
        sweep([network], tiles, LEVELS[:20]), sweep([network], images, LEVELS[:20]), strict=True
    ):
        assert ours[:2] == theirs[:2]
        np.testing.assert_array_equal(ours[2], theirs[2])


def test_predictions_read_a_chunk_at_a_time(toy_network, toy_tiles, monkeypatch):
    monkeypatch.setattr(evaluation, "CPU_PIXELS", 4 * 8**2)
    tiles, lengths = toy_tiles(10), []

    class Watched:
        size = tiles.size

        def __len__(self):
            return len(tiles)

        def batch(self, rows):
            lengths.append(len(rows))
            return tiles.batch(rows)

    predict_logits(toy_network(), Watched())
    assert lengths == [4, 4, 2]
    assert len(list(sweep([toy_network()], Watched(), LEVELS[:2]))) == 6
    assert lengths == [4, 4, 2] * 2


def test_no_tiles_have_no_logits(toy_network, toy_tiles):
    logits = predict_logits(toy_network(), toy_tiles(4).subset([]))
    assert (logits.shape, logits.dtype) == ((0,), np.float32)


def test_arrays_of_another_type_are_refused(toy_network):
    with pytest.raises(DataError, match=r"expected uint8 images .* got float64"):
        predict_logits(toy_network(), np.zeros((2, 8, 8, 3)))


def test_probabilities_of_large_logits_differ(toy_tiles):
    """In float32 the sigmoid of both would be 1."""

    class Sure(nn.Module):
        def forward(self, images):
            return 18 + torch.arange(len(images))[:, None].float()

    scores = predict(Sure(), toy_tiles(4).images)
    assert scores.dtype == np.float64
    assert (np.diff(scores) > 0).all()
    assert scores.max() < 1


@pytest.mark.parametrize("fails", [False, True])
def test_each_part_keeps_its_own_mode(toy_network, toy_tiles, fails):
    """Batch norm is often kept in evaluation mode while the rest trains."""
    network = toy_network().train()
    network.layers[1].eval()
    before = [part.training for part in network.modules()]
    if fails:
        network.register_forward_hook(lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            predict_logits(network, toy_tiles(6).images)
    else:
        predict_logits(network, toy_tiles(6).images)
    assert [part.training for part in network.modules()] == before


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    "door",
    [
        predict_logits,
        predict,
        lambda network, images: list(sweep([network], images, LEVELS[:1])),
    ],
)
def test_logits_that_are_no_numbers_are_refused_by_the_networks_name(toy_tiles, door, value):
    network = create_network("test_resnet")
    with torch.no_grad():
        network.get_classifier().bias.fill_(value)
    message = "expected finite logits of the network test_resnet, got 3 of 3 that are NaN or"
    with pytest.raises(DataError, match=message):
        door(network, toy_tiles(3, size=16))


def test_a_sweep_without_networks(toy_tiles):
    with pytest.raises(ConfigError, match="expected at least one network to sweep, got none"):
        list(sweep([], toy_tiles(3), LEVELS[:1]))
