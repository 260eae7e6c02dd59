"""Periodic textures, made once per process: fibres of stroma, grain of chromatin and cytoplasm."""

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
    """White noise smoothed over ``along`` by ``across`` um: float32, periodic, mean 0, SD 1."""
    noise = np.random.default_rng(seed).standard_normal((SIDE, SIDE))
    frequency = np.fft.fftfreq(SIDE, PITCH_UM)
    power = (along * frequency[None, :]) ** 2 + (across * frequency[:, None]) ** 2
    smooth = np.fft.ifft2(np.fft.fft2(noise) * np.exp(-2 * np.pi**2 * power)).real
    return ((smooth - smooth.mean()) / smooth.std()).astype(np.float32)


def _to_bytes(texture: np.ndarray) -> np.ndarray:
    """A texture as padded bytes, mean 128 and standard deviation 32."""
    # 8 bits make the warp of every tile cheap; 32 levels per standard deviation are enough.
    levels = np.clip(128 + 32 * texture / texture.std(), 0, 255).astype(np.uint8)
    return np.pad(levels, PAD, mode="wrap")


@lru_cache(maxsize=1)
def fibres() -> np.ndarray:
    """The texture of stroma: wavy fibres along x.

    Returns
    -------
    numpy.ndarray
        uint8 (SIDE + 2 PAD, SIDE + 2 PAD), mean about 128, standard deviation about 32.
    """
    bundles = _filtered(1, 30, 3.2) + 0.8 * _filtered(2, 16, 1.3) + 0.5 * _filtered(3, 40, 9)
    # Narrow bright clefts separate bundles of collagen, where plain noise would be an even wave.
    bundles = bundles - 0.9 * np.exp(-((_filtered(4, 26, 3.0) / 0.16) ** 2))
    wave = 9.0 * _filtered(5, 22, 26)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    return _to_bytes(cv2.remap(bundles, x, y + wave, cv2.INTER_LINEAR, None, cv2.BORDER_WRAP))


@lru_cache(maxsize=1)
def grain() -> np.ndarray:
    """The texture of chromatin and cytoplasm: even grain of about 1.5 um on clouds of 14 um.

    Returns
    -------
    numpy.ndarray
        As from :func:`fibres`.
    """
    return _to_bytes(0.85 * _filtered(6, 0.9, 0.9) + 0.5 * _filtered(7, 14, 14))


def sample(
    texture: np.ndarray, name: str, seed: int, side: int, field: float, angle: float
) -> np.ndarray:
    """Cut a square window out of a texture, at a random place.

    Parameters
    ----------
    texture : numpy.ndarray
        From :func:`fibres` or :func:`grain`.
    name : str
        Name of the random place, as for :func:`sdlib.phantoms.chance.uniforms`.
    seed : int
        Seed of the random place.
    side : int
        Side of the window, px.
    field : float
        Side of the window, um, at most 192.
    angle : float
        Direction of the texture's x axis in the window, rad.

    Returns
    -------
    numpy.ndarray
        float32 (side, side), mean about 0 and standard deviation about 1.

    Examples
    --------
    >>> sample(grain(), "example", seed=0, side=32, field=192.0, angle=0.5).shape
    (32, 32)
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
