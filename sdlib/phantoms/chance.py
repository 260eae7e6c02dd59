"""Random numbers by name: every draw is a pure function of a seed, a name and an index.

A sequential generator would let one more gland shift every number drawn after it. Here nucleus 7
of gland 3 gets its own numbers whatever else changes, so that a tile drawn again with one factor
changed is the same tile wherever that factor does not reach.
"""

from __future__ import annotations

import zlib
from functools import cache

import numpy as np
from scipy.special import ndtri

__all__ = ["bits", "normals", "uniforms"]

# The finaliser of SplitMix64 (Steele, Lea and Flood 2014) and the golden-ratio increment.
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
SHIFTS = tuple(np.uint64(shift) for shift in (30, 27, 31))
TO_DOUBLE = np.uint64(12)
WORD = 2**64 - 1
CHANNELS = 16  # the most numbers one index may have


@cache
def _salt(name: str) -> int:
    return zlib.crc32(name.encode()) * int(GOLDEN) & WORD


@cache
def _lanes(channels: int, axes: int) -> np.ndarray:
    """1, 2, ... ``channels``, along the first of ``axes`` + 1 axes."""
    return np.arange(1, channels + 1, dtype=np.uint64).reshape(-1, *(1,) * axes)


def _mix_one(x: int) -> int:
    """As :func:`_mix`, of one number: NumPy takes ten times as long for it."""
    x ^= x >> 30
    x = x * int(FIRST) & WORD
    x ^= x >> 27
    x = x * int(SECOND) & WORD
    return x ^ x >> 31


def _mix(x: np.ndarray) -> np.ndarray:
    """Mixes the array it is given."""
    x ^= x >> SHIFTS[0]
    x *= FIRST
    x ^= x >> SHIFTS[1]
    x *= SECOND
    x ^= x >> SHIFTS[2]
    return x


def bits(
    name: str, seed: int | np.ndarray, index: int | np.ndarray = 0, channels: int = 1
) -> np.ndarray:
    """64 random bits for each channel of each pair of ``seed`` and ``index``.

    Args:
        name: what the numbers are for; another name gives independent numbers.
        seed: integers, at least 0, broadcast with ``index``.
        index: integers, at least 0.
        channels: independent numbers for each index, at most 16.

    Returns:
        uint64, the broadcast shape with at least one axis; several channels come first, so that
        they can be unpacked.

    >>> bool(bits("gland", 1, 5)[0] == bits("gland", 1, np.arange(9))[5])
    True
    >>> x, y = bits("gland", 1, np.arange(9), channels=2)
    """
    if isinstance(seed, int):
        seeds = np.uint64(_mix_one(seed + _salt(name) & WORD))
    else:
        seeds = _mix(np.atleast_1d(np.asarray(seed, np.uint64)) + np.uint64(_salt(name)))
    counter = np.atleast_1d(np.asarray(index, np.uint64)) * np.uint64(CHANNELS)
    counter = counter + (_lanes(channels, counter.ndim) if channels > 1 else np.uint64(1))
    counter *= GOLDEN
    return _mix(counter + seeds)


def uniforms(
    name: str, seed: int | np.ndarray, index: int | np.ndarray = 0, channels: int = 1
) -> np.ndarray:
    """Uniform float64 in the open interval (0, 1); arguments as for :func:`bits`.

    >>> values = uniforms("gland", 1, np.arange(100_000))
    >>> bool(0 < values.min() and values.max() < 1 and abs(values.mean() - 0.5) < 0.005)
    True
    """
    return ((bits(name, seed, index, channels) >> TO_DOUBLE).astype(np.float64) + 0.5) * 2.0**-52


def normals(
    name: str, seed: int | np.ndarray, index: int | np.ndarray = 0, channels: int = 1
) -> np.ndarray:
    """Standard normal float64; arguments as for :func:`bits`.

    >>> values = normals("gland", 1, np.arange(100_000))
    >>> bool(abs(values.mean()) < 0.01 and abs(values.std() - 1) < 0.01)
    True
    """
    return ndtri(uniforms(name, seed, index, channels))
