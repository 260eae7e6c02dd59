"""Linear heads on frozen features of films: what either penalty does to films of other sources.

Hundreds of heads are trained to rest, on random subsets of the patients, over a grid of strengths
for each penalty. Nothing is chosen by the films outside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from sdlib.datasets.open_cxr import load_open_cxr
from sdlib.datasets.phantom_films import load_phantom_films
from sdlib.datasets.reading import iter_chunks
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError
from sdlib.experiments.measurements import LINEAR_HEADS
from sdlib.files import write_json
from sdlib.models import initial_weights
from sdlib.results.key import THIS_RUN, PlaceKey
from sdlib.results.linear_heads import ALL_FILMS, AUROCS, HEAD_COLUMNS, SOURCE_COLUMNS, write_heads
from sdlib.theory.linear_heads import (
    Design,
    Head,
    centroid_head,
    descend,
    fit_head,
    least_norm_head,
    make_design,
)
from sdlib.training.features import frozen_features
from sdlib.training.source_heads import source_aurocs

__all__ = ["DECAYS", "LAMBDAS", "SCALES", "Scale", "draw_patients", "make", "measured"]

NETWORK = "efficientnet_lite0"  # the only one whose ImageNet weights need no download
#: Which films train, by source. Of real films also the mistake of children as the negatives.
SITUATIONS = {"phantom": ("shared", "added"), "open": ("shared", "added", "paediatric")}
#: As many strengths for either penalty, from where it hardly acts to where little else does.
LAMBDAS = (10.0, 1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
DECAYS = (100.0, 10.0, 1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
#: The paper's values of Equation 2 for radiographs.
EQUATION_2 = {"lam": (0.01, 0.001), "gamma": (0.0, 1.0)}

LARGEST_SHARE = 0.8  # subsets that hold more of the films would all be alike
OUTSIDE_SHARE = 0.75  # phantom films outside, as a share of those of hospital a
CHUNK = 64  # films in memory at a time


@dataclass(frozen=True)
class Scale:
    """How much is measured at a profile.

    Parameters
    ----------
    size : int
        Side of the films in pixels; phantom films have ``phantom_size``.
    count, phantom_size : int
        Of the phantom's films, as :func:`~sdlib.datasets.phantom_films.load_phantom_films` takes
        them.
    films : tuple of int
        Films to train on; all of them come last by themselves.
    subsets : int
        Random subsets of the patients for each number of films, over all deals.
    deals, phantom_deals : int
        Ways to deal patients to training, validation and test; of phantoms each has films of its
        own, which are to be rendered.
    steps : int
        After which descending heads are looked at.
    """

    size: int
    count: int
    phantom_size: int
    films: tuple[int, ...]
    subsets: int
    deals: int
    phantom_deals: int
    steps: int = 1000

    def deals_of(self, source: str) -> int:
        """How many deals a source has."""
        return self.phantom_deals if source == "phantom" else self.deals


_LAPTOP = Scale(224, 800, 96, (40, 80, 160, 320), subsets=50, deals=5, phantom_deals=3)
_LONG = Scale(224, 1600, 224, (40, 80, 160, 320, 640), subsets=100, deals=10, phantom_deals=5)
SCALES = {
    "smoke": Scale(64, 100, 32, (20,), subsets=2, deals=1, phantom_deals=1, steps=50),
    "quick": Scale(96, 200, 64, (40, 80), subsets=6, deals=2, phantom_deals=2, steps=300),
    "laptop": _LAPTOP,
    "long": _LONG,
    "gpu": _LONG,
    "paper": _LONG,
}


def make(experiment: str, profile: str, source: str, log: Callable[[str], None] = print) -> Path:
    """Train linear heads on frozen features of films, and write their table; returns the file.

    Parameters
    ----------
    experiment, profile, source : str
        As in :mod:`sdlib.experiments`.
    log : callable
        Takes a line per situation and deal.

    Raises
    ------
    DataError
        The source is not at hand, or has no films.
    SdlibError
        The ImageNet weights cannot be had, or the folder cannot be written to.
    """
    key = PlaceKey(experiment, profile, source, THIS_RUN)
    heads, sources = measured(profile, source, log=log)
    features_of = f"{NETWORK}, {initial_weights(NETWORK, pretrained=True)}"
    file = write_heads(key, heads, sources, features_of)
    counts = {"heads": len(heads), "sources": len(sources)}
    write_json(LINEAR_HEADS.done_file(experiment, profile, source), counts)
    return file


def measured(
    profile: str, source: str, log: Callable[[str], None] = print
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train the linear heads of a source now, and write nothing.

    Parameters
    ----------
    profile, source : str
        Of :data:`SCALES`; ``phantom`` or ``open``.
    log : callable
        Takes a line per situation and deal.

    Returns
    -------
    heads, sources : pandas.DataFrame
        With the columns of :mod:`sdlib.results.linear_heads`.

    Raises
    ------
    DataError
        The source is not at hand, or has no films.
    """
    if source not in LINEAR_HEADS.sources:
        raise DataError(
            f"the source {source} has no films with their sources; expected one of: "
            f"{', '.join(LINEAR_HEADS.sources)}"
        )
    scale = SCALES[profile]
    heads, sources = [], []
    count = scale.deals_of(source)
    deals = [(deal, situation) for deal in range(count) for situation in SITUATIONS[source]]
    sets = {
        (*names, part): films
        for names in deals
        for part, films in _load(source, scale, *names).items()
    }
    log(f"features of {sum(map(len, sets.values()))} films, each one read once")
    features = _features(sets)
    for deal, situation in deals:
        targets = {part: sets[deal, situation, part].targets for part in ("train", *AUROCS)}
        values = {part: features[deal, situation, part] for part in targets}
        patients = sets[deal, situation, "train"].groups
        subsets = scale.subsets // count
        found = _heads_of_deal(values, targets, patients, scale, deal, subsets)
        heads += [line | {"situation": situation, "deal": deal} for line in found]
        inside = ("train", "validation", "inside")
        films = TileSet.joined([sets[deal, situation, part] for part in inside])
        table = source_aurocs(films, np.concatenate([values[part] for part in inside]), deal)
        sources.append(table.assign(situation=situation, deal=deal))
        log(f"{source}, {situation}, deal {deal}: {len(found)} heads")
    table = pd.DataFrame(heads, columns=list(HEAD_COLUMNS))
    return table, pd.concat(sources, ignore_index=True)[list(SOURCE_COLUMNS)]


def _load(source: str, scale: Scale, deal: int, situation: str) -> dict[str, TileSet]:
    """The films of one deal: to train on, to validate, and to test inside and outside."""

    def load(part: str, place: str) -> TileSet:
        if source == "open":
            return load_open_cxr(part, size=scale.size, situation=situation, place=place, seed=deal)
        if place == "outside":
            count, where = round(OUTSIDE_SHARE * scale.count), {"place": place}
        else:
            count, where = scale.count, {"situation": situation}
        return load_phantom_films(part, scale.phantom_size, count, deal, where)

    return {
        "train": load("train", "inside"),
        "validation": load("validation", "inside"),
        "inside": load("test", "inside"),
        "outside": load("test", "outside"),
    }


def _features(sets: Mapping[tuple, TileSet]) -> dict[tuple, np.ndarray]:
    """Features of every set; a film that is in several of them is read once."""
    films = TileSet.joined([_bare(one) for one in sets.values()])
    digests = [
        hashlib.sha256(image).digest()
        for _, chunk in iter_chunks(films, CHUNK)
        for image in np.ascontiguousarray(chunk)
    ]
    first: dict[bytes, int] = {}
    place = np.array([first.setdefault(digest, len(first)) for digest in digests])
    rows = np.unique(place, return_index=True)[1]
    features = frozen_features(films.subset(rows), NETWORK)[place]
    ends = np.cumsum([len(one) for one in sets.values()])[:-1]
    return dict(zip(sets, np.split(features, ends), strict=True))


def _bare(films: TileSet) -> TileSet:
    """Films without factors, which sets of several kinds need not share."""
    return TileSet(films.store, films.targets, films.groups)


def _heads_of_deal(
    features: Mapping[str, np.ndarray],
    targets: Mapping[str, np.ndarray],
    patients: np.ndarray,
    scale: Scale,
    deal: int,
    each: int,
) -> list[dict]:
    """A line per head, of ``each`` subsets of one deal's films for every number of films."""
    lines = []
    largest = LARGEST_SHARE * len(patients)
    wanted = {films: each for films in scale.films if films <= largest}
    for films, subsets in {**wanted, ALL_FILMS: 1}.items():
        for subset in range(subsets):
            rng = np.random.default_rng([deal, films, subset])
            rows = np.arange(len(patients))
            if films != ALL_FILMS:
                rows = draw_patients(patients, targets["train"], films, rng)
            design = make_design(features["train"][rows])
            labels = targets["train"][rows]
            tests = {part: design.coordinates(features[part]) for part in AUROCS}
            names = {"films": films, "used": len(rows), "subset": subset}
            made = list(_iter_heads(design, labels, scale.steps))
            along = np.stack([head.along for _, head in made], axis=1)
            found = {part: _aurocs(targets[part], tests[part] @ along) for part in AUROCS}
            for number, (name, head) in enumerate(made):
                margins = (2 * labels - 1) * head.logits
                shape = {
                    "weak_share": head.weak_share,
                    "margin_sd": margins.std() / margins.mean(),
                }
                values = {part: found[part][number] for part in AUROCS}
                lines.append(names | name | values | shape)
    return lines


def _aurocs(targets: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """AUROCs of many heads at once, float64 (h,), from their scores, (n, h); ties count a half."""
    ranks = rankdata(scores, axis=0)[targets == 1].mean(axis=0)
    positive = np.count_nonzero(targets == 1)
    return (ranks - (positive + 1) / 2) / (len(targets) - positive)


def draw_patients(
    patients: np.ndarray, targets: np.ndarray, films: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw whole patients until there are enough films, some of either class.

    Parameters
    ----------
    patients, targets : numpy.ndarray
        Of all films, (n,).
    films : int
        How many are wanted at least.
    rng : numpy.random.Generator
        Draws the patients.

    Returns
    -------
    numpy.ndarray
        Rows of the films, sorted.

    Raises
    ------
    ConfigError
        More films are wanted than there are, or they are all of one class.

    Examples
    --------
    >>> patients = np.array(["a", "a", "b", "c", "c", "d"])
    >>> targets = np.array([0, 0, 1, 1, 1, 0])
    >>> draw_patients(patients, targets, 3, np.random.default_rng(0)).tolist()
    [3, 4, 5]
    """
    if films > len(patients) or len(np.unique(targets)) < 2:
        raise ConfigError(
            f"expected at most {len(patients)} films, of both classes, got {films} of "
            f"{len(np.unique(targets))}"
        )
    names, number = np.unique(patients, return_inverse=True)
    while True:
        rank = rng.permutation(len(names))[number]
        order = np.argsort(rank, kind="stable")
        last = rank[order[films - 1]]
        rows = np.flatnonzero(rank <= last)
        if len(np.unique(targets[rows])) == 2:
            return rows


def _iter_heads(
    design: Design, targets: np.ndarray, steps: int
) -> Iterator[tuple[dict[str, object], Head]]:
    """Yield every head of a subset with its arm, stage and strength."""

    def named(arm: str, stage: str, strength: float) -> dict[str, object]:
        return {"arm": arm, "stage": stage, "strength": strength}

    for arm, name, grid in (("sd_eq1", "lam", LAMBDAS), ("weight_decay", "decay", DECAYS)):
        head = None
        for strength in grid:
            values = {name: strength}
            # The strengths fall: the head of one is near that of the next.
            head = fit_head(design, targets, **values, start=head)
            yield named(arm, "rest", strength), head
            yield named(arm, "steps", strength), descend(design, targets, **values, steps=steps)
    yield named("sd_eq2", "rest", np.nan), fit_head(design, targets, **EQUATION_2)
    yield named("weight_decay", "theory", np.inf), centroid_head(design, targets)
    if len(design.s) == len(targets):  # else films outnumber features, and lambda matters
        for lam in LAMBDAS:
            yield named("sd_eq1", "theory", lam), least_norm_head(design, targets, lam)
