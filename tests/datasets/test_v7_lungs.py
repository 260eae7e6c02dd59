"""Masks of lungs: in a small copy of their form, and for real where the films are at hand."""

import csv
import hashlib
import io
import zipfile
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from sdlib.datasets.open_cxr import read_open_cxr
from sdlib.datasets.store import data_folder
from sdlib.datasets.v7_lungs import load_v7_lungs
from sdlib.errors import DataError
from sdlib.films.square import square_film


def at_hand():
    try:
        return data_folder("open-cxr")
    except DataError:
        return None


needs_open_cxr = pytest.mark.skipif(
    at_hand() is None, reason="SDLIB_DATA names no folder with open-cxr"
)

# Shape of each film, and of its mask; None where it has none.
SHAPES = {
    "cohen/wide.jpg": ((20, 30), (40, 60)),
    "cohen/tall.jpg": ((30, 20), (90, 60)),
    "cohen/copy.jpg": ((20, 20), (20, 20)),
    "cohen/without.jpg": ((20, 20), None),
    "hannover/square.jpg": ((20, 26), (80, 80)),
    "nih/other.jpg": ((20, 20), (20, 20)),
}


def mask_of(shape, seed):
    """Lung in blocks of pixels, so that resizing by averages is exact, and one with an object."""
    blocks = np.random.default_rng(seed).choice([0, 127, 255], np.array(shape) // 10)
    return blocks.repeat(10, 0).repeat(10, 1).astype(np.uint8)


def png(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A small folder of films, and the archive of their masks, under names of other endings."""
    monkeypatch.setenv("SDLIB_DATA", str(tmp_path))
    monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path / "outputs"))
    rows, rng = [], np.random.default_rng(0)
    with zipfile.ZipFile(tmp_path / "masks.zip", "w") as opened:
        for number, (file, (shape, mask_shape)) in enumerate(SHAPES.items()):
            path = tmp_path / "open-cxr" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(rng.integers(0, 256, shape, dtype=np.uint8)))
            source, name = file.split("/")
            row = {
                "file": file,
                "label": "covid",
                "group": f"g{number}",
                "source": source,
                "view": "",
                "finding": "",
                "width": shape[1],
                "height": shape[0],
                "duplicate_of": "cohen/wide.jpg" if "copy" in file else "",
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
            rows.append(row)
            if mask_shape:
                opened.writestr(f"masks/{name[:-4]}.PNG", png(mask_of(mask_shape, number)))
    with (tmp_path / "open-cxr" / "manifest.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path / "masks.zip"


def test_films_and_masks_belong_together(archive):
    lungs = load_v7_lungs(10, archive=archive)
    assert lungs.sources.tolist() == ["cohen", "cohen", "hannover"]
    assert lungs.groups.tolist() == ["g0", "g1", "g4"]
    for row, file in enumerate(["cohen/wide.jpg", "cohen/tall.jpg", "hannover/square.jpg"]):
        film = np.asarray(Image.open(archive.parent / "open-cxr" / file))
        np.testing.assert_array_equal(lungs.films[row], square_film(film, 10))


def test_masks_are_of_the_central_square(archive):
    lungs = load_v7_lungs(4, archive=archive)

    def shares(mask):
        """The share of lung in each of 4 x 4 parts of a square mask."""
        return 255 * (mask == 255).reshape(4, len(mask) // 4, 4, len(mask) // 4).mean(axis=(1, 3))

    # (40, 60) loses 10 columns at each side, (90, 60) 15 rows, the square of hannover nothing.
    for row, mask in enumerate(
        [mask_of((40, 60), 0)[:, 10:50], mask_of((90, 60), 1)[15:75], mask_of((80, 80), 4)]
    ):
        np.testing.assert_allclose(lungs.masks[row], shares(mask), atol=1)


def test_parts_of_the_set(archive):
    lungs = load_v7_lungs(10, archive=archive)
    part = lungs.subset(lungs.sources == "hannover")
    assert (len(part), part.groups.tolist()) == (1, ["g4"])
    np.testing.assert_array_equal(part.masks[0], lungs.masks[2])


def test_a_mask_of_another_film_is_told(archive, tmp_path):
    with zipfile.ZipFile(tmp_path / "wrong.zip", "w") as opened:
        opened.writestr("tall.png", png(mask_of((60, 90), 0)))
    with pytest.raises(
        DataError, match=r"aspect 0\.67 of the film, or a square, got 1\.50 in tall"
    ):
        load_v7_lungs(10, archive=tmp_path / "wrong.zip")


def test_archives_that_cannot_be_used(archive, tmp_path):
    with pytest.raises(DataError, match=r"none\.zip cannot be read: .*install torchxrayvision"):
        load_v7_lungs(10, archive=tmp_path / "none.zip")
    (tmp_path / "broken.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"broken\.zip cannot be read"):
        load_v7_lungs(10, archive=tmp_path / "broken.zip")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with pytest.raises(DataError, match=r"expected masks of films of .* found none"):
        load_v7_lungs(10, archive=tmp_path / "empty.zip")
    with zipfile.ZipFile(tmp_path / "text.zip", "w") as opened:
        opened.writestr("wide.png", "no image")
    with pytest.raises(DataError, match=r"wide\.png in .*text\.zip is not an image"):
        load_v7_lungs(10, archive=tmp_path / "text.zip")


def test_without_the_package_it_is_named(archive, monkeypatch):
    monkeypatch.setattr("sdlib.datasets.v7_lungs.importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataError, match="pip install torchxrayvision"):
        load_v7_lungs(10)


@needs_open_cxr
@pytest.mark.skipif(not find_spec("torchxrayvision"), reason="the masks are in torchxrayvision")
def test_real_masks(tmp_path):
    lungs = load_v7_lungs(96, cache=tmp_path)
    assert np.unique(lungs.sources, return_counts=True)[1].tolist() == [106, 77]
    assert len(set(lungs.groups)) == 101
    share = (lungs.masks > 127).mean(axis=(1, 2))
    assert share.min() > 0.05
    assert share.max() < 0.7
    # Lungs are darker than the film around them, in nearly every film.
    grey = lungs.films[..., 0]
    inside = np.array(
        [film[mask > 127].mean() for film, mask in zip(grey, lungs.masks, strict=True)]
    )
    assert (inside < grey.mean(axis=(1, 2))).mean() > 0.8
    _, table = read_open_cxr()
    assert set(lungs.groups) <= set(table["group"])
