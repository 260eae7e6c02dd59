"""How hard is phantom tissue: what its own factors allow, and what networks make of its pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sdlib.datasets.splits import deal
from sdlib.experiments import EXPERIMENTS, PROFILES
from sdlib.phantoms import FACTORS, draw_tiles, tabulate
from sdlib.report.tables import describe
from sdlib.results import Place

__all__ = ["clean_table", "factor_accuracy", "factor_matrix", "reader"]

ARM = "weight_decay_none"  # trained and tested without cutouts, shifts or UniformAugment
COHORTS = ("validation", "test")


def factor_matrix(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Every factor of tiles, logarithms where it is drawn on a logarithmic scale.

    Parameters
    ----------
    columns : mapping of str to numpy.ndarray
        As :func:`sdlib.phantoms.tabulate` gives them.

    Returns
    -------
    numpy.ndarray
        float64 (n, factors).

    Examples
    --------
    >>> factor_matrix(tabulate(draw_tiles(4, seed=0))).shape
    (4, 17)
    """
    scales = {name: factor.scale for name, factor in FACTORS.items()}
    scales["gland_density"] = "log"  # follows from gland_share and gland_size
    del scales["gland_share"]
    chosen = [np.log(columns[k]) if how == "log" else columns[k] for k, how in scales.items()]
    return np.stack(chosen, axis=1).astype(np.float64)


def reader() -> Pipeline:
    """A logistic regression on standardised factors: it reads what no pixel tells exactly."""
    return make_pipeline(StandardScaler(), LogisticRegression())


def factor_accuracy(profile: str) -> dict[str, float]:
    """Balanced accuracy of :func:`reader`, fitted on the training patients' true factors.

    Parameters
    ----------
    profile : str
        Its tiles and patients are those that the experiment ``robustness`` has there.

    Returns
    -------
    dict of str to float
        ``validation`` and ``test``.

    Examples
    --------
    >>> sorted(factor_accuracy("quick"))
    ['test', 'validation']
    """
    experiment = EXPERIMENTS["robustness"]
    seed = experiment.data_seed
    columns = tabulate(draw_tiles(experiment.settings(profile, "phantom").tiles, seed))
    x, y, parts = factor_matrix(columns), columns["target"], deal(columns["patient"], seed)
    model = reader().fit(x[parts["train"]], y[parts["train"]])
    return {
        name: float(balanced_accuracy_score(y[parts[name]], model.predict(x[parts[name]])))
        for name in COHORTS
    }


def clean_table(places: Sequence[Place]) -> pd.DataFrame:
    """Accuracy on unshifted phantom tissue without cutouts, of networks and of :func:`reader`.

    Parameters
    ----------
    places : sequence of Place
        Of the experiment ``robustness``; those on other sources or without rows are left out.

    Returns
    -------
    pandas.DataFrame
        One line per place; text: what its networks are, ``validation`` and ``test`` (mean, SD and
        95 % t interval over seeds), and what the true factors allow on the same tiles.
    """
    lines = {}
    for place in places:
        if place.source != "phantom" or ARM not in place.arms:
            continue
        profile, allowed = PROFILES[place.profile], factor_accuracy(place.profile)
        cells = {"network": profile.network, "tiles": profile.tiles, "epochs": profile.epochs}
        for name in COHORTS:
            cells[name] = describe(place.interval(f"{name}.accuracy", ARM))
            cells[f"{name}, from factors"] = f"{allowed[name]:.3f}"
        lines[place.name] = cells
    return pd.DataFrame(lines).T
