"""What lies over the picture of the patient: the collimator's border, the token, the text."""

from __future__ import annotations

import cv2
import numpy as np

from sdlib.phantoms.radiograph.film import Film

__all__ = ["border_cover", "text_cover", "token_cover"]

FONT = cv2.FONT_HERSHEY_SIMPLEX
FONT_PX = 21.0  # height of a capital letter at scale 1
CORNER = 0.07  # radius of rounded corners, share of the film


def border_cover(film: Film, side: int) -> np.ndarray | None:
    """Share of each pixel that the border covers: uint8 (side, side), 255 is all; or None."""
    if film.border_shape == "none":
        return None
    cover = np.full((side, side), 255, np.uint8)
    width = film.border_width
    far = 1.5  # beyond the film, however it is turned
    low_x, high_x, low_y, high_y = {
        "sides": (width, 1 - width, -far, far),
        "top": (-far, far, 1.6 * width, far),
        "frame": (width, 1 - width, width, 1 - width),
        "rounded": (width, 1 - width, width, 1 - width),
    }[film.border_shape]
    corners = [(low_x, low_y), (high_x, low_y), (high_x, high_y), (low_x, high_y)]
    window = np.array(corners)
    if film.border_shape == "rounded":
        window = _rounded(window)
    turn = np.deg2rad(film.border_tilt)
    cos, sin = np.cos(turn), np.sin(turn)
    window = (window - 0.5) @ np.array([[cos, sin], [-sin, cos]]) + 0.5
    cv2.fillPoly(cover, [np.rint((window * side - 0.5) * 16).astype(np.int32)], 0, cv2.LINE_AA, 4)
    return cover


def _rounded(corners: np.ndarray) -> np.ndarray:
    """A rectangle's outline with arcs for corners, float64 (36, 2)."""
    turn = np.linspace(0, np.pi / 2, 9)
    arcs = []
    for number, corner in enumerate(corners):
        inwards = np.sign(0.5 - corner)
        angle = turn + np.pi * (1 + number / 2)
        arc = np.column_stack([np.cos(angle), np.sin(angle)])
        arcs.append(corner + CORNER * (inwards + arc))
    return np.concatenate(arcs)


def _write(cover: np.ndarray, words: str, left: float, base: float, height: float, level: int):
    """Write words in capitals of ``height`` px, their lower left corner at (left, base) px."""
    scale = height / FONT_PX
    thickness = max(1, round(height / 7))
    place = (round(left), round(base))
    cv2.putText(cover, words, place, FONT, scale, level, thickness, cv2.LINE_AA)


def token_cover(film: Film, side: int) -> np.ndarray | None:
    """Share of each pixel that the laterality token covers, as :func:`border_cover`."""
    if not film.token_letter:
        return None
    cover = np.zeros((side, side), np.uint8)
    x, y, height = film.token_x * side, film.token_y * side, film.token_size * side
    centre, reach = (round(x), round(y)), round(0.95 * height)
    level = 255
    if film.token_shape == "ring":
        cv2.circle(cover, centre, reach, 255, max(1, round(height / 8)), cv2.LINE_AA)
    elif film.token_shape == "disc":
        cv2.circle(cover, centre, reach, 255, -1, cv2.LINE_AA)
        level = 0  # the letter is cut out
    elif film.token_shape == "box":
        wide, high = round(0.62 * height), round(0.82 * height)
        corner = (centre[0] - wide, centre[1] - high), (centre[0] + wide, centre[1] + high)
        cv2.rectangle(cover, *corner, 255, -1)
        level = 0
    width = cv2.getTextSize(film.token_letter, FONT, height / FONT_PX, 1)[0][0]
    _write(cover, film.token_letter, x - width / 2, y + height / 2, height, level)
    return cover


def text_cover(film: Film, side: int) -> np.ndarray | None:
    """Share of each pixel that burned-in text covers, as :func:`border_cover`."""
    if not film.text_words:
        return None
    cover = np.zeros((side, side), np.uint8)
    height = film.text_size * side
    _write(cover, film.text_words, film.text_x * side, film.text_y * side, height, 255)
    return cover
