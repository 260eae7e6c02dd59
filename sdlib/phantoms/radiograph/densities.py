"""Attenuation of the healthy chest: soft tissue, air, vessels and bones, which add up."""

from __future__ import annotations

import cv2
import numpy as np

from sdlib.phantoms.radiograph.bones import clavicles, humeri, ribs, scapulae, vertebrae
from sdlib.phantoms.radiograph.frame import Frame
from sdlib.phantoms.radiograph.organs import Chest
from sdlib.phantoms.radiograph.vessels import vessels
from sdlib.phantoms.texture import PITCH_UM, SIDE, grain, sample

__all__ = ["clear_lungs", "healthy_density", "organ_planes"]

# Densities where each is thickest.
BODY, AIR, HEART, VESSELS = 0.66, 0.43, 0.15, 0.085


def _blur(plane: np.ndarray, share: float) -> np.ndarray:
    """A plane blurred by a Gaussian whose SD is a share of the side."""
    return cv2.GaussianBlur(plane, (0, 0), share * len(plane))


def organ_planes(chest: Chest, frame: Frame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lungs, heart and mediastinum, uint8 (side, side) each; 255 is all of a pixel.

    Examples
    --------
    >>> from sdlib.phantoms.radiograph import draw_films
    >>> film = draw_films(1, seed=0)[0]
    >>> [plane.shape for plane in organ_planes(Chest(film), Frame(film, 64))]
    [(64, 64), (64, 64), (64, 64)]
    """
    lungs, heart, middle = frame.plane(), frame.plane(), frame.plane()
    frame.fill(lungs, chest.lungs(), 255)
    frame.fill(heart, chest.heart(), 255)
    frame.fill(middle, chest.mediastinum(), 255)
    return lungs, heart, middle


def clear_lungs(lungs: np.ndarray, heart: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Lungs that neither heart nor mediastinum hide, uint8 (side, side); 255 is all of a pixel.

    Parameters
    ----------
    lungs, heart, middle : numpy.ndarray
        From :func:`organ_planes`.
    """
    return cv2.subtract(lungs, cv2.max(heart, middle))


def _air(lungs: np.ndarray, clear: np.ndarray, frame: Frame) -> np.ndarray:
    """How much of a lung's thickness is in each pixel, 0 to 1, float32 (side, side)."""
    both, seen = cv2.split(_blur(cv2.merge([lungs, clear]), 0.007).astype(np.float32) / 255)
    # From the outline inwards only, so that opacities can fill all that is dark.
    seen = np.maximum(2 * seen - 1, 0)
    # A lung is thinner at its edge.
    depth = frame.fine(_blur(frame.coarse(lungs), 0.05)) / 255
    return (0.86 * seen + 0.14 * both) * (0.60 + 0.40 * depth)


def healthy_density(chest: Chest, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Attenuation by the healthy patient, and how much of a lung is in each pixel.

    Parameters
    ----------
    chest : Chest
        Everything but the disease and what lies over the picture is used.
    frame : Frame
        The film's pixels.

    Returns
    -------
    density : numpy.ndarray
        float32 (side, side), about 0 (air) to 1.2.
    air : numpy.ndarray
        float32 (side, side), 0 to 1; 0 where no part of a pixel is lung. Opacities take its place.
    """
    film, side = chest.film, frame.side
    lungs, heart, middle = organ_planes(chest, frame)
    density = _soft_tissue(chest, frame)

    clear = clear_lungs(lungs, heart, middle)
    air = _air(lungs, clear, frame)
    # The heart's edges show against air alone: among soft tissue it is but a soft shade.
    inner = frame.coarse(cv2.max(cv2.max(heart, middle), _below(chest, frame)))
    density += (HEART / 255) * frame.fine(_blur(inner, 0.03)) * (1 - air)

    # Half of the texture's period covers a film.
    texture = sample(grain(), "lung", film.seed, side, SIDE * PITCH_UM / 2, 0.0)
    density += (0.006 + 0.016 * air) * texture - AIR * film.aeration * air
    density += air * (film.vascularity * VESSELS / 255) * _vessels(chest, frame)
    cage, shoulders = _bones(chest, frame)
    # Scatter hides bones behind thick tissue.
    bones = (0.35 + 0.65 * air) * cage + (0.70 + 0.30 * air) * shoulders
    density += (film.bone_density / 255) * bones
    density = _blur(density, 0.0028)
    # Processing of the film raises local contrast; opacities are laid over what it makes.
    wide = frame.fine(_blur(frame.coarse(density), 0.07))
    density += film.enhancement * (density - wide)
    # Opacities fade where the lung gets thin, and end where it does.
    return density, air * (clear > 0)


def _below(chest: Chest, frame: Frame) -> np.ndarray:
    """All that is lower than the bases of the lungs, uint8 (side, side)."""
    plane = frame.plane()
    frame.fill(plane, chest.belly(), 255)
    return plane


def _soft_tissue(chest: Chest, frame: Frame) -> np.ndarray:
    """Density of the body without bones, as if lungs were not air; float32 (side, side)."""
    body = frame.plane()
    frame.fill(body, chest.arms(), 200)
    frame.fill(body, chest.torso(), 255)
    x, y = frame.coarse_grid()
    v = (y - chest.top) / chest.height
    coarse = _blur(frame.coarse(body), 0.025) / 255
    # The belly is thicker than the shoulders, and the middle than the sides.
    slope = 0.92 + 0.12 * np.tanh((v - 0.6) / 0.35) - 0.22 * (x / 0.5) ** 2
    thick = BODY * (1 + 2.0 * (chest.wall - 0.05)) * coarse * slope
    thin = np.minimum(frame.fine(thick.astype(np.float32)), 1.2)
    edge = _blur(body, 0.004).astype(np.float32) / 255
    density = thin * (0.35 + 0.65 * edge)
    if chest.film.breast > 0:
        breasts = frame.plane()
        frame.fill(breasts, chest.breasts(), 255)
        rim = _blur(breasts, 0.006).astype(np.float32) / 255
        # Thin above and thick at the lower rim.
        thick = np.clip((v - 0.35) / 0.5, 0, 1) * _blur(frame.coarse(breasts), 0.05) / 255
        density += 0.15 * chest.film.breast * rim * frame.fine(thick.astype(np.float32))
    if chest.film.gastric_bubble > 0.1:
        air = frame.plane()
        frame.fill(air, chest.gastric_bubble(), 255)
        density -= (0.16 / 255) * _blur(air, 0.009)
    air = frame.plane()
    frame.fill(air, chest.trachea(), 255)
    density -= (0.06 / 255) * _blur(air, 0.008)
    return density


def _vessels(chest: Chest, frame: Frame) -> np.ndarray:
    """Vessels, uint8 (side, side)."""
    plane = frame.plane()
    frame.fill(plane, vessels(chest), 255)
    return _blur(plane, 0.003)


def _bones(chest: Chest, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Density times 255 of the rib cage and of the shoulders, uint8 (side, side) each."""
    back, front = ribs(chest)
    cage = cv2.add(_bone(frame, back, 15, 23), _bone(frame, front, 9, 14))
    cage = cv2.add(cage, _bone(frame, vertebrae(chest), 16, 20))
    shoulders = cv2.add(
        _bone(frame, clavicles(chest), 28, 40), _bone(frame, scapulae(chest), 11, 18)
    )
    return cage, cv2.add(shoulders, _bone(frame, humeri(chest), 32, 40))


def _bone(frame: Frame, outlines: np.ndarray, inside: int, edge: int) -> np.ndarray:
    """Bones of one kind, denser at their edges, uint8 (side, side)."""
    plane = frame.plane()
    frame.fill(plane, outlines, inside)
    frame.trace(plane, outlines, edge, 0.003)
    return plane
