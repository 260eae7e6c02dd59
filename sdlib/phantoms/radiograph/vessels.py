"""Vessels of the lungs: tapering branches from both hila."""

from __future__ import annotations

import numpy as np

from sdlib.phantoms.chance import normals, uniforms
from sdlib.phantoms.radiograph.organs import Chest

__all__ = ["vessels"]

TRUNKS, SHOOTS = 9, 4  # branches of a hilum, and of each of these
HILUM = (0.25, 0.43)  # x as a share of the chest's width, and v
ALONG = np.linspace(0, 1, 7)


def vessels(chest: Chest) -> np.ndarray:
    """Outlines of all branches of both lungs, float64 (90, 14, 2)."""
    seed, width = chest.film.seed, chest.width
    index = np.arange(2 * TRUNKS)
    side = np.where(index < TRUNKS, -1.0, 1.0)
    turn, reach, bend, shift = normals("trunk", seed, index, channels=4)
    # A fan from steeply up to steeply down, denser below.
    angle = np.linspace(-1.2, 1.45, TRUNKS)[index % TRUNKS] + 0.16 * turn
    start = np.column_stack(
        [width * HILUM[0] + 0.006 * shift, chest.y(HILUM[1] + 0.05 * np.sin(angle))]
    )
    length = width * (0.52 + 0.12 * np.clip(reach, -2, 2))
    trunks = _branch(start, angle, length, 0.22 * bend)
    thick = np.full(len(index), 0.0085)

    # Shoots leave a trunk alternately to both of its sides.
    shoot = np.arange(SHOOTS)
    origin = trunks[:, 1 + shoot].reshape(-1, 2)
    turned = angle[:, None] + np.where(shoot % 2, 0.55, -0.55)
    child = np.arange(origin.shape[0])
    jitter, crook, short = normals("shoot", seed, child, channels=3)
    turned = turned.ravel() + 0.35 * jitter
    reach = np.repeat(length, SHOOTS) * (0.42 + 0.07 * np.clip(short, -2, 2))
    shoots = _branch(origin, turned, reach, 0.3 * crook)
    size = 0.0030 + 0.0015 * uniforms("shoot width", seed, child)

    outlines = np.concatenate([_taper(trunks, thick), _taper(shoots, size)])
    sides = np.concatenate([side, np.repeat(side, SHOOTS)])
    outlines[..., 0] *= sides[:, None]
    return outlines


def _branch(
    start: np.ndarray, angle: np.ndarray, length: np.ndarray, bend: np.ndarray
) -> np.ndarray:
    """Curved middle lines (n, 7, 2) from ``start`` (n, 2); angles from outwards to downwards."""
    forward = np.stack([np.cos(angle), np.sin(angle)], -1)[:, None]
    across = np.stack([-np.sin(angle), np.cos(angle)], -1)[:, None]
    t = ALONG[None, :, None]
    way = length[:, None, None] * (t * forward + bend[:, None, None] * t**2 * across)
    return start[:, None] + way


def _taper(lines: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Outlines around middle lines, thinner towards the end; ``half`` (n,) is half the width."""
    step = np.gradient(lines, axis=1)
    across = np.stack([-step[..., 1], step[..., 0]], -1)
    across /= np.linalg.norm(across, axis=-1, keepdims=True)
    across *= (half[:, None] * (1 - 0.9 * ALONG**0.6))[..., None]
    return np.concatenate([lines - across, (lines + across)[:, ::-1]], axis=1)
