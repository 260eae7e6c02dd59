"""Weights on disk: they come back; what cannot be is refused."""

import numpy as np
import pytest
import torch
from torch import nn

from sdlib.errors import DataError
from sdlib.models import create_network, load_weights, save_weights
from sdlib.training.prediction import predict_logits
from tests.models.test_networks import same, weights


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
