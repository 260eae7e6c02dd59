"""Slides and masks that change after they were cut, calls that keep no tile, sparse files."""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from sdlib.datasets.shards import open_shards
from sdlib.datasets.slide_tiles import Cutting, LabelledSlide, cut_labelled
from sdlib.datasets.tiling import Tiling, find_slides, tile_slides
from sdlib.datasets.tiling.one_slide import tile_slide
from sdlib.datasets.tiling.records import finished_records
from sdlib.errors import ConfigError, DataError
from sdlib.slides import LabelRule
from tests.datasets.tiling.test_folder import contents

CUT = {"size": 64, "overlap": 0.25}
TILING = Tiling(**CUT)
RULE = LabelRule(positive=(2,), negative=(0, 1), ignored=(9,), threshold=0.5)
LABELLED = Tiling(**CUT, border="drop", rule=RULE)  # what is beyond the border would be 0


def older(path):
    """Set back the time of a file, as if it had been there long before."""
    state = path.stat()
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns - 10**10))


def swap_classes(path, write_slide):
    """A mask of other classes: cancer below row 160 instead of above."""
    mask = np.full((320, 480, 3), 2, np.uint8)
    mask[:160] = 1
    mask[:, :70] = 9
    write_slide(path, mask, compression="deflate")


# -- Slides and masks that change


def test_a_mask_that_was_replaced_is_refused_and_can_be_cut_again(
    slides, masks, tmp_path, write_slide
):
    out = tmp_path / "out"
    tile_slides(slides, out, LABELLED, 1, masks=masks)
    before = contents(out)
    swap_classes(masks / "b_mask.tiff", write_slide)
    with pytest.raises(DataError, match=r"^the mask of b.tif changed .*--changed recut, or choose"):
        tile_slides(slides, out, LABELLED, 1, masks=masks)
    assert contents(out) == before
    said = []
    tile_slides(slides, out, LABELLED, 1, masks=masks, changed="recut", log=said.append)
    assert said[0] == "2 of 3 slides are finished"
    tiles = open_shards(out)
    rows = tiles.groups == "b"
    lower = tiles.factors["y"] + 32 > 160
    np.testing.assert_array_equal(tiles.targets[rows] == 1, lower[rows])
    np.testing.assert_array_equal(tiles.targets[~rows] == 1, ~lower[~rows])
    tile_slides(slides, tmp_path / "anew", LABELLED, 1, masks=masks)
    assert contents(out) == contents(tmp_path / "anew")


def test_a_file_of_the_same_size_is_told_by_its_time(slides, masks, tmp_path):
    out = tmp_path / "out"
    tile_slides(slides, out, LABELLED, 1, masks=masks)
    for path in (slides / "a.tiff", slides / "b.tif", masks / "b_mask.tiff"):
        older(path)
    said = r"^the slide a.tiff, the slide b.tif, the mask of b.tif changed after"
    with pytest.raises(DataError, match=said):
        tile_slides(slides, out, LABELLED, 1, masks=masks)


def test_a_mask_of_another_name_is_a_change(slides, masks, tmp_path):
    tile_slides(slides, tmp_path / "out", LABELLED, 1, masks=masks)
    shutil.copy2(masks / "a.tiff", masks / "a_copy")
    (masks / "a.tiff").unlink()
    (masks / "a_copy").rename(masks / "a_mask.tiff")
    with pytest.raises(DataError, match=r"the mask of a.tiff changed"):
        tile_slides(slides, tmp_path / "out", LABELLED, 1, masks=masks)


def test_many_changes_are_counted(tmp_path, half_tissue, write_slide):
    folder = tmp_path / "in"
    folder.mkdir()
    write_slide(folder / "s0.tiff", half_tissue(0))
    for k in range(1, 7):
        shutil.copy(folder / "s0.tiff", folder / f"s{k}.tiff")
    tile_slides(folder, tmp_path / "out", TILING, 1)
    for path in folder.iterdir():
        older(path)
    with pytest.raises(DataError, match=r"^the slide s0.tiff, .*, the slide s4.tiff and 2 more ch"):
        tile_slides(folder, tmp_path / "out", TILING, 1)


def test_the_folder_of_a_mirax_slide_belongs_to_it(tmp_path):
    """Only what is recorded is looked at here; a record of it is made by hand."""
    for name in ("in/m.mrxs", "in/m/Data0000.dat", "in/m/Slidedat.ini"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (slide,) = find_slides(tmp_path / "in")

    def files():
        with pytest.raises(DataError):  # it is no slide, but its record is begun before
            tile_slide(slide, tmp_path / "out", TILING, {})
        return json.loads((tmp_path / "out/slides/m.json").read_text())["files"]["slide"]

    before = files()
    assert set(before) == {"m.mrxs", "m/Data0000.dat", "m/Slidedat.ini"}
    older(tmp_path / "in/m/Data0000.dat")
    assert [name for name, state in files().items() if state != before[name]] == ["m/Data0000.dat"]


def stopped(slides, masks, out, tiling):
    """Leave what a command leaves that is killed after the first shard of a slide."""
    slide = find_slides(slides, masks)[0]
    tile_slide(slide, out, tiling, {})
    record = json.loads((out / "slides/a.json").read_text())
    record.update(state="begun", tiles=0, shards=[])
    (out / "slides/a.json").write_text(json.dumps(record))
    return slide


def test_shards_of_a_killed_command_are_not_used_with_another_mask(
    slides, masks, tmp_path, write_slide
):
    out = tmp_path / "out"
    slide = stopped(slides, masks, out, LABELLED)
    written = (out / "a-000000.tar").stat().st_mtime_ns
    tile_slide(slide, out, LABELLED, {})
    assert (out / "a-000000.tar").stat().st_mtime_ns == written  # nothing changed: used
    stopped(slides, masks, out, LABELLED)
    before = contents(out)
    swap_classes(slide.mask, write_slide)
    assert finished_records([slide], out, LABELLED, {}) == {"a": None}
    tile_slide(slide, out, LABELLED, {})
    tile_slide(slide, tmp_path / "anew", LABELLED, {})
    assert contents(out) == contents(tmp_path / "anew") != before


def test_shards_of_a_killed_command_are_not_used_with_another_rule(slides, masks, tmp_path):
    """The tiles are at the same places, so that their keys do not tell."""
    out = tmp_path / "out"
    slide = stopped(slides, masks, out, LABELLED)
    other = replace(LABELLED, rule=LabelRule((1,), (0, 2), (9,), 0.5))
    tile_slide(slide, out, other, {})
    tile_slide(slide, tmp_path / "anew", other, {})
    assert contents(out) == contents(tmp_path / "anew")


def test_shards_without_a_record_are_not_used(slides, masks, tmp_path):
    out = tmp_path / "out"
    slide = stopped(slides, masks, out, LABELLED)
    (out / "slides/a.json").unlink()
    other = replace(LABELLED, rule=LabelRule((1,), (0, 2), (9,), 0.5))
    tile_slide(slide, out, other, {})
    tile_slide(slide, tmp_path / "anew", other, {})
    assert contents(out) == contents(tmp_path / "anew")


# -- Calls that keep no tile


def test_the_advice_of_a_call_without_tiles_can_be_followed(slides, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(DataError, match=r"got none of 3 slides: 3 left out as background \(allow"):
        tile_slides(slides, out, Tiling(2000), 1)
    assert [path for path in out.rglob("*")] == []
    every = Tiling(2000, max_background=1.0)
    assert tile_slides(slides, out, every, 1).startswith("3 tiles of 3 slides")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"rule": LabelRule((3,), (0,), (1, 2, 9))}, r"\d+ in which the masks judge nothing \(see"),
        ({"size": 600}, r"no slide has room for a tile of 600 px \(choose a"),
    ],
)
def test_a_call_without_tiles_says_where_they_are(slides, masks, tmp_path, values, said):
    tiling = replace(LABELLED, **values)
    with pytest.raises(DataError, match=rf"got none of 3 slides: .*{said}"):
        tile_slides(slides, tmp_path / "out", tiling, 1, masks=masks)
    tile_slides(slides, tmp_path / "out", LABELLED, 1, masks=masks)


def test_slides_that_are_all_skipped_say_why(slides, tmp_path):
    for name in ("a.tiff", "b.tif", "more/c.tiff"):
        (slides / name).write_bytes(b"no slide")
    with pytest.raises(DataError, match=r"3 slides cannot be cut, .* because .*a.tiff is not a"):
        tile_slides(slides, tmp_path / "out", TILING, 1, damaged="skip")


def test_tiles_of_other_slides_remain(slides, tmp_path):
    out = tmp_path / "out"
    tile_slides(slides / "a.tiff", out, TILING, 1)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(DataError, match="got none of 1 slides"):
        tile_slides(slides / "b.tif", out, Tiling(2000), 1)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_manifest_and_index_go_with_the_last_tile(slides, tmp_path, write_slide):
    out = tmp_path / "out"
    tile_slides(slides / "a.tiff", out, TILING, 1)
    write_slide(slides / "a.tiff", np.full((320, 480, 3), 250, np.uint8))
    with pytest.raises(DataError, match="got none of 1 slides"):
        tile_slides(slides / "a.tiff", out, TILING, 1, changed="recut")
    assert [path.name for path in out.iterdir()] == []
    with pytest.raises(DataError, match=r"index.json"):
        open_shards(out)


# -- Files that leave out tiles


@pytest.fixture
def sparse_masks(masks, damage):
    """Masks without their second tile of 128 px, in the upper half."""
    for name in ("a", "b_mask", "c_mask"):
        damage(masks / f"{name}.tiff", 1, "absent")
    return masks


def test_parts_that_a_mask_leaves_out_are_0_by_both_ways_of_cutting(slides, sparse_masks, tmp_path):
    tile_slides(slides, tmp_path / "out", LABELLED, 1, masks=sparse_masks)
    tiles = open_shards(tmp_path / "out")
    x, y = tiles.factors["x"], tiles.factors["y"]
    within = (x >= 128) & (x + 64 <= 256) & (y + 64 <= 128)
    beside = (x >= 256) & (y + 64 <= 128)
    assert within.any()
    assert not tiles.targets[within].any()
    assert tiles.targets[beside].all()
    found = find_slides(slides, sparse_masks)
    labelled = [LabelledSlide(slide.path, slide.mask, RULE) for slide in found]
    cutting = Cutting(64, 64, 0.25, None, "drop", LABELLED.max_background)
    _, columns = cut_labelled("sparse", labelled, cutting, workers=1, cache=tmp_path / "cache")
    for name, values in (("x", x), ("y", y), ("label", tiles.targets)):
        np.testing.assert_array_equal(columns[name], values)


def test_parts_that_a_slide_leaves_out_are_background_where_that_is_said(slides, damage, tmp_path):
    damage(slides / "a.tiff", 0, "absent")
    out = tmp_path / "out"
    for tiling in (TILING, Tiling(**CUT, unscanned="refuse")):
        with pytest.raises(DataError, match=r"a.tiff: .* --unscanned background to python -m sdl"):
            tile_slides(slides / "a.tiff", out, tiling, 1)
    allowed = Tiling(**CUT, unscanned="background")
    tile_slides(slides / "a.tiff", out, allowed, 1)
    tiles = open_shards(out, unlabelled=0)
    assert (tiles.factors["x"][0], tiles.factors["y"][0]) == (0, 0)
    assert (tiles.batch([0]) == 255).all()
    assert "background" in (out / "manifest.csv").read_text().splitlines()[1].split(",")
    with pytest.raises(ConfigError, match=r"cut with .*unscanned background.*unscanned None"):
        tile_slides(slides / "a.tiff", out, TILING, 1)


def test_the_advice_to_allow_what_is_left_out_can_be_followed(slides, damage, tmp_path):
    damage(slides / "b.tif", 0, "absent")
    out, said = tmp_path / "out", []
    with pytest.raises(DataError, match=r"b.tif: .* --unscanned background"):
        tile_slides(slides, out, TILING, 1)
    allowed = Tiling(**CUT, unscanned="background")
    tile_slides(slides, out, allowed, 1, log=said.append)
    assert said[0] == "1 of 3 slides are finished"
    tile_slides(slides, out, allowed, 1, log=said.append)
    assert said[-1] == "3 of 3 slides are finished"
    tile_slides(slides, tmp_path / "anew", allowed, 1)
    assert contents(out) == contents(tmp_path / "anew")
