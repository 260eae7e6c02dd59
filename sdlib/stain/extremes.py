"""Compiled search of a tile for the percentiles that Macenko's estimate needs.

Functions compiled here call no compiled function of another file: numba would not notice changes
of that one in what it keeps between processes.
"""

from __future__ import annotations

import math

import numpy as np

from sdlib.stain.kernels import compiled

__all__ = ["find_neighbours"]

BLOCK, GROUP = 512, 64
SAMPLE = 1024  # pixels that tell where a percentile is to be sought
ZERO, NAN, INFINITY = np.float32(0), np.float32(np.nan), np.float32(np.inf)


@compiled()
def find_neighbours(planes, axes, angles, beta, n, percent):
    """The values between which an upper percentile of two measures lies, as NumPy defines it.

    A sample tells where the upper tails begin; only they are ordered, unless the sample has misled.

    Args:
        planes: optical densities, float32 (3, N).
        axes: float32 (3, 3); the measures are lengths along rows 0 and 1, or with ``angles``, of
            tissue alone, the tangents of the angles to row 2 towards rows 0 and 1.
        angles: whether.
        beta: least density of tissue, float32.
        n: number of values of either measure.
        percent: of the n values.

    Returns:
        float64 (2, 2), the values below and above of each measure.
    """
    found = np.empty((2, 2))
    rank = int((n - 1) * percent / 100)
    n_pixels = planes.shape[1]
    step = n_pixels // SAMPLE | 1  # odd: most do not stay in one column of the tile
    some = np.empty((3, (n_pixels + step - 1) // step), np.float32)
    for c in range(3):
        for i in range(some.shape[1]):
            some[c, i] = planes[c, i * step]
    values, bounds, room = np.empty(some.shape[1], np.float32), np.empty(2, np.float32), 0
    for s in range(2):
        size = _measure_all(some, axes, s, angles, beta, values)
        share = size * (1 - percent / 100)
        beyond = int(share + 4 * math.sqrt(share) + 2)
        bounds[s] = _select(values[:size], max(size - 1 - beyond, 0)) if size else NAN
        room = 2 * beyond * step
    tails = np.empty((2, room + 1), np.float32)
    counts = _gather(planes, axes, angles, beta, bounds, tails)
    for s in range(2):
        count, tail = counts[s], tails[s]
        if not n - rank <= count <= room:
            tail = np.empty(n_pixels, np.float32)
            count = _measure_all(planes, axes, s, angles, beta, tail)
        k = rank - (n - count)
        found[s, 0] = found[s, 1] = _select(tail[:count], k)
        if k + 1 < count:
            found[s, 1] = _select(tail[:count], k + 1)
    return found


@compiled()
def _select(values, k):
    """The value of rank k, from 0; reorders ``values`` (Hoare's selection)."""
    low, high = 0, values.size - 1
    while low < high:
        pivot, i, j = values[(low + high) // 2], low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return values[k]


@compiled()
def _measure(red, green, blue, axes, s, angles, beta, out):
    """Fill ``out``; tangents are infinite from a right angle on, NaN where there is no tissue."""
    a0, a1, a2 = axes[s, 0], axes[s, 1], axes[s, 2]
    b0, b1, b2 = axes[2, 0], axes[2, 1], axes[2, 2]
    if not angles:
        for i in range(out.size):
            out[i] = a0 * red[i] + a1 * green[i] + a2 * blue[i]
    else:
        for i in range(out.size):
            r, g, b = red[i], green[i], blue[i]
            y = a0 * r + a1 * g + a2 * b
            x = b0 * r + b1 * g + b2 * b
            beyond = INFINITY if y > ZERO else -INFINITY
            tangent = y / x if x > ZERO else beyond
            out[i] = tangent if (r >= beta) & (g >= beta) & (b >= beta) else NAN


@compiled()
def _measure_all(planes, axes, s, angles, beta, values):
    """Fill the beginning of ``values`` with all measures but NaN; return how many there are."""
    _measure(planes[0], planes[1], planes[2], axes, s, angles, beta, values)
    n = 0
    for i in range(values.size):
        values[n] = values[i]
        n += values[i] == values[i]
    return n


@compiled()
def _gather(planes, axes, angles, beta, bounds, tails):
    """Fill ``tails`` with both measures' values from ``bounds`` on; return how many there are.

    The last place of a tail is for values that are not kept.
    """
    counts, last = np.zeros(2, np.int64), tails.shape[1] - 1
    values = np.empty(BLOCK, np.float32)
    for start in range(0, planes.shape[1], BLOCK):
        stop = min(start + BLOCK, planes.shape[1])
        red, green, blue = planes[0, start:stop], planes[1, start:stop], planes[2, start:stop]
        block = values[: stop - start]
        for s in range(2):
            _measure(red, green, blue, axes, s, angles, beta, block)
            n, bound, tail = counts[s], bounds[s], tails[s]
            for begin in range(0, block.size, GROUP):
                group = block[begin : begin + GROUP]
                hits = np.int32(0)  # most groups have none: vectors of values tell at once
                for i in range(group.size):
                    hits += np.int32(1) if group[i] >= bound else np.int32(0)
                if hits > 0:
                    for i in range(group.size):
                        tail[min(n, last)] = group[i]
                        n += group[i] >= bound
            counts[s] = n
    return counts
