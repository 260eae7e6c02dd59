"""Sweeps in git: signs and order exact, values to 1/16, files small and broken ones named."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from sdlib.errors import ConfigError, DataError
from sdlib.results import sweep_format as sweep_store
from sdlib.results.sweep_format import FARTHEST, GRID, on_grid, pack, unpack
from sdlib.shifts import LEVELS

NAMES = ("clean", *(level.name for level in LEVELS))
FINITE = {"allow_nan": False, "allow_infinity": False}


def smooth(n=400, seed=0):
    """Logits that drift from level to level, as a network's do."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 2, n) + np.cumsum(rng.normal(0, 0.1, (len(NAMES), n)), axis=0)


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.just(9), st.integers(0, 5)),
        elements=st.floats(-600, 600, width=32, **FINITE),
    )
)
def test_reads_back_the_grids_middle_with_every_sign(logits):
    levels = NAMES[:1] + NAMES[18:26]
    found = unpack(pack(logits, levels), levels)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, on_grid(logits))
    np.testing.assert_array_equal(np.signbit(found), np.signbit(logits))
    near = np.abs(logits) < FARTHEST
    assert (np.abs(found - logits)[near] <= 0.5 / GRID).all()


def test_order_is_kept_but_for_ties():
    logits = np.sort(np.random.default_rng(0).normal(0, 3, 1000))
    assert (np.diff(on_grid(logits)) >= 0).all()


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-30, -1e-30, np.float16(-6e-8)])
def test_the_smallest_logits_keep_their_side_of_the_cutoff(value):
    assert np.signbit(on_grid(np.array(value))) == np.signbit(value)


def test_a_file_reads_back_and_is_the_same_every_time(tmp_path):
    targets, groups = np.arange(400, dtype=np.int8) % 2, np.arange(400, dtype=np.int16) // 8
    logits = {("weight_decay_none", 0): smooth(), ("sd_eq1_none", 3): smooth(seed=1)}
    files = tmp_path / "one.npz", tmp_path / "two.npz"
    for file in files:
        sweep_store.write(file, NAMES, targets, groups, logits)
    assert files[0].read_bytes() == files[1].read_bytes()
    levels, found_targets, found_groups, found = sweep_store.read(files[0])
    assert levels == NAMES
    np.testing.assert_array_equal(found_targets, targets)
    np.testing.assert_array_equal(found_groups, groups)
    assert list(found) == list(logits)
    for key, own in logits.items():
        np.testing.assert_array_equal(found[key], on_grid(own))


def test_is_half_of_what_half_precision_takes(tmp_path):
    targets, groups, logits = np.zeros(400, np.int8), np.zeros(400, np.int16), smooth()
    sweep_store.write(tmp_path / "own.npz", NAMES, targets, groups, {("a", 0): logits})
    np.savez_compressed(tmp_path / "half.npz", logits=logits.astype(np.float16))
    sizes = [(tmp_path / name).stat().st_size for name in ("own.npz", "half.npz")]
    assert sizes[0] < sizes[1] / 2


def test_says_what_is_wrong(tmp_path):
    with pytest.raises(ConfigError, match="expected finite logits, got 2 others"):
        on_grid(np.array([np.nan, 1.0, -np.inf]))
    with pytest.raises(ConfigError, match=r"of 2 levels, got shape \(3, 4\)"):
        pack(np.zeros((3, 4)), NAMES[:2])
    whole = tmp_path / "whole.npz"
    sweep_store.write(whole, NAMES, np.zeros(9), np.zeros(9), {("a", 0): smooth(9)})
    short, other = tmp_path / "short.npz", tmp_path / "other.npz"
    short.write_bytes(whole.read_bytes()[:-99])
    np.savez(other, targets=np.zeros(9))
    for file in (short, other):
        with pytest.raises(DataError, match=rf"{file.name} is damaged \(no whole .*record it anew"):
            sweep_store.read(file)
