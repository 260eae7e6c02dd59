"""Cutting folders of slides: every tile once, killed and gone on, slides that cannot be read."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sdlib.datasets.shards import open_shards, read_index
from sdlib.datasets.tiling import Tiling, tile_slides
from sdlib.errors import ConfigError, DataError, SdlibError
from sdlib.slides import LabelRule, cut_tiles, open_slide

CUT = {"size": 64, "overlap": 0.25}
TILING = Tiling(**CUT)


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.glob("[!.]*.tar")}


def read_manifest(folder):
    return pd.read_csv(folder / "manifest.csv", keep_default_na=False).set_index("slide")


def finished(folder):
    """Slides whose records say that they are finished."""
    files = folder.glob("slides/[!.]*.json")
    return [file.stem for file in files if '"finished"' in file.read_text()]


def jpeg(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=90, subsampling=0)
    return np.asarray(Image.open(stream))


def test_every_tile_of_every_slide_is_there_once(slides, tmp_path):
    said = tile_slides(slides, tmp_path / "out", TILING, workers=1)
    tiles = open_shards(tmp_path / "out", unlabelled=0)
    row = 0
    for name in ("a.tiff", "b.tif", "more/c.tiff"):
        with open_slide(slides / name) as slide:
            for cut in cut_tiles(slide, **CUT, max_background=TILING.max_background):
                stored = tiles.batch([row])[0].astype(int)
                assert np.abs(stored - jpeg(cut.image)).max() <= 8  # encoders round differently
                factors = {key: column[row] for key, column in tiles.factors.items()}
                assert (factors["x"], factors["y"]) == (cut.x, cut.y)
                assert factors["background"] == cut.background
                assert factors["sharpness"] == pytest.approx(cut.sharpness)
                assert factors["slide"] == tiles.groups[row]
                row += 1
    assert row == len(tiles)
    assert said == f"{row} tiles of 3 slides, without labels, in {tmp_path / 'out'}"
    assert sorted(set(tiles.groups)) == ["a", "b", "more-c"]


def test_the_manifest_says_how_each_slide_was_cut(slides, tmp_path):
    (tmp_path / "mpp.csv").write_text("slide,mpp\nb.tif,0.8\n")
    tile_slides(
        slides, tmp_path / "out", Tiling(**CUT, mpp=1.0), 1, resolutions=tmp_path / "mpp.csv"
    )
    rows = read_manifest(tmp_path / "out")
    assert rows["mpp"].tolist() == [0.5, 0.8, 0.5]
    assert rows["mpp_source"].tolist()[1] == "the table"
    assert rows["conflict"].tolist()[0] == ""
    assert "0.8 microns per pixel by the table, but 0.5" in rows["conflict"].tolist()[1]
    assert rows["reader"].str.contains("libvips|openslide").all()
    assert set(rows["step"]) == {"48 px: 64 - 16 (64 x 0.25, cut off to whole pixels)"}
    assert set(rows["unscanned"]) == {"refuse"}
    assert set(rows["border"]) == {"pad"}
    assert rows["tiles"].sum() == len(read_index(tmp_path / "out"))
    for name, row in rows.iterrows():
        with open_slide(slides / name, {"b.tif": 0.8}) as slide:
            grid = list(cut_tiles(slide, **CUT, mpp=1.0))
        dropped = sum(tile.background > TILING.max_background for tile in grid)
        assert (row["background"], row["tiles"]) == (dropped, len(grid) - dropped)
        assert row["background"] > 0
        assert row["tile_mpp"] == pytest.approx(grid[0].mpp)


def test_masks_make_labels(slides, masks, tmp_path):
    rule = LabelRule(positive=(2,), negative=(0, 1), ignored=(9,), threshold=0.5)
    out = tmp_path / "out"
    said = tile_slides(slides, out, Tiling(**CUT, border="drop", rule=rule), 1, masks=masks)
    tiles = open_shards(out)
    assert f", {tiles.targets.sum()} of cancer, in" in said
    upper = tiles.factors["y"] + 32 <= 160
    assert np.array_equal(tiles.targets == 1, upper)
    # Tiles from 0 to 64 px are where nothing is judged; the next begin at 48.
    assert tiles.factors["x"].min() == 48
    rows = read_manifest(out)
    assert rows["unjudged"].min() > 0
    assert rows["cancer"].sum() == tiles.targets.sum()
    assert set(rows["labels"]) == {"1 where 2 are at least 0.5 of the pixels of 2, 0, 1, else 0"}


def test_groups_come_from_a_table(slides, tmp_path):
    (tmp_path / "groups.csv").write_text("slide,group\na,eva\nb.tif,eva\nc,olu\n")
    tile_slides(slides, tmp_path / "out", TILING, 1, groups=tmp_path / "groups.csv")
    assert sorted(set(open_shards(tmp_path / "out", unlabelled=0).groups)) == ["eva", "olu"]
    (tmp_path / "groups.csv").write_text("slide,group\na,eva\n")
    with pytest.raises(DataError, match=r"expected a group for the slide b.tif in .*groups.csv"):
        tile_slides(slides, tmp_path / "other", TILING, 1, groups=tmp_path / "groups.csv")


def test_the_number_of_processes_changes_nothing(slides, tmp_path):
    for workers in (1, 2):
        tile_slides(slides, tmp_path / str(workers), TILING, workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    assert (tmp_path / "1/manifest.csv").read_bytes() == (tmp_path / "2/manifest.csv").read_bytes()
    assert read_index(tmp_path / "1").columns == read_index(tmp_path / "2").columns


# -- Going on


def test_finished_slides_are_passed_over(slides, tmp_path):
    out, said = tmp_path / "out", []
    first = tile_slides(slides, out, TILING, 1)
    before = {file: file.stat().st_mtime_ns for file in out.glob("*.tar")}
    (out / "b-000000.tar").unlink()
    assert tile_slides(slides, out, TILING, 1, log=said.append) == first
    assert said[0] == "2 of 3 slides are finished"
    assert said[1].startswith("1 of 1, b.tif: ")
    again = [file.name for file, time in before.items() if file.stat().st_mtime_ns != time]
    assert again == ["b-000000.tar"]


def test_tiles_that_were_cut_otherwise_are_refused(slides, tmp_path):
    out = tmp_path / "out"
    tile_slides(slides, out, TILING, 1)
    before = contents(out)
    with pytest.raises(ConfigError, match=r"a.tiff that were cut with size 64.*expected size 96"):
        tile_slides(slides, out, Tiling(96, 0.25), 1)
    for name, header in (("groups", "slide,group"), ("resolutions", "slide,mpp")):
        table = tmp_path / f"{name}.csv"
        table.write_text(f"{header}\na,0.7\nb,0.7\nc,0.7\n")
        with pytest.raises(ConfigError, match=r"of a.tiff that were cut with .*0.7"):
            tile_slides(slides, out, TILING, 1, **{name: table})
    assert contents(out) == before


def test_a_killed_command_goes_on_where_it_was(slides, half_tissue, write_slide, tmp_path):
    for seed in range(2):
        write_slide(slides / f"d{seed}.tiff", half_tissue(seed))
    out, options = tmp_path / "out", ["--size", "32", "--overlap", "0.5", "--workers", "2"]
    command = [sys.executable, "-m", "sdlib", "tile", str(slides), str(out), *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    while not finished(out):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.002)
    workers = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    n = len(finished(out))
    assert 1 <= n < 5
    for _ in range(500):
        if not any(map(alive, workers)):
            break
        time.sleep(0.01)
    assert not any(map(alive, workers))  # nobody goes on in the background
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"{n} of 5 slides are finished" in done.stderr
    tile_slides(slides, tmp_path / "whole", Tiling(32, 0.5), 1)
    assert contents(out) == contents(tmp_path / "whole")
    assert [path for path in out.rglob(".*") if path.is_file()] == []


def test_a_killed_process_is_one_sentence_and_finished_slides_remain(slides, tmp_path):
    for name in ("e.tiff", "f.tiff", "g.tiff"):
        shutil.copy(slides / "a.tiff", slides / name)

    def kill(line):
        for pid in children(os.getpid()):
            with open(f"/proc/{pid}/cmdline") as file:
                if "spawn_main" in file.read():
                    os.kill(pid, signal.SIGKILL)

    out, tiling = tmp_path / "out", Tiling(32, 0.6)
    with pytest.raises(
        SdlibError, match=r"a process that cuts slides was killed, .*run the command"
    ):
        tile_slides(slides, out, tiling, 2, log=kill)
    n = len(finished(out))
    assert 1 <= n < 6
    said = []
    tile_slides(slides, out, tiling, 1, log=said.append)
    assert said[0] == f"{n} of 6 slides are finished"


def children(pid):
    """Processes of a process, and theirs."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            for child in map(int, file.read().split()):
                found += [child, *children(child)]
    return found


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# -- Slides that cannot be read


def test_a_slide_that_cannot_be_opened_is_refused_before_anything_is_cut(slides, tmp_path):
    (slides / "b.tif").write_bytes(b"no slide")
    with pytest.raises(DataError, match=r"b.tif is not a whole slide .*or leave this slide out"):
        tile_slides(slides, tmp_path / "out", TILING, 1)
    assert not (tmp_path / "out").exists()
    (slides / "a.tiff").write_bytes(b"no slide")
    with pytest.raises(DataError, match=r"^2 of 3 slides cannot be cut: .*a.tiff is .*; .*b.tif"):
        tile_slides(slides, tmp_path / "out", TILING, 1)


def test_a_slide_that_cannot_be_opened_is_skipped_and_in_the_manifest(slides, tmp_path):
    (slides / "b.tif").write_bytes(b"no slide")
    said = []
    text = tile_slides(slides, tmp_path / "out", TILING, 1, damaged="skip", log=said.append)
    assert "tiles of 2 slides (1 skipped)" in text
    assert any(line.startswith("skipped: ") and "b.tif is not a whole" in line for line in said)
    rows = read_manifest(tmp_path / "out")
    assert "b.tif is not a whole slide" in rows.loc["b.tif", "problem"]
    assert rows.loc["b.tif", "tiles"] == ""
    assert sorted(set(open_shards(tmp_path / "out", unlabelled=0).groups)) == ["a", "more-c"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_region_that_cannot_be_read_is_never_a_tile(slides, damage, tmp_path, workers):
    damage(slides / "b.tif", 4, "zeros")
    with pytest.raises(DataError, match=r"b.tif: the region of 64 x 64 px at x .*cannot be read"):
        tile_slides(slides, tmp_path / "out", TILING, workers)
    assert "b-000000.tar" not in contents(tmp_path / "out")
    tile_slides(slides, tmp_path / "out", TILING, workers, damaged="skip")
    assert sorted(contents(tmp_path / "out")) == ["a-000000.tar", "more-c-000000.tar"]
    assert len(open_shards(tmp_path / "out", unlabelled=0)) > 0


def test_a_slide_without_resolution_is_refused_where_it_is_needed(slides, tmp_path, write_slide):
    write_slide(slides / "a.tiff", np.full((320, 480, 3), 99, np.uint8), xres=0.001, yres=0.001)
    with pytest.raises(DataError, match=r"a.tiff does not tell its microns per pixel"):
        tile_slides(slides, tmp_path / "out", Tiling(**CUT, mpp=1.0), 1)
    tile_slides(slides, tmp_path / "out", TILING, 1)
    assert read_manifest(tmp_path / "out").loc["a.tiff", "mpp_source"] == "unknown"


def test_a_missing_mask_is_named(slides, masks, tmp_path):
    (masks / "b_mask.tiff").unlink()
    tiling = Tiling(**CUT, rule=LabelRule((2,), (0, 1, 9)))
    with pytest.raises(DataError, match=r"expected a mask of the slide b.tif at .*b_mask.tif, f"):
        tile_slides(slides, tmp_path / "out", tiling, 1, masks=masks)


def test_slides_of_glass_only_are_one_sentence(slides, tmp_path, write_slide):
    for name in ("a.tiff", "b.tif", "more/c.tiff"):
        write_slide(slides / name, np.full((320, 480, 3), 250, np.uint8))
    said = r"one tile, got none of 3 slides: 210 left out as background \(allow .*--max-background"
    with pytest.raises(DataError, match=said):
        tile_slides(slides, tmp_path / "out", TILING, 1)


def test_a_disk_that_is_full_stops_whatever_is_to_be_skipped(slides, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SdlibError, match="file is a file, not a folder"):
        tile_slides(slides, tmp_path / "file" / "out", TILING, 1, damaged="skip")


def test_names_that_would_be_alike_are_refused(slides, tmp_path):
    shutil.copy(slides / "a.tiff", slides / "more-c.tiff")
    with pytest.raises(DataError, match=r"more/c.tiff and more-c.tiff in .* be called more-c"):
        tile_slides(slides, tmp_path / "out", TILING, 1)


def test_a_folder_without_slides_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected slides in .*, found no file that ends with"):
        tile_slides(tmp_path, tmp_path / "out", TILING, 1)


@pytest.mark.parametrize(
    "values",
    [
        {"size": 0},
        {"overlap": 1.0},
        {"mpp": 0.0},
        {"mpp": float("nan")},
        {"mpp": float("inf")},
        {"mpp": 10**400},
        {"mpp": "1"},
        {"size": 100_000},
        {"unscanned": "zero"},
        {"border": "mirror"},
        {"max_background": 1.5},
        {"quality": 0},
    ],
)
def test_settings_out_of_range_are_refused(values):
    with pytest.raises(ConfigError, match="expected"):
        Tiling(**values)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"damaged": "ignore"}, "expected damaged to be refuse or skip, got 'ignore'"),
        ({"changed": "keep"}, "expected changed to be refuse or recut, got 'keep'"),
        ({"workers": 0}, "expected workers"),
        ({"masks": "masks"}, "expected masks and the rule of labels together"),
    ],
)
def test_arguments_out_of_range_are_refused(slides, tmp_path, values, sentence):
    with pytest.raises(ConfigError, match=sentence):
        tile_slides(slides, tmp_path / "out", TILING, **values)


def test_a_record_that_is_damaged_counts_as_none(slides, tmp_path):
    out = tmp_path / "out"
    tile_slides(slides, out, TILING, 1)
    before = contents(out)
    (out / "slides" / "a.json").write_text("{")
    content = json.loads((out / "slides" / "b.json").read_text())
    del content["tiles"]
    (out / "slides" / "b.json").write_text(json.dumps(content))
    said = []
    tile_slides(slides, out, TILING, 1, log=said.append)
    assert said[0] == "1 of 3 slides are finished"
    assert contents(out) == before
