"""Two arms compared over all levels of a shift: as a table, as values to draw, and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sdlib.metrics import FEWEST_SEEDS, mean_interval
from sdlib.report.robustness.readings import SHIFTS, shift_title
from sdlib.results import Place
from sdlib.results.sweeps import CLEAN

__all__ = ["comparison_panels", "comparison_table", "read_pair"]


def comparison_table(places: Sequence[Place], pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Differences of the two arms of each pair, unshifted and averaged over each shift's levels.

    Parameters
    ----------
    places : sequence of Place
    pairs : sequence of (arm, rival)
        Each gives ``arm - rival``.

    Returns
    -------
    pandas.DataFrame
        Text, in points. One line per comparison and place: the number of seeds, then for unshifted
        tiles (``no shift``) and each shift the paired mean [95 % t interval over seeds]. Shifts
        that no place has swept have no column.
    """
    lines = {}
    for arm, rival in pairs:
        for place in places:
            found = _paired(place, arm, rival)
            if not found:
                continue
            cells = {shift_title(shift): _cell(values) for shift, values in found.items()}
            names = f"{place.label(arm)}, minus {place.label(rival)}"
            lines[names, place.name] = {"seeds": len(found[CLEAN]), **cells}
    table = pd.DataFrame(lines).T
    order = ["seeds", *map(shift_title, (CLEAN, *SHIFTS))]
    return table[[name for name in order if name in table]].fillna("–")


def comparison_panels(
    place: Place, pairs: Mapping[str, tuple[str, str]]
) -> dict[str, dict[str, np.ndarray]]:
    """What :func:`comparison_table` has of one place, as values over seeds to draw.

    Parameters
    ----------
    place : Place
    pairs : mapping of str to (arm, rival)
        By the name of the comparison.

    Returns
    -------
    dict of str to dict of str to numpy.ndarray
        ``arm - rival`` as fractions, (seeds,), by shift that was swept (``no shift`` for unshifted
        tiles) and by name; for :func:`sdlib.report.intervals.difference_plot`.
    """
    panels: dict[str, dict[str, np.ndarray]] = {}
    for name, pair in pairs.items():
        for shift, values in _paired(place, *pair).items():
            panels.setdefault(shift_title(shift), {})[name] = values
    return panels


def read_pair(places: Sequence[Place], arm: str, rival: str) -> str:
    """Say under which shifts two arms differ for certain, averaged over each shift's levels.

    Parameters
    ----------
    places : sequence of Place
    arm, rival : str
        Differences are ``arm - rival``.

    Returns
    -------
    str
        Markdown, an item per place with three seeds or more of both: differences in points whose
        95 % t interval over seeds leaves out zero. Empty where there is no such place.
    """
    lines = []
    for place in places:
        found = _paired(place, arm, rival)
        n = len(found.get(CLEAN, ()))
        if n < FEWEST_SEEDS:
            continue
        intervals = {shift: mean_interval(100 * values) for shift, values in found.items()}
        certain = [
            f"{shift_title(shift)} {one.mean:+.1f} ({one.low:+.1f} to {one.high:+.1f})"
            for shift, one in intervals.items()
            if one.low > 0 or one.high < 0
        ]
        said = ", ".join(certain) or "no difference is certain"
        lines.append(
            f"- **{place.name}**, {place.label(arm)} minus {place.label(rival)}, points, "
            f"n = {n}: {said}."
        )
    return "\n".join(lines)


def _paired(place: Place, arm: str, rival: str) -> dict[str, np.ndarray]:
    """Differences over seeds, fractions, by shift: unshifted tiles, then what was swept."""
    found = {shift: place.paired(shift, arm, rival) for shift in (CLEAN, *SHIFTS)}
    return {shift: values for shift, values in found.items() if len(values)}


def _cell(values: np.ndarray) -> str:
    found = mean_interval(100 * values)
    ends = f" [{found.low:+.1f}, {found.high:+.1f}]" if found.n >= FEWEST_SEEDS else ""
    return f"{found.mean:+.1f}{ends}"
