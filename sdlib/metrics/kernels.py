"""Single-threaded numba kernels of :mod:`sdlib.metrics`: ranking and resampling in whole numbers.

Pairs of a positive and a negative example are counted twice over, so that a tie, half a win, is a
whole number, too: sums are exact, whatever their order. Nothing here checks its arguments.
"""

from __future__ import annotations

import numpy as np

from sdlib.compiling import compiled

__all__ = ["count_draws", "count_pairs", "count_wins", "gains", "rank", "resample"]

# A 64-bit key is sorted by six digits of 11 bits, the last of which has 9.
DIGIT_BITS, DIGITS = np.uint64(11), 6
BUCKETS = 1 << 11
DIGIT_MASK = np.uint64(BUCKETS - 1)
SIGN = np.uint64(1 << 63)
# SplitMix64 of Steele, Lea and Flood (OOPSLA 2014): words can be worked out in any order.
GAMMA = np.uint64(0x9E3779B97F4A7C15)
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
SHIFT_1, SHIFT_2, SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)
ZERO = 0.0
HALF, LOW = np.uint64(32), np.uint64(2**32 - 1)
ONE = np.uint64(1)
WORDS = 256  # drawn at a time, two draws each


@compiled()
def rank(scores, keys, orders):
    """Sort scores from low to high, by a radix sort; equal ones keep their order.

    NumPy's argsort takes three times as long where scores are many. Memory comes from the caller:
    taking it anew costs as much as sorting.

    Parameters
    ----------
    scores : numpy.ndarray
        float64 (n,), finite.
    keys : numpy.ndarray
        uint64 (2, n), overwritten: a row has whole numbers in ascending order; equal scores have
        equal ones.
    orders : numpy.ndarray
        int32 or int64 (2, n), overwritten: the same row has the places of the sorted scores.

    Returns
    -------
    int
        The row, 0 or 1.
    """
    n = scores.size
    counts = np.zeros((DIGITS, BUCKETS), np.int64)
    for i in range(n):
        # Adding 0 makes a negative zero a positive one: equal scores have equal bits.
        bits = np.float64(scores[i] + ZERO).view(np.uint64)
        # As whole numbers, bits order positive floats upwards, but negative ones downwards.
        key = ~bits if bits & SIGN else bits | SIGN
        keys[0, i] = key
        orders[0, i] = i
        for digit in range(DIGITS):
            counts[digit, key & DIGIT_MASK] += 1
            key >>= DIGIT_BITS
    row, shift = 0, np.uint64(0)
    for digit in range(DIGITS):
        starts = counts[digit]
        if starts.max() < n:  # otherwise all have the same digit
            total = 0
            for bucket in range(BUCKETS):
                total, starts[bucket] = total + starts[bucket], total
            for i in range(n):
                key = keys[row, i]
                bucket = (key >> shift) & DIGIT_MASK
                place = starts[bucket]
                starts[bucket] = place + 1
                keys[1 - row, place] = key
                orders[1 - row, place] = orders[row, i]
            row = 1 - row
        shift += DIGIT_BITS
    return row


@compiled()
def count_wins(scores, positive, n_positive, keys, orders, wins):
    """Count twice the examples of the other class that each is ranked correctly against.

    Parameters
    ----------
    scores : numpy.ndarray
        float64 (n,), finite.
    positive : numpy.ndarray
        bool (n,), whether an example is positive.
    n_positive : int
        How many are.
    keys, orders
        As for :func:`rank`.
    wins : numpy.ndarray
        int32 or int64 (n,), overwritten: 2 a win, 1 a tie.
    """
    row = rank(scores, keys, orders)
    keys, order = keys[row], orders[row]
    n = keys.size
    negatives_below = positives_below = 0
    start = 0
    while start < n:
        stop, positives = start, 0
        while stop < n and keys[stop] == keys[start]:
            positives += positive[order[stop]]
            stop += 1
        negatives = stop - start - positives
        of_positive = 2 * negatives_below + negatives
        of_negative = 2 * (n_positive - positives_below) - positives
        for i in range(start, stop):
            wins[order[i]] = of_positive if positive[order[i]] else of_negative
        negatives_below += negatives
        positives_below += positives
        start = stop


@compiled()
def gains(wins_a, wins_b, positive):
    """Sum wins, and squares of their differences, by class.

    Squares of 64 bits are added to totals of 128 bits, kept as two halves.

    Returns
    -------
    sums : numpy.ndarray
        int64 (2,), the wins of all positives by scores a and b.
    squares : numpy.ndarray
        uint64 (2, 2): a row for the negatives, a row for the positives; the upper half, the lower.
    """
    sums, squares = np.zeros(2, np.int64), np.zeros((2, 2), np.uint64)
    for i in range(positive.size):
        row = 1 if positive[i] else 0
        sums[0] += row * wins_a[i]
        sums[1] += row * wins_b[i]
        gain = np.uint64(abs(np.int64(wins_a[i]) - np.int64(wins_b[i])))
        square = gain * gain
        lower = squares[row, 1] + square
        squares[row, 0] += ONE if lower < square else np.uint64(0)
        squares[row, 1] = lower
    return sums, squares


@compiled()
def _word(state):
    """The word of SplitMix64 at a state."""
    z = (state ^ (state >> SHIFT_1)) * MIX_1
    z = (z ^ (z >> SHIFT_2)) * MIX_2
    return z ^ (z >> SHIFT_3)


@compiled()
def _draw(counts, n_draws, state, low_halves, high_halves):
    """Count draws with replacement from all places of ``counts``; returns the state after them.

    Lemire's method (ACM TOMACS 2019) without its bias: the upper half of a product of 32-bit
    numbers is the place; a draw whose lower half is in the incomplete part is drawn anew.
    """
    size = np.uint64(counts.size)
    incomplete = (ONE << HALF) % size
    left = n_draws
    while left > 0:
        # Words and products are worked out in a loop of their own, which a compiler vectorises.
        for i in range(WORDS):
            word = _word(state + np.uint64(i + 1) * GAMMA)
            low_halves[i] = (word & LOW) * size
            high_halves[i] = (word >> HALF) * size
        state += np.uint64(WORDS) * GAMMA
        for products in (low_halves, high_halves):
            for i in range(min(left, WORDS)):
                product = products[i]
                while product & LOW < incomplete:
                    state += GAMMA
                    product = (_word(state) & LOW) * size
                counts[product >> HALF] += 1
            left -= min(left, WORDS)
    return state


@compiled()
def count_draws(bounds, state, counts):
    """Fill rows of counts: from each stratum as many units are drawn, with replacement, as it has.

    Parameters
    ----------
    bounds : numpy.ndarray
        int64 (S + 1,), where the S strata begin and end among the K units.
    state : numpy.uint64
        The state of the generator.
    counts : numpy.ndarray
        int32 (R, K), overwritten: how often each unit was drawn.

    Returns
    -------
    numpy.uint64
        The state after the last row.
    """
    halves = np.empty((2, WORDS), np.uint64)
    counts[:] = 0
    for r in range(len(counts)):
        for s in range(bounds.size - 1):
            start, stop = bounds[s], bounds[s + 1]
            drawn = counts[r, start:stop]
            state = _draw(drawn, stop - start, state, halves[0], halves[1])
    return state


@compiled()
def count_pairs(unit, mask, mixed, counts):
    """Count twice the pairs in which the positive example wins, each example ``counts`` times.

    Parameters
    ----------
    unit : numpy.ndarray
        int64 (n,), the unit (example or group) of each example, in the order of rising scores;
        among examples of equal score the positive ones come first.
    mask : numpy.ndarray
        int64 (n,), in the same order: -1, all bits set, for positive examples, 0 for negative ones.
    mixed : numpy.ndarray
        int64 (T, 2), where runs of equal scores of both classes begin and end.
    counts : numpy.ndarray
        int32 (K,), how often each unit counts.

    Returns
    -------
    wins, negatives, positives : int
        The pairs, 2 a win and 1 a tie, and the number of examples of either class.
    """
    negatives = positives = won = tied = 0
    for i in range(unit.size):
        count = np.int64(counts[unit[i]])
        own = count & mask[i]
        negatives += count - own
        positives += own
        won += own * negatives
    for t in range(len(mixed)):
        own = other = 0
        for i in range(mixed[t, 0], mixed[t, 1]):
            count = np.int64(counts[unit[i]])
            own += count & mask[i]
            other += count & ~mask[i]
        tied += own * other
    return 2 * won + tied, negatives, positives


@compiled()
def resample(unit, mask, mixed, bounds, state, totals):
    """Resample R times, and count pairs each time.

    Parameters
    ----------
    unit, mask, mixed
        As for :func:`count_pairs`.
    bounds, state
        As for :func:`count_draws`.
    totals : numpy.ndarray
        int64 (R, 3), overwritten: a row has what :func:`count_pairs` returns.
    """
    counts = np.empty((1, bounds[-1]), np.int32)
    for r in range(len(totals)):
        state = count_draws(bounds, state, counts)
        totals[r, 0], totals[r, 1], totals[r, 2] = count_pairs(unit, mask, mixed, counts[0])
