"""Is it disease or source? One audit of any labelled images that tell where each is from.

It answers two questions before a network is trained. Does the source tell the label? And can the
source be seen in the images? Where both are so, a network can be right without seeing disease.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sdlib.checks import check_number
from sdlib.datasets.file_store import FileStore
from sdlib.datasets.folder_checks.predictors import (
    LEVEL,
    PREDICTS,
    TELLS,
    Prediction,
    predict_label,
)
from sdlib.datasets.group_names import visible
from sdlib.datasets.manifest import MANIFEST, ManifestDataset
from sdlib.datasets.tiles import TileSet
from sdlib.errors import DataError
from sdlib.report.covid.cross_table import Labelled, cross_table, source_columns
from sdlib.training.features import frozen_features
from sdlib.training.source_heads import FOLDS, source_aurocs

__all__ = ["PREDICTS", "SHOWS", "SHOWS_IN_PART", "TELLS", "SourceAudit", "audit_sources"]

SHOWS = 0.9
"""From this AUROC of a head, a source shows in its images."""
SHOWS_IN_PART = 0.7
"""From this AUROC of a head, a source shows in a part of its images."""

HEAD = "AUROC of a head"


@dataclass(frozen=True, eq=False)
class SourceAudit:
    """What the source tells of the label, and how well the source can be seen.

    ``str()`` gives the table and the verdict.

    Parameters
    ----------
    column : str
        The factor or column that tells the source.
    table : pandas.DataFrame
        A line for each source: its name under ``column``, ``negative``, ``positive``, ``groups``
        (patients), ``read`` (images that heads saw), and ``AUROC of a head`` that tells its images
        from all others on patients new to it (rough where patients are few); NaN where it has not
        been measured, as for a source of fewer than five patients.
    label : Prediction or None
        What the source tells of the label, measured as ``python -m sdlib check`` does; None where
        all labels are the same.
    hidden_auroc : float or None
        AUROC of a head that predicts the label from the images in which the disease is hidden;
        None where there are none, NaN where it cannot be measured.
    """

    column: str
    table: pd.DataFrame
    label: Prediction | None
    hidden_auroc: float | None = None

    @property
    def verdict(self) -> tuple[str, ...]:
        """Sentences: what the source tells, where it shows, and what follows."""
        sentences = [self._of_label(), self._of_mixed(), *self._of_heads()]
        if self.hidden_auroc is not None and np.isfinite(self.hidden_auroc):
            sentences.append(
                f"With the disease hidden, a linear head still predicts the label with an AUROC "
                f"of {self.hidden_auroc:.3f}, which owes nothing to what is hidden."
                if self.hidden_auroc >= TELLS
                else f"With the disease hidden, a linear head hardly predicts the label: its "
                f"AUROC is {self.hidden_auroc:.3f}, below {TELLS}."
            )
        return tuple(sentence for sentence in sentences if sentence)

    def __str__(self) -> str:
        shown = self.table.to_string(index=False, float_format="{:.3f}".format, na_rep="-")
        return "\n".join([shown, "", *self.verdict])

    def _of_label(self) -> str:
        """What the source alone says of the label."""
        if len(self.table) == 1:
            return (
                f"All images have the {self.column} {self.table[self.column].iloc[0]}: it tells "
                "nothing of the label here."
            )
        if self.label is None:
            return "All images have one label: what the source tells of it cannot be said."
        found = self.label.sentence(self.column, self.label.p)
        if self.label.p > LEVEL:
            return f"{found}, which is no more than chance."
        if self.label.auroc >= PREDICTS:
            return (
                f"{found}: at {PREDICTS} or more, no result on all these images together says how "
                f"good a network is."
            )
        if self.label.auroc >= TELLS:
            return (
                f"{found}: from {TELLS} to {PREDICTS}, a part of what a network scores on these "
                f"images may be the {self.column}'s."
            )
        return f"{found}: below {TELLS}, it tells little."

    def _of_mixed(self) -> str:
        """Which sources a network can be judged on."""
        mixed = self.table[(self.table["negative"] > 0) & (self.table["positive"] > 0)]
        if len(self.table) == 1 or self.label is None:
            return ""
        if mixed.empty:
            return f"No {self.column} has both labels: there is none to judge a network within."
        names = [
            f"{name} ({negative} negative, {positive} positive)"
            for name, negative, positive in mixed[[self.column, "negative", "positive"]].to_numpy()
        ]
        return f"Both labels are in {', '.join(names)}: judge a network within each of these."

    def _of_heads(self) -> list[str]:
        """Where the source shows."""
        if len(self.table) == 1:
            return []
        heads = self.table.set_index(self.column)[HEAD]
        heading = "On patients new to it, a linear head on features of photographs"
        kinds = {
            f"{heading} tells from all others (AUROC {SHOWS} or more)": heads >= SHOWS,
            f"{heading} tells in part (AUROC {SHOWS_IN_PART} to {SHOWS})": (
                (heads >= SHOWS_IN_PART) & (heads < SHOWS)
            ),
            f"{heading} does not tell (AUROC below {SHOWS_IN_PART}; another network may)": (
                heads < SHOWS_IN_PART
            ),
            f"Not measured, for there are fewer than {FOLDS} patients or nothing to tell from": (
                heads.isna()
            ),
        }
        return [f"{kind}: {', '.join(heads.index[of])}." for kind, of in kinds.items() if of.any()]


def audit_sources(
    images: Labelled,
    column: str = "source",
    *,
    hidden: TileSet | None = None,
    size: int = 224,
    positive: str | Sequence[str] | None = None,
    most: int = 2000,
    seed: int = 0,
    cache: str | os.PathLike[str] | None = None,
    log: Callable[[str], object] = print,
) -> SourceAudit:
    """Audit whether the source of images tells their label, and whether it shows in them.

    The second is measured by linear heads on the frozen features of a network pretrained on
    photographs: no network is trained. About 30 images of 224 px are read in a second on two
    cores, once; features are kept on disk.

    Parameters
    ----------
    images : TileSet, ManifestDataset or path
        Labelled images with a factor, or a column of the manifest, that tells the source; a path
        is a folder with a ``manifest.csv``.
    column : str
        The factor or column; any other that is known of every image, such as ``view``, will do.
    hidden : TileSet, optional
        The same images, in the same order, with what shows the disease hidden; of films all but
        what surrounds the lungs, as the loaders' ``visible="surroundings"`` gives them.
    size : int
        Side in pixels that a manifest's images are read with; those of a set stay as they are.
    positive : str or sequence of str, optional
        The labels of a folder that are positive, as
        :class:`~sdlib.datasets.manifest.ManifestDataset` takes them.
    most : int
        Of sources with more images, so many are drawn for the heads to see.
    seed : int
        Of the images drawn, of the folds, and of random deals.
    cache : str or os.PathLike, optional
        Folder for the features, as for :func:`~sdlib.training.features.frozen_features`.
    log : callable
        Takes a line before features are read.

    Returns
    -------
    SourceAudit
        ``print`` it for a table and a verdict.

    Raises
    ------
    ConfigError
        If there is nothing to audit in what was given, or a number is out of range.
    DataError
        If there is no such column, an image has an empty field there, the hidden images are
        others, or the folder's manifest or an image breaks a rule.
    SdlibError
        If the ImageNet weights cannot be had.

    Examples
    --------
    >>> films = TileSet(np.zeros((4, 32, 32, 3), np.uint8), np.array([0, 0, 1, 1]),
    ...                 np.array(list("abcd")), {"source": np.array(["nih", "nih", "nih", "x"])})
    >>> print(audit_sources(films).verdict[1])
    Both labels are in nih (2 negative, 1 positive): judge a network within each of these.
    """
    check_number("size", size, 32, whole=True)
    check_number("most", most, 1, whole=True)
    check_number("seed", seed, 0, whole=True)
    if isinstance(images, (str, os.PathLike)):
        images = ManifestDataset(images, positive=positive)
    targets, groups, sources = source_columns(images, column)
    _check_filled(images, column)
    if hidden is not None and not (
        np.array_equal(hidden.targets, targets) and np.array_equal(hidden.groups, groups)
    ):
        raise DataError(
            f"expected the hidden images to be the {len(targets)} of the other set in the same "
            f"order, got {len(hidden)} with other targets or groups: load both in the same way"
        )
    manifest = isinstance(images, ManifestDataset)
    store = FileStore(images.folder, images.table["file"], size) if manifest else images.store
    rng = np.random.default_rng(seed)
    rows = _draw(sources, most, rng)
    films = TileSet(store, targets, groups, {"source": sources}).subset(rows)
    heads = _heads(films, seed, cache, log)
    hidden_auroc = None
    if hidden is not None:
        labels = np.where(targets == 1, "positive", "negative")
        unseen = TileSet(hidden.store, targets, groups, {"source": labels}).subset(rows)
        hidden_auroc = float(_heads(unseen, seed, cache, log)["auroc"].get("positive", np.nan))
    table = cross_table(images, column).iloc[:-1, :4]
    table["read"] = table[column].map(heads["films"]).fillna(0).astype(int)
    table[HEAD] = table[column].map(heads["auroc"]).astype(float)
    label = None
    if len(set(targets)) == 2:
        label = predict_label(targets, groups, sources, seed=seed)
    return SourceAudit(column, table, label, hidden_auroc)


def _check_filled(images: TileSet | ManifestDataset, column: str) -> None:
    """Check that it is known of every image where it is from."""
    if isinstance(images, ManifestDataset):
        values, name = images.table[column], "row {} of " + MANIFEST
    else:
        values, name = pd.Series(images.factors[column]), "image {} of the set (the first is 0)"
    for number, value in values.items():
        if pd.isna(value) or not visible(str(value)):
            raise DataError(
                f"expected a {column} for every image, got none in {name.format(number)}: fill it "
                f"in, write a word such as unknown, or leave the image out"
            )


def _draw(sources: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of all images, or of ``most`` of a source that has more, sorted."""
    drawn = []
    for source in np.unique(sources):
        rows = np.flatnonzero(sources == source)
        drawn.append(rng.permutation(rows)[:most])
    return np.sort(np.concatenate(drawn))


def _heads(
    films: TileSet,
    seed: int,
    cache: str | os.PathLike[str] | None,
    log: Callable[[str], object],
) -> pd.DataFrame:
    """How well heads tell each source with enough patients: ``films`` and ``auroc`` by source."""
    sources = films.factors["source"]
    patients = {name: set(films.groups[sources == name]) for name in np.unique(sources)}
    enough = [name for name, own in patients.items() if len(own) >= FOLDS]
    if len(enough) < 2:
        return pd.DataFrame({"films": [], "auroc": []})
    films = films.subset(np.isin(sources, enough))
    log(f"features of {len(films)} images, read once")
    features = frozen_features(films, cache=cache)
    return source_aurocs(films, features, seed).set_index("source")
