"""Compiled part of Macenko's estimate: the extremes of a tile's colours and concentrations.

Functions compiled here call no compiled function of another file: numba would not notice changes
of that one in what it keeps between processes.
"""

from __future__ import annotations

import numpy as np

from sdlib.stain_kernels import compiled

__all__ = ["find_stains", "pseudo_inverse"]

BLOCK, GROUP = 512, 64
SAMPLE = 1024  # pixels that tell where a percentile is to be sought
LINE = 1e-6  # variance across a line over that along it
MIN_ANGLE = 0.05  # rad, between the stains
TOP_PERCENTILE = 99.0
ZERO, NAN, INFINITY = np.float32(0), np.float32(np.nan), np.float32(np.inf)


@compiled()
def find_stains(planes, n, mean, variances, vectors, beta, alpha):
    """Stain matrix and top concentrations, or zeros where the colours have no two stains.

    Args:
        planes: optical densities, float32 (3, N).
        n: number of tissue pixels.
        mean: float64 (3,), their mean.
        variances, vectors: float64 (3,) and (3, 3), ascending, of their covariance.
        beta: least density of tissue, float32.
        alpha: percentile of the extremes.
    """
    matrix, tops = np.zeros((2, 3)), np.zeros(2)
    second, first = vectors[:, 1].copy(), vectors[:, 2].copy()
    x, y = (mean * first).sum(), (mean * second).sum()
    length = np.sqrt(x * x + y * y)
    if variances[1] <= LINE * variances[2] or length == 0:
        return matrix, tops
    # Angles from the mean colour grow with their tangents, whatever the signs of the vectors.
    along, across = (x * first + y * second) / length, (x * second - y * first) / length
    axes = np.empty((2, 3), np.float32)
    axes[0], axes[1] = -across, across
    below, above, share = _neighbours(planes, axes, along.astype(np.float32), beta, n, 100 - alpha)
    below, above = np.arctan(below), np.arctan(above)
    low, high = below + share * (above - below)
    low = -low
    if high - low < MIN_ANGLE or max(-low, high) >= np.pi / 2:
        return matrix, tops
    matrix[0] = np.cos(low) * along + np.sin(low) * across
    matrix[1] = np.cos(high) * along + np.sin(high) * across
    if matrix[0, 0] < matrix[1, 0]:  # haematoxylin absorbs more red
        matrix = matrix[::-1].copy()
    weights = pseudo_inverse(matrix).astype(np.float32)
    below, above, share = _neighbours(planes, weights, None, beta, planes.shape[1], TOP_PERCENTILE)
    return matrix, below + share * (above - below)


@compiled()
def pseudo_inverse(matrix):
    """Weights (2, 3) of optical densities in least-squares concentrations."""
    h, e = matrix[0], matrix[1]
    hh, he, ee = (h * h).sum(), (h * e).sum(), (e * e).sum()
    weights = np.empty((2, 3))
    weights[0] = (ee * h - he * e) / (hh * ee - he * he)
    weights[1] = (hh * e - he * h) / (hh * ee - he * he)
    return weights


@compiled()
def _neighbours(planes, axes, along, beta, n, percent):
    """Values around an upper percentile of two measures, and the share of the way between them.

    Measures are those of :func:`_measure` for either row of ``axes``, n values each. A sample tells
    where the upper tails begin; only they are ordered, unless the sample has misled.
    """
    below, above = np.empty(2), np.empty(2)
    rank = (n - 1) * percent / 100
    n_pixels = planes.shape[1]
    step = n_pixels // SAMPLE | 1  # odd: most do not stay in one column of the tile
    some = np.empty((3, (n_pixels + step - 1) // step), np.float32)
    for c in range(3):
        for i in range(some.shape[1]):
            some[c, i] = planes[c, i * step]
    bounds = np.empty(2, np.float32)
    beyond = 0
    for s in range(2):
        sample = _measure_all(some, axes[s], along, beta)
        share = sample.size * (1 - percent / 100)
        beyond = int(share + 4 * np.sqrt(share) + 2)
        k = max(sample.size - 1 - beyond, 0)
        bounds[s] = np.partition(sample, k)[k] if sample.size else NAN
    room = 2 * beyond * step
    tails = np.empty((2, room + 1), np.float32)
    counts = _gather(planes, axes, along, beta, bounds, tails)
    for s in range(2):
        if n - int(rank) <= counts[s] <= room:
            below[s], above[s] = _order(tails[s, : counts[s]], rank - (n - counts[s]))
        else:
            below[s], above[s] = _order(_measure_all(planes, axes[s], along, beta), rank)
    return below, above, rank - int(rank)


@compiled()
def _order(values, rank):
    k = int(rank)
    ordered = np.partition(values, k)
    below = np.float64(ordered[k])
    above = np.float64(ordered[k + 1 :].min()) if k + 1 < values.size else below
    return below, above


@compiled()
def _measure(red, green, blue, across, along, beta, out):
    """Tangents, across over along, of tissue's angles, or without ``along`` lengths across.

    Tangents are infinite from a right angle on, NaN where there is no tissue.
    """
    a0, a1, a2 = across[0], across[1], across[2]
    if along is None:
        for i in range(out.size):
            out[i] = a0 * red[i] + a1 * green[i] + a2 * blue[i]
    else:
        b0, b1, b2 = along[0], along[1], along[2]
        for i in range(out.size):
            r, g, b = red[i], green[i], blue[i]
            y = a0 * r + a1 * g + a2 * b
            x = b0 * r + b1 * g + b2 * b
            beyond = INFINITY if y > ZERO else -INFINITY
            tangent = y / x if x > ZERO else beyond
            out[i] = tangent if (r >= beta) & (g >= beta) & (b >= beta) else NAN


@compiled()
def _measure_all(planes, across, along, beta):
    """All measures but NaN."""
    values = np.empty(planes.shape[1], np.float32)
    _measure(planes[0], planes[1], planes[2], across, along, beta, values)
    n = 0
    for value in values:
        values[n] = value
        n += value == value
    return values[:n]


@compiled()
def _gather(planes, axes, along, beta, bounds, tails):
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
            _measure(red, green, blue, axes[s], along, beta, block)
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
