"""Endless textures, made once a process: fibres of stroma, grain of chromatin and cytoplasm."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from sdlib.phantoms.chance import uniforms

__all__ = ["PITCH_UM", "SIDE", "fibres", "grain", "sample"]

SIDE = 512  # texture elements; both textures repeat after that
# A window of 192 um reaches 362 elements from its corner when turned by 45 degrees. Textures carry
# that much of their repetition on each side: warping with a wrapped border is six times slower.
PAD = 368
PITCH_UM = 0.75  # um from one element to the next


def _filtered(seed: int, along: float, across: float) -> np.ndarray:
    """White noise smoothed over ``along`` by ``across`` um; periodic, mean 0, SD 1."""
    noise = np.random.default_rng(seed).standard_normal((SIDE, SIDE))
    frequency = np.fft.fftfreq(SIDE, PITCH_UM)
    power = (along * frequency[None, :]) ** 2 + (across * frequency[:, None]) ** 2
    smooth = np.fft.ifft2(np.fft.fft2(noise) * np.exp(-2 * np.pi**2 * power)).real
    return ((smooth - smooth.mean()) / smooth.std()).astype(np.float32)


def _to_bytes(texture: np.ndarray) -> np.ndarray:
    # 8 bits make the per-tile warp cheap; 32 levels to a standard deviation are plenty.
    levels = np.clip(128 + 32 * texture / texture.std(), 0, 255).astype(np.uint8)
    return np.pad(levels, PAD, mode="wrap")


@lru_cache(maxsize=1)
def fibres() -> np.ndarray:
    """Wavy fibres along x, uint8: mean 128, standard deviation 32, padded by PAD."""
    bundles = _filtered(1, 30, 3.2) + 0.8 * _filtered(2, 16, 1.3) + 0.5 * _filtered(3, 40, 9)
    # Narrow bright clefts between bundles of collagen rather than an even wave.
    bundles = bundles - 0.9 * np.exp(-((_filtered(4, 26, 3.0) / 0.16) ** 2))
    wave = 9.0 * _filtered(5, 22, 26)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    return _to_bytes(cv2.remap(bundles, x, y + wave, cv2.INTER_LINEAR, None, cv2.BORDER_WRAP))


@lru_cache(maxsize=1)
def grain() -> np.ndarray:
    """Even grain of about 1.5 um on clouds of 14 um, uint8 as :func:`fibres`."""
    return _to_bytes(0.85 * _filtered(6, 0.9, 0.9) + 0.5 * _filtered(7, 14, 14))


def sample(
    texture: np.ndarray, name: str, seed: int, side: int, field: float, angle: float
) -> np.ndarray:
    """A square window of a texture at a random place.

    Args:
        side: of the window, px.
        field: of the window, at most 192 um.
        angle: direction of the texture's x axis in the window, rad.

    Returns:
        float32 (side, side), mean about 0 and standard deviation about 1.
    """
    step = field / side / PITCH_UM
    cos, sin = step * np.cos(angle), step * np.sin(angle)
    dx, dy = uniforms(name, seed, np.arange(2)) * SIDE + PAD
    window = cv2.warpAffine(
        texture,
        np.array([[cos, sin, dx], [-sin, cos, dy]]),
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    return (window.astype(np.float32) - 128) / 32
