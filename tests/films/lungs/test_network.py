"""The network that finds lungs: its shapes, what it does not depend on, and its weights."""

import numpy as np
import pytest
import torch

from sdlib.errors import DataError
from sdlib.films.lungs import LUNG_SIZE, LungUNet, load_lung_network, lung_weights_file
from sdlib.models import save_weights


@pytest.fixture
def network():
    torch.manual_seed(0)
    return LungUNet().eval()


@pytest.mark.parametrize("size", [16, 48, LUNG_SIZE])
def test_one_logit_a_pixel(network, size):
    assert network(torch.rand(3, 1, size, size)).shape == (3, 1, size, size)


def test_a_small_network(network):
    assert 100_000 < sum(weights.numel() for weights in network.parameters()) < 500_000


def test_brightness_and_contrast_do_not_matter(network):
    films = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(network(30 + 200 * films), network(films), atol=1e-3, rtol=1e-3)


def test_each_film_by_itself(network):
    films = torch.rand(4, 1, 32, 32) * torch.tensor([1.0, 9, 0.1, 255])[:, None, None, None]
    with torch.no_grad():
        alone = torch.cat([network(film[None]) for film in films])
        torch.testing.assert_close(network(films), alone, atol=1e-4, rtol=1e-4)


def test_a_film_of_one_grey_is_no_error(network):
    with torch.no_grad():
        assert torch.isfinite(network(torch.full((1, 1, 32, 32), 7.0))).all()


def test_every_level_reaches_the_output(network):
    network(torch.rand(1, 1, 32, 32)).sum().backward()
    assert all(np.isfinite(w.grad).all() and w.grad.abs().sum() > 0 for w in network.parameters())


def test_weights_are_read_back(network, tmp_path, monkeypatch):
    monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path))
    save_weights(network, lung_weights_file())
    films = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(load_lung_network()(films), network(films))


def test_without_weights_the_command_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path))
    with pytest.raises(DataError, match=r"found none: train it by 'python -m sdlib\.training\.lu"):
        load_lung_network()
    lung_weights_file().parent.mkdir()
    lung_weights_file().write_bytes(b"no weights")
    with pytest.raises(DataError, match="not a whole safetensors file"):
        load_lung_network()
