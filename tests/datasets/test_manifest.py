"""A folder of the user's own: what opens, and how every mistake is explained."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from sdlib.datasets.images import fit_square, read_image
from sdlib.datasets.manifest import ManifestDataset
from sdlib.datasets.table import read_table
from sdlib.errors import DataError

ROWS = [f"tile{i}.png,{i % 2},p{i // 3}" for i in range(12)]


@pytest.fixture
def folder(tmp_path):
    """Twelve random tiles of four patients, and a function that writes their manifest."""
    folder = tmp_path / "mine"
    (folder / "sub").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(12):
        image = Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8))
        image.save(folder / f"tile{i}.png")
    (tmp_path / "outside.png").write_bytes((folder / "tile0.png").read_bytes())
    return folder


def write(folder, rows=ROWS, header="file,label,group", encoding="utf-8"):
    (folder / "manifest.csv").write_text("\n".join([header, *rows]) + "\n", encoding=encoding)
    return folder


def with_row(row, number=5):
    """The rows with another one as row ``number`` of the file, as an editor counts."""
    return [*ROWS[: number - 2], row, *ROWS[number - 1 :]]


def test_items_are_images_and_targets(folder):
    dataset = ManifestDataset(write(folder))
    assert len(dataset) == 12
    assert dataset.targets.dtype == np.int64
    assert dataset.targets.tolist() == [0, 1] * 6
    assert dataset.groups.tolist() == [f"p{i // 3}" for i in range(12)]
    for index, (image, target) in enumerate(dataset):
        np.testing.assert_array_equal(image, np.asarray(Image.open(folder / f"tile{index}.png")))
        assert image.dtype == np.uint8
        assert target == index % 2


def test_size_and_transform(folder):
    dataset = ManifestDataset(write(folder), size=10, transform=lambda image: image[0, 0].sum())
    expected = fit_square(read_image(folder / "tile3.png"), 10)[0, 0].sum()
    assert dataset[3] == (expected, 1)


def test_pytorch_loads_it(folder):
    dataset = ManifestDataset(write(folder), size=16)
    images, targets = next(iter(torch.utils.data.DataLoader(dataset, batch_size=5)))
    assert images.shape == (5, 16, 16, 3)
    assert images.dtype == torch.uint8
    assert targets.tolist() == [0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    ("separator", "encoding"), [(",", "utf-8-sig"), (";", "utf-8"), (";", "utf-8-sig")]
)
def test_spreadsheets_own_csv(folder, separator, encoding):
    rows = [row.replace(",", separator) for row in [*ROWS, ",,", ""]]
    header = "file,label,group".replace(",", separator)
    dataset = ManifestDataset(write(folder, rows, header, encoding))
    assert dataset.targets.tolist() == [0, 1] * 6


def test_extra_columns_quotes_and_number_styles(folder):
    header = "scanner,file,centre,label,group"
    rows = ['"Axio, Z.1",tile0.png,Å,0.0,007', "B,./tile1.png,Å,1.0,7", "B,tile2.png,,1,8"]
    dataset = ManifestDataset(write(folder, rows, header))
    assert dataset.targets.tolist() == [0, 1, 1]
    assert dataset.groups.tolist() == ["007", "7", "8"]
    factors = dataset.to_tiles(8, folder / "cache").factors
    assert factors["scanner"].tolist() == ["Axio, Z.1", "B", "B"]
    assert factors["centre"].tolist() == ["Å", "Å", ""]
    assert factors["file"].tolist() == ["tile0.png", "tile1.png", "tile2.png"]


SPELLINGS = {
    "a number": ("17", "17.0"),
    "a number of a spreadsheet": ("123456000000", "1.23456E+11"),
    "a normal form": ("Åsa", "A\u030asa"),
    "a no-break space": ("Anna M", "Anna\u00a0M"),
    "a zero-width space": ("Anna", "An\u200bna"),
    "a byte order mark": ("Anna", "\ufeffAnna"),
    "a doubled space": ("Anna M", "Anna  M"),
}


@pytest.mark.parametrize(("one", "other"), SPELLINGS.values(), ids=SPELLINGS.keys())
def test_a_patient_in_two_spellings_is_one_group(folder, one, other):
    names = [one, other, "p1", "p1", "p2", "p2", "p3", "p3", "p4", "p4", "p5", "p5"]
    rows = [f"tile{i}.png,{i % 2},{name}" for i, name in enumerate(names)]
    dataset = ManifestDataset(write(folder, rows))
    assert dataset.groups.tolist() == [one, one, *names[2:]]
    for seed in range(20):
        made = dataset.with_splits({"train": 0.5, "test": 0.5}, seed=seed)
        assert not set(made.split("train").groups) & set(made.split("test").groups)
        assert made.table["split"].iloc[0] == made.table["split"].iloc[1]
    splits = [f"{row},{'test' if i == 1 else 'train'}" for i, row in enumerate(rows)]
    with pytest.raises(
        DataError,
        match=rf"group {one} in train \(row 2\) and test \(row 3\).*are one name",
    ):
        ManifestDataset(write(folder, splits, HEADER))


def test_a_group_that_cannot_be_seen_is_empty(folder):
    with pytest.raises(DataError, match=r"expected a group in row 5 of manifest.csv, got an empty"):
        ManifestDataset(write(folder, with_row("tile3.png,1,\u200b\u00a0")))


def test_labels_splits_and_headers_are_read_as_they_are_seen(folder):
    rows = [
        f"{row}\u200b,\u00a0{split}\u200b" for row, split in zip(ROWS, GOOD_SPLITS, strict=True)
    ]
    rows = [row.replace(",1,", ",1\u200b,") for row in rows]
    dataset = ManifestDataset(write(folder, rows, "file,label\u200b,group,\u2060split"))
    assert dataset.targets.tolist() == [0, 1] * 6
    assert len(dataset.split("test")) == 3


def test_links_may_lead_out_but_no_image_is_there_twice(folder):
    (folder / "tile5.png").unlink()
    (folder / "tile5.png").symlink_to(folder.parent / "outside.png")
    assert len(ManifestDataset(write(folder))) == 12
    (folder / "tile7.png").unlink()
    (folder / "tile7.png").symlink_to(folder.parent / "outside.png")
    with pytest.raises(DataError, match=r"tile5.png in row 7 and the same file by the name tile7"):
        ManifestDataset(write(folder))


def test_a_tab_separated_manifest_is_read(folder):
    rows = [row.replace(",", "\t") for row in ROWS]
    assert len(ManifestDataset(write(folder, rows, "file\tlabel\tgroup"))) == 12


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;", "sep=;;;"])
def test_a_line_that_names_the_separator_is_no_header(folder, line):
    rows = ["file;label;group", *(row.replace(",", ";") for row in ROWS)]
    assert len(ManifestDataset(write(folder, rows, line))) == 12
    rows[4] = "tile3.png;2;p1"
    with pytest.raises(DataError, match=r"got 2 in row 6 of manifest.csv"):
        ManifestDataset(write(folder, rows, line))


def test_a_comma_in_a_quoted_header_separates_nothing(folder):
    rows = [f"old;{row.replace(',', ';')}" for row in ROWS]
    dataset = ManifestDataset(write(folder, rows, '"scanner, make";file;label;group'))
    assert dataset.table.columns.tolist() == ["scanner, make", "file", "label", "group"]


@pytest.mark.parametrize(
    ("separator", "name"), [("\t", "tabs"), (";", "semicolons"), (",", "commas"), ("|", "vertical")]
)
def test_the_separator_that_was_found_is_named(folder, separator, name):
    header = separator.join(["file", "label", "patient"])
    rows = [row.replace(",", separator) for row in ROWS]
    with pytest.raises(DataError, match=rf"patient \(separated by {name}.*\): add group"):
        ManifestDataset(write(folder, rows, header))
    rows[3] += f"{separator}x"
    header = separator.join(["file", "label", "group"])
    with pytest.raises(DataError, match=f"3 fields in row 5 of .*the separator, {name}.*, in quo"):
        ManifestDataset(write(folder, rows, header))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_encodings_with_a_byte_order_mark_are_read(folder, encoding):
    rows = [row.replace("p0", "Åsa") for row in ROWS]
    dataset = ManifestDataset(write(folder, rows, encoding=encoding))
    assert dataset.groups[0] == "Åsa"


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-16-le", r"UTF-16 \(little-endian\)"),
        ("utf-16-be", r"UTF-16 \(big-endian\)"),
        ("utf-32-le", r"UTF-32 \(little-endian\)"),
        ("utf-32-be", r"UTF-32 \(big-endian\)"),
    ],
)
def test_encodings_without_a_byte_order_mark_are_named(folder, encoding, name):
    with pytest.raises(DataError, match=rf"is {name} text without a byte-order mark: save it as"):
        ManifestDataset(write(folder, encoding=encoding))


def test_a_workbook_is_named(folder):
    (folder / "manifest.csv").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(DataError, match="is a workbook or another packed file, not CSV: save it"):
        ManifestDataset(folder)


BAD_ROWS = {
    "label percent": ("tile3.png,50%,p1", "got 50% in row 5"),
    "name too long": (
        f"{'x' * 300}.png,1,p1",
        r"\(row 5 of manifest.csv\) cannot be read: its name is longer than the file system",
    ),
    "zero byte": ("a\0b.png,1,p1", "in row 5 of manifest.csv"),
    "label": ("tile3.png,2,p1", r"expected label in \{0, 1\}, got 2 in row 5 of manifest.csv: w"),
    "label text": ("tile3.png,cancer,p1", "got cancer in row 5"),
    "label fraction": ("tile3.png,0.5,p1", "got 0.5 in row 5"),
    "no label": ("tile3.png,,p1", "expected a label in row 5 of manifest.csv, got an empty field"),
    "no group": ("tile3.png,1,  ", "expected a group in row 5"),
    "no file": (",1,p1", "expected a file in row 5"),
    "twice": ("tile1.png,1,p1", "got tile1.png in row 3 and again in row 5 of manifest.csv"),
    "twice in disguise": ("sub/../tile1.png,1,p1", "in row 3 and again in row 5"),
    "absent": ("gone.png,1,p1", r"image at .*gone.png, found none \(row 5 of manifest.csv\)"),
    "a folder": ("sub,1,p1", r"found none \(row 5"),
    "outside": ("../outside.png,1,p1", r"got \.\./outside.png in row 5 of manifest.csv"),
    "outside in disguise": ("sub/../../outside.png,1,p1", "inside the manifest's folder, got sub"),
    "outside, Windows": (r"..\outside.png,1,p1", r"got \.\.\\outside.png in row 5"),
    "absolute": ("/etc/hostname,1,p1", "got /etc/hostname in row 5"),
    "drive": ("C:/tile3.png,1,p1", "got C:/tile3.png in row 5"),
    "too few fields": ("tile3.png,1", "expected 3 fields in row 5 of manifest.csv, got 2"),
    "too many fields": ("tile3.png,1,p1,x", "expected 3 fields in row 5 of manifest.csv, got 4"),
    "unclosed quote": ('"tile3.png,1,p1', "row 13 of .*manifest.csv is not CSV"),
}


@pytest.mark.parametrize(("row", "message"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_bad_rows_are_named(folder, row, message):
    with pytest.raises(DataError, match=message):
        ManifestDataset(write(folder, with_row(row)))


def test_row_numbers_count_blank_lines(folder):
    rows = [*ROWS[:3], "", "", "tile3.png,2,p1"]
    with pytest.raises(DataError, match="row 7"):
        ManifestDataset(write(folder, rows))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("file,label,patient", "expected columns file, label, group in .* add group"),
        ("name,target,patient", "add file, label, group"),
        ("tile0.png,0,p0", "add file, label, group"),
        ("file,label,label", "add group"),
        ("file,label,group,label", "each column once"),
    ],
)
def test_bad_headers_are_named(folder, header, message):
    with pytest.raises(DataError, match=message):
        ManifestDataset(write(folder, header=header))


@pytest.mark.parametrize("content", [b"", b"\n\n", b",,\n", "\ufeff".encode()])
def test_empty_manifest(folder, content):
    (folder / "manifest.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"manifest.csv is empty: add a header"):
        ManifestDataset(folder)


def test_unusable_manifests(folder):
    with pytest.raises(DataError, match=r"manifest at .*manifest.csv, found none"):
        ManifestDataset(folder)
    with pytest.raises(DataError, match="found none"):
        ManifestDataset(folder / "no such folder")
    with pytest.raises(DataError, match="has a header but no rows"):
        ManifestDataset(write(folder, []))
    with pytest.raises(DataError, match="is not UTF-8"):
        ManifestDataset(write(folder, ["tile0.png,0,Å"], encoding="latin-1"))
    (folder / "manifest.csv").unlink()
    (folder / "manifest.csv").mkdir()
    with pytest.raises(DataError, match="found a folder: rename or remove it"):
        ManifestDataset(folder)


@pytest.mark.parametrize("label", ["0", "1"])
def test_one_class_only(folder, label):
    rows = [f"tile{i}.png,{label},p{i}" for i in range(4)]
    with pytest.raises(DataError, match=f"both labels 0 and 1 in manifest.csv, got only {label}"):
        ManifestDataset(write(folder, rows))


def split_rows(splits):
    return [f"{row},{split}" for row, split in zip(ROWS, splits, strict=True)]


GOOD_SPLITS = ["train"] * 6 + ["validation"] * 3 + ["test"] * 3
HEADER = "file,label,group,split"


def test_splits_of_the_manifest(folder):
    dataset = ManifestDataset(write(folder, split_rows(GOOD_SPLITS), HEADER), size=12)
    parts = {name: dataset.split(name) for name in ("train", "validation", "test")}
    assert [len(part) for part in parts.values()] == [6, 3, 3]
    np.testing.assert_array_equal(parts["test"][1][0], dataset[10][0])
    assert parts["test"].targets.tolist() == [1, 0, 1]
    with pytest.raises(DataError, match="a split among test, train, validation, got valid"):
        dataset.split("valid")


def test_a_group_in_two_splits(folder):
    splits = ["train"] * 7 + ["test"] * 5
    with pytest.raises(
        DataError, match=r"group p2 in train \(row 8\) and test \(row 9\) of manifest.csv"
    ):
        ManifestDataset(write(folder, split_rows(splits), HEADER))


@pytest.mark.parametrize(("split", "got"), [("valid", "valid"), ("", "an empty field")])
def test_unknown_split(folder, split, got):
    splits = [*GOOD_SPLITS[:-1], split]
    with pytest.raises(DataError, match=f"train, validation, test.*, got {got} in row 13"):
        ManifestDataset(write(folder, split_rows(splits), HEADER))


def test_one_class_in_training(folder):
    rows = ["tile0.png,0,a,train", "tile2.png,0,b,train", "tile1.png,1,c,test"]
    with pytest.raises(DataError, match=r"in the train split of manifest.csv, got only 0"):
        ManifestDataset(write(folder, rows, HEADER))


def test_made_splits_keep_groups_whole(folder):
    rows = [f"tile{i}.png,{i % 2},p{i // 2}" for i in range(12)]
    dataset = ManifestDataset(write(folder, rows))
    with pytest.raises(DataError, match="no column split"):
        dataset.split("train")
    made = dataset.with_splits({"train": 0.5, "test": 0.5}, seed=1)
    train, test = made.split("train"), made.split("test")
    assert len(train) == len(test) == 6
    assert not set(train.groups) & set(test.groups)
    assert "split" not in dataset.table
    again = dataset.with_splits({"train": 0.5, "test": 0.5}, seed=1)
    pd.testing.assert_frame_equal(again.table, made.table)


def test_tiles_equal_the_items(folder, tmp_path):
    dataset = ManifestDataset(write(folder), size=16)
    tiles = dataset.to_tiles(16, tmp_path / "cache")
    np.testing.assert_array_equal(tiles.images, np.stack([image for image, _ in dataset]))
    np.testing.assert_array_equal(tiles.targets, dataset.targets)
    np.testing.assert_array_equal(tiles.groups, dataset.groups)
    assert not tiles.images.flags.writeable


def test_cache_is_used_and_follows_the_images(folder, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    dataset = ManifestDataset(write(folder))
    first = dataset.to_tiles(16, cache).images.copy()
    with monkeypatch.context() as patch:
        patch.setattr("sdlib.datasets.store.read_image", None)  # decoding again would fail
        np.testing.assert_array_equal(dataset.to_tiles(16, cache).images, first)
    Image.new("RGB", (20, 24), "red").save(folder / "tile0.png")
    os.utime(folder / "tile0.png", ns=(0, 0))
    changed = dataset.to_tiles(16, cache).images
    assert (changed[0] == [255, 0, 0]).all()
    np.testing.assert_array_equal(changed[1:], first[1:])


def test_cache_lies_in_the_outputs(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path / "outputs"))
    ManifestDataset(write(folder)).to_tiles(8)
    assert len(list((tmp_path / "outputs" / "cache").glob("mine-8-*.npy"))) == 1


def test_a_broken_image_is_named_with_its_row_and_leaves_no_cache(folder, tmp_path):
    (folder / "tile7.png").write_bytes((folder / "tile7.png").read_bytes()[:200])
    dataset = ManifestDataset(write(folder))
    with pytest.raises(DataError, match=r"tile7.png \(row 9 of manifest.csv\) cannot be decoded"):
        dataset[7]
    with pytest.raises(DataError, match=r"tile7.png \(row 9 of manifest.csv\) cannot be decoded"):
        dataset.to_tiles(8, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_table_keeps_text_as_it_is(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n001,NA\n1e3,nan\n")
    assert read_table(tmp_path / "t.csv", ["a"]).to_dict("list") == {
        "a": ["001", "1e3"],
        "b": ["NA", "nan"],
    }


def test_public_names_load_when_used():
    """Worker processes that only make tiles must not wait for PyTorch."""
    script = (
        "import sys, sdlib.datasets as d; from sdlib.datasets.tiles import TileSet;"
        "assert 'torch' not in sys.modules, 'torch was imported';"
        "assert all(callable(getattr(d, name)) for name in d.__all__);"
        "assert d.TileSet is TileSet; assert not hasattr(d, 'nothing')"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
