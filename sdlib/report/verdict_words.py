"""Verdicts in one small table: a line per claim with what the paper says, a word per place."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from sdlib.experiments import paper_table
from sdlib.report.rule import Verdict
from sdlib.report.verdicts import claims_at
from sdlib.results import Place

__all__ = ["verdict_words"]

NOTHING = "–"  # a claim that a place's rows say nothing of


def verdict_words(places: Sequence[Place], *claims: str) -> pd.DataFrame:
    """The verdict on each claim at every place, as one word.

    Put the numbers behind it below, folded: :func:`sdlib.report.tables.verdict_table`.

    Parameters
    ----------
    places : sequence of Place
        Of any experiment each; those where none of the claims was attempted are left out.
    claims : str
        Such as ``C8``; all of them without any.

    Returns
    -------
    pandas.DataFrame
        Text: one line per claim and reading that was attempted somewhere; what the paper says, then
        one column per place.

    Examples
    --------
    >>> rows = Place("cutout", "laptop", "phantom")
    >>> list(verdict_words([rows], "C1", "C2").columns)
    ['the paper says', 'recorded: phantom, laptop']
    """
    columns = {}
    for place in places:
        found = claims_at(place, *claims) if place.arms else {}
        if set(found.values()) - {Verdict.NOT_ATTEMPTED}:
            columns[place.name] = {name: str(verdict) for name, verdict in found.items()}
    table = pd.DataFrame(columns).rename_axis("claim").fillna(NOTHING)
    # A place may attempt one reading of a claim and not another.
    table = table[(table != str(Verdict.NOT_ATTEMPTED)).any(axis=1)]
    said = paper_table("claims").set_index("id")["claim"]
    # A reading begins with its claim, such as "C1, tuned on test"; our own claims are in no paper.
    texts = [said.get(reading.split(",")[0], NOTHING) for reading in table.index]
    table.insert(0, "the paper says", texts)
    return table
