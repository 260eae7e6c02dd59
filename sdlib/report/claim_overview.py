"""All claims at all places: verdicts side by side, how many there are, where they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from sdlib.experiments import EXPERIMENTS, paper_table
from sdlib.experiments.comparisons import Comparison, Kind
from sdlib.report.rule import VISIBLY
from sdlib.report.verdicts import Verdict, attempted_claims, report
from sdlib.results import Place, sentence

__all__ = [
    "agreement",
    "attempted_verdicts",
    "claim_table",
    "count_sentence",
    "margin_table",
    "place_list",
    "reports_of",
]

#: Claims on theory and on time, which need no rows: chapter 10 judges them on its page.
JUDGED_LIVE = ("C0", "C11")


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
    """How often each verdict was given on the paper's claims on images.

    Those that chapter 10 judges on its page, on theory and on time, are not among them.

    Parameters
    ----------
    one : pandas.DataFrame
        One of the reports that :func:`reports_of` returns.
    """
    papers = set(paper_table("claims")["id"]) - set(JUDGED_LIVE)
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


#: What a margin is called, by what a comparison expects.
MARGINS = {
    Kind.LEVEL: "within {} of the paper's value",
    Kind.LOSS: "a loss of up to {} is none",
    Kind.NO_DIFFERENCE: "a difference of up to {} is none",
}


def margin_table() -> pd.DataFrame:
    """The numbers of the rule, from the rule and from the comparisons that the experiments declare.

    Returns
    -------
    pandas.DataFrame
        Text: one line per kind of comparison and margin, with the claims that it belongs to.

    Examples
    --------
    >>> list(margin_table())
    ['claims', 'what counts']
    """
    lines: dict[tuple[str, str], dict[str, None]] = {}
    for experiment in EXPERIMENTS.values():
        for part in experiment.comparisons:
            lines.setdefault((str(part.kind), _what_counts(part)), {})[part.claim] = None
    table = [(kind, ", ".join(claims), what) for (kind, what), claims in lines.items()]
    return pd.DataFrame(table, columns=["expected", "claims", "what counts"]).set_index("expected")


def _what_counts(part: Comparison) -> str:
    """From where on a part of a claim is found, or is nothing."""
    if part.kind in (Kind.GAIN, Kind.NO_GAIN):
        return "half of the paper's gain" if part.paper else "any gain"
    if part.kind == Kind.APART:
        return f"an AUROC more than {VISIBLY:g} from .5"
    if part.margin_share:
        return f"a difference of up to {part.margin_share:.0%} of the largest possible is none"
    points = f"{100 * part.margin:g} point{'s' if part.margin != 0.01 else ''}"
    return MARGINS[part.kind].format(points)
