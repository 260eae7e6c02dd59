"""Folders with known content: a hundred phantom tiles of thirty patients, and what is put wrong."""

import csv

import numpy as np
import pytest
from PIL import Image

from sdlib.datasets.phantom import generate

N, SIDE = 100, 96


@pytest.fixture(scope="session")
def tiles(tmp_path_factory):
    """A hundred tiles of phantom tissue, 50 of cancer, of 30 patients."""
    return generate(N, SIDE, seed=0, workers=1, cache=tmp_path_factory.mktemp("phantom"))


class Folder:
    """A folder of images and the rows of its manifest; ``write`` writes the manifest."""

    def __init__(self, path, tiles):
        self.path = path
        self.header = ["file", "label", "group", "scanner"]
        self.rows = []
        for i, image in enumerate(tiles.images):
            self.save(f"{i}.png", image)
            # Scanners alternate within patients and within classes.
            scanner = "AB"[i % 4 // 2]
            self.rows.append([f"{i}.png", str(tiles.targets[i]), str(tiles.groups[i]), scanner])

    def save(self, name, image, **options):
        (self.path / name).parent.mkdir(exist_ok=True)
        image = image if isinstance(image, Image.Image) else Image.fromarray(np.asarray(image))
        image.save(self.path / name, **options)

    def image(self, number):
        return np.asarray(Image.open(self.path / self.rows[number][0]).convert("RGB"))

    def column(self, name, values):
        """Add a column, or replace it."""
        if name not in self.header:
            self.header.append(name)
            for row in self.rows:
                row.append("")
        place = self.header.index(name)
        for row, value in zip(self.rows, values, strict=True):
            row[place] = str(value)
        return self

    def values(self, name):
        return [row[self.header.index(name)] for row in self.rows]

    def write(self):
        with (self.path / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([self.header, *self.rows])
        return self.path


@pytest.fixture
def folder(tmp_path, tiles):
    (tmp_path / "mine").mkdir()
    return Folder(tmp_path / "mine", tiles)


@pytest.fixture
def splits(folder):
    """The split of each row: by patient, 18, 6 and 6 of them."""
    patients = list(dict.fromkeys(folder.values("group")))
    names = ["train"] * 18 + ["validation"] * 6 + ["test"] * (len(patients) - 24)
    of = dict(zip(patients, names, strict=True))
    return [of[group] for group in folder.values("group")]
