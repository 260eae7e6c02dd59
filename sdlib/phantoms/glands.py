"""Where the glands of a tile lie, and the outlines of glands and lumina."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sdlib.phantoms.chance import normals, uniforms
from sdlib.phantoms.tile import FIELD_UM, HistologyTile

__all__ = ["POINTS", "Glands", "place_glands"]

POINTS = 60
"""Number of vertices of an outline."""

MARGIN_UM = 45.0  # glands may be centred this far outside and be cut by the border
CANDIDATES = 400  # random points to choose gland centres from
# Least distance between centres, as a share of the mean distance: random points hardly ever reach
# more than .8.
SPACING = 0.74
GAP_UM = 3.0  # stroma between neighbouring glands
MIN_RADIUS_UM = 5.0
MIN_EPITHELIUM_UM = 4.5
THETA = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
SHAPE_ORDERS = np.arange(2, 5)
FOLD_ORDERS = np.arange(4, 10)


@dataclass(frozen=True)
class Glands:
    """The n glands of a tile that reach into the field of view.

    Attributes
    ----------
    index : numpy.ndarray
        int (n,), the index of each gland's random numbers.
    centre : numpy.ndarray
        float64 (n, 2), x and y in um.
    radius : numpy.ndarray
        float64 (n,), radius of the circle of the same area, um.
    outer : numpy.ndarray
        float64 (n, POINTS, 2), the basement membrane, um.
    lumen : numpy.ndarray
        float64 (n, POINTS, 2), um; vertex k lies inwards of the outer vertex k.
    """

    index: np.ndarray
    centre: np.ndarray
    radius: np.ndarray
    outer: np.ndarray
    lumen: np.ndarray

    @cached_property
    def step(self) -> np.ndarray:
        """From each outer vertex to the next, float64 (n, POINTS, 2), um."""
        return np.roll(self.outer, -1, axis=1) - self.outer

    @cached_property
    def arc(self) -> np.ndarray:
        """Length of the outer border up to the end of each step, float64 (n, POINTS), um."""
        return np.cumsum(np.hypot(self.step[..., 0], self.step[..., 1]), axis=1)


def place_glands(tile: HistologyTile) -> Glands:
    """Place and shape the glands of a tile.

    Positions depend on seed and density alone. Neighbours that would touch share the distance
    between them in proportion to their sizes.

    Parameters
    ----------
    tile : HistologyTile
        Its seed, its gland factors and the direction of its fibres are used.

    Returns
    -------
    Glands
        At least one.

    Examples
    --------
    >>> from sdlib.phantoms.histology import draw_tiles
    >>> glands = place_glands(draw_tiles(1, seed=0)[0])
    >>> glands.outer.shape == (len(glands.index), POINTS, 2)
    True
    """
    seed = tile.seed
    centre = _centres(tile)
    index = np.arange(len(centre))
    size, lumen_size, stretch, turn = normals("gland", seed, index, channels=4)
    radius = _fit(centre, tile.gland_size * np.exp(0.17 * size))
    # Lobes and elongation seldom take an outline further than this from its centre.
    reach = 1.8 * radius[:, None]
    seen = ((centre > -reach) & (centre < FIELD_UM + reach)).all(1)
    index, centre, radius = index[seen], centre[seen], radius[seen]

    shape = _curve("gland shape", seed, index, SHAPE_ORDERS, 1.0)
    folds = _curve("gland folds", seed, index, FOLD_ORDERS, 0.5)
    # Lobes are round and broad, the folds between them narrow and deep.
    folds = tile.folding * (1 - np.exp(-0.8 * folds))
    outer = _of_area(1 + 0.09 * shape + 0.45 * folds, radius)
    lumen = tile.lumen_fraction * np.exp(0.15 * lumen_size[seen])
    inner = _of_area(np.maximum(1 + 0.10 * shape + folds, 0.12), radius * np.sqrt(lumen))
    inner = np.clip(inner, 0.3, np.maximum(outer - MIN_EPITHELIUM_UM, 0.3))

    # Glands are elongated, more or less along the fibres; the area stays as it is.
    long = np.exp(0.16 * np.abs(stretch[seen]))[:, None]
    turn = tile.fibre_angle + 0.6 * turn[seen][:, None]
    x, y = np.cos(THETA) * long, np.sin(THETA) / long
    unit = np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], -1)
    place = centre[:, None]
    return Glands(
        index, centre, radius, place + outer[..., None] * unit, place + inner[..., None] * unit
    )


def _centres(tile: HistologyTile) -> np.ndarray:
    """Random points at a distance from one another, float64 (n, 2), um."""
    side = FIELD_UM + 2 * MARGIN_UM
    x, y = uniforms("gland place", tile.seed, np.arange(CANDIDATES), channels=2)
    # The first gland lies well inside, so that every tile shows at least one.
    x[0], y[0] = 0.34 + 0.32 * x[0], 0.34 + 0.32 * y[0]
    wanted = max(1, round(tile.gland_density * side**2 * 1e-6))
    apart = (SPACING * 1e3 / side) ** 2 / tile.gland_density
    chosen: list[int] = []
    free = np.ones(CANDIDATES, bool)
    while len(chosen) < wanted:
        i = int(free.argmax())
        if not free[i]:
            break
        chosen.append(i)
        free &= (x - x[i]) ** 2 + (y - y[i]) ** 2 > apart
    return np.stack([x[chosen], y[chosen]], 1) * side - MARGIN_UM


def _fit(centre: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """The radii, reduced to the room that neighbours leave, float64 (n,), um."""
    x, y = centre.T
    distance = np.hypot(x[:, None] - x, y[:, None] - y)
    np.fill_diagonal(distance, np.inf)
    room = (distance - GAP_UM) * (radius[:, None] / (radius[:, None] + radius))
    return np.minimum(radius, np.maximum(room.min(1), MIN_RADIUS_UM))


def _of_area(curve: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Polar curves (n, POINTS) scaled to the area of circles of the given radii (n,)."""
    return curve * (radius / np.sqrt((curve**2).mean(1)))[:, None]


def _curve(name: str, seed: int, index: np.ndarray, orders: np.ndarray, power: float) -> np.ndarray:
    """Random periodic curves (n, POINTS) of standard deviation about 1.

    Each is a sum of waves of the given orders, whose amplitudes fall as ``order**-power``.
    """
    cosine, sine = normals(name, seed, index, channels=2 * len(orders)).reshape(2, len(orders), -1)
    falloff = orders**-power / np.sqrt((orders ** (-2 * power)).sum())
    angle = orders[:, None] * THETA
    return (cosine.T * falloff) @ np.cos(angle) + (sine.T * falloff) @ np.sin(angle)
