"""A folder as a source: its parts, its version, and what is too little to say anything."""

import hashlib
import os
import shutil
from hashlib import file_digest
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdlib.datasets.folder_names import folder_name
from sdlib.datasets.folder_source import (
    FEWEST_IMAGES,
    SHARES,
    check_drawn,
    folder_data,
    folder_source,
    with_parts,
)
from sdlib.datasets.source import Request, balanced
from sdlib.datasets.sources import check_source, source_of
from sdlib.errors import ConfigError, DataError
from tests.folders import lopsided, write_folder, write_manifest

PARTS = ("train", "validation", "test")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "mine"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path / "outputs"))


def tiles_of(folder, part, seed=0, **positive):
    source = source_of(folder_name(folder, **positive))
    return source.tiles(Request(part, 32, 1000, seed))


def split_of(rows, *parts):
    """The rows with a split that gives patients to parts by turns."""
    patients = list(dict.fromkeys(row["group"] for row in rows))
    where = {patient: parts[k // 2 % len(parts)] for k, patient in enumerate(patients)}
    return [{**row, "split": where[row["group"]]} for row in rows]


def test_patients_are_dealt_into_the_shares(folder):
    rows = write_folder(folder, patients=40, each=3)
    parts = {part: tiles_of(folder, part) for part in PARTS}
    assert sum(map(len, parts.values())) == len(rows)
    groups = [patient for tiles in parts.values() for patient in set(tiles.groups)]
    assert len(groups) == len(set(groups)) == 40
    for part, tiles in parts.items():
        assert len(tiles) == pytest.approx(len(rows) * SHARES[part], abs=6)
        assert tiles.targets.mean() == pytest.approx(0.5, abs=0.1)
    again, other = tiles_of(folder, "test"), tiles_of(folder, "test", seed=1)
    assert again.groups.tolist() == parts["test"].groups.tolist() != other.groups.tolist()


def test_the_images_are_those_of_the_rows(folder):
    rows = {row["file"]: row for row in write_folder(folder)}
    for part in PARTS:
        tiles = tiles_of(folder, part)
        for file, target, group in zip(
            tiles.factors["file"], tiles.targets, tiles.groups, strict=True
        ):
            assert (str(target), group) == (rows[file]["label"], rows[file]["group"])
        brightness = tiles.images.mean(axis=(1, 2, 3))
        assert brightness[tiles.targets == 0].min() > brightness[tiles.targets == 1].max()


def test_a_split_column_is_kept(folder):
    rows = split_of(write_folder(folder), *PARTS)
    write_manifest(folder, rows)
    for part in PARTS:
        wanted = {row["file"] for row in rows if row["split"] == part}
        assert set(tiles_of(folder, part).factors["file"]) == wanted


def test_validation_is_made_of_training_patients_where_there_is_none(folder):
    rows = split_of(write_folder(folder, patients=40), "train", "train", "test")
    write_manifest(folder, rows)
    parts = {part: set(tiles_of(folder, part).groups) for part in PARTS}
    test = {row["group"] for row in rows if row["split"] == "test"}
    train = {row["group"] for row in rows if row["split"] == "train"}
    assert parts["test"] == test
    assert parts["train"] | parts["validation"] == train
    assert len(parts["validation"]) == pytest.approx(0.2 * len(train), abs=2)
    assert not parts["train"] & parts["validation"]


def test_words_are_labels(folder):
    write_folder(folder, labels=("benign", "tumour"))
    tiles = tiles_of(folder, "test", positive=["tumour"])
    brightness = tiles.images.mean(axis=(1, 2, 3))
    assert brightness[tiles.targets == 0].min() > brightness[tiles.targets == 1].max()
    with pytest.raises(ConfigError, match="expected the positive label cancer among"):
        folder_source(folder_name(folder, ["cancer"]))
    with pytest.raises(DataError, match="expected label in"):
        folder_source(folder_name(folder))


class TestVersion:
    def version(self, folder):
        return folder_source(folder_name(folder)).version

    def test_it_changes_with_rows_and_files_alone(self, folder):
        rows = write_folder(folder)
        first = self.version(folder)
        assert self.version(folder) == first
        write_manifest(folder, [{**row, "centre": "north"} for row in rows])
        assert self.version(folder) == first  # a column that no run reads
        rows[0]["group"] = "another"
        write_manifest(folder, rows)
        second = self.version(folder)
        assert second != first
        write_manifest(folder, split_of(rows, *PARTS))
        assert self.version(folder) not in (first, second)

    def test_it_changes_with_other_pixels_of_the_same_size(self, folder):
        write_folder(folder, file="image {}.bmp")
        before = self.version(folder)
        image = folder / "image 7.bmp"
        size = image.stat().st_size
        Image.new("RGB", (32, 32), "blue").save(image)
        assert image.stat().st_size == size
        assert self.version(folder) != before

    def test_a_copied_folder_has_the_same(self, folder, tmp_path):
        write_folder(folder)
        copy = tmp_path / "copy"
        shutil.copytree(folder, copy)
        for file in copy.iterdir():
            os.utime(file, ns=(0, 0))
        assert self.version(copy) == self.version(folder)

    def test_files_are_read_once(self, folder, monkeypatch):
        rows = write_folder(folder)
        read = []

        def digest(stream, name):
            read.append(Path(stream.name).name)
            return file_digest(stream, name)

        monkeypatch.setattr(hashlib, "file_digest", digest)
        self.version(folder)
        assert sorted(read) == sorted(row["file"] for row in rows)
        write_manifest(folder, rows[:-1])  # the hashes come from the disk
        self.version(folder)
        assert len(read) == len(rows)
        os.utime(folder / rows[3]["file"], ns=(0, 0))
        self.version(folder)
        assert read[len(rows) :] == [rows[3]["file"]]

    @pytest.mark.parametrize("content", ["", "[]", '{"image 0.png": 3}', '{"image 0.png": [1, 2]}'])
    def test_a_damaged_cache_is_made_again(self, folder, tmp_path, content):
        rows = write_folder(folder)
        before = self.version(folder)
        [cache] = (tmp_path / "outputs" / "cache").glob("mine-contents-*.json")
        whole = cache.read_text(encoding="utf-8")
        cache.write_text(content, encoding="utf-8")
        write_manifest(folder, [{**row, "note": ""} for row in rows])
        assert self.version(folder) == before
        assert cache.read_text(encoding="utf-8") == whole

    def test_an_image_that_is_gone_or_closed_is_named(self, folder):
        rows = write_folder(folder)
        self.version(folder)
        image = folder / rows[3]["file"]
        image.unlink()
        with pytest.raises(
            DataError, match=r"image 3.png \(row 5 of manifest.csv\) cannot be read"
        ):
            self.version(folder)
        image.mkdir()
        with pytest.raises(
            DataError, match=r"image 3.png \(row 5 of manifest.csv\) cannot be read"
        ):
            self.version(folder)


class TestTooLittle:
    def fails(self, folder, *words):
        with pytest.raises(DataError) as error:
            with_parts(folder_data(folder_name(folder)), 0)
        assert str(error.value).count("\n") == 0
        for word in words:
            assert word in str(error.value)

    def test_patients(self, folder):
        write_folder(folder, patients=6, each=10)
        self.fails(folder, "at least 4 groups", "got negative in 3", "add patients")

    def test_images(self, folder):
        write_folder(folder, patients=16, each=1)
        self.fails(folder, f"at least {FEWEST_IMAGES} images of each class dealt to", "add images")

    def test_images_in_a_split(self, folder):
        rows = write_folder(folder, patients=20, each=2)
        rows = [{**row, "split": "train"} for row in rows]
        for row in rows[:4]:
            row["split"] = "validation"
        write_manifest(folder, rows)
        self.fails(folder, "put into validation", "got 2 of negative", "move patients")

    def test_test_patients_of_a_class(self, folder):
        rows = write_folder(folder, patients=20, each=6)
        split = {0: "test", 1: "test", 2: "validation", 3: "validation"}
        rows = [{**row, "split": split.get(int(row["group"].split()[1]), "train")} for row in rows]
        write_manifest(folder, rows)
        self.fails(folder, "from at least 2 groups", "got negative from 1")

    def test_test_patients_of_a_class_that_are_drawn(self, folder):
        """Of 61 positive test images, one is not of the first patient; 12 are drawn."""
        write_manifest(folder, lopsided(write_folder(folder, patients=8, each=60)))
        data = with_parts(folder_data(folder_name(folder)), 0)
        tiles = tiles_of(folder, "test")
        alone = []
        for seed in range(30):
            drawn = balanced(tiles, seed)
            groups = set(drawn.groups[drawn.targets == 1])
            if len(groups) == 2:
                check_drawn(data, seed, None)
                continue
            alone.append(seed)
            with pytest.raises(DataError, match=r"among the 24 that are drawn, .*positive from 1"):
                check_drawn(data, seed, None)
        assert 15 < len(alone) < 30
        with pytest.raises(DataError, match="among the 2 that are drawn"):
            check_drawn(data, 0, 3)

    def test_no_test_images(self, folder):
        rows = split_of(write_folder(folder), "train", "validation")
        write_manifest(folder, rows)
        self.fails(folder, "put into test", "got 0 of negative")


def test_no_manifest(folder):
    with pytest.raises(DataError, match="expected a manifest at"):
        source_of(folder_name(folder))


def test_a_folder_is_a_source_of_tiles_alone(folder):
    write_folder(folder)
    check_source(folder_name(folder))
    with pytest.raises(ConfigError, match="unknown source"):
        source_of(folder_name(folder), "films")
    with pytest.raises(ConfigError, match="no restriction 'centre'"):
        source_of(folder_name(folder)).tiles(Request("test", 32, 9, 0, {"centre": "a"}))
    assert source_of(folder_name(folder)).images == 60
    assert np.array_equal(sorted(SHARES), sorted(PARTS))
