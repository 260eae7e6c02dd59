"""The open chest radiographs: in a small copy of their form, and for real where at hand."""

import csv
import hashlib
from collections import Counter

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from sdlib.datasets.near_duplicates import near_duplicates
from sdlib.datasets.open_cxr import (
    COPIES,
    FRACTIONS,
    OUTSIDE,
    SITUATIONS,
    load_films,
    load_open_cxr,
    read_open_cxr,
)
from sdlib.datasets.store import data_folder
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError
from sdlib.films.lungs import (
    LUNG_SIZE,
    VISIBLE,
    LungUNet,
    load_lung_network,
    lung_mask_of,
    lung_weights_file,
    predict_lungs,
    show_part,
)
from sdlib.models import save_weights

PARTS = ("train", "validation", "test")
#: Source and label of each kind of film in the small copy.
KINDS = (
    ("cohen", "covid"),
    ("cohen", "other_pneumonia"),
    ("hannover", "covid"),
    ("nih", "normal"),
    ("nih", "other_pneumonia"),
    ("kermany_paediatric", "normal"),
    ("actualmed", "covid"),
    ("figure1", "normal"),
)
VIEWS = ("PA", "AP", "AP Supine", "")


def at_hand():
    try:
        return data_folder("open-cxr")
    except DataError:
        return None


needs_open_cxr = pytest.mark.skipif(
    at_hand() is None, reason="SDLIB_DATA names no folder with open-cxr"
)


def save(folder, file, shape, rng):
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(path)
    return {"file": file, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def write_manifest(folder, rows):
    with (folder / "manifest.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def rows_of(folder):
    with (folder / "manifest.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def change(root, row, **fields):
    """Change fields of a row of the manifest, counted as in an editor."""
    rows = rows_of(root / "open-cxr")
    rows[row - 2].update(fields)
    write_manifest(root / "open-cxr", rows)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A data root with 24 films of each kind in 12 groups; every 4th is marked as a duplicate."""
    folder, rng = tmp_path / "data" / "open-cxr", np.random.default_rng(0)
    rows = []
    for kind, (source, label) in enumerate(KINDS):
        for i in range(24):
            rows.append(
                {
                    **save(folder, f"{source}/{label}{i}.png", (20, 24), rng),
                    "label": label,
                    "group": f"g{kind}-{i // 2}",
                    "source": source,
                    "view": VIEWS[i % 4],
                    "finding": f"finding {i}",
                    "duplicate_of": f"{source}/{label}0.png" if i % 4 == 3 else "",
                }
            )
    write_manifest(folder, rows)
    monkeypatch.setenv("SDLIB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "data"


def load_all(size, seed=0):
    return [load_open_cxr(part, size=size, seed=seed) for part in PARTS]


def kinds_of(films):
    return set(zip(films.factors["source"], films.targets.tolist(), strict=True))


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        ("shared", {("cohen", 0), ("cohen", 1)}),
        ("added", {("cohen", 0), ("cohen", 1), ("hannover", 1), ("nih", 0)}),
        ("paediatric", {("cohen", 1), ("hannover", 1), ("kermany_paediatric", 0)}),
    ],
)
def test_situations(root, situation, expected):
    for part in PARTS:
        assert kinds_of(load_open_cxr(part, size=8, situation=situation)) == expected
    outside = load_open_cxr("test", size=8, situation=situation, place="outside")
    assert kinds_of(outside) == {("actualmed", 1), ("figure1", 0)}


def test_columns_are_the_manifest_rows(root):
    films = load_open_cxr("train", size=8)
    rows = {row["file"]: row for row in rows_of(root / "open-cxr")}
    for i, file in enumerate(films.factors["file"]):
        row = rows[file]
        assert films.targets[i] == (row["label"] == "covid")
        assert films.groups[i] == row["group"]
        for name in ("source", "finding", "label"):
            assert films.factors[name][i] == row[name]
        assert films.factors["view"][i] == row["view"].removesuffix(" Supine")


@pytest.mark.parametrize("seed", range(3))
def test_small_parts_share_no_group_and_test_no_copies(root, seed):
    parts = {part: load_open_cxr(part, size=8, seed=seed) for part in PARTS}
    groups = [set(films.groups) for films in parts.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 5 * 12
    for part, films in parts.items():
        copies = {int(name.split()[1]) % 4 == 3 for name in films.factors["finding"]}
        assert copies == ({True, False} if part == "train" else {False})
    again = load_open_cxr("test", size=8, seed=seed).factors["file"].tolist()
    assert again == parts["test"].factors["file"].tolist()


def test_the_deal_is_of_the_seed_and_not_of_the_situation(root):
    def tested(situation, seed):
        return set(load_open_cxr("test", size=8, situation=situation, seed=seed).factors["file"])

    assert tested("shared", 0) < tested("added", 0)
    assert tested("added", 0) != tested("added", 1)
    # So a network of one situation can be tested on the films of another.
    trained = set(load_open_cxr("train", size=8, situation="paediatric").factors["file"])
    assert not trained & tested("added", 0)


def test_a_group_of_two_collections_is_in_one_part(root):
    change(root, 2, group="joined")  # cohen
    change(root, 50, group="joined")  # hannover
    holding = [part for part in PARTS if "joined" in load_open_cxr(part, size=8).groups]
    assert len(holding) == 1


@pytest.mark.parametrize("seed", range(4))
def test_copies_that_the_manifest_does_not_mark(root, monkeypatch, seed):
    before = [set(films.factors["file"]) for films in load_all(8, seed)]
    copy, original = "cohen/covid4.png", "cohen/covid20.png"
    monkeypatch.setattr("sdlib.datasets.open_cxr.COPIES", {copy: original})
    after = load_all(8, seed)
    # Row by row the deal is as before, but for the patients who are joined.
    for files, films in zip(before, after, strict=True):
        changed = files ^ set(films.factors["file"])
        assert changed <= {f"cohen/covid{i}.png" for i in (4, 5, 20, 21)}
    holding = [films for films in after if "g0-10" in films.groups]
    assert len(holding) == 1
    where = dict(zip(holding[0].factors["file"], holding[0].groups, strict=True))
    assert where[original] == "g0-10"
    assert where.get(copy, "left out") == ("g0-10" if holding[0] is after[0] else "left out")


@pytest.mark.parametrize("shape", [(20, 24), (31, 20), (20, 20)])
def test_films_are_resized_then_cut(root, shape):
    folder = root / "open-cxr"
    change(root, 2, **save(folder, "cohen/covid0.png", shape, np.random.default_rng(1)))
    films = TileSet.joined(load_all(10))
    rows = np.flatnonzero(films.factors["file"] == "cohen/covid0.png")
    grey = np.asarray(Image.open(folder / "cohen/covid0.png"))
    height, width = (10 * side // min(shape) for side in shape)
    resized = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    top, left = (height - 10) // 2, (width - 10) // 2
    expected = resized[top : top + 10, left : left + 10]
    for channel in range(3):
        np.testing.assert_array_equal(films.batch(rows)[0, ..., channel], expected)


def test_decoded_once(root, monkeypatch):
    first = load_open_cxr("train", size=8).images
    monkeypatch.setattr("sdlib.datasets.store.read_image", None)  # decoding again would fail
    np.testing.assert_array_equal(load_open_cxr("train", size=8).images, first)


def test_unknown_names_are_told_with_those_known(root):
    with pytest.raises(ConfigError, match="part 'valid'; expected one of: train, validation, test"):
        load_open_cxr("valid", size=8)
    with pytest.raises(ConfigError, match="'both'; expected one of: shared, added, paediatric"):
        load_open_cxr("train", size=8, situation="both")
    with pytest.raises(ConfigError, match="place 'abroad'; expected one of: inside, outside"):
        load_open_cxr("train", size=8, place="abroad")
    with pytest.raises(ConfigError, match="no part 'train', only test"):
        load_open_cxr("train", size=8, place="outside")


def test_bad_manifests_are_told(root):
    manifest = root / "open-cxr" / "manifest.csv"
    original = manifest.read_text()
    change(root, 5, label="covid19")
    with pytest.raises(DataError, match=r"normal, .*covid\}, got covid19 in row 5 of"):
        load_open_cxr("test", size=8)
    manifest.write_text(original)
    change(root, 5, group="g6-0")
    with pytest.raises(DataError, match="no group both inside and outside, got g6-0"):
        load_open_cxr("test", size=8)
    manifest.write_text(original.replace(",hannover,", ",hanover,"))
    with pytest.raises(DataError, match=r"films of hannover .* situation added needs"):
        load_open_cxr("test", size=8)
    manifest.write_text(original.replace("duplicate_of", "copy_of"))
    with pytest.raises(DataError, match="has no column duplicate_of"):
        load_open_cxr("test", size=8)


def test_changed_and_outer_files_are_not_read(root):
    change(root, 3, file="../film.png")
    with pytest.raises(DataError, match=r"got \.\./film.png in row 3"):
        load_open_cxr("test", size=8)
    change(root, 3, file="cohen/covid1.png", sha256="0" * 64)
    with pytest.raises(DataError, match=r"covid1.png is not the file its manifest describes"):
        load_all(8)


def test_without_the_folder(tmp_path):
    with pytest.raises(DataError, match=r"expected the data set 'open-cxr'"):
        load_open_cxr("test", size=8, root=tmp_path)


@needs_open_cxr
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("situation", SITUATIONS)
def test_real_parts_share_no_patient(monkeypatch, situation, seed):
    only_columns(monkeypatch)
    manifest = {row["file"]: row for row in rows_of(data_folder("open-cxr"))}
    parts = {p: load_open_cxr(p, size=8, situation=situation, seed=seed) for p in PARTS}
    outside = load_open_cxr("test", size=8, place="outside")
    groups = [set(films.groups) for films in (*parts.values(), outside)]
    assert sum(map(len, groups)) == len(set.union(*groups))
    for films in (parts["validation"], parts["test"], outside):
        assert {manifest[file]["duplicate_of"] for file in films.factors["file"]} == {""}
    total = Counter()
    for films in parts.values():
        total.update(zip(films.factors["source"], films.targets.tolist(), strict=True))
    # Each part holds its share of each collection and target.
    for part, films in parts.items():
        found = Counter(zip(films.factors["source"], films.targets.tolist(), strict=True))
        for kind, count in total.items():
            assert abs(found[kind] / count - FRACTIONS[part]) < 0.02, kind


def only_columns(monkeypatch):
    """Leave films undecoded where only the columns are tested."""
    monkeypatch.setattr(
        "sdlib.datasets.open_cxr.cached_tiles", lambda path, shape, batches: np.zeros(shape, "u1")
    )


@needs_open_cxr
def test_real_films(tmp_path):
    films = load_open_cxr("test", size=96, place="outside", cache=tmp_path)
    assert films.images.shape == (83, 96, 96, 3)
    assert kinds_of(films) == {(source, target) for source in OUTSIDE for target in (0, 1)}
    assert set(films.factors["view"]) == {"PA", "AP", ""}
    assert films.images.std() > 40


@pytest.fixture
def weights(root):
    """Weights of a network that has not been trained, where the trained one's would be."""
    save_weights(untrained(0), lung_weights_file())
    return lung_weights_file()


def untrained(seed):
    """A network that takes about half of all pixels for lungs."""
    torch.manual_seed(seed)
    network = LungUNet().eval()
    with torch.no_grad():
        network.last.bias -= network(torch.rand(1, 1, LUNG_SIZE, LUNG_SIZE)).median()
    return network


@pytest.mark.parametrize("visible", VISIBLE)
def test_parts_of_films_are_hidden(root, weights, visible):
    films = load_open_cxr("test", size=24)
    hidden = load_open_cxr("test", size=24, visible=visible)
    small = load_open_cxr("test", size=LUNG_SIZE).images
    found = predict_lungs(load_lung_network(), small)
    for film, probability, image in zip(films.images, found, hidden.images, strict=True):
        # Films that are predicted one by one may differ by a level of rounding.
        lungs = lung_mask_of(probability, 24)
        differ = image != show_part(film, lungs, visible)
        assert differ.mean() < 0.05
    for name, column in films.factors.items():
        np.testing.assert_array_equal(hidden.factors[name], column)
    np.testing.assert_array_equal(hidden.targets, films.targets)
    assert (hidden.images != films.images).any()


def test_lungs_are_looked_for_once(root, weights, monkeypatch):
    first = [load_open_cxr("test", size=24, visible=visible).images for visible in VISIBLE]
    monkeypatch.setattr("sdlib.datasets.open_cxr.predict_lungs", None)  # again would fail
    for visible, images in zip(VISIBLE, first, strict=True):
        again = load_open_cxr("test", size=24, visible=visible).images
        np.testing.assert_array_equal(again, images)
    load_open_cxr("test", size=16, visible="lungs")  # another size needs no other prediction
    save_weights(untrained(1), weights)
    with pytest.raises(TypeError):
        load_open_cxr("test", size=24, visible="lungs")


def test_hiding_needs_a_trained_network(root):
    with pytest.raises(DataError, match=r"train it by 'python -m sdlib\.training\.lungs'"):
        load_open_cxr("test", size=24, visible="lungs")
    with pytest.raises(ConfigError, match="visible 'heart'; expected one of: lungs, surroundings"):
        load_open_cxr("test", size=24, visible="heart")
    assert not list((root.parent / "outputs").glob("**/*lungs*"))


@needs_open_cxr
def test_real_copies_are_of_one_patient(tmp_path):
    folder, table = read_open_cxr()
    films = load_films(folder, table, 64, tmp_path)
    pairs = near_duplicates(films)
    assert len(pairs) == 5
    assert (films.groups[pairs[:, 0]] == films.groups[pairs[:, 1]]).all()
    assert (table["duplicate_of"].to_numpy()[pairs.ravel()] != "").sum() == len(pairs)
    for copy, original in COPIES.items():
        patients = table["group"][table["file"].isin([copy, original])]
        assert len(patients) == 2
        assert patients.nunique() == 1
