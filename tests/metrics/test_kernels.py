"""The compiled loops of metrics: sorting, 128-bit sums, draws, against plain NumPy and Python."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from sdlib.metrics.kernels import count_draws, gains, rank

GAMMA = 0x9E3779B97F4A7C15
finite = st.floats(allow_nan=False, allow_infinity=False)
MASK = 2**64 - 1


@given(hnp.arrays(np.float64, st.integers(1, 60), elements=finite | st.sampled_from([0.0, -0.0])))
def test_scores_are_ranked_as_by_a_stable_sort(scores):
    keys, orders = np.empty((2, len(scores)), np.uint64), np.empty((2, len(scores)), np.int32)
    row = rank(scores, keys, orders)
    np.testing.assert_array_equal(orders[row], np.argsort(scores, kind="stable"))
    ranked = scores[orders[row]]
    np.testing.assert_array_equal(keys[row][1:] == keys[row][:-1], ranked[1:] == ranked[:-1])
    assert (keys[row][1:] >= keys[row][:-1]).all()


def test_squares_are_summed_beyond_64_bits():
    rng = np.random.default_rng(0)
    wins_a, wins_b = rng.integers(0, 2**32, (2, 50))
    positive = rng.random(50) < 0.5
    sums, squares = gains(wins_a, wins_b, positive)
    assert sums.tolist() == [wins_a[positive].sum(), wins_b[positive].sum()]
    gained = (wins_a - wins_b).astype(object)
    for row, own in zip(squares.tolist(), (gained[~positive], gained[positive]), strict=True):
        assert row[0] > 0
        assert (row[0] << 64) + row[1] == (own * own).sum()


def word(state):
    """SplitMix64 as published, in Python's whole numbers."""
    z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def test_the_model_of_the_generator_gives_its_published_numbers():
    """The first numbers from a seed of 1234567, as printed on Rosetta Code."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [word((1234567 + k * GAMMA) & MASK) for k in (1, 2, 3)] == published


def modelled(bounds, state, words=256):
    """One row of counts and the state after it, draw by draw."""
    counts = np.zeros(bounds[-1], int)
    for start, stop in pairwise(bounds):
        size = left = stop - start
        while left:
            block = [word((state + k * GAMMA) & MASK) for k in range(1, words + 1)]
            state = (state + words * GAMMA) & MASK
            halves = [w & 0xFFFFFFFF for w in block] + [w >> 32 for w in block]
            for half in halves[:left]:
                product = half * size
                while product & 0xFFFFFFFF < 2**32 % size:
                    state = (state + GAMMA) & MASK
                    product = (word(state) & 0xFFFFFFFF) * size
                counts[start + (product >> 32)] += 1
            left -= min(left, 2 * words)
    return counts, state


@pytest.mark.parametrize("bounds", [[0, 1], [0, 7], [0, 256, 257], [0, 300, 1000], [0, 70_001]])
def test_draws_are_those_of_the_model(bounds):
    first = state = 2**64 - 12345
    rows = np.empty((3, bounds[-1]), np.int32)
    after = count_draws(np.array(bounds), np.uint64(first), rows)
    for row in rows:
        expected, state = modelled(bounds, state)
        np.testing.assert_array_equal(row, expected)
    assert after == state


def test_draws_from_an_incomplete_part_are_drawn_anew():
    """With 3 million places, some 700 in a million draws fall into it."""
    size = 3_000_001
    rows = np.empty((1, size), np.int32)
    after = count_draws(np.array([0, size]), np.uint64(5), rows)
    blocks = -(-size // 512)
    anew = (int(after) - 5) * pow(GAMMA, -1, 2**64) % 2**64 - 256 * blocks
    expected = size * (2**32 % size) / 2**32
    assert rows.sum() == size
    assert abs(anew - expected) < 5 * np.sqrt(expected)


def test_counts_are_multinomial():
    size, n_rows = 10, 20_000
    rows = np.empty((n_rows, size), np.int32)
    count_draws(np.array([0, size]), np.uint64(1), rows)
    assert (rows.sum(axis=1) == size).all()
    # Each count is binomial, and two of a row have a covariance of -1/size.
    observed = np.bincount(np.minimum(rows[:, 3], 5), minlength=6)
    shares = stats.binom.pmf(np.arange(5), size, 1 / size)
    expected = n_rows * np.append(shares, 1 - shares.sum())
    assert stats.chisquare(observed, expected).pvalue > 1e-3
    assert stats.chisquare(rows.sum(axis=0)).pvalue > 1e-3
    covariance = np.cov(rows.T)
    np.testing.assert_allclose(covariance, np.eye(size) - 1 / size, atol=0.04)
