"""PatchCamelyon's published form, in small files written here."""

import gzip

import cv2
import h5py
import numpy as np
import pandas as pd
import pytest

from sdlib.datasets.pcam import load_pcam
from sdlib.errors import ConfigError, DataError, SdlibError

N = 600  # more than two of the loader's batches
STEM = "camelyonpatch_level_2_split_{}"


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1], [N - 250, 250])).astype(np.uint8)
    return rng.integers(0, 256, (N, 96, 96, 3), dtype=np.uint8), y.reshape(N, 1, 1, 1)


@pytest.fixture(scope="module")
def published(arrays, tmp_path_factory):
    """The folder as fetched: packed files and the meta table of the test split."""
    folder = tmp_path_factory.mktemp("pcam")
    for name, array in zip("xy", arrays, strict=True):
        write(folder / f"{STEM.format('test')}_{name}.h5", name, array)
        pack(folder / f"{STEM.format('valid')}_{name}.h5", name, array)
    pd.DataFrame(
        {
            "coord_y": 1,
            "coord_x": 2,
            "tumor_patch": arrays[1].ravel().astype(bool),
            "center_tumor_patch": arrays[1].ravel().astype(bool),
            "wsi": [f"camelyon16_test_{i // 40:03d}" for i in range(N)],
        }
    ).to_csv(folder / f"{STEM.format('test')}_meta.csv")
    return folder


def write(path, name, array):
    with h5py.File(path, "w") as file:
        file.create_dataset(name, data=array)


def pack(path, name, array):
    write(path, name, array)
    path.with_suffix(".h5.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
    path.unlink()


def test_whole_split(published, arrays, tmp_path):
    tiles = load_pcam("test", published, cache=tmp_path)
    np.testing.assert_array_equal(tiles.images, arrays[0])
    np.testing.assert_array_equal(tiles.targets, arrays[1].ravel())
    assert isinstance(tiles.images, np.memmap)
    assert not tiles.images.flags.writeable
    assert tiles.groups[[0, 39, 40]].tolist() == [
        "camelyon16_test_000",
        "camelyon16_test_000",
        "camelyon16_test_001",
    ]
    assert set(tiles.factors) == {"index"}


def test_packed_split_has_tiles_for_groups(published, arrays, tmp_path):
    tiles = load_pcam("validation", published, cache=tmp_path)
    np.testing.assert_array_equal(tiles.images, arrays[0])
    assert len(set(tiles.groups)) == N
    names = sorted(path.name for path in published.iterdir())
    assert not any(name.endswith("valid_x.h5") for name in names), "unpacked among the data"


@pytest.mark.parametrize("split", ["test", "validation"])
def test_resized_by_area(published, arrays, tmp_path, split):
    tiles = load_pcam(split, published, size=64, n=20, cache=tmp_path)
    expected = [
        cv2.resize(arrays[0][i], (64, 64), interpolation=cv2.INTER_AREA)
        for i in tiles.factors["index"]
    ]
    np.testing.assert_array_equal(tiles.images, expected)


@pytest.mark.parametrize("n", [2, 100, 500])
def test_part_is_balanced_seeded_and_in_order(published, arrays, tmp_path, n):
    tiles = load_pcam("test", published, n=n, seed=3, cache=tmp_path)
    index = tiles.factors["index"]
    assert np.bincount(tiles.targets).tolist() == [n // 2, n // 2]
    assert np.all(np.diff(index) > 0)
    np.testing.assert_array_equal(tiles.images, arrays[0][index])
    np.testing.assert_array_equal(tiles.targets, arrays[1].ravel()[index])
    assert tiles.groups.tolist() == [f"camelyon16_test_{i // 40:03d}" for i in index]
    again = load_pcam("test", published, n=n, seed=3, cache=tmp_path)
    other = load_pcam("test", published, n=n, seed=4, cache=tmp_path)
    np.testing.assert_array_equal(again.factors["index"], index)
    assert not np.array_equal(other.factors["index"], index)
    np.testing.assert_array_equal(other.images, arrays[0][other.factors["index"]])


def test_cache_is_used(published, tmp_path, monkeypatch):
    first = load_pcam("test", published, n=10, cache=tmp_path).images.copy()
    monkeypatch.setattr("sdlib.datasets.pcam.fit_square", None)  # reading again would fail
    np.testing.assert_array_equal(load_pcam("test", published, n=10, cache=tmp_path).images, first)


def test_memory_stays_small(published, tmp_path, monkeypatch):
    """Tiles reach the cache in batches, never the whole split at once."""
    from sdlib.datasets import pcam

    sizes = []

    def watch(path, shape, batches):
        sizes.extend(len(batch) for batch in batches)
        return np.zeros(shape, np.uint8)

    monkeypatch.setattr(pcam, "cached_tiles", watch)
    load_pcam("test", published, cache=tmp_path)
    assert sum(sizes) == N
    assert max(sizes) <= pcam.READ_BATCH < N


def test_centre_column_is_kept(published, arrays, tmp_path):
    meta = published / f"{STEM.format('test')}_meta.csv"
    folder = tmp_path / "with centres"
    folder.mkdir()
    for path in published.glob("*test_?.h5"):
        (folder / path.name).symlink_to(path)
    pd.read_csv(meta).assign(center=np.arange(N) % 2).to_csv(folder / meta.name)
    tiles = load_pcam("test", folder, n=10, cache=tmp_path)
    assert tiles.factors["centre"].tolist() == [str(i % 2) for i in tiles.factors["index"]]


def test_slides_in_two_spellings_are_one(published, tmp_path):
    folder = tmp_path / "numbered"
    folder.mkdir()
    for path in published.glob("*test_?.h5"):
        (folder / path.name).symlink_to(path)
    meta = pd.DataFrame({"wsi": [f"{i // 40}" + ".0" * (i % 2) for i in range(N)]})
    meta.to_csv(folder / f"{STEM.format('test')}_meta.csv")
    tiles = load_pcam("test", folder, cache=tmp_path)
    assert tiles.groups.tolist() == [str(i // 40) for i in range(N)]


@pytest.mark.parametrize("n", [0, -2, 3, 502])
def test_impossible_numbers(published, tmp_path, n):
    with pytest.raises(ConfigError, match=f"an even n of 2 to 500, half of each class, got {n}"):
        load_pcam("test", published, n=n, cache=tmp_path)


def test_unknown_split(published):
    with pytest.raises(ConfigError, match="expected a split of train, validation, test, got 'val"):
        load_pcam("valid", published)


def test_missing_files_say_how_to_get_them(published, tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"split_train_y.h5.gz in .*python -m sdlib fetch pcam"):
        load_pcam("train", published, cache=tmp_path)
    monkeypatch.delenv("SDLIB_DATA", raising=False)
    with pytest.raises(DataError, match=r"set SDLIB_DATA .*python -m sdlib fetch pcam"):
        load_pcam("train")
    monkeypatch.setenv("SDLIB_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"found no such folder.*python -m sdlib fetch pcam"):
        load_pcam("train")


def test_found_by_name_under_the_data_root(published, arrays, tmp_path, monkeypatch):
    (tmp_path / "pcam").symlink_to(published)
    monkeypatch.setenv("SDLIB_DATA", str(tmp_path))
    monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path / "outputs"))
    assert len(load_pcam("test", n=4)) == 4
    assert len(list((tmp_path / "outputs" / "cache").glob("pcam-test-96-*.npy"))) == 1


def broken(case, folder, x, y):
    """Writes the valid split with one thing wrong."""
    x_file, y_file = (folder / f"{STEM.format('valid')}_{name}.h5" for name in "xy")
    write(x_file, "x", x)
    write(y_file, "y", y)
    if case == "truncated":
        x_file.write_bytes(x_file.read_bytes()[:-5000])
    elif case == "no HDF5":
        y_file.write_text("an error page")
    elif case == "wrong name":
        write(x_file, "images", x)
    elif case == "too few labels":
        write(y_file, "y", y[:-1])
    elif case == "wrong size":
        write(x_file, "x", x[:, ::2, ::2])
    elif case == "wrong type":
        write(x_file, "x", x.astype(np.float32))
    elif case == "wrong label":
        write(y_file, "y", y + 1)
    elif case in ("truncated gz", "damaged gz", "no gz"):
        x_file.unlink()
        pack(x_file, "x", x)
        packed = x_file.with_suffix(".h5.gz")
        content = bytearray(packed.read_bytes())
        if case == "damaged gz":
            content[len(content) // 2] ^= 255
        packed.write_bytes(
            {"truncated gz": content[:-100], "no gz": b"an error page"}.get(case, content)
        )
    elif case == "meta that is none":
        (folder / f"{STEM.format('valid')}_meta.csv").write_bytes(b"\xff\xfe\x00\x01")
    elif case == "empty meta":
        (folder / f"{STEM.format('valid')}_meta.csv").write_bytes(b"")
    elif case == "meta of another split":
        pd.DataFrame({"wsi": ["a", "b"]}).to_csv(folder / f"{STEM.format('valid')}_meta.csv")


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("truncated", r"valid_x.h5 is not a readable HDF5 file: fetch it again"),
        ("no HDF5", r"valid_y.h5 is not a readable HDF5 file: fetch it again"),
        ("wrong name", r"a data set 'x' in .*valid_x.h5, got images"),
        ("too few labels", r"expected uint8 \(9, 96, 96, 3\) .* got uint8 \(10, 96, 96, 3\)"),
        ("wrong size", r"got uint8 \(10, 48, 48, 3\)"),
        ("wrong type", r"got float32"),
        ("wrong label", r"targets in \{0, 1\}, got 2"),
        ("truncated gz", r"valid_x.h5.gz is damaged: fetch it again"),
        ("damaged gz", r"valid_x.h5.gz is damaged: fetch it again"),
        ("no gz", r"valid_x.h5.gz is damaged: fetch it again"),
        ("meta that is none", r"valid_meta.csv is not a readable table: fetch it again"),
        ("empty meta", r"valid_meta.csv is not a readable table: fetch it again"),
        ("meta of another split", r"a column wsi and 10 rows in .*valid_meta.csv"),
    ],
)
def test_broken_files_are_explained(arrays, tmp_path, case, message):
    folder, cache = tmp_path / "pcam", tmp_path / "cache"
    folder.mkdir()
    broken(case, folder, arrays[0][:10], arrays[1][:10])
    with pytest.raises(SdlibError, match=message):
        load_pcam("validation", folder, cache=cache)
    assert not any(path.name.startswith(".") for path in cache.glob("*")), "half-written"
