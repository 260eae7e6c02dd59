"""All claims at all places: verdicts side by side, how many there are, where they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from sdlib.experiments import EXPERIMENTS, paper_table
from sdlib.report.verdicts import Verdict, attempted_claims, report
from sdlib.results import Place, sentence

__all__ = [
    "agreement",
    "attempted_verdicts",
    "claim_table",
    "count_sentence",
    "place_list",
    "reports_of",
]

#: Claims that need no rows: chapter 10 judges this one on the page.
THEORY = "C0"


def reports_of(places: Sequence[Place]) -> dict[str, pd.DataFrame]:
    """Every claim with its verdict, by name of the place.

    Parameters
    ----------
    places : sequence of Place
        Of any experiment each; all experiments are looked up there.

    Returns
    -------
    dict of str to pandas.DataFrame
        As :func:`sdlib.report.verdicts.report` returns them, one line per claim, by its id.
    """
    return {place.name: report(place).set_index("id") for place in places}


def count_sentence(one: pd.DataFrame) -> str:
    """How often each verdict was given on the paper's claims, without the one on theory.

    Parameters
    ----------
    one : pandas.DataFrame
        One of the reports that :func:`reports_of` returns.
    """
    papers = set(paper_table("claims")["id"]) - {THEORY}
    mine = one[[claim_id.split(",")[0] in papers for claim_id in one.index]]
    counted = mine["verdict"].value_counts()
    words = ", ".join(f"{number} {verdict}" for verdict, number in counted.items())
    return f"of {len(mine)} readings of {len(papers)} claims on images, {words}."


def place_list(columns: Sequence[Place]) -> str:
    """A line of Markdown per experiment and place: the rows there are, or how to make them.

    Parameters
    ----------
    columns : sequence of Place
        As :func:`sdlib.results.everywhere` returns them. Experiments that are not run at a
        place's profile or on its source are left out.
    """
    lines = []
    for column in columns:
        for name, experiment in EXPERIMENTS.items():
            if experiment.runs_on(column.source) and column.profile in experiment.profiles:
                lines.append(f"- {name}, {sentence(column.of(name))}")
    return "\n".join(lines)


def claim_table(reports: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Verdicts side by side: one line per claim, one column per place.

    Parameters
    ----------
    reports : mapping of str to pandas.DataFrame
        What :func:`reports_of` returns. Without any, every claim is ``not attempted yet``.

    Returns
    -------
    pandas.DataFrame
        Text, by id: where (in the paper), claim, and a verdict for each place. The paper's claims
        come first, those of our own after them.

    Examples
    --------
    >>> list(claim_table({}))
    ['where', 'claim', 'verdict']
    """
    texts = [one[["where", "claim"]] for one in reports.values()]
    if not reports:
        table = paper_table("claims").set_index("id")
        return table.assign(verdict=str(Verdict.NOT_ATTEMPTED))
    every = pd.concat(texts)
    table = every[~every.index.duplicated()].copy()
    for name, one in reports.items():
        verdicts = one["verdict"].reindex(table.index)
        table[name] = verdicts.fillna(Verdict.NOT_ATTEMPTED).map(str)
    return table


def attempted_verdicts(one: pd.DataFrame) -> str:
    """The verdicts on the claims that some experiment is about, such as ``C1 partly; C2 ...``.

    Parameters
    ----------
    one : pandas.DataFrame
        One of the reports that :func:`reports_of` returns.
    """
    attempted = set(attempted_claims())
    verdicts = one["verdict"]
    mine = [claim_id for claim_id in one.index if claim_id.split(",")[0] in attempted]
    return "; ".join(f"{claim_id} {verdicts[claim_id]}" for claim_id in mine)


def agreement(reports: Mapping[str, pd.DataFrame]) -> str:
    """Which claims have the same verdict wherever they were judged, and which have not.

    Parameters
    ----------
    reports : mapping of str to pandas.DataFrame
        What :func:`reports_of` returns.

    Examples
    --------
    >>> agreement({})
    'fewer than two places have rows: nothing to compare'
    """
    if len(reports) < 2:
        return "fewer than two places have rows: nothing to compare"
    verdicts = pd.DataFrame({name: one["verdict"] for name, one in reports.items()})
    judged = verdicts[verdicts != Verdict.NOT_ATTEMPTED].dropna(thresh=2)
    same = judged.nunique(axis=1) == 1
    agreed, split = (", ".join(judged.index[chosen]) or "none" for chosen in (same, ~same))
    return f"judged in several places, same verdict: {agreed}; verdicts differ: {split}"
