"""Networks: one logit, seeded, channels last; weights come back; what cannot be is refused."""

import numpy as np
import pytest
import torch
from torch import nn

from sdlib.errors import ConfigError, DataError, SdlibError
from sdlib.models import NETWORKS, create_network, load_weights, save_weights
from sdlib.training.prediction import predict_logits

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


def test_pretrained_without_a_network_connection(tmp_path, monkeypatch):
    """As HF_HUB_OFFLINE=1 and an empty cache have it; nothing is fetched."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    state = torch.random.get_rng_state()
    with pytest.raises(SdlibError, match=r"ImageNet weights of efficientnet_b0: .*HF_HOME") as info:
        create_network("efficientnet_b0", pretrained=True)
    assert "\n" not in str(info.value)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_weights_come_back(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    network = create_network("test_efficientnet", seed=1)
    network(torch.rand(4, 3, 32, 32))  # moves the statistics of batch norm
    save_weights(network, tmp_path / "on the way" / "model.safetensors")
    found = load_weights(
        create_network("test_efficientnet", seed=2), tmp_path / "on the way" / "model.safetensors"
    )
    assert same(weights(network), weights(found))
    np.testing.assert_array_equal(predict_logits(network, images), predict_logits(found, images))
    kernels = [value for value in found.parameters() if value.ndim == 4]
    assert all(value.is_contiguous(memory_format=torch.channels_last) for value in kernels)
    assert [path.name for path in (tmp_path / "on the way").iterdir()] == ["model.safetensors"]


def test_absent_broken_and_foreign_weights(tmp_path):
    network = create_network("test_efficientnet")
    with pytest.raises(DataError, match=r"no weights at .*model.safetensors: run the training"):
        load_weights(network, tmp_path / "model.safetensors")
    save_weights(network, tmp_path / "model.safetensors")
    with pytest.raises(DataError, match="the weights of another network"):
        load_weights(create_network("test_resnet"), tmp_path / "model.safetensors")
    with pytest.raises(DataError, match="the weights of another network"):
        load_weights(nn.Linear(2, 1), tmp_path / "model.safetensors")
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:-100])
    with pytest.raises(DataError, match="not a whole safetensors file"):
        load_weights(network, tmp_path / "model.safetensors")
    with pytest.raises(DataError, match="cannot read the weights at "):
        load_weights(network, tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(tmp_path, value):
    """Their predictions would be NaN, which a sweep would keep."""
    network = create_network("test_efficientnet", seed=1)
    name, first = next(iter(network.named_parameters()))
    with torch.no_grad():
        first[1, 2, 0, 1] = value
    save_weights(network, tmp_path / "model.safetensors")
    whole = create_network("test_efficientnet", seed=2)
    before = weights(whole)
    message = rf"expected finite weights in .*model.safetensors, got NaN .* in {name}: .*train"
    with pytest.raises(DataError, match=message):
        load_weights(whole, tmp_path / "model.safetensors")
    assert same(before, weights(whole))
