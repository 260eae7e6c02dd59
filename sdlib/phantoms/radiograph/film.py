"""What a chest radiograph is made of: one value per factor of patient, disease and signature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from sdlib.checks import known
from sdlib.errors import ConfigError
from sdlib.phantoms.radiograph.film_factors import WORDS

__all__ = ["Film", "tabulate_films"]


# Attributes keep their order: the cache recognises films by their printed form.
@dataclass(frozen=True)
class Film:
    """The description of a film, from which :func:`render_film` makes its pixels.

    ``dataclasses.replace`` changes one attribute and leaves the rest of the film as it is. What
    each factor means, its unit and its part are in ``FILM_FACTORS``.

    Attributes
    ----------
    target : int
        0 without and 1 with COVID-19. Not used in rendering.
    patient : str
        Such as ``"a0-00012"``. Not used in rendering.
    hospital : str
        A key of ``HOSPITALS``. Not used in rendering: what it does to a film, its factors say.
    seed : int
        Seed of everything that no factor names, such as the course of vessels.
    chest_width, chest_height, soft_tissue, heart_size, aortic_knob : float
        Anatomy: the rib cage, what covers it, the heart and the aorta.
    dome_height, dome_difference, gastric_bubble, breast : float
        Anatomy: the diaphragm, the air under it, and the breast shadow.
    rib_slope, bone_density, vascularity, aeration : float
        Anatomy: ribs, bones, vessels and air of the lungs.
    offset_x, offset_y, tilt, zoom : float
        Where the patient is on the film.
    opacity, opacity_peripheral, opacity_lower, opacity_left, opacity_patches : float
        The disease: how strong it is and how it is distributed over both lungs.
    view : str
        Pose: ``"PA"`` or ``"AP"``.
    heart_magnification, scapula_overlap, clavicle_height, inspiration : float
        Pose: what differs between the two views.
    curve : str
        Contrast: ``"sigmoid"`` or ``"linear"``.
    window_centre, window_width, enhancement, noise : float
        Contrast: from density to grey.
    bit_depth : int
        Contrast: bits of a grey level, 1 to 8.
    border_shape : str
        Border: ``"none"``, ``"sides"``, ``"top"``, ``"frame"`` or ``"rounded"``.
    border_width, border_grey, border_tilt : float
        Border: how wide, how bright, how oblique.
    token_letter, token_shape : str
        Token: what it says (empty for no token), and ``"plain"``, ``"ring"``, ``"disc"`` or
        ``"box"``.
    token_x, token_y, token_size, token_grey : float
        Token: place, height and brightness.
    text_words : str
        Text: what is burned in; empty for nothing.
    text_x, text_y, text_size, text_grey : float
        Text: place, height and brightness.

    Raises
    ------
    ConfigError
        A word that its factor does not know, or a bit depth outside 1 to 8.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from sdlib.phantoms.radiograph import draw_films, render_film
    >>> film = draw_films(1, seed=0)[0]
    >>> clear = render_film(replace(film, opacity=0.0), 96)  # the same patient without opacities
    """

    target: int
    patient: str
    hospital: str
    seed: int
    chest_width: float
    chest_height: float
    soft_tissue: float
    heart_size: float
    aortic_knob: float
    dome_height: float
    dome_difference: float
    gastric_bubble: float
    breast: float
    rib_slope: float
    bone_density: float
    vascularity: float
    aeration: float
    offset_x: float
    offset_y: float
    tilt: float
    zoom: float
    opacity: float
    opacity_peripheral: float
    opacity_lower: float
    opacity_left: float
    opacity_patches: float
    view: str
    heart_magnification: float
    scapula_overlap: float
    clavicle_height: float
    inspiration: float
    curve: str
    window_centre: float
    window_width: float
    enhancement: float
    noise: float
    bit_depth: int
    border_shape: str
    border_width: float
    border_grey: float
    border_tilt: float
    token_letter: str
    token_shape: str
    token_x: float
    token_y: float
    token_size: float
    token_grey: float
    text_words: str
    text_x: float
    text_y: float
    text_size: float
    text_grey: float

    def __post_init__(self) -> None:
        for name, words in WORDS.items():
            known(name, getattr(self, name), words)
        if self.bit_depth not in range(1, 9):
            raise ConfigError(f"expected a bit_depth from 1 to 8, got {self.bit_depth}")


def tabulate_films(films: Sequence[Film]) -> dict[str, np.ndarray]:
    """Turn films into columns, one array per attribute.

    Parameters
    ----------
    films : sequence of Film
        n films.

    Returns
    -------
    dict of str to numpy.ndarray
        (n,) each, by the attribute's name.

    Examples
    --------
    >>> from sdlib.phantoms.radiograph import draw_films
    >>> tabulate_films(draw_films(2, seed=0))["hospital"].tolist()
    ['a', 'a']
    """
    return {
        field.name: np.array([getattr(film, field.name) for film in films])
        for field in fields(Film)
    }
