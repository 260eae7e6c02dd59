"""Two arms compared over all levels of a shift: as a table, as values to draw, and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sdlib.metrics import mean_interval
from sdlib.report.robustness.readings import SHIFTS
from sdlib.report.rule import FEWEST
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
        tiles (``clean``) and each shift the paired mean [95 % t interval over seeds].
    """
    lines = {}
    for arm, rival in pairs:
        for place in places:
            cells, n = {}, 0
            for shift in (CLEAN, *SHIFTS):
                values = 100 * place.paired(shift, arm, rival)
                n = len(values)
                cells[shift] = _cell(values)
            if n:
                names = f"{place.label(arm)}, minus {place.label(rival)}"
                lines[names, place.name] = {"seeds": n, **cells}
    return pd.DataFrame(lines).T


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
        ``arm - rival`` as fractions, (seeds,), by shift (``no shift`` for unshifted tiles) and by
        name; for :func:`sdlib.report.intervals.difference_plot`.
    """
    panels: dict[str, dict[str, np.ndarray]] = {}
    for shift in (CLEAN, *SHIFTS):
        title = "no shift" if shift == CLEAN else shift
        found = {name: place.paired(shift, *pair) for name, pair in pairs.items()}
        panels[title] = {name: values for name, values in found.items() if len(values)}
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
        found = {shift: 100 * place.paired(shift, arm, rival) for shift in (CLEAN, *SHIFTS)}
        n = len(found[CLEAN])
        if n < FEWEST:
            continue
        intervals = {shift: mean_interval(values) for shift, values in found.items()}
        certain = [
            f"{'no shift' if shift == CLEAN else shift} {one.mean:+.1f} "
            f"({one.low:+.1f} to {one.high:+.1f})"
            for shift, one in intervals.items()
            if one.low > 0 or one.high < 0
        ]
        said = ", ".join(certain) or "no difference is certain"
        lines.append(
            f"- **{place.name}**, {place.label(arm)} minus {place.label(rival)}, points, "
            f"n = {n}: {said}."
        )
    return "\n".join(lines)


def _cell(values: np.ndarray) -> str:
    if not len(values):
        return "–"
    found = mean_interval(values)
    ends = f" [{found.low:+.1f}, {found.high:+.1f}]" if found.n >= FEWEST else ""
    return f"{found.mean:+.1f}{ends}"
