"""Rendered images of any shape are kept, and made again where they are not what they should be.

Damaged files, other code and several processes: see the phantom of histology in test_phantom.py.
"""

from functools import partial

import numpy as np
import pytest

from sdlib.datasets.rendered import keep_rendered
from sdlib.errors import ConfigError, SdlibError


def fill(level, shape):
    return np.full(shape, level, np.uint8)


def broken(level):
    if level == 2:
        raise SdlibError("nothing to see")
    return np.full(3, level, np.uint8)


@pytest.mark.parametrize("shape", [(5,), (4, 4), (2, 3, 3)])
def test_images_of_any_shape_are_kept_in_order(tmp_path, shape):
    path = tmp_path / "new" / "levels.npy"
    assert keep_rendered(path, {}, range(9), partial(fill, shape=shape), workers=1) == path
    kept = np.load(path)
    assert kept.shape == (9, *shape)
    assert kept.dtype == np.uint8
    np.testing.assert_array_equal(kept.reshape(9, -1).T, np.tile(np.arange(9), (kept[0].size, 1)))


def test_another_design_or_other_ends_are_noticed(tmp_path, caplog):
    path, render = tmp_path / "levels.npy", partial(fill, shape=(2, 2))
    for design, levels in (({"a": 1}, [1, 2, 3]), ({"a": 2}, [1, 2, 3]), ({"a": 2}, [1, 2, 4])):
        keep_rendered(path, design, levels, render, workers=1)
        assert np.load(path)[:, 0, 0].tolist() == levels
    assert caplog.text.count("making it again") == 2
    written = path.stat().st_mtime_ns
    keep_rendered(path, {"a": 2}, [1, 2, 4], render, workers=1)
    assert path.stat().st_mtime_ns == written


def test_nothing_is_left_of_a_set_that_cannot_be_rendered(tmp_path):
    with pytest.raises(SdlibError, match="nothing to see"):
        keep_rendered(tmp_path / "levels.npy", {}, [1, 2, 3], broken, workers=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers_are_refused(tmp_path, workers):
    with pytest.raises(ConfigError, match=f"expected at least 1 worker, got {workers}"):
        keep_rendered(tmp_path / "x.npy", {}, [1], partial(fill, shape=(2,)), workers)
