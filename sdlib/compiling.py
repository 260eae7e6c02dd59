"""Compiling loops with numba, for the whole library by the same rules."""

from __future__ import annotations

from collections.abc import Callable

from numba import njit

__all__ = ["compiled"]


def compiled(**options) -> Callable:
    """Compile with numba, and keep the result between processes where a folder allows it.

    A compiled function should call no compiled function of another file: numba would not notice
    that the other file has changed.

    Parameters
    ----------
    **options
        Options of :func:`numba.njit`.

    Returns
    -------
    callable
        A decorator.

    Examples
    --------
    >>> @compiled()
    ... def double(x):
    ...     return 2 * x
    >>> double(21)
    42
    """
    # Fused multiply-adds are the only deviation from IEEE arithmetic that results may show.
    # Without the interpreter's lock several threads can work on parts of one set.
    options = {"fastmath": {"contract"}, "error_model": "numpy", "nogil": True, **options}

    def compiled(function: Callable) -> Callable:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # no folder to keep it in
            return njit(**options)(function)

    return compiled
