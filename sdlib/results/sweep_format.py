"""Sweeps as git keeps them: logits on a grid of 1/8, and of each line only what is new in it.

Fifty-two levels of five seeds of eight arms are millions of logits. Pages need their sign (exact),
their order and their size (to 1/16). Neighbouring levels differ little, so a line is predicted from
the lines before it and only the errors are kept, which compress well.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sdlib.errors import ConfigError
from sdlib.files import atomic_path, read_arrays

__all__ = ["GRID", "on_grid", "pack", "read", "unpack", "write"]

GRID = 8  # steps a logit
NETWORK = re.compile(r"(.+)/seed(\d+)")  # the name of its array
FARTHEST = 512.0  # logits beyond it are kept as it: far beyond any cut-off


def on_grid(logits: np.ndarray) -> np.ndarray:
    """Logits as they will be read back: the middle of their step of 1/8.

    No sign changes (-0.0 counts as negative), and within +-512 none moves by more than 1/16.

    Parameters
    ----------
    logits : numpy.ndarray
        Floats of any shape.

    Returns
    -------
    numpy.ndarray
        float32, of the same shape.

    Raises
    ------
    ConfigError
        Some are not finite.

    Examples
    --------
    >>> on_grid(np.array([-1e-9, 0.0, 1.0])).tolist()
    [-0.0625, 0.0625, 1.0625]
    """
    return _middles(_steps(logits))


def _steps(logits: np.ndarray) -> np.ndarray:
    if not np.isfinite(logits).all():
        raise ConfigError(f"expected finite logits, got {(~np.isfinite(logits)).sum()} others")
    exact = np.clip(np.asarray(logits, np.float64), -FARTHEST, FARTHEST - 1 / GRID)
    steps = np.floor(exact * GRID).astype(np.int32)
    return np.where(np.signbit(logits), np.minimum(steps, -1), steps)


def _middles(steps: np.ndarray) -> np.ndarray:
    return ((steps + 0.5) / GRID).astype(np.float32)


def _predicted(steps: np.ndarray, line: int, starts: frozenset[int]) -> np.ndarray:
    """A line from those before it: half of the last change goes on; a new shift has none yet."""
    if line in starts:
        return steps[0]
    before = steps[line - 1]
    if line - 1 in starts:
        return before
    return before + (before - steps[line - 2]) // 2


def _starts(levels: Sequence[str]) -> frozenset[int]:
    """The lines that begin a shift, ``blur-2`` and the like; they resemble the unshifted tiles."""
    shifts = [level.rsplit("-", 1)[0] for level in levels]
    return frozenset(i for i in range(1, len(shifts)) if shifts[i] != shifts[i - 1])


def pack(logits: np.ndarray, levels: Sequence[str]) -> np.ndarray:
    """Pack logits as errors of prediction, uint8 (2, levels, n): low bytes first, to compress well.

    Parameters
    ----------
    logits : numpy.ndarray
        Floats (levels, n), of the unshifted tiles first.
    levels : sequence of str
        Names of the lines, such as ``clean`` and ``blur-2``.

    Raises
    ------
    ConfigError
        Other shapes, or logits that are not finite.

    Examples
    --------
    >>> packed = pack(np.array([[0.5, -0.5], [0.5, -0.25]]), ["clean", "blur-2"])
    >>> packed.shape, unpack(packed, ["clean", "blur-2"])[1].tolist()
    ((2, 2, 2), [0.5625, -0.1875])
    """
    if np.ndim(logits) != 2 or len(logits) != len(levels):
        raise ConfigError(
            f"expected logits (levels, n) of {len(levels)} levels, got shape {np.shape(logits)}"
        )
    steps, starts = _steps(logits), _starts(levels)
    errors = steps.copy()
    for line in range(1, len(steps)):
        errors[line] -= _predicted(steps, line, starts)
    # Small errors of either sign become small numbers. Prediction may overshoot: 16 bits wrap.
    errors = errors.astype(np.int16)
    folded = ((errors << 1) ^ (errors >> 15)).view(np.uint16)
    return np.stack([folded & 255, folded >> 8]).astype(np.uint8)


def unpack(packed: np.ndarray, levels: Sequence[str]) -> np.ndarray:
    """Unpack what :func:`pack` has packed: logits on the grid, float32 (levels, n)."""
    low, high = packed.astype(np.uint16)
    folded = low | (high << 8)
    errors = (folded >> 1).astype(np.int16) ^ -(folded & 1).astype(np.int16)
    steps, starts = errors.astype(np.int32), _starts(levels)
    for line in range(1, len(steps)):
        whole = steps[line] + _predicted(steps, line, starts)
        steps[line] = whole.astype(np.int16)  # undoes the wrap
    return _middles(steps)


def write(
    file: Path,
    levels: Sequence[str],
    targets: np.ndarray,
    groups: np.ndarray,
    logits: Mapping[tuple[str, int], np.ndarray],
) -> None:
    """Write a sweep: an ``.npz`` that NumPy reads, compressed by LZMA.

    Parameters
    ----------
    levels, targets, groups, logits
        As in :class:`sdlib.results.sweeps.Sweep`.

    Raises
    ------
    SdlibError
        The file cannot be written.
    """
    arrays = {"levels": np.array(levels), "targets": targets, "groups": groups}
    arrays |= {f"{arm}/seed{seed}": pack(own, levels) for (arm, seed), own in logits.items()}
    with (
        atomic_path(file) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_LZMA) as archive,
    ):
        for name, array in arrays.items():
            # A date of its own would make every file another one.
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_LZMA
            with archive.open(entry, "w") as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def read(
    file: Path, remedy: str = "record it anew"
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, dict[tuple[str, int], np.ndarray]]:
    """Read the levels, targets, groups and logits of a recorded sweep.

    Parameters
    ----------
    file : pathlib.Path
        The file.
    remedy : str
        What the user can do if it is damaged.

    Raises
    ------
    DamagedError
        The file is broken or of another kind.
    """
    arrays = read_arrays(file, _check, remedy)
    levels, targets, groups = (arrays.pop(name) for name in ("levels", "targets", "groups"))
    names = tuple(levels.tolist())
    logits = {}
    for network, packed in arrays.items():
        arm, seed = NETWORK.fullmatch(network).groups()
        logits[arm, int(seed)] = unpack(packed, names)
    return names, targets, groups, logits


def _check(arrays: Mapping[str, np.ndarray]) -> None:
    """Raise a ValueError that says what is not as :func:`write` leaves it."""
    for name, kinds in (("levels", "U"), ("targets", "iu"), ("groups", "iu")):
        if name not in arrays:
            raise ValueError(f"no whole sweep: {name} are missing")
        found = arrays[name]
        if found.ndim != 1 or found.dtype.kind not in kinds:
            raise ValueError(f"no whole sweep: {name} are {found.dtype} {found.shape}")
    targets, groups = arrays["targets"], arrays["groups"]
    if len(groups) != len(targets):
        raise ValueError(f"expected {len(targets)} groups, one per target, got {len(groups)}")
    if not ((targets == 0) | (targets == 1)).all():
        raise ValueError("expected targets 0 and 1")
    wanted = (2, len(arrays["levels"]), len(targets))
    for name, packed in arrays.items():
        if name in ("levels", "targets", "groups"):
            continue
        if not NETWORK.fullmatch(name):
            raise ValueError(f"expected arm/seedK, got {name!r}")
        if packed.shape != wanted or packed.dtype != np.uint8:
            raise ValueError(
                f"expected uint8 {wanted} in {name}, got {packed.dtype} {packed.shape}"
            )
