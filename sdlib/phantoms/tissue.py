"""Painting: from the layout of a tile to the concentrations of both stains in each pixel."""

from __future__ import annotations

import cv2
import numpy as np

from sdlib.phantoms.chance import normals, uniforms
from sdlib.phantoms.glands import Glands, place_glands
from sdlib.phantoms.nuclei import Nuclei, basal_nuclei, secretory_nuclei, stromal_nuclei
from sdlib.phantoms.texture import fibres, grain, sample
from sdlib.phantoms.tile import FIELD_UM, HistologyTile

__all__ = ["paint"]

# OpenCV draws smooth edges on 8-bit planes only, so one grey level is 0.01 of concentration.
LEVELS = 100
SHIFT = 4  # binary places of sub-pixel coordinates
FINE = 1 << SHIFT
OUTLINE = FINE // 2  # OpenCV's smooth fill adds half a pixel on every side
SHEATH_UM = 2.0  # dense collagen around a gland
SHEATH_EOSIN = 0.80
STROMA_EOSIN = 0.64
STROMA_HAEMATOXYLIN = 0.10
CELL_HAEMATOXYLIN = 0.19
CELL_EOSIN = 0.42
LUMEN_HAEMATOXYLIN = 0.02
NUCLEOLUS = 0.75  # haematoxylin over that of the nucleus
MEMBRANE_UM = 1.3  # chromatin gathers this near to the nuclear membrane
BODY_SHARE = 0.08  # share of the wider lumina that hold a corpus amylaceum


def paint(tile: HistologyTile, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Paint the concentrations of haematoxylin and eosin in a tile.

    They are relative: :func:`sdlib.phantoms.optics.develop` multiplies them by the tile's amounts
    of stain.

    Parameters
    ----------
    tile : HistologyTile
        Everything but its scanner, centre, amounts of stain, hue and sharpness is used.
    side : int
        Side of the planes, px.

    Returns
    -------
    haematoxylin, eosin : numpy.ndarray
        float32 (side, side) each, at least 0.

    Examples
    --------
    >>> from sdlib.phantoms.histology import draw_tiles
    >>> haematoxylin, eosin = paint(draw_tiles(1, seed=0)[0], 64)
    >>> haematoxylin.shape, bool(eosin.min() >= 0)
    ((64, 64), True)
    """
    scale = side / FIELD_UM * FINE
    glands = place_glands(tile)
    haematoxylin, eosin, under = cv2.split(_ground(tile, glands, side, scale))
    nuclei = np.zeros((side, side), np.uint8)
    _draw_nuclei(nuclei, basal_nuclei(tile, glands), scale)
    _draw_nuclei(nuclei, secretory_nuclei(tile, glands), scale)
    nuclear = cv2.max(nuclei, under).astype(np.float32) / LEVELS

    grains = sample(grain(), "grain", tile.seed, side, FIELD_UM, 0.0)
    # Grain and membrane are multiplied by the nucleus, so pixels without one stay as they are.
    inner = cv2.GaussianBlur(nuclear, (0, 0), MEMBRANE_UM * side / FIELD_UM)
    chromatin = nuclear * (0.95 + 0.13 * grains + 0.35 * (nuclear - inner))
    texture = (1 + 0.10 * grains) / LEVELS
    open_share = 1 - np.minimum(nuclear, 1)
    return (
        np.maximum(haematoxylin * texture * open_share + chromatin, 0),
        np.maximum(eosin * texture * (0.45 + 0.55 * open_share), 0),
    )


def _ground(tile: HistologyTile, glands: Glands, side: int, scale: float) -> np.ndarray:
    """Draw stroma, its nuclei and the glands without theirs, one over the other.

    Returns
    -------
    numpy.ndarray
        uint8 (side, side, 3): haematoxylin, eosin, and haematoxylin in stromal nuclei; LEVELS
        grey levels are a concentration of 1.
    """
    stroma = LEVELS * STROMA_HAEMATOXYLIN
    plain = np.zeros((side, side), np.uint8)
    planes = cv2.merge([plain + np.uint8(stroma), _stroma(tile, side), plain])
    grown = glands.outer - glands.centre[:, None]
    grown *= 1 + (SHEATH_UM / glands.radius)[:, None, None]
    dense = (stroma, LEVELS * SHEATH_EOSIN, 0)
    for sheath in _fixed(grown + glands.centre[:, None], scale):
        cv2.fillPoly(planes, [sheath], dense, cv2.LINE_AA, SHIFT)
    _draw_nuclei(planes, stromal_nuclei(tile, glands), scale, (stroma, LEVELS * STROMA_EOSIN))

    # Glands differ in tone, and some lumina hold secretion, which eosin stains.
    pink, blue, fluid = normals("gland tone", tile.seed, glands.index, channels=3)
    columns = (
        _fixed(glands.outer, scale),
        _fixed(glands.lumen, scale),
        (LEVELS * CELL_HAEMATOXYLIN * np.exp(0.20 * blue)).tolist(),
        (LEVELS * CELL_EOSIN * np.exp(0.16 * pink)).tolist(),
        (LEVELS * np.clip(0.03 + 0.04 * np.exp(1.1 * fluid), 0, 0.4)).tolist(),
    )
    for border, hole, haematoxylin, eosin, secretion in zip(*columns, strict=True):
        cv2.fillPoly(planes, [border], (haematoxylin, eosin, 0), cv2.LINE_AA, SHIFT)
        lumen = LEVELS * LUMEN_HAEMATOXYLIN, secretion, 0
        cv2.fillPoly(planes, [hole], lumen, cv2.LINE_AA, SHIFT)
    _draw_bodies(planes, glands, tile.seed, scale)
    return planes


def _stroma(tile: HistologyTile, side: int) -> np.ndarray:
    """Eosin of the stroma's fibres in grey levels, uint8 (side, side)."""
    tone, contrast = normals("stroma", tile.seed, channels=2)[:, 0]
    fibre = sample(fibres(), "fibres", tile.seed, side, FIELD_UM, tile.fibre_angle)
    contrast = np.clip(0.16 + 0.04 * contrast, 0.06, 0.3)
    eosin = STROMA_EOSIN * np.exp(0.10 * tone) * (1 + np.float32(contrast) * fibre)
    return np.clip(eosin * LEVELS, 0, 255).astype(np.uint8)


def _fixed(points: np.ndarray, scale: float) -> np.ndarray:
    """Points in um as OpenCV's fixed-point coordinates, int32."""
    return np.rint(points * scale).astype(np.int32)


def _draw_bodies(planes: np.ndarray, glands: Glands, seed: int, scale: float) -> None:
    """Draw corpora amylacea, layered pink bodies, in some of the wider lumina."""
    hole = glands.lumen - glands.centre[:, None]
    room = np.hypot(hole[..., 0], hole[..., 1]).min(1)
    chance, size, dx, dy = uniforms("body", seed, glands.index, channels=4)
    for i in np.flatnonzero((chance < BODY_SHARE) & (room > 8)).tolist():
        radius = room[i] * (0.35 + 0.3 * size[i])
        spare = 0.8 * (room[i] - radius)
        place = glands.centre[i] + spare * np.array([dx[i] - 0.5, dy[i] - 0.5])
        centre = tuple(_fixed(place, scale).tolist())
        for share, level in ((1.0, 0.55), (0.8, 0.45), (0.55, 0.58), (0.3, 0.5)):
            axes = round(radius * share * scale), round(0.85 * radius * share * scale)
            turn = 360 * chance[i] / BODY_SHARE
            colour = LEVELS * LUMEN_HAEMATOXYLIN, LEVELS * level, 0
            cv2.ellipse(planes, centre, axes, turn, 0, 360, colour, -1, cv2.LINE_AA, SHIFT)


def _draw_nuclei(
    plane: np.ndarray, nuclei: Nuclei, scale: float, others: tuple[float, ...] = ()
) -> None:
    """Draw nuclei as filled ellipses, with a darker nucleolus where they have one.

    ``others`` are the levels of the channels before the channel of nuclei.
    """
    columns = (
        _fixed(np.stack([nuclei.x, nuclei.y], 1), scale).tolist(),
        np.maximum(_fixed(np.stack([nuclei.long, nuclei.wide], 1), scale) - OUTLINE, 1).tolist(),
        nuclei.angle.tolist(),
        np.minimum(LEVELS * nuclei.shade, 255).tolist(),
        _fixed(nuclei.nucleolus, scale).tolist(),
    )
    for centre, axes, angle, level, dot in zip(*columns, strict=True):
        colour = (*others, level)
        cv2.ellipse(plane, centre, axes, angle, 0, 360, colour, -1, cv2.LINE_AA, SHIFT)
        if dot:
            dark = (*others, min(level + LEVELS * NUCLEOLUS, 255))
            cv2.ellipse(plane, centre, (dot, dot), 0, 0, 360, dark, -1, cv2.LINE_AA, SHIFT)
