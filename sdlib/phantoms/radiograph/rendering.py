"""From a film's factors to its pixels: attenuation of the body, opacities, curve, what lies over.

Attenuations add up: grey is a function of the sum of what a beam passes through. The curve from
density to grey is a function of one pixel, and borders, tokens and texts are laid over its result,
so that each factor reaches its own pixels and no others.
"""

from __future__ import annotations

import cv2
import numpy as np

from sdlib.errors import ConfigError
from sdlib.phantoms.chance import bits
from sdlib.phantoms.radiograph.bones import clavicles, humeri, ribs, scapulae, vertebrae
from sdlib.phantoms.radiograph.film import Film
from sdlib.phantoms.radiograph.frame import Frame
from sdlib.phantoms.radiograph.opacities import opacities
from sdlib.phantoms.radiograph.organs import Chest
from sdlib.phantoms.radiograph.overlays import border_cover, text_cover, token_cover
from sdlib.phantoms.radiograph.vessels import vessels
from sdlib.phantoms.texture import PITCH_UM, SIDE, grain, sample

__all__ = ["FILM_VERSION", "MIN_FILM_SIZE", "lung_mask", "render_film", "render_visible"]

FILM_VERSION = 1
"""Raised whenever a film's pixels or factors change: caches of another version are not read."""

MIN_FILM_SIZE = 32
"""Smallest side in pixels that can be rendered."""

VISIBLE = ("lungs", "surroundings")  # what :func:`render_visible` can leave

PAINTED_PX = 192  # films below this size are painted larger and then averaged

# Densities of what a beam passes through.
BODY, AIR, HEART, VESSELS = 0.66, 0.46, 0.15, 0.075


def _painted(size: int) -> int:
    """Side at which a film of ``size`` px is painted."""
    if size < MIN_FILM_SIZE:
        raise ConfigError(f"expected a size of at least {MIN_FILM_SIZE} px, got {size}")
    return size * max(1, -(-PAINTED_PX // size))


def _shrunk(plane: np.ndarray, size: int) -> np.ndarray:
    """A painted plane averaged to ``size`` px, float32."""
    plane = plane.astype(np.float32)
    if len(plane) == size:
        return plane
    return cv2.resize(plane, (size, size), interpolation=cv2.INTER_AREA)


def _blur(plane: np.ndarray, share: float) -> np.ndarray:
    """A plane blurred by a Gaussian whose SD is a share of the side."""
    return cv2.GaussianBlur(plane, (0, 0), share * len(plane))


def _organs(chest: Chest, frame: Frame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lungs, heart and mediastinum, uint8 (side, side) each; 255 is all of a pixel."""
    lungs, heart, middle = frame.plane(), frame.plane(), frame.plane()
    frame.fill(lungs, chest.lungs(), 255)
    frame.fill(heart, chest.heart(), 255)
    frame.fill(middle, chest.mediastinum(), 255)
    return lungs, heart, middle


def _clear_lungs(lungs: np.ndarray, heart: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Lungs that neither heart nor mediastinum hide, uint8."""
    return cv2.subtract(lungs, cv2.max(heart, middle))


def lung_mask(film: Film, size: int = 224) -> np.ndarray:
    """Where the lungs are, but for what lies behind heart, mediastinum and diaphragm.

    Opacities are inside: no pixel outside the mask depends on any factor of the disease.

    Parameters
    ----------
    film : Film
        Its anatomy and pose are used.
    size : int
        Side in pixels, at least 32.

    Returns
    -------
    numpy.ndarray
        bool (size, size): pixels of which any part is lung.

    Raises
    ------
    ConfigError
        A size below 32.

    Examples
    --------
    >>> from sdlib.phantoms.radiograph import draw_films
    >>> mask = lung_mask(draw_films(1, seed=0)[0], 64)
    >>> mask.shape, bool(0.15 < mask.mean() < 0.5)
    ((64, 64), True)
    """
    side = _painted(size)
    clear = _clear_lungs(*_organs(Chest(film), Frame(film, side)))
    return _shrunk(clear, size) > 0


def _air(lungs: np.ndarray, clear: np.ndarray, frame: Frame) -> np.ndarray:
    """How much of a lung's thickness is in each pixel, 0 to 1, float32 (side, side)."""
    both, seen = cv2.split(_blur(cv2.merge([lungs, clear]), 0.007).astype(np.float32) / 255)
    # From the outline inwards only, so that opacities can fill all that is dark.
    seen = np.maximum(2 * seen - 1, 0)
    # A lung is thinner at its edge.
    depth = frame.fine(_blur(frame.coarse(lungs), 0.05)) / 255
    return (0.86 * seen + 0.14 * both) * (0.60 + 0.40 * depth)


def _anatomy(chest: Chest, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """The healthy patient's density, and how much lung opacities have; float32 (side, side)."""
    film, side = chest.film, frame.side
    lungs, heart, middle = _organs(chest, frame)
    density = _soft_tissue(chest, frame)

    clear = _clear_lungs(lungs, heart, middle)
    air = _air(lungs, clear, frame)
    # The heart's edges show against air alone: among soft tissue it is but a soft shade.
    inner = frame.coarse(cv2.max(cv2.max(heart, middle), _below(chest, frame)))
    density += HEART * frame.fine(_blur(inner, 0.03)) / 255

    texture = sample(grain(), "lung", film.seed, side, SIDE * PITCH_UM / 2, 0.0)
    density += (0.006 + 0.016 * air) * texture - AIR * film.aeration * air
    density += air * (film.vascularity * VESSELS / 255) * _vessels(chest, frame)
    # Scatter hides bones behind thick tissue.
    density += (0.35 + 0.65 * air) * (film.bone_density / 255) * _bones(chest, frame)
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
    body, trunk = frame.plane(), frame.plane()
    frame.fill(body, chest.arms(), 200)
    frame.fill(body, chest.torso(), 255)
    frame.fill(trunk, chest.torso(), 255)
    x, y = frame.coarse_grid()
    v = (y - chest.top) / chest.height
    coarse = _blur(frame.coarse(body), 0.025) / 255
    # The belly is thicker than the shoulders, and the middle than the sides.
    slope = 0.92 + 0.12 * np.tanh((v - 0.6) / 0.35) - 0.22 * (x / 0.5) ** 2
    thick = BODY * (1 + 2.0 * (chest.wall - 0.05)) * coarse * slope
    thin = np.minimum(frame.fine(thick.astype(np.float32)), 1.2)
    edge = _blur(cv2.max(body, trunk), 0.004).astype(np.float32) / 255
    density = thin * (0.35 + 0.65 * edge)
    if chest.film.breast > 0:
        breasts = frame.plane()
        frame.fill(breasts, chest.breasts(), 255)
        rim = _blur(breasts, 0.006).astype(np.float32) / 255
        core = frame.fine(_blur(frame.coarse(breasts), 0.06)) / 255
        density += 0.13 * chest.film.breast * rim * core
    if chest.film.gastric_bubble > 0.1:
        air = frame.plane()
        frame.fill(air, chest.gastric_bubble(), 255)
        density -= (0.20 / 255) * _blur(air, 0.008)
    air = frame.plane()
    frame.fill(air, chest.trachea(), 255)
    density -= (0.10 / 255) * _blur(air, 0.006)
    return density


def _vessels(chest: Chest, frame: Frame) -> np.ndarray:
    """Vessels, uint8 (side, side)."""
    plane = frame.plane()
    frame.fill(plane, vessels(chest), 255)
    return plane


def _bones(chest: Chest, frame: Frame) -> np.ndarray:
    """Density of all bones times 255, float32 (side, side)."""
    back, front = ribs(chest)
    total = _bone(frame, back, 20, 30)
    for outlines, inside, edge in (
        (front, 11, 17),
        (vertebrae(chest), 16, 20),
        (scapulae(chest), 13, 20),
        (humeri(chest), 34, 40),
        (clavicles(chest), 30, 38),
    ):
        total = cv2.add(total, _bone(frame, outlines, inside, edge))
    return total.astype(np.float32)


def _bone(frame: Frame, outlines: np.ndarray, inside: int, edge: int) -> np.ndarray:
    """Bones of one kind, denser at their edges, uint8 (side, side)."""
    plane = frame.plane()
    frame.fill(plane, outlines, inside)
    frame.trace(plane, outlines, edge, 0.003)
    return plane


def _grey(film: Film, density: np.ndarray) -> np.ndarray:
    """Grey levels 0 to 255 of densities, with noise, in steps of the bit depth; float32."""
    place = (density - film.window_centre) / film.window_width
    if film.curve == "sigmoid":
        share = 1 / (1 + np.exp(-4.0 * place))
    else:
        share = np.clip(place + 0.5, 0, 1)
    rng = np.random.Generator(np.random.SFC64(int(bits("noise", film.seed)[0])))
    share += film.noise / 255 * rng.standard_normal(share.shape, np.float32)
    steps = 2**film.bit_depth - 1
    return np.rint(np.clip(share, 0, 1) * steps) * np.float32(255 / steps)


def render_film(film: Film, size: int = 224) -> np.ndarray:
    """Make the pixels of a film; they are the same every time.

    Parameters
    ----------
    film : Film
        What to paint.
    size : int
        Side in pixels, at least 32.

    Returns
    -------
    numpy.ndarray
        uint8 (size, size), grey.

    Raises
    ------
    ConfigError
        A size below 32, or a factor that is no value of its kind.

    Examples
    --------
    >>> from sdlib.phantoms.radiograph import draw_films
    >>> render_film(draw_films(1, seed=0)[0], 64).shape
    (64, 64)
    """
    side = _painted(size)
    chest, frame = Chest(film), Frame(film, side)
    density, air = _anatomy(chest, frame)
    density += opacities(chest, frame) * air
    image = _grey(film, _shrunk(density, size))
    for cover, grey in (
        (border_cover(film, side), film.border_grey),
        (token_cover(film, side), film.token_grey),
        (text_cover(film, side), film.text_grey),
    ):
        if cover is not None:
            image += _shrunk(cover, size) / 255 * (grey - image)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def render_visible(film: Film, size: int = 224, visible: str = "") -> np.ndarray:
    """Make the pixels of a film, with its lungs or all but its lungs hidden.

    What is hidden has the mean grey of what stays visible, so that it tells nothing more; only the
    outline between the two remains.

    Parameters
    ----------
    film : Film
        What to paint.
    size : int
        Side in pixels, at least 32.
    visible : str
        ``lungs``, ``surroundings``, or empty for all.

    Returns
    -------
    numpy.ndarray
        uint8 (size, size), grey.

    Raises
    ------
    ConfigError
        As :func:`render_film`; something else that shall be visible.

    Examples
    --------
    >>> from sdlib.phantoms.radiograph import draw_films
    >>> film = draw_films(1, seed=0)[0]
    >>> image = render_visible(film, 64, "lungs")
    >>> len(set(image[~lung_mask(film, 64)].tolist()))
    1
    """
    if visible not in ("", *VISIBLE):
        raise ConfigError(f"expected {' or '.join(VISIBLE)} to be visible, got {visible!r}")
    image = render_film(film, size)
    if visible:
        shown = lung_mask(film, size) == (visible == "lungs")
        image[~shown] = round(float(image[shown].mean()))
    return image
