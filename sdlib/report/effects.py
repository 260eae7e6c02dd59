"""The effects of spectral decoupling in every experiment, as sentences.

Which effects there are, the experiments declare (:mod:`sdlib.experiments.effects`). Nothing here is
typed: numbers, their signs and the words for them follow from the recorded rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from sdlib.datasets.sources import SOURCES
from sdlib.experiments import EXPERIMENTS, PROFILES
from sdlib.experiments.effects import Effect
from sdlib.metrics import FEWEST_SEEDS, Interval
from sdlib.report.tables import ends_in_points
from sdlib.results import Place

__all__ = [
    "Found",
    "effect_sentences",
    "grouped",
    "overview_sentence",
    "recorded_effects",
    "where_trained",
]

WORTH = 0.02  # a difference within two points, whole interval, is called none worth having
LEVEL = 0.95  # of the intervals
NO_BREAK = "\N{NO-BREAK SPACE}"  # an interval stays on one line
HELPS, HARMS, NONE, OPEN = "helps", "harms", "makes no difference", "undecided"
NOT_JUDGED = "not judged"
MIXED = "accuracy and AUROC disagree"
VERDICTS = (HELPS, HARMS, NONE, MIXED, OPEN, NOT_JUDGED)


@dataclass(frozen=True)
class Found:
    """An effect at a place.

    Parameters
    ----------
    effect : Effect
    place : Place
    interval : Interval
        Mean difference, spectral decoupling minus weight decay, with its 95 % t interval over
        seeds; a fraction.
    doubt : str
        Why nothing is said: what was measured of a premise that does not hold. Else empty.
    level : float
        The mean of weight decay, a fraction; NaN where it is not known.
    """

    effect: Effect
    place: Place
    interval: Interval
    doubt: str = ""
    level: float = float("nan")

    @property
    def word(self) -> str:
        """``helps`` or ``harms`` where the interval leaves out 0.

        ``makes no difference`` where it lies within two points on either side of 0, and
        ``undecided`` otherwise. ``not judged`` where the premise does not hold.
        """
        low, high = self.interval.low, self.interval.high
        if self.doubt:
            return NOT_JUDGED
        if low > 0:
            return HELPS
        if high < 0:
            return HARMS
        return NONE if low > -WORTH and high < WORTH else OPEN

    @property
    def n(self) -> int:
        """Number of paired seeds."""
        return self.interval.n

    @property
    def where(self) -> str:
        """What the images are of, and whether training was longer: :func:`where_trained`."""
        return where_trained(self.place)

    @property
    def heading(self) -> str:
        """The situation with its equation: ``Squares betray the class (Equation 2)``."""
        situation = self.effect.situation
        return f"{situation[0].upper()}{situation[1:]} (Equation {self.effect.equation})"

    @property
    def numbers(self) -> str:
        """Metric, difference in points and interval: ``accuracy +5.9 (+4.9 to +6.9)``."""
        return f"{self.effect.metric} {ends_in_points(self.interval)}"


def where_trained(place: Place) -> str:
    """What the images of a place are of, and the profile if it is not the book's main one.

    >>> where_trained(Place("cutout", "laptop", "open"))
    'PatchCamelyon (lymph nodes)'
    >>> where_trained(Place("cutout", "long", "open"))
    'PatchCamelyon (lymph nodes), trained long'
    """
    definition = place.definition
    title = definition.source(place.source).title
    return title if place.profile == definition.recorded_at else f"{title}, trained {place.profile}"


def recorded_effects() -> list[Found]:
    """Every effect at every place that git holds rows of, with at least three seeds of both arms.

    Returns
    -------
    list of Found
        Experiments in their order, then sources and profiles in theirs, then metrics.

    Examples
    --------
    >>> recorded_effects()[0].effect.situation
    'squares betray the class'
    """
    found = []
    for name, experiment in EXPERIMENTS.items():
        for source in (one for one in SOURCES if one in experiment.sources):
            for profile in (one for one in PROFILES if one in experiment.profiles):
                found += _at(Place(name, profile, source))
    return found


def _at(place: Place) -> list[Found]:
    """The effects at one place."""
    found = []
    for effect in place.definition.effects if place.arms else ():
        measured = effect.statistic(place)
        interval = measured.interval
        if interval is None or interval.n < FEWEST_SEEDS:
            continue
        found.append(Found(effect, place, interval, _doubt(effect, place), measured.level))
    return found


def _doubt(effect: Effect, place: Place) -> str:
    """What was measured of an effect's premise where it does not hold; empty where it does."""
    if effect.premise is None:
        return ""
    needed = effect.premise(place).interval
    if needed is None:
        return f"{effect.missing}: not measured"
    return "" if needed.low > 0 else f"{effect.missing}: {ends_in_points(needed)} points"


def grouped(
    found: Sequence[Found], key: Callable[[Found], Hashable]
) -> dict[Hashable, list[Found]]:
    """Effects by what ``key`` says of them, in their order."""
    groups: dict[Hashable, list[Found]] = {}
    for one in found:
        groups.setdefault(key(one), []).append(one)
    return groups


def _verdict(mine: Sequence[Found]) -> str:
    """What is said of one comparison: one word if its metrics agree, else a word for each."""
    words = [one.word for one in mine]
    if len(set(words)) > 1:
        return ", ".join(f"{one.effect.metric}: {one.word}" for one in mine)
    return words[0]


def effect_sentences(found: Sequence[Found], links: bool = True) -> str:
    """A Markdown list: by situation and equation, what was found where, in points.

    Parameters
    ----------
    found : sequence of Found
    links : bool
        Whether the situation links to its chapter, from a page directly in ``book``.

    Examples
    --------
    >>> effect_sentences([])
    ''
    """
    lines = []
    for heading, mine in grouped(found, lambda one: one.heading).items():
        head = f"[{heading}]({mine[0].effect.chapter})" if links else heading
        lines.append(f"- {head}")
        for where, there in grouped(mine, lambda one: one.where).items():
            numbers = ", ".join(one.numbers for one in there).replace(" (", f"{NO_BREAK}(")
            numbers = numbers.replace(" to ", f"{NO_BREAK}to{NO_BREAK}")
            first = there[0]
            count = f"n{NO_BREAK}={NO_BREAK}{first.n}"
            text = f"{where}: **{_verdict(there)}**, {numbers}, {count}{_level(first)}"
            if first.doubt:
                text += f" ({first.doubt})"
            lines.append(f"  - {text}")
    return "\n".join(lines)


def _level(one: Found) -> str:
    """Where a difference starts from; empty where that is not known."""
    if not math.isfinite(one.level):
        return ""
    return f", weight decay has {one.effect.metric}{NO_BREAK}{one.level:.3f}"


def overview_sentence(found: Sequence[Found]) -> str:
    """Which word holds where, what the words mean, and chance's share: Markdown with a list.

    Examples
    --------
    >>> overview_sentence([])
    'There are no recorded rows yet.'
    """
    if not found:
        return "There are no recorded rows yet."
    comparisons = grouped(found, lambda one: (one.heading, one.where))
    cells: dict[str, dict[str, list[str]]] = {word: {} for word in VERDICTS}
    for (heading, where), mine in comparisons.items():
        words = {one.word for one in mine}
        verdict, doubt = mine[0].word, ""
        if len(words) > 1:
            verdict, doubt = MIXED, f" ({_verdict(mine)})"
        if verdict == NOT_JUDGED:
            doubt = f" ({mine[0].doubt})"
        cells[verdict].setdefault(heading, []).append(f"{where}{doubt}")
    lines = []
    for verdict, by_heading in cells.items():
        lines.append(f"- **{verdict}**: {sum(map(len, by_heading.values()))}")
        lines += [f"  - {heading}: {'; '.join(where)}" for heading, where in by_heading.items()]
    return "\n".join([_first_sentence(found, len(comparisons)), "", *lines, "", _rule(found)])


def _first_sentence(found: Sequence[Found], comparisons: int) -> str:
    count = f"{comparisons} comparisons" if comparisons != 1 else "1 comparison"
    text = f"In {count} of spectral decoupling with weight decay:"
    return text if len(found) == comparisons else f"{text[:-1]}, {len(found)} numbers in all:"


def _rule(found: Sequence[Found]) -> str:
    """The rule behind the words, and how many intervals chance alone would move off zero."""
    worth, chance = f"{100 * WORTH:.0f} points", (1 - LEVEL) * len(found)
    text = (
        f"The words follow from the {LEVEL:.0%} intervals. *Helps* or *harms*: the interval leaves "
        f"out zero. *Makes no difference*: it holds zero and stays within {worth} of it. "
        "*Undecided*: a real gain and none would both look like this. "
    )
    if any(one.doubt for one in found):
        text += "*Not judged*: the experiment did not work there, for the reason in brackets. "
    return text + (
        f"If the method did nothing anywhere, {chance:.1f} of the {len(found)} intervals would "
        "still leave out zero by chance."
    )
