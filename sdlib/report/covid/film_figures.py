"""Pictures of films: phantoms by hospital, with a changed signature, and beside real films."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdlib.checks import check_number
from sdlib.datasets.open_cxr import load_films, read_open_cxr
from sdlib.errors import DataError
from sdlib.phantoms.radiograph import (
    HOSPITALS,
    SIGNATURE_PARTS,
    Film,
    draw_films,
    lung_mask,
    render_film,
    with_signature,
)

__all__ = ["OPACITIES", "draw_beside_real", "draw_changed_parts", "draw_films_by_hospital"]

OPACITIES = {"healthy": 0.16, "faint disease": 0.28, "plain disease": 0.9}
"""Opacities that are shown: the median of the healthy, the one where both classes are equally
likely, and one that few of the healthy could have."""

EXAMPLES = {"a": 6, "b": 0, "c": 5}  # of the films of seed 11, chosen by eye
CHILDREN = "kermany_paediatric"
RED = np.array([213.0, 0.0, 0.0])
FULL = 60  # a difference of so many grey levels is drawn in plain red


def _example(hospital: str) -> Film:
    """The film that stands for a hospital."""
    number = EXAMPLES[hospital]
    return draw_films(number + 1, seed=11, hospital=hospital)[number]


def draw_films_by_hospital(size: int = 224, width: float = 6.5) -> Figure:
    """One patient of each hospital in a row, with opacities from healthy to plain disease.

    Within a row nothing but the opacity differs.

    Parameters
    ----------
    size : int
        Side of a film in pixels.
    width : float
        Of the figure, inches.
    """
    fig, axes = plt.subplots(
        len(HOSPITALS), len(OPACITIES), figsize=(width, width * len(HOSPITALS) / len(OPACITIES))
    )
    for row, hospital in zip(axes, HOSPITALS, strict=True):
        film = _example(hospital)
        for ax, (name, opacity) in zip(row, OPACITIES.items(), strict=True):
            _show(ax, render_film(replace(film, opacity=opacity), size))
            if hospital == next(iter(HOSPITALS)):
                ax.set_title(f"{name} (opacity {opacity:g})")
        row[0].set_ylabel(f"hospital {hospital}")
    return fig


def draw_changed_parts(size: int = 224, width: float = 10.0) -> Figure:
    """A film of hospital a with each part of its signature as hospital b has it.

    Below, the differences from the film in red; under the film itself, the mask of its lungs.

    Parameters
    ----------
    size : int
        Side of a film in pixels.
    width : float
        Of the figure, inches.
    """
    film = _example("a")
    own = render_film(film, size)
    parts = (*SIGNATURE_PARTS, "all")
    columns = len(parts) + 1
    fig, axes = plt.subplots(2, columns, figsize=(width, 2 * width / columns + 0.4))
    _show(axes[0, 0], own)
    axes[0, 0].set_title("as it is")
    _show(axes[1, 0], np.where(lung_mask(film, size), own, own // 3))
    axes[1, 0].set_xlabel("lungs")
    for part, (above, below) in zip(parts, axes.T[1:], strict=True):
        changed = render_film(with_signature(film, "b", part), size)
        _show(above, changed)
        above.set_title(part)
        _show(below, _in_red(own, changed))
        below.set_xlabel("difference")
    return fig


def draw_beside_real(
    size: int = 224,
    seed: int = 0,
    count: int = 6,
    width: float = 10.0,
    root: str | os.PathLike[str] | None = None,
) -> Figure:
    """A row of phantom films above a row of real ones, for a reader's own screen only.

    It is in no chapter: real films may not be published, and neither may this figure. Films of
    both rows are drawn by chance, so that the phantom is not shown at its best. Real ones are of
    adults, one from each of several patients, and say nothing but the collection that they are of.

    Parameters
    ----------
    size : int
        Side of a film in pixels.
    seed : int
        Of the films, phantom and real.
    count : int
        Films in a row.
    width : float
        Of the figure, inches.
    root : str or os.PathLike, optional
        The folder that holds ``open-cxr``; by default what ``SDLIB_DATA`` names.

    Raises
    ------
    ConfigError
        If a number is out of range.
    DataError
        If the folder ``open-cxr`` is not there, or its films are not as published.

    Examples
    --------
    >>> draw_beside_real().savefig("mine.png")  # doctest: +SKIP
    """
    check_number("size", size, 32, whole=True)
    check_number("seed", seed, 0, whole=True)
    check_number("count", count, 1, whole=True)
    folder, table = read_open_cxr(root)
    adults = table[table["source"] != CHILDREN]
    patients = adults.sample(frac=1, random_state=seed).drop_duplicates("group")
    # Collections take turns: the largest would else fill the row.
    turns = patients.groupby("source").cumcount()
    chosen = patients.assign(turn=turns).sort_values("turn", kind="stable")[:count]
    if len(chosen) < count:
        raise DataError(
            f"expected at least {count} patients in {folder}, found {len(chosen)}: ask for fewer "
            f"films"
        )
    real = load_films(folder, chosen, size)
    fig, axes = plt.subplots(2, count, figsize=(width, 2 * width / count + 0.6), squeeze=False)
    hospitals = list(HOSPITALS)
    for number, (above, below) in enumerate(axes.T):
        hospital = hospitals[number % len(hospitals)]
        film = draw_films(number + 1, seed, hospital)[number]
        _show(above, render_film(film, size))
        above.set_title(f"phantom, {hospital}")
        _show(below, real.images[number])
        below.set_title(real.factors["source"][number])
    return fig


def _in_red(own: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """A faint picture of a film, uint8 RGB (S, S, 3), red where the other film differs."""
    faint = 255 - (255 - own.astype(float)) * 0.35
    share = np.minimum(np.abs(changed.astype(float) - own) / FULL, 1)[..., None]
    return np.rint(faint[..., None] * (1 - share) + RED * share).astype(np.uint8)


def _show(ax: Axes, image: np.ndarray) -> None:
    """A film without ticks; grey has the range of 8 bits in every panel."""
    ax.imshow(image, cmap="gray", vmin=0, vmax=255)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
