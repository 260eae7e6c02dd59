"""Compiled search of a tile for the percentiles that Macenko's estimate needs.

Functions compiled here call no compiled function of another file: numba keeps what it has compiled
between processes, and would not notice that the other file has changed.
"""

from __future__ import annotations

import math

import numpy as np

from sdlib.compiling import compiled

__all__ = ["find_neighbours"]

BLOCK, GROUP = 512, 64  # pixels whose measures are worked out, and looked through, at a time
SAMPLE = 1024  # pixels that show where to look for a percentile
ZERO, NAN, INFINITY = np.float32(0), np.float32(np.nan), np.float32(np.inf)


@compiled()
def find_neighbours(planes, axes, angles, beta, n, percent):
    """Find the two values between which an upper percentile of two measures lies, as in NumPy.

    A sample shows where the upper tails begin, and only the tails are ordered. Where the sample has
    misled, all values are.

    Parameters
    ----------
    planes : numpy.ndarray
        float32 (3, N), optical densities.
    axes : numpy.ndarray
        float32 (3, 3). The measures are lengths along rows 0 and 1, or with ``angles`` the tangents
        of the angles from row 2 towards rows 0 and 1.
    angles : bool
        Whether to measure angles, and then of tissue only.
    beta : numpy.float32
        Least density of tissue.
    n : int
        Number of values of either measure.
    percent : float
        The percentile, of the n values.

    Returns
    -------
    numpy.ndarray
        float64 (2, 2), the values below and above for each measure.
    """
    found = np.empty((2, 2))
    rank = int((n - 1) * percent / 100)
    n_pixels = planes.shape[1]
    # An odd step seldom divides the width of a tile, so the sample is not all from one column.
    step = n_pixels // SAMPLE | 1
    some = np.empty((3, (n_pixels + step - 1) // step), np.float32)
    for c in range(3):
        for i in range(some.shape[1]):
            some[c, i] = planes[c, i * step]
    values, bounds, room = np.empty(some.shape[1], np.float32), np.empty(2, np.float32), 0
    for s in range(2):
        size = _measure_all(some, axes, s, angles, beta, values)
        # Four standard deviations more than the expected count: the sample seldom misleads.
        share = size * (1 - percent / 100)
        beyond = int(share + 4 * math.sqrt(share) + 2)
        bounds[s] = _select(values[:size], max(size - 1 - beyond, 0)) if size else NAN
        room = 2 * beyond * step
    tails = np.empty((2, room + 1), np.float32)
    counts = _gather(planes, axes, angles, beta, bounds, tails)
    for s in range(2):
        count, tail = counts[s], tails[s]
        # The tail starts above the percentile, or has more values than there was room for.
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
    """The value of rank k, counted from 0, by Hoare's selection; ``values`` are reordered."""
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
    """Measure pixels along axis ``s`` into ``out``.

    Tangents are infinite from a right angle on, and NaN where there is no tissue.
    """
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
    """Fill the beginning of ``values`` with all measures except NaN; return their number."""
    _measure(planes[0], planes[1], planes[2], axes, s, angles, beta, values)
    n = 0
    for i in range(values.size):
        values[n] = values[i]
        n += values[i] == values[i]  # NaN alone differs from itself
    return n


@compiled()
def _gather(planes, axes, angles, beta, bounds, tails):
    """Fill ``tails`` with the values of both measures from ``bounds`` on; return their numbers.

    The last place of a tail takes the values that are not kept, so that the loop has no branch.
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
                hits = np.int32(0)  # most groups have none, and a vectorised count shows it
                for i in range(group.size):
                    hits += np.int32(1) if group[i] >= bound else np.int32(0)
                if hits > 0:
                    for i in range(group.size):
                        tail[min(n, last)] = group[i]
                        n += group[i] >= bound
            counts[s] = n
    return counts
