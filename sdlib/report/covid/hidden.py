"""Is it disease or source? AUROC where only the lungs are visible, and where all but them is.

Disease is in the lungs. A network that tells the classes apart with the lungs hidden has learnt
something else: where the film is from, how it was taken, or who the patient is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import FigureBase

from sdlib.experiments.covid import DECAY, HIDDEN, SD
from sdlib.metrics import FEWEST_SEEDS, Interval
from sdlib.report.covid.situations import INSIDE, PAIRS, counted, in_order, situation_of
from sdlib.report.intervals import interval_plot
from sdlib.report.tables import describe, in_points
from sdlib.results import Place
from sdlib.results.lungs import lungs_table

__all__ = ["draw_hidden", "hidden_table", "read_dice", "read_hidden"]

CHANCE = 0.5
#: Evaluation cohorts by what is visible.
VISIBLE = {"whole films": INSIDE, **{f"{seen} only": seen for seen in HIDDEN}}


def hidden_table(places: Sequence[Place], arms: Sequence[str]) -> pd.DataFrame:
    """AUROC inside on whole films, on their lungs only, and on their surroundings only.

    Parameters
    ----------
    places : sequence of Place
        Of the experiments ``covid`` and ``covid_added``; those without masked films are left out.
    arms : sequence of str
        In the order of the lines; arms without rows are left out.

    Returns
    -------
    pandas.DataFrame
        Text. One line per situation, place and arm: AUROC over networks, as
        :func:`sdlib.report.tables.describe` writes it; below them one for each pair of
        :data:`PAIRS` of which both arms are shown: arm minus rival in points, paired over seeds.
        Without lines where there are no masked films.

    Raises
    ------
    ConfigError
        A place is of another experiment, or an arm is of none.
    """
    lines = {}
    for _, title, mine in in_order(places):
        for place in mine:
            if not any(_found(place, arm, seen) for arm in arms for seen in HIDDEN):
                continue
            for arm in (arm for arm in arms if arm in place.arms):
                lines[title, place.name, place.label(arm)] = {
                    heading: describe(_found(place, arm, cohort))
                    for heading, cohort in VISIBLE.items()
                }
            for name, (arm, rival) in PAIRS.items():
                if {arm, rival} <= set(arms) & set(place.arms):
                    lines[title, place.name, f"difference in points, {name}"] = {
                        heading: in_points(place.paired(f"{cohort}.auroc", arm, rival))
                        for heading, cohort in VISIBLE.items()
                    }
    if not lines:
        return pd.DataFrame()
    return pd.DataFrame(lines).T.rename_axis(["trained on", "rows", "arm"])


def draw_hidden(places: Sequence[Place], arms: Sequence[str], missing: str) -> FigureBase:
    """Draw the AUROC inside on whole films, on lungs only, and on surroundings only.

    The figure has the first lines of :func:`hidden_table`, with a faint marker per network.

    Parameters
    ----------
    places : sequence of Place
        Of the experiments ``covid`` and ``covid_added``.
    arms : sequence of str
        From top to bottom in the experiment's order; arms without rows are left out.
    missing : str
        What the figure says where no arm has rows.

    Raises
    ------
    ConfigError
        A place is of another experiment.
    """
    ordered = [place for _, _, mine in in_order(places) for place in mine]
    # A long title would move the panels apart: the letter of the situation, and two lines.
    titled = {}
    for place in ordered:
        letter = situation_of(place).split()[0]
        origin, _, where = place.name.partition(": ")
        titled[f"{letter}  {origin}:\n{where}"] = place
    headings = {f"{cohort}.auroc": seen for seen, cohort in VISIBLE.items()}
    return interval_plot(titled, headings, arms, missing=missing)


def _found(place: Place, arm: str, cohort: str) -> Interval | None:
    return place.interval(f"{cohort}.auroc", arm)


def read_hidden(place: Place, arm: str = SD, rival: str = DECAY) -> str:
    """Read the table aloud for one situation, as Markdown; empty without masked films.

    Parameters
    ----------
    place : Place
        Of the experiment ``covid`` or ``covid_added``.
    arm, rival : str
        The difference is ``arm - rival``.
    """
    whole, lungs, around = (_found(place, rival, cohort) for cohort in VISIBLE.values())
    if whole is None or lungs is None or around is None:
        return ""
    text = (
        f"**{situation_of(place)}** ({place.name}): networks of *{place.label(rival)}* have an "
        f"AUROC of {whole.mean:.3f} on whole films, {lungs.mean:.3f} on lungs alone and "
        f"{around.mean:.3f} with the lungs hidden, where {_told(around)}."
    )
    paired = place.paired(f"{HIDDEN[-1]}.auroc", arm, rival)
    if not len(paired):
        return text
    return f"{text} In points, *{place.label(arm)}* changes the last by {in_points(paired)}."


def read_dice(lungs: Mapping[str, Any]) -> str:
    """Say in Markdown how well lungs are found on real films; empty where nothing was measured.

    Parameters
    ----------
    lungs : mapping
        Of :func:`sdlib.results.lungs.read_lungs`.
    """
    if not lungs:
        return ""
    table = lungs_table(lungs)
    table = table[table["source"] == "all"].set_index("network")
    used = table.loc[lungs["used"]]
    text = (
        f"On {used['films']} held-out real films of {used['groups']} patients the masks have a "
        f"mean Dice coefficient of {used['mean']:.3f} "
        f"(SD {used['sd']:.3f}, least {used['least']:.3f})"
    )
    if "phantom" in table.index:
        text += f"; a network of phantoms alone has {table.loc['phantom', 'mean']:.3f}"
    return f"{text}."


def _told(around: Interval) -> str:
    """What an AUROC without lungs says; nothing certain of fewer than three networks."""
    if around.n < FEWEST_SEEDS:
        return f"of {counted(around.n)} there is no interval"
    if around.low > CHANCE:
        return "no lung is visible: they know something else"
    if around.high < CHANCE:
        return "no lung is visible: they are wrong more often than chance"
    return "the 95 % interval has chance in it"
