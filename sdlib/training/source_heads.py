"""Can the source of a film be read off its features? A linear head per source, on new patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sdlib.datasets.tiles import TileSet
from sdlib.errors import DataError
from sdlib.metrics import auroc

__all__ = ["source_aurocs"]

FOLDS = 5
DECAY = 0.1  # times the mean of the losses; nothing is tuned


def source_aurocs(films: TileSet, features: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """Measure how well a linear head tells the films of each source from those of all others.

    Every film is predicted by a head that was trained on other patients: five folds by patient,
    with the share of the source as alike in all as patients allow.

    Parameters
    ----------
    films : TileSet
        With a factor ``source``; groups are patients.
    features : numpy.ndarray
        float, shape ``(n, d)``, of :func:`sdlib.training.features.frozen_features`.
    seed : int
        Of the folds.

    Returns
    -------
    pandas.DataFrame
        One line per source: ``source``, ``films`` (how many are of it), ``auroc``. Without lines
        where all films are of one source.

    Raises
    ------
    DataError
        No factor ``source``, another number of features than of films, or a source of fewer than
        five patients.

    Examples
    --------
    >>> source = np.repeat(["here", "there"], 20)
    >>> patients = np.arange(40).astype(str)
    >>> images, targets = np.zeros((40, 8, 8, 3), np.uint8), np.arange(40) % 2
    >>> films = TileSet(images, targets, patients, {"source": source})
    >>> features = np.random.default_rng(0).normal(size=(40, 5)) + 9 * (source == "here")[:, None]
    >>> source_aurocs(films, features)["auroc"].tolist()
    [1.0, 1.0]
    """
    if "source" not in films.factors:
        known = ", ".join(films.factors) or "none"
        raise DataError(f"expected films with a factor 'source', got the factors: {known}")
    if len(features) != len(films):
        raise DataError(f"expected features of {len(films)} films, got {len(features)}")
    sources = np.asarray(films.factors["source"])
    names = np.unique(sources)
    if len(names) == 1:
        names = names[:0]
    for name in names:
        patients = len(np.unique(films.groups[sources == name]))
        if patients < FOLDS:
            raise DataError(
                f"expected films of at least {FOLDS} patients of {name}, one per fold, got "
                f"{patients}: leave this source out"
            )
    lines = []
    for name in names:
        own = sources == name
        head = LogisticRegression(C=1 / (DECAY * len(films)), max_iter=1000)
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
        parts = list(folds.split(features, own, films.groups))
        model = make_pipeline(StandardScaler(), head)
        scores = cross_val_predict(model, features, own, cv=parts, method="decision_function")
        # Heads of different folds have scales of their own: each fold is judged by itself.
        # Where few patients have most films, a fold may be left without any of the source.
        tests = [test for _, test in parts if own[test].any() and not own[test].all()]
        found = [auroc(own[test], scores[test]) for test in tests]
        lines.append({"source": name, "films": int(own.sum()), "auroc": float(np.mean(found))})
    return pd.DataFrame(lines, columns=["source", "films", "auroc"])
