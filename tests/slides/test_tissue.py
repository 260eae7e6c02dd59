"""Tissue of pictures whose tissue is known."""

import numpy as np
import pytest

from sdlib.errors import ConfigError
from sdlib.slides import Tissue, find_tissue, open_slide, otsu_threshold

GLASS, TISSUE = (244, 243, 246), (180, 110, 160)


def half_and_half(width, height):
    image = np.full((height, width, 3), GLASS, np.uint8)
    image[:, : width // 2] = TISSUE
    return image


def test_left_half_is_tissue(tmp_path, write_slide):
    path = write_slide(tmp_path / "half.tiff", half_and_half(1280, 640))
    with open_slide(path) as slide:
        tissue = find_tissue(slide)
    assert tissue.mask.shape == (20, 40)
    assert tissue.mask[:, :19].all()
    assert not tissue.mask[:, 21:].any()
    assert tissue.background(0, 0, 512) == 0
    assert tissue.background(704, 0, 512) == 1
    assert tissue.background(384, 64, 512) == pytest.approx(0.5, abs=0.04)
    # Half of this square is beyond the slide.
    assert tissue.background(0, 320 + 64, 512) == pytest.approx(0.5)


@pytest.mark.parametrize(("colour", "share"), [(GLASS, 1), (TISSUE, 0)])
def test_one_colour_is_not_parted(tmp_path, write_slide, colour, share):
    noise = np.random.default_rng(0).integers(-6, 7, (320, 320, 3))
    image = (np.array(colour) + noise).clip(0, 255).astype(np.uint8)
    path = write_slide(tmp_path / "one.tiff", image)
    with open_slide(path) as slide:
        assert find_tissue(slide).background(0, 0, 320) == share


def test_stated_threshold(tmp_path, write_slide):
    path = write_slide(tmp_path / "half.tiff", half_and_half(640, 320))
    with open_slide(path) as slide:
        assert find_tissue(slide, threshold=250).background(0, 0, 320) == 0
        assert find_tissue(slide, threshold=20).background(0, 0, 320) == 1
        assert find_tissue(slide, threshold=20).threshold == 20
        with pytest.raises(ConfigError, match="expected threshold from 0 to 255, got 256"):
            find_tissue(slide, threshold=256)


def test_otsu_needs_an_image():
    with pytest.raises(ConfigError, match="expected a uint8 image"):
        otsu_threshold(np.zeros((8, 8, 3)))


def test_background_by_brute_force():
    rng = np.random.default_rng(0)
    tissue = Tissue(rng.random((12, 17)) < 0.5, 32, 210)
    fine = np.kron(tissue.mask, np.ones((32, 32), bool))
    for _ in range(50):
        # Whole pixels of the mask: the share is exact.
        x, y, size = (rng.integers((-4, -4, 1), (17, 12, 9)) * 32).tolist()
        window = np.zeros((size, size), bool)
        inside = fine[max(y, 0) : max(y + size, 0), max(x, 0) : max(x + size, 0)]
        window[: inside.shape[0], : inside.shape[1]] = inside
        assert tissue.background(x, y, size) == pytest.approx(1 - window.mean())
