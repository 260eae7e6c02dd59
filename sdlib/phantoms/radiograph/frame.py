"""Where the patient lies on the film, and drawing of outlines at a fraction of a pixel.

Outlines are given in the patient's own coordinates: x from the spine to the right of the film, y
from the top of the film, both as shares of the film's side.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from sdlib.phantoms.radiograph.film import Film

__all__ = ["Frame", "closed_curve"]

SHIFT = 4  # binary places of sub-pixel coordinates
STEPS = 8  # points of a smooth curve between two that are given
COARSE = 4  # smooth fields are made of pixels that are so much larger


class Frame:
    """The film's pixels at one side, and the patient's place among them.

    Parameters
    ----------
    film : Film
        Its ``offset_x``, ``offset_y``, ``tilt`` and ``zoom`` are used.
    side : int
        Side of the film, px.
    """

    def __init__(self, film: Film, side: int) -> None:
        self.side = side
        turn = np.deg2rad(film.tilt)
        self._turn = film.zoom * np.array(
            [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
        )
        self._pivot = np.array([0.0, 0.5])
        self._centre = np.array([0.5 + film.offset_x, 0.5 + film.offset_y])

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) of the patient as OpenCV's fixed-point pixel coordinates, int32."""
        places = (points - self._pivot) @ self._turn + self._centre
        # OpenCV's whole numbers are the centres of pixels.
        return np.rint((places * self.side - 0.5) * (1 << SHIFT)).astype(np.int32)

    def fill(self, plane: np.ndarray, outlines: np.ndarray, level: float) -> None:
        """Fill outlines (m, k, 2) or one outline (k, 2) with a grey level, smooth at the edges."""
        # One by one: OpenCV leaves holes where the outlines of one call overlap.
        for outline in self.pixels(outlines).reshape(-1, *outlines.shape[-2:]):
            cv2.fillPoly(plane, [outline], level, cv2.LINE_AA, SHIFT)

    def trace(self, plane: np.ndarray, outlines: np.ndarray, level: float, width: float) -> None:
        """Draw along outlines, as for :meth:`fill`; ``width`` is a share of the film."""
        lines = list(self.pixels(outlines).reshape(-1, *outlines.shape[-2:]))
        thickness = max(1, round(width * self.side))
        cv2.polylines(plane, lines, True, level, thickness, cv2.LINE_AA, SHIFT)

    def plane(self) -> np.ndarray:
        """An empty plane, uint8 (side, side)."""
        return np.zeros((self.side, self.side), np.uint8)

    def coarse_grid(self) -> tuple[np.ndarray, np.ndarray]:
        """The patient's x and y at each coarse pixel, float32 (m, m) each."""
        m = -(-self.side // COARSE)
        rows, columns = np.mgrid[:m, :m].astype(np.float32)
        places = np.stack([columns, rows], -1) / m + 0.5 / m - self._centre
        x, y = np.moveaxis(places @ np.linalg.inv(self._turn), -1, 0)
        return x.astype(np.float32), (y + self._pivot[1]).astype(np.float32)

    def coarse(self, plane: np.ndarray) -> np.ndarray:
        """A plane of this frame in coarse pixels, float32 (m, m)."""
        m = -(-self.side // COARSE)
        return cv2.resize(plane.astype(np.float32), (m, m), interpolation=cv2.INTER_AREA)

    def fine(self, field: np.ndarray) -> np.ndarray:
        """A coarse field in the pixels of this frame, float32 (side, side)."""
        return cv2.resize(field, (self.side, self.side), interpolation=cv2.INTER_LINEAR)


@cache
def _basis(count: int) -> np.ndarray:
    """Weights of ``count`` points in each point of a closed Catmull-Rom curve."""
    t = np.arange(STEPS)[:, None] / STEPS
    pieces = np.concatenate(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3],
        axis=1,
    )
    weights = np.zeros((count, STEPS, count))
    for point in range(count):
        for offset in range(4):
            weights[point, :, (point + offset - 1) % count] += pieces[:, offset] / 2
    return weights.reshape(-1, count)


def closed_curve(points: np.ndarray) -> np.ndarray:
    """A smooth closed curve through points.

    Parameters
    ----------
    points : array_like
        (k, 2), k at least 4.

    Returns
    -------
    numpy.ndarray
        float64 (8 k, 2); every eighth is one of the points.

    Examples
    --------
    >>> closed_curve([(0, 0), (1, 0), (1, 1), (0, 1)])[[0, 8]].tolist()
    [[0.0, 0.0], [1.0, 0.0]]
    """
    points = np.asarray(points, np.float64)
    return _basis(len(points)) @ points
