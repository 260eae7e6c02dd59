"""Parts and cohorts of the phantom by name, with stain, scanner, magnification and labels."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np

from sdlib.checks import known
from sdlib.datasets.phantom import generate
from sdlib.datasets.rendered import cache_folder
from sdlib.datasets.splits import PAPER_PATIENTS, PARTS, deal
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError
from sdlib.phantoms import ANNOTATIONS, COHORTS, Acquisition, annotate

__all__ = ["RESTRICTIONS", "load_phantom"]

DEVELOPMENT = "development"  # the cohort that networks are trained on
RESTRICTIONS = ("cohort", "scanner", "stain", "magnification", "labels")


def load_phantom(
    part: str, size: int, count: int, seed: int, where: Mapping[str, str] | None = None
) -> TileSet:
    """Tiles of one part of the development cohort, or of other patients, from the cache if there.

    Parameters
    ----------
    part : str
        ``train``, ``validation`` or ``test``: 21, 4 and 5 of the 30 patients.
    size : int
        Side of a tile in pixels.
    count : int
        Tiles of all 30 patients. Of another cohort there are as many as in the test part.
    seed : int
        Of the tiles, and of the deal of patients.
    where : mapping of str to str, optional
        What is different, by the names of :data:`RESTRICTIONS`: ``cohort`` (whose tissue),
        ``stain`` (a centre), ``scanner``, ``magnification``, ``labels`` (a rule of annotation).

    Returns
    -------
    TileSet
        Its factors are those of :class:`sdlib.phantoms.HistologyTile`, and ``truth``, the targets
        without wrong labels.

    Raises
    ------
    ConfigError
        An unknown name, or another cohort's training tiles.

    Examples
    --------
    >>> load_phantom("test", 32, 60, 0, {"labels": "outlines"})  # doctest: +SKIP
    <TileSet: 10 tiles, 32 x 32 px, 4 benign, 6 cancer>
    """
    where = dict(where or {})
    known("part", part, PARTS)
    for name in where:
        known("restriction", name, RESTRICTIONS)
    rule = where.pop("labels", "consensus")
    cohort = where.pop("cohort", DEVELOPMENT)
    # All names are checked before anything is rendered.
    known("labels", rule, ANNOTATIONS)
    known("cohort", cohort, COHORTS)
    scanner, acquisition = _acquired(cohort, **where)
    if cohort == DEVELOPMENT:
        tiles = _development(part, size, count, seed, scanner, acquisition)
    elif part == "test":
        like_test = round(count * PAPER_PATIENTS[-1] / sum(PAPER_PATIENTS))
        tiles = _generated(like_test, size, seed, cohort, scanner, acquisition)
    else:
        raise ConfigError(
            f"the cohort {cohort} has no part {part!r}: its patients are for testing only"
        )
    labels = annotate(tiles.targets, tiles.factors["seed"], rule)
    return TileSet(tiles.store, labels, tiles.groups, {**tiles.factors, "truth": tiles.targets})


def _acquired(
    cohort: str, scanner: str = "", stain: str = "", magnification: str = ""
) -> tuple[str | None, Acquisition]:
    """One of the cohort's own scanners, or None, and what is different from its own images.

    A scanner that is not among the cohort's own scans its tissue again.
    """
    if scanner in COHORTS[cohort].scanners:
        return scanner, Acquisition(stain, "", magnification)
    return None, Acquisition(stain, scanner, magnification)


def _development(
    part: str, size: int, count: int, seed: int, scanner: str | None, acquisition: Acquisition
) -> TileSet:
    """A part of the patients that networks are trained on."""
    whole = _generated(count, size, seed, DEVELOPMENT, None, Acquisition())
    chosen = deal(whole.groups, seed)[part]
    if scanner is None and acquisition == Acquisition():
        return whole.subset(chosen)
    # Acquired otherwise: only the tiles of this part's patients have to be rendered.
    patients = tuple(np.unique(whole.groups[chosen]).tolist())
    return _generated(count, size, seed, DEVELOPMENT, scanner, acquisition, patients)


def _generated(
    count: int,
    size: int,
    seed: int,
    cohort: str,
    scanner: str | None,
    acquisition: Acquisition,
    patients: tuple[str, ...] = (),
) -> TileSet:
    return _remembered(count, size, seed, cohort, scanner, acquisition, patients, cache_folder())


@functools.lru_cache(maxsize=2)
def _remembered(count, size, seed, cohort, scanner, acquisition, patients, cache):
    """A cohort's tiles; its three parts need not check the whole file three times."""
    return generate(
        count,
        size,
        seed,
        cohort=cohort,
        scanner=scanner,
        cache=cache,
        acquisition=acquisition,
        patients=patients,
    )
