"""How well a small network finds the lungs of real films, as it was measured, read back.

The measurement is one JSON object. ``networks`` has an entry for each set of films that a network
was trained on (``real``, ``phantom``, ``both``), with the Dice coefficient of each film that was
held out, in the order of ``sources`` and ``groups``. ``used`` names the network whose weights are
used. The rest tells how it was made.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sdlib.errors import DataError
from sdlib.files import (
    all_within,
    check_entries,
    check_number_entry,
    if_whole,
    read_json,
    write_json,
)
from sdlib.paths import outputs_folder, recorded_folder

__all__ = ["lungs_file", "lungs_table", "read_lungs", "record_lungs"]

NAME = "lungs.json"
ENTRIES = {
    "networks": dict,
    "used": str,
    "sources": list,
    "groups": list,
    "trained": dict,
    "steps": int,
    "seed": int,
    "seconds": (int, float),
    "code_version": str,
    "libraries": dict,
}


def lungs_file(recorded: bool) -> Path:
    """The file that says how well lungs are found: in git, or under ``outputs``.

    Examples
    --------
    >>> lungs_file(recorded=True).name
    'lungs.json'
    """
    return (recorded_folder() if recorded else outputs_folder()) / NAME


def read_lungs(recorded: bool = True) -> dict[str, Any]:
    """Read how well lungs are found; empty if it has not been measured.

    Parameters
    ----------
    recorded : bool
        Whether the measurement in git is wanted, or this machine's; a damaged file of this
        machine counts as not there.

    Returns
    -------
    dict
        The measurement; see above.

    Raises
    ------
    DamagedError
        The recorded file is damaged.

    Examples
    --------
    >>> lungs = read_lungs()  # doctest: +SKIP
    """
    file = lungs_file(recorded)
    if not recorded:
        return if_whole(read_json, file, _check) or {}
    if not os.path.exists(file):
        return {}
    return read_json(file, _check)


def _check(lungs: Any) -> None:
    """Raise a ValueError that says what is missing or wrong in a measurement that was read."""
    check_entries(lungs, ENTRIES)
    check_number_entry("seconds", lungs["seconds"], 0)
    if lungs["used"] not in lungs["networks"]:
        raise ValueError(f"expected the network {lungs['used']!r} among networks")
    films = len(lungs["sources"])
    if len(lungs["groups"]) != films:
        raise ValueError("expected as many groups as sources")
    for name, dice in lungs["networks"].items():
        if not isinstance(dice, list) or len(dice) != films or not all_within(dice, 0, 1):
            raise ValueError(f"expected {films} Dice coefficients, 0 to 1, of the network {name}")


def record_lungs() -> str:
    """Copy how well this machine's networks find lungs to the recorded results.

    Returns
    -------
    str
        What was copied, a sentence.

    Raises
    ------
    DataError
        Nothing has been measured.
    """
    lungs = read_lungs(recorded=False)
    if not lungs:
        raise DataError(
            f"nothing to record at {lungs_file(recorded=False)}: run 'python -m "
            f"sdlib.training.lungs' first"
        )
    write_json(lungs_file(recorded=True), lungs)
    return f"the lungs of {len(lungs['sources'])} films recorded"


def lungs_table(lungs: Mapping[str, Any]) -> pd.DataFrame:
    """How well each network finds lungs, by the collection that films are of.

    Parameters
    ----------
    lungs : mapping
        As :func:`read_lungs` returns it.

    Returns
    -------
    pandas.DataFrame
        ``network`` (what it was trained on), ``source`` (a collection, or ``"all"``), ``films``,
        ``groups`` (patients or figures), and the films' Dice coefficients: ``mean``, ``sd``,
        ``median`` and ``least``.

    Examples
    --------
    >>> lungs = {"networks": {"real": [0.9, 0.8]}, "sources": ["a", "b"], "groups": ["1", "2"]}
    >>> lungs_table(lungs)[["network", "source", "films", "mean"]].to_numpy().tolist()
    [['real', 'a', 1, 0.9], ['real', 'b', 1, 0.8], ['real', 'all', 2, 0.8500000000000001]]
    """
    sources, groups = np.array(lungs["sources"]), np.array(lungs["groups"])
    lines = []
    for network, found in lungs["networks"].items():
        for source in [*dict.fromkeys(lungs["sources"]), "all"]:
            chosen = (sources == source) | (source == "all")
            dice = np.array(found)[chosen]
            lines.append(
                {
                    "network": network,
                    "source": source,
                    "films": len(dice),
                    "groups": len(set(groups[chosen])),
                    "mean": float(dice.mean()),
                    "sd": float(dice.std(ddof=1)) if len(dice) > 1 else np.nan,
                    "median": float(np.median(dice)),
                    "least": float(dice.min()),
                }
            )
    return pd.DataFrame(lines)
