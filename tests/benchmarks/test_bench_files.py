"""Patches in single files against Pillow alone; unpacking against tarfile's own."""

import itertools
import tarfile

import numpy as np
from PIL import Image

from sdlib.datasets.file_store import FileStore
from sdlib.datasets.unpacking import unpack
from sdlib.phantoms import draw_tiles, render

TILES, ROUNDS = 256, 9


def write_patches(folder):
    """PNG files of 96 px, as Camelyon17-WILDS has them."""
    names = [f"patch_{i}.png" for i in range(TILES)]
    for name, tile in zip(names, draw_tiles(TILES, seed=0), strict=True):
        Image.fromarray(render(tile, 96)).save(folder / name)
    return names


def test_every_check_of_a_patch_costs_less_than_its_decoding(tmp_path, alternate, line):
    """Its checksums, its size and its sentence in errors, on top of what Pillow does."""
    names = write_patches(tmp_path)
    store, rows = FileStore(tmp_path, names, 96, 96), np.arange(TILES)

    def pillow():
        for name in names:
            np.asarray(Image.open(tmp_path / name).convert("RGB"))

    seconds = alternate({"store": lambda: store.batch(rows), "Pillow": pillow}, ROUNDS)
    ratio = seconds["Pillow"] / seconds["store"]
    rate = f"{TILES / seconds['store']:.0f} patches/s"
    line(("PNG patches, 96 px", rate, "Pillow, unchecked", f"{ratio:.2f}", "at least 0.5"))
    assert ratio >= 0.5


def test_safe_unpacking_costs_no_more_than_unpacking(tmp_path, alternate, line):
    archive, numbers = tmp_path / "set.tar.gz", itertools.count()
    (tmp_path / "patches").mkdir()
    write_patches(tmp_path / "patches")
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(tmp_path / "patches", "patches")

    def place():
        folder = tmp_path / f"{next(numbers)}"
        folder.mkdir()
        return folder

    def peer():
        with tarfile.open(archive) as packed:
            packed.extractall(place(), filter="data")

    seconds = alternate({"unpack": lambda: unpack(archive, place(), 1 << 30), "peer": peer}, ROUNDS)
    ratio = seconds["peer"] / seconds["unpack"]
    rate = f"{TILES / seconds['unpack']:.0f} files/s"
    line(("unpacking tar.gz", rate, "tarfile.extractall", f"{ratio:.2f}", "at least 0.8"))
    assert ratio >= 0.8
