"""Single-threaded numba kernels of :mod:`sdlib.stain`: loops that a compiler can vectorise.

Planes are float32 (3, N), one row a colour, N pixels. Blocks of pixels stay in the nearest cache.
Nothing here checks its arguments.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

__all__ = ["fade", "find_tails", "optical_density", "remix", "tangents", "unmix"]

BLOCK = 512
# Added to a float32, it leaves the nearest whole number, ties to even, in the lowest bits.
MAGIC = np.float32(1.5 * 2**23)
EXPONENT_BIT = np.int32(23)
ZERO, ONE, TOP = np.float32(0), np.float32(1), np.float32(255)
# 2 ** r for r from -1/2 to 1/2, to a relative error of 3e-7; exactly 1 at 0.
C1, C2, C3, C4, C5 = (
    np.float32(c) for c in (0.693146596, 0.240221660, 0.0555104738, 0.00967495193, 0.00132029823)
)
# Beyond these powers of two every grey level is 0 or 255.
LOWEST, HIGHEST = np.float32(-20), np.float32(20)
STEP = np.float32(0.1)


def _compiled(**options) -> Callable:
    # Fused multiply-adds are the only liberty with floating point that pixels may feel.
    options = {"fastmath": {"contract"}, "error_model": "numpy", **options}

    def compiled(function: Callable) -> Callable:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # there is no folder that the cache may be written to
            return njit(**options)(function)

    return compiled


@_compiled()
def _power_of_two(x):
    x = min(max(x, LOWEST), HIGHEST)
    shifted = np.float32(x + MAGIC)
    r = x - (shifted - MAGIC)
    power = np.float32(ONE + r * (C1 + r * (C2 + r * (C3 + r * (C4 + r * C5)))))
    exponent = shifted.view(np.int32) << EXPONENT_BIT
    return np.int32(power.view(np.int32) + exponent).view(np.float32)


@_compiled()
def _narrow(wide, plane):
    for i in range(plane.size):
        plane[i] = np.float32(wide[i])


@_compiled(fastmath=True)  # else sums are not vectorised
def _add_moments(red, green, blue, beta, moments):
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


@_compiled()
def optical_density(pixels, table, beta, planes):
    """Fill ``planes`` from interleaved uint8 pixels and return the moments of the tissue.

    Tissue are pixels of at least ``beta`` in every colour. Returns float64 (10,): their number,
    the sums of R, G, B, and of RR, GG, BB, RG, RB, GB.
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


@_compiled()
def tangents(planes, along, across, beta, out):
    """Tangent of each tissue pixel's angle to ``along`` in the plane of both unit vectors.

    Infinite from a right angle on, NaN where there is no tissue.
    """
    red, green, blue = planes[0], planes[1], planes[2]
    a0, a1, a2 = along[0], along[1], along[2]
    b0, b1, b2 = across[0], across[1], across[2]
    nan, inf = np.float32(np.nan), np.float32(np.inf)
    for i in range(out.size):
        r, g, b = red[i], green[i], blue[i]
        x = a0 * r + a1 * g + a2 * b
        y = b0 * r + b1 * g + b2 * b
        beyond = inf if y > ZERO else -inf
        tangent = y / x if x > ZERO else beyond
        out[i] = tangent if (r >= beta) & (g >= beta) & (b >= beta) else nan


@_compiled()
def find_tails(values, low, high, below, above):
    """Copy the values up to ``low`` and those from ``high``; return how many there are of each."""
    n_below = n_above = 0
    for i in range(values.size):
        value = values[i]
        below[n_below] = value
        above[n_above] = value
        n_below += value <= low
        n_above += value >= high
    return n_below, n_above


@_compiled()
def unmix(planes, weights, out):
    """Concentrations (2, N) of both stains: ``weights`` (2, 3) times optical densities."""
    red, green, blue, haematoxylin, eosin = planes[0], planes[1], planes[2], out[0], out[1]
    h0, h1, h2 = weights[0, 0], weights[0, 1], weights[0, 2]
    e0, e1, e2 = weights[1, 0], weights[1, 1], weights[1, 2]
    for i in range(red.size):
        r, g, b = red[i], green[i], blue[i]
        haematoxylin[i] = h0 * r + h1 * g + h2 * b
        eosin[i] = e0 * r + e1 * g + e2 * b


@_compiled()
def remix(planes, weights, white, out):
    """Planes of grey levels ``white * 2 ** (weights @ densities)``, rounded down, 255 at most."""
    red, green, blue = planes[0], planes[1], planes[2]
    for c in range(3):
        plane = out[c]
        w0, w1, w2 = weights[c, 0], weights[c, 1], weights[c, 2]
        for i in range(plane.size):
            level = white * _power_of_two(w0 * red[i] + w1 * green[i] + w2 * blue[i])
            plane[i] = np.uint8(np.int32(min(level, TOP)))


@_compiled()
def _interleave(concentration, vector, out):
    v0, v1, v2 = vector[0], vector[1], vector[2]
    for i in range(concentration.size):
        c = concentration[i]
        out[3 * i] = c * v0
        out[3 * i + 1] = c * v1
        out[3 * i + 2] = c * v2


@_compiled()
def _start(pixels, haematoxylin, eosin, h, e, light):
    if h == ZERO and e == ZERO:
        for i in range(pixels.size):
            light[i] = np.float32(pixels[i]) + ONE
    else:
        for i in range(pixels.size):
            taken = _power_of_two(h * haematoxylin[i] + e * eosin[i])
            light[i] = (np.float32(pixels[i]) + ONE) * taken


@_compiled()
def _power_of_step(exponent, factor):
    for i in range(factor.size):
        factor[i] = _power_of_two(STEP * exponent[i])


@_compiled()
def _multiply(light, factor):
    for i in range(light.size):
        light[i] *= factor[i]


@_compiled()
def _write(light, out):
    for i in range(out.size):
        rounded = np.float32(min(max(light[i] - ONE, ZERO), TOP) + MAGIC)
        out[i] = np.uint8(rounded.view(np.int32))


@_compiled()
def fade(pixels, concentrations, matrix, at_once, stain, steps, out):
    """Take stain out of an image, once for each of L levels.

    A level that takes the steps of the one before it and more goes on from there.

    Args:
        pixels: uint8 (3 N,), interleaved.
        concentrations: float32 (2, N).
        matrix: float32 (2, 3), optical densities of the stains in powers of two.
        at_once: float32 (L, 2), shares of either stain to take first.
        stain: int64 (L,), the stain of which to take more.
        steps: int64 (L,), how many tenths of it, one after the other.
        out: uint8 (L, 3 N), overwritten.
    """
    exponents = np.zeros((2, 3 * BLOCK), np.float32)
    factors = np.empty((2, 3 * BLOCK), np.float32)
    light = np.empty(3 * BLOCK, np.float32)
    stepped = [np.any((stain == s) & (steps > 0)) for s in range(2)]
    begun = [np.any(at_once[:, s] > ZERO) for s in range(2)]
    for start in range(0, concentrations.shape[1], BLOCK):
        stop = min(start + BLOCK, concentrations.shape[1])
        n = 3 * (stop - start)
        for s in range(2):
            if stepped[s] or begun[s]:
                _interleave(concentrations[s, start:stop], matrix[s], exponents[s])
            if stepped[s]:
                _power_of_step(exponents[s], factors[s])
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
                _multiply(light[:n], factors[stain[k]])
            _write(light, out[k, 3 * start : 3 * stop])
