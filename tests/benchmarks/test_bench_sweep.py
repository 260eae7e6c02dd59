"""The whole sweep against the networks' own forward passes over tiles that are already shifted."""

import numpy as np
import pytest

from sdlib.models import create_network
from sdlib.phantoms import draw_tiles, render
from sdlib.shifts import LEVELS, iter_levels
from sdlib.training.prediction import predict_logits, sweep

AT_MOST = 1.1
ROUNDS = {"laptop": 15, "paper": 5}  # short ones are the more at the mercy of other jobs
# Profile, network, px, networks and tiles that are asked here: fewer than a profile has, which
# leaves shifting a larger share.
SCALES = [("laptop", "test_resnet", 64, 4, 8), ("paper", "efficientnet_b0", 224, 1, 3)]


@pytest.mark.parametrize(("profile", "name", "size", "count", "tiles"), SCALES)
def test_shifting_costs_little_beside_the_networks(
    profile, name, size, count, tiles, alternate, line
):
    images = np.stack([render(tile, size) for tile in draw_tiles(tiles, seed=0)])
    networks = [create_network(name, seed=seed) for seed in range(count)]
    shifted = [level_images for _, level_images in iter_levels(images, LEVELS)]

    def whole():
        return [logits.shape for _, _, logits in sweep(networks, images, LEVELS)]

    def forward():
        return [predict_logits(network, each).shape for each in shifted for network in networks]

    seconds = alternate({"sweep": whole, "forward": forward}, rounds=ROUNDS[profile])
    ratio = seconds["sweep"] / seconds["forward"]
    answers = tiles * len(LEVELS) * count
    what = f"sweep, {profile}: {count} x {name}, {size} px"
    rates = [f"{answers / each:.0f} answers/s" for each in seconds.values()]
    against, wanted = f"forward passes alone, {rates[1]}", f"at most {AT_MOST} of their time"
    line((what, rates[0], against, f"{ratio:.3f}", wanted))
    assert ratio <= AT_MOST
