"""Comparisons: what an experiment says about a claim, as a statistic on a place.

A *place* is where results are kept (:class:`sdlib.results.Place`). A statistic takes one and
returns what it measured; the rule in :mod:`sdlib.report.rule` judges it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from sdlib.errors import ConfigError
from sdlib.metrics import Interval, delong_test, mean_interval

__all__ = [
    "AboveChance",
    "Comparison",
    "DifferenceInChange",
    "Elsewhere",
    "EnsembleDeLong",
    "Kind",
    "MapShare",
    "Measured",
    "OverAllLevels",
    "OwnValue",
    "PairedDifference",
    "Slope",
]


class Kind(StrEnum):
    """What a comparison expects; :mod:`sdlib.report.rule` has a rule for each.

    >>> Kind("no gain") is Kind.NO_GAIN
    True
    """

    GAIN = "gain"
    NO_GAIN = "no gain"
    LOSS = "loss"
    NO_DIFFERENCE = "no difference"
    LEVEL = "level"
    APART = "apart"


@dataclass(frozen=True)
class Measured:
    """What a statistic found.

    Parameters
    ----------
    interval : Interval or None
        Mean, spread and interval; None where there is nothing to measure.
    largest : float
        The largest effect that could have been found, for instance the distance of the rival's
        mean from its best value: the scale of "no difference". NaN where it is not known.
    level : float
        Where a difference starts from: the rival's mean over the same seeds. NaN where it is not
        known.
    """

    interval: Interval | None
    largest: float = float("nan")
    level: float = float("nan")


Statistic = Callable[[Any], Measured | Mapping[str, Measured]]


@dataclass(frozen=True)
class Comparison:
    """One comparison behind a claim.

    Parameters
    ----------
    claim, text : str
        Such as ``C1``; what is compared.
    kind : Kind
        What is expected; the text of a kind is taken too.
    statistic : callable
        A place to what was measured there. It may return several by name (every two scanners,
        for instance): each becomes a line of its own, and its name replaces ``text``.
    paper : float
        The paper's difference, or level, as a fraction.
    premise : bool
        Without it the claim cannot be tested.
    margin : float
        What counts as no difference, as one level, or as a loss too small to matter.
    margin_share : float
        The same as a share of the largest effect that could have been found; 0 where ``margin``
        says it.
    variant : str
        Claims that can be read in several ways are judged once for each, such as ``tuned on test``
        and ``paper's values``; empty where there is one reading.

    Raises
    ------
    ConfigError
        An unknown kind.
    """

    claim: str
    text: str
    kind: Kind
    statistic: Statistic
    paper: float = 0.0
    premise: bool = False
    margin: float = 0.0
    margin_share: float = 0.0
    variant: str = ""

    @property
    def claim_id(self) -> str:
        """The claim with its reading, such as ``C1, tuned on test``."""
        return f"{self.claim}, {self.variant}" if self.variant else self.claim

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "kind", Kind(self.kind))
        except ValueError:
            known = ", ".join(Kind)
            raise ConfigError(
                f"unknown kind {self.kind!r} of the comparison {self.text!r} of {self.claim}; "
                f"expected one of: {known}"
            ) from None

    def measured(self, place: Any) -> dict[str, Measured]:
        """What the statistic found at a place, by text."""
        found = self.statistic(place)
        return {self.text: found} if isinstance(found, Measured) else dict(found)


def _of_values(values: np.ndarray, largest: float = float("nan")) -> Measured:
    return Measured(mean_interval(values) if len(values) else None, largest)


@dataclass(frozen=True)
class PairedDifference:
    """``arm - rival`` in one metric, paired over the seeds that both have.

    Parameters
    ----------
    metric : str
        A metric of the rows, such as ``test.accuracy``; where the experiment is swept, also a
        level of shift (``blur-19``) or the mean over a shift's levels (``blur``).
    arm, rival : str
        With one arm as both and two metrics, the arm's own change is measured.
    rival_metric : str
        The rival's metric, if it is another one.
    """

    metric: str
    arm: str
    rival: str
    rival_metric: str = ""

    def __call__(self, place: Any) -> Measured:
        """Mean difference over seeds with its t interval."""
        rivals = place.by_seed(self.rival_metric or self.metric, self.rival)
        difference = (place.by_seed(self.metric, self.arm) - rivals).dropna()
        measured = _of_values(difference.to_numpy(np.float64))
        return replace(measured, level=float(rivals[difference.index].mean()))


@dataclass(frozen=True)
class OwnValue:
    """An arm's own value of a metric, over seeds."""

    metric: str
    arm: str

    def __call__(self, place: Any) -> Measured:
        """Mean over seeds with its t interval."""
        return _of_values(place.values(self.metric, self.arm))


@dataclass(frozen=True)
class AboveChance:
    """How far an arm's own AUROC lies above .5, over seeds: whether networks have learned at all.

    Parameters
    ----------
    metric, arm : str
        The metric is an AUROC, such as ``test.auroc``.
    """

    metric: str
    arm: str

    def __call__(self, place: Any) -> Measured:
        """Mean distance from .5 with its t interval."""
        return _of_values(place.values(self.metric, self.arm) - 0.5)


@dataclass(frozen=True)
class MapShare:
    """Share of the activation maps on the squares: arm minus rival, paired over seeds.

    The largest effect is that of an arm that does not look at squares at all: the distance of the
    rival's share from the squares' share of the area.

    Parameters
    ----------
    class_name, arm, rival : str
        ``class_name`` is ``benign`` or ``cancer``: which class the maps explain.
    """

    class_name: str
    arm: str
    rival: str

    def __call__(self, place: Any) -> Measured:
        """Mean difference over seeds with its t interval."""
        metric = f"cam.{self.class_name}_share"
        values = place.paired(metric, self.arm, self.rival)
        above = place.by_seed(metric, self.rival) - place.by_seed("cam.area_share", self.rival)
        largest = abs(float(above.mean())) if len(above) else float("nan")
        return Measured(mean_interval(values) if len(values) else None, largest)


@dataclass(frozen=True)
class DifferenceInChange:
    """How much less one arm loses than another from one metric to the next.

    Parameters
    ----------
    metric, baseline : str
        Of one unit, such as ``external.accuracy`` and ``test.accuracy``: the change is the first
        minus the second.
    arm, rival : str
    baseline_experiment : str
        Whose networks the baseline is of, if not the same experiment's.
    """

    metric: str
    baseline: str
    arm: str
    rival: str
    baseline_experiment: str = ""

    def __call__(self, place: Any) -> Measured:
        """The change of ``arm`` minus that of ``rival``, paired over seeds."""
        other = place.of(self.baseline_experiment) if self.baseline_experiment else place
        own, rivals = (
            place.by_seed(self.metric, name) - other.by_seed(self.baseline, name)
            for name in (self.arm, self.rival)
        )
        return _of_values((own - rivals).dropna().to_numpy(np.float64))


@dataclass(frozen=True)
class Slope:
    """``arm - rival`` in the slope of accuracy over the strength of one shift.

    Parameters
    ----------
    shift : str
        ``blur``, ``sharpen``, ``haematoxylin`` or ``eosin``.
    arm, rival : str
    """

    shift: str
    arm: str
    rival: str

    def __call__(self, place: Any) -> Measured:
        """Least-squares slopes per seed, paired over seeds."""
        table = place.sweep.accuracy()
        table = table[table["shift"] == self.shift]
        slopes = {
            key: np.polyfit(one["strength"], one["accuracy"], 1)[0]
            for key, one in table.groupby(["arm", "seed"])
            if len(one) > 1
        }
        own, rival = (
            {seed: slope for (name, seed), slope in slopes.items() if name == arm}
            for arm in (self.arm, self.rival)
        )
        shared = sorted(own.keys() & rival.keys())
        return _of_values(np.array([own[seed] - rival[seed] for seed in shared]))


@dataclass(frozen=True)
class OverAllLevels:
    """``arm - rival`` in accuracy, mean over every level of shift, paired over seeds.

    Parameters
    ----------
    arm, rival : str
    """

    arm: str
    rival: str

    def __call__(self, place: Any) -> Measured:
        """Mean difference over seeds with its t interval; nothing where no seed was swept."""
        table = place.sweep.accuracy()
        shifted = table[table["strength"].notna()]  # the unshifted tiles have none
        means = shifted.groupby(["arm", "seed"])["accuracy"].mean()
        own, rivals = (
            means[means.index.isin([name], "arm")].droplevel("arm")
            for name in (self.arm, self.rival)
        )
        return _of_values((own - rivals).dropna().to_numpy(np.float64))


@dataclass(frozen=True)
class EnsembleDeLong:
    """AUROC of two ensembles on one cohort, ``arm - rival``, by DeLong's test.

    An ensemble's score is the mean probability of its networks. The interval is over images, not
    over seeds; ``n`` is the smaller number of networks.

    Parameters
    ----------
    cohort, arm, rival : str
    rival_experiment : str
        Whose networks the rival is of, if not the same experiment's: one with the same cohort.

    Raises
    ------
    ConfigError
        The two experiments have other images in their cohorts of that name.
    """

    cohort: str
    arm: str
    rival: str
    rival_experiment: str = ""

    def __call__(self, place: Any) -> Measured:
        """The difference of the two areas with DeLong's 95 % interval."""
        other = place.of(self.rival_experiment) if self.rival_experiment else place
        own, rival = place.ensemble(self.arm, self.cohort), other.ensemble(self.rival, self.cohort)
        if own is None or rival is None:
            return Measured(None)
        targets = place.targets(self.cohort)
        if not np.array_equal(targets, other.targets(self.cohort)):
            raise ConfigError(
                f"expected the same images in {self.cohort} of {place.experiment} and "
                f"{other.experiment}, got other targets: networks are compared on the same images"
            )
        test = delong_test(targets, own.scores, rival.scores)
        mean = test.auc_a - test.auc_b
        n = min(own.networks, rival.networks)
        return Measured(Interval(n, mean, float("nan"), test.low, test.high))


@dataclass(frozen=True)
class Elsewhere:
    """A statistic of another experiment at the same place.

    Parameters
    ----------
    experiment : str
    statistic : callable
    """

    experiment: str
    statistic: Statistic

    def __call__(self, place: Any) -> Measured | Mapping[str, Measured]:
        """What the statistic finds there."""
        return self.statistic(place.of(self.experiment))
