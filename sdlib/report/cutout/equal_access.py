"""Equation 2 with the paper's own values against weight decay, each with the same access to labels.

The paper's values saw no label here. So both arms are compared at the cut-off .5, or each at its
own best cut-off on validation tiles, or each at its own best cut-off on test tiles. In one line the
rival alone sees labels: it is handicapped in favour of weight decay, and says so. In another line
the rival has the cut-off that the values of Equation 2 are worth by themselves, in a whole
population (:func:`sdlib.theory.population.cutoff_worth`): it needs no labels at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from sdlib.metrics import FEWEST_SEEDS, Interval, mean_interval
from sdlib.report.cutout.cutoff_control import (
    accuracy_at,
    logit_shift,
    share_of_squares,
    tuned_accuracy,
)
from sdlib.report.tables import ends_in_points, order_in_words, paper_interval
from sdlib.results import Place
from sdlib.theory.population import cutoff_worth

__all__ = [
    "access_table",
    "ceiling_table",
    "equal_access",
    "finding",
    "printed_differences",
    "unflattering",
    "worth",
]

ARM, RIVAL, CONTROL = "sd_eq2", "weight_decay", "control"


def _metric(name: str) -> Callable[[Place, str], pd.Series]:
    return lambda place, arm: place.by_seed(name, arm)


def _at_best_cutoff(judged_on: str) -> Callable[[Place, str], pd.Series]:
    return lambda place, arm: tuned_accuracy(place, arm, judged_on)


def _at(cutoff: float) -> Callable[[Place, str], pd.Series]:
    return lambda place, arm: accuracy_at(place, arm, cutoff)


def worth(place: Place, arm: str = ARM) -> float:
    """The cut-off that an arm's values are worth in a whole population; NaN without rows of it."""
    if arm not in place.arms:
        return float("nan")
    setting = place.setting(arm)
    return cutoff_worth(setting["lam"] or 0.0, setting["gamma"] or (0.0, 0.0))


def _dependence(place: Place, arm: str) -> pd.Series:
    """The size of the share by which squares move the logit: its sign says only which way."""
    return share_of_squares(place, arm).abs()


#: The rival at the cut-off that the arm's values are worth: neither sees labels.
WORTH = "accuracy, at .5 against the cut-off its values are worth"
#: The one comparison with unequal access: the rival alone sees validation labels.
HALF = "accuracy, at .5 against a cut-off from validation"
SHARE = "dependence on squares, size of r (times 100; below 0 is less)"
#: What is compared, by heading: a place and an arm to one value per seed.
MEASURES: Mapping[str, Callable[[Place, str], pd.Series]] = {
    "accuracy, both at .5": _metric("test.accuracy"),
    WORTH: _metric("test.accuracy"),
    "recall, both at .5": _metric("test.recall"),
    "accuracy, both at their best cut-off on validation": _at_best_cutoff("validation"),
    "accuracy, both at their best cut-off on test": _at_best_cutoff("test"),
    HALF: _metric("test.accuracy"),
    "AUROC": _metric("test.auroc"),
    SHARE: _dependence,
    "accuracy on clean tiles, both at .5": _metric("clean.accuracy"),
}
PRINTED = {"accuracy, both at .5": "accuracy", "recall, both at .5": "recall"}


def equal_access(place: Place, arm: str = ARM, rival: str = RIVAL) -> dict[str, Interval]:
    """Differences ``arm - rival`` with equal access to labels, paired over seeds.

    Parameters
    ----------
    place : Place
        Of ``cutout``.
    arm, rival : str
        By default Equation 2 with the paper's values, and weight decay.

    Returns
    -------
    dict of str to Interval
        By what is compared; fractions. Without what the place has no rows or predictions of.
    """
    found = {}
    for heading, measure in MEASURES.items():
        other = measure
        if heading == HALF:
            other = _at_best_cutoff("validation")
        if heading == WORTH:
            other = _at(worth(place, arm))
        difference = (measure(place, arm) - other(place, rival)).dropna()
        if len(difference):
            found[heading] = mean_interval(difference.to_numpy(np.float64))
    return found


def _points(interval: Interval | None) -> str:
    if interval is None:
        return "–"
    if interval.n < FEWEST_SEEDS:
        return f"{100 * interval.mean:+.1f}, no interval"
    return ends_in_points(interval)


def access_table(places: Sequence[Place], arm: str = ARM, rival: str = RIVAL) -> pd.DataFrame:
    """:func:`equal_access` of several places side by side, with the paper's differences.

    Parameters
    ----------
    places : sequence of Place
        Of ``cutout``; those without rows of both arms are left out.
    arm, rival : str
        As in :func:`equal_access`.

    Returns
    -------
    pandas.DataFrame
        Text, in points: mean (95 % t interval over seeds); one line per measure, one column per
        place, and the number of seeds.
    """
    table = {"paper": {heading: _printed(heading) for heading in MEASURES}}
    for place in places:
        found = equal_access(place, arm, rival)
        if found:
            cells = {heading: _points(found.get(heading)) for heading in MEASURES}
            table[place.name] = {**cells, "seeds": max(one.n for one in found.values())}
    return pd.DataFrame(table).fillna("–")


def printed_differences() -> dict[str, float]:
    """The paper's differences by what is compared, fractions, from its Table 2.

    There the values of Equation 2 were tuned on the paper's own test split.

    >>> {heading: round(found, 3) for heading, found in printed_differences().items()}
    {'accuracy, both at .5': 0.085, 'recall, both at .5': 0.192}
    """
    found = {}
    for heading, metric in PRINTED.items():
        ours, rival = (paper_interval(metric, arm) for arm in ("sd_eq2_test_tuned", RIVAL))
        found[heading] = ours.mean - rival.mean
    return found


def _printed(heading: str) -> str:
    found = printed_differences().get(heading)
    return "–" if found is None else f"{100 * found:+.1f}"


def finding(place: Place, numbers: bool = True) -> str:
    """What a place says about Equation 2 with the paper's values, as a paragraph of Markdown.

    Parameters
    ----------
    place : Place
        Of ``cutout``.
    numbers : bool
        Whether the differences follow; without them the paragraph is a sentence.

    Returns
    -------
    str
        Empty where there are fewer than three seeds of both arms.
    """
    found = equal_access(place)
    if not found or min(one.n for one in found.values()) < FEWEST_SEEDS:
        return ""
    at_half, ranking = found["accuracy, both at .5"], found["AUROC"]
    said = "shows no clear gain"
    if at_half.low > 0:
        said = "gains"
    if at_half.high < 0:
        said = "loses"
    order = "does not differ clearly"
    if ranking.low > 0:
        order = "is higher: tiles are ranked better, which no cut-off can do"
    if ranking.high < 0:
        order = "is lower: tiles are ranked worse"
    text = (
        f"With the paper's own values, which saw no label here, Equation 2 {said} in accuracy at "
        f".5 against weight decay, and AUROC {order}."
    )
    if not numbers:
        return text
    listed = "; ".join(f"{heading} {_points(one)}" for heading, one in found.items())
    return f"{text} In points: {listed}."


def ceiling_table(places: Sequence[Place]) -> pd.DataFrame:
    """What any method could win back, and why the control is no ceiling.

    The control saw squares on every training tile, so it takes them for nothing, or for a faint
    sign; on test tiles they are on the cancerous ones alone, and may help it.

    Parameters
    ----------
    places : sequence of Place
        Of ``cutout``; those without rows of both arms are left out.

    Returns
    -------
    pandas.DataFrame
        Text; one line per quantity, one column per place. Means over seeds.
    """
    table = {}
    for place in places:
        if not {RIVAL, CONTROL} <= set(place.arms):
            continue
        mean = {
            (arm, cohort): place.values(f"{cohort}.accuracy", arm).mean()
            for arm in (RIVAL, CONTROL)
            for cohort in ("test", "all", "clean")
        }
        shift = logit_shift(place, CONTROL)["shift"].astype(float).mean()
        test = mean[RIVAL, "test"]
        table[place.name] = {
            "weight decay, test": f"{test:.3f}",
            "weight decay, clean": f"{mean[RIVAL, 'clean']:.3f}",
            "control, test": f"{mean[CONTROL, 'test']:.3f}",
            "control, squares on all tiles": f"{mean[CONTROL, 'all']:.3f}",
            "control, clean": f"{mean[CONTROL, 'clean']:.3f}",
            "control, shift s of the logit by squares": f"{shift:+.2f}",
            "to win back: weight decay, clean minus test, points": (
                f"{100 * (mean[RIVAL, 'clean'] - test):.1f}"
            ),
            "the control's distance, points": f"{100 * (mean[CONTROL, 'test'] - test):.1f}",
        }
    return pd.DataFrame(table)


def unflattering(place: Place) -> str:
    """What speaks against spectral decoupling at a place, and against its tuned rival.

    Returns
    -------
    str
        Sentences of Markdown; empty where there are no such rows.
    """
    sentences = []
    tuned = place.difference("test.accuracy", "sd_eq2_tuned", "weight_decay_tuned")
    if tuned and tuned.n >= FEWEST_SEEDS:
        sentences.append(
            "Both tuned on validation tiles, as one has to in practice, Equation 2 against weight "
            f"decay is {order_in_words(tuned)}: {ends_in_points(tuned)} points."
        )
    sentences += _edge(place)
    return " ".join(sentences)


def _edge(place: Place) -> list[str]:
    """Whether the winner of weight decay's search on test lies at the end of its grid."""
    arm, trials = "weight_decay_test_tuned", place.trials
    if arm not in place.arms or not len(trials):
        return []
    space = place.definition.space(place.definition.arm(arm).search)
    chosen, grid = place.setting(arm)["weight_decay"], space.grid["weight_decay"]
    price = place.difference("clean.accuracy", arm, RIVAL)
    where = "at the end" if chosen in (min(grid), max(grid)) else "inside"
    text = (
        f"The weight decay that its search on test tiles chose, {chosen:g}, lies {where} of its "
        "grid"
    )
    if price is None or price.n < FEWEST_SEEDS:
        return [f"{text}."]
    return [f"{text}; on clean tiles it changes accuracy by {ends_in_points(price)} points."]
