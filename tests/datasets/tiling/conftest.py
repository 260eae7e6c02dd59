"""Folders of tiny slides: half tissue, half glass, of 0.5 microns per pixel."""

import numpy as np
import pytest

from tests.slides.conftest import damage, picture, write_slide

__all__ = ["damage", "picture", "write_slide"]


@pytest.fixture(scope="session")
def half_tissue(picture):
    """`half_tissue(seed)`: uint8 (320, 480, 3), tissue on the left and glass on the right."""

    def make(seed):
        image = picture(480, 320, seed)
        image[:, 240:] = 250
        return image

    return make


@pytest.fixture
def slides(tmp_path, half_tissue, write_slide):
    """A folder of three slides, one of them in a folder within."""
    folder = tmp_path / "in"
    (folder / "more").mkdir(parents=True)
    for seed, name in enumerate(("a.tiff", "b.tif", "more/c.tiff")):
        write_slide(folder / name, half_tissue(seed))
    return folder


@pytest.fixture
def masks(tmp_path, slides, write_slide):
    """Masks of the three slides: 2 is cancer, above row 160; 1 is not; 9 is not judged."""
    folder = tmp_path / "masks"
    folder.mkdir()
    for name in ("a", "b_mask", "c_mask"):
        mask = np.full((320, 480, 3), 1, np.uint8)
        mask[:160] = 2
        mask[:, :70] = 9
        write_slide(folder / f"{name}.tiff", mask, compression="deflate")
    return folder
