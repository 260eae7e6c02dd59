"""Which files are slides, and what they are called."""

import pytest

from sdlib.datasets.shards import ShardTile, ShardWriter
from sdlib.datasets.tiling import find_slides
from sdlib.errors import DataError


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_slides_are_found_by_their_endings_in_all_folders(tmp_path):
    touch(tmp_path, "b.SVS", "a/x.tiff", "a/x.csv", ".hidden.svs", "z.jpg", "m.mrxs", "m/Dat.dat")
    assert [slide.shown for slide in find_slides(tmp_path)] == ["a/x.tiff", "b.SVS", "m.mrxs"]


def test_one_slide_is_a_list_of_one(tmp_path):
    touch(tmp_path, "a.tiff", "b.tiff")
    (slide,) = find_slides(tmp_path / "b.tiff")
    assert (slide.shown, slide.name, slide.group) == ("b.tiff", "b", "b")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a b.svs", "a-b"),
        ("TCGA-2A-01Z-00-DX1.9F5.svs", "TCGA-2A-01Z-00-DX1-9F5"),
        ("more/c_1.tiff", "more-c_1"),
    ],
)
def test_names_are_paths_without_what_webdataset_does_not_like(tmp_path, file, name):
    (slide,) = find_slides(touch(tmp_path, file))
    assert slide.name == name


def test_names_in_other_scripts_stay_different(tmp_path):
    touch(tmp_path, "Präparat.svs", "Prøparat.svs", "スライド.svs")
    names = [slide.name for slide in find_slides(tmp_path)]
    assert len(set(names)) == 3
    assert all(ShardWriter(tmp_path, name) for name in names)
    assert names[0].startswith("Pr-parat-")


def test_long_names_are_cut_and_stay_different(tmp_path):
    touch(tmp_path, *(f"{'x' * 80}{k}.tif" for k in range(2)))
    first, second = (slide.name for slide in find_slides(tmp_path))
    assert len(first) == len(second) == 60
    assert first != second
    # Keys of tiles at places of seven digits are keys.
    tile = ShardTile(f"{first}_x1234567_y1234567", b"", None, "a")
    assert ShardWriter(tmp_path, first).name in tile.key


def test_masks_in_the_folder_of_slides_are_no_slides(tmp_path):
    touch(tmp_path, "a.tiff", "b.svs", "masks/a_mask.tiff", "masks/b.tif")
    first, second = find_slides(tmp_path, masks=tmp_path / "masks")
    assert (first.shown, first.mask) == ("a.tiff", tmp_path / "masks" / "a_mask.tiff")
    assert (second.shown, second.mask) == ("b.svs", tmp_path / "masks" / "b.tif")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"a table of groups at .*g.csv, found none: .* the columns slide, group, or check"),
        ("", r"g.csv is empty: add a header, and add a row for each slide"),
        ("slide,group\n", r"g.csv has a header but no rows: add a row for each slide"),
        ("slide,patient\na,eva\n", r"expected columns slide, group in .*g.csv, got slide, patient"),
    ],
)
def test_a_table_of_groups_that_is_none_is_refused(tmp_path, content, said):
    touch(tmp_path, "a.tiff")
    if content is not None:
        (tmp_path / "g.csv").write_text(content)
    with pytest.raises(DataError, match=said):
        find_slides(tmp_path, groups=tmp_path / "g.csv")


def test_two_groups_for_a_slide_are_refused(tmp_path):
    touch(tmp_path, "a.tiff")
    (tmp_path / "g.csv").write_text("slide,group\na.tiff,eva\na.tiff,olu\n")
    with pytest.raises(DataError, match=r"one group for a.tiff, got eva and olu in row 3 of"):
        find_slides(tmp_path, groups=tmp_path / "g.csv")
