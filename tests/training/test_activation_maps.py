"""Activation maps: a closed form, networks whose gaze is known, and what the shares count."""

import numpy as np
import pytest
import torch
from torch import nn

from sdlib.datasets.cutout import cutout_mask, make_cutout_set
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError
from sdlib.models import NETWORKS, create_network
from sdlib.training import activation_maps as cam
from sdlib.training.activation_maps import COARSEST, activation_maps, cutout_shares, target_layer
from sdlib.training.prediction import normalise

SIDE = 56
DARK = -4.5  # a sum of normalised channels that only nearly black pixels fall below


class Pixels(nn.Module):
    """Channels of single pixels, then their weighted mean: Grad-CAM can be worked out by hand."""

    def __init__(self, kernels, bias, weights, rectify=True):
        super().__init__()
        self.feature_info = [{"module": "features", "reduction": 1}]
        conv = nn.Conv2d(3, len(weights), 1)
        with torch.no_grad():
            conv.weight.copy_(torch.tensor(kernels, dtype=torch.float32)[:, :, None, None])
            conv.bias.copy_(torch.tensor(bias, dtype=torch.float32))
        self.features = nn.Sequential(conv, nn.ReLU() if rectify else nn.Identity())
        self.register_buffer("weights", torch.tensor(weights, dtype=torch.float32)[:, None])

    def forward(self, images):
        return self.features(images).mean((2, 3)) @ self.weights


def finder_of_black(weight=1.0):
    """Fires on black pixels alone; a positive weight makes them evidence of cancer."""
    return Pixels([[-1, -1, -1]], [DARK], [weight])


def finder_of_colour():
    """Fires on everything but black."""
    return Pixels([[1, 1, 1]], [-DARK], [1.0])


@pytest.fixture
def tiles():
    """Noise without a black pixel, then cutouts on all."""
    rng = np.random.default_rng(0)
    images = rng.integers(60, 256, (12, SIDE, SIDE, 3), dtype=np.uint8)
    clean = TileSet(images, np.arange(12) % 2, np.arange(12).astype(str))
    return make_cutout_set(clean, "all", seed=1)


@pytest.mark.parametrize(("index", "sign"), [(0, -1), (1, 1)])
def test_closed_form(index, sign):
    """Gradients are constant here, so the map is the rectified sum of weighted channels."""
    images = np.random.default_rng(3).integers(0, 256, (5, 9, 9, 3), dtype=np.uint8)
    kernels, bias, weights = [[0.5, -1, 0.2], [-0.3, 0.1, 0.8]], [0.1, -0.2], [0.7, -0.4]
    network = Pixels(kernels, bias, weights, rectify=False)
    pixels = normalise(torch.from_numpy(images)).numpy()
    channels = np.einsum("kc,nchw->knhw", kernels, pixels) + np.array(bias)[:, None, None, None]
    expected = np.maximum(sign * np.tensordot(weights, channels, 1), 0)
    expected -= expected.min(axis=(1, 2), keepdims=True)
    expected /= expected.max(axis=(1, 2), keepdims=True)
    found = activation_maps(network, images, index)
    assert (found.shape, found.dtype) == ((5, 9, 9), np.float32)
    # grad-cam adds 1e-7 to the maximum, which is some 1/81 of a logit here.
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_finder_of_cutouts_is_found_out(tiles):
    shares = cutout_shares(finder_of_black(), tiles, 1)
    assert shares["activation"].min() > 0.99
    mask = cutout_mask(tiles.factors["cutout_positions"], SIDE, size=2)
    np.testing.assert_allclose(shares["area"], mask.mean(axis=(1, 2)))
    assert shares["area"].max() < 0.03


def test_evidence_of_benign_is_in_the_map_of_benign(tiles):
    network = finder_of_black(weight=-1.0)
    assert cutout_shares(network, tiles, 0)["activation"].min() > 0.99
    for_cancer = cutout_shares(network, tiles, 1)  # no evidence of cancer: the maps are zero
    np.testing.assert_array_equal(for_cancer["activation"], for_cancer["area"])


def test_a_network_that_looks_elsewhere(tiles):
    shares = cutout_shares(finder_of_colour(), tiles, 1)
    assert (shares["activation"] < 1e-6).all()


@pytest.mark.parametrize(
    ("chosen", "share"), [("all", "area"), ("cutouts", 1.0), ("rest", 0.0), ("nothing", "area")]
)
def test_shares_of_known_maps(tiles, monkeypatch, chosen, share):
    mask = cutout_mask(tiles.factors["cutout_positions"], SIDE, size=2)
    maps = {
        "all": np.ones_like(mask),
        "cutouts": mask,
        "rest": ~mask,
        "nothing": np.zeros_like(mask),
    }[chosen].astype(np.float32)

    def in_chunks(network, store, class_index, length):
        for start in range(0, len(store), 5):
            rows = slice(start, start + 5)
            yield rows, maps[rows]

    monkeypatch.setattr(cam, "_iter_maps", in_chunks)
    found = cutout_shares(None, tiles, 0)
    np.testing.assert_allclose(found["activation"], found["area"] if share == "area" else share)


def test_tiles_without_cutouts_have_no_share(tiles):
    clean = TileSet(tiles.images, tiles.targets, tiles.groups)
    some = make_cutout_set(clean, "test", seed=0)
    for wrong, without in ((clean, 12), (some, 6)):
        message = f"tiles that all carry cutouts, got {without} of 12 without: make them by"
        with pytest.raises(ConfigError, match=message):
            cutout_shares(finder_of_black(), wrong, 0)


def test_chunks_change_nothing(tiles):
    network = create_network("test_efficientnet").eval()
    whole = activation_maps(network, tiles.images, 1)
    parts = activation_maps(network, tiles.images, 1, chunk=5)
    np.testing.assert_allclose(parts, whole, atol=1e-4)
    np.testing.assert_array_equal(activation_maps(network, tiles, 1), whole)
    assert whole.min() >= 0
    assert np.allclose(whole.max(axis=(1, 2))[whole.any(axis=(1, 2))], 1, atol=1e-2)


@pytest.mark.parametrize("size", [64, 224])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_layer_is_the_deepest_that_says_where(name, size):
    """Against the sides that the stages really have."""
    network, sides = create_network(name).eval(), {}

    def note(stage):
        return lambda module, args, output: sides.update({stage: output.shape[-1]})

    stages = [entry["module"] for entry in network.feature_info]
    for stage in stages:
        network.get_submodule(stage).register_forward_hook(note(stage))
    with torch.no_grad():
        network(torch.zeros(1, 3, size, size))
    assert list(sides) == stages
    deepest = [stage for stage in stages if sides[stage] >= COARSEST][-1]
    assert target_layer(network, size) is network.get_submodule(deepest)
    assert size != 224 or name != "efficientnet_b0" or deepest == stages[-1]


def test_tiles_too_small_for_a_map():
    with pytest.raises(ConfigError, match="7 x 7 cells at 8 px: use larger tiles"):
        target_layer(create_network("test_efficientnet"), 8)


class TestNoTrace:
    """Whatever the caller's state, the maps are the same; whatever is done, the state stays."""

    @pytest.fixture
    def network(self):
        return create_network("test_efficientnet", seed=1).eval()

    @pytest.fixture
    def expected(self, network, tiles):
        return activation_maps(network, tiles.images, 1)

    @pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
    def test_in_every_mode_of_autograd(self, network, tiles, expected, mode):
        with mode():
            found = activation_maps(network, tiles.images, 1)
        np.testing.assert_array_equal(found, expected)
        assert expected.any()

    def test_of_a_network_made_in_inference_mode(self, tiles, expected):
        with torch.inference_mode():
            network = create_network("test_efficientnet", seed=1)
            found = activation_maps(network, tiles.images, 1)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(activation_maps(network, tiles.images, 1), expected)

    def test_of_frozen_weights(self, network, tiles, expected):
        network.requires_grad_(False)
        np.testing.assert_array_equal(activation_maps(network, tiles.images, 1), expected)
        assert not any(weight.requires_grad for weight in network.parameters())

    def test_the_callers_mode_holds_between_chunks(self, network, tiles):
        with torch.no_grad():
            for _ in cam._iter_maps(network, tiles, 1, 5):
                assert not torch.is_grad_enabled()

    def test_modes_and_gradients_are_left_alone(self, network, tiles):
        network.train()
        network.bn1.eval()
        network(torch.rand(2, 3, SIDE, SIDE)).sum().backward()
        first = next(network.parameters()).requires_grad_(False)
        modes = [part.training for part in network.modules()]
        state = {name: value.clone() for name, value in network.state_dict().items()}
        gradients = [weight.grad for weight in network.parameters()]
        values = [gradient.clone() for gradient in gradients]
        cutout_shares(network, tiles, 1)
        assert [part.training for part in network.modules()] == modes
        assert all(torch.equal(network.state_dict()[name], state[name]) for name in state)
        for weight, gradient, value in zip(network.parameters(), gradients, values, strict=True):
            assert weight.grad is gradient
            assert torch.equal(gradient, value)
        assert not first.requires_grad
        assert not any(part._forward_hooks for part in network.modules())


def test_a_class_or_a_chunk_that_cannot_be(tiles):
    with pytest.raises(ConfigError, match=r"class_index in \{0, 1\}, got 2"):
        activation_maps(finder_of_black(), tiles, 2)
    with pytest.raises(ConfigError, match="chunk of at least 1, a whole number, got 0"):
        activation_maps(finder_of_black(), tiles, 1, chunk=0)


def test_without_cancer_nothing_is_measured(tiles):
    benign = tiles.subset(tiles.targets == 0)
    with pytest.raises(DataError, match="cancerous tiles to measure maps of, got none of 6"):
        cam.measure(finder_of_black(), benign)


def test_a_broken_network_has_no_maps(tiles):
    """Maps of NaN would count as the share of the area: no evidence of anything."""
    network = create_network("test_efficientnet")
    with torch.no_grad():
        network.conv_stem.weight.fill_(float("nan"))
    with pytest.raises(DataError, match="expected finite maps of the network test_efficientnet"):
        cutout_shares(network, tiles, 1)
