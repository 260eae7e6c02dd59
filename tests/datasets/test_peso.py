"""PESO's published form, in small files written here; and its geometry at full size."""

import functools
import io
import zipfile

import cv2
import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

from sdlib.datasets import peso, peso_files
from sdlib.datasets.images import decode_image
from sdlib.datasets.peso import background_share, load_peso, tile_starts
from sdlib.errors import ConfigError, DataError, SdlibError

SIDE, TILE, STEP = 100, 32, 26  # of the small regions: 32 less 20 % is 25.6
STARTS = (0, 26, 52, 68)
SLIDES, REGIONS = 3, 12
CANCER = {2, 3, 5, 8, 11}  # ids


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Small regions take the place of the published ones."""
    published = {
        "REGIONS": REGIONS,
        "CANCEROUS": len(CANCER),
        "REGION_SIDE": SIDE,
        "TILE_SIDE": TILE,
        "STEP": STEP,
    }
    for name, value in published.items():
        monkeypatch.setattr(peso, name, value)
    monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path / "outputs"))


def region(number):
    """A region of noise, dark except for a bright corner whose size is its number."""
    rng = np.random.default_rng(number)
    image = rng.integers(0, 200, (SIDE, SIDE, 3), dtype=np.uint8)
    image[: 5 * number, : 5 * number] = 240
    return image


def encoded(image, kind="PNG"):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind)
    return stream.getvalue()


def rows():
    kinds = ["cancer" if i in CANCER else "non-cancer" for i in range(1, REGIONS + 1)]
    return [[str(i + 1), str(40 + i // 4), kind] for i, kind in enumerate(kinds)]


def write_mapping(folder, lines=None, start="", end="\n"):
    table = [["id", "slide", "type"], *(lines or rows())]
    text = start + end.join(",".join(fields) for fields in table) + end
    (folder / "peso_testset_mapping.csv").write_bytes(text.encode())


def write_archive(folder, images, prefix=""):
    with zipfile.ZipFile(folder / "peso_testset_png.zip", "w") as archive:
        for name, content in images.items():
            archive.writestr(f"{prefix}{name}", content)


def files(kind="PNG", suffix=".png"):
    return {f"{i}{suffix}": encoded(region(i), kind) for i in range(1, REGIONS + 1)}


@pytest.fixture
def folder(small, tmp_path):
    """The two files as downloaded."""
    path = tmp_path / "peso"
    path.mkdir()
    write_mapping(path)
    write_archive(path, files())
    return path


def unpack(folder, into):
    into.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (into / name).write_bytes(content)
    (folder / "peso_testset_png.zip").unlink()


def check_whole(tiles):
    """Compare a whole set with tiles cut here, one by one."""
    corners = [(y, x) for y in STARTS for x in STARTS]
    assert len(tiles) == REGIONS * len(corners)
    images = iter(tiles.images)
    for k, (name, slide, kind) in enumerate(rows()):
        whole = region(int(name))
        for j, (y, x) in enumerate(corners):
            image, i = next(images), k * len(corners) + j
            np.testing.assert_array_equal(image, whole[y : y + TILE, x : x + TILE])
            assert tiles.targets[i] == (kind == "cancer")
            assert tiles.groups[i] == slide
            found = {name: column[i] for name, column in tiles.factors.items()}
            assert (found["region"], found["x"], found["y"]) == (name, x, y)
            bright = np.mean([pixel.min() >= 206 for pixel in image.reshape(-1, 3)])
            assert found["background"] == pytest.approx(bright)


def test_every_tile_of_the_archive(folder):
    check_whole(load_peso(folder, TILE, max_background=1))


@pytest.mark.parametrize("place", [".", "peso_testset_png", "peso_testset_png/peso_testset_png"])
def test_every_tile_of_the_folder(folder, place):
    unpack(folder, folder / place)
    check_whole(load_peso(folder, TILE, max_background=1))


@pytest.mark.parametrize("prefix", ["peso_testset_png/", "./"])
def test_an_archive_with_a_folder_and_the_litter_of_a_mac(folder, prefix):
    write_archive(folder, {**files(), "__MACOSX/._1.png": b"litter", "._2.png": b"litter"}, prefix)
    check_whole(load_peso(folder, TILE, max_background=1))


@pytest.mark.parametrize(("start", "end"), [("\ufeff", "\r\n"), ("", "\r\n"), ("\ufeff", "\n")])
def test_a_mapping_that_a_spreadsheet_has_saved(folder, start, end):
    lines = [[f"{name}.0", f"{slide}.0", f" {kind} "] for name, slide, kind in rows()]
    write_mapping(folder, lines, start, end)
    check_whole(load_peso(folder, TILE, max_background=1))


def test_jpeg_in_place_of_png(folder):
    write_archive(folder, files("JPEG", ".jpg"))
    tiles = load_peso(folder, TILE, max_background=1)
    decoded = np.asarray(Image.open(io.BytesIO(encoded(region(1), "JPEG"))))
    np.testing.assert_array_equal(tiles.images[0], decoded[:TILE, :TILE])


def test_averaged_over_area(folder):
    whole = load_peso(folder, TILE, max_background=1).images
    half = load_peso(folder, TILE // 2, max_background=1)
    expected = [cv2.resize(t, (16, 16), interpolation=cv2.INTER_AREA) for t in whole]
    np.testing.assert_array_equal(half.images, expected)
    # The share is of the pixels as they were scanned, whatever the size that is asked for.
    shares = load_peso(folder, TILE, max_background=1).factors["background"]
    np.testing.assert_array_equal(half.factors["background"], shares)


@pytest.mark.parametrize("most", [0, 0.3, 0.95, 1])
def test_tiles_with_more_background_are_left_out(folder, most):
    shares = load_peso(folder, TILE, max_background=1).factors["background"]
    kept = load_peso(folder, TILE, max_background=most)
    assert len(kept) == sum(share <= most for share in shares)
    assert kept.factors["background"].max() <= most
    assert 0 < len(kept) < len(shares) or most == 1


def test_decoded_once(folder, monkeypatch):
    first = load_peso(folder, TILE)
    assert isinstance(load_peso(folder, TILE, 1).images, np.memmap)
    monkeypatch.setattr(peso_files, "decode_image", None)  # again would fail
    np.testing.assert_array_equal(load_peso(folder, TILE).images, first.images)


def test_shares_that_were_lost_are_counted_again(folder, tmp_path):
    first = load_peso(folder, TILE)
    (lost,) = (tmp_path / "outputs" / "cache").glob("*-background.npy")
    lost.unlink()
    again = load_peso(folder, TILE)
    np.testing.assert_array_equal(again.factors["background"], first.factors["background"])


def test_other_files_are_decoded_anew(folder):
    load_peso(folder, TILE)
    images = files()
    images["1.png"] = encoded(255 - region(1))
    write_archive(folder, images)
    tiles = load_peso(folder, TILE, max_background=1)
    np.testing.assert_array_equal(tiles.images[0], 255 - region(1)[:TILE, :TILE])


def test_found_by_name_under_the_data_root(folder, monkeypatch):
    monkeypatch.setenv("SDLIB_DATA", str(folder.parent))
    assert len(load_peso(size=8, max_background=1)) == REGIONS * 16


def test_without_the_folder_the_way_to_the_data_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("SDLIB_DATA", raising=False)
    with pytest.raises(DataError, match=r"set SDLIB_DATA .*python -m sdlib fetch peso"):
        load_peso()
    with pytest.raises(DataError, match=r"peso_testset_mapping.csv in .*sdlib fetch peso"):
        load_peso(tmp_path)


@pytest.mark.parametrize("most", [-0.1, 1.5, float("nan")])
def test_a_share_that_is_none(tmp_path, most):
    with pytest.raises(ConfigError, match="expected max_background from 0 to 1"):
        load_peso(tmp_path, max_background=most)


# -- Bad mappings


def changed(row, column, value):
    lines = rows()
    lines[row - 2][["id", "slide", "type"].index(column)] = value
    return lines


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (changed(4, "type", "Cancer"), r"type in \{non-cancer, cancer\}, got Cancer in row 4 of"),
        (changed(4, "type", "benign"), r"type in .*, got benign in row 4 of .*mapping.csv"),
        (changed(5, "type", ""), r"expected a type in row 5 of peso_testset_mapping.csv, got an"),
        (changed(6, "id", "4"), r"each region once, got id 4 in row 5 and again in row 6 of"),
        (changed(6, "id", "4.0"), r"each region once, got id 4 in row 5 and again in row 6 of"),
        (changed(6, "id", "../4"), r"expected id to be a whole number, got ../4 in row 6 of"),
        (changed(2, "type", "cancer"), r"expected 12 regions in .*, 5 of them .*, got 12 and 6"),
        (rows()[:-1], r"expected 12 regions in .*mapping.csv, 5 of them with cancer, got 11 and 5"),
        (changed(2, "slide", "41"), r"4 regions of every slide in .*, got 5 of slide 41"),
        (
            changed(13, "id", "99"),
            r"99.png \(or .jpg\) in .*zip, found none, and so for 1 of 12",
        ),
    ],
)
def test_a_mapping_that_is_not_the_published_one(folder, tmp_path, lines, message):
    write_mapping(folder, lines)
    with pytest.raises(DataError, match=message):
        load_peso(folder, TILE)
    assert not (tmp_path / "outputs").exists()


def test_a_mapping_without_a_column(folder):
    write_mapping(folder)
    path = folder / "peso_testset_mapping.csv"
    path.write_text(path.read_text().replace("type", "label"))
    with pytest.raises(DataError, match=r"columns id, slide, type in .*, got id, slide, label"):
        load_peso(folder, TILE)


# -- Bad images


def bomb():
    """A PNG of few bytes that its archive says to be of a hundred million."""
    return bytes(100_000_000)


def damaged(case, folder):
    """Writes the archive with one thing wrong."""
    images, path = files(), folder / "peso_testset_png.zip"
    if case == "missing":
        del images["7.png"]
    elif case == "wrong size":
        images["7.png"] = encoded(region(7)[:-1])
    elif case == "truncated":
        images["7.png"] = images["7.png"][:-200]
    elif case == "no image":
        images["7.png"] = b"<html>"
    elif case == "twice":
        images["7.jpg"] = encoded(region(7), "JPEG")
    write_archive(folder, images)
    if case == "bomb":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in {**images, "7.png": bomb()}.items():
                archive.writestr(name, content)
    elif case == "no archive":
        path.write_text("an error page")
    elif case == "no end":
        path.write_bytes(path.read_bytes()[:-100])
    elif case == "changed bytes":
        content = bytearray(path.read_bytes())
        place = content.index(images["7.png"][100:200])
        content[place] ^= 255
        path.write_bytes(content)
    elif case == "nothing":
        path.unlink()


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("missing", r"expected 7.png \(or .jpg\) in .*peso_testset_png.zip, found none"),
        ("wrong size", r"expected 100 x 100 px in 7.png in .*zip, got 100 x 99: it is not the"),
        ("truncated", r"7.png in .*zip cannot be decoded"),
        ("no image", r"7.png in .*zip is not an image that can be read"),
        ("twice", r"one image of region 7 in .*zip, got 7.png and 7.jpg: remove one"),
        ("bomb", r"at most 67108864 bytes of 7.png in .*zip, got 100000000: fetch the archive"),
        ("no archive", r"peso_testset_png.zip is not a readable archive .*: fetch it again"),
        ("no end", r"peso_testset_png.zip is not a readable archive .*: fetch it again"),
        ("changed bytes", r"7.png in .*zip is damaged \(Bad CRC-32 .*: fetch the archive again"),
        ("nothing", r"expected peso_testset_png.zip or its images in .*, found neither"),
    ],
)
def test_archives_that_are_not_the_published_one(folder, tmp_path, case, message):
    damaged(case, folder)
    with pytest.raises(SdlibError, match=message):
        load_peso(folder, TILE)
    cache = tmp_path / "outputs" / "cache"
    assert not cache.exists() or list(cache.iterdir()) == [], "half-written"


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("missing", r"expected 7.png \(or .jpg\) in .*peso_testset_png, found none"),
        ("wrong size", r"expected 100 x 100 px in .*/7.png, got 100 x 99"),
        ("truncated", r"/7.png cannot be decoded"),
        ("twice", r"one image of region 7 in .*peso_testset_png, got 7.* and 7.*: remove one"),
    ],
)
def test_folders_that_are_not_the_published_one(folder, case, message):
    unpacked = folder / "peso_testset_png"
    unpack(folder, unpacked)
    path = unpacked / "7.png"
    if case == "missing":
        path.unlink()
    elif case == "wrong size":
        path.write_bytes(encoded(region(7)[:-1]))
    elif case == "truncated":
        path.write_bytes(path.read_bytes()[:-200])
    else:
        (unpacked / "7.jpg").write_bytes(encoded(region(7), "JPEG"))
    with pytest.raises(DataError, match=message):
        load_peso(folder, TILE)


# -- Geometry


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 300))
def test_tile_starts_cover_everything_and_nothing_beyond(tile, step, more):
    step, length = min(step, tile), tile + more
    starts = tile_starts(length, tile, step)
    covered = np.zeros(length + 100, int)
    for start in starts:
        covered[start : start + tile] += 1
    assert covered[:length].min() >= 1
    assert covered[length:].max() == 0
    gaps = np.diff(starts)
    assert (gaps[:-1] == step).all()
    assert len(gaps) == 0 or 0 < gaps[-1] <= step


def test_the_published_geometry():
    assert round(512 * 0.8) == peso.STEP
    starts = tile_starts(peso.REGION_SIDE, peso.TILE_SIDE, peso.STEP)
    assert starts == [0, 410, 820, 1230, 1640, 1988]
    assert len(starts) ** 2 * peso.REGIONS == 5760


@pytest.mark.parametrize(("level", "share"), [(205, 0), (206, 1), (255, 1)])
def test_glass_is_where_the_optical_density_is_below_that_of_stains(level, share):
    from sdlib.stain.estimate import BETA, IO

    assert (-np.log((level + 1) / IO) < BETA) == share
    assert background_share(np.full((4, 4, 3), level, np.uint8)) == share
    one_channel = np.full((4, 4, 3), 255, np.uint8)
    one_channel[..., 1] = level
    assert background_share(one_channel) == share


def test_the_papers_count_after_dropping_105_tiles_of_glass(tmp_path, monkeypatch):
    """160 regions of full size, of which 21 have five tiles of glass."""
    tissue = np.full((2500, 2500, 3), 120, np.uint8)
    with_glass = tissue.copy()
    with_glass[:2200, 1700:] = 250  # the sixth tile of the last column is half tissue
    corners = [(y, x) for y in tile_starts(2500, 512, 410) for x in tile_starts(2500, 512, 410)]
    shares = [background_share(with_glass[y : y + 512, x : x + 512]) for y, x in corners]
    assert sum(share > peso.MAX_BACKGROUND for share in shares) == 5
    lines = [
        [str(i + 1), str(i // 4 + 1), "cancer" if i < 71 else "non-cancer"] for i in range(160)
    ]
    write_mapping(tmp_path, lines)
    contents = {True: encoded(with_glass), False: encoded(tissue)}
    write_archive(tmp_path, {f"{i + 1}.png": contents[i % 7 == 0 and i < 147] for i in range(160)})
    # The two images are the same 160 times: decoding each of them once is enough.
    decode = functools.cache(lambda content: decode_image(content, "region"))
    monkeypatch.setattr(peso_files, "decode_image", lambda content, name: decode(content))
    monkeypatch.setattr(peso, "fit_square", lambda tile, size: tile[:size, :size])
    every = load_peso(tmp_path, 8, max_background=1, cache=tmp_path)
    kept = load_peso(tmp_path, 8, cache=tmp_path)
    assert (len(every), len(kept)) == (5760, 5655)
    assert every.targets.sum() == 71 * 36
    assert len(set(kept.groups)) == 40
