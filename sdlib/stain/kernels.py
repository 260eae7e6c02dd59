"""Single-threaded numba kernels of :mod:`sdlib.stain`: loops that a compiler can vectorise.

Planes are float32 (3, N), one row per colour, N pixels. Work goes by blocks of pixels that stay in
the nearest cache. Nothing here checks its arguments.
"""

from __future__ import annotations

import numpy as np

from sdlib.compiling import compiled

__all__ = ["LOG2_E", "fade", "optical_density", "remix", "unmix"]

LOG2_E = 1 / np.log(2)  # optical density to powers of two, in which kernels count
BLOCK = 512
# Added to a float32, it leaves the nearest whole number, ties to even, in the lowest bits.
MAGIC = np.float32(1.5 * 2**23)
EXPONENT_BIT, ONE_BITS = np.int32(23), np.int32(127 << 23)
ZERO, ONE, TOP = np.float32(0), np.float32(1), np.float32(255)
# 2 ** r - 1 for r from -1/2 to 1/2, to 3e-7; to 1e-8 within 1/10, where most steps of stain lie.
C1, C2, C3, C4, C5 = (
    np.float32(c) for c in (0.693147181, 0.240226507, 0.0555074363, 0.00965253316, 0.00132107333)
)
# Beyond these powers of two every grey level is 0 or 255.
LOWEST, HIGHEST = np.float32(-20), np.float32(20)
STEP = np.float32(0.1)


@compiled()
def _split_power(x):
    """Split 2 ** x into scale and growth, as ``scale * (1 + growth)``; exactly (1, 0) at 0."""
    x = min(max(x, LOWEST), HIGHEST)
    shifted = np.float32(x + MAGIC)
    r = x - (shifted - MAGIC)
    growth = r * (C1 + r * (C2 + r * (C3 + r * (C4 + r * C5))))
    scale = np.int32((shifted.view(np.int32) << EXPONENT_BIT) + ONE_BITS).view(np.float32)
    return scale, growth


@compiled()
def _power_of_two(x):
    """2 ** x, for float32 x."""
    scale, growth = _split_power(x)
    return scale + scale * growth


@compiled()
def _narrow(wide, plane):
    """Round a float64 row into a float32 one."""
    for i in range(plane.size):
        plane[i] = np.float32(wide[i])


# Sums are vectorised only if they may be added in another order.
@compiled(fastmath=True)
def _add_moments(red, green, blue, beta, moments):
    """Add the moments of a block's tissue to ``moments``."""
    n = sr = sg = sb = rr = gg = bb = rg = rb = gb = 0.0
    for i in range(red.size):
        r, g, b = red[i], green[i], blue[i]
        tissue = (r >= beta) & (g >= beta) & (b >= beta)
        n += 1.0 if tissue else 0.0
        r = r if tissue else 0.0
        g = g if tissue else 0.0
        b = b if tissue else 0.0
        sr += r
        sg += g
        sb += b
        rr += r * r
        gg += g * g
        bb += b * b
        rg += r * g
        rb += r * b
        gb += g * b
    for k, value in enumerate((n, sr, sg, sb, rr, gg, bb, rg, rb, gb)):
        moments[k] += value


@compiled()
def optical_density(pixels, table, beta, planes):
    """Fill ``planes`` with optical densities and return the moments of the tissue.

    Parameters
    ----------
    pixels : numpy.ndarray
        uint8 (3 N,), interleaved R, G, B.
    table : numpy.ndarray
        float64 (256,), the optical density of each grey level.
    beta : float
        Pixels of at least this density in every colour are tissue.
    planes : numpy.ndarray
        float32 (3, N), overwritten.

    Returns
    -------
    numpy.ndarray
        float64 (10,): the number of tissue pixels, the sums of R, G, B, and the sums of RR, GG, BB,
        RG, RB, GB.
    """
    moments = np.zeros(10)
    red, green, blue = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    for start in range(0, planes.shape[1], BLOCK):
        stop = min(start + BLOCK, planes.shape[1])
        n = stop - start
        block = pixels[3 * start : 3 * stop]
        for i in range(n):
            red[i] = table[block[3 * i]]
            green[i] = table[block[3 * i + 1]]
            blue[i] = table[block[3 * i + 2]]
        _narrow(red, planes[0, start:stop])
        _narrow(green, planes[1, start:stop])
        _narrow(blue, planes[2, start:stop])
        _add_moments(red[:n], green[:n], blue[:n], beta, moments)
    return moments


@compiled()
def unmix(planes, weights, out):
    """Fill ``out`` (2, N) with concentrations: ``weights`` (2, 3) times optical densities."""
    red, green, blue = planes[0], planes[1], planes[2]
    for s in range(2):
        concentrations = out[s]
        w0, w1, w2 = weights[s, 0], weights[s, 1], weights[s, 2]
        for i in range(concentrations.size):
            concentrations[i] = w0 * red[i] + w1 * green[i] + w2 * blue[i]


@compiled()
def remix(planes, weights, white, out):
    """Fill ``out`` (3, N) with grey levels, rounded down, of at most 255.

    They are ``white * 2 ** (weights @ densities)``, with ``weights`` float32 (3, 3).
    """
    red, green, blue = planes[0], planes[1], planes[2]
    for c in range(3):
        plane = out[c]
        w0, w1, w2 = weights[c, 0], weights[c, 1], weights[c, 2]
        for i in range(plane.size):
            level = white * _power_of_two(w0 * red[i] + w1 * green[i] + w2 * blue[i])
            plane[i] = np.uint8(np.int32(min(level, TOP)))


@compiled()
def _interleave(concentration, vector, out):
    """Fill ``out`` with the optical densities of one stain, interleaved R, G, B."""
    v0, v1, v2 = vector[0], vector[1], vector[2]
    for i in range(concentration.size):
        c = concentration[i]
        out[3 * i] = c * v0
        out[3 * i + 1] = c * v1
        out[3 * i + 2] = c * v2


@compiled()
def _start(pixels, haematoxylin, eosin, h, e, light):
    """Fill ``light`` with a block's light after shares ``h`` and ``e`` of the stains are taken."""
    if h == ZERO and e == ZERO:
        for i in range(pixels.size):
            light[i] = np.float32(pixels[i]) + ONE
    else:
        for i in range(pixels.size):
            taken = _power_of_two(h * haematoxylin[i] + e * eosin[i])
            light[i] = (np.float32(pixels[i]) + ONE) * taken


@compiled()
def _grow_by_step(exponent, growth):
    """Fill ``growth`` with what a tenth of a stain, once taken out, adds to light of 1."""
    for i in range(growth.size):
        scale, rest = _split_power(STEP * exponent[i])
        growth[i] = (scale - ONE) + scale * rest


@compiled()
def _grow(light, growth):
    """Take out one tenth of a stain."""
    for i in range(light.size):
        # Multiplying by a rounded 1 + growth would add up the errors of ten factors near 1.
        light[i] += light[i] * growth[i]


@compiled()
def _write(light, out):
    """Round light to grey levels."""
    for i in range(out.size):
        rounded = np.float32(min(max(light[i] - ONE, ZERO), TOP) + MAGIC)
        out[i] = np.uint8(rounded.view(np.int32))


@compiled()
def fade(pixels, concentrations, matrix, at_once, stain, steps, out):
    """Take stain out of an image, once for each of L levels.

    A level that takes the same steps as the level before it, and more, continues from there.

    Parameters
    ----------
    pixels : numpy.ndarray
        uint8 (3 N,), interleaved R, G, B.
    concentrations : numpy.ndarray
        float32 (2, N).
    matrix : numpy.ndarray
        float32 (2, 3), optical densities of the stains in powers of two.
    at_once : numpy.ndarray
        float32 (L, 2), the share of either stain to take first; a negative one is added.
    stain : numpy.ndarray
        int64 (L,), the stain of which to take more.
    steps : numpy.ndarray
        int64 (L,), how many tenths of it to take, one after the other.
    out : numpy.ndarray
        uint8 (L, 3 N), overwritten.
    """
    exponents = np.zeros((2, 3 * BLOCK), np.float32)
    growths = np.empty((2, 3 * BLOCK), np.float32)
    light = np.empty(3 * BLOCK, np.float32)
    begun, stepped = np.zeros(2, np.bool_), np.zeros(2, np.bool_)
    for k in range(steps.size):
        for s in range(2):
            begun[s] |= at_once[k, s] != ZERO
            stepped[s] |= steps[k] > 0 and stain[k] == s
    for start in range(0, concentrations.shape[1], BLOCK):
        stop = min(start + BLOCK, concentrations.shape[1])
        n = 3 * (stop - start)
        for s in range(2):
            if stepped[s] or begun[s]:
                _interleave(concentrations[s, start:stop], matrix[s], exponents[s])
            if stepped[s]:
                _grow_by_step(exponents[s], growths[s])
        for k in range(steps.size):
            taken = steps[k - 1]
            if (
                k == 0
                or stain[k] != stain[k - 1]
                or steps[k] < taken
                or at_once[k, 0] != at_once[k - 1, 0]
                or at_once[k, 1] != at_once[k - 1, 1]
            ):
                block = pixels[3 * start : 3 * stop]
                _start(block, exponents[0], exponents[1], at_once[k, 0], at_once[k, 1], light)
                taken = 0
            for _ in range(taken, steps[k]):
                _grow(light[:n], growths[stain[k]])
            _write(light, out[k, 3 * start : 3 * stop])
