"""From the name of a source to training, validation and test tiles."""

from __future__ import annotations

import numpy as np

from sdlib.datasets.open_he import load_open_pcam
from sdlib.datasets.pcam import load_pcam
from sdlib.datasets.tiles import TileSet
from sdlib.experiments import PROFILES, Run
from sdlib.phantoms import generate

__all__ = ["deal", "load_tiles"]

PARTS = ("train", "validation", "test")
PAPER_PATIENTS = (21, 4, 5)  # of the 30 cases: training, validation, test


def balanced(tiles: TileSet, seed: int, most: int | None = None) -> TileSet:
    """As many benign as cancerous tiles (at most ``most`` in all), drawn by ``seed``, in order."""
    rng = np.random.default_rng(seed)
    each = min(np.bincount(tiles.targets, minlength=2))
    each = min(each, most // 2) if most is not None else each
    chosen = [rng.choice(np.flatnonzero(tiles.targets == c), each, replace=False) for c in (0, 1)]
    return tiles.subset(np.sort(np.concatenate(chosen)))


def deal(groups: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """The 30 patients of phantom tissue dealt 21 : 4 : 5, as the paper's were.

    Parameters
    ----------
    groups : numpy.ndarray
        Each tile's patient, (n,).

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


def _phantom(size: int, tiles: int, seed: int) -> dict[str, TileSet]:
    everything = generate(tiles, size, seed, cohort="development")
    parts = deal(everything.groups, seed)
    return {part: balanced(everything.subset(chosen), seed) for part, chosen in parts.items()}


def load_tiles(run: Run) -> dict[str, TileSet]:
    """The tiles of a run before any cutout, balanced between the classes.

    Parameters
    ----------
    run : Run
        Its source, profile (size and number of tiles) and its experiment's data seed are used.

    Returns
    -------
    dict of str to TileSet
        ``train``, ``validation`` and ``test``; no patient (phantom) or slide (PatchCamelyon's
        official splits) is in two of them. Where the experiment trains on one stain cluster, all
        three are of that cluster, and ``across`` holds the validation and test tiles of the other.

    Raises
    ------
    DataError
        The source is not at hand; the sentence says where to get it.
    """
    profile, seed = PROFILES[run.profile], run.definition.data_seed
    if run.source == "phantom":
        return _phantom(run.size, profile.tiles, seed)
    load = load_open_pcam if run.source == "open" else load_pcam
    shares = dict(zip(PARTS, np.array(PAPER_PATIENTS) / sum(PAPER_PATIENTS), strict=True))
    most = {part: round(profile.tiles * share) for part, share in shares.items()}
    tiles = {part: load(part, size=run.size) for part in PARTS}
    if run.definition.cluster:
        tiles, most = _clusters(tiles, run.definition.cluster), {**most, "across": None}
    return {part: balanced(tiles[part], seed, most[part]) for part in tiles}


def _clusters(tiles: dict[str, TileSet], cluster: str) -> dict[str, TileSet]:
    """Every part's tiles of one stain cluster, and ``across``: those of the other to be tested on.

    Validation tiles of the other cluster have chosen nothing, so they may test as well.
    """
    column = {part: tiles[part].factors["stain_cluster"] for part in PARTS}
    inside = {part: tiles[part].subset(column[part] == cluster) for part in PARTS}
    other = "B" if cluster == "A" else "A"
    outside = [tiles[part].subset(column[part] == other) for part in ("validation", "test")]
    return {**inside, "across": TileSet.joined(outside)}
