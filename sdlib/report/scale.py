"""How large the profiles are: pixels, tiles, and the images that go through networks."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from sdlib.cutouts import N_CUTOUTS, scaled_cutout_size
from sdlib.datasets.splits import PAPER_PATIENTS
from sdlib.experiments import EXPERIMENTS, PROFILES, Arm, Profile, Run, runs_of

__all__ = [
    "hours_table",
    "images_needed",
    "images_seen",
    "images_trained_on",
    "profile_table",
    "scale_table",
]

DIGITS = {
    "area of cut-outs": "{:.3f}",
    "images seen": "{:,}",
    "share of paper": "{:.1e}",
}


def profile_table() -> pd.DataFrame:
    """Every setting of every profile, one line per profile.

    >>> str(profile_table().loc["paper", "network"])
    'efficientnet_b0'
    """
    return pd.DataFrame([vars(profile) for profile in PROFILES.values()]).set_index("name")


def images_trained_on(tiles: int, epochs: int, most: int = 0) -> int:
    """Images that one training sees: the training patients' share of all tiles, times the epochs.

    Parameters
    ----------
    tiles, epochs : int
        As in :class:`sdlib.experiments.Profile`.
    most : int
        Largest number of tiles that the experiment trains on; 0 if it sets no limit.

    Examples
    --------
    >>> images_trained_on(1000, 5), images_trained_on(1000, 5, most=200)
    (3500, 1000)
    """
    train = round(tiles * PAPER_PATIENTS[0] / sum(PAPER_PATIENTS))
    return min(train, most or train) * epochs


def images_seen(settings: Profile) -> int:
    """Images that one training sees with the settings of a profile, or of an experiment at it.

    >>> images_seen(PROFILES["quick"])
    3500
    """
    return images_trained_on(settings.tiles, settings.epochs)


def scale_table() -> pd.DataFrame:
    """What a profile gives up, one line per profile.

    Returns
    -------
    pandas.DataFrame
        network, size, tiles, epochs, seeds, trials, cut-out px; then, as text, the share of a
        tile that cutouts cover, the images that a training sees, and their share of the paper's.
    """
    table = profile_table()[["network", "size", "tiles", "epochs", "seeds", "trials"]]
    side = table["size"].map(scaled_cutout_size)
    seen = pd.Series({name: images_seen(profile) for name, profile in PROFILES.items()})
    numbers = {
        "area of cut-outs": N_CUTOUTS * side**2 / table["size"] ** 2,
        "images seen": seen,
        "share of paper": seen / seen["paper"],
    }
    texts = {name: values.map(DIGITS[name].format) for name, values in numbers.items()}
    return table.assign(**{"cut-out px": side, **texts})


def images_needed(profile: str, source: str) -> int:
    """Images through a network for every run, and every trial of a search that a run waits for.

    Each experiment has its own settings. The number is an upper bound: trials that two searches
    share, and runs that test the networks of another experiment, are counted like all others.

    Parameters
    ----------
    profile, source : str
        As in :mod:`sdlib.experiments`.
    """
    runs = [run for name in EXPERIMENTS for run in runs_of(name, profile, source)]
    needed = sum(_images_of(run, run.definition.arm(run.arm)) for run in runs)
    for search in {run.search for run in runs} - {None}:
        settings = search.run.settings
        trainings = search.space.count(settings.trials) * settings.networks
        needed += trainings * _images_of(search.run, search.arm)
    return needed


def _images_of(run: Run, arm: Arm) -> int:
    """Images that one training of an arm sees, with the settings of the run's experiment."""
    cohort = arm.training or run.definition.training
    return images_trained_on(run.settings.tiles, run.settings.epochs, cohort.most)


def hours_table(source: str, rates: Sequence[int]) -> pd.DataFrame:
    """Hours that all experiments take, one line per profile, one column per rate.

    Parameters
    ----------
    source : str
        As in :mod:`sdlib.experiments`.
    rates : sequence of int
        Images per second that are trained on.
    """
    needed = pd.Series({profile: images_needed(profile, source) for profile in PROFILES})
    return pd.DataFrame({f"hours at {rate:,} images/s": needed / rate / 3600 for rate in rates})
