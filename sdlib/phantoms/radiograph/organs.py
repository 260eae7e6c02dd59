"""Outlines of the soft organs: torso, arms, lungs, heart, mediastinum, stomach and breasts."""

from __future__ import annotations

import numpy as np

from sdlib.phantoms.radiograph.film import Film
from sdlib.phantoms.radiograph.frame import closed_curve

__all__ = ["SIDES", "Chest", "both"]

SIDES = (-1, 1)  # the patient's right is on the left of the film

#: Half the width of the rib cage by height, as shares of the widest and of the lungs' height.
HEIGHTS = (-0.08, 0.0, 0.10, 0.30, 0.50, 0.70, 0.90, 1.06, 1.3)
WIDTHS = (0.38, 0.53, 0.71, 0.87, 0.95, 0.99, 1.0, 0.985, 0.95)
#: The apices lie above the film's centre: a share of chest_height, and a share of the film more.
APEX, LIFT = 0.44, 0.105


def both(outlines: np.ndarray) -> np.ndarray:
    """Outlines (..., k, 2) on the right of the film, and before them their mirror images."""
    outlines = outlines.reshape(-1, *outlines.shape[-2:])
    return np.concatenate([outlines * (side, 1) for side in SIDES])


class Chest:
    """The measures of one patient's chest on one film, and the outlines that follow from them.

    Outlines are float64 (k, 2) in the coordinates of :class:`Frame`.

    Parameters
    ----------
    film : Film
        Its anatomy and pose are used.
    """

    def __init__(self, film: Film) -> None:
        self.film = film
        self.top = 0.5 - LIFT - APEX * film.chest_height
        self.height = film.chest_height * film.inspiration
        self.width = film.chest_width
        self.wall = film.soft_tissue

    def y(self, v: np.ndarray | float) -> np.ndarray | float:
        """Height on the film of what lies at ``v``: 0 at the apices, 1 at the base of the lungs."""
        return self.top + self.height * v

    def half_width(self, v: np.ndarray | float) -> np.ndarray:
        """Half the width of the rib cage at ``v``, as a share of the film."""
        return self.width * np.interp(v, HEIGHTS, WIDTHS)

    def _outline(self, points: list[tuple[float, float]]) -> np.ndarray:
        """A smooth outline through points (x as a share of ``width``, v)."""
        array = np.array(points)
        return closed_curve(np.column_stack([array[:, 0] * self.width, self.y(array[:, 1])]))

    def lungs(self) -> np.ndarray:
        """Both lungs, (2, k, 2); the patient's right one, on the left of the film, is first."""
        return np.stack([self._lung(side) for side in SIDES])

    def _lung(self, side: int) -> np.ndarray:
        dome = self.film.dome_height
        base = 1 + side * self.film.dome_difference / 2
        points = [
            (0.40, 0.0), (0.26, 0.06), (0.17, 0.20), (0.13, 0.45), (0.13, 0.75),
            (0.16, base - 0.45 * dome), (0.30, base - 0.85 * dome), (0.48, base - dome),
            (0.70, base - 0.8 * dome), (0.88, base - 0.15 * dome), (0.965, base + 0.055),
            (0.985, base + 0.02), (1.0, 0.88), (0.98, 0.70), (0.94, 0.50), (0.86, 0.30),
            (0.70, 0.10), (0.57, 0.015),
        ]  # fmt: skip
        return self._outline([(side * x, v) for x, v in points])

    def heart(self) -> np.ndarray:
        """The heart, which reaches further to the right of the film."""
        width = 2 * self.film.heart_size * self.film.heart_magnification
        right, left = 0.36 * width, 0.64 * width
        low = 1 - 0.55 * self.film.dome_height
        points = [
            (-0.12, 0.36),
            (-0.62 * right, 0.50),
            (-0.92 * right, 0.64),
            (-right, 0.77),
            (-0.92 * right, low - 0.02),
            (-0.6 * right, 1.1),
            (0.60 * left, 1.1),
            (0.97 * left, low + 0.01),
            (left, 0.86),
            (0.85 * left, 0.73),
            (0.60 * left, 0.59),
            (0.44 * left, 0.48),
            (0.16, 0.34),
        ]  # fmt: skip
        return self._outline(points)

    def mediastinum(self) -> np.ndarray:
        """Great vessels, trachea and spine between the lungs, with the arch of the aorta."""
        knob = 0.09 * self.film.aortic_knob
        points = [
            (-0.15, -0.4),
            (-0.16, 0.0),
            (-0.165, 0.15),
            (-0.18, 0.3),
            (-0.17, 0.5),
            (-0.13, 0.8),
            (-0.13, 1.3),
            (0.13, 1.3),
            (0.13, 0.8),
            (0.15, 0.5),
            (0.15, 0.34),
            (0.155 + knob, 0.26),
            (0.16 + 0.7 * knob, 0.20),
            (0.16, 0.14),
            (0.155, 0.0),
            (0.15, -0.4),
        ]  # fmt: skip
        return self._outline(points)

    def belly(self) -> np.ndarray:
        """What is lower than the domes of the diaphragm, within the rib cage."""
        low = 1 - 1.05 * self.film.dome_height
        x = 0.97 * self.width
        return np.array([(-x, self.y(low)), (x, self.y(low)), (x, 1.4), (-x, 1.4)])

    def trachea(self) -> np.ndarray:
        """The windpipe down to its fork."""
        points = [
            (-0.042, -0.5),
            (-0.042, 0.0),
            (-0.04, 0.28),
            (-0.085, 0.37),
            (-0.05, 0.385),
            (0.01, 0.34),
            (0.085, 0.385),
            (0.105, 0.37),
            (0.045, 0.28),
            (0.042, 0.0),
            (0.042, -0.5),
        ]  # fmt: skip
        return self._outline(points)

    def torso(self) -> np.ndarray:
        """The trunk with neck and shoulders."""
        neck, trunk = 0.085 + 0.5 * self.wall, self.width + self.wall
        top = self.top
        half = [
            (neck, -0.3), (neck, top - 0.13), (neck + 0.05, top - 0.085), (0.28, top - 0.05),
            (0.44, top - 0.01), (0.58, top + 0.09), (trunk + 0.08, self.y(0.32)),
            (trunk + 0.02, self.y(0.50)), (trunk, self.y(0.72)), (trunk - 0.01, self.y(0.9)),
            (trunk + 0.02, 1.3),
        ]  # fmt: skip
        return np.array(half + [(-x, y) for x, y in reversed(half)])

    def arms(self) -> np.ndarray:
        """Upper arms, (2, k, 2), nearer to the trunk where the scapulae lie over the lungs."""
        near = self.width + self.wall + 0.11 - 0.06 * self.film.scapula_overlap
        points = [
            (0.44, self.top + 0.0), (0.62, self.top + 0.02), (near + 0.20, self.top + 0.5),
            (near + 0.22, 1.2), (near + 0.02, 1.2), (near, self.top + 0.5),
        ]  # fmt: skip
        return both(closed_curve(points))

    def gastric_bubble(self) -> np.ndarray:
        """Air in the stomach, under the left dome."""
        size = 0.20 * self.film.gastric_bubble
        dome = 1 - self.film.dome_height
        v = dome + 0.055 + 0.35 * size
        turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        x = self.width * (0.50 + size * np.cos(turn) * 1.1)
        return np.column_stack([x, self.y(v + 0.45 * size * np.sin(turn))])

    def breasts(self) -> np.ndarray:
        """The breasts' shadows, (2, k, 2), whose lower rims are over the bases of the lungs."""
        size = 0.75 + 0.25 * self.film.breast
        x, v = 0.62, 0.66 + 0.06 * self.film.breast
        points = [
            (x - 0.36 * size, v - 0.15), (x, v - 0.38), (x + 0.45 * size, v - 0.2),
            (x + 0.47 * size, v + 0.05), (x + 0.25 * size, v + 0.22 * size),
            (x - 0.1 * size, v + 0.235 * size), (x - 0.32 * size, v + 0.12 * size),
        ]  # fmt: skip
        return both(self._outline(points))
