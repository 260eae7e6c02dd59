"""Phantom tissue as a data set: kept on disk, mended where it is broken."""

from dataclasses import replace

import numpy as np
import pytest

from sdlib.datasets.phantom import generate
from sdlib.errors import ConfigError, SdlibError
from sdlib.phantoms import FACTORS, Acquisition, draw_tiles, render


def test_the_cache_is_read_again_and_mended(tmp_path, caplog):
    first = generate(6, 16, seed=1, workers=1, cache=tmp_path)
    (path,) = tmp_path.glob("*.npy")
    expected, written = first.images.copy(), path.stat().st_mtime_ns
    generate(6, 16, seed=1, workers=1, cache=tmp_path)
    assert path.stat().st_mtime_ns == written
    assert not caplog.records

    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-1] ^= 1
    for broken in (bytes(flipped), whole[:-7], b""):
        path.write_bytes(broken)
        caplog.clear()
        mended = generate(6, 16, seed=1, workers=1, cache=tmp_path)
        assert "does not match its checksum" in caplog.text
        np.testing.assert_array_equal(mended.images, expected)
    path.with_suffix(".json").unlink()
    caplog.clear()
    np.testing.assert_array_equal(
        generate(6, 16, seed=1, workers=1, cache=tmp_path).images, expected
    )
    assert "making it again" in caplog.text
    assert len(list(tmp_path.iterdir())) == 2  # nothing temporary is left


def test_tiles_of_other_code_are_made_again(tmp_path, caplog, monkeypatch):
    before = generate(4, 16, seed=1, workers=1, cache=tmp_path).images.copy()
    redder = replace(FACTORS["eosin"], centre=(1.5, 1.5))
    monkeypatch.setitem(FACTORS, "eosin", redder)
    after = generate(4, 16, seed=1, workers=1, cache=tmp_path)
    assert "made by other code" in caplog.text
    np.testing.assert_array_equal(after.images[0], render(draw_tiles(4, seed=1)[0], 16))
    assert (after.images != before).any()


def test_workers_do_not_change_the_tiles(tmp_path):
    alone = generate(130, 16, seed=2, workers=1, cache=tmp_path / "one")
    shared = generate(130, 16, seed=2, workers=2, cache=tmp_path / "two")
    np.testing.assert_array_equal(alone.images, shared.images)
    tile = draw_tiles(130, seed=2)[129]
    np.testing.assert_array_equal(shared.images[129], render(tile, 16))
    assert shared.groups[129] == tile.patient
    assert shared.factors["gland_size"][129] == tile.gland_size


def test_designs_do_not_share_a_file(tmp_path):
    generate(2, 16, seed=0, cache=tmp_path)
    generate(2, 16, seed=0, scanner="flash3", cache=tmp_path)
    generate(2, 16, seed=0, cohort="external", cache=tmp_path)
    generate(2, 17, seed=0, cache=tmp_path)
    generate(2, 16, seed=0, acquisition=Acquisition(stain="radboud"), cache=tmp_path)
    generate(2, 16, seed=0, acquisition=Acquisition(scanner="flash2"), cache=tmp_path)
    for patient in {tile.patient for tile in draw_tiles(4, seed=0)}:
        generate(4, 16, seed=0, patients=[patient], cache=tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 8


def test_tiles_acquired_otherwise_are_rendered_so(tmp_path):
    acquisition = Acquisition("radboud", "flash2", "10x")
    found = generate(5, 16, seed=3, workers=1, cache=tmp_path, acquisition=acquisition)
    expected = acquisition.apply(draw_tiles(5, seed=3))
    np.testing.assert_array_equal(found.images, [render(tile, 16) for tile in expected])
    assert found.factors["sharpness"].tolist() == [tile.sharpness for tile in expected]
    assert set(found.factors["centre"]) == {"radboud"}


def test_only_the_tiles_of_some_patients(tmp_path):
    whole = generate(60, 16, seed=3, workers=1, cache=tmp_path)
    chosen = np.unique(whole.groups)[[4, 1]].tolist()
    found = generate(60, 16, seed=3, workers=1, cache=tmp_path, patients=chosen)
    mine = np.isin(whole.groups, chosen)
    assert 0 < mine.sum() < 60
    np.testing.assert_array_equal(found.images, whole.images[mine])
    np.testing.assert_array_equal(found.targets, whole.targets[mine])
    np.testing.assert_array_equal(found.factors["seed"], whole.factors["seed"][mine])
    # The order in which patients are named makes no other file.
    before = sorted(tmp_path.iterdir())
    generate(60, 16, seed=3, workers=1, cache=tmp_path, patients=chosen[::-1])
    assert sorted(tmp_path.iterdir()) == before


def test_the_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SDLIB_CACHE", str(tmp_path / "here"))
    generate(1, 16, seed=0)
    assert len(list((tmp_path / "here").glob("*.npy"))) == 1


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SdlibError, match="cannot write"):
        generate(1, 16, seed=0, cache=tmp_path / "file")


def test_bad_input_is_named():
    with pytest.raises(ConfigError, match="size of at least 16 px, got 8"):
        generate(2, 8, 0)
    with pytest.raises(ConfigError, match="at least 1 worker, got 0"):
        generate(2, 16, 0, workers=0)
    with pytest.raises(ConfigError, match=r"none of 2 tiles of later is of the patients \['me'\]"):
        generate(2, 16, 0, "later", patients=["me"])
