"""The gap to the other medical centre, taken apart: what does each of five shifts cost?

On phantoms every shift can be switched alone and in pairs. A *cost* is accuracy on the test
patients' own tiles minus accuracy where the shift is on.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from sdlib.experiments.prostate import PARTS_OF_D, parts_name
from sdlib.metrics import mean_interval
from sdlib.plotting import note
from sdlib.report.intervals import seeds_text
from sdlib.report.tables import in_points
from sdlib.results import Place

__all__ = ["cost_of", "gap_figure", "gap_table", "interaction_table", "read_gap"]

MEANING = {
    "stain": "stain of the other centre",
    "scanner": "its scanner",
    "magnification": "its magnification",
    "patients": "its patients",
    "labels": "its labels",
}
SUM, WHOLE = "sum of the five", "all five at once"


def cost_of(place: Place, arm: str, cohort: str) -> np.ndarray:
    """Accuracy that an arm loses from the test patients' tiles to a cohort, by seed.

    Parameters
    ----------
    place : Place
        Of the prostate experiment.
    arm, cohort : str

    Returns
    -------
    numpy.ndarray
        Fractions, (seeds,); negative where the arm gains.
    """
    return _lost(place, arm, cohort).dropna().to_numpy(np.float64)


def _lost(place: Place, arm: str, cohort: str) -> pd.Series:
    return place.by_seed("test.accuracy", arm) - place.by_seed(f"{cohort}.accuracy", arm)


def _costs(place: Place, arm: str) -> pd.DataFrame:
    """Costs of an arm: one line per seed, one column per line of the table."""
    costs = pd.DataFrame(
        {MEANING[part]: _lost(place, arm, parts_name((part,))) for part in PARTS_OF_D}
    )
    costs[SUM] = costs.sum(axis=1, skipna=False)
    costs[WHOLE] = _lost(place, arm, "external")
    return costs.dropna()


def gap_table(place: Place, arm: str, rival: str) -> pd.DataFrame:
    """What each shift costs two arms, and how much less it costs the first.

    Parameters
    ----------
    place : Place
        Of the prostate experiment.
    arm, rival : str

    Returns
    -------
    pandas.DataFrame
        Text, in points. One line per shift, their sum, and all of them at once; the last column is
        ``rival - arm``, paired over seeds: above 0 where the shift costs ``arm`` less. Without
        lines where either arm has no rows.
    """
    if not {arm, rival} <= set(place.arms):
        return pd.DataFrame()
    own, rivals = _costs(place, arm), _costs(place, rival)
    differences = (rivals - own).dropna()
    spared = f"less for {place.label(arm)}"
    lines = {
        name: {
            place.label(rival): in_points(rivals[name].to_numpy()),
            place.label(arm): in_points(own[name].to_numpy()),
            spared: in_points(differences[name].to_numpy()),
        }
        for name in own
    }
    return pd.DataFrame(lines).T


def interaction_table(place: Place, arm: str) -> pd.DataFrame:
    """What two shifts cost together beyond what they cost alone.

    Parameters
    ----------
    place : Place
        Of the prostate experiment.
    arm : str

    Returns
    -------
    pandas.DataFrame
        Floats, in points, means over seeds: on the diagonal the cost of a shift alone, elsewhere
        the cost of a pair minus the sum of both alone. Without lines where the arm has no rows.
    """
    if arm not in place.arms:
        return pd.DataFrame()
    alone = {part: 100 * cost_of(place, arm, parts_name((part,))).mean() for part in PARTS_OF_D}
    table = pd.DataFrame(np.diag([*alone.values()]), index=[*alone], columns=[*alone])
    for first, second in combinations(PARTS_OF_D, 2):
        together = 100 * cost_of(place, arm, parts_name((first, second))).mean()
        beyond = together - alone[first] - alone[second]
        table.loc[first, second] = table.loc[second, first] = beyond
    return table


def gap_figure(place: Place, arms: Sequence[str], missing: str) -> Figure:
    """Draw the cost of each shift for several arms, with 95 % t intervals over seeds.

    Parameters
    ----------
    place : Place
        Of the prostate experiment.
    arms : sequence of str
        In the order of the legend; arms without rows are left out.
    missing : str
        What the figure says where no arm has rows.
    """
    costs = {arm: 100 * _costs(place, arm) for arm in arms}
    present = [arm for arm in arms if len(costs[arm])]
    if not present:
        return note(missing)
    fig, ax = plt.subplots(figsize=(7.5, 4.2))
    ax.axvline(0, color="0.5", linewidth=1)
    for number, arm in enumerate(present):
        found = {name: mean_interval(values.to_numpy()) for name, values in costs[arm].items()}
        rows = np.arange(len(found)) + 0.18 * (number - (len(present) - 1) / 2)
        means = np.array([one.mean for one in found.values()])
        half = np.array([(one.high - one.low) / 2 for one in found.values()])
        look = place.look(arm)
        hollow = {"markerfacecolor": "white"} if look.dash != "-" else {}
        style = look.kwargs | hollow
        ax.errorbar(means, rows, xerr=half, linestyle="none", capsize=2, **style)
        ax.set_yticks(range(len(found)), list(found))
    ax.axhline(len(PARTS_OF_D) - 0.5, color="0.8", linewidth=1)
    ax.invert_yaxis()
    ax.set_xlabel("accuracy lost, points")
    ax.set_title(f"{place.name}; {seeds_text(len(costs[arm]) for arm in present)}", fontsize=11)
    fig.legend(loc="outside lower center", ncols=2)
    return fig


def read_gap(place: Place, arm: str) -> str:
    """Read the table of costs aloud for one arm, as Markdown; empty without rows."""
    found = 100 * _costs(place, arm)
    if not len(found):
        return ""
    costs = found.mean().to_dict()
    whole, total = costs.pop(WHOLE), costs.pop(SUM)
    ordered = sorted(costs.items(), key=lambda item: -item[1])
    listed = ", ".join(
        f"{name} {value:+.1f}" if value >= 0 else f"{name} {value:+.1f} (they are easier)"
        for name, value in ordered
    )
    beyond = whole - total
    if beyond >= 0:
        rest = f"the other {beyond:.1f} points are lost only where several shifts meet"
    else:
        rest = f"that is {-beyond:.1f} points more, so that shifts hide what others would cost"
    return (
        f"**{place.name}**, {place.label(arm)}: {whole:.1f} points are lost from the test patients "
        f"to the other centre. Alone, the shifts cost: {listed}. These add up to {total:.1f}; "
        f"{rest}."
    )
