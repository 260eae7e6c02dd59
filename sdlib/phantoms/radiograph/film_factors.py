"""The factors of a film by name: their part, meaning and unit, and how patients draw them."""

from __future__ import annotations

from dataclasses import dataclass

from sdlib.phantoms.factors import Factor

__all__ = [
    "FILM_FACTORS",
    "PATIENT_FACTORS",
    "POSE_FACTORS",
    "SIGNATURE_PARTS",
    "VIEWS",
    "WORDS",
    "FilmFactor",
]

VIEWS = ("PA", "AP")
"""The beam enters from behind, or from the front: the order of centres in ``POSE_FACTORS``."""


WORDS = {
    "view": VIEWS,
    "curve": ("sigmoid", "linear"),
    "border_shape": ("none", "sides", "top", "frame", "rounded"),
    "token_shape": ("plain", "ring", "disc", "box"),
}
"""The values of factors that are words."""


@dataclass(frozen=True)
class FilmFactor:
    """One factor of a film.

    Attributes
    ----------
    name : str
        Key in ``FILM_FACTORS``, and the attribute of :class:`Film`.
    part : str
        ``anatomy``, ``disease``, or one of ``SIGNATURE_PARTS``.
    unit, meaning : str
        Unit of its values; what it is, in a few words.

    Examples
    --------
    >>> FILM_FACTORS["token_letter"].part
    'token'
    """

    name: str
    part: str
    unit: str
    meaning: str


def _plain(name, unit, meaning, centre, sd, low, high, share=0.9, scale="linear"):
    """A factor that says nothing of the class."""
    return Factor(name, unit, meaning, (centre, centre), sd, low, high, scale, share)


# One factor takes one or two lines, so that the table can be read as a table.
# fmt: off
_ANATOMY = (
    _plain("chest_width", "share of the film", "half the inner width of the rib cage",
           0.405, 0.022, 0.34, 0.46),
    _plain("chest_height", "share of the film", "from apex to base of a lung, fully inspired",
           0.74, 0.04, 0.62, 0.84),
    _plain("soft_tissue", "share of the film", "thickness of the chest wall",
           0.058, 0.42, 0.02, 0.15, scale="log"),
    _plain("heart_size", "share of the chest", "width of the heart in a PA view",
           0.45, 0.04, 0.34, 0.60),
    _plain("aortic_knob", "1", "how far the arch of the aorta bulges", 0.5, 0.25, 0.0, 1.2),
    _plain("dome_height", "share of a lung", "height of the domes of the diaphragm",
           0.12, 0.025, 0.05, 0.20, 0.7),
    _plain("dome_difference", "share of a lung", "how much higher the right dome is",
           0.03, 0.012, -0.01, 0.07, 0.7),
    _plain("gastric_bubble", "1", "air in the stomach; 0 is none", 0.4, 0.4, 0.0, 1.2, 0.2),
    _plain("breast", "1", "breast shadow; 0 is none", 0.45, 0.45, 0.0, 1.5, 0.95),
    _plain("rib_slope", "share of a lung", "fall of a rib from back to front",
           0.34, 0.04, 0.22, 0.46, 0.8),
    _plain("bone_density", "1", "attenuation of bones", 1.0, 0.15, 0.6, 1.6, scale="log"),
    _plain("vascularity", "1", "attenuation of the lungs' vessels", 1.0, 0.22, 0.5, 1.8, 0.6,
           "log"),
    _plain("aeration", "1", "air in the lungs", 1.0, 0.06, 0.8, 1.2, 0.6),
    _plain("offset_x", "share of the film", "patient to the right of the film's centre",
           0.0, 0.014, -0.05, 0.05, 0.0),
    _plain("offset_y", "share of the film", "patient below the film's centre",
           0.0, 0.016, -0.05, 0.05, 0.0),
    _plain("tilt", "degree", "patient turned clockwise", 0.0, 1.5, -5.0, 5.0, 0.0),
    _plain("zoom", "1", "magnification of everything", 1.0, 0.035, 0.9, 1.12, 0.0),
)
# The healthy have some haze. Nothing else about opacities differs between the classes.
_DISEASE = (
    Factor("opacity", "1", "strength of opacities in both lungs",
           (0.16, 0.50), 0.5, 0.01, 2.5, "log", 0.5),
    _plain("opacity_peripheral", "1", "how much of it is kept to the periphery",
           0.75, 0.12, 0.3, 1.0, 0.5),
    _plain("opacity_lower", "1", "how much of it is kept to the lower lungs",
           0.70, 0.14, 0.2, 1.0, 0.5),
    _plain("opacity_left", "1", "share of it that is in the left lung",
           0.50, 0.09, 0.25, 0.75, 0.5),
    _plain("opacity_patches", "1", "how much of it is in patches, not in even haze",
           0.60, 0.18, 0.1, 1.0, 0.5),
)
PATIENT_FACTORS = {factor.name: factor for factor in (*_ANATOMY, *_DISEASE)}
"""What the patient brings, and where the patient is on the film."""

# Their two centres are those of the views, not of the classes.
POSE_FACTORS = {
    factor.name: factor
    for factor in (
        Factor("heart_magnification", "1", "width of the heart over that in a PA view",
               (1.0, 1.16), 0.035, 0.9, 1.35),
        Factor("scapula_overlap", "1", "how far the scapulae lie over the lungs",
               (0.08, 0.75), 0.12, 0.0, 1.0),
        Factor("clavicle_height", "share of a lung", "inner ends of the clavicles above the apex",
               (-0.13, -0.02), 0.025, -0.2, 0.06),
        Factor("inspiration", "share of chest_height", "height of the lungs",
               (1.0, 0.88), 0.035, 0.72, 1.1),
    )
}
"""What differs between views; the centres are PA's and AP's."""

_SIGNATURE = {
    "pose": {
        "view": ("PA or AP", "from where the beam comes; pixels follow from the next factors"),
        **{name: (factor.unit, factor.meaning) for name, factor in POSE_FACTORS.items()},
    },
    "contrast": {
        "curve": ("sigmoid or linear", "shape of the curve from density to grey"),
        "window_centre": ("density", "density that becomes medium grey"),
        "window_width": ("density", "densities from black to white"),
        "enhancement": ("1", "how much local contrast is raised"),
        "noise": ("grey levels", "standard deviation of the noise"),
        "bit_depth": ("bits", "bits of a grey level"),
    },
    "border": {
        "border_shape": ("word", "none, sides, top, frame or rounded"),
        "border_width": ("share of the film", "width of what the collimator leaves empty"),
        "border_grey": ("0 to 255", "grey level of the border"),
        "border_tilt": ("degree", "collimator turned clockwise"),
    },
    "token": {
        "token_letter": ("text", "what the laterality token says; empty for none"),
        "token_shape": ("word", "plain, ring, disc or box"),
        "token_x": ("share of the film", "centre of the token from the left"),
        "token_y": ("share of the film", "centre of the token from the top"),
        "token_size": ("share of the film", "height of the letter"),
        "token_grey": ("0 to 255", "grey level of the token"),
    },
    "text": {
        "text_words": ("text", "what is burned in; empty for nothing"),
        "text_x": ("share of the film", "left end of the text"),
        "text_y": ("share of the film", "base line of the text"),
        "text_size": ("share of the film", "height of a letter"),
        "text_grey": ("0 to 255", "grey level of the text"),
    },
}
# fmt: on
SIGNATURE_PARTS = {part: tuple(names) for part, names in _SIGNATURE.items()}
"""The factors of each part of a signature: what tells hospitals apart."""


def _table() -> dict[str, FilmFactor]:
    rows = [FilmFactor(f.name, "anatomy", f.unit, f.meaning) for f in _ANATOMY]
    rows += [FilmFactor(f.name, "disease", f.unit, f.meaning) for f in _DISEASE]
    for part, names in _SIGNATURE.items():
        rows += [FilmFactor(name, part, *text) for name, text in names.items()]
    return {row.name: row for row in rows}


FILM_FACTORS = _table()
"""Every factor of a film by name, in the order of :class:`Film`."""
