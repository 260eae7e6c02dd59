"""Signatures of hospitals: drawn with a film, or given to a film of another hospital."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from sdlib.checks import known
from sdlib.phantoms.chance import normals, uniforms
from sdlib.phantoms.radiograph.film import Film
from sdlib.phantoms.radiograph.film_factors import POSE_FACTORS, SIGNATURE_PARTS, VIEWS
from sdlib.phantoms.radiograph.hospitals import HOSPITALS, Hospital

__all__ = ["find_hospital", "signature_columns", "with_signature"]

ALL = "all"  # every part of a signature
FACTORS = tuple(name for names in SIGNATURE_PARTS.values() for name in names)


def find_hospital(name: str) -> Hospital:
    """Look a hospital up by its name.

    Raises
    ------
    ConfigError
        An unknown hospital.

    Examples
    --------
    >>> find_hospital("c").prevalence
    0.5
    """
    known("hospital", name, HOSPITALS)
    return HOSPITALS[name]


def signature_columns(
    hospital: Hospital, seeds: np.ndarray, ap_share: np.ndarray, names: Collection[str] = FACTORS
) -> dict[str, np.ndarray]:
    """Draw the signatures of n films.

    The same seed has the same place within the distribution of every hospital.

    Parameters
    ----------
    hospital : Hospital
        Whose signature.
    seeds : numpy.ndarray
        Integers (n,), the films' seeds.
    ap_share : numpy.ndarray
        float64 (n,), each film's chance of an AP view.
    names : collection of str
        Factors of a signature, by default all.

    Returns
    -------
    dict of str to numpy.ndarray
        (n,) each, by the names of the factors.

    Examples
    --------
    >>> columns = signature_columns(HOSPITALS["b"], np.arange(3), np.zeros(3))
    >>> columns["view"].tolist(), columns["bit_depth"].tolist()
    (['PA', 'PA', 'PA'], [6, 6, 6])
    """
    ap = (uniforms("view", seeds) < ap_share).astype(np.int64)
    columns = {}
    for name in names:
        if name == "view":
            columns[name] = np.array(VIEWS)[ap]
        elif name in POSE_FACTORS:
            columns[name] = POSE_FACTORS[name].values(ap, normals(f"film {name}", seeds))
        else:
            columns[name] = hospital.signature[name].values(uniforms(f"film {name}", seeds))
    return columns


def with_signature(film: Film, hospital: str, part: str = ALL) -> Film:
    """Give a film the signature of a hospital, or one part of it, with all else as it was.

    What it gets is typical of the hospital and says nothing of the film's class: the view is drawn
    at the hospital's overall share of AP.

    Parameters
    ----------
    film : Film
        Of any hospital; its attribute ``hospital`` stays.
    hospital : str
        A key of ``HOSPITALS``.
    part : str
        ``pose``, ``contrast``, ``border``, ``token``, ``text`` or ``all``.

    Returns
    -------
    Film
        Of the same seed, patient, target, anatomy and disease.

    Raises
    ------
    ConfigError
        An unknown hospital or part.

    Examples
    --------
    >>> from sdlib.phantoms.radiograph import draw_films
    >>> film = draw_films(1, seed=0, hospital="a")[0]
    >>> film.token_shape, with_signature(film, "b", "token").token_shape
    ('ring', 'box')
    """
    where = find_hospital(hospital)
    known("part of a signature", part, (*SIGNATURE_PARTS, ALL))
    names = FACTORS if part == ALL else SIGNATURE_PARTS[part]
    share = np.array([where.ap_share])
    columns = signature_columns(where, np.array([film.seed]), share, names)
    return replace(film, **{name: column[0].item() for name, column in columns.items()})
