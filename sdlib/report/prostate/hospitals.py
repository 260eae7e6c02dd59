"""What an honest test on real hospitals takes: seeds, and hours."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch.nn.functional import binary_cross_entropy_with_logits

from sdlib.experiments import EXPERIMENTS, runs_of
from sdlib.models import create_network
from sdlib.paths import data_folder
from sdlib.report.scale import images_seen
from sdlib.training.prediction import normalise

__all__ = ["cost_projection", "power_table", "published_spread", "published_table", "training_rate"]

POWER = 0.8
DESIGNS = (
    ("hospitals", "camelyon17"),
    ("panda_karolinska", "panda"),
    ("panda_radboud", "panda"),
)
STEPS, BATCH = 3, 8
GPU_RATES = (1_000, 3_000, 10_000)  # images/s, of which a reader chooses what is true of hers


def published_table() -> pd.DataFrame:
    """What others have found on public data, with spectral decoupling and without.

    Returns
    -------
    pandas.DataFrame
        One line per data set and method, from ``data/elsewhere.csv``: accuracy in per cent, its SD
        over seeds (a dash where none is printed), and where it was read.

    Examples
    --------
    >>> float(published_table().loc[("CelebA", "spectral decoupling"), "accuracy, %"])
    88.6
    """
    table = _published().rename(
        columns={"accuracy": "accuracy, %", "sd": "SD over seeds", "where": "read in"}
    )
    return table.astype({"SD over seeds": object}).fillna("–")


def published_spread(data: str, method: str) -> float:
    """The published SD of an accuracy over seeds, as a fraction.

    Parameters
    ----------
    data, method : str
        A line of :func:`published_table`.

    Examples
    --------
    >>> published_spread("Camelyon17-WILDS", "plain training")
    0.064
    """
    return round(float(_published().loc[(data, method), "sd"]) / 100, 6)


def _published() -> pd.DataFrame:
    return pd.read_csv(data_folder() / "elsewhere.csv", index_col=["data", "method"])


def power_table(spread: float, seeds: Sequence[int]) -> pd.DataFrame:
    """The smallest gain that can be found, by number of seeds per arm.

    Parameters
    ----------
    spread : float
        Standard deviation of an arm's accuracy over seeds.
    seeds : sequence of int
        Numbers of networks per arm.

    Returns
    -------
    pandas.DataFrame
        One line per number of seeds: the smallest difference of two arms, in points, that a
        two-sided t test at 5 % finds with a power of 80 %. The arms are taken as independent.

    Examples
    --------
    >>> round(float(power_table(0.064, [20]).iloc[0, 0]), 1)
    5.8
    """
    lines = {}
    for n in seeds:
        freedom = 2 * (n - 1)
        quantiles = stats.t.ppf(0.975, freedom) + stats.t.ppf(POWER, freedom)
        smallest = quantiles * spread * np.sqrt(2 / n)
        lines[n] = {"smallest gain, points": round(100 * smallest, 1)}
    return pd.DataFrame(lines).T.rename_axis("seeds per arm")


@cache  # designs share networks and sizes
def training_rate(network: str, size: int) -> float:
    """Images per second that a network is trained on here, on one core in float32.

    Parameters
    ----------
    network : str
        Of :data:`sdlib.models.NETWORKS`.
    size : int
        Side of the images, px.
    """
    model = create_network(network)
    images = torch.zeros(BATCH, size, size, 3, dtype=torch.uint8)
    targets = torch.arange(BATCH) % 2
    optimiser = torch.optim.SGD(model.parameters(), 0.0)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        logits = model(normalise(images))[:, 0]
        binary_cross_entropy_with_logits(logits, targets.float()).backward()
        optimiser.step()

    step()  # the first one is slower
    start = time.perf_counter()
    for _ in range(STEPS):
        step()
    return STEPS * BATCH / (time.perf_counter() - start)


def cost_projection(rates: Sequence[float] = GPU_RATES) -> pd.DataFrame:
    """Hours of the experiments on real hospitals at the profile ``paper``.

    Parameters
    ----------
    rates : sequence of float
        Images per second that a device is trained on, beside the rate measured here.

    Returns
    -------
    pandas.DataFrame
        Text. One line per experiment: runs, images in millions, the rate measured here, and the
        hours at it and at the others.
    """
    lines = {}
    for name, source in DESIGNS:
        settings = EXPERIMENTS[name].settings("paper", source)
        runs = len(runs_of(name, "paper", source))
        images = runs * images_seen(settings)
        here = training_rate(settings.network, settings.size)
        hours = {"hours at that rate": images / here / 3600}
        hours |= {f"hours at {rate:,.0f} images/s": images / rate / 3600 for rate in rates}
        lines[f"{name}, {settings.size} px"] = {
            "runs": str(runs),
            "images, millions": f"{images / 1e6:,.0f}",
            "images/s, one core here": f"{here:.1f}",
            **{heading: f"{value:,.0f}" for heading, value in hours.items()},
        }
    return pd.DataFrame(lines).T
