"""Which view a film of BIMCV-COVID19 shows, by the description of its series and by its name.

The rule, in this order:

1. A name with ``vp-ll`` is a lateral view, and so is a description with a word such as LAT.
2. A description that names one frontal view, PA or AP, is believed.
3. Where it names none, or several ("PA Y LAT", "PA O AP"), the ``vp-pa`` or ``vp-ap`` of the name
   is believed.
4. A film with a word for lying (SUPINO, HORIZONTAL, DECUBITO, or the H in "AP H") is supine.
5. A film with a word for the bedside (PORTATIL, CAMILLA) and none for lying does not say how the
   patient sits or lies. It counts as upright, as in the published table of DeGrave et al. (2021),
   and is marked, so that it can be left out.
6. A description of another part of the body alone (ABDOMEN, LUMBAR, ESCAPULA), or a name without
   ``bp-chest``, is no film of the chest.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

__all__ = ["LATERAL", "OTHER", "SUPINE", "FilmView", "film_view"]

LATERAL, SUPINE, OTHER = "lateral", "AP supine", "other part of the body"
LATERAL_WORDS = {"LAT", "LATERAL", "LL", "PERFIL"}
FRONTAL_WORDS = {"FRENTE", "FRONTAL"}
LYING_WORDS = {"DEC", "DECUBITO", "HORIZONTAL", "SUP", "SUPINA", "SUPINE", "SUPINO"}
BEDSIDE_WORDS = {"CAMA", "CAMILLA", "PORTABLE", "PORTATIL"}
CHEST_WORDS = {"CHEST", "PECHO", "THORAX", "TORAX"}
OTHER_WORDS = {"ABDOMEN", "COLUMNA", "ESCAPULA", "LUMBAR", "PELVIS", "SPINE"}
#: What the view in a file's name means.
NAMED = {"pa": "PA", "ap": "AP", "ll": LATERAL, "lat": LATERAL}


class FilmView(NamedTuple):
    """What a film shows.

    Parameters
    ----------
    view : str
        "PA", "AP", "AP supine", "lateral", "other part of the body", or "" where nothing tells.
    bedside : bool
        Whether the film was made at the bedside, by its description.
    """

    view: str
    bedside: bool = False


def film_view(description: str, named: str = "", part: str = "chest") -> FilmView:
    """Tell a film's view.

    Parameters
    ----------
    description : str
        Of the series, as published: in Spanish, with or without accents.
    named : str
        The view in the file's name, such as "pa", "ap" or "ll".
    part : str
        The part of the body in the file's name; "" where it has none.

    Returns
    -------
    FilmView
        By the rule of this module.

    Examples
    --------
    >>> film_view("W033 TÓRAX PA *").view, film_view("TÓRAX AP H", "ap").view
    ('PA', 'AP supine')
    >>> film_view("RX TORAX CON PORTATIL", "ap")
    FilmView(view='AP', bedside=True)
    """
    words = _words(description)
    if part.lower() not in ("", "chest", "thorax"):
        return FilmView(OTHER)
    if words & OTHER_WORDS and not words & CHEST_WORDS:
        return FilmView(OTHER)
    told = words & {"PA", "AP"}
    lateral = bool(words & LATERAL_WORDS)
    frontal = bool(told or words & FRONTAL_WORDS)
    view = NAMED.get(named.lower(), "")
    if lateral and not frontal:
        view = LATERAL
    if view == LATERAL:
        return FilmView(LATERAL)
    if len(told) == 1 and not lateral:
        (view,) = told
    if words & LYING_WORDS or (view == "AP" and "H" in words):
        return FilmView(SUPINE)
    return FilmView(view, bool(words & BEDSIDE_WORDS))


def _words(description: str) -> set[str]:
    """The words of a description, in capitals and without accents."""
    plain = unicodedata.normalize("NFKD", description.upper())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return set(re.findall(r"[A-Z0-9]+", plain))
