"""The effects of spectral decoupling in every experiment, as sentences.

Which effects there are, the experiments declare (:mod:`sdlib.experiments.effects`). Nothing here is
typed: numbers, their signs and the words for them follow from the recorded rows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from sdlib.datasets.sources import SOURCES
from sdlib.experiments import EXPERIMENTS, PROFILES
from sdlib.experiments.effects import Effect
from sdlib.metrics import Interval
from sdlib.report.rule import FEWEST
from sdlib.results import Place

__all__ = [
    "Found",
    "effect_sentences",
    "grouped",
    "overview_sentence",
    "recorded_effects",
]

WORTH = 0.02  # a difference within two points, whole interval, is called none worth having
LEVEL = 0.95  # of the intervals
HELPS, HARMS, NONE, OPEN = "helps", "harms", "makes no difference", "undecided"
WORDS = (HELPS, HARMS, NONE, OPEN)


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
    decidable : bool
        Whether the effect's premise holds.
    """

    effect: Effect
    place: Place
    interval: Interval
    decidable: bool

    @property
    def word(self) -> str:
        """``helps`` or ``harms`` where the interval leaves out 0.

        ``makes no difference`` where it lies within two points on either side of 0, and
        ``undecided`` otherwise, or where the premise does not hold.
        """
        low, high = self.interval.low, self.interval.high
        if not self.decidable:
            return OPEN
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
        """What the images are of, such as ``PatchCamelyon (lymph nodes)``."""
        definition = self.place.definition
        title = definition.source(self.place.source).title
        profile = self.place.profile
        return title if profile == definition.recorded_at else f"{title}, trained {profile}"

    @property
    def numbers(self) -> str:
        """Metric, difference in points and interval: ``accuracy +5.9 (+4.9 to +6.9)``."""
        one = self.interval
        return (
            f"{self.effect.metric} {_signed(one.mean)} ({_signed(one.low)} to {_signed(one.high)})"
        )


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
        interval = effect.statistic(place).interval
        if interval is None or interval.n < FEWEST:
            continue
        decidable = True
        if effect.premise is not None:
            needed = effect.premise(place).interval
            decidable = needed is not None and needed.low > 0
        found.append(Found(effect, place, interval, decidable))
    return found


def _signed(fraction: float) -> str:
    """A difference in points with its sign; what is rounded to nothing has none."""
    return f"{100 * fraction:+.1f}".replace("-0.0", "0.0").replace("+0.0", "0.0")


def grouped(
    found: Sequence[Found], key: Callable[[Found], Hashable]
) -> dict[Hashable, list[Found]]:
    """Effects by what ``key`` says of them, in their order."""
    groups: dict[Hashable, list[Found]] = {}
    for one in found:
        groups.setdefault(key(one), []).append(one)
    return groups


def _verdict(mine: Sequence[Found]) -> str:
    """What is said of one place: once if all metrics agree, else metric by metric."""
    words = [one.word for one in mine]
    if len(set(words)) > 1:
        return ", ".join(f"{one.effect.metric} {one.word}" for one in mine)
    return words[0]


def effect_sentences(found: Sequence[Found], links: bool = True) -> str:
    """One line of Markdown per situation: what was found where, in points.

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
    for situation, mine in grouped(found, lambda one: one.effect.situation).items():
        effect = mine[0].effect
        head = situation[0].upper() + situation[1:]
        if links:
            head = f"[{head}]({effect.chapter})"
        said = []
        for where, there in grouped(mine, lambda one: one.where).items():
            numbers = ", ".join(one.numbers for one in there)
            text = f"{where}: **{_verdict(there)}**, {numbers}, n = {there[0].n}"
            if not there[0].decidable:
                text += f" ({effect.missing})"
            said.append(text)
        lines.append(f"- {head} (Equation {effect.equation}). {'; '.join(said)}.")
    return "\n".join(lines)


def overview_sentence(found: Sequence[Found]) -> str:
    """Where spectral decoupling helps and harms, how often it does neither, and chance's share.

    Examples
    --------
    >>> overview_sentence([])
    'There are no recorded rows yet.'
    """
    if not found:
        return "There are no recorded rows yet."
    by_word: dict[str, list[str]] = {word: [] for word in WORDS}
    for mine in grouped(found, _comparison).values():
        # The first metric decides; another one may add a doubt.
        first = mine[0]
        doubts = [f"{one.effect.metric} {one.word}" for one in mine if one.word != first.word]
        doubt = f" ({', '.join(doubts)})" if doubts else ""
        by_word[first.word].append(f"{first.effect.situation}, {first.where}{doubt}")
    helped, harmed = (
        ": ".join([str(len(by_word[word])), *filter(None, ["; ".join(by_word[word])])])
        for word in (HELPS, HARMS)
    )
    chance = (1 - LEVEL) * len(found)
    return (
        f"Of {sum(map(len, by_word.values()))} comparisons, spectral decoupling **helps** in "
        f"{helped}. It **harms** in {harmed}. "
        f"It makes no difference of {100 * WORTH:.0f} points or more in {len(by_word[NONE])}, and "
        f"{len(by_word[OPEN])} are undecided. Each interval is one of {LEVEL:.0%}: of "
        f"{len(found)} without any effect, {chance:.1f} would leave out zero by chance."
    )


def _comparison(one: Found) -> tuple[str, str]:
    """What metrics of the same networks have in common."""
    return one.effect.situation, one.where
