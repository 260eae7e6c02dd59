"""Films of which only the lungs show, or only what surrounds them."""

from __future__ import annotations

import cv2
import numpy as np

from sdlib.errors import ConfigError

__all__ = ["RIM", "VISIBLE", "show_part"]

#: What can be left visible of a film.
VISIBLE = ("lungs", "surroundings")
#: By how much hidden lungs are enlarged, as a share of the film's side: 9 px at 224 px. It is more
#: than most errors of the mask, so that no rim of lung remains beside it.
RIM = 0.04
NOTHING = 128  # grey of a film of which nothing shows


def show_part(film: np.ndarray, lungs: np.ndarray, visible: str) -> np.ndarray:
    """Hide all of a film but its lungs, or its lungs, under the mean grey of what stays visible.

    No other grey would do: the mean of the whole film tells of hidden lungs, which are brighter
    where they are diseased.

    Hidden lungs are enlarged by a disc of :data:`RIM` times the side, so that no rim of diseased
    lung shows. Shown lungs are not enlarged. In both cases the outline of the lungs remains: their
    shape and size can still be seen.

    Parameters
    ----------
    film : numpy.ndarray
        uint8, shape ``(S, S, 3)``, grey in RGB.
    lungs : numpy.ndarray
        bool, shape ``(S, S)``: where the lungs are.
    visible : {"lungs", "surroundings"}
        What is left visible.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(S, S, 3)``, an array of its own.

    Raises
    ------
    ConfigError
        If ``visible`` is unknown, or the mask has another shape or dtype.

    Examples
    --------
    >>> film = 2 * np.arange(16, dtype=np.uint8).reshape(4, 4, 1).repeat(3, axis=2)
    >>> lungs = np.zeros((4, 4), bool)
    >>> lungs[1:3, 1:3] = True
    >>> show_part(film, lungs, "lungs")[..., 0].tolist()
    [[15, 15, 15, 15], [15, 10, 12, 15], [15, 18, 20, 15], [15, 15, 15, 15]]
    """
    if visible not in VISIBLE:
        raise ConfigError(f"expected visible of {', '.join(VISIBLE)}, got {visible!r}")
    if lungs.shape != film.shape[:2] or lungs.dtype != bool:
        raise ConfigError(
            f"expected a mask of bool {film.shape[:2]}, as the film is, got {lungs.dtype} "
            f"{lungs.shape}"
        )
    seen = lungs if visible == "lungs" else ~enlarged(lungs, RIM * len(film))
    shown = np.empty_like(film)
    # Where nothing stays visible, one grey is as good as another.
    shown[:] = np.rint(film[seen].mean()) if seen.any() else NOTHING
    shown[seen] = film[seen]
    return shown


def enlarged(lungs: np.ndarray, radius: float) -> np.ndarray:
    """Add all pixels within ``radius`` pixels of a mask, bool ``(S, S)``."""
    if not lungs.any():
        return lungs.copy()
    distance = cv2.distanceTransform((~lungs).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance <= radius
