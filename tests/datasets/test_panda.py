"""PANDA's published form, in small pyramids written here."""

import logging
import shutil

import cv2
import numpy as np
import pytest
import pyvips
import tifffile

from sdlib.datasets.panda import load_panda, panda_slides
from sdlib.errors import ConfigError, DataError
from sdlib.slides import open_slide

HEADER = "image_id,data_provider,isup_grade,gleason_score\n"
ROWS = (
    "0005f7aa,karolinska,0,0+0\n"
    "00a7bcd1,radboud,4,4+4\n"
    "01bb22cc,karolinska,2,3+4\n"
    "0c0ffee0,radboud,0,negative\n"
)
CUT = {"size": 32, "tile": 64, "overlap": 0.0, "mpp": 1.0, "max_background": 0.9, "workers": 1}


def write(path, image, **how):
    """A pyramid of levels 1, 2 and 4, tiled, as the published ones are of 1, 4 and 16."""
    path.parent.mkdir(exist_ok=True)
    options = {"tile": True, "pyramid": True, "tile_width": 128, "tile_height": 128}
    pyvips.Image.new_from_array(image).tiffsave(
        str(path), **options, **{"xres": 2000, "yres": 2000, **how}
    )


def biopsy(seed):
    """A band of tissue on white, 512 x 384 px."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(90, 190, (24, 32, 3)).astype(np.uint8)
    image = cv2.resize(coarse, (512, 384), interpolation=cv2.INTER_LINEAR)
    image[:128] = 255
    return image


def classes(provider, grade):
    """Background above; then benign, and cancer in the right half if there is any."""
    mask = np.zeros((384, 512, 3), np.uint8)
    mask[128:, :, 0] = 1
    if provider == "radboud":
        mask[256:, :, 0] = 2
    if grade:
        mask[128:, 256:, 0] = 5 if provider == "radboud" else 2
    return mask


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Four slides of two providers; the third has no mask."""
    folder = tmp_path_factory.mktemp("panda")
    (folder / "train.csv").write_text(HEADER + ROWS)
    for seed, row in enumerate(ROWS.split()):
        name, provider, grade, _ = row.split(",")
        image = folder / "train_images" / f"{name}.tiff"
        write(image, biopsy(seed), compression="jpeg", Q=90)
        if name != "01bb22cc":
            mask = folder / "train_label_masks" / f"{name}_mask.tiff"
            how = {"compression": "lzw", "region_shrink": "nearest"}
            write(mask, classes(provider, int(grade)), **how)
    return folder


@pytest.fixture
def panda(written, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(written, tmp_path / "panda")


def test_tiles_of_both_providers(written, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        tiles = load_panda(written, cache=tmp_path, **CUT)
    assert "1 of 4 slides" in caplog.text
    assert "no mask and are left out: 01bb22cc" in caplog.text
    # Rows of tiles of 128 px of level 0; the first is glass.
    assert len(tiles) == 3 * 4 * 2
    assert tiles.size == 32
    assert list(dict.fromkeys(tiles.groups)) == ["0005f7aa", "00a7bcd1", "0c0ffee0"]
    assert set(tiles.factors["centre"][tiles.groups == "00a7bcd1"]) == {"radboud"}
    assert set(tiles.factors["gleason_score"][tiles.groups == "0c0ffee0"]) == {"negative"}
    assert tiles.factors["isup_grade"][tiles.groups == "00a7bcd1"].tolist() == [4] * 8
    assert tiles.factors["x"][:4].tolist() == [0, 128, 256, 384]
    assert tiles.factors["y"][:8].tolist() == [128] * 4 + [256] * 4
    cancer = (tiles.groups == "00a7bcd1") & (tiles.factors["x"] >= 256)
    np.testing.assert_array_equal(tiles.targets, cancer)
    assert isinstance(tiles.images, np.memmap)


def test_pixels_are_the_slides(written, tmp_path):
    tiles = load_panda(written, cache=tmp_path, **CUT)
    for k in (0, 9, 20):
        with open_slide(written / "train_images" / f"{tiles.groups[k]}.tiff") as slide:
            x, y = (tiles.factors[name][k] // 2 for name in "xy")
            region = slide.read(1, int(x), int(y), 64, 64)
        expected = cv2.resize(region, (32, 32), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(tiles.images[k], expected)


def test_one_provider(written, tmp_path):
    tiles = load_panda(written, "karolinska", cache=tmp_path, **CUT)
    assert set(tiles.groups) == {"0005f7aa"}
    slides, missing = panda_slides(written, "karolinska")
    assert slides["image_id"].tolist() == ["0005f7aa"]
    assert missing == ["01bb22cc"]


def test_karolinskas_cancer_is_2_and_radbouds_is_not(panda, tmp_path):
    for name, provider in (("0005f7aa", "karolinska"), ("0c0ffee0", "radboud")):
        mask = np.zeros((384, 512, 3), np.uint8)
        mask[..., 0] = 2
        write(panda / "train_label_masks" / f"{name}_mask.tiff", mask, compression="lzw")
        tiles = load_panda(panda, provider, cache=tmp_path, **CUT)
        assert set(tiles.targets[tiles.groups == name]) == {int(provider == "karolinska")}


def test_threshold_and_centre(written, tmp_path):
    """Tiles of 192 px of level 0 from x 192 to 384 have two thirds of cancer, all in the centre."""
    cut = {**CUT, "tile": 96}

    def target(**how):
        tiles = load_panda(written, "radboud", cache=tmp_path, **cut, **how)
        chosen = (tiles.groups == "00a7bcd1") & (tiles.factors["x"] == 192)
        return tiles.targets[chosen & (tiles.factors["y"] == 192)].tolist()

    assert target(threshold=0.6) == [1]
    assert target(threshold=0.7) == [0]
    assert target(threshold=0.8, where="centre") == [1]


def test_cut_once(written, tmp_path, monkeypatch):
    first = load_panda(written, cache=tmp_path, **CUT)
    monkeypatch.setattr("sdlib.datasets.slide_tiles.open_slide", None)
    again = load_panda(written, cache=tmp_path, **CUT)
    np.testing.assert_array_equal(again.images, first.images)
    np.testing.assert_array_equal(again.factors["x"], first.factors["x"])


def test_other_files_and_other_settings_are_cut_again(panda, tmp_path):
    first = load_panda(panda, cache=tmp_path, **CUT)
    write(panda / "train_images" / "0005f7aa.tiff", biopsy(9), compression="jpeg", Q=90)
    second = load_panda(panda, cache=tmp_path, **CUT)
    assert (second.images[0] != first.images[0]).any()
    np.testing.assert_array_equal(second.images[8:], first.images[8:])
    assert len(load_panda(panda, cache=tmp_path, **{**CUT, "overlap": 0.5})) > len(first)


def test_damaged_cache_is_made_again(written, tmp_path):
    first = load_panda(written, cache=tmp_path, **CUT)
    expected = first.images.copy()
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    np.testing.assert_array_equal(load_panda(written, cache=tmp_path, **CUT).images, expected)


def test_workers_change_nothing(written, tmp_path):
    one = load_panda(written, cache=tmp_path / "one", **CUT)
    two = load_panda(written, cache=tmp_path / "two", **{**CUT, "workers": 2})
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.targets, two.targets)


def test_slide_without_resolution(panda, tmp_path):
    write(panda / "train_images" / "0c0ffee0.tiff", biopsy(3), compression="jpeg", xres=1, yres=1)
    with pytest.raises(DataError, match=r"0c0ffee0.tiff does not tell its microns per pixel: give"):
        load_panda(panda, cache=tmp_path / "cache", **CUT)
    assert not list((tmp_path / "cache").glob("*"))
    table = tmp_path / "mpp.csv"
    table.write_text("slide,mpp\n0c0ffee0,0.5\n")
    assert len(load_panda(panda, resolutions=table, cache=tmp_path / "cache", **CUT)) == 24
    at_level_0 = load_panda(panda, cache=tmp_path / "cache", **{**CUT, "mpp": None, "tile": 128})
    assert len(at_level_0) == 24


def test_damaged_slide_leaves_no_tiles_behind(panda, tmp_path):
    path = panda / "train_images" / "00a7bcd1.tiff"
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        page = file.pages[1]
        offset, count = page.dataoffsets[2], page.databytecounts[2]
    content[offset : offset + count] = bytes(count)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"00a7bcd1.tiff: the region .* level 1, cannot be read"):
        load_panda(panda, cache=tmp_path / "cache", **CUT)
    assert not list((tmp_path / "cache").glob("*.npy"))


def test_empty_tiles_that_a_mask_leaves_out_are_benign(panda, tmp_path):
    path = panda / "train_label_masks" / "00a7bcd1_mask.tiff"
    for number in range(2):
        with tifffile.TiffFile(path, mode="r+") as file:
            page = file.pages[number]
            tag = page.tags["TileByteCounts"]
            tag.overwrite([0] * len(tag.value))
    tiles = load_panda(panda, "radboud", cache=tmp_path, **CUT)
    assert not tiles.targets.any()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("0005f7aa,helsinki,0,0+0\n", "expected a data_provider of karolinska, radboud, got hels"),
        ("0005f7aa,radboud,6,5+5\n", "expected a isup_grade of 0, 1, 2, 3, 4, 5, got 6 in row 2"),
        ("0005f7aa,radboud,0,0+0\n0005f7aa,radboud,0,0+0\n", "expected each file once"),
        ("../train,radboud,0,0+0\n", "expected a path inside"),
        ("absent,radboud,0,0+0\n", "found no file of 1 .absent.: copy them there, or remove"),
        ("01bb22cc,radboud,0,0+0\n", "expected masks in .*, found none for the 1 slides of either"),
        ("", "has a header but no rows"),
    ],
)
def test_wrong_tables(panda, tmp_path, rows, said):
    (panda / "train.csv").write_text(HEADER + rows)
    with pytest.raises(DataError, match=said):
        load_panda(panda, cache=tmp_path / "cache", **CUT)
    assert not (tmp_path / "cache").exists()


def test_other_columns(panda):
    (panda / "train.csv").write_text("id,provider\na,radboud\n")
    with pytest.raises(DataError, match="expected columns image_id, data_provider, isup_grade"):
        panda_slides(panda)


def test_mask_of_the_other_provider(panda, tmp_path):
    text = (panda / "train.csv").read_text()
    (panda / "train.csv").write_text(text.replace("00a7bcd1,radboud", "00a7bcd1,karolinska"))
    with pytest.raises(DataError, match=r"values of 0, 1, 2 in .*00a7bcd1_mask.tiff.*, got 5: is"):
        load_panda(panda, cache=tmp_path, **CUT)


def test_nothing_but_glass(panda, tmp_path):
    rows = (panda / "train.csv").read_text().splitlines()[:2]
    (panda / "train.csv").write_text("\n".join(rows) + "\n")
    glass = np.full((384, 512, 3), 250, np.uint8)
    write(panda / "train_images" / "0005f7aa.tiff", glass, compression="jpeg")
    with pytest.raises(DataError, match=r"found no tile with at most 0.9 of background"):
        load_panda(panda, cache=tmp_path, **CUT)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"provider": "helsinki"}, "expected a provider of karolinska, radboud, got 'helsinki'"),
        ({"size": 0}, "expected size of at least 1"),
        ({"workers": 0}, "expected workers of at least 1"),
        ({"threshold": 0}, "expected a threshold above 0"),
        ({"border": "cut"}, "expected a border of"),
        ({"mpp": 0.1}, "expected mpp of at least the slide's own 0.5"),
    ],
)
def test_wrong_arguments(written, tmp_path, options, said):
    with pytest.raises(ConfigError, match=said):
        load_panda(written, cache=tmp_path, **{**CUT, **options})


def test_without_the_folder_the_way_to_get_it_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("SDLIB_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"panda.*register at https://www.kaggle.com/c/prostate"):
        load_panda()
