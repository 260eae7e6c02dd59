"""Where the nuclei of a tile lie: secretory and basal layers, spindle cells, lymphocytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sdlib.phantoms.chance import normals, uniforms
from sdlib.phantoms.glands import POINTS, Glands
from sdlib.phantoms.tile import FIELD_UM, HistologyTile

__all__ = ["Nuclei", "basal_nuclei", "secretory_nuclei", "stromal_nuclei"]

SLOTS = 256  # the most nuclei in one layer of a gland, each with random numbers of its own
BASAL_SPACING_UM = 8.0
BASAL_DEPTH_UM = 1.6
SHEATH_UM = 9.0  # fibres this near to a gland run around it
SWARM_UM = 38.0  # spread of a tile's lymphocytes
NEARBY_UM = 8.0  # a nucleus centred this far outside may still reach into the field


@dataclass(frozen=True)
class Nuclei:
    """The n nuclei of one kind, as ellipses; every attribute is float64 (n,).

    Attributes
    ----------
    x, y : numpy.ndarray
        Centres, um.
    long, wide : numpy.ndarray
        Half axes, um.
    angle : numpy.ndarray
        Direction of ``long``, degrees.
    shade : numpy.ndarray
        Concentration of haematoxylin.
    nucleolus : numpy.ndarray
        Radius of the nucleolus, um; 0 where there is none.
    """

    x: np.ndarray
    y: np.ndarray
    long: np.ndarray
    wide: np.ndarray
    angle: np.ndarray
    shade: np.ndarray
    nucleolus: np.ndarray

    def within(self, keep: np.ndarray) -> Nuclei:
        """Keep the nuclei of the mask ``keep``, bool (n,), that reach into the field of view."""
        low, high = -NEARBY_UM, FIELD_UM + NEARBY_UM
        keep = keep & (self.x > low) & (self.x < high) & (self.y > low) & (self.y < high)
        return Nuclei(*(column[keep] for column in vars(self).values()))


@dataclass(frozen=True)
class Places:
    """The n places along the epithelium where a layer may have a nucleus; (n,) each.

    Attributes
    ----------
    index : numpy.ndarray
        int, the index of each place's random numbers.
    x, y : numpy.ndarray
        Points on the outer border, um.
    dx, dy : numpy.ndarray
        The way from there to the lumen, um.
    angle : numpy.ndarray
        Direction of the border, degrees.
    """

    index: np.ndarray
    x: np.ndarray
    y: np.ndarray
    dx: np.ndarray
    dy: np.ndarray
    angle: np.ndarray


def _along(glands: Glands, name: str, seed: int, spacing: float) -> Places:
    """Places at about equal arcs along the border of every gland, ``spacing`` um apart."""
    step, arc = glands.step, glands.arc
    perimeter = arc[:, -1]
    count = np.clip((perimeter / spacing).astype(np.int64), 3, SLOTS)
    gland = np.repeat(np.arange(len(count)), count)
    slot = np.arange(len(gland)) - np.repeat(np.cumsum(count) - count, count)
    # Random numbers belong to a gland and a slot, so a gland that is lost changes no other.
    index = glands.index[gland] * SLOTS + slot
    shift = 0.25 + 0.5 * uniforms(name, seed, index)
    # One interpolation for all glands: arc length, offset by the gland's number, to vertex.
    ends = (arc / perimeter[:, None] + np.arange(len(count))[:, None]).ravel()
    starts = np.concatenate([[0.0], ends])
    vertex = np.interp(gland + (slot + shift) / count[gland], starts, np.arange(len(starts)))
    flat = np.minimum(vertex.astype(np.int64), len(ends) - 1)
    part = (vertex - flat)[:, None]
    after = np.where(flat % POINTS == POINTS - 1, flat - POINTS + 1, flat + 1)
    border, lumen = glands.outer.reshape(-1, 2), glands.lumen.reshape(-1, 2)
    here = border[flat] + part * (border[after] - border[flat])
    way = lumen[flat] + part * (lumen[after] - lumen[flat]) - here
    ahead = step.reshape(-1, 2)[flat]
    angle = np.degrees(np.arctan2(ahead[:, 1], ahead[:, 0]))
    return Places(index, *here.T, *way.T, angle)


def secretory_nuclei(tile: HistologyTile, glands: Glands) -> Nuclei:
    """Place the nuclei of the layer towards the lumen, which carry the tile's nuclear factors."""
    at = _along(glands, "secretory place", tile.seed, tile.nuclear_spacing)
    depth, size, shade, turn = normals("secretory", tile.seed, at.index, channels=4)
    flat, shown = uniforms("secretory shape", tile.seed, at.index, channels=2)
    spread = tile.pleomorphism
    # The mean area does not depend on the spread.
    radius = tile.nuclear_size * np.exp(spread * size - spread**2)
    aspect = np.exp(0.04 + 0.6 * spread * flat)
    depth = np.clip(0.42 + 0.10 * depth, 0.1, 0.8)
    prominence = tile.nucleolar_prominence
    nucleolus = np.where(shown < prominence, (0.16 + 0.16 * prominence) * radius, 0.0)
    return Nuclei(
        at.x + depth * at.dx,
        at.y + depth * at.dy,
        radius * aspect,
        radius / aspect,
        at.angle + 90 + 18 * turn,  # their long axes point from the border to the lumen
        tile.hyperchromasia * np.exp(0.10 * shade),
        nucleolus,
    ).within(np.ones(len(radius), bool))


def basal_nuclei(tile: HistologyTile, glands: Glands) -> Nuclei:
    """Place flat dark nuclei along the border, on the share of it that ``basal_layer`` gives."""
    at = _along(glands, "basal place", tile.seed, BASAL_SPACING_UM)
    size, shade = normals("basal", tile.seed, at.index, channels=2)
    present = uniforms("basal present", tile.seed, at.index) < tile.basal_layer
    inwards = BASAL_DEPTH_UM / np.maximum(np.hypot(at.dx, at.dy), BASAL_DEPTH_UM)
    long = 3.4 * np.exp(0.12 * size)
    return Nuclei(
        at.x + inwards * at.dx,
        at.y + inwards * at.dy,
        long,
        0.42 * long,
        at.angle,
        1.15 * np.exp(0.12 * shade),
        np.zeros(len(long)),
    ).within(present)


def stromal_nuclei(tile: HistologyTile, glands: Glands) -> Nuclei:
    """Place spindle nuclei along the fibres and dark round lymphocytes; glands cover some."""
    area = FIELD_UM**2 * 1e-6
    n_spindles, n_round = round(tile.stroma_cellularity * area), round(tile.inflammation * area)
    x, y = FIELD_UM * uniforms("spindle place", tile.seed, np.arange(n_spindles), channels=2)
    bend, length, width, tone = normals("spindle", tile.seed, np.arange(n_spindles), channels=4)
    # Fibres, and with them spindle nuclei, run around a gland that is near.
    dx, dy = x[:, None] - glands.centre[:, 0], y[:, None] - glands.centre[:, 1]
    gap = np.hypot(dx, dy) - glands.radius
    nearest = np.arange(n_spindles), gap.argmin(1)
    around = np.degrees(np.arctan2(dx[nearest], -dy[nearest]))
    along = np.degrees(tile.fibre_angle) + 12 * bend
    focus = FIELD_UM * uniforms("lymphocyte focus", tile.seed, channels=2)
    swarm_x, swarm_y, size, dark = normals("lymphocyte", tile.seed, np.arange(n_round), channels=4)
    radius = 2.5 * np.exp(0.08 * size)
    return Nuclei(
        np.concatenate([x, focus[0] + SWARM_UM * swarm_x]),
        np.concatenate([y, focus[1] + SWARM_UM * swarm_y]),
        np.concatenate([5.2 * np.exp(0.22 * length), radius]),
        np.concatenate([1.25 * np.exp(0.18 * width), radius]),
        np.concatenate([np.where(gap[nearest] < SHEATH_UM, around, along), np.zeros(n_round)]),
        np.concatenate([0.85 * np.exp(0.15 * tone), 1.3 * np.exp(0.08 * dark)]),
        np.zeros(n_spindles + n_round),
    ).within(np.ones(n_spindles + n_round, bool))
