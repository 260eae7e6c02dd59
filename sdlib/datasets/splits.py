"""Splits by group: no patient, slide or scanner session is in two parts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sdlib.datasets.group_names import canonical_groups
from sdlib.errors import ConfigError, DataError

__all__ = [
    "FRACTIONS",
    "PAPER_FILMS",
    "PAPER_PATIENTS",
    "PARTS",
    "deal",
    "grouped_split",
]

#: The parts of every source, in the order in which patients are dealt.
PARTS = ("train", "validation", "test")
PAPER_PATIENTS = (21, 4, 5)  # of the 30 cases: training, validation, test
PAPER_FILMS = 0.05  # share of the films that validate

#: Shares of a split where none are given.
FRACTIONS: Mapping[str, float] = {"train": 0.7, "validation": 0.15, "test": 0.15}
ATTEMPTS = 20  # orders of the groups that are tried


def grouped_split(
    targets: np.ndarray,
    groups: np.ndarray,
    fractions: Mapping[str, float] = FRACTIONS,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Split examples by whole groups into parts of given sizes, with the same share of each class.

    Groups are dealt out one by one, the largest first and ties in a random order. Each goes to
    the part in which it leaves the smallest chi-square deviation from the wanted class counts.
    This is the greedy rule of scikit-learn's ``StratifiedGroupKFold``, for parts of unequal size:
    with few groups, such parts cannot be made by joining its folds.

    The result depends on the groups' names and class counts and on the seed, not on the order
    of the rows.

    Parameters
    ----------
    targets : numpy.ndarray
        Integers 0 or 1, shape ``(n,)``.
    groups : numpy.ndarray
        str or int, shape ``(n,)``: the patient, slide or session of each example. Two spellings
        of one name are one group (see :func:`~sdlib.datasets.group_names.canonical`).
    fractions : mapping of str to float
        Wanted share of each part, in (0, 1]; they add up to 1.
    seed : int
        Seeds the order among groups of one size.

    Returns
    -------
    dict of str to numpy.ndarray
        For each part the indices of its examples, int64, sorted. Every example is in one part.

    Raises
    ------
    ConfigError
        If the fractions are not positive or do not add up to 1, or the shapes differ.
    DataError
        If there are too few groups for every part to hold every class.

    Examples
    --------
    >>> targets, groups = np.arange(40) % 2, np.repeat([f"patient {i}" for i in range(20)], 2)
    >>> parts = grouped_split(targets, groups, {"train": 0.8, "test": 0.2}, seed=0)
    >>> {name: len(part) for name, part in parts.items()}
    {'train': 32, 'test': 8}
    """
    shares = np.array(list(fractions.values()), float)
    if not (shares > 0).all() or not np.isclose(shares.sum(), 1):
        raise ConfigError(f"expected positive fractions that add up to 1, got {dict(fractions)}")
    targets, groups = np.asarray(targets), np.asarray(groups)
    if targets.shape != groups.shape or targets.ndim != 1:
        raise ConfigError(
            f"expected one group per target, got groups of shape {groups.shape} and targets of "
            f"shape {targets.shape}"
        )
    classes, class_of = np.unique(targets, return_inverse=True)
    names, group_of = np.unique(canonical_groups(groups), return_inverse=True)
    counts = np.zeros((len(names), len(classes)))
    np.add.at(counts, (group_of, class_of), 1)

    rng = np.random.default_rng(seed)
    # With few groups an order can leave a part without a class; another order may not.
    for _ in range(ATTEMPTS):
        part_of = _deal(counts, shares, rng)
        filled = np.zeros((len(shares), len(classes)))
        np.add.at(filled, part_of, counts)
        if (filled > 0).all():
            return {
                name: np.flatnonzero(part_of[group_of] == part)
                for part, name in enumerate(fractions)
            }
    raise DataError(
        f"{len(names)} groups are too few to give each of {', '.join(fractions)} examples of "
        f"every class without dividing a group: use fewer parts, or add a split column"
    )


def _deal(counts: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Deal out the groups; ``counts`` is (groups, classes), ``shares`` (parts,).

    Returns the number of each group's part, shape (groups,).
    """
    # As shares of their class, so that the rare class counts as much as the frequent one.
    weights = counts / counts.sum(axis=0)
    filled = np.zeros((len(shares), counts.shape[1]))
    order = rng.permutation(len(counts))
    # A stable sort keeps the random order among groups of one size.
    order = order[np.argsort(-weights[order].sum(axis=1), kind="stable")]
    part_of = np.empty(len(counts), int)
    for group in order:
        after = filled + weights[group]
        cost = ((after - shares[:, None]) ** 2 - (filled - shares[:, None]) ** 2).sum(axis=1)
        # Chi-square divides a squared deviation by what was expected.
        part_of[group] = np.argmin(cost / shares)
        filled[part_of[group]] = after[part_of[group]]
    return part_of


def deal(groups: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """The 30 patients of phantom tissue dealt 21 : 4 : 5, as the paper's were.

    Parameters
    ----------
    groups : numpy.ndarray
        Each tile's patient, (n,).
    seed : int
        Of the deal.

    Returns
    -------
    dict of str to numpy.ndarray
        ``train``, ``validation`` and ``test``: bool (n,), whether a tile is in that part.

    Examples
    --------
    >>> parts = deal(np.repeat(np.arange(30), 10), seed=0)
    >>> [int(chosen.sum()) for chosen in parts.values()]
    [210, 40, 50]
    """
    patients = np.random.default_rng(seed).permutation(np.unique(groups))
    dealt = np.split(patients, np.cumsum(PAPER_PATIENTS)[:-1])
    return {part: np.isin(groups, some) for part, some in zip(PARTS, dealt, strict=True)}
