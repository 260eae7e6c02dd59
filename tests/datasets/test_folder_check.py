"""`python -m sdlib check`: what it counts, what it warns of, and its exit status."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from sdlib.__main__ import app


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(12):
        image = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / f"tile{i}.jpg", quality=90)
    return tmp_path


def check(folder, groups=None, splits=None):
    groups = groups or [f"p{i // 2}" for i in range(12)]
    rows = [f"tile{i}.jpg,{i % 2},{group}" for i, group in enumerate(groups)]
    header = "file,label,group"
    if splits:
        header += ",split"
        rows = [f"{row},{split}" for row, split in zip(rows, splits, strict=True)]
    (folder / "manifest.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
    done = CliRunner().invoke(app, ["check", str(folder)])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.stdout, done.stderr


def damage(path):
    content = bytearray(path.read_bytes())
    del content[-400:-2]
    path.write_bytes(content)
    Image.open(path).load()  # Pillow does not complain


def test_a_good_folder(folder):
    assert check(folder) == (0, "12 images, 6 of cancer, in 6 groups: ready to use\n", "")


def test_images_per_split_and_class(folder):
    splits = ["train"] * 6 + ["validation"] * 2 + ["test"] * 4
    status, out, error = check(folder, splits=splits)
    assert (status, error) == (0, "")
    assert out.splitlines() == [
        "train: 6 images, 3 of cancer, in 3 groups",
        "validation: 2 images, 1 of cancer, in 1 groups",
        "test: 4 images, 2 of cancer, in 2 groups",
        "12 images, 6 of cancer, in 6 groups: ready to use",
    ]


def test_spellings_are_one_group_and_capitals_are_a_warning(folder):
    groups = ["17", "17.0", "Åsa", "A\u030asa", "Anna", "anna", *["p1"] * 6]
    status, out, error = check(folder, groups)
    assert (status, out) == (0, "12 images, 6 of cancer, in 5 groups: ready to use\n")
    assert error.startswith("warning: the groups Anna and anna differ only in capitals or zeros: ")
    assert error.count("\n") == 1


def test_damaged_images_are_all_named_and_counted(folder):
    for i in (2, 5):
        damage(folder / f"tile{i}.jpg")
    status, out, error = check(folder)
    assert (status, out) == (2, "")
    lines = error.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("damaged: ")
    assert "tile2.jpg (row 4 of manifest.csv) is damaged inside" in lines[0]
    assert "tile5.jpg (row 7 of manifest.csv) is damaged inside" in lines[1]
    assert lines[2].startswith(f"error: 2 of 12 images in {folder} cannot be used: ")


def test_many_damaged_images_do_not_fill_the_screen(folder, monkeypatch):
    monkeypatch.setattr("sdlib.datasets.folder_check.MOST_SENTENCES", 2)
    for i in range(12):
        damage(folder / f"tile{i}.jpg")
    lines = check(folder)[2].splitlines()
    assert len(lines) == 4
    assert lines[2] == "and 10 more of this kind"
    assert lines[3].startswith("error: 12 of 12 images")


def test_a_broken_rule_is_one_sentence(folder):
    status, out, error = check(folder, splits=["train"] * 11 + ["tset"])
    assert (status, out) == (2, "")
    assert error.startswith("error: expected split in {train, validation, test}, got tset")
    assert error.count("\n") == 1
