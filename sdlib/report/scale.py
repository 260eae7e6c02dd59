"""How large the profiles are: pixels, tiles, and the images that go through networks."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from sdlib.cutouts import N_CUTOUTS, scaled_cutout_size
from sdlib.datasets.splits import PAPER_PATIENTS
from sdlib.experiments import EXPERIMENTS, PROFILES, Profile, runs_of

__all__ = ["hours_table", "images_needed", "images_seen", "profile_table", "scale_table"]

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


def images_seen(profile: Profile) -> int:
    """Images that one training sees: the training patients' tiles, times the epochs.

    >>> images_seen(PROFILES["quick"])
    3500
    """
    train = round(profile.tiles * PAPER_PATIENTS[0] / sum(PAPER_PATIENTS))
    return train * profile.epochs


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

    Parameters
    ----------
    profile, source : str
        As in :mod:`sdlib.experiments`.
    """
    runs = [run for name in EXPERIMENTS for run in runs_of(name, profile, source)]
    searches = {run.search for run in runs} - {None}
    trials = [search.space.count(PROFILES[profile].trials) for search in searches]
    return (len(runs) + sum(trials)) * images_seen(PROFILES[profile])


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
