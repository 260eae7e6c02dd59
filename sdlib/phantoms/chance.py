"""Random numbers by name: every draw is a pure function of a seed, a name and an index.

With a sequential generator, one more gland would shift every number drawn after it. Here nucleus 7
of gland 3 gets its own numbers whatever else changes. A tile that is drawn again with one factor
changed is therefore the same tile wherever that factor does not reach.
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
CHANNELS = 16  # the most numbers that one index may have


@cache
def _salt(name: str) -> int:
    """What a name adds to a seed; Python's own hash of a string differs between processes."""
    return zlib.crc32(name.encode()) * int(GOLDEN) & WORD


@cache
def _lanes(channels: int, axes: int) -> np.ndarray:
    """The numbers 1 to ``channels`` as uint64, along the first of ``axes`` + 1 axes."""
    return np.arange(1, channels + 1, dtype=np.uint64).reshape(-1, *(1,) * axes)


def _mix_one(x: int) -> int:
    """Mix the bits of one number as :func:`_mix` does; NumPy would take ten times as long."""
    x ^= x >> 30
    x = x * int(FIRST) & WORD
    x ^= x >> 27
    x = x * int(SECOND) & WORD
    return x ^ x >> 31


def _mix(x: np.ndarray) -> np.ndarray:
    """Mix the bits of each element, in place, and return the array."""
    x ^= x >> SHIFTS[0]
    x *= FIRST
    x ^= x >> SHIFTS[1]
    x *= SECOND
    x ^= x >> SHIFTS[2]
    return x


def bits(
    name: str, seed: int | np.ndarray, index: int | np.ndarray = 0, channels: int = 1
) -> np.ndarray:
    """Draw 64 random bits for each channel of each pair of ``seed`` and ``index``.

    Parameters
    ----------
    name : str
        What the numbers are for; another name gives independent numbers.
    seed : int or numpy.ndarray
        Integers of at least 0, broadcast with ``index``.
    index : int or numpy.ndarray
        Integers of at least 0.
    channels : int
        Independent numbers for each index, 1 to 16.

    Returns
    -------
    numpy.ndarray
        uint64, the broadcast shape with at least one axis. Several channels are the first axis, so
        that they can be unpacked.

    Examples
    --------
    >>> bool(bits("gland", 1, 5)[0] == bits("gland", 1, np.arange(9))[5])
    True
    >>> x, y = bits("gland", 1, np.arange(9), channels=2)
    """
    if isinstance(seed, int):
        seeds = np.uint64(_mix_one(seed + _salt(name) & WORD))
    else:
        seeds = _mix(np.atleast_1d(np.asarray(seed, np.uint64)) + np.uint64(_salt(name)))
    # Every index has sixteen counters of its own, whether or not it uses them all.
    counter = np.atleast_1d(np.asarray(index, np.uint64)) * np.uint64(CHANNELS)
    counter = counter + (_lanes(channels, counter.ndim) if channels > 1 else np.uint64(1))
    counter *= GOLDEN
    return _mix(counter + seeds)


def uniforms(
    name: str, seed: int | np.ndarray, index: int | np.ndarray = 0, channels: int = 1
) -> np.ndarray:
    """Draw uniform numbers from the open interval (0, 1).

    Parameters
    ----------
    name, seed, index, channels
        As for :func:`bits`.

    Returns
    -------
    numpy.ndarray
        float64, the shape as for :func:`bits`.

    Examples
    --------
    >>> values = uniforms("gland", 1, np.arange(100_000))
    >>> bool(0 < values.min() and values.max() < 1 and abs(values.mean() - 0.5) < 0.005)
    True
    """
    # The half keeps 0 out, whose normal quantile would be infinite.
    return ((bits(name, seed, index, channels) >> TO_DOUBLE).astype(np.float64) + 0.5) * 2.0**-52


def normals(
    name: str, seed: int | np.ndarray, index: int | np.ndarray = 0, channels: int = 1
) -> np.ndarray:
    """Draw standard normal numbers.

    Parameters
    ----------
    name, seed, index, channels
        As for :func:`bits`.

    Returns
    -------
    numpy.ndarray
        float64, the shape as for :func:`bits`.

    Examples
    --------
    >>> values = normals("gland", 1, np.arange(100_000))
    >>> bool(abs(values.mean()) < 0.01 and abs(values.std() - 1) < 0.01)
    True
    """
    return ndtri(uniforms(name, seed, index, channels))
