"""UniformAugment against albumentations' own pipeline of the same fifteen operations."""

import os

import cv2
import numpy as np
import pytest

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else the import asks the network
import albumentations as A

from sdlib.augment import UniformAugment
from sdlib.phantoms import draw_tiles, render

TILES, ROUNDS = 192, 9
IMAGES_A_SECOND = 4000  # at 64 px
APPLIED = 0.5  # of the operations drawn, on average


def pipeline():
    """Two of fifteen with replacement, each applied in half of all cases, nearest pixel, black."""
    degrees = np.rad2deg(np.arctan(0.3))
    none, factor, p = (1.0, 1.0), (0.1, 1.9), APPLIED

    def affine(**what):
        return A.Affine(**what, interpolation=cv2.INTER_NEAREST, p=p)

    def jitter(**what):
        others = dict.fromkeys(("brightness", "contrast", "saturation"), none)
        return A.ColorJitter(**{**others, **what}, hue=(0, 0), p=p)

    side = (0.005, 0.2)  # of 0 it makes no hole
    operations = [
        affine(shear={"x": (-degrees, degrees), "y": 0}),
        affine(shear={"x": 0, "y": (-degrees, degrees)}),
        affine(translate_percent={"x": (-0.45, 0.45), "y": 0}),
        affine(translate_percent={"x": 0, "y": (-0.45, 0.45)}),
        affine(rotate=(-30, 30)),
        A.AutoContrast(method="pil", p=p),
        A.InvertImg(p=p),
        A.Equalize(mode="pil", p=p),
        A.Solarize(threshold_range=(0, 1), p=p),
        A.Posterize(num_bits=(4, 7), p=p),
        jitter(contrast=factor),
        jitter(saturation=factor),
        jitter(brightness=factor),
        A.Sharpen(alpha=(0, 0.9), lightness=none, p=p),
        A.CoarseDropout((1, 1), side, side, fill=(125, 123, 114), p=p),
    ]
    return A.Compose([A.SomeOf(operations, n=2, replace=True)], seed=0)


@pytest.mark.parametrize("size", [64, 224])
def test_uniform_augment_is_not_slower(size, alternate, line):
    images = np.stack([render(tile, size) for tile in draw_tiles(TILES, seed=0)])
    augment, peer, rng = UniformAugment(), pipeline(), np.random.default_rng(0)

    def uniform():
        return augment(images, rng)

    def loop():
        return np.stack([peer(image=image)["image"] for image in images])

    theirs, ours = ((each != images).any(axis=(1, 2, 3)).mean() for each in (loop(), uniform()))
    assert abs(theirs - ours) < 0.15, "the two do not change alike many tiles"
    median = alternate({"ours": uniform, "peer": loop}, ROUNDS)
    rates = {name: TILES / seconds for name, seconds in median.items()}
    ratio = rates["ours"] / rates["peer"]
    measured, against = (
        f"{rates['ours']:.0f} tiles/s",
        f"albumentations {A.__version__}, {rates['peer']:.0f} tiles/s",
    )
    line((f"UniformAugment, {size} px", measured, against, f"{ratio:.2f}", "at least 1"))
    assert ratio >= 1
    assert size > 64 or rates["ours"] >= IMAGES_A_SECOND
