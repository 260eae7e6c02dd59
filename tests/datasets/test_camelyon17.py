"""Camelyon17-WILDS's published form, in small files written here."""

import pickle

import cv2
import numpy as np
import pytest
from PIL import Image

from sdlib.datasets import camelyon17
from sdlib.datasets.camelyon17 import load_camelyon17
from sdlib.datasets.file_store import FileStore
from sdlib.datasets.image_stores import ImageStore
from sdlib.datasets.source import Request
from sdlib.datasets.sources import SOURCES
from sdlib.errors import ConfigError, DataError

COLUMNS = ",patient,node,x_coord,y_coord,tumor,slide,center,split"
# Patients as the publishers assign them to centres: twenty each, in order.
SLIDES = [("004", 4), ("010", 1), ("022", 4), ("040", 2), ("051", 0), ("067", 4), ("096", 0)]
PER_SLIDE = 6


def rows():
    """Patches of seven slides; every sixth of any centre is marked as validation."""
    found = []
    for slide, (patient, node) in enumerate(SLIDES):
        for i in range(PER_SLIDE):
            x, y, split = 3328 + 32 * i, 21792 - 32 * i, int(i == PER_SLIDE - 1)
            centre = int(patient) // 20
            index = len(found)
            found.append([index, patient, node, x, y, i % 2, slide, centre, split])
    return found


def patch(index):
    return np.random.default_rng(index).integers(0, 256, (96, 96, 3), dtype=np.uint8)


def path_of(row):
    _, patient, node, x, y, *_ = row
    name = f"patch_patient_{patient}_node_{node}_x_{x}_y_{y}.png"
    return f"patches/patient_{patient}_node_{node}/{name}"


def write_metadata(folder, lines=None, start="", end="\n"):
    table = [COLUMNS, *(",".join(map(str, row)) for row in lines or rows())]
    (folder / "metadata.csv").write_bytes((start + end.join(table) + end).encode())


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Few patches take the place of the published ones."""
    counts = {split: len(expected(split)) for split in camelyon17.PUBLISHED}
    monkeypatch.setattr(camelyon17, "PATCHES", counts)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "camelyon17"
    for row in rows():
        path = folder / path_of(row)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(patch(row[0])).save(path)
    write_metadata(folder)
    (folder / "RELEASE_v1.0.txt").touch()
    return folder


@pytest.fixture
def folder(published, tmp_path):
    """A copy that a test may change; the patches are links."""
    for path in published.rglob("*.png"):
        link = tmp_path / path.relative_to(published)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    write_metadata(tmp_path)
    return tmp_path


def expected(split):
    chosen = {
        "train": lambda centre, marked: centre in (0, 3, 4) and not marked,
        "id_validation": lambda centre, marked: centre in (0, 3, 4) and marked,
        "validation": lambda centre, marked: centre == 1,
        "test": lambda centre, marked: centre == 2,
    }[split]
    return [row for row in rows() if chosen(row[7], row[8])]


@pytest.mark.parametrize("split", camelyon17.PUBLISHED)
def test_every_patch_of_a_split(published, split):
    wanted = expected(split)
    tiles = load_camelyon17(split, published)
    np.testing.assert_array_equal(tiles.images, [patch(row[0]) for row in wanted])
    assert tiles.targets.tolist() == [row[5] for row in wanted]
    assert tiles.groups.tolist() == [row[1] for row in wanted]
    for name, place in (("node", 2), ("slide", 6), ("centre", 7)):
        assert tiles.factors[name].tolist() == [str(row[place]) for row in wanted]


def test_the_official_splits_share_no_patient_but_the_one_in_distribution_does(published):
    groups = {name: set(load_camelyon17(name, published).groups) for name in camelyon17.PUBLISHED}
    official = [groups[name] for name in ("train", "validation", "test")]
    assert sum(map(len, official)) == len(set.union(*official)) == len(SLIDES)
    assert groups["id_validation"] == groups["train"]


def test_the_folder_that_wilds_makes(published, tmp_path):
    (tmp_path / "camelyon17_v1.0").symlink_to(published)
    assert len(load_camelyon17("test", tmp_path)) == 2 * PER_SLIDE


def test_found_by_name_under_the_data_root(published, monkeypatch):
    monkeypatch.setenv("SDLIB_DATA", str(published.parent))
    assert len(load_camelyon17("validation")) == PER_SLIDE


def test_without_the_folder_the_way_to_the_data_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("SDLIB_DATA", raising=False)
    with pytest.raises(DataError, match=r"set SDLIB_DATA .*python -m sdlib fetch camelyon17"):
        load_camelyon17("train")
    with pytest.raises(DataError, match=r"metadata.csv in .*, found none.*sdlib fetch camelyon17"):
        load_camelyon17("train", tmp_path)


def test_unknown_split(published):
    with pytest.raises(ConfigError, match="train, id_validation, validation, test, got 'val'"):
        load_camelyon17("val", published)


@pytest.mark.parametrize(("start", "end"), [("\ufeff", "\r\n"), ("", "\r\n")])
def test_a_table_that_a_spreadsheet_has_saved(folder, start, end):
    """It adds a mark, changes the ends of lines, and takes numbers for what they are not."""
    lines = [[row[0], int(row[1]), *(f"{value}.0" for value in row[2:])] for row in rows()]
    write_metadata(folder, lines, start, end)
    tiles = load_camelyon17("train", folder)
    wanted = expected("train")
    np.testing.assert_array_equal(tiles.images, [patch(row[0]) for row in wanted])
    assert tiles.groups.tolist() == [row[1] for row in wanted]


# -- Reading when asked


def test_nothing_is_decoded_before_it_is_read(published, monkeypatch):
    decoded = []
    read = camelyon17.FileStore.batch

    def watch(store, chosen):
        decoded.append(len(chosen))
        return read(store, chosen)

    monkeypatch.setattr(camelyon17.FileStore, "batch", watch)
    tiles = load_camelyon17("train", published)
    part = tiles.subset(tiles.targets == 1)
    assert decoded == []
    wanted = [row for row in expected("train") if row[5]]
    np.testing.assert_array_equal(part.batch([2, 0]), [patch(wanted[i][0]) for i in (2, 0)])
    assert decoded == [2]


def test_other_sizes_are_averaged_over_area(published):
    tiles = load_camelyon17("test", published, size=48)
    wanted = [
        cv2.resize(patch(row[0]), (48, 48), interpolation=cv2.INTER_AREA)
        for row in expected("test")
    ]
    np.testing.assert_array_equal(tiles.images, wanted)


def test_a_store_travels_to_other_processes(published):
    store = load_camelyon17("test", published).store
    assert isinstance(store, ImageStore)
    again = pickle.loads(pickle.dumps(store))
    chosen = np.array([3, 3, 0])
    np.testing.assert_array_equal(again.batch(chosen), store.batch(chosen))
    assert store.batch(np.array([], int)).shape == (0, 96, 96, 3)


def test_names_of_any_alphabet(tmp_path):
    Image.new("RGB", (9, 9), "pink").save(tmp_path / "näyte.png")
    assert FileStore(tmp_path, ["näyte.png"], 9).batch(np.array([0])).shape == (1, 9, 9, 3)


def test_a_large_batch_is_whole_and_in_order(published):
    wanted = expected("train")
    rows_read = np.random.default_rng(0).integers(0, len(wanted), 600)
    found = load_camelyon17("train", published).batch(rows_read)
    np.testing.assert_array_equal(found, [patch(wanted[i][0]) for i in rows_read])


# -- What is not as published


def changed(row, column, value):
    lines = rows()
    lines[row - 2][COLUMNS.split(",").index(column)] = value
    return lines


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (changed(9, "tumor", "2"), "expected tumor to be 0 or 1, got 2 in row 9 of .*metadata.csv"),
        (changed(9, "tumor", "tumour"), "expected tumor to be 0 or 1, got tumour in row 9"),
        (changed(9, "split", "3"), "expected split to be 0 or 1, got 3 in row 9"),
        (changed(9, "center", "5"), "expected center to be one of 0, 1, 2, 3, 4, got 5 in row 9"),
        (changed(9, "x_coord", "12.5"), "expected x_coord to be a whole number, got 12.5 in row 9"),
        (changed(9, "node", "../1"), r"expected node to be a whole number, got ../1 in row 9"),
        (changed(9, "patient", "a"), "expected patient to be a whole number, got a in row 9"),
        (changed(9, "patient", ""), "expected a patient in row 9 of metadata.csv, got an empty"),
        (
            [*rows(), rows()[4]],
            r"each patch once, got patches/patient_004.*png in row 6 and again in row 44 of",
        ),
        (
            changed(9, "center", "2"),
            r"each patient in one centre, got patient 010 in centre 0 \(row 8\) and in centre 2 "
            r"\(row 9\)",
        ),
        (
            changed(2, "x_coord", "1"),
            r"expected 20 patches under .*, found 19: the first without a file is patches/patient_"
            r"004_node_4/patch_patient_004_node_4_x_1_y_21792.png \(row 2 of metadata.csv\)",
        ),
        ([row for row in rows() if row[7] == 2], "20 patches of the split train in .*, got 0"),
        (rows()[:-2], "expected 20 patches of the split train in .*metadata.csv, got 19"),
    ],
)
def test_a_table_that_is_not_the_published_one(folder, lines, message):
    write_metadata(folder, lines)
    with pytest.raises(DataError, match=message) as error:
        load_camelyon17("train", folder)
    assert "\n" not in str(error.value)


def test_the_published_number_of_patches(monkeypatch):
    monkeypatch.undo()
    assert sum(camelyon17.PATCHES.values()) == 455_954
    inside = camelyon17.PATCHES["train"] + camelyon17.PATCHES["id_validation"]
    assert camelyon17.PATCHES["id_validation"] / inside == pytest.approx(0.1, abs=0.001)


def test_a_table_without_a_column(folder):
    path = folder / "metadata.csv"
    path.write_text(path.read_text().replace("center", "hospital"))
    with pytest.raises(DataError, match=r"expected columns .*center, split.*: add center"):
        load_camelyon17("train", folder)


def test_patches_that_are_missing(folder):
    gone = [path_of(row) for row in expected("test")][3:5]
    for name in gone:
        (folder / name).unlink()
    assert len(load_camelyon17("train", folder)) == 20
    with pytest.raises(DataError, match=rf"12 patches .*, found 10: the .* is {gone[0]} \(row"):
        load_camelyon17("test", folder)


def test_a_folder_of_patches_that_is_missing(folder):
    (folder / "patches").rename(folder / "tiles")
    with pytest.raises(DataError, match=r"expected 12 patches under .*, found 0: the first"):
        load_camelyon17("test", folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda old: old[:-100], "cannot be decoded"),
        (lambda old: b"<html>", "is not an image that can be read"),
        (lambda old: b"", "is not an image that can be read"),
    ],
)
def test_a_damaged_patch_is_named_when_it_is_read(folder, content, message):
    path = folder / path_of(expected("test")[3])
    old = path.read_bytes()
    path.unlink()
    path.write_bytes(content(old))
    tiles = load_camelyon17("test", folder)
    assert len(tiles.batch([0, 1, 2, 4])) == 4
    with pytest.raises(DataError, match=rf"{path.name} .*{message}|{path.name} {message}"):
        tiles.batch([0, 3])


def test_a_patch_of_another_size_is_named_when_it_is_read(folder):
    path = folder / path_of(expected("test")[3])
    path.unlink()
    Image.new("RGB", (96, 95)).save(path)
    with pytest.raises(DataError, match=rf"expected 96 x 96 px in .*{path.name}, got 96 x 95"):
        load_camelyon17("test", folder).batch([3])


# -- As a source


def request(part, **where):
    return Request(part, size=96, count=100, seed=0, where=where)


@pytest.fixture
def source(published, monkeypatch):
    monkeypatch.setenv("SDLIB_DATA", str(published.parent))
    return SOURCES["camelyon17"]


def test_parts_are_the_official_splits(source):
    for part in ("train", "validation", "test"):
        assert len(source.tiles(request(part))) == len(expected(part))


def test_validation_in_distribution_is_a_restriction(source):
    tiles = source.tiles(request("validation", distribution="in"))
    assert len(tiles) == len(expected("id_validation"))
    assert set(tiles.factors["centre"]) == {"0", "3", "4"}
    assert len(source.tiles(request("train", distribution="in"))) == len(expected("train"))
    out = source.tiles(request("validation", distribution="out"))
    assert set(out.factors["centre"]) == {"1"}


def test_one_centre_is_a_restriction(source):
    tiles = source.tiles(request("train", centre="3"))
    assert set(tiles.groups) == {"067"}


@pytest.mark.parametrize(
    ("part", "where", "sentence"),
    [
        ("train", {"distribution": "out"}, "of the part 'train' 'out'; expected one of: in"),
        ("test", {"distribution": "in"}, "of the part 'test' 'in'; expected one of: out"),
        ("validation", {"distribution": "near"}, "'near'; expected one of: out, in"),
        ("train", {"centre": "2"}, "unknown centre of 'train' '2'; expected one of: 0, 3, 4"),
        ("test", {"hospital": "2"}, "knows no restriction 'hospital'; expected: centre, distrib"),
    ],
)
def test_restrictions_that_there_are_not(source, part, where, sentence):
    with pytest.raises(ConfigError, match=sentence):
        source.tiles(request(part, **where))
