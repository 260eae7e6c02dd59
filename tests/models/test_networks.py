"""Networks: one logit, seeded, channels last; what cannot be is refused."""

import pytest
import torch

from sdlib.errors import ConfigError, SdlibError
from sdlib.lab.sources import lab_tiles
from sdlib.models import HEADS, NETWORKS, create_network, load_weights, save_weights
from sdlib.theory.heads import margin_cap
from sdlib.training.prediction import normalise

SMALL = [name for name in NETWORKS if name.startswith("test_")]


def weights(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("name", NETWORKS)
def test_one_logit_in_channels_last(name):
    network = create_network(name, dropout=0.2).eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 1)
    kernels = [value for value in network.parameters() if value.ndim == 4]
    assert all(value.is_contiguous(memory_format=torch.channels_last) for value in kernels)
    assert any(value.shape[2] > 1 and value.shape[1] > 1 for value in kernels)  # it could differ


@pytest.mark.parametrize("name", SMALL)
def test_the_seed_decides_and_nothing_else_is_seeded(name):
    state = torch.random.get_rng_state()
    first, again, other = (weights(create_network(name, seed=seed)) for seed in (5, 5, 6))
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.rand(3)
    assert same(first, weights(create_network(name, seed=5)))
    assert same(first, again)
    assert not same(first, other)


def test_dropout_and_drop_path_reach_the_network():
    network = create_network("efficientnet_b0", dropout=0.2, drop_path=0.2)
    # timm raises the rate linearly with depth: 15 of 16 blocks may be skipped, the last with
    # 15/16 of .2.
    rates = [module.drop_prob for module in network.modules() if hasattr(module, "drop_prob")]
    assert network.drop_rate == 0.2
    assert max(rates) == pytest.approx(0.2 * 15 / 16)
    plain = create_network("efficientnet_b0")
    assert plain.drop_rate == 0
    assert not any(getattr(module, "drop_prob", 0) for module in plain.modules())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_small_head_has_weights_up_to_one_over_the_root_of_its_features(name):
    begun = {head: create_network(name, head=head) for head in HEADS}
    layers = {head: network.get_classifier() for head, network in begun.items()}
    bound = layers["small"].in_features ** -0.5
    assert 0.9 * bound < layers["small"].weight.abs().max() <= bound
    others = {
        head: [value for key, value in network.named_parameters() if "classifier" not in key]
        for head, network in begun.items()
    }
    if not name.startswith(("densenet", "test_resnet")):
        assert layers["timm"].weight.abs().max() > 0.9
        assert all(map(torch.equal, others["timm"], others["small"]))


def test_first_logits_of_an_efficientnet_lie_beyond_the_cap_unless_its_head_is_small():
    tiles = lab_tiles(64, each=8).images
    farthest = {}
    for head in HEADS:
        network = create_network("test_efficientnet", head=head)  # in training mode
        with torch.no_grad():
            farthest[head] = network(normalise(torch.from_numpy(tiles))).abs().max().item()
    assert farthest["small"] < 1
    assert farthest["timm"] > margin_cap(0.01)


def test_unknown_head():
    with pytest.raises(ConfigError, match="'big'; expected one of: timm, small"):
        create_network(SMALL[0], head="big")


def test_unknown_network():
    with pytest.raises(ConfigError, match=r"unknown network 'resnet50'; expected .*densenet121"):
        create_network("resnet50")


@pytest.mark.parametrize("seed", [99999999999999999999, -(2**63) - 1, 1.5, "1", True])
def test_a_seed_that_cannot_be(seed):
    with pytest.raises(ConfigError, match=r"expected seed from -\d+ to \d+, a whole number, got"):
        create_network("test_resnet", seed=seed)


@pytest.mark.parametrize("seed", [-1, 2**64 - 1])
def test_the_seeds_of_pytorch(seed):
    assert same(*(weights(create_network("test_resnet", seed=seed)) for _ in range(2)))


@pytest.mark.parametrize("name", ["dropout", "drop_path"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_share_that_cannot_be(name, value):
    with pytest.raises(ConfigError, match=f"expected {name} from 0 to 1, got {value}"):
        create_network("test_efficientnet", **{name: value})


def test_densenet_has_no_path_to_drop():
    with pytest.raises(ConfigError, match=r"densenet121 has no residual path.*drop_path to 0"):
        create_network("densenet121", drop_path=0.2)


@pytest.mark.parametrize("name", ["densenet121", "efficientnet_b0"])
def test_pretrained_without_a_network_connection(name, tmp_path, monkeypatch):
    """As HF_HUB_OFFLINE=1 and an empty cache have it; nothing is fetched."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    state = torch.random.get_rng_state()
    with pytest.raises(SdlibError, match=rf"ImageNet weights of {name}: .*HF_HOME") as info:
        create_network(name, pretrained=True)
    assert "\n" not in str(info.value)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("name", SMALL)
def test_networks_that_have_no_imagenet_weights(name):
    with pytest.raises(ConfigError, match=f"no ImageNet weights for '{name}': expected one of "):
        create_network(name, pretrained=True)


def test_a_rescaled_network_comes_back_from_disk(tmp_path):
    """The constants of its rescaling are in the code, not in the file."""
    network = create_network("efficientnet_lite0", seed=1).eval()
    save_weights(network, tmp_path / "network.safetensors")
    other = create_network("efficientnet_lite0", seed=2).eval()
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network(images)
        assert not torch.equal(other(images), expected)
        found = load_weights(other, tmp_path / "network.safetensors")(images)
    assert torch.equal(found, expected)
    assert not [name for name in network.state_dict() if "rescale" in name]
