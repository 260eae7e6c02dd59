"""Phantom chest radiographs as a data set: parts, training situations, changed signatures.

Data card. **x**: grey films as RGB uint8, any size from 32 px. **y**: 1 COVID-19, 0 none.
**Groups**: patients of one to three films. **Sources**: hospitals ``a`` (half of the patients are
positive), ``b`` (here negatives only) and ``c`` (outside, exactly half of the films positive).
**Factors**: all of ``FILM_FACTORS``; ``opacity`` is the latent strength of the disease.
**Licence**: the project's own. See :mod:`sdlib.phantoms.radiograph` for what the pixels show.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from sdlib.checks import known
from sdlib.datasets.grey_store import GreyStore
from sdlib.datasets.rendered import cache_folder, keep_rendered
from sdlib.datasets.splits import FRACTIONS, PARTS, grouped_split
from sdlib.datasets.store import fingerprint
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError
from sdlib.phantoms.radiograph import (
    FILM_VERSION,
    SIGNATURE_PARTS,
    Film,
    draw_films,
    render_visible,
    tabulate_films,
    with_signature,
)

__all__ = ["ADDED_RATIO", "FILM_RESTRICTIONS", "load_phantom_films"]

ADDED_RATIO = 4
"""Films of hospital b for each negative film of hospital a where they are added.

The paper adds 67,000 negative patients to 2,743, which is 24 to 1.
"""

FILM_RESTRICTIONS: Mapping[str, tuple[str, ...]] = {
    "situation": ("shared", "added"),
    "place": ("inside", "outside"),
    "changed": (*SIGNATURE_PARTS, "all"),
    "visible": ("lungs", "surroundings"),
}
"""What ``where`` may hold, and the values of each."""

OTHER = {"a": "b", "b": "a"}  # whose signature a film gets


def load_phantom_films(
    part: str, size: int, count: int, seed: int, where: Mapping[str, str] | None = None
) -> TileSet:
    """Films of one part of the patients of hospitals a and b, or films of hospital c.

    Parameters
    ----------
    part : str
        ``train``, ``validation`` or ``test``: 70, 15 and 15 % of the films, by whole patients.
    size : int
        Side of a film in pixels, at least 32.
    count : int
        Films of hospital a in all parts together. Hospital b adds twice as many, which is
        ``ADDED_RATIO`` for each negative film of a.
    seed : int
        Of the films, and of the deal of patients.
    where : mapping of str to str, optional
        What is different, by the names and values of :data:`FILM_RESTRICTIONS`:

        - ``situation``: ``shared`` (default), hospital a alone, about half of it positive; or
          ``added``, with negatives of hospital b, from which most negatives then come.
        - ``place``: ``inside`` (default), or ``outside``, ``count`` films of hospital c,
          of the part ``test`` alone, exactly half of them positive.
        - ``changed``: the same films with this part of their signature, or ``all``, as the other
          hospital has it: films of a as b's, films of b as a's.
        - ``visible``: ``lungs`` or ``surroundings`` alone; all else has the mean grey of what
          stays visible.

    Returns
    -------
    TileSet
        Groups are patients. Factors are those of :class:`~sdlib.phantoms.radiograph.Film`, and
        ``source``, the hospital; among them are ``view`` and ``opacity``, the latent strength of
        the disease.

    Raises
    ------
    ConfigError
        An unknown name or value, training films or a changed signature of hospital c, a size
        below 32, a count below 1, a negative seed.
    DataError
        So few films that a part would have none of a class.

    Examples
    --------
    >>> load_phantom_films("test", 32, 200, 0, {"changed": "token"})  # doctest: +SKIP
    <TileSet: 30 tiles, 32 x 32 px, 15 benign, 15 cancer>
    """
    where = dict(where or {})
    known("part", part, PARTS)
    for name, value in where.items():
        known("restriction", name, FILM_RESTRICTIONS)
        known(name, value, FILM_RESTRICTIONS[name])
    if count < 1:
        raise ConfigError(f"expected a count of at least 1 film, got {count}")
    changed, visible = where.get("changed", ""), where.get("visible", "")
    if where.get("place") == "outside":
        if part != "test":
            raise ConfigError(f"hospital c has no part {part!r}: its films are for testing only")
        if changed:
            raise ConfigError(
                f"expected films of hospitals a and b to change their {changed}, got place outside"
            )
        films = _outside(count, seed)
        return _film_set(films, size, _name("c", part, count, seed), visible)
    hospitals = ("a", "b") if where.get("situation") == "added" else ("a",)
    sets = []
    for hospital in hospitals:
        films = _inside(hospital, part, count, seed)
        name = _name(hospital, part, count, seed)
        if changed:
            films = [with_signature(film, OTHER[hospital], changed) for film in films]
            name += f"-{changed}"
        sets.append(_film_set(films, size, name, visible))
    return TileSet.joined(sets)


def _name(hospital: str, part: str, count: int, seed: int) -> str:
    """The beginning of a cache file's name."""
    return f"films-v{FILM_VERSION}-{hospital}-{part}-n{count}-seed{seed}"


def _inside(hospital: str, part: str, count: int, seed: int) -> list[Film]:
    """The films of one part of hospital a, or the negatives that hospital b adds to it."""
    if hospital == "a":
        films = draw_films(count, seed, "a")
    else:
        films = draw_films(count * ADDED_RATIO // 2, seed, "b", prevalence=0.0)
    targets = np.array([film.target for film in films])
    patients = np.array([film.patient for film in films])
    return [films[row] for row in grouped_split(targets, patients, FRACTIONS, seed)[part]]


def _outside(count: int, seed: int) -> list[Film]:
    """Films of hospital c, as many of each class."""
    half = max(1, count // 2)
    # Patients come as they come: enough of them to fill both halves.
    films = draw_films(3 * half + 100, seed, "c")
    chosen = []
    taken = [0, 0]
    for film in films:
        if taken[film.target] < half:
            taken[film.target] += 1
            chosen.append(film)
    return chosen


def _film_set(films: list[Film], size: int, name: str, visible: str) -> TileSet:
    """Films with their images, from the cache or rendered into it."""
    name += f"-{size}px" + (f"-{visible}" if visible else "")
    design = {"films": fingerprint(films), "n": len(films), "size": size, "visible": visible}
    render = partial(render_visible, size=size, visible=visible)
    path = keep_rendered(cache_folder() / f"{name}.npy", design, films, render)
    columns = tabulate_films(films)
    targets, patients = columns.pop("target"), columns.pop("patient")
    columns["source"] = columns.pop("hospital")
    return TileSet(GreyStore(path), targets, patients, columns)
