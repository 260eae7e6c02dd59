"""What the paper says: its values and its tables, read from ``data/paper``."""

from __future__ import annotations

import functools

import pandas as pd

from sdlib.errors import ConfigError
from sdlib.paths import data_folder

__all__ = [
    "PAPER_EQ1",
    "PAPER_EQ2_GAMMA",
    "PAPER_EQ2_LAM",
    "PAPER_WEIGHT_DECAY",
    "paper_table",
]

PAPER_WEIGHT_DECAY = 1e-4  # in networks without spectral decoupling only
PAPER_EQ1 = 0.01  # lambda of Equation 1
PAPER_EQ2_LAM = (0.0969, 0.000698)  # of Equation 2 in section 3.1: (benign, cancer)
PAPER_EQ2_GAMMA = (1.83, 2.61)


@functools.cache
def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(data_folder() / "paper" / f"{name}.csv")


def paper_table(name: str) -> pd.DataFrame:
    """One of the paper's tables, as a copy that may be changed.

    Parameters
    ----------
    name : str
        Of a file in ``data/paper``, without its ending.

    Raises
    ------
    ConfigError
        There is no table of that name.

    Examples
    --------
    >>> list(paper_table("table2").columns[:3])
    ['arm', 'label', 'metric']
    """
    known = sorted(path.stem for path in (data_folder() / "paper").glob("*.csv"))
    if name not in known:
        raise ConfigError(f"unknown table {name!r}; expected one of: {', '.join(known)}")
    return _read(name).copy()
