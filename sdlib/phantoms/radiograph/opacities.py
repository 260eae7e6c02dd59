"""The disease: opacities in both lungs, mostly peripheral and in the lower lobes."""

from __future__ import annotations

import numpy as np

from sdlib.phantoms.chance import normals, uniforms
from sdlib.phantoms.radiograph.frame import Frame
from sdlib.phantoms.radiograph.organs import Chest
from sdlib.phantoms.texture import grain, sample

__all__ = ["opacities"]

PATCHES = 7  # of each lung
# How much of the texture covers a film: a smaller piece than in healthy lungs, so coarser.
MOTTLE_UM = 72.0
STRENGTH = 1.4  # from the factor to attenuation
DENSEST = 0.46  # density that no opacity exceeds


def _rise(x: np.ndarray, middle: float, width: float) -> np.ndarray:
    """A smooth step from 0 to 1."""
    return 0.5 * (1 + np.tanh((x - middle) / width))


def opacities(chest: Chest, frame: Frame) -> np.ndarray:
    """Density that opacities would add where there is nothing but lung.

    Parameters
    ----------
    chest : Chest
        The disease of its film is used.
    frame : Frame
        The film's pixels.

    Returns
    -------
    numpy.ndarray
        float32 (side, side), 0 to ``DENSEST``. It grows with the film's ``opacity`` in every pixel.
    """
    film = chest.film
    x, y = frame.coarse_grid()
    v = (y - chest.top) / chest.height
    out = np.abs(x) / chest.half_width(v).astype(np.float32)
    peripheral = 1 - film.opacity_peripheral * (1 - _rise(out, 0.58, 0.16))
    lower = 1 - film.opacity_lower * (1 - _rise(v, 0.48, 0.20))
    left = 2 * np.where(x > 0, film.opacity_left, 1 - film.opacity_left)
    even = 1 - film.opacity_patches
    field = left * peripheral * lower * (even + film.opacity_patches * _patches(chest, x, y))
    # Ground glass is uneven.
    mottle = sample(grain(), "mottle", film.seed, frame.side, MOTTLE_UM, 0.4)
    field = frame.fine(field.astype(np.float32)) * np.maximum(1 + 0.22 * mottle, 0.1)
    return DENSEST * (1 - np.exp(-STRENGTH * film.opacity * field))


def _patches(chest: Chest, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The sum of all soft patches, float64 (m, m), about 1 where they are dense."""
    seed, index = chest.film.seed, np.arange(2 * PATCHES)
    side = np.where(index < PATCHES, -1.0, 1.0)
    along, across, height, size = uniforms("patch", seed, index, channels=4)
    v = 0.22 + 0.74 * along**0.7
    centre_x = side * chest.half_width(v) * (0.50 + 0.42 * across)
    wide, tall = normals("patch size", seed, index, channels=2)
    sigma = (0.045 + 0.035 * size)[:, None] * np.exp(0.2 * np.stack([wide, tall], 1))
    far_x = (x[None] - centre_x[:, None, None]) / sigma[:, 0, None, None]
    far_y = (y[None] - chest.y(v)[:, None, None]) / sigma[:, 1, None, None]
    bells = np.exp(-0.5 * (far_x**2 + far_y**2))
    return np.tensordot(0.7 + 1.6 * height, bells, axes=1)
