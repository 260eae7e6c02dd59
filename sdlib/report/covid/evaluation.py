"""AUROC on films from elsewhere (claims C12 to C14): ensembles as in the paper, single networks.

The paper averages the probabilities of five networks and tests two such ensembles by DeLong's test,
which takes the networks as given: its interval is over films alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from sdlib.experiments import experiment_of, paper_table
from sdlib.experiments.covid import DECAY, SD
from sdlib.metrics import FEWEST_SEEDS, DeLong, bootstrap_auroc, bootstrap_difference, delong_test
from sdlib.report.covid.situations import (
    HEADINGS,
    NOTHING,
    OUTSIDE,
    PAIRS,
    counted,
    in_order,
    scored,
    situation_of,
)
from sdlib.report.tables import describe, ends_in_points, in_points
from sdlib.results import Place

__all__ = [
    "auroc_table",
    "delong_of",
    "delong_table",
    "read_evaluation",
    "read_networks",
    "small_p",
]

TINY = -3.0  # decimal logarithm of the p values that are written as powers of ten
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def small_p(log10_p: float, digits: int = 1) -> str:
    """A p value as a cell of a table, given its decimal logarithm; a power of ten where tiny.

    Parameters
    ----------
    log10_p : float
        At most 0; minus infinity for a p value of 0.
    digits : int
        Behind the point of the factor before the power.

    Examples
    --------
    >>> small_p(-0.5), small_p(-56.6), small_p(-400.0)
    ('0.316', '2.5 × 10⁻⁵⁷', '1.0 × 10⁻⁴⁰⁰')
    """
    if math.isnan(log10_p):
        return NOTHING
    if math.isinf(log10_p):
        return "0"
    if log10_p >= TINY:
        return f"{10**log10_p:.3f}"
    whole = math.floor(log10_p)
    # A factor of 9.97 is rounded to 10: one more in the exponent.
    factor = f"{10 ** (log10_p - whole):.{digits}e}"
    mantissa, carried = factor.split("e")
    return f"{mantissa} × 10{str(whole + int(carried)).translate(SUPERSCRIPTS)}"


def _paper(experiment: str) -> pd.DataFrame:
    """The lines of Figure 7 of one situation, by arm."""
    table = paper_table("figure7")
    return table[table["experiment"] == experiment].set_index("arm")


def _ends(value: float, low: float, high: float) -> str:
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def auroc_table(places: Sequence[Place]) -> pd.DataFrame:
    """AUROC of every arm inside and outside, single networks and ensembles, beside the paper's.

    Parameters
    ----------
    places : sequence of Place
        Of the experiments ``covid`` and ``covid_added``; those without rows are left out.

    Returns
    -------
    pandas.DataFrame
        Text; one line per situation, arm and place. The paper's ensemble with its interval; number
        of networks; single networks inside and outside as :func:`sdlib.report.tables.describe`
        writes them; the ensemble outside with 95 % bootstrap intervals over films and over
        patients, 1,000 resamples each; films outside, and their patients. An arm with a number in
        the paper and no rows has a line of the paper's number alone.

    Raises
    ------
    ConfigError
        A place is of another experiment.
    """
    lines = {}
    for experiment, title, mine in in_order(places):
        paper = _paper(experiment)
        for arm in experiment_of(experiment).arms:
            printed = {}
            if arm.name in paper.index:
                ends = _ends(*paper.loc[arm.name, ["auroc", "low", "high"]])
                printed["paper: ensemble outside"] = ends
            present = [place for place in mine if arm.name in place.arms]
            for place in present:
                lines[title, arm.label, place.name] = printed | _own_cells(place, arm.name)
            if printed and not present:
                lines[title, arm.label, NOTHING] = printed
    return pd.DataFrame(lines).T.rename_axis(["trained on", "arm", "rows"]).fillna(NOTHING)


def _own_cells(place: Place, arm: str) -> dict[str, str]:
    """What a place has of an arm, by heading."""
    cells = {"networks": str(len(place.by_seed(f"{OUTSIDE}.auroc", arm)))}
    for cohort, heading in HEADINGS.items():
        found = place.interval(f"{cohort}.auroc", arm)
        cells[f"{heading}, single networks"] = describe(found)
    ours = scored(place, arm)
    if ours is None:
        return cells
    by_film = bootstrap_auroc(ours.targets, ours.scores)
    by_patient = bootstrap_auroc(ours.targets, ours.scores, groups=ours.groups)
    cells["ensemble outside, over films"] = _ends(by_film.estimate, by_film.low, by_film.high)
    cells["over patients"] = f"[{by_patient.low:.3f}, {by_patient.high:.3f}]"
    cells["films (patients)"] = f"{len(ours.targets):,} ({len(np.unique(ours.groups)):,})"
    return cells


def delong_of(place: Place, arm: str, rival: str) -> DeLong | None:
    """DeLong's test of whether an arm's ensemble is better outside than the rival's, one-tailed.

    Parameters
    ----------
    place : Place
    arm, rival : str
        Of the place's experiment.

    Returns
    -------
    DeLong or None
        Of ``arm`` minus ``rival``; None where the predictions of either are not at hand.
    """
    own, others = scored(place, arm), scored(place, rival)
    if own is None or others is None:
        return None
    return delong_test(own.targets, own.scores, others.scores, "greater")


def delong_table(places: Sequence[Place]) -> pd.DataFrame:
    """Ensembles outside, spectral decoupling minus weight decay, by DeLong's one-tailed test.

    Parameters
    ----------
    places : sequence of Place
        Of the experiments ``covid`` and ``covid_added``; those without predictions of a pair are
        left out.

    Returns
    -------
    pandas.DataFrame
        Text; one line per situation, pair of arms and place. The paper's difference in points, its
        z (which is of weight decay minus spectral decoupling), the p value that it prints, and the
        one-tailed p that its z has; then our difference with DeLong's 95 % interval, which takes
        films as independent, and the bootstrap's over patients; z and p. The paper's numbers are
        of the pair with its own values.

    Raises
    ------
    ConfigError
        A place is of another experiment.
    """
    lines = {}
    for experiment, title, mine in in_order(places):
        for name, (arm, rival) in PAIRS.items():
            printed = _printed(experiment, arm, rival)
            tests = [(place, delong_of(place, arm, rival)) for place in mine]
            found = [(place, test) for place, test in tests if test is not None]
            for place, test in found:
                lines[title, name, place.name] = printed | {
                    "difference, points": _in_points(test),
                    "over patients": _over_patients(place, arm, rival),
                    "z": f"{test.z:+.2f}",
                    "p": small_p(test.log10_p),
                }
            if printed and not found:
                lines[title, name, NOTHING] = printed
    return pd.DataFrame(lines).T.rename_axis(["trained on", "pair", "rows"]).fillna(NOTHING)


def _printed(experiment: str, arm: str, rival: str) -> dict[str, str]:
    """The paper's test of a pair, and what its z gives; empty where it has none."""
    paper = _paper(experiment)
    if not {arm, rival} <= set(paper.index):
        return {}
    z = paper.loc[arm, "z"]
    difference = paper.loc[arm, "auroc"] - paper.loc[rival, "auroc"]
    return {
        "paper: difference, points": f"{100 * difference:+.1f}",
        "paper: z (weight decay minus SD)": f"{z:.3f}",
        "paper: p": small_p(math.log10(paper.loc[arm, "printed_p"]), digits=0),
        "p of the paper's z": small_p(stats.norm.logcdf(z) / math.log(10)),
    }


def _in_points(test: DeLong) -> str:
    return f"{100 * (test.auc_a - test.auc_b):+.1f} {_ends_in_points(test.low, test.high)}"


def _over_patients(place: Place, arm: str, rival: str) -> str:
    own, others = scored(place, arm), scored(place, rival)
    found = bootstrap_difference(own.targets, own.scores, others.scores, groups=own.groups)
    return _ends_in_points(found.low, found.high)


def _ends_in_points(low: float, high: float) -> str:
    return f"[{100 * low:+.1f}, {100 * high:+.1f}]"


def read_evaluation(place: Place, arm: str = SD, rival: str = DECAY) -> str:
    """Read Figure 7 aloud for one situation, as Markdown; empty without predictions of both arms.

    Parameters
    ----------
    place : Place
        Of the experiment ``covid`` or ``covid_added``.
    arm, rival : str
        The difference is ``arm - rival``.
    """
    test = delong_of(place, arm, rival)
    if test is None:
        return ""
    networks = [scored(place, name).networks for name in (arm, rival)]
    label, other = f"*{place.label(arm)}*", f"*{place.label(rival)}*"
    text = (
        f"**{situation_of(place)}** ({place.name}): outside, the ensemble of "
        f"{counted(networks[0])} of {label} has an AUROC of {test.auc_a:.3f}, and that of "
        f"{counted(networks[1])} of {other} {test.auc_b:.3f}, a difference of {_in_points(test)} "
        f"points (DeLong, 95 %; one-tailed p = {small_p(test.log10_p)})."
    )
    spreads = [place.interval(f"{OUTSIDE}.auroc", name) for name in (arm, rival)]
    paired = place.paired(f"{OUTSIDE}.auroc", arm, rival)
    if not len(paired) or min(one.n for one in spreads) < 2:
        return text
    largest = 100 * max(one.sd for one in spreads)
    gap = 100 * abs(test.auc_a - test.auc_b)
    compared = "more than" if largest > gap else "no more than"
    return (
        f"{text} Single networks have SDs of {100 * spreads[0].sd:.1f} and "
        f"{100 * spreads[1].sd:.1f} points, the larger {compared} the ensembles' difference; "
        f"DeLong's test leaves this spread out, and over pairs of networks the difference is "
        f"{in_points(paired)}."
    )


def read_networks(places: Sequence[Place]) -> str:
    """Say what single networks of each pair of arms differ by, inside and outside, as Markdown.

    Parameters
    ----------
    places : sequence of Place
        Of the experiments ``covid`` and ``covid_added``.

    Returns
    -------
    str
        One line per situation and place with at least three seeds of a pair: AUROC of spectral
        decoupling minus that of weight decay, points, with the 95 % t interval over seeds.
    """
    lines = []
    for _, title, mine in in_order(places):
        for place in mine:
            told = "; ".join(filter(None, (_pair_in_words(place, name) for name in PAIRS)))
            if told:
                lines.append(f"- **{title}** ({place.name}): {told}.")
    return "\n".join(lines)


def _pair_in_words(place: Place, name: str) -> str:
    """The paired differences of one pair of arms; empty below three seeds."""
    found = {
        heading: place.difference(f"{cohort}.auroc", *PAIRS[name])
        for cohort, heading in HEADINGS.items()
    }
    if any(one is None or one.n < FEWEST_SEEDS for one in found.values()):
        return ""
    listed = ", ".join(f"{heading} {ends_in_points(one)}" for heading, one in found.items())
    return f"{name}: {listed}"
