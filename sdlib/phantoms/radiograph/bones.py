"""Outlines of the bones: ribs, clavicles, scapulae, vertebrae and the upper arms' heads."""

from __future__ import annotations

import numpy as np

from sdlib.phantoms.radiograph.frame import closed_curve
from sdlib.phantoms.radiograph.organs import Chest, both

__all__ = ["clavicles", "humeri", "ribs", "scapulae", "vertebrae"]

RIBS = 10
BACK = np.linspace(0.16, 0.5 * np.pi + 0.1, 20)  # angles of a rib's hoop seen from above
FRONT = np.linspace(0.5 * np.pi - 0.05, 0.80 * np.pi, 16)
BACK_WIDTH, FRONT_WIDTH = 0.0105, 0.0125  # half the height of a rib, share of the film


def ribs(chest: Chest) -> tuple[np.ndarray, np.ndarray]:
    """The ribs' back and front parts.

    A rib is a hoop that falls from the spine to the front. Seen from the front its back part is
    nearly level and its front part steep.

    Returns
    -------
    back, front : numpy.ndarray
        float64 (20, 40, 2) and (14, 32, 2): closed outlines, upper edge first; both sides' ribs.
    """
    return _hoops(chest, np.arange(RIBS), BACK, BACK_WIDTH), _hoops(
        chest, np.arange(1, 8), FRONT, FRONT_WIDTH
    )


def _hoops(chest: Chest, number: np.ndarray, angle: np.ndarray, half: float) -> np.ndarray:
    start = (-0.10 + 0.095 * number)[:, None]
    # Lower ribs fall more steeply.
    fall = chest.film.rib_slope * (0.75 + 0.05 * number)[:, None]
    v = start + fall * (0.5 * (1 - np.cos(angle)) / 2 + 0.5 * angle / np.pi)
    x = 1.05 * chest.half_width(start + fall / 2) * np.sin(angle)
    y = chest.y(v)
    dx, dy = np.gradient(x, axis=1), np.gradient(y, axis=1)
    length = np.hypot(dx, dy)
    across = np.stack([-dy, dx], -1) * (half / length)[..., None]
    middle = np.stack([x, y], -1)
    outlines = np.concatenate([middle - across, (middle + across)[:, ::-1]], axis=1)
    return both(outlines)


def clavicles(chest: Chest) -> np.ndarray:
    """The collar bones, S-shaped and rising outwards, float64 (2, 80, 2)."""
    y = chest.y(-chest.film.clavicle_height)
    rise = 0.075 - 0.2 * (chest.film.clavicle_height + 0.1)
    points = [
        (0.035, y - 0.012), (0.12, y - 0.018 - 0.2 * rise), (0.24, y - 0.010 - 0.7 * rise),
        (0.36, y - 0.010 - rise), (0.43, y - 0.004 - 0.9 * rise), (0.43, y + 0.012 - 0.9 * rise),
        (0.36, y + 0.010 - rise), (0.24, y + 0.010 - 0.65 * rise), (0.12, y + 0.004 - 0.15 * rise),
        (0.035, y + 0.018),
    ]  # fmt: skip
    return both(closed_curve(points))


def scapulae(chest: Chest) -> np.ndarray:
    """The shoulder blades, over the lungs or turned away from them, float64 (2, 72, 2)."""
    out = 1.30 - 0.42 * chest.film.scapula_overlap
    points = [
        (out - 0.12, 0.02), (out + 0.05, 0.0), (out + 0.24, 0.10), (out + 0.26, 0.20),
        (out + 0.14, 0.42), (out + 0.06, 0.58), (out, 0.58), (out - 0.05, 0.42),
        (out - 0.10, 0.2),
    ]  # fmt: skip
    outline = closed_curve(points)
    return both(np.column_stack([outline[:, 0] * chest.width, chest.y(outline[:, 1])]))


def humeri(chest: Chest) -> np.ndarray:
    """The upper arms' bones with their heads, float64 (2, 64, 2)."""
    x = chest.width * 1.30 + 0.03 - 0.04 * chest.film.scapula_overlap
    y = chest.top + 0.10
    points = [
        (x - 0.035, y), (x, y - 0.035), (x + 0.04, y), (x + 0.075, y + 0.2), (x + 0.10, y + 0.5),
        (x + 0.06, y + 0.5), (x + 0.025, y + 0.2), (x - 0.01, y + 0.035),
    ]  # fmt: skip
    return both(closed_curve(points))


def vertebrae(chest: Chest) -> np.ndarray:
    """The bodies of the vertebrae, float64 (18, 4, 2), from the neck down."""
    number = np.arange(18)[:, None]
    step = chest.height * 0.094
    top = chest.top - 0.2 * chest.height + step * number
    half = (0.024 + 0.0009 * number) * chest.width / 0.385
    x = half * np.array([-1, 1, 0.94, -0.94])
    y = top + step * np.array([0.1, 0.1, 0.86, 0.86])
    return np.stack([x, y], -1)
