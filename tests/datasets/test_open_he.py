"""The open H&E folders: in small copies of their form, and for real where they are at hand."""

import csv
import hashlib

import numpy as np
import pytest
from PIL import Image

from sdlib.datasets.open_he import load_lc25000_lung, load_open_pcam
from sdlib.datasets.store import cached_tiles, data_folder
from sdlib.errors import ConfigError, DataError

SPLITS = ("train", "validation", "test")


def at_hand(name):
    try:
        return data_folder(name)
    except DataError:
        return None


needs_open_pcam = pytest.mark.skipif(
    at_hand("open-pcam") is None, reason="SDLIB_DATA names no folder with open-pcam"
)
needs_open_he = pytest.mark.skipif(
    at_hand("open-he") is None, reason="SDLIB_DATA names no folder with open-he"
)


def write_manifest(folder, rows):
    with (folder / "manifest.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def save(folder, file, size, rng):
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (size, size, 3), dtype=np.uint8)).save(path)
    return {"file": file, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A data root with six tiles a split in open-pcam, found by SDLIB_DATA."""
    folder, rng = tmp_path / "data" / "open-pcam", np.random.default_rng(0)
    rows = [
        {
            **save(folder, f"{split}/{label}/{i}.jpg", 96, rng),
            "label": label,
            "split": split,
            "stain_cluster": "AB"[i : i + 1],
        }
        for split in SPLITS
        for label in ("benign", "tumour")
        for i in range(3)
    ]
    write_manifest(folder, rows)
    monkeypatch.setenv("SDLIB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "data"


@pytest.mark.parametrize("split", SPLITS)
def test_open_pcam_equals_pillow(root, split):
    tiles = load_open_pcam(split)
    assert tiles.targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert tiles.factors["stain_cluster"].tolist() == ["A", "B", ""] * 2
    assert len(set(tiles.groups)) == 6
    for file, image in zip(tiles.factors["file"], tiles.images, strict=True):
        assert file.startswith(f"{split}/")
        np.testing.assert_array_equal(image, np.asarray(Image.open(root / "open-pcam" / file)))


def test_open_pcam_at_other_sizes(root):
    half = load_open_pcam("test", size=48).images
    means = load_open_pcam("test").images.reshape(6, 48, 2, 48, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(half, means, atol=0.51)


def test_decoded_once(root, monkeypatch):
    first = load_open_pcam("train").images
    assert isinstance(first, np.memmap)
    monkeypatch.setattr("sdlib.datasets.store.read_image", None)  # decoding again would fail
    np.testing.assert_array_equal(load_open_pcam("train").images, first)


def test_root_and_cache_as_arguments(root, tmp_path, monkeypatch):
    monkeypatch.delenv("SDLIB_DATA")
    assert len(load_open_pcam("train", 32, root, tmp_path / "here")) == 6
    assert len(list((tmp_path / "here").glob("open-pcam-32-*.npy"))) == 1


def test_relative_root_from_another_folder(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDLIB_DATA", "data")
    assert len(load_open_pcam("train")) == 6


def test_without_the_folder_the_way_to_the_data_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("SDLIB_DATA", raising=False)
    with pytest.raises(DataError, match=r"set SDLIB_DATA .*python -m sdlib fetch pcam"):
        load_open_pcam("train")
    monkeypatch.setenv("SDLIB_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"check SDLIB_DATA.*python -m sdlib fetch pcam"):
        load_open_pcam("train")
    with pytest.raises(DataError, match="open-he"):
        load_lc25000_lung("train")


def test_unknown_split(root):
    with pytest.raises(ConfigError, match="train, validation, test, got 'valid'"):
        load_open_pcam("valid")


def test_changed_and_broken_images_are_named(root):
    path = root / "open-pcam" / "train" / "tumour" / "1.jpg"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"!")
    with pytest.raises(DataError, match=r"tumour/1.jpg is not the file its manifest describes"):
        load_open_pcam("train")
    path.unlink()
    with pytest.raises(DataError, match=r"tumour/1.jpg \(row 6 of manifest.csv\), found none"):
        load_open_pcam("train")
    assert len(load_open_pcam("test")) == 6


def test_unknown_label_is_named(root):
    manifest = root / "open-pcam" / "manifest.csv"
    lines = manifest.read_text().splitlines()
    lines[3] = lines[3].replace(",benign,", ",begnin,")
    manifest.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"benign, tumour\}, got begnin in row 4"):
        load_open_pcam("train")


def change(root, row, **fields):
    """Change fields of a row of open-pcam's manifest, counted as in an editor."""
    manifest = root / "open-pcam" / "manifest.csv"
    with manifest.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows[row - 2].update(fields)
    write_manifest(root / "open-pcam", rows)


@pytest.mark.parametrize("where", ["../outside.jpg", "{root}/outside.jpg", r"..\outside.jpg"])
def test_nothing_outside_the_folder_is_read(root, where):
    saved = save(root, "outside.jpg", 96, np.random.default_rng(0))
    change(root, 4, **saved | {"file": where.format(root=root)})
    # In whatever split the row is: the manifest is not to be trusted.
    for split in SPLITS:
        with pytest.raises(DataError, match=r"inside the manifest's folder, got .* in row 4 of"):
            load_open_pcam(split)


def test_a_link_out_of_the_folder_is_not_read(root):
    saved = save(root, "outside.jpg", 96, np.random.default_rng(0))
    (root / "open-pcam" / "train" / "link.jpg").symlink_to(root / "outside.jpg")
    change(root, 4, **saved | {"file": "train/link.jpg"})
    with pytest.raises(DataError, match=r"got a link out of it, train/link.jpg in row 4"):
        load_open_pcam("train")
    assert len(load_open_pcam("test")) == 6


def test_the_folder_itself_may_be_a_link(root, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "open-pcam").symlink_to(root / "open-pcam")
    monkeypatch.setenv("SDLIB_DATA", str(tmp_path / "elsewhere"))
    assert len(load_open_pcam("train")) == 6


def test_no_file_is_taken_twice(root):
    change(root, 10, file="./train/benign/0.jpg")
    with pytest.raises(DataError, match=r"got ./train/benign/0.jpg in row 2 and again in row 10"):
        load_open_pcam("train")
    folder = root / "open-pcam"
    (folder / "train" / "again.jpg").symlink_to(folder / "train" / "benign" / "0.jpg")
    content = (folder / "train" / "benign" / "0.jpg").read_bytes()
    change(root, 10, file="validation/benign/2.jpg")
    change(root, 4, file="train/again.jpg", sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(DataError, match=r"train/benign/0.jpg in row 2 and the same file by the na"):
        load_open_pcam("train")


@pytest.fixture
def lung(tmp_path):
    """Forty images in twenty groups, one of them a marked duplicate, and one of another source."""
    folder, rng = tmp_path / "open-he", np.random.default_rng(0)
    rows = [
        {
            **save(folder, f"lc25000_lung/{i}.png", 32, rng),
            "label": ("benign", "tumour")[i % 4 // 2],
            "group": f"g{i // 2}",
            "source": "lc25000_lung",
            "finding": "lung",
            "duplicate_of": "lc25000_lung/0.png" if i % 2 else "",
        }
        for i in range(40)
    ]
    other = save(folder, "monuseg/0.png", 32, rng)
    rows.append({**rows[0], **other, "label": "unlabelled", "source": "monuseg"})
    write_manifest(folder, rows)
    return tmp_path


@pytest.mark.parametrize("seed", range(3))
def test_lung_parts_are_disjoint_and_without_duplicates_in_the_test(lung, tmp_path, seed):
    parts = {s: load_lc25000_lung(s, 32, lung, tmp_path / "cache", seed=seed) for s in SPLITS}
    files = [file for part in parts.values() for file in part.factors["file"]]
    assert len(files) == len(set(files)) == 40 - len(parts["test"])
    groups = [set(part.groups) for part in parts.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 20
    odd = [int(file.split("/")[1][:-4]) % 2 for file in parts["test"].factors["file"]]
    assert sum(odd) == 0
    assert any(file.endswith(("1.png", "3.png")) for file in parts["train"].factors["file"])
    for part in parts.values():
        assert set(part.targets) == {0, 1}
        for file, image, target in zip(
            part.factors["file"], part.images, part.targets, strict=True
        ):
            np.testing.assert_array_equal(image, np.asarray(Image.open(lung / "open-he" / file)))
            assert target == int(file.split("/")[1][:-4]) % 4 // 2


def test_lung_groups_in_two_spellings_are_one(lung, tmp_path):
    manifest = lung / "open-he" / "manifest.csv"
    header, *rows = manifest.read_text().splitlines()
    rows = [row.replace(",g", ",") for row in rows]
    # Every second image of a group is written as a data frame would write its number.
    other_rows = rows.copy()
    for i in range(1, 40, 2):
        other_rows[i] = rows[i].replace(f",{i // 2},", f",{i // 2}.0,")
    plain, other = ("\n".join([header, *some]) for some in (rows, other_rows))
    found = []
    for text in (plain, other):
        manifest.write_text(text)
        parts = [load_lc25000_lung(s, 32, lung, tmp_path / "cache") for s in SPLITS]
        found.append([part.factors["file"].tolist() for part in parts])
        assert sum(len(set(part.groups)) for part in parts) == 20
    assert other != plain
    assert found[0] == found[1]


def test_lung_seed_decides(lung, tmp_path):
    first, again, other = (
        load_lc25000_lung("test", 32, lung, tmp_path / "cache", seed=s).factors["file"].tolist()
        for s in (0, 0, 1)
    )
    assert first == again != other


def test_a_damaged_cache_is_written_anew(tmp_path):
    tiles = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    for damage in (b"", b"no array", None):
        path = tmp_path / "tiles.npy"
        if damage is None:
            np.save(path, tiles[:1])  # another number of tiles than wanted
        else:
            path.write_bytes(damage)
        found = cached_tiles(path, tiles.shape, iter([tiles[:1], tiles[1:]]))
        np.testing.assert_array_equal(found, tiles)
        np.testing.assert_array_equal(np.load(path), tiles)


@needs_open_pcam
@pytest.mark.parametrize(
    ("split", "benign", "tumour"),
    [("train", 10_000, 9_171), ("validation", 1_500, 1_407), ("test", 744, 730)],
)
def test_real_open_pcam(split, benign, tumour):
    tiles = load_open_pcam(split, size=96)
    assert tiles.images.shape == (benign + tumour, 96, 96, 3)
    assert np.bincount(tiles.targets).tolist() == [benign, tumour]
    assert set(tiles.factors["stain_cluster"]) == {"A", "B", ""}
    for index in (0, len(tiles) // 2, len(tiles) - 1):
        file = tiles.factors["file"][index]
        expected = np.asarray(Image.open(data_folder("open-pcam") / file).convert("RGB"))
        np.testing.assert_array_equal(tiles.images[index], expected)
        assert tiles.targets[index] == ("/tumour/" in file)


@needs_open_he
def test_real_lc25000_lung():
    parts = [load_lc25000_lung(split, size=64) for split in SPLITS]
    assert sum(map(len, parts)) == 823
    assert sum((np.bincount(part.targets) for part in parts), np.zeros(2)).tolist() == [328, 495]
    assert len(set.union(*(set(p.groups) for p in parts))) == sum(len(set(p.groups)) for p in parts)
    for part in parts:
        assert abs(part.targets.mean() - 495 / 823) < 0.02
        assert ((part.targets == 0) == (part.factors["finding"] == "lung_n")).all()
